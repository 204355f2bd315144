"""What state remembers, beside what is there: how the two compare, and what differs (drift)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from lbstack.errors import StateError
from lbstack.kinds.contract import Fields, Kind
from lbstack.kinds.fields import Immutable, Listed, WriteOnly
from lbstack.live import Snapshot
from lbstack.plan.changes import Action, Change, FieldChange
from lbstack.plan.diff import differences
from lbstack.state.model import Entry, State
from lbstack.values import Address

GONE = "deleted outside lbstack"
ENDED = "destroyed by an apply that was cut off"
CHANGED = "changed outside lbstack"
LEFT = "no longer in the stack"
UNVERIFIED = "nobody knows whether it has this"
UNFINISHED = "the last apply did not finish this"


def drift(state: State, snapshot: Snapshot, kinds: Mapping[str, Kind]) -> Iterable[Change]:
    """What differs between what was last applied and what is live, resource by resource."""
    for address, entry in state.resources.items():
        if entry.id is None or address not in snapshot.resources:
            continue
        live, kind = snapshot.resources[address], kinds[address.kind]
        remembered = dict(entry.attributes)
        if live is None:
            if not entry.ending:
                yield Change(address, Action.DELETE, GONE, entry.id, remembered, None)
            continue
        with shaped(address):
            have = comparable(kind, remembered, live.attributes, entry)
            settled = remembered.keys() - {*kind.computed, *entry.unfinished}
            told = {k: have[k] for k in remembered if k in have and k in settled}
            before = {k: remembered[k] for k in told}
            lines = differences(kind, told, before, used=False)
        if lines:
            plain = tuple(replace(line, replaces=False) for line in lines)
            yield Change(address, Action.UPDATE, CHANGED, entry.id, remembered, {**remembered, **told}, plain)


def gone(entry: Entry) -> str:
    """Why an object is not there any more."""
    return ENDED if entry.ending else GONE


@contextmanager
def shaped(address: Address) -> Iterator[None]:
    """Wishes and answers have been judged by now; what does not fit them is what was remembered."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise StateError(
            f"what state remembers of {address} has an unexpected shape: {type(error).__name__} at {error}",
            "put back an intact copy of the state",
        ) from error


def comparable(kind: Kind, want: Mapping[str, Any], live: Mapping[str, Any], entry: Entry) -> Fields:
    """The live fields as they compare with a wish: told in its words, with what is only remembered."""
    have = dict(kind.align(dict(want), dict(live)))
    for name in want:
        if kind.role(name, WriteOnly):
            # Of an object that was just imported nothing is remembered; what could only be had by
            # replacing it is taken to be as wished.
            unknown = not entry.attributes and name in untold(kind, entry)
            have[name] = want[name] if unknown else entry.attributes.get(name)
        if kind.role(name, Listed):
            mine = {*(want[name] or {}), *(entry.attributes.get(name) or {})}
            have[name] = {key: item for key, item in (have.get(name) or {}).items() if key in mine}
    return have


def untold(kind: Kind, entry: Entry) -> tuple[str, ...]:
    """What an object has that was bound, and not made, and that neither tells nor can be set."""
    if entry.attributes:
        return entry.unverified
    return tuple(n for n in kind.roles if kind.role(n, WriteOnly) and kind.role(n, Immutable))


def renewed(kind: Kind, entry: Entry, bound: Fields) -> list[FieldChange]:
    """What makes another object of one that was named for it, so that nothing of it is untold."""
    names = [name for name in untold(kind, entry) if name in bound]
    return [FieldChange((n,), bound[n], bound[n], replaces=True, note=UNVERIFIED) for n in names]


def doubted(changes: Iterable[Change]) -> Iterator[str]:
    """What nobody knows of objects that were bound, a line for each."""
    for change in changes:
        if change.unverified:
            address, names = change.address, " and ".join(change.unverified)
            yield (
                f"{address}: nobody knows whether its {names} is the one of the stack, for it was bound and"
                f" not made; to be sure, let another be made: --recreate {address}"
            )


def unfinished(kind: Kind, entry: Entry, bound: Fields, fields: list[FieldChange]) -> list[FieldChange]:
    """What a broken step left in doubt. What cannot change came with the object, or differs."""
    told = {line.path[0] for line in fields}
    return [
        FieldChange((name,), bound[name], bound[name], note=UNFINISHED)
        for name in entry.unfinished
        if name in bound
        and name not in told
        and kind.role(name, Immutable) in (None, Immutable(once_used=True))
    ]
