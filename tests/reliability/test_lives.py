"""Lives of made-up stacks at the speed of the engine: planner, apply, journal, state and recovery are real, the
two kinds and their service are made up (`tests.laws`), so that a life takes milliseconds.

Each life is told by its seed: several days with random wishes and edits, on which requests fail, answers are
lost or nonsense, disks fail, and processes die at any record or request; then good days. A life that breaks a
promise is lived again with ``--seed N``.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

import lbstack.recover as recovering
from lbstack.announce import announced, condemned
from lbstack.apply import Outcome, apply
from lbstack.asking import Absence
from lbstack.errors import OutcomeUnknown, ServiceError, StackError
from lbstack.kinds.contract import Tracked
from lbstack.live import read
from lbstack.plan.changes import Action, Plan
from lbstack.plan.planner import plan
from lbstack.recover import Patience, recover
from lbstack.state.model import State
from lbstack.work import Event
from tests.laws.service import Answer, Death, Fate, Service
from tests.laws.world import KINDS, Fated, Wish, World, a_world, graph_of
from tests.reliability.conftest import Report
from tests.reliability.converged import tracked
from tests.reliability.sizes import size

pytestmark = pytest.mark.reliability

MANY = size(2_000, 100_000)
PARTS = 4
DAYS, GOOD = size(2, 4), 5
"""At most so many bad days, and good ones until there is rest."""


class Broken(Exception):
    """A promise that was not kept."""


# -- weather -------------------------------------------------------------------------------------------


@dataclass
class Flaky(Service):
    """A service of whose answers some are errors, are lost, or mean nothing."""

    dice: random.Random = field(default_factory=random.Random)
    chance: float = 0.0
    seen: list[str] = field(default_factory=list)

    def _fault(self, *kinds: str) -> str:
        if self.dice.random() >= self.chance:
            return ""
        self.seen.append(self.dice.choice(kinds))
        return self.seen[-1]

    async def mutate(self, document: str, **variables: Any) -> dict[str, Any]:
        fault = self._fault("refused", "lost before", "lost", "nonsense")
        if fault == "refused":
            raise ServiceError("out of order")
        if fault == "lost before":
            raise OutcomeUnknown("the connection broke")
        answer = await super().mutate(document, **variables)
        if fault == "lost":
            raise OutcomeUnknown("the connection broke")
        return {} if fault == "nonsense" else answer

    async def read(self, document: str, variables: dict[str, Any]) -> Answer:
        if self._fault("unreadable"):
            raise ServiceError("the service answered HTTP 502")
        return await super().read(document, variables)


# -- wishes --------------------------------------------------------------------------------------------


def wished(dice: random.Random) -> Wish:
    """A stack of things that refer to earlier ones, and of rocks that some wait for, in any order."""
    names = dice.sample("abcdef", dice.randint(0, size(4, 6)))
    rocks = dice.sample("pq", dice.randint(0, 2))
    made: Wish = {
        f"rock.{key}": {"number": dice.randint(0, 2), "ready": dice.random() < 0.5} for key in rocks
    }
    for index, name in enumerate(names):
        made[f"thing.{name}"] = _thing(dice, names[:index], rocks)
    return {address: made[address] for address in dice.sample(list(made), len(made))}


def _thing(dice: random.Random, earlier: list[str], rocks: list[str]) -> dict[str, Any]:
    body = {
        "shape": dice.choice(["round", "square"]),
        "link": dice.choice([None, *earlier]),
        "home": dice.choice([None, *earlier]),
        "friends": dice.sample(earlier, dice.randint(0, min(2, len(earlier)))),
        "rock": dice.choice([None, *rocks]),
        "text": dice.choice(["", "one", "two"]),
    }
    if dice.random() < 0.5:
        body["number"] = dice.randint(0, 2)
    if dice.random() < 0.5:
        body["parts"] = dice.sample("xyz", dice.randint(0, 3))
    return body


def edited(dice: random.Random, before: Wish) -> Wish:
    """The stack with some plain fields changed, or another one."""
    if dice.random() < 0.4:
        return wished(dice)
    changes = {"text": ["", "one", "three"], "number": [0, 1, 3]}
    made: Wish = {address: dict(body) for address, body in before.items()}
    for address, body in made.items():
        name = dice.choice(["number"] if address.startswith("rock.") else [*changes])
        if dice.random() < 0.4:
            body[name] = dice.choice(changes[name])
    return made


# -- a life --------------------------------------------------------------------------------------------


class Life:
    """One stack in one workspace; `told` is what happened, for whoever has to look."""

    def __init__(self, world: World, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world, self.service = world, Flaky(dice=self.dice)
        world.service = self.service
        self.wish = wished(self.dice)
        self.told: list[str] = []
        self.state, self.lineage, self.known = world.state, "", set[str]()

    def day(self, fate: Fate, chance: float, stop_after: int | None = None) -> bool:
        """One apply; whether it went well. Whatever becomes of it, the promises hold."""
        before = self.known & self.world.existing()
        self.service.chance, self.service.seen, well = chance, [], False
        try:
            outcome = asyncio.run(self.applied(fate, stop_after))
            well = not (outcome.exit or outcome.stopped or outcome.halted)
            ended = f"ended with {outcome.exit}"
        except Death:
            ended = f"died at {fate.at}"
        except BaseExceptionGroup as several:
            if several.subgroup(Death) is None:
                raise
            ended = f"died at {fate.at}"
        except (StackError, OSError) as error:
            ended = f"failed: {error}"[:200]
        finally:
            self.service.chance = 0.0
        self.told.append(f"{ended} after {', '.join(self.service.seen) or 'nothing'}")
        self.require_promises(before)
        return well

    async def planned(self, state: State) -> tuple[Plan, State]:
        """What is to be done by now, and the state with what lost creates had made."""
        graph = graph_of(self.wish)
        state, _ = await recover(state, KINDS, self.service, Patience(0.0, lambda: None, waits=False))
        asked: dict[str, list[Tracked]] = {}
        for address in dict.fromkeys([*graph.stack.resources, *state.resources]):
            entry = state.resources.get(address)
            asked.setdefault(address.kind, []).append(Tracked(address, entry.id if entry else None))
        told = await read(asked, KINDS, self.service, organization=state.organization, absence=Absence(0))
        return plan(graph, state, told, KINDS), state

    async def applied(self, fate: Fate, stop_after: int | None) -> Outcome:
        """Plan and apply, as a command does; the process may die on the way."""
        store, begun = self.world.store, list[Event]()
        made, state = await self.planned(store.load())
        if any(change.action is Action.MISSING for change in made.changes):
            raise Broken("what nobody removed is taken for gone")
        state, intents = condemned(made, state), announced(made)
        state, journal = store.begin(replace(state, organization=made.pins.organization), intents)
        self.service.fate = fate
        try:
            outcome = await apply(
                made, state, Fated(journal, self.service), KINDS, self.service,
                intents=intents, parallelism=self.dice.randint(1, 4), emit=begun.append,
                stop=lambda: sum(event.type == "start" for event in begun) == stop_after,
            )  # fmt: skip
        finally:
            self.service.fate = Fate()
            journal.close()
        store.save(replace(outcome.state, serial=state.serial + 1))
        return outcome

    def require_promises(self, before: set[str]) -> None:
        """Nothing is lost, nothing is there twice unawaited, and the state is the one it always was."""
        self.state = state = self.world.state
        if self.lineage not in ("", state.lineage):
            raise Broken("the state is another one")
        self.lineage = state.lineage
        self.known = known = {id for id in tracked(state) if not id.startswith("rock")}
        existing = self.world.existing()
        if lost := before & existing - known:
            raise Broken(f"state has lost {lost}")
        awaited = {intent.marker for intent in (*state.pending, *state.markers)}
        for id in existing - known:
            if self.service.objects[id]["marker"] not in awaited:
                raise Broken(f"{id} lives, unknown and unawaited")

    def require_rest(self) -> None:
        """What is wanted is there, once; all of it is known, and nothing is left to do."""
        state, existing = self.state, self.world.existing()
        if existing != self.known or state.pending:
            raise Broken(f"{existing} live, {self.known} are known, {state.pending}")
        if {str(address) for address in state.resources} != {*self.wish}:
            raise Broken(f"{sorted(map(str, state.resources))} for {sorted(self.wish)}")
        living = Counter(held["address"] for id, held in self.service.objects.items() if id[:4] != "rock")
        if living != Counter(address for address in self.wish if address.startswith("thing.")):
            raise Broken(f"{living} for {sorted(self.wish)}")
        if not asyncio.run(self.planned(state))[0].empty:
            raise Broken("the next plan is not empty")

    def live(self) -> int:
        """Some bad days, then good ones; how many of those it took to come to rest."""
        for _ in range(self.dice.randint(1, DAYS)):
            at, error = self.dice.choice([0, self.dice.randint(1, 30)]), self.dice.choice([Death, OSError])
            stop = self.dice.choice([None, None, None, self.dice.randint(0, 6)])
            self.day(Fate(at, error), self.dice.choice([0.0, 0.05, 0.3]), stop)
            if self.dice.random() < 0.5:
                self.wish = edited(self.dice, self.wish)
            if self.dice.random() < 0.2:
                self._other_hand()
        for good in range(1, GOOD + 1):
            if self.day(Fate(), 0.0):
                self.require_rest()
                return good
        raise Broken(f"{GOOD} good days were not enough")

    def _other_hand(self) -> None:
        """Somebody writes another text on something."""
        for held in self.dice.sample([*self.service.objects.values()], min(1, len(self.service.objects))):
            if held["kind"] == "thing":
                held["fields"]["text"] = "by hand"
                self.told.append("another hand wrote")


def lived(chosen: list[int]) -> tuple[Counter[int], list[str]]:
    """How many good days each of these lives took, and what was wrong with which."""
    days, wrong = Counter[int](), []
    for seed in chosen:
        with a_world() as world:
            life = Life(world, seed)
            try:
                days[life.live()] += 1
            except Exception as broken:
                told = "\n    ".join(life.told)
                wrong.append(f"--seed {seed}: {type(broken).__name__} {broken}\n    {told}")
    return days, wrong


@pytest.mark.parametrize("part", range(PARTS))
def test_thousands_of_lives_keep_every_promise(
    part: int, report: Report, seeds: Callable[[int], list[int]]
) -> None:
    chosen = [seed for seed in seeds(MANY) if seed % PARTS == part]
    days, wrong = lived(chosen)
    quick = sum(count for good, count in days.items() if good <= 2)
    told = {"n": len(chosen), "days": dict(sorted(days.items())), "wrong": len(wrong)}
    report(name=f"made-up lives {part + 1}/{PARTS}", **told)
    assert not wrong, "\n".join(wrong[:20])
    assert quick >= 0.95 * len(chosen)


@pytest.mark.parametrize("missing", ["markers", "intents"])
def test_lives_in_which_something_is_missing_break(
    missing: str, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The battery can fail: without what finds a lost create again, some lives end badly."""

    async def nothing(*_: Any) -> None:
        """Announce nothing."""

    if missing == "markers":
        monkeypatch.setattr(recovering, "_bearing", lambda *_: [])
    else:
        monkeypatch.setattr(Fated, "before", nothing)
    _, wrong = lived([*range(40)])
    report(name=f"made-up lives without {missing}", n=40, wrong=len(wrong))
    assert wrong
