"""Lives of a stack, simulated in one process: edits, faults, deaths, other hands; one seed tells it all.

Everything of lbstack is real, from the stack file to its HTTP client, and so is the sandbox; between them
stands `faulty.Faulty`. Time is the only thing that is not: sleeping costs nothing (`Clockless`). A death
is an exception that no step may catch, at any moment before or after a request or a record; the state on
disk is all that is left. Deaths are at what the process does, so there is no fsync to lose here.
"""

from __future__ import annotations

import asyncio
import random
import re
import selectors
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lbstack.announce import announced
from lbstack.api.rate import UNLIMITED, Limiter
from lbstack.api.wire import ApiWire
from lbstack.apply import Outcome, apply
from lbstack.errors import Exit, StackError
from lbstack.kinds import KINDS
from lbstack.plan import guards
from lbstack.plan.changes import Allowed, Plan
from lbstack.recover import Patience
from lbstack.sandbox.app import create_app
from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.world import admin_key
from lbstack.session import Settings, load_graph, make_plan
from lbstack.state.model import State
from lbstack.state.store import Store
from lbstack.values import Intent
from lbstack.work import Event
from tests.reliability.converged import LIVING, TRACKED, tracked
from tests.reliability.faulty import Death, Faulty, Weather
from tests.reliability.story import prepare
from tests.reliability.wishes import Wish, edited, stack_text, wish

_TAG = re.compile(r"[0-9a-f]{32}")


class Clockless(selectors.DefaultSelector):
    """Waits for nothing: the loop's time jumps to where somebody wakes."""

    ahead = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.ahead += max(timeout or 0.0, 0.0)
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """A loop whose time is moved on by those who sleep in it, and by nothing else."""

    def __init__(self) -> None:
        self._jumps = Clockless()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.ahead


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run something to its end, or to its death."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(work)


class FatedLog:
    """The log of an apply whose process may die before or after any record."""

    def __init__(self, log: Any, weather: Weather) -> None:
        self.log, self.weather = log, weather

    @property
    def trouble(self) -> OSError | None:
        return self.log.trouble  # type: ignore[no-any-return]

    def add(self, record: dict[str, Any]) -> None:
        self.weather.pass_by()
        self.log.add(record)
        self.weather.pass_by()

    async def before(self, state: State, intent: Intent | None = None) -> None:
        self.weather.pass_by()
        await self.log.before(state, intent)
        self.weather.pass_by()

    async def share(self, state: State) -> None:
        self.weather.pass_by()
        await self.log.share(state)
        self.weather.pass_by()

    async def checkpoint(self, state: State) -> None:
        self.weather.pass_by()
        await self.log.checkpoint(state)


@dataclass
class Broken(Exception):
    """A promise that was not kept."""

    what: str

    def __str__(self) -> str:
        return self.what


class Life:
    """One stack in one workspace, from its first apply to the last."""

    def __init__(self, folder: Path, stack: Path, seed: int, most: int, settle: float = 0.0) -> None:
        self.dice = random.Random(seed)
        random.seed(seed)  # by which the wire chooses its pauses
        self.folder, self.stack = folder, stack
        self.rows = open_store(None, seed=seed % 36**4)  # its ids and times are counted
        prepare(self.rows)
        # Lists show everything at once: a settle of nothing is then long enough.
        self.conditions = Conditions(search_lag_ms=0, invite_lag_ms=0)
        self.app = Faulty(create_app(self.rows, conditions=self.conditions))
        self.key = admin_key(self.rows)
        self.wish: Wish = wish(self.dice, most)
        self.told: list[str] = []
        self.orphans: set[str] = set()
        self.settle = settle
        self.hear: Callable[[str], None] = lambda text: None
        self.opened: Callable[[], Any] = lambda: Store(folder / "state.json", "life", "sandbox")

    @property
    def store(self) -> Any:
        """The state, opened anew as each process does: a `Store`, or one elsewhere."""
        return self.opened()

    # -- one run of lbstack ----------------------------------------------------------------------------

    def apply(self, weather: Weather) -> Exit | None:
        """Plan and apply in this weather; the exit code, or None when the process died."""
        before = (self._lives() - self._forgotten()) & tracked(self.store.load())
        self.app.weather = weather
        self.stack.write_text(stack_text(self.wish))
        try:
            with self.store.locked():
                ended = Exit(run(self._applied(weather)))
        except StackError as error:
            ended = error.exit
            self.told.append(str(error)[:300])
            self.hear(str(error))
        except Death:
            ended = None
        except BaseExceptionGroup as group:
            ended = _ended(group)
        finally:
            self.app.weather = Weather(random.Random(0))
        self.told.append(
            f"{'died' if ended is None else ended.name} after {', '.join(weather.seen) or 'nothing'}"
        )
        self._require_nothing_lost(before)
        self._require_nothing_twice()
        return ended

    async def _applied(self, weather: Weather) -> int:
        settings = Settings(
            path=self.stack, sandbox=True, environ={"LBSTACK_VAR_hook": "whsec-12345678"},
            settle_for=self.settle, allowed=Allowed(mass_change=True),
        )  # fmt: skip
        graph = load_graph(settings)
        state = self.store.load()
        limiter = Limiter(UNLIMITED, clock=asyncio.get_running_loop().time)
        async with ApiWire("http://sandbox/graphql", self.key, app=self.app, limiter=limiter) as wire:
            patience = Patience(settings.settle, wire.server_now)
            plan, state = await make_plan(settings, graph, state, wire, patience=patience)
            self.orphans = {orphan.id for orphan in plan.orphans}
            guards.check(plan)
            outcome = await self._carried_out(plan, state, wire, weather, patience)
        return int(outcome.exit)

    async def _carried_out(
        self, plan: Plan, state: State, wire: ApiWire, weather: Weather, patience: Patience
    ) -> Outcome:
        intents, store = announced(plan), self.store
        store.load()
        state, log = store.begin(replace(state, organization=plan.pins.organization), intents)
        try:
            fated = FatedLog(log, weather)
            outcome = await apply(
                plan, state, fated, KINDS, wire,
                intents=intents, patience=patience, parallelism=4, emit=self._event,
            )  # fmt: skip
            weather.pass_by()
            store.save(replace(outcome.state, serial=state.serial + 1))
        finally:
            log.close()
        return outcome

    def close(self) -> None:
        self.rows.close()

    def _event(self, event: Event) -> None:
        for text in (event.text, *map(str, event.problems)):
            self.hear(text)

    # -- what must always be so --------------------------------------------------------------------------

    def _lives(self) -> set[str]:
        return {row["id"] for table in TRACKED for row in self.rows.rows(LIVING[table])}

    def _forgotten(self) -> set[str]:
        """Integrations that the stack no longer names: nothing can delete them, so they are let go."""
        rows = self.rows.rows(LIVING["iam_integrations"])
        return {row["id"] for row in rows if f"integration.{row['name'].split()[0]}" not in self.wish}

    def _require_nothing_lost(self, before: Iterable[str]) -> None:
        """What state knew and what still lives, state knows."""
        lost = {*before} & self._lives() - tracked(self.store.load())
        if lost:
            raise Broken(f"state has lost {', '.join(lost)}")

    def _require_nothing_twice(self) -> None:
        """What lives and is not known can be found again: the marker that it bears is awaited or watched
        for, or, of what bears none, a create of its kind is, or the next create looks for it first."""
        state = self.store.load()
        known = tracked(state)
        awaited = {intent.marker for intent in (*state.pending, *state.markers)}
        kinds = {intent.address.kind for intent in state.pending}
        let_go = self._forgotten()
        for table in TRACKED:
            for row in self.rows.rows(LIVING[table]):
                if row["id"] in let_go:
                    continue
                marker = _TAG.search(f"{row.get('name')} {row.get('description')}")
                findable = marker[0] in awaited if marker else _KIND[table] in kinds
                findable = findable or f"member.{row.get('inviteeEmail')}" in self.wish
                if row["id"] not in known and not findable:
                    raise Broken(f"{table} {row['id']} lives, unknown and unawaited: {row}")

    def require_converged(self) -> None:
        """Everything that lives is known, everything known lives, each wish has its object, nothing is open."""
        state, lives = self.store.load(), self._lives()
        known = tracked(state)
        stray = lives - known - self._forgotten()
        if stray or known - lives:
            raise Broken(f"unknown: {stray}, known and gone: {known - lives}")
        if {str(address) for address in state.resources} != {*self.wish}:
            raise Broken(f"{sorted(map(str, state.resources))} for {sorted(self.wish)}")
        still = [intent for intent in state.pending if str(intent.address) in self.wish]
        if still:
            raise Broken(f"still open: {still}")
        if any(entry.deposed for entry in state.resources.values()):
            raise Broken("something is still deposed")

    # -- a life ------------------------------------------------------------------------------------------

    def live(self, chance: float) -> int:
        """Some bad days, each with an edit, then good ones; how many of those it took to converge."""
        for _ in range(self.dice.randint(1, 3)):
            dies = self.dice.choice([0, self.dice.randint(1, 60)])
            self.apply(Weather(random.Random(self.dice.random()), chance, dies))
            if self.dice.random() < 0.5:
                self.wish = edited(self.dice, self.wish)
            if self.dice.random() < 0.3:
                self._other_hand()
        for good in range(1, 6):
            if self.apply(Weather(random.Random(0))) is Exit.OK:
                self.require_converged()
                return good
        raise Broken("five good days were not enough")

    def _other_hand(self) -> None:
        """Somebody renames a dataset, or describes a project anew, in the editor."""
        table, column = self.dice.choice([("datasets", "name"), ("projects", "description")])
        self.rows.run(f"UPDATE {table} SET {column} = 'by hand' WHERE deleted = 0")
        self.told.append(f"another hand in {table}")


def _ended(group: BaseExceptionGroup[BaseException]) -> Exit | None:
    """The exit code of several failures at once, as the command tells it; None for a death."""
    first = group.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _ended(first)
    if group.subgroup(Death) is not None:
        return None
    if not isinstance(first, StackError):
        raise group
    return first.exit


_KIND = {
    "datasets": "dataset", "iam_integrations": "integration", "ontologies": "ontology", "projects": "project",
    "invites": "member", "webhooks": "webhook",
}  # fmt: skip
