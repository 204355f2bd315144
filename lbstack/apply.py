"""Station 5: a plan carried out, step by step, with state remembered as each step ends.

Nothing is printed here: what happens is emitted as events. Before a step sends anything its
intent is in the journal, and what it made is there before the step goes on. A failed step stops
only the steps that need it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import Any, Literal

from lbstack.carry import carry_out
from lbstack.errors import AuthError, Exit, OutcomeUnknown, Problem, StackError, StateError
from lbstack.kinds.contract import Kind
from lbstack.plan.changes import Action, Plan
from lbstack.plan.notes import awaited
from lbstack.plan.schedule import Step, schedule
from lbstack.recover import Orphan, Patience
from lbstack.state.cell import Trouble
from lbstack.state.fold import outputs_record, result_record
from lbstack.state.intents import Ledger
from lbstack.state.model import Entry, State, same
from lbstack.values import Address, Intent, Ref, Template
from lbstack.work import Event, Log, Service, StepWork

HEARTBEAT = 10.0
"""Seconds after which a step that is still running says so, and again."""


@dataclass
class Outcome:
    """How an apply ended: steps by what became of them, the state, and the exit code.

    Of the `failed`, those that are `unknown` may have been carried out: their answer was lost. `halted`
    is a write that failed, so that nothing more was begun. All that was done is `kept` in the state, or at
    least in the journal, or may be missing from both.
    """

    state: State
    done: list[Step] = field(default_factory=list)
    failed: list[Step] = field(default_factory=list)
    unknown: list[Step] = field(default_factory=list)
    skipped: list[Step] = field(default_factory=list)
    imported: int = 0
    exit: Exit = Exit.OK
    stopped: bool = False
    halted: OSError | StackError | None = None
    kept: Literal["state", "journal", "nowhere"] = "state"
    begun: int = 0
    orphans: tuple[Orphan, ...] = ()
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many were imported, added, changed, destroyed and forgotten. What was made counts as added,
        even if what its step had to do with it then failed."""
        tally = dict.fromkeys(("imported", "added", "changed", "destroyed", "forgotten"), 0)
        names = {"create": "added", "update": "changed", "delete": "destroyed", "destroy": "destroyed"}
        for step in self.done:
            tally[names.get(step.verb, "forgotten")] += 1
        tally["imported"] = self.imported
        tally["added"] += self.begun
        return tally


async def apply(
    plan: Plan,
    state: State,
    journal: Log,
    kinds: Mapping[str, Kind],
    wire: Service,
    *,
    intents: Iterable[Intent] = (),
    patience: Patience | None = None,
    parallelism: int = 10,
    emit: Callable[[Event], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
    words: Sequence[str] = (),
) -> Outcome:
    """Carry a plan out. `stop` is asked before each step; once true, no further step starts. `words` are what
    a command needs to come to the same state.

    `intents` are what was announced for its creates (`announced`). What becomes of a step whose answer is
    lost is waited for with `patience`; without, it is left to the next apply.
    """
    begun = Outcome(_adopt_facts(plan, state, journal))
    patience = patience or Patience(0.0, lambda: None, waits=False)
    markers = {intent.address: intent for intent in intents}
    run = _Run(plan, begun, journal, kinds, wire, emit, stop, parallelism, markers, patience, words)
    run.outcome.imported = sum(change.importing for change in plan.changes)
    steps = schedule(plan)
    await run.all([step for step in steps if not step.tears])
    await run.all([step for step in steps if step.tears])
    run.settle_outputs()
    run.settle_endings()
    run.outcome.state = run.ledger.told(run.outcome.state)
    run.settle_notes()
    run.outcome.orphans = tuple(run.orphans)
    run.outcome.halted = run.outcome.halted or journal.trouble
    return run.outcome


def _adopt_facts(plan: Plan, state: State, journal: Log) -> State:
    """Remember what needs no request: what the refresh found as wanted, and who depends on whom."""
    resources = dict(state.resources)
    for change in plan.changes:
        entry = resources.get(change.address)
        if change.action is not Action.NOOP or entry is None:
            continue
        known = {name: value for name, value in (change.after or {}).items() if name != "id"}
        facts = replace(
            entry,
            id=change.id,
            attributes=known,
            needs=change.needs,
            protected=change.protected,
            unverified=change.unverified,
        )
        if not same(facts, entry):
            resources[change.address] = facts
            journal.add(result_record(change.address, facts))
    return replace(state, resources=resources)


@dataclass
class _Run:
    """One apply in progress."""

    plan: Plan
    outcome: Outcome
    journal: Log
    kinds: Mapping[str, Kind]
    wire: Service
    emit: Callable[[Event], None]
    stop: Callable[[], bool]
    parallelism: int
    intents: Mapping[Address, Intent]
    patience: Patience
    words: Sequence[str]
    broken: dict[str, Address | None] = field(default_factory=dict)
    """Steps that were not done, and the resource that failed and so kept them from it; None for a stop."""
    shared: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    known: dict[Address, Entry] = field(init=False)
    found: dict[Address, Mapping[str, Any]] = field(init=False)
    barred: bool = False
    """Whether the service no longer accepts the key: all that is sent would be refused, or worse."""
    ledger: Ledger = field(init=False)
    orphans: list[Orphan] = field(default_factory=list)

    def __post_init__(self) -> None:
        # The state of a run changes in place: a copy a step would cost the square of their number.
        self.known = dict(self.outcome.state.resources)
        stays = (change for change in self.plan.changes if change.action in (Action.NOOP, Action.UPDATE))
        self.found = {change.address: change.before or {} for change in stays}
        self.outcome.state = replace(self.outcome.state, resources=self.known)
        self.ledger = Ledger(self.outcome.state)

    async def all(self, steps: list[Step]) -> None:
        """Carry steps out as soon as what they wait for is done, `parallelism` at a time."""
        by_name = {step.name: step for step in steps}
        order = TopologicalSorter({s.name: [n for n in s.after if n in by_name] for s in steps})
        order.prepare()
        ready: deque[str] = deque()
        running: dict[asyncio.Task[bool], str] = {}
        while order.is_active():
            ready.extend(order.get_ready())
            while ready and len(running) < self.parallelism:
                name = ready.popleft()
                running[asyncio.create_task(self.one(by_name[name]))] = name
            finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in [each for each in running if each in finished]:  # in the order they were begun
                order.done(running.pop(task))
                await self._require(task, running)

    @staticmethod
    async def _require(task: asyncio.Task[bool], running: Iterable[asyncio.Task[bool]]) -> None:
        """End the apply if a step ended it; what is in flight is finished and remembered first."""
        if task.exception() is not None:
            await asyncio.gather(*running, return_exceptions=True)
        task.result()

    async def one(self, step: Step) -> bool:
        """One step, from its intent to its result; never raises for what the service does."""
        if self._skips(step):
            return False
        started = time.monotonic()
        self.emit(Event("start", step, id=step.id))
        work: StepWork | None = None
        try:
            work = StepWork(self, step, started)
            with self._beating(work, step, started):
                await carry_out(self, step, work)
            await self.journal.checkpoint(self.ledger.told(self.state))
        except (StackError, OSError) as error:
            self._failed(step, work, error, time.monotonic() - started)
            return False
        self.outcome.done.append(step)
        entry = None if step.tears else self.outcome.state.resources.get(step.address)
        self.emit(Event("done", step, time.monotonic() - started, id=entry.id if entry else step.id))
        return True

    def _skips(self, step: Step) -> bool:
        """Whether a step is not begun: what it needs failed, or no more is to be begun."""
        kept = [self.broken[name] for name in step.after if name in self.broken]
        if not (kept or self.stop() or self.barred or self.outcome.halted or self.journal.trouble):
            return False
        culprit = next((address for address in kept if address), None)
        self.outcome.stopped = self.outcome.stopped or culprit is None
        self.outcome.skipped.append(step)
        self.broken[step.name] = culprit
        self.emit(Event("skipped", step, text=f"{culprit} failed" if culprit else "stopped", id=step.id))
        return True

    def _failed(self, step: Step, work: StepWork | None, error: StackError | OSError, seconds: float) -> None:
        """Take a failure down: what is in doubt stays so, and where nothing can be written all ends."""
        # A write fails before a step sends anything, or when what it made is known.
        unknown = work is not None and work.id is None and not isinstance(error, StackError)
        unknown = unknown or isinstance(error, OutcomeUnknown)
        self.barred = self.barred or isinstance(error, (AuthError, Trouble))
        if isinstance(error, StateError):
            self.outcome.halted = self.outcome.halted or error
        try:
            if isinstance(error, OSError):
                raise error
            if work:
                work.give_up()
            if step.verb == "create" and not unknown:
                self.ledger.refused(step.address)
            self.journal.add({"failed": str(step.address), "unknown": unknown})
        except OSError as trouble:
            self.outcome.halted = self.outcome.halted or trouble
        told = (
            error.problems
            if isinstance(error, StackError)
            else [_unwritten(error, work.id if work else None)]
        )
        self.outcome.failed.append(step)
        self.outcome.begun += step.verb == "create" and work is not None and work.id is not None
        self.broken[step.name] = step.address
        self.outcome.unknown += [step] if unknown else []
        exit = error.exit if isinstance(error, StackError) else Exit.ERROR
        # Whatever else went wrong, that something may have been done is what must be known.
        self.outcome.exit = Exit.UNKNOWN if self.outcome.unknown else max(self.outcome.exit, exit)
        id = work.object_id if work else step.id
        self.emit(Event("failed", step, seconds, id=id, problems=tuple(told), unknown=unknown))

    @contextmanager
    def _beating(self, work: StepWork, step: Step, started: float) -> Iterator[None]:
        """Say from time to time that a step is still running."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(HEARTBEAT)
                self.emit(Event("still", step, time.monotonic() - started, id=work.object_id))

        heart = asyncio.create_task(beat())
        try:
            yield
        finally:
            heart.cancel()

    @property
    def state(self) -> State:
        return self.outcome.state

    def resolve(self, owner: Address, value: Any) -> Any:
        """A wish with every reference as the id or attribute that state now holds."""
        if isinstance(value, Ref):
            entry = self.outcome.state.resources.get(value.address)
            if entry is None or entry.id is None:
                raise StackError(Problem(f"{value.address} does not exist yet", address=owner))
            known = {**self.found.get(value.address, {}), **entry.attributes, "id": entry.id}
            return known.get(value.attribute)
        if isinstance(value, Template):
            parts = [self.resolve(owner, part) if isinstance(part, Ref) else part for part in value.parts]
            return parts[0] if len(parts) == 1 else "".join(str(part) for part in parts)
        if isinstance(value, Mapping):
            return {self.resolve(owner, k): self.resolve(owner, v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.resolve(owner, item) for item in value]
        return value

    def remember(self, address: Address, entry: Entry | None) -> None:
        """Make what is now known of a resource durable."""
        before = self.known.get(address)
        if same(before, entry):
            return
        if entry and entry.id and entry.id != (before.id if before else None):
            self.ledger.made(address, entry.id)
        try:
            self.journal.add(result_record(address, entry))
        finally:  # what the journal cannot take may still get into the state that is saved at the end
            if entry is None:
                self.known.pop(address, None)
            else:
                self.known[address] = entry

    def settle_outputs(self) -> None:
        """Outputs as far as they can be told; one that cannot keeps what it was."""
        outputs = dict(self.outcome.state.outputs)
        for change in self.plan.outputs:
            if change.name not in self.plan.output_wants:
                outputs.pop(change.name, None)
        for name, want in self.plan.output_wants.items():
            with suppress(StackError):
                outputs[name] = self.resolve(Address("output", name), want)
        if outputs != self.outcome.state.outputs:
            try:
                self.journal.add(outputs_record(outputs))
            except OSError as trouble:
                self.outcome.halted = self.outcome.halted or trouble
            self.outcome.state = replace(self.outcome.state, outputs=outputs)

    def settle_endings(self) -> None:
        """What is there all the same goes only if that is planned anew; of the unknown it stays unknown."""
        unknown = {step.address for step in self.outcome.unknown}
        for address, entry in self.known.items():
            if entry.ending and address not in unknown:
                self.known[address] = replace(entry, ending=False)

    def settle_notes(self) -> None:
        """What is still awaited, now that ids are known."""
        stays = [change.address for change in self.plan.changes if change.address in self.known]
        told = {
            address: self.kinds[address.kind].awaiting(
                {**self.found.get(address, {}), **self.known[address].attributes}
            )
            for address in stays
            if self.known[address].id is not None
        }
        self.outcome.notes = tuple(awaited(told, self.plan.waiting))


def _unwritten(error: OSError, id: str | None) -> Problem:
    """What is told of a step that could not be written down."""
    place = f"{error.filename}: " if error.filename else ""
    exists = f"what it made has the id {id}" if id else "nothing more is begun"
    return Problem(f"{place}{error.strerror or type(error).__name__}", exists)
