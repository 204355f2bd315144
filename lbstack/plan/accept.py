"""What of a drift report a stack can take over: its fields as they are written, and as they would be.

Only what drifted, or conflicts, is taken over: what is pending stays as the stack says it. Pure.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lbstack.errors import Problem
from lbstack.kinds.contract import Fields, Kind
from lbstack.kinds.fields import Keyed, RefTo, Unordered
from lbstack.plan.changes import ABSENT, Plan
from lbstack.plan.drift import DriftReport, ResourceDrift
from lbstack.plan.threeway import FieldDrift, Verdict
from lbstack.stack.model import Resource
from lbstack.values import Address, key_of

TAKEN = (Verdict.DRIFTED, Verdict.CONFLICT)
APPLY = "an apply sets it right"


@dataclass(frozen=True, slots=True)
class Takeover:
    """One resource: its field as the stack says it, and as it is to, each in the words of a stack."""

    resource: Resource
    name: str
    before: Fields
    after: Fields


def takeovers(
    report: DriftReport,
    plan: Plan,
    resources: Mapping[Address, Resource],
    kinds: Mapping[str, Kind],
    wanted: Iterable[Address] = (),
) -> tuple[list[Takeover], list[Address], list[Problem]]:
    """What is taken over, which resources leave the stack, and what cannot be taken over and why.

    Without `wanted`, all that drifted; what is missing leaves the stack only where it is named.
    """  # fmt: skip
    named = set(wanted)
    found: list[Takeover] = []
    gone: list[Address] = []
    problems: list[Problem] = []
    changes = {change.address: change for change in plan.changes}
    for each in report.resources:
        if not each.wrong or (named and each.address not in named):
            continue
        resource = resources.get(each.address)
        if each.verdict is Verdict.MISSING:
            if each.address in named:
                gone.append(each.address)
            else:
                what = f"{each.address} is missing, and is taken out of the stack only where it is named"
                cure = f"name it after --accept, or give --recreate {each.address} to the next apply"
                problems.append(Problem(what, cure, each.source, each.address))
        elif resource is None:
            what = f"{each.address} has left the stack, so nothing says how it is to be"
            problems.append(Problem(what, "the next apply ends it", address=each.address))
        else:
            change = changes[each.address]
            wish = {name: (change.after or {}).get(name) for name in change.want or {}}
            for item in _fields(each, resource, wish, kinds[each.address.kind], report.names):
                (problems if isinstance(item, Problem) else found).append(item)  # type: ignore[arg-type]
    return found, gone, problems


def _fields(
    each: ResourceDrift, resource: Resource, wish: Fields, kind: Kind, names: Mapping[str, Address]
) -> Iterator[Takeover | Problem]:
    """The fields of one resource that are taken over."""
    body = resource.written.value if resource.written else {}
    for name in dict.fromkeys(str(line.path[0]) for line in each.fields if line.verdict in TAKEN):
        lines = [line for line in each.fields if line.path[0] == name and line.verdict in TAKEN]
        source = next((line.source for line in lines if line.source), each.source)
        if name not in kind.Spec.model_fields:
            what = f"{each.address}: {name} stands in no stack"
            yield Problem(what, f"nobody can take it over; {APPLY}", source)
            continue
        now = {**wish, name: target(kind, name, wish[name], lines)}
        before, after = kind.written(wish, body), kind.written(now, body)
        changed = [field for field in {**before, **after} if before.get(field) != after.get(field)]
        changed += [name] if name not in changed and name in before else []
        try:
            yield Takeover(
                resource,
                name,
                {field: _keys(kind, field, before[field], names) for field in changed if field in before},
                {field: _keys(kind, field, after[field], names) for field in changed if field in after},
            )
        except LookupError as error:
            what = f"{each.address}: {name} refers to {error.args[0]}, which this stack does not manage"
            yield Problem(what, "import that first (imports:), or let an apply set it right", source)


def target(kind: Kind, name: str, wish: Any, lines: Iterable[FieldDrift]) -> Any:
    """The field with what is live in the places of these lines."""
    now = copy.deepcopy(wish)
    for line in lines:
        if line.moved:
            continue
        if len(line.path) == 1:
            now = None if line.live is ABSENT else copy.deepcopy(line.live)
        elif kind.role(name, Unordered) is not None:
            now = [item for item in now or [] if item != line.path[1]]
            now += [] if line.live is ABSENT else [line.path[1]]
        else:
            now = _set({} if now is None else now, line.path[1:], line)
    for line in lines:
        if line.moved and kind.role(name, Keyed) is not None:
            now = _ordered(now, line.path[1:], line.live)
    return now


def _set(value: dict[Any, Any], path: tuple[Any, ...], line: FieldDrift) -> dict[Any, Any]:
    """A mapping with one place as it is live."""
    step, *rest = path
    if rest:
        value[step] = _set(value.get(step) or {}, tuple(rest), line)
    elif line.live is ABSENT:
        value.pop(step, None)
    elif step in value or line.follows is None:
        value[step] = copy.deepcopy(line.live)
    else:
        keys = list(value)
        behind = next((keys.index(key) + 1 for key in line.follows if key in value), 0)
        items = [*value.items()]
        items.insert(behind, (step, copy.deepcopy(line.live)))
        value = dict(items)
    return value


def _ordered(value: Any, path: tuple[Any, ...], order: list[Any]) -> Any:
    """A map of parts in the order of the live ones; what these lack stays behind what it followed."""
    if path:
        return {**value, path[0]: _ordered(value[path[0]], path[1:], order)}
    told = [key for key in order if key in value]
    before: Any = None
    for key in value:
        if key not in order:
            told.insert(told.index(before) + 1 if before is not None else 0, key)
        before = key
    return {key: value[key] for key in told}


def _keys(kind: Kind, name: str, value: Any, names: Mapping[str, Address]) -> Any:
    """A written value with resources by their keys. Raises LookupError for an id of none."""
    role = kind.role(name, RefTo)
    if role is None:
        return value
    if isinstance(value, Mapping):
        return {_key(key, role, names): item for key, item in value.items()}
    if isinstance(value, list):
        return [_key(item, role, names) for item in value]
    return None if value is None else _key(value, role, names)


def _key(item: Any, role: Any, names: Mapping[str, Address]) -> str:
    key = key_of(item, names)
    if key is item and isinstance(item, str):
        raise LookupError(f"{role.kind} {item}")
    return str(key)
