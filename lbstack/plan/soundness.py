"""Whether what was read from a file is a plan: every part of its type, every change with what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from graphlib import TopologicalSorter
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from lbstack.plan.changes import Action, Plan

NEEDED = {
    Action.CREATE: ("want",),
    Action.UPDATE: ("id", "want"),
    Action.REPLACE: ("id", "want"),
    Action.DELETE: ("id",),
    Action.FORGET: ("id",),
}
"""What of a change must be there for its action to be carried out."""


IMPORTED = (Action.NOOP, Action.UPDATE, Action.REPLACE)
"""What may become of an object that comes under an address."""


def fitting(record: Callable[..., Any], parts: dict[str, Any]) -> Any:
    """A record of these parts. Raises TypeError where one is not of the type that the record says."""
    hints = _hints(record)
    for name, value in parts.items():
        if name not in hints or not _fits(value, hints[name]):
            raise TypeError(name)
    return record(**parts)


@cache
def _hints(record: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(record)


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if inner[1:] == (...,):
            return all(_fits(item, inner[0]) for item in value)
        return len(value) == len(inner) and all(map(_fits, value, inner))
    if origin is Mapping:
        keys, values = inner
        return isinstance(value, dict) and all(_fits(k, keys) and _fits(v, values) for k, v in value.items())
    return value is None if hint in (None, NoneType) else type(value) is hint


def require_sound(plan: Plan) -> None:
    """Raises ValueError for a plan that nobody could carry out."""
    for change in plan.changes:
        missing = [name for name in NEEDED.get(change.action, ()) if getattr(change, name) is None]
        imported = not change.importing or change.action in IMPORTED
        if missing or not imported or not all(line.path for line in change.fields):
            raise ValueError(f"{change.address} is incomplete")
    # A circle ends in a CycleError, which is a ValueError.
    TopologicalSorter({change.address: change.needs for change in plan.changes}).prepare()
