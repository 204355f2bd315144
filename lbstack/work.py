"""One step of an apply as its kind sees it, and how what the kind reports becomes memory.

Every report is durable before the kind goes on: an object that exists is never only in memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any, Protocol

from lbstack.asking import Reader
from lbstack.errors import Problem, StackError
from lbstack.kinds.contract import Fields, Kind, Wire
from lbstack.plan.changes import Plan
from lbstack.plan.schedule import Step
from lbstack.recover import Orphan, Patience
from lbstack.state.intents import Ledger
from lbstack.state.model import DeposedObject, Entry, State
from lbstack.values import Address, Digest, Intent, Secret, visible


@dataclass(frozen=True, slots=True)
class Event:
    """What happened: ``start``, ``still``, ``said``, ``done``, ``failed`` or ``skipped``.

    `seconds` since the step's start; `text` is a line for the reader; `problems` why it failed.
    """

    type: str
    step: Step
    seconds: float = 0.0
    text: str = ""
    id: str | None = None
    problems: tuple[Problem, ...] = ()
    unknown: bool = False
    """Whether what failed may have been carried out all the same."""


class Service(Wire, Reader, Protocol):
    """The wire as an apply needs it: kinds write through it, and what became of a write is read."""


class Log(Protocol):
    """Where records go; each is durable before `add` returns.

    `before` is called before each step is sent: its intent is then durable where the next run looks, and the
    state is still ours, or it raises. So does `share`, for what else the next run must know. `checkpoint` is
    called as steps end. Once there is `trouble` no more is begun: what is in flight is still recorded, but
    not where it should be.
    """

    @property
    def trouble(self) -> OSError | None: ...

    def add(self, record: dict[str, Any]) -> None: ...

    async def before(self, state: State, intent: Intent | None = None) -> None: ...

    async def share(self, state: State) -> None: ...

    async def checkpoint(self, state: State) -> None: ...


class Run(Protocol):
    """What a step needs of the apply that it is part of."""

    plan: Plan
    kinds: Mapping[str, Kind]
    wire: Service
    shared: dict[str, asyncio.Future[Any]]
    intents: Mapping[Address, Intent]
    journal: Log
    patience: Patience
    ledger: Ledger
    orphans: list[Orphan]
    words: Sequence[str]

    @property
    def emit(self) -> Callable[[Event], None]: ...

    @property
    def state(self) -> State: ...

    def resolve(self, owner: Address, value: Any) -> Any: ...

    def remember(self, address: Address, entry: Entry | None) -> None: ...


class StepWork:
    """What a kind sees of the step it carries out; keeps the entry that the step builds up."""

    def __init__(self, run: Run, step: Step, started: float) -> None:
        self._run, self._step, self._started = run, step, started
        self._before = run.state.resources.get(step.address)
        self._entry: Entry | None = None
        self._did: set[str] = set()
        self.address = step.address
        self.wire = run.wire
        self.organization = run.plan.pins.organization
        self.memory: Fields = deepcopy(dict(self._before.memory)) if self._before else {}
        self.owner = f"{run.plan.stack}/{step.address}"
        self.repeated = step.address in run.ledger.pending
        planned = run.intents.get(step.address)
        self.marker = planned.marker if planned else token_hex(16)
        self.attempt = 1
        raw = (step.change.want or {}) if step.change else {}
        self._raw = raw
        self.want: Fields = {} if step.tears else {n: run.resolve(step.address, v) for n, v in raw.items()}

    # what a kind calls

    @property
    def settle(self) -> float | None:
        patience = self._run.patience
        return patience.settle if patience.waits else None

    def made(self, id: str, **attributes: Any) -> None:
        deposed = self._before.deposed if self._before else ()
        if self._before and self._before.id and self._step.change and self._step.change.before is not None:
            old = DeposedObject(self._before.id, visible(self._step.change.before), self._before.needs)
            deposed = (*deposed, old)
        elif self._before and self._before.id:
            self.say(f"has the id {id}; the one that is gone had {self._before.id}")
        known = {name: self._remembered(name, value) for name, value in attributes.items()}
        self._entry = Entry(
            id,
            known,
            self._noted,
            self._needs,
            deposed,
            tuple(name for name in self.want if name not in known),
            self._protected,
        )
        self._run.remember(self.address, self._entry)

    def renamed(self, id: str, *names: str) -> None:
        change = self._step.change
        doubtful = change.changed - self._did if change and self._step.verb == "update" else set()
        entry = self._current()
        self._entry = replace(
            entry,
            id=id,
            attributes={**entry.attributes, **self._wanted(names)},
            memory=self._noted,
            unfinished=tuple(dict.fromkeys([*entry.unfinished, *sorted(doubtful)])),
        )
        self._run.remember(self.address, self._entry)

    def did(self, *names: str, **now: Any) -> None:
        if self._entry is None and self._before is None:
            return  # of what no address stands for nothing is remembered
        entry = self._current()
        known = self._wanted(names) | now
        self._did.update(names)
        self._entry = replace(
            entry,
            attributes={**entry.attributes, **known},
            unfinished=tuple(n for n in entry.unfinished if n not in names),
            memory=self._noted,
        )
        self._run.remember(self.address, self._entry)

    def _wanted(self, names: Iterable[str]) -> Fields:
        """Fields as they are wanted, and as state keeps them."""
        return {n: self._remembered(n, self.want[n]) for n in names if n in self.want}

    async def noted(self) -> None:
        self.did()
        await self._run.journal.share(self._run.ledger.told(self._run.state))

    async def once(self, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
        key = f"{self.address.kind} {name}"
        if key not in self._run.shared:
            self._run.shared[key] = asyncio.ensure_future(make())
        try:
            return await asyncio.shield(self._run.shared[key])
        except StackError:
            self._run.shared.pop(key, None)  # the next step may have more luck
            raise

    def say(self, text: str) -> None:
        self._run.emit(
            Event("said", self._step, time.monotonic() - self._started, text=text, id=self.object_id)
        )

    # what the run calls

    def intent(self, actor: str, since: float | None) -> Intent:
        """What is to be known of a create before it is sent."""
        kept = {n: v for n, v in self.bound().items() if isinstance(v, Digest)}
        natural = self._kind.natural(self.address.key, self.want)
        replaced = visible(self._step.attributes)
        return Intent(self.address, self.marker, self.attempt, actor, since, natural, kept, None, replaced)

    def again(self) -> None:
        """The create had no effect, and is sent anew, under another marker."""
        self.marker, self.attempt, self.repeated = token_hex(16), self.attempt + 1, True

    def found(self, id: str, memory: Fields) -> None:
        """The create had its effect: this is what it made. What it was made with is still to be compared."""
        self.memory.update(memory)
        self.made(id, **{n: v for n, v in self.want.items() if isinstance(self._remembered(n, v), Digest)})

    def bound(self) -> Fields:
        """The wish as state keeps it."""
        return {name: self._remembered(name, value) for name, value in self.want.items()}

    @property
    def entry(self) -> Entry:
        """What is remembered of the resource by now."""
        return self._entry or self._before or Entry(self._step.id)

    @property
    def id(self) -> str | None:
        """The object that this step made, if it made one."""
        return self._entry.id if self._entry else None

    @property
    def object_id(self) -> str | None:
        """The object that the step is about, as far as it is known by now."""
        return self.id or self._step.id

    def finish(self, returned: Fields) -> None:
        """The step succeeded: everything wanted is so, beside what the service set."""
        wanted = self.bound()
        read = self._read() | dict(self._current().attributes)
        kept = {n: v for n, v in read.items() if n in self._kind.computed or n in wanted}
        entry = replace(
            self._current(),
            attributes={**kept, **wanted, **returned},
            memory=self._noted,
            needs=self._needs,
            unfinished=(),
            protected=self._protected,
            unverified=self._step.change.unverified if self._step.change else (),
        )
        self._run.remember(self.address, entry)

    def _read(self) -> Fields:
        """What the plan found set by the service: a step that died before it could not report it."""
        change = self._step.change
        if change is None or self._step.verb != "update":
            return {}
        return {n: v for n, v in (change.before or {}).items() if n in self._kind.computed}

    def give_up(self) -> None:
        """The step failed: what of it is in doubt is remembered as unfinished."""
        if self._step.tears or (self._before is None and self._entry is None):
            return
        entry, change = self._current(), self._step.change
        if self._step.verb == "update" and change:
            doubtful = {*entry.unfinished, *change.changed} - self._did
            entry = replace(entry, unfinished=tuple(sorted(doubtful)))
        self._run.remember(self.address, replace(entry, memory=self._noted))

    def gone(self) -> None:
        """The object is retired: forget it, or that it was deposed.

        Others of the same address are retired at the same time, so what counts is the entry as it is now.
        """
        entry = self._run.state.resources.get(self.address)
        if entry is None:
            return
        entry = replace(entry, memory=self._noted)
        if self._step.deposed:
            left = tuple(item for item in entry.deposed if item.id != self._step.id)
            remains = replace(entry, deposed=left)
        else:
            remains = replace(entry, id=None)
        keep = remains.id is not None or remains.deposed
        self._run.remember(self.address, remains if keep else None)

    def _current(self) -> Entry:
        if self._step.tears:  # what was deposed under the same address ends at the same time
            return self._run.state.resources[self.address]
        if self._entry is not None:
            return self._entry
        if self._before is None:
            raise AssertionError("a kind must say what it made")
        return self._before

    @property
    def _noted(self) -> Fields:
        """What the kind remembers by now: a copy, so that what it changes later is a difference."""
        if self._step.tears and self._before and self.memory == self._before.memory:
            return dict(self._current().memory)
        return deepcopy(self.memory)

    @property
    def _kind(self) -> Kind:
        return self._run.kinds[self.address.kind]

    @property
    def _needs(self) -> tuple[Address, ...]:
        return self._step.change.needs if self._step.change else ()

    @property
    def _protected(self) -> bool:
        return bool(self._step.change and self._step.change.protected)

    def _remembered(self, name: str, value: Any) -> Any:
        """A value as state keeps it: secrets as digests only."""
        raw = self._raw.get(name)
        if isinstance(raw, Secret) or isinstance(value, Secret):
            secret = raw if isinstance(raw, Secret) else value
            return self._run.state.digest(self.address, secret)
        return value
