"""The made-up world of the laws: two kinds, wishes of them, and lbstack's real stations around a service."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from lbstack.announce import announced, condemned
from lbstack.apply import Outcome, apply
from lbstack.asking import Absence
from lbstack.graph import Graph, build
from lbstack.kinds.contract import Ask, Fields, Kind, Live, Reading, Search, Sighting, Tracked, Work
from lbstack.kinds.fields import Immutable, Keyed, RefTo, SecretText, Spec, Text, Unordered, WriteOnly
from lbstack.live import Snapshot, read
from lbstack.plan.changes import Action, Plan
from lbstack.plan.drift import DriftReport, report
from lbstack.plan.planner import plan
from lbstack.recover import Patience, recover
from lbstack.stack.digest import digest
from lbstack.stack.model import Output, Resource, Stack
from lbstack.state.journal import Journal
from lbstack.state.model import State, renamed
from lbstack.state.store import Store
from lbstack.values import Address, Intent, Source
from lbstack.work import Event
from tests.laws.service import Fate, Service
from tests.memory import MEMORY

HERE = Source("stack.yaml", 1, 1)

Wish = dict[str, Any]
"""Bodies of a stack by address, as they would be written."""


class ThingSpec(Spec):
    """Something with a field of every role."""

    number: int = 0
    text: Text = ""
    shape: Annotated[Literal["round", "square"], Immutable()] = "round"
    link: Annotated[str, RefTo("thing")] | None = None
    home: Annotated[str, RefTo("thing"), Immutable()] | None = None
    friends: Annotated[list[Annotated[str, RefTo("thing")]], Unordered()] | None = None
    rock: Annotated[str, RefTo("rock", waits=True)] | None = None
    parts: Annotated[list[str], Keyed()] | None = None
    secret: Annotated[SecretText, WriteOnly()] | None = None


class Thing(Kind):
    """Made in one mutation, finished by a second; updated in two."""

    name, plural, Spec = "thing", "things", ThingSpec
    computed = ("stamp",)
    plain = ("number", "text", "shape", "home")

    def wanted(self, key: str, spec: Any) -> Fields:
        want = super().wanted(key, spec)
        if want.get("parts") is not None:
            want["parts"] = {part: {"size": len(part)} for part in want["parts"]}
        return want

    def read(self, tracked: Sequence[Tracked]) -> Reading:
        known = [item for item in tracked if item.id]
        replies = yield [Ask(f"{self.name}(id: $id)", {"id": ("ID!", item.id)}) for item in known]
        found: dict[Address, Live | None] = {}
        for item, reply in zip(known, replies, strict=True):
            found[item.address] = None if reply.gone else _live(reply.data)
        return found

    def search(self, since: str | None, lost: bool) -> Search:
        (reply,) = yield [Ask("made(kind: $kind)", {"kind": ("ID!", self.name)})]
        return [Sighting(node["id"], node["id"], node["marker"], {}, node["at"]) for node in reply.data]

    async def create(self, work: Work, want: Fields) -> Fields:
        first = {name: want[name] for name in self.plain if name in want}
        mutate = work.wire.mutate
        told = {"kind": self.name, "address": str(work.address), "marker": work.marker, "fields": first}
        made = await mutate("create", **told)
        work.made(made["id"], **first)
        rest = {name: value for name, value in want.items() if name not in first}
        if rest:
            await mutate("update", id=made["id"], address=str(work.address), fields=rest)
        return {"stamp": made["stamp"]} if self.computed else {}

    async def update(self, work: Work, id: str, have: Fields, want: Fields, changed: set[str]) -> Fields:
        for names in (changed & {*self.plain}, changed - {*self.plain}):
            if names:
                fields = {name: want[name] for name in names}
                await work.wire.mutate("update", id=id, address=str(work.address), fields=fields)
                work.did(*names)
        return {}

    async def delete(self, work: Work, id: str, have: Fields) -> None:
        await work.wire.mutate("delete", id=id, address=str(work.address))


def _live(node: dict[str, Any]) -> Live:
    shown = {name: value for name, value in node.items() if name not in ("id", "secret")}
    if shown.get("friends"):
        shown["friends"] = sorted(shown["friends"], reverse=True)
    return Live(node["id"], {**shown, "stamp": f"stamp of {node['id']}"})


class RockSpec(Spec):
    """Something that cannot be deleted and that others wait for."""

    number: int = 0
    ready: bool = False


class Rock(Thing):
    """Forgotten rather than deleted; awaits a push until it is ready."""

    name, plural, Spec = "rock", "rocks", RockSpec
    computed = ()
    plain = ("number", "ready")
    deletable = False
    kept = "Rocks stay where they are."

    def awaiting(self, attributes: Fields) -> str | None:
        return None if attributes.get("ready") else "a push"


KINDS: dict[str, Kind] = {"thing": Thing(), "rock": Rock()}


def stack_of(wish: Wish, outputs: dict[str, Any] | None = None) -> Stack:
    """A stack with these resources, in this order."""
    resources = {}
    for text, body in wish.items():
        address = Address.parse(text)
        kind = KINDS[address.kind]
        fields = kind.wanted(address.key, kind.Spec.model_validate(body))
        resources[address] = Resource(address, fields, HERE)
    told = {name: Output(name, value, HERE) for name, value in (outputs or {}).items()}
    return digest(Stack("laws", resources, told, (), (), (), ""))


def graph_of(wish: Wish, outputs: dict[str, Any] | None = None) -> Graph:
    return build(stack_of(wish, outputs), KINDS)


@dataclass
class World:
    """A workspace, a state file, and the way from a wish to a plan to an outcome."""

    folder: Path
    service: Service = field(default_factory=Service)
    events: list[Event] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store(self.folder / "state.json", "laws", "nowhere")

    @property
    def state(self) -> State:
        """What is on disk."""
        return self.store.load()

    def records(self) -> list[dict[str, Any]]:
        """What the journal of an apply that was cut off says."""
        snapshot = self.store.snapshot()
        assert snapshot
        return self.store.records(snapshot)

    def look(self, graph: Graph, state: State) -> Snapshot:
        tracked: dict[str, list[Tracked]] = {}
        for address in dict.fromkeys([*graph.stack.resources, *state.resources]):
            entry = state.resources.get(address)
            tracked.setdefault(address.kind, []).append(Tracked(address, entry.id if entry else None))
        return asyncio.run(
            read(tracked, KINDS, self.service, organization=state.organization, absence=Absence(0))
        )

    def plan(self, wish: Wish | Graph, **more: Any) -> Plan:
        graph = wish if isinstance(wish, Graph) else graph_of(wish)
        state = self.recovered(renamed(self.state, more.get("moves", ())))
        return plan(graph, state, self.look(graph, state), KINDS, **more)

    def drift(self, wish: Wish | Graph) -> DriftReport:
        graph = wish if isinstance(wish, Graph) else graph_of(wish)
        state = self.recovered(self.state)
        return report(graph, state, self.look(graph, state), KINDS)

    def recovered(self, state: State) -> State:
        """The state with what was made and never heard of; nothing is carried out late here."""
        patience = Patience(0.0, lambda: None, waits=False)
        return asyncio.run(recover(state, KINDS, self.service, patience))[0]

    def apply(
        self,
        what: Wish | Graph | Plan,
        fate: Fate | None = None,
        parallelism: int = 3,
        stop_after: int | None = None,
        **more: Any,
    ) -> Outcome:
        """Plan unless that was done, carry out, save; with a fate, perhaps not to the end. Somebody may
        ask it to stop when so many steps have begun."""
        made = what if isinstance(what, Plan) else self.plan(what, **more)
        assert not [change for change in made.changes if change.action is Action.MISSING]
        state = condemned(made, self.recovered(renamed(self.state, made.moves)))
        intents = announced(made)
        state, journal = self.store.begin(replace(state, organization=made.pins.organization), intents)
        self.events = []
        self.service.fate = fate or Fate()
        try:
            outcome = asyncio.run(
                apply(
                    made,
                    state,
                    Fated(journal, self.service),
                    KINDS,
                    self.service,
                    intents=intents,
                    parallelism=parallelism,
                    emit=self.events.append,
                    stop=lambda: sum(e.type == "start" for e in self.events) == stop_after,
                )
            )
        finally:
            self.service.fate = Fate()
            journal.close()
        self.store.save(replace(outcome.state, serial=state.serial + 1))
        return outcome

    def remembered(self) -> set[str]:
        """Every id that state knows, deposed ones included."""
        entries = self.state.resources.values()
        return {
            id
            for e in entries
            for id in (e.id, *(d.id for d in e.deposed))
            if id and not id.startswith("rock")
        }

    def existing(self) -> set[str]:
        """Every thing that the service holds; rocks stay for ever."""
        return {id for id in self.service.objects if not id.startswith("rock")}


@dataclass
class Fated:
    """The journal of an apply that may be cut off before or after any record."""

    journal: Journal
    service: Service

    @property
    def trouble(self) -> OSError | None:
        return self.journal.trouble

    def add(self, record: dict[str, Any]) -> None:
        self.service.fate.pass_by()
        self.journal.add(record)
        self.service.fate.pass_by()

    async def before(self, state: State, intent: Intent | None = None) -> None:
        self.service.fate.pass_by()
        await self.journal.before(state, intent)
        self.service.fate.pass_by()

    async def share(self, state: State) -> None:
        self.service.fate.pass_by()
        await self.journal.share(state)

    async def checkpoint(self, state: State) -> None:
        await self.journal.checkpoint(state)


@contextmanager
def a_world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:  # a state is saved thousands of times
        yield World(Path(folder))
