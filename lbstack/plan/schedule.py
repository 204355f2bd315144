"""Plan -> steps in order: build up dependencies-first, then tear down dependents-first, last.

A change is what should become true of a resource; a step is one thing done to one object. A
replacement is two steps: its successor is built with everything else, and what it deposed is
destroyed at the end. The explainer and the executor walk this same list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    def tears(self) -> bool:
        """Whether it belongs to the second half."""
        return self.verb in ("delete", "forget", "destroy")


def schedule(plan: Plan) -> list[Step]:
    """Every step of a plan; a step stands behind all those it must wait for."""
    builds = {c.address: c for c in plan.changes if c.action in BUILDS}
    tears = {c.address: c for c in plan.changes if c.action in TEARS}
    dependents: dict[Address, list[Address]] = {}
    for change in plan.changes:
        for need in change.needed:
            dependents.setdefault(need, []).append(change.address)
    steps = [_build(change, builds) for change in _needs_first(builds)]
    steps += [_tear(change, builds, tears, dependents) for change in _dependents_first(tears, dependents)]
    return steps + [
        Step(
            f"destroy {d.address} {d.id}",
            "destroy",
            d.address,
            None,
            d.id,
            d.attributes,
            tuple(_build_name(a) for a in dependents.get(d.address, ()) if a in builds),
        )
        for d in plan.deposed
    ]


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
        change.id,
        change.before or {},
        after,
    )


def _tear(
    change: Change,
    builds: Mapping[Address, Change],
    tears: Mapping[Address, Change],
    dependents: Mapping[Address, list[Address]],
) -> Step:
    after = [_build_name(change.address)] if change.address in builds else []
    for other in dependents.get(change.address, ()):
        after += [_build_name(other)] if other in builds else []
        after += [_tear_name(other)] if other in tears else []
    return Step(
        _tear_name(change.address),
        TEARS[change.action],
        change.address,
        change,
        change.id,
        change.before or {},
        tuple(after),
    )


def _needs_first(builds: Mapping[Address, Change]) -> list[Change]:
    return _ordered(builds, lambda address: [n for n in builds[address].needs if n in builds])


def _dependents_first(
    tears: Mapping[Address, Change], dependents: Mapping[Address, list[Address]]
) -> list[Change]:
    return _ordered(tears, lambda address: [d for d in dependents.get(address, ()) if d in tears])


def _ordered(changes: Mapping[Address, Change], before: Any) -> list[Change]:
    """Depth first, so that each stands behind what `before` names; otherwise as given."""
    done: dict[Address, Change] = {}
    for root in changes:
        stack = [(root, iter(before(root)))] if root not in done else []
        while stack:
            address, rest = stack[-1]
            following = next((item for item in rest if item not in done), None)
            if following is None:
                done[address] = changes[address]
                stack.pop()
            else:
                stack.append((following, iter(before(following))))
    return list(done.values())
