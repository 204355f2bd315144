"""Between what is live and the plan: objects that lbstack may have made and never heard of.

A create whose answer was lost is *pending*. It is looked for, in two complete looks, and judged:

| what is seen | what becomes of it |
| --- | --- |
| one object bears its marker | *found*: it is taken over under its address |
| several bear it: somebody repeated the request | the oldest is found, the others are *orphans* |
| none does, and its natural key fits one object of the same user, made since, that is nobody's | found |
| it fits several, and is a key that nothing shares | the newest is found, the others are orphans |
| it fits several of another kind | *ambiguous*: refused, the candidates are shown |
| nothing, and the service's ceiling has passed (settle) | *lost*: it was never made; may be made anew |
| nothing yet | *open*: waited for, never sent again |
| a marker of an ended create, on an object that is not the one it made | an orphan |
| the natural key of an ended create of a kind without markers, on another object | an orphan, not for sure |

Time alone proves nothing: it counts only together with complete looks that found nothing, and only as the
service's own clock tells it, or as this process has waited.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from lbstack.asking import Absence, Reader, again_after
from lbstack.errors import OutcomeUnknown, Problem, typed
from lbstack.kinds.contract import Kind, Live, Sighting
from lbstack.live import gather, read, remembered
from lbstack.state.model import DeposedObject, Entry, State
from lbstack.values import Address, Intent

SLACK = 60.0
"""Seconds before an intent from which on its object is looked for: servers' clocks differ, `Date` has no
fractions."""
FIRST_PAUSE = 0.25
"""Seconds between the first look and the second; each further pause is twice as long."""
LATEST = 600.0
"""Seconds after an intent from which on what bears no marker is no longer taken for its object."""
KEPT = 7 * 24 * 3600.0
"""Seconds for which a create that was given up is watched for."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object that one of our creates made, and that no address stands for.

    Unless it is for `sure`, it may be somebody else's: nothing marks it, or somebody copied the mark.
    """

    address: Address
    id: str
    name: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """A lost create that several objects could have come from."""

    intent: Intent
    candidates: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look told of every pending create, and what it found that nobody knows."""

    found: Mapping[Address, Sighting]
    lost: tuple[Intent, ...] = ()
    open: tuple[Intent, ...] = ()
    ambiguous: tuple[Ambiguous, ...] = ()
    orphans: tuple[Orphan, ...] = ()


async def look(state: State, kinds: Mapping[str, Kind], wire: Reader) -> dict[str, list[Sighting]]:
    """What creates may have made, by kind. For what is pending two complete looks, their union: pages of a
    list shift while others write. Reads only."""
    pending = {intent.address.kind for intent in state.pending}
    every = [*state.pending, *state.markers]
    since = _windows(every)
    seen: dict[str, dict[str, Sighting]] = {name: {} for name in since}
    names = {entry.id: address for address, entry in state.resources.items() if entry.id}
    for _ in range(2 if pending else 1):
        readings = {name: kinds[name].search(then, name in pending) for name, then in since.items()}
        if readings:
            results, _ = await gather(readings, wire, organization=state.organization, names=names)
            for name, sightings in results.items():
                seen[name].update((sighting.id, sighting) for sighting in sightings)
    return {name: list(found.values()) for name, found in seen.items()}


def _windows(intents: Iterable[Intent]) -> dict[str, str | None]:
    """From when on objects of each kind are looked for; None: from ever."""
    earliest: dict[str, float | None] = {}
    for intent in intents:
        kind, since = intent.address.kind, intent.since
        known = earliest.get(kind, since)
        earliest[kind] = None if since is None or known is None else min(since, known)
    return {kind: None if since is None else _iso(since - SLACK) for kind, since in earliest.items()}


def _iso(time: float) -> str:
    """Seconds since 1970 as the service writes times."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def judge(
    state: State,
    kinds: Mapping[str, Kind],
    seen: Mapping[str, Sequence[Sighting]],
    settled: Container[Address],
) -> Verdict:
    """What is to be concluded (the table above); pure. For `settled` creates the service's ceiling had
    passed before the look."""
    ids = {(a.kind, id) for a, entry in state.resources.items() for id in _ids(entry)}
    found: dict[Address, Sighting] = {}
    lost: list[Intent] = []
    still: list[Intent] = []
    ambiguous, orphans = [], []
    for intent in state.pending:
        bearing = _bearing(intent, seen.get(intent.address.kind, ()))
        fitting = _fitting(intent, seen.get(intent.address.kind, ()), ids)
        if bearing or len(fitting) == 1:
            first, *rest = bearing or fitting
            found[intent.address] = first
            orphans += [Orphan(intent.address, other.id, other.name) for other in rest]
        elif fitting and kinds[intent.address.kind].looks_first:
            *rest, last = sorted(fitting, key=_age)
            found[intent.address] = last
            orphans += [Orphan(intent.address, other.id, other.name) for other in rest]
        elif fitting or not (intent.marker or intent.natural):
            ambiguous.append(Ambiguous(intent, tuple(fitting)))
        else:
            (lost if intent.address in settled else still).append(intent)
    ids |= {(address.kind, seen.id) for address, seen in found.items()}
    # What was made and then forgotten on purpose is no orphan.
    ids |= {(intent.address.kind, intent.id) for intent in state.markers if intent.id}
    for intent in state.markers:
        kind = intent.address.kind
        # Of a kind that bears markers, what bears none is somebody else's.
        twins = _bearing if kinds[kind].marks else partial(_fitting, taken=ids)
        orphans += [
            Orphan(intent.address, twin.id, twin.name, sure=_sure(intent, twin, kinds[kind]))
            for twin in twins(intent, seen.get(kind, ()))
            if (kind, twin.id) not in ids
        ]
    unique = {orphan.id: orphan for orphan in orphans}
    return Verdict(found, tuple(lost), tuple(still), tuple(ambiguous), tuple(unique.values()))


def _sure(intent: Intent, twin: Sighting, kind: Kind) -> bool:
    """Whether an object can only have come from this create: of a key that nothing shares, or with its marker
    and as it was sent, by whoever sent it."""
    if not kind.marks:
        return kind.looks_first
    as_sent = not intent.natural or twin.natural == intent.natural
    return as_sent and (not intent.actor or twin.creator in ("", intent.actor))


def _ids(entry: Entry) -> list[str]:
    return [*([entry.id] if entry.id else []), *(old.id for old in entry.deposed)]


def _bearing(intent: Intent, sightings: Iterable[Sighting]) -> list[Sighting]:
    """What bears the marker of a create, the oldest first."""
    mine = [sighting for sighting in sightings if intent.marker and sighting.marker == intent.marker]
    return sorted(mine, key=_age)


def _age(sighting: Sighting) -> tuple[float, str]:
    """What sorts the oldest first."""
    return sighting.created, sighting.id


def _fitting(intent: Intent, sightings: Iterable[Sighting], taken: set[tuple[str, str]]) -> list[Sighting]:
    """What bears no marker and could have come from a create all the same: same natural key, same user, made
    then, and nobody's."""
    if not intent.natural:
        return []
    since, until = float("-inf"), float("inf")
    if intent.since is not None:
        since, until = intent.since - SLACK, intent.since + LATEST
    return [
        sighting
        for sighting in sightings
        if sighting.marker is None
        and sighting.natural == intent.natural
        and sighting.creator in ("", intent.actor)
        and since <= sighting.created <= until
        and (intent.address.kind, sighting.id) not in taken
    ]


class Patience:
    """How long creates without an answer are waited for: by the service's clock, or by this process's own
    monotonic one since it began to wait."""

    def __init__(self, settle: float, now: Callable[[], float | None], *, waits: bool = True) -> None:
        self.settle, self.now, self.waits = settle, now, waits
        self._began = time.monotonic()

    def left(self, intent: Intent) -> float:
        """Seconds to wait until nothing found means that nothing was made."""
        now, waited = self.now(), time.monotonic() - self._began
        if now is not None and intent.since is not None:
            waited = max(waited, now - intent.since)
        return max(0.0, self.settle - waited)


async def recover(
    state: State,
    kinds: Mapping[str, Kind],
    wire: Reader,
    patience: Patience,
    on_wait: Callable[[Sequence[Intent], float], None] = lambda open, seconds: None,
) -> tuple[State, Verdict]:
    """Look for every create that is open or watched for, and wait for those that may yet be carried out.

    Returns the state with what was concluded. Where patience does not wait, some may stay open. `on_wait` is
    told once what is waited for, and of fewer that are left not again.
    """
    pause, told = FIRST_PAUSE, False
    while True:
        settled = {intent.address for intent in state.pending if not patience.left(intent)}
        seen = await look(state, kinds, wire)  # what had settled before the look, and is not seen, is lost
        verdict = judge(state, kinds, seen, settled)
        if not (verdict.open and patience.waits):
            return after(state, verdict, kinds, patience), verdict
        left = max(patience.left(intent) for intent in verdict.open)
        if not told:
            on_wait(verdict.open, left)
        told = True
        await asyncio.sleep(min(pause, max(left, 0.01)))
        pause *= 2


def after(state: State, verdict: Verdict, kinds: Mapping[str, Kind], patience: Patience) -> State:
    """The state with a verdict's conclusions: what was found is bound, what is lost is only watched for, and
    what was watched for long enough is forgotten."""
    resources, made = dict(state.resources), []
    for intent in state.pending:
        if seen := verdict.found.get(intent.address):
            resources[intent.address] = _taken_over(state.resources.get(intent.address), intent, seen)
            made.append(replace(intent, id=seen.id, replaced={}))
    lost = [intent for intent in verdict.lost if not kinds[intent.address.kind].looks_first]
    watched = {orphan.address for orphan in verdict.orphans if orphan.sure}
    kept = [i for i in state.markers if i.address in watched or not _stale(i, patience)]
    pending = (*verdict.open, *(each.intent for each in verdict.ambiguous))
    return replace(state, resources=resources, pending=pending, markers=(*kept, *made, *lost))


def _taken_over(before: Entry | None, intent: Intent, seen: Sighting) -> Entry:
    """What was found under an address; what it was to replace is deposed, as if its answer had come."""
    deposed = before.deposed if before else ()
    if before and before.id:
        # Of what no answer ever told of, only the plan knew what it refers to.
        known = intent.replaced or before.attributes
        deposed = (*deposed, DeposedObject(before.id, known, before.needs))
    protected = bool(before and before.protected)
    memory = {**(before.memory if before else {}), **seen.memory}  # what was deposed has its notes there, too
    return Entry(seen.id, intent.secrets, memory, deposed=deposed, protected=protected)


def _stale(intent: Intent, patience: Patience) -> bool:
    """Whether a create that ended need not be watched any longer, now that a look was complete."""
    now = patience.now()
    if now is None or intent.since is None:
        return intent.id is not None
    return now - intent.since > (patience.settle if intent.id else max(KEPT, patience.settle))


async def reread(
    kind: Kind,
    address: Address,
    id: str,
    entry: Entry,
    wire: Reader,
    state: State,
    settle: float,
    words: Sequence[str] = (),
) -> Live | None:
    """One object as it is now; None on proof that it is gone. `entry` is what is remembered of it, `words`
    are what a command needs to come to the same state."""
    item = remembered(address, replace(entry, id=id))
    kinds, absence = {kind.name: kind}, Absence(again_after(settle), frozenset(state.permissions), words)
    snapshot = await read({kind.name: [item]}, kinds, wire, organization=state.organization, absence=absence)
    if snapshot.problems or address not in snapshot.resources:
        raise OutcomeUnknown(f"{address} ({id}) could not be read", "read", "run apply again")
    return snapshot.resources[address]


def unclear(verdict: Verdict, words: Sequence[str] = ()) -> OutcomeUnknown:
    """Why it cannot be known what became of a create, and what to do. `words` are what a command needs to
    come to the same state."""
    if verdict.ambiguous:
        error = OutcomeUnknown("ambiguous", "ambiguous")
        error.problems = [_candidates(each, words) for each in verdict.ambiguous]
        return error
    names = ", ".join(str(intent.address) for intent in verdict.open)
    return OutcomeUnknown(f"whether {names} was made is not known yet", "open", "run apply again")


def _candidates(doubt: Ambiguous, words: Sequence[str]) -> Problem:
    """A create that several objects could have come from: which, and what ends the doubt."""
    address = doubt.intent.address
    told = ", ".join(f"{seen.id} ({seen.name}, made {_iso(seen.created)})" for seen in doubt.candidates)
    return Problem(
        f"{address} may have been made; nothing tells which it is: {told or 'look for it'}",
        "bring the right one in with imports:; if it is none of them: "
        + typed("state rm", str(address), *words),
    )
