"""`load`: files → sections → variables → resources. Every problem of a stack is raised at once.

Reading comes first: when a file is no YAML the rest is not judged, since what it declares is
missing everywhere.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lbstack.kinds import KINDS
from lbstack.kinds.contract import Kind
from lbstack.stack.blocks import imports, moved, outputs, removed
from lbstack.stack.bodies import Bodies
from lbstack.stack.digest import digest
from lbstack.stack.expand import Expander
from lbstack.stack.files import TOTAL_BYTES, read_text, stack_files
from lbstack.stack.model import Resource, Stack
from lbstack.stack.problems import Problems, shown
from lbstack.stack.reader import Budget, Refused, read
from lbstack.stack.sections import Sections
from lbstack.stack.tree import Item, Map
from lbstack.stack.variables import Given, resolve
from lbstack.values import Address, Source

KEY_LENGTH = 128
_BAD_IN_KEY = re.compile(r"[\s\x00-\x1f\x7f-\x9f]|\$\{")


def load(
    path: Path,
    *,
    variables: Mapping[str, str] | None = None,
    var_files: Sequence[Path] = (),
    environ: Mapping[str, str] | None = None,
    require_values: bool = True,
    shared: bool = False,
    kinds: Mapping[str, Kind] = KINDS,
    problems: Problems | None = None,
    texts: Mapping[str, str] | None = None,
) -> Stack:
    """The stack in a file or folder; `texts` are read instead of the files of these paths.

    With `problems`, mistakes of single resources are gathered there for the next station to add to
    and raise, and a resource with a mistake is there in part, so that others may refer to it.

    `environ` is where ``LBSTACK_VAR_…`` is looked up. Without `require_values` a variable may be
    without a value: what depends on it is not judged. Values that are `shared` may be meant for other
    stacks, and need not be declared here. Raises `ConfigError`, and `UsageError` when there is no such file.
    """
    given = Given(variables or {}, var_files, environ or {}, require_values, shared)
    found = Problems() if problems is None else problems
    with _collector_off():
        try:
            stack = _load(path, given, kinds, found, texts or {})
            if problems is None:
                found.raise_any()
            return stack
        except Refused:
            found.raise_any()
            raise  # a refusal always leaves a problem


def _load(
    path: Path, given: Given, kinds: Mapping[str, Kind], problems: Problems, texts: Mapping[str, str]
) -> Stack:
    budget = Budget()
    documents = _read(stack_files(path), problems, budget, texts)
    sections = Sections(kinds, problems)
    for file, document in documents:
        sections.take(file, document)
    name = sections.name(path)
    known = resolve(sections.named["variables"], given, problems, budget)
    expander = Expander(kinds, known, problems, budget)
    resources = _resources(sections, kinds, Bodies(expander, problems), problems)
    stack = Stack(
        name=name,
        resources=resources,
        outputs=outputs(sections.named["outputs"], expander, problems),
        moved=moved(sections.listed["moved"], kinds, problems),
        removed=removed(sections.listed["removed"], kinds, problems),
        imports=imports(sections.listed["imports"], kinds, expander, problems),
        digest="",
        loose=tuple(expander.loose),
        variables=tuple(known),
    )
    return stack if problems else digest(stack)


def _read(
    paths: list[Path], problems: Problems, budget: Budget, texts: Mapping[str, str]
) -> list[tuple[str, Map]]:
    """The documents of all files. Raises `Refused` when one could not be read."""
    found: list[tuple[str, Map]] = []
    total, whole = 0, True
    for path in paths:
        text = texts.get(str(path)) or read_text(path, problems)
        if text is None:
            whole = False
            continue
        total += path.stat().st_size
        if total > TOTAL_BYTES:
            problems.add(
                f"the stack is larger than {TOTAL_BYTES // 2**20} MB", "split it", Source(str(path), 1, 1)
            )
            raise Refused
        try:
            documents = read(text, str(path), problems, budget)
        except Refused:
            whole = False
            continue
        for document in documents:
            if isinstance(document, Map):
                found.append((str(path), document))
            elif document is not None:
                problems.add("a stack file is a mapping", "begin with stack: NAME", Source(str(path), 1, 1))
                whole = False
    if not whole:
        raise Refused
    return found


def _resources(
    sections: Sections, kinds: Mapping[str, Kind], bodies: Bodies, problems: Problems
) -> dict[Address, Resource]:
    plurals = {kind.plural: kind for kind in kinds.values()}
    found: dict[Address, Resource] = {}
    for plural, named in sections.named.items():
        if plural not in plurals:
            continue
        for key, item in named.items():
            if _good_key(key, item, problems):
                resource = bodies.resource(plurals[plural], key, item)
                if resource is not None:
                    found[resource.address] = resource
    return found


def _good_key(key: str, item: Item, problems: Problems) -> bool:
    """Keys stand in addresses, in state and in what people type."""
    if not key or len(key) > KEY_LENGTH:
        problems.add(
            f"a key has 1 to {KEY_LENGTH} characters", "shorten it" if key else "write one", item.key
        )
    elif _BAD_IN_KEY.search(key):
        problems.add(
            f"{shown(key)} is no key", "a key has no blanks, no control characters and no ${", item.key
        )
    else:
        return True
    return False


@contextmanager
def _collector_off() -> Iterator[None]:
    """A large stack makes a million objects, none of them in cycles: collecting them is half the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
