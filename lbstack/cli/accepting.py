"""``drift --accept``: the stack's files edited in place, so that they say what is live.

Everything is edited in memory first, read again and judged, and only then put in the place of what was
read; a file that changed meanwhile is left alone, and so are all others then.
"""

from __future__ import annotations

import difflib
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbstack.errors import ConfigError, Problem, StackError
from lbstack.values import Address

if TYPE_CHECKING:
    from lbstack.graph import Graph
    from lbstack.live import Snapshot
    from lbstack.plan.accept import Takeover
    from lbstack.plan.drift import DriftReport
    from lbstack.session import Settings
    from lbstack.stack.rewrite import Rewriter
    from lbstack.state.model import State

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a drift was told from: the files as they were, and the three that were compared."""

    files: Mapping[str, bytes]
    graph: Graph
    state: State
    snapshot: Snapshot


@dataclass
class Accepted:
    """What became of it: new texts by file, what was taken over, what could not be, and the report then."""

    texts: dict[str, str] = field(default_factory=dict)
    addresses: list[Address] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    report: DriftReport | None = None


def read_files(settings: Settings) -> dict[str, bytes]:
    """The stack's files, byte by byte, before anybody reads what they say."""
    from lbstack.stack.files import stack_files

    found = {}
    for path in stack_files(settings.path):
        with suppress(OSError):  # what cannot be read is told by who reads the stack
            found[str(path)] = path.read_bytes() if path.is_file() else b""
    return found


def accepted(
    settings: Settings, seen: Seen, plan: Any, report: DriftReport, wanted: Sequence[Address]
) -> Accepted:
    """The edits, judged: what they make of the stack is read, planned and compared again. Writes nothing."""
    from lbstack.kinds import KINDS
    from lbstack.plan import drift
    from lbstack.plan.accept import takeovers
    from lbstack.session import load_graph

    _require_drifted(report, wanted)
    found, gone, problems = takeovers(report, plan, seen.graph.stack.resources, KINDS, wanted)
    done = Accepted(problems=problems)
    for file in sorted(
        {_file(seen, each.resource.address) for each in found} | {_file(seen, a) for a in gone}
    ):
        mine = [each for each in found if _file(seen, each.resource.address) == file]
        ends = [address for address in gone if _file(seen, address) == file]
        text = seen.files[file].removeprefix(BOM).decode()
        new = _edited(text, file, mine, ends, seen, done)
        if new != text:
            done.texts[file] = new
    if not done.texts:
        done.report = report
        return done
    try:
        graph = load_graph(settings, texts=done.texts)
    except ConfigError as error:
        raise ConfigError(
            [
                Problem(
                    "what is live cannot be written as a stack, so nothing was written", "name what can be"
                ),
                *(replace(problem, source=None) for problem in error.problems),
            ]
        ) from None
    done.report = drift.report(
        graph, seen.state, seen.snapshot, KINDS, targets=settings.targets, imports=plan.imports
    )
    _require_taken(done)
    return done


def _require_drifted(report: DriftReport, wanted: Iterable[Address]) -> None:
    known = {each.address: each for each in report.resources}
    agreed = {*report.agreed}
    unknown = [
        Problem(f"{address} is not in the stack, nor in its state", "see the addresses that drift tells")
        for address in wanted
        if address not in known and address not in agreed
    ]
    if unknown:
        raise ConfigError(unknown)


def _require_taken(done: Accepted) -> None:
    """Refuse edits after which the stack still does not say what is live."""
    refused = {problem.address for problem in done.problems}
    wrong = {each.address for each in done.report.resources if each.wrong} if done.report else set()
    if still := [address for address in done.addresses if address in wrong and address not in refused]:
        raise ConfigError(
            [
                Problem("what is live of it cannot be written", "an apply sets it right", address=a)
                for a in still
            ]
        )


def _file(seen: Seen, address: Address) -> str:
    return seen.graph.stack.resources[address].source.file


def _edited(
    text: str, file: str, found: Sequence[Takeover], gone: Sequence[Address], seen: Seen, done: Accepted
) -> str:
    """One file with what is taken over. A field that cannot be edited is told, and the rest goes on."""
    from lbstack.stack.edits import Kept
    from lbstack.stack.rewrite import Rewriter
    from lbstack.stack.spans import spans
    from lbstack.stack.tree import source

    tree = spans(text)

    whole = Rewriter(tree)
    good: dict[Address, tuple[dict[str, Any], dict[str, Any]]] = {}
    for each in found:
        address = each.resource.address
        try:
            _carry_out(Rewriter(tree), seen, address, each.before, each.after)
        except Kept as kept:
            what = f"{address}: {each.name} cannot be edited here: {kept.why}"
            done.problems.append(
                Problem(what, "edit it by hand, or let an apply set it right", source(file, kept.at), address)
            )
        else:
            before, after = good.setdefault(address, ({}, {}))
            before.update(each.before)
            after.update(each.after)
    for address, (before, after) in good.items():
        _carry_out(whole, seen, address, before, after)
        done.addresses.append(address)
    for address in gone:
        try:
            _carry_out(whole, seen, address, {}, {}, ends=True)
        except Kept as kept:
            what = f"{address} cannot be taken out here: {kept.why}"
            done.problems.append(Problem(what, "edit it by hand", source(file, kept.at), address))
        else:
            done.addresses.append(address)
    return whole.result()


def _carry_out(
    rewriter: Rewriter,
    seen: Seen,
    address: Address,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    ends: bool = False,
) -> None:
    """Edit the body of one resource, or take the resource out of its section."""
    from lbstack.kinds import KINDS
    from lbstack.stack.edits import Kept

    written = seen.graph.stack.resources[address].written
    place = rewriter.tree.resource(written.key_at) if written else None
    if place is None:
        raise Kept(written.key_at if written else 0, "it is shared with other parts of the stack")
    rewriter.part_key = KINDS[address.kind].part_key
    if ends:
        rewriter.remove(*place)
    else:
        rewriter.require_own(place[0])
        rewriter.mapping(place[0].pairs[place[1]][1], before, after)


def difference(seen: Seen, done: Accepted) -> list[str]:
    """What is written, as a unified diff."""
    told: list[str] = []
    for file, new in done.texts.items():
        old = seen.files[file].removeprefix(BOM).decode()
        before, after = (text.replace("\r\n", "\n").split("\n") for text in (old, new))
        told += difflib.unified_diff(before, after, f"a/{file}", f"b/{file}", lineterm="")
    return told


def write(seen: Seen, done: Accepted) -> None:
    """Put the new files in the place of the old, all or none. Refuses where one changed meanwhile."""
    beside: dict[Path, Path] = {}
    try:
        for file, text in done.texts.items():
            place = Path(file).resolve()
            bom = BOM if seen.files[file].startswith(BOM) else b""
            beside[place] = _beside(place, bom + text.encode())
        changed = [file for file, data in seen.files.items() if Path(file).read_bytes() != data]
        if changed:
            raise StackError(
                [
                    Problem(f"{file} was changed meanwhile, so nothing was written", "run this again")
                    for file in changed
                ]
            )
        for place, new in beside.items():
            new.replace(place)
    finally:
        for new in beside.values():
            with suppress(OSError):
                new.unlink()


def _beside(place: Path, data: bytes) -> Path:
    """A new file beside another, of its mode, on the disk."""
    new = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(place.stat().st_mode & 0o7777)
    return new
