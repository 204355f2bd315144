"""(graph, state, snapshot) -> Plan. Pure: the same three values always give the same plan.

Each resource is taken dependencies-first: its wish is bound (references become ids, or unknown
until apply), the live object is told in the wish's words, and the two are compared by the roles
of the fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lbstack.errors import ConfigError, Problem
from lbstack.graph import Graph
from lbstack.kinds.contract import Fields, Kind, Live
from lbstack.kinds.fields import RefTo
from lbstack.live import Snapshot
from lbstack.plan.changes import ABSENT, Action, Change, Deposed, FieldChange, OutputChange, Pins, Plan
from lbstack.plan.diff import differences
from lbstack.plan.fingerprints import seen_in
from lbstack.plan.notes import awaited
from lbstack.plan.remembered import (
    CHANGED,
    LEFT,
    comparable,
    doubted,
    drift,
    gone,
    renewed,
    shaped,
    unfinished,
    untold,
)
from lbstack.plan.targets import limited
from lbstack.stack.model import Resource
from lbstack.state.model import Entry, State
from lbstack.values import Address, Ref, Secret, Source, Template, Unknown


def plan(
    graph: Graph,
    state: State,
    snapshot: Snapshot,
    kinds: Mapping[str, Kind],
    *,
    destroy: bool = False,
    targets: Iterable[Address] = (),
    recreate: Iterable[Address] = (),
    moves: tuple[tuple[Address, Address], ...] = (),
    imports: tuple[tuple[Address, str], ...] = (),
) -> Plan:
    """What would bring the workspace to the stack. `state` has its `moves` made and its `imports` bound.

    What is gone from the workspace is made anew only where it is named to `recreate`; else it is missing. So
    is what was bound with secrets that nobody knows.
    """
    making = _Making(
        graph, state, snapshot, kinds, frozenset(address for address, _ in imports), frozenset(recreate)
    )
    making.take_all(destroy)
    wants = {} if destroy else {name: output.value for name, output in graph.stack.outputs.items()}
    pins = Pins(snapshot.organization, state.endpoint, state.lineage, state.serial, graph.stack.digest)
    whole = Plan(
        stack=state.stack,
        pins=pins,
        changes=tuple(making.changes),
        outputs=tuple(_outputs(making, wants)),
        deposed=tuple(
            Deposed(address, old.id, old.attributes, old.needs, not kinds[address.kind].deletable)
            for address, entry in state.resources.items()
            for old in entry.deposed
        ),
        drift=tuple(drift(state, snapshot, kinds)),
        notes=tuple(making.notes()),
        waiting={awaited: tuple(waiters) for awaited, waiters in making.waiting.items()},
        problems=tuple(making.problems),
        names=state.addresses(),
        seen=seen_in(snapshot, kinds),
        moves=moves,
        imports=imports,
        output_wants=wants,
        destroy=destroy,
    )
    return limited(whole, set(targets)) if targets else whole


@dataclass
class _Making:
    """The plan while it is being made."""

    graph: Graph
    state: State
    snapshot: Snapshot
    kinds: Mapping[str, Kind]
    importing: frozenset[Address] = frozenset()
    recreate: frozenset[Address] = frozenset()
    changes: list[Change] = field(default_factory=list)
    after: dict[Address, Fields] = field(default_factory=dict)
    waiting: dict[Address, dict[Address, None]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unread: list[Problem] = field(default_factory=list)

    def take_all(self, destroy: bool) -> None:
        """Plan everything that the stack or its state names."""
        graph, state = self.graph, self.state
        if not destroy:
            for address in graph.order:
                with shaped(address):
                    self.consider(graph.stack.resources[address])
        # In the order in which people wrote them, else by address: state knows only who was done first.
        gone = [a for a in graph.order if a in state.resources] if destroy else []
        gone += sorted(a for a in state.resources if a not in graph.stack.resources)
        for address in gone:
            with shaped(address):
                self.retire(address, state.resources[address])
        if self.unread:
            raise ConfigError(self.unread)

    def consider(self, resource: Resource) -> None:
        """Plan one resource of the stack; everything it needs has been planned."""
        address = resource.address
        entry = self.state.resources.get(address, Entry(None))
        live = self.snapshot.resources.get(address) if entry.id else None
        if address in self.importing and live is None:
            what = f"{entry.id} is no {address.kind} in this workspace"
            self.problems.append(Problem(what, "mend the id", self._named_at(address), address))
        elif self._unread(address, entry) or self._missing(resource, entry):
            return
        # What creation did not finish is not left to others yet.
        ignored = set(resource.lifecycle.ignore_changes) - {*entry.unfinished} if entry.id else ()
        want = self._managed(resource, ignored)
        bound = {name: self._bind(address, value) for name, value in want.items()}
        change = (
            self._compare(resource, entry, live, want, bound)
            if live
            else self._create(resource, entry, want, bound)
        )
        if change.action is Action.REPLACE and resource.lifecycle.ignore_changes:
            whole = self._managed(resource, ())  # a successor is made with all that was written
            new = {name: self._bind(address, value) for name, value in whole.items()}
            change = replace(change, want=whole, after={**(change.after or {}), **new})
        self.changes.append(change)
        stays = live.attributes if live and change.action is not Action.REPLACE else {}
        self.after[address] = {**stays, **(change.after or {})}

    def _named_at(self, address: Address) -> Source | None:
        """Where the stack says which existing object comes under an address."""
        return next((item.source for item in self.graph.stack.imports if item.address == address), None)

    def _unread(self, address: Address, entry: Entry) -> bool:
        """Whether nothing is known of what state knows: that is neither there nor gone, so no plan."""
        unread = entry.id is not None and address not in self.snapshot.resources
        if unread:
            what = f"{address} ({entry.id}) was not read, so nothing is known of it"
            self.unread.append(Problem(what, "plan again", address=address))
        return unread

    def _missing(self, resource: Resource, entry: Entry) -> bool:
        """Whether it is gone from the workspace, and nobody said to make another: what it was stays what
        others refer to, so that the plan tells of nothing else. What we were to destroy was not lost."""
        address = resource.address
        if entry.id is None or entry.ending or address in self.recreate:
            return False
        if self.snapshot.resources[address] is not None:
            return False
        change = Change(
            address,
            Action.MISSING,
            gone(entry),
            entry.id,
            before=entry.attributes,
            needs=self._needs(address),
            needed=entry.needs,
            protected=_protected(resource, entry),
            source=resource.source,
        )
        self.changes.append(change)
        self.after[address] = {**entry.attributes, "id": entry.id}
        return True

    def _managed(self, resource: Resource, ignored: Iterable[str]) -> Fields:
        """The wish without what is to be left alone: ignored changes, and what waits for another."""
        kind = self.kinds[resource.address.kind]
        want = {}
        for name, value in resource.fields.items():
            role = kind.role(name, RefTo)
            if role and role.waits and isinstance(value, Ref) and self._awaits(value.address):
                self.waiting.setdefault(value.address, {})[resource.address] = None
            elif name not in ignored:
                want[name] = value
        return want

    def _awaits(self, address: Address) -> str | None:
        live = self.snapshot.resources.get(address)  # tells what the stack leaves unmanaged
        return self.kinds[address.kind].awaiting(
            {**(live.attributes if live else {}), **self.after.get(address, {})}
        )

    def _create(self, resource: Resource, entry: Entry, want: Fields, bound: Fields) -> Change:
        address = resource.address
        kind = self.kinds[address.kind]
        # Where an id cannot come back, who relied on it must know both.
        costs = f"; it had the id {entry.id}, and {kind.lost}" if not kind.deletable else ""
        made = {name: Unknown(Ref(address, name)) for name in ("id", *kind.sets(bound))}
        return Change(
            address,
            Action.CREATE,
            f"{gone(entry)}{costs}" if entry.id else "",
            after={**bound, **made},
            want=want,
            needs=self._needs(address),
            needed=entry.needs,
            protected=_protected(resource, entry),
            source=resource.source,
        )

    def _compare(self, resource: Resource, entry: Entry, live: Live, want: Fields, bound: Fields) -> Change:
        address, kind = resource.address, self.kinds[resource.address.kind]
        have = comparable(kind, bound, live.attributes, entry)
        fields = differences(kind, bound, have, used=live.contents > 0)
        fields += unfinished(kind, entry, bound, fields)
        fields += renewed(kind, entry, bound) if address in self.recreate else []
        replaced = any(line.replaces for line in fields)
        forgets = replaced and not kind.deletable
        action = Action.REPLACE if replaced else Action.UPDATE if fields else Action.NOOP
        sets = kind.sets(bound)
        kept = {name: live.attributes.get(name) for name in sets}
        if replaced:
            kept = {name: Unknown(Ref(address, name)) for name in sets}
        id = Unknown(Ref(address)) if replaced else live.id
        return Change(
            address,
            action,
            _reason(kind, fields, live, entry) if not forgets else kind.kept,
            live.id,
            before={**live.attributes, **have},
            after={**{k: v for k, v in have.items() if k in bound}, **kept, **bound, "id": id},
            fields=tuple(fields),
            want=want,
            needs=self._needs(address),
            needed=entry.needs,
            memory=entry.memory,
            contents=live.stake,
            holds=kind.holds,
            protected=_protected(resource, entry),
            importing=address in self.importing,
            forgets=forgets,
            source=resource.source,
            unverified=() if replaced else tuple(name for name in untold(kind, entry) if name in bound),
        )

    def _needs(self, address: Address) -> tuple[Address, ...]:
        return tuple(self.graph.needs.get(address, ()))

    def retire(self, address: Address, entry: Entry) -> None:
        """Plan the end of a resource that the stack no longer names."""
        kind = self.kinds[address.kind]
        live = self.snapshot.resources.get(address)
        resource = self.graph.stack.resources.get(address)
        if entry.id is None:
            return  # only something deposed is left, and that is planned for itself
        if self._unread(address, entry):
            return
        over = live is None and not kind.leaves(entry.id, dict(entry.memory))
        forget = not kind.deletable or over or not self._destroys(address)
        reason = gone(entry) if live is None else kind.kept if not kind.deletable else ""
        reason = reason or (LEFT if resource is None else "")
        self.changes.append(
            Change(
                address,
                Action.FORGET if forget else Action.DELETE,
                reason,
                live.id if live else entry.id,
                before={**entry.attributes, **(live.attributes if live else {})},
                needed=entry.needs,
                memory=entry.memory,
                contents=live.stake if live else 0,
                holds=kind.holds,
                protected=entry.protected or bool(resource and resource.lifecycle.prevent_destroy),
            )
        )

    def _destroys(self, address: Address) -> bool:
        return all(item.destroy for item in self.graph.stack.removed if item.address == address)

    def _bind(self, owner: Address, value: Any) -> Any:
        """A wish with every reference as the value it will have, or as unknown until apply."""
        if isinstance(value, Ref):
            return self.value_of(value)
        if isinstance(value, Secret):
            return self.state.digest(owner, value)
        if isinstance(value, Template):
            parts = [self.value_of(part) if isinstance(part, Ref) else part for part in value.parts]
            if any(isinstance(part, Unknown) for part in parts):
                return Unknown()
            return parts[0] if len(parts) == 1 else "".join(str(part) for part in parts)
        if isinstance(value, Mapping):
            return {self._bind(owner, k): self._bind(owner, v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._bind(owner, item) for item in value]
        return value

    def value_of(self, ref: Ref) -> Any:
        """What an attribute of another resource will be after this plan."""
        return self.after.get(ref.address, {}).get(ref.attribute)

    def bind_output(self, value: Any) -> Any:
        return self._bind(Address("output", ""), value)

    def notes(self) -> Iterable[str]:
        phrases = {address: self._awaits(address) for address in self.graph.order if address in self.after}
        return [*awaited(phrases, self.waiting), *doubted(self.changes)]


def _protected(resource: Resource, entry: Entry) -> bool:
    """Whether it may not be destroyed: as the stack says, and where it is silent, as before."""
    said = resource.lifecycle.prevent_destroy
    return entry.protected if said is None else said


def _reason(kind: Kind, fields: list[FieldChange], live: Live, entry: Entry) -> str:
    """Why, in words: whether somebody else's change is among what is to be set right."""
    names = {str(line.path[0]) for line in fields if not line.note} - {*entry.unfinished}
    mine = {name: value for name, value in entry.attributes.items() if name in names}
    theirs = comparable(kind, mine, live.attributes, entry) if mine else {}
    return CHANGED if differences(kind, mine, theirs, used=False) else ""


def _outputs(making: _Making, wants: Mapping[str, Any]) -> Iterable[OutputChange]:
    before = making.state.outputs
    for name, want in wants.items():
        value = making.bind_output(want)
        if name not in before or before[name] != value:
            yield OutputChange(name, before.get(name, ABSENT), value)
    for name in before:
        if name not in wants:
            yield OutputChange(name, before[name], ABSENT)
