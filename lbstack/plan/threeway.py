"""What the stack says, what was last applied, what is live: three values of a field, compared at its leaves.

| since the last apply | verdict |
| --- | --- |
| only the stack moved | pending; converged where live says the same all the same |
| only live moved | drifted |
| both, to the same value | converged |
| both, otherwise | conflict |

A move of one side may lie inside what the other added, removed or replaced: then the two are compared at
the place that holds both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lbstack.kinds.contract import Kind
from lbstack.kinds.fields import Keyed, Unordered
from lbstack.plan.changes import ABSENT, FieldChange
from lbstack.plan.diff import differences
from lbstack.state.model import same
from lbstack.values import Source

Path = tuple[Any, ...]


class Verdict(StrEnum):
    """Who moved, since the last apply; the gravest first."""

    MISSING = "missing"
    CONFLICT = "conflict"
    DRIFTED = "drifted"
    PENDING = "pending"
    CONVERGED = "converged"


WRONG = (Verdict.MISSING, Verdict.CONFLICT, Verdict.DRIFTED)
"""What somebody must look at; the rest is what an apply is for, or nothing."""


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """One place of a resource at which the three do not agree; ABSENT where there is none.

    `path` is as in a `FieldChange`. `moved` marks a changed order, where the values are lists of keys. A
    part that live alone has `follows` these there, the nearest first.
    """

    path: Path
    verdict: Verdict
    stack: Any
    applied: Any
    live: Any
    moved: bool = False
    note: str = ""
    source: Source | None = None
    follows: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """The three values of one field; live twice: in the words of the stack and of what was applied."""

    kind: Kind
    name: str
    stack: Any
    applied: Any
    live: Any
    live_as_applied: Any

    def at(self, side: Any, path: Path) -> Any:
        """What a side has at a path; an item of a set stands for itself."""
        if self.kind.role(self.name, Unordered) is not None and len(path) == 2:
            return path[1] if path[1] in (side or []) else ABSENT
        for step in path[1:]:
            side = side.get(step, ABSENT) if isinstance(side, Mapping) else ABSENT
        return side

    def moves(self, now: Any, then: Any) -> list[FieldChange]:
        """The leaves at which two sides differ."""
        return differences(self.kind, {self.name: now}, {self.name: then}, used=False)


def fresh(kind: Kind, name: str, stack: Any, live: Any) -> Iterator[FieldDrift]:
    """A field of which nothing was applied: the stack alone has moved."""
    lines = differences(kind, {name: stack}, {name: live}, used=False)
    for line in lines:
        yield FieldDrift(line.path, Verdict.PENDING, line.after, ABSENT, line.before, line.moved)
    if not lines:
        yield FieldDrift((name,), Verdict.CONVERGED, stack, ABSENT, live)


def compared(sides: Sides) -> Iterator[FieldDrift]:
    """Every place of a field at which one side has moved."""
    ours = sides.moves(sides.stack, sides.applied)
    theirs = sides.moves(sides.live_as_applied, sides.applied)
    if not ours and not theirs:
        return
    left, right = (_prefixes(line.path for line in lines if not line.moved) for lines in (ours, theirs))
    places = _outermost(line.path for line in (*ours, *theirs) if not line.moved)
    told = [found for place in places if (found := _judged(sides, place, left, right))]
    orders = dict.fromkeys(line.path for line in (*ours, *theirs) if line.moved)
    told += [_order(sides, place, ours, theirs) for place in orders if not _within(place, set(places))]
    yield from told
    yield from _rest(sides, told)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths that lie in no other, in the order given."""
    found = dict.fromkeys(paths)
    return [path for path in found if not any(path[:size] in found for size in range(1, len(path)))]


def _within(path: Path, places: set[Path]) -> bool:
    return any(path[:size] in places for size in range(1, len(path) + 1))


def _prefixes(paths: Iterable[Path]) -> set[Path]:
    """The paths, and all that they lie in."""
    return {path[:size] for path in paths for size in range(1, len(path) + 1)}


def _judged(sides: Sides, place: Path, left: set[Path], right: set[Path]) -> FieldDrift | None:
    """One place; None where the stack no longer manages it, or has it under another name."""
    ours, theirs = place in left, place in right
    stack, applied = sides.at(sides.stack, place), sides.at(sides.applied, place)
    live, also = sides.at(sides.live, place), sides.at(sides.live_as_applied, place)
    if ours and stack is ABSENT and live is ABSENT and also is not ABSENT:
        if not (theirs and _is_part(sides, place)):
            return None
        live = also  # the part has another name in the stack, and another hand changed it
    follows = _follows(sides, place) if stack is ABSENT and live is not ABSENT else None
    if not ours:
        told = also if live is ABSENT else live
        return FieldDrift(place, Verdict.DRIFTED, stack, applied, told, follows=follows)
    if same(stack, live):
        return FieldDrift(place, Verdict.CONVERGED, stack, applied, live)
    verdict = Verdict.CONFLICT if theirs else Verdict.PENDING
    return FieldDrift(place, verdict, stack, applied, live, follows=follows)


NEAR = 50
"""So many parts before a new one are told: one of them is there wherever it is to be taken over."""


def _follows(sides: Sides, place: Path) -> tuple[Any, ...] | None:
    if not _is_part(sides, place):
        return None
    keys = _keys(sides.at(sides.live, place[:-1]))
    return tuple(keys[: keys.index(place[-1])][-NEAR:][::-1])


def _is_part(sides: Sides, place: Path) -> bool:
    """Whether a path leads to a named part, rather than to an attribute."""
    return sides.kind.role(sides.name, Keyed) is not None and len(place) % 2 == 0


def _order(sides: Sides, place: Path, ours: list[FieldChange], theirs: list[FieldChange]) -> FieldDrift:
    """A map whose parts stand in another order."""
    stack, applied, live = (_keys(sides.at(each, place)) for each in (sides.stack, sides.applied, sides.live))
    moved = [any(line.moved and line.path == place for line in lines) for lines in (ours, theirs)]
    common = [key for key in stack if key in live]
    agree = common == [key for key in live if key in stack]
    verdict = Verdict.CONFLICT if all(moved) else Verdict.PENDING if moved[0] else Verdict.DRIFTED
    return FieldDrift(place, Verdict.CONVERGED if agree else verdict, stack, applied, live, moved=True)


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Mapping) else []


def _rest(sides: Sides, told: list[FieldDrift]) -> Iterator[FieldDrift]:
    """What an apply would still change, though no line tells of it: parts that both sides added, each in
    its own place."""
    settled = [line for line in told if line.verdict is not Verdict.CONVERGED]
    places = {line.path for line in settled if not line.moved}
    inside, orders = _prefixes(places), {line.path for line in settled if line.moved}
    for line in sides.moves(sides.stack, sides.live):
        if line.path in orders if line.moved else _within(line.path, places) or line.path in inside:
            continue
        if line.moved and _within(line.path, places):
            continue
        applied = sides.at(sides.applied, line.path)
        verdict = Verdict.CONFLICT if line.moved else Verdict.PENDING
        then = _keys(applied) if line.moved else applied
        yield FieldDrift(line.path, verdict, line.after, then, line.before, line.moved)
