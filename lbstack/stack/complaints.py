"""pydantic's errors in plain words, each at its place in the file.

An error's ``loc`` names the branches of unions beside keys and indices; what is no key of the
file is skipped. Of a union's branches only those that looked deepest are told: who wrote a
mapping does not need to hear that it is no string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from lbstack.kinds.fields import holds_unset
from lbstack.stack.problems import KEPT, Problems, shown
from lbstack.stack.specs import models_in
from lbstack.stack.tree import Item, List, Map, locate
from lbstack.values import Secret, Source

Path = tuple[str | int, ...]

MANY = 15
"""Keys that are listed for who wrote an unknown one; more are not read."""
_VARIABLE = re.compile(r"\$\{\s*var\.([^}\s]+)\s*\}")
_PLAIN = {
    "string_type": "should be text",
    "dict_type": "should be a mapping",
    "model_type": "should be a mapping",
    "list_type": "should be a list",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
}


class _Complaint(NamedTuple):
    """An error: the part of its ``loc`` that is in the file, the union branch it came from."""

    path: Path
    depth: int
    fork: Path
    branch: str | int | None
    text: str
    detail: str
    at_key: bool


def complain(
    error: ValidationError,
    item: Item,
    name: str,
    problems: Problems,
    spec: type[BaseModel],
    also: Sequence[str] = (),
    origins: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Turn a validation error of a body into problems; `name` is the body's, as in ``PLURAL.KEY``.
    `origins` tells where the values of variables were given.

    What is wrong with a variable without a value is not told: it may have one when it counts.
    """
    if problems.full:
        problems.skip(error.error_count())
        return
    found: dict[Path, list[_Complaint]] = {}
    for complaint in _deepest(list(_complaints(error, item, name, problems, spec, also))):
        found.setdefault(
            complaint.path if not complaint.at_key else (*complaint.path, complaint.text), []
        ).append(complaint)
    for group in found.values():
        first = group[0]
        texts = " or ".join(dict.fromkeys(complaint.text for complaint in group))
        where = "" if first.at_key else f"{_dotted(name, first.path)} "
        place = locate(item, first.path, key=first.at_key)
        detail = first.detail or ("" if first.at_key else _given(item, first.path, origins))
        problems.add(f"{where}{texts}", detail, place)


def refuse_secret(secret: Secret, place: Source, problems: Problems) -> None:
    """Say that a secret stands where it would be shown."""
    problems.add(
        f"secret variable {shown(secret.variable)} stands in a field that takes no secret",
        "a secret must be the whole value of a field that takes one",
        place,
    )


def _complaints(
    error: ValidationError,
    item: Item,
    name: str,
    problems: Problems,
    spec: type[BaseModel],
    also: Sequence[str],
) -> Iterator[_Complaint]:
    refused: set[Path] = set()
    errors = error.errors(include_url=False)
    problems.skip(len(errors[2 * KEPT :]))
    for one in errors[: 2 * KEPT]:
        kind, given, loc = one["type"], one["input"], one["loc"]
        path, fork, branch = _path(item.value, loc)
        if kind == "missing":
            text = f"{_dotted(name, path)} has no {loc[-1]}"
            yield _Complaint(path, len(path) + 1, fork, branch, text, f"add {loc[-1]}: …", True)
        elif kind == "extra_forbidden":
            known = [*spec.model_fields, *also] if len(path) == 1 else _names(spec)
            text = f"unknown key {shown(path[-1])} in {_dotted(name, path[:-1])}"
            every = f"there are {', '.join(known)}" if len(known) <= MANY else ""
            detail = problems.near(path[-1], known, every)
            yield _Complaint(path, len(path), fork, branch, text, detail, True)
        elif isinstance(given, Secret):
            if path not in refused:  # by every branch of a union
                refuse_secret(given, locate(item, path), problems)
            refused.add(path)
        elif not holds_unset(given):
            yield _Complaint(path, len(path), fork, branch, _words(one), _detail(one, problems), False)


def _path(value: Any, loc: Path) -> tuple[Path, Path, str | int | None]:
    """The part of a ``loc`` that is in the file; where it left it first, and by which branch."""
    path: list[str | int] = []
    fork: Path | None = None
    branch: str | int | None = None
    for step in loc:
        inner = step in value if type(value) is Map else type(value) is List and step in range(len(value))
        if inner:
            value = value[step]
            path.append(step)
        elif fork is None:
            fork, branch = tuple(path), step
    return tuple(path), tuple(path) if fork is None else fork, branch


def _deepest(complaints: list[_Complaint]) -> list[_Complaint]:
    """Without the branches of a union that gave up earlier than another."""
    depths: dict[Path, dict[str | int, int]] = {}
    for one in complaints:
        if one.branch is not None:
            branches = depths.setdefault(one.fork, {})
            branches[one.branch] = max(one.depth, branches.get(one.branch, 0))
    best = {fork: max(branches.values()) for fork, branches in depths.items()}
    return [c for c in complaints if c.branch is None or depths[c.fork][c.branch] == best[c.fork]]


def _given(item: Item, path: Path, origins: Mapping[str, str]) -> str:
    """Of a value that came from a variable: from which, and where that was given."""
    value = item.value
    for step in path:
        if isinstance(value, str):
            break
        value = value[step]
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[1] not in origins:
        return ""
    where = f", given {origins[match[1]]}" if origins[match[1]] else ", its default"
    return f"it is the value of variable {shown(match[1])}{where}"


def _words(error: Mapping[str, Any]) -> str:
    """The end of a sentence that begins with the field's name."""
    if error["type"] in _PLAIN:
        return _PLAIN[error["type"]]
    if error["type"] == "too_short":
        least = error["ctx"]["min_length"]
        return f"should have at least {least} item{'' if least == 1 else 's'}"
    text = str(error["msg"])
    text = text.removeprefix("Value error, ").removeprefix("Assertion failed, ").removeprefix("Input ")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _detail(error: Mapping[str, Any], problems: Problems) -> str:
    """What to do: quote a number that is text, or the nearest word of a fixed set."""
    kind, given = error["type"], error["input"]
    if kind == "string_type" and isinstance(given, (int, float)):
        return "quote it"
    if kind not in ("literal_error", "enum") or not isinstance(given, str):
        return ""
    expected = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
    return problems.near(given, expected, fold=True)


def _dotted(name: str, path: Path) -> str:
    return ".".join([name, *(str(step) if len(str(step)) < 60 else f"{str(step)[:59]}…" for step in path)])


def _names(spec: type[BaseModel]) -> list[str]:
    """The fields of a model and of the models inside it."""
    fields = [field for model in models_in(spec) for field in model.model_fields.items()]
    return list(dict.fromkeys(info.alias or name for name, info in fields))
