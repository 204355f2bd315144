"""Plan -> steps in order: build up dependencies-first, then tear down dependents-first, last.

A change is what should become true of a resource; a step is one thing done to one object. A
replacement is two steps: its successor is built with everything else, and what it deposed is
destroyed at the end. The explainer and the executor walk this same list.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

from lbstack.plan.changes import Action, Change, Plan
from lbstack.values import Address

BUILDS = {Action.CREATE: "create", Action.REPLACE: "create", Action.UPDATE: "update"}
TEARS = {Action.DELETE: "delete", Action.FORGET: "forget", Action.REPLACE: "destroy"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `after` names the steps that must have succeeded before it.

    Verbs: create, update, delete, forget (state only), destroy (of something deposed).
    """

    name: str
    verb: str
    address: Address
    change: Change | None = None
    id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()

    @property
    def deposed(self) -> bool:
        """Whether it is about an object that was replaced, not about what its address now stands for."""
        return self.tears and (self.change is None or self.change.action is Action.REPLACE)

    @property
    def tears(self) -> bool:
        """Whether it belongs to the second half."""
        return self.verb in ("delete", "forget", "destroy")


def schedule(plan: Plan) -> list[Step]:
    """Every step of a plan; a step stands behind all those it must wait for."""
    builds = {c.address: c for c in plan.changes if c.action in BUILDS}
    order = _ordered(builds, lambda address: [n for n in builds[address].needs if n in builds])
    return [_build(builds[address], builds) for address in order] + _tears(plan)


def _build_name(address: Address) -> str:
    return f"build {address}"


def _tear_name(address: Address) -> str:
    return f"tear {address}"


def _build(change: Change, builds: Mapping[Address, Change]) -> Step:
    after = tuple(_build_name(need) for need in change.needs if need in builds)
    return Step(
        _build_name(change.address),
        BUILDS[change.action],
        change.address,
        change,
        change.id if change.action is Action.UPDATE else None,  # what is made has no id yet
        change.before or {},
        after,
    )


# -- tearing down: what refers to an object ends, or is turned elsewhere, before the object goes -------


def _tears(plan: Plan) -> list[Step]:
    steps = {step.name: step for step in _retiring(plan)}
    if not steps:
        return []
    waits = _waits(plan, list(steps.values()))
    _cut_circles(waits)
    order = _ordered(steps, lambda name: [other for other in waits[name] if other in steps])
    return [replace(steps[name], after=tuple(waits[name])) for name in order]


def _cut_circles(waits: dict[str, dict[str, bool]]) -> None:
    """Where other hands made objects refer to each other in a circle, wait for less: first not for what
    is only assumed."""
    while True:
        try:
            TopologicalSorter(waits).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            links = list(zip(circle[1:], circle, strict=False))
            for step, end in [link for link in links if not waits[link[0]][link[1]]] or links[:1]:
                waits[step].pop(end, None)
        else:
            return


def _retiring(plan: Plan) -> Iterator[Step]:
    for change in plan.changes:
        if change.action in TEARS:
            yield Step(
                _tear_name(change.address),
                "forget" if change.forgets else TEARS[change.action],
                change.address,
                change,
                change.id,
                change.before or {},
            )
    for old in plan.deposed:
        verb = "forget" if old.forgets else "destroy"
        yield Step(f"destroy {old.address} {old.id}", verb, old.address, None, old.id, old.attributes)


def _waits(plan: Plan, retiring: list[Step]) -> dict[str, dict[str, bool]]:
    """For each step that retires an object, the steps that end what refers to it, and whether that is sure.

    Which object is meant is told by the ids among the attributes. Where they hold none of an
    address that was needed (it may stand inside a text), every object of that address is assumed.
    """
    ids: dict[Address, set[str]] = {}
    held = [*((c.address, c.id) for c in plan.changes), *((d.address, d.id) for d in plan.deposed)]
    for address, id in held:
        ids.setdefault(address, set()).update([id] if id else [])
    by_id: dict[str, list[Step]] = {}
    by_address: dict[Address, list[Step]] = {}
    for step in retiring:
        by_id.setdefault(step.id or "", []).append(step)
        by_address.setdefault(step.address, []).append(step)
    built = {c.address for c in plan.changes if c.action is Action.REPLACE}
    waits: dict[str, dict[str, bool]] = {step.name: {} for step in retiring}
    for step in retiring:
        if step.change and step.address in built:
            waits[step.name][_build_name(step.address)] = True
    for end, needed, attributes in _referrers(plan):
        said = set(_texts(attributes))
        sure = [step for id in sorted(said & by_id.keys()) for step in by_id[id]]
        vague = [need for need in needed if not said & ids.get(need, set())]
        assumed = [step for need in vague for step in by_address.get(need, [])]
        for known, steps in ((True, sure), (False, assumed)):
            for step in steps:
                if end != step.name:
                    waits[step.name].setdefault(end, known)
    return waits


def _referrers(plan: Plan) -> Iterator[tuple[str, tuple[Address, ...], Mapping[str, Any]]]:
    """What exists and will not stay as it is: the step that ends that, what it needed, what it says."""
    for change in plan.changes:
        if change.action is Action.UPDATE:
            yield _build_name(change.address), change.needed, change.before or {}
        elif change.action in TEARS:
            yield _tear_name(change.address), change.needed, change.before or {}
    for old in plan.deposed:
        yield f"destroy {old.address} {old.id}", old.needs, old.attributes


def _texts(value: Any) -> Iterator[str]:
    """Every text inside a value, keys of maps included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


N = TypeVar("N", bound=Hashable)


def _ordered(items: Iterable[N], before: Callable[[N], Iterable[N]]) -> list[N]:
    """Depth first, so that each stands behind what `before` names; otherwise as given."""
    done: dict[N, None] = {}
    for root in items:
        stack = [] if root in done else [(root, iter(before(root)))]
        while stack:
            item, rest = stack[-1]
            following = next((other for other in rest if other not in done), None)
            if following is None:
                done[item] = None
                stack.pop()
            else:
                stack.append((following, iter(before(following))))
    return list(done)
