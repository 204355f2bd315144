"""Station 3: what the service has, for every resource a stack or its state names. Reads only.

Kinds say what they want to read; here the asks of all kinds travel together, in as few documents as
they fit in. What an answer proves, and what it takes to believe that something is gone, says `asking`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from lbstack.asking import Absence, Identity, Reader, ask_all, listed, pack
from lbstack.errors import Problem, ServiceError
from lbstack.kinds.contract import Ask, Fields, Findings, Kind, Live, ReadProblems, Reply, Tracked
from lbstack.state.model import Entry
from lbstack.values import Address

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The workspace as it was read: who read it, where, and each resource (None: proven gone)."""

    organization: str = ""
    user: str = ""
    permissions: tuple[str, ...] = ()
    resources: Mapping[Address, Live | None] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    facts: Mapping[str, Fields] = field(default_factory=dict)
    """What else each kind has read, for its guard."""


def remembered(address: Address, entry: Entry | None, want: Fields | None = None) -> Tracked:
    """A resource to read: as state remembers it, if it does, and as the stack wants it, if it does."""
    if entry is None:
        return Tracked(address, None, want)
    return Tracked(address, entry.id, want, dict(entry.memory), dict(entry.attributes))


async def read(
    tracked: Mapping[str, Sequence[Tracked]],
    kinds: Mapping[str, Kind],
    wire: Reader,
    *,
    organization: str = "",
    absence: Absence | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Snapshot:
    """Read every tracked resource, grouped by kind. `organization` is what state is pinned to.

    Raises whatever kept a single address from being known: a plan from half a view is no plan.
    """
    readings = {name: kinds[name].read(items) for name, items in tracked.items() if items}
    problems: list[Problem] = []
    names = {item.id: item.address for items in tracked.values() for item in items if item.id}
    identity = Identity(organization, absence, names)
    results = await _gather(readings, wire, identity, on_progress, problems)
    found: dict[Address, Live | None] = {}
    facts: dict[str, Fields] = {}
    for name, some in results.items():
        told = some if isinstance(some, Findings) else Findings(some)
        found.update(told.resources)
        facts[name] = told.facts
    # Of what only lists show, nobody said that it is gone; they tell whoever may do less of less.
    unseen = [str(i.address) for items in tracked.values() for i in items if i.id and _unseen(i, found)]
    if unseen:
        identity.require_sight(listed(unseen))
    return Snapshot(identity.organization, identity.user, identity.permissions, found, tuple(problems), facts)


def _unseen(item: Tracked, found: Mapping[Address, Live | None]) -> bool:
    return item.address in found and found[item.address] is None


async def gather(
    readings: Mapping[str, Generator[list[Ask], list[Reply], R]],
    wire: Reader,
    *,
    organization: str = "",
    names: Mapping[str, Address] | None = None,
) -> tuple[dict[str, R], Identity]:
    """Carry readings out side by side, and say who read. `names` are the addresses of known ids."""
    identity = Identity(organization, names=names)
    return await _gather(readings, wire, identity, lambda done, total: None, None), identity


async def _gather(
    readings: Mapping[str, Generator[list[Ask], list[Reply], R]],
    wire: Reader,
    identity: Identity,
    on_progress: Callable[[int, int], None],
    problems: list[Problem] | None,
) -> dict[str, R]:
    """Carry readings out side by side. What contradicts the stack joins `problems`."""
    results: dict[str, R] = {}
    pending: dict[str, list[Ask]] = {}
    for name, reading in readings.items():
        _advance(name, reading, None, pending, results, problems, identity)
    first = True
    while pending or first:
        asks = [ask for batch in pending.values() for ask in batch]
        replies = iter(await _send(asks, wire, identity, on_progress))
        first, waiting, pending = False, pending, {}
        for name, batch in waiting.items():
            _advance(
                name, readings[name], [next(replies) for _ in batch], pending, results, problems, identity
            )
    return results


def _advance(
    name: str,
    reading: Generator[list[Ask], list[Reply], R],
    replies: list[Reply] | None,
    pending: dict[str, list[Ask]],
    results: dict[str, R],
    problems: list[Problem] | None,
    identity: Identity,
) -> None:
    """Let one kind go on until it asks for more or is done."""
    try:
        pending[name] = next(reading) if replies is None else reading.send(replies)
    except StopIteration as stop:
        results[name] = stop.value
    except ReadProblems as error:
        if problems is None:
            raise ServiceError(str(error)) from None
        problems.extend(error.problems)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        about = listed(str(address) for address in identity.names.values() if address.kind == name)
        what = f"{type(error).__name__} at {error}"
        raise ServiceError(
            f"{about}the service's answer about {name}s has an unexpected shape: {what}",
            "shape",
            "nothing was concluded from it",
        ) from error


async def _send(
    asks: list[Ask], wire: Reader, identity: Identity, on_progress: Callable[[int, int], None]
) -> list[Reply]:
    """The replies to asks, in order; what seems to be gone is asked for twice."""
    if any(ask.later for ask in asks):
        await asyncio.sleep(identity.absence.again)
    replies = await _send_once(asks, wire, identity, on_progress)
    gone = [index for index, reply in enumerate(replies) if reply.gone]
    if gone:
        await asyncio.sleep(identity.absence.again)
        again = await _send_once([asks[index] for index in gone], wire, identity, lambda done, total: None)
        for index, reply in zip(gone, again, strict=True):
            replies[index] = reply
    return replies


async def _send_once(
    asks: list[Ask], wire: Reader, identity: Identity, on_progress: Callable[[int, int], None]
) -> list[Reply]:
    groups = pack(asks)
    replies: dict[int, Reply] = {}

    async def send(group: list[int]) -> None:
        answers = await ask_all([asks[index] for index in group], wire, identity)
        replies.update(zip(group, answers, strict=True))
        on_progress(len(replies), len(asks))

    # The first alone, so that a wrong key or organisation is told before anything else is read.
    if not identity.user:
        await send(groups.pop(0))
    try:
        async with asyncio.TaskGroup() as tasks:
            for group in groups:
                tasks.create_task(send(group))
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return [replies[index] for index in range(len(asks))]
