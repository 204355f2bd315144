"""(graph, state, snapshot, kinds) -> DriftReport: who moved what since the last apply. Pure.

A resource that state does not know is pending; so is one that left the stack, which may have drifted
besides. What is gone from the workspace is missing, unless the stack, or an apply that was cut off, meant
it to go. Fields that the stack does not manage, or leaves to others, are nobody's drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lbstack.graph import Graph
from lbstack.kinds.contract import Kind, Live
from lbstack.live import Snapshot
from lbstack.plan.changes import ABSENT, Change, Plan
from lbstack.plan.planner import plan
from lbstack.plan.remembered import ENDED, GONE, UNFINISHED, comparable, drift, shaped
from lbstack.plan.threeway import WRONG, FieldDrift, Sides, Verdict, compared, fresh
from lbstack.plan.unmanaged import Unmanaged
from lbstack.stack.model import Resource
from lbstack.state.model import Entry, State
from lbstack.values import Address, Source

NEW = "not applied yet"
LEFT = "no longer in the stack"
IMPORTED = "to be imported"


@dataclass(frozen=True, slots=True)
class ResourceDrift:
    """One resource of which the three do not agree everywhere.

    `updated` is when the service says it was last changed, in seconds since 1970; by whom, it never says.
    """

    address: Address
    verdict: Verdict
    id: str | None = None
    fields: tuple[FieldDrift, ...] = ()
    reason: str = ""
    updated: float | None = None
    source: Source | None = None

    @property
    def wrong(self) -> bool:
        """Whether another hand is in it."""
        return self.verdict in WRONG


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All that was compared: `agreed` have nothing to tell, `resources` do. `unmanaged` is what else is
    in the workspace, where that was asked for."""

    stack: str
    organization: str
    endpoint: str
    resources: tuple[ResourceDrift, ...] = ()
    agreed: tuple[Address, ...] = ()
    names: Mapping[str, Address] = field(default_factory=dict)
    unmanaged: Unmanaged | None = None

    @property
    def wrong(self) -> bool:
        """Whether anything drifted, is missing or conflicts."""
        return any(resource.wrong for resource in self.resources)

    def counts(self) -> dict[Verdict, int]:
        """How many resources have which verdict."""
        tally = dict.fromkeys(Verdict, 0)
        for resource in self.resources:
            tally[resource.verdict] += 1
        return tally


def report(
    graph: Graph,
    state: State,
    snapshot: Snapshot,
    kinds: Mapping[str, Kind],
    *,
    made: Plan | None = None,
    targets: Iterable[Address] = (),
    imports: Iterable[tuple[Address, str]] = (),
) -> DriftReport:
    """Compare everything that the stack or its state names; of `targets`, only these.

    `state` has its moves made and its imports bound; `made` is the plan of the same values, where there is
    one already.
    """
    whole = made or plan(graph, state, snapshot, kinds, imports=tuple(imports))
    imported, names = frozenset(address for address, _ in whole.imports), state.addresses()
    comparing = _Comparing(graph, state, snapshot, kinds, imported, names)
    wanted = set(targets)
    found = [comparing.of(change) for change in whole.changes if not wanted or change.address in wanted]
    return DriftReport(
        graph.stack.name,
        snapshot.organization or state.organization,
        state.endpoint,
        tuple(each for each in found if each.fields or each.verdict is not Verdict.CONVERGED or each.reason),
        tuple(each.address for each in found if not each.fields and each.verdict is Verdict.CONVERGED),
        names,
    )


@dataclass
class _Comparing:
    """A report while it is being made."""

    graph: Graph
    state: State
    snapshot: Snapshot
    kinds: Mapping[str, Kind]
    imported: frozenset[Address]
    names: Mapping[str, Address]

    def of(self, change: Change) -> ResourceDrift:
        """One resource; its wish is bound as the plan bound it."""
        address = change.address
        entry = self.state.resources.get(address, Entry(None))
        live = self.snapshot.resources.get(address) if entry.id else None
        resource = self.graph.stack.resources.get(address)
        with shaped(address):
            found = self._compared(address, change, resource, entry, live)
        source = resource.source if resource else None
        return replace(found, id=entry.id, updated=live.updated if live else None, source=source)

    def _compared(
        self, address: Address, change: Change, resource: Resource | None, entry: Entry, live: Live | None
    ) -> ResourceDrift:
        if entry.id is None:
            return ResourceDrift(address, Verdict.PENDING, reason=NEW)
        if live is None:
            return _gone(address, resource, entry)
        if resource is None:
            return self._left(address, entry)
        imported = address in self.imported
        kind = self.kinds[address.kind]
        told = [
            replace(line, source=resource.where(*kind.place(line.path, self._body(resource), self.names)))
            for line in self._lines(change, resource, entry, live)
            if not (imported and line.verdict is Verdict.CONVERGED)
        ]
        least = Verdict.PENDING if imported else Verdict.CONVERGED
        return ResourceDrift(
            address, _worst([least, *(line.verdict for line in told)]), fields=tuple(told),
            reason=IMPORTED if imported else "",
        )  # fmt: skip

    @staticmethod
    def _body(resource: Resource) -> Any:
        return resource.written.value if resource.written else None

    def _lines(self, change: Change, resource: Resource, entry: Entry, live: Live) -> Iterator[FieldDrift]:
        kind = self.kinds[change.address.kind]
        ignored = {*resource.lifecycle.ignore_changes} - {*entry.unfinished}
        wish = {name: (change.after or {}).get(name) for name in change.want or {} if name not in ignored}
        applied = dict(entry.attributes)
        ours = comparable(kind, wish, live.attributes, entry)
        theirs = comparable(kind, applied, live.attributes, entry)
        for name, stack in wish.items():
            if name.startswith("_"):
                continue  # a kind's own notes
            if name in entry.unfinished:
                was = applied.get(name, ABSENT)
                yield FieldDrift((name,), Verdict.PENDING, stack, was, ours.get(name), note=UNFINISHED)
            elif name not in applied:
                yield from fresh(kind, name, stack, ours.get(name))
            else:
                sides = Sides(kind, name, stack, applied[name], ours.get(name), theirs.get(name))
                yield from compared(sides)

    def _left(self, address: Address, entry: Entry) -> ResourceDrift:
        """What left the stack is to go, whatever became of it; that another hand was there is told."""
        only = replace(self.state, resources={address: entry})
        told = [
            FieldDrift(line.path, Verdict.DRIFTED, ABSENT, line.before, line.after, line.moved)
            for change in drift(only, self.snapshot, self.kinds)
            for line in change.fields
        ]
        verdict = Verdict.DRIFTED if told else Verdict.PENDING
        return ResourceDrift(address, verdict, fields=tuple(told), reason=LEFT)


def _gone(address: Address, resource: Resource | None, entry: Entry) -> ResourceDrift:
    """Gone is missing, unless it was to go anyway."""
    if resource is None:
        return ResourceDrift(address, Verdict.CONVERGED, reason=f"{LEFT}; {ENDED if entry.ending else GONE}")
    if entry.ending:
        return ResourceDrift(address, Verdict.PENDING, reason=ENDED)
    return ResourceDrift(address, Verdict.MISSING, reason=GONE)


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    order = list(Verdict)
    return min(verdicts, key=order.index)
