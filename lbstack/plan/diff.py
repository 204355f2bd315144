"""What differs between two mappings of fields, as lines a person can read.

Both sides are normal forms in the same words, so `==` decides first; DeepDiff walks only what
differs, on maps keyed by natural keys. Order is compared apart, as one line for a reordered map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from lbstack.kinds.contract import Kind
from lbstack.kinds.fields import Immutable, Keyed, Unordered
from lbstack.plan.changes import ABSENT, FieldChange


def differences(
    kind: Kind, want: Mapping[str, Any], have: Mapping[str, Any], used: bool
) -> list[FieldChange]:
    """The changes that bring `have` to `want`, field by field in the order of the spec.

    `used` says whether the object holds anything, for fields that are immutable once it does.
    """
    found: list[FieldChange] = []
    for name, after in want.items():
        before = have.get(name)
        keyed = kind.role(name, Keyed) is not None
        if before == after and not (keyed and _order(before) != _order(after)):
            continue
        immutable = kind.role(name, Immutable)
        if immutable is not None and immutable.once_used and not used:
            immutable = None
        unordered = kind.role(name, Unordered) is not None
        for change in _sets(name, before, after) if unordered else _nested(name, before, after, keyed):
            found.append(replace(change, replaces=_replaces(immutable, change)))
    return found


def _replaces(immutable: Immutable | None, change: FieldChange) -> bool:
    """Whether a change is to what cannot be changed: the field, or those of its parts that the role names."""
    if immutable is None or not immutable.parts:
        return immutable is not None
    return len(change.path) == 1 or change.path[1] in immutable.parts


def _order(value: Any) -> Any:
    """The order of a map of parts at every depth: `==` on mappings does not see it."""
    if isinstance(value, Mapping):
        return [
            (key, [_order(inner) for inner in part.values() if isinstance(inner, Mapping)])
            if isinstance(part, Mapping)
            else key
            for key, part in value.items()
        ]
    return None


def _sets(name: str, before: Any, after: Any) -> Iterator[FieldChange]:
    """Items that go and items that come; order says nothing."""
    have, want = list(before or []), list(after or [])
    for item in have:
        if item not in want:
            yield FieldChange((name, item), item, ABSENT)
    for item in want:
        if item not in have:
            yield FieldChange((name, item), ABSENT, item)


def _nested(name: str, before: Any, after: Any, keyed: bool) -> Iterator[FieldChange]:
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield FieldChange((name,), before, after)
        return
    yield from _deep((name,), before, after)
    if keyed:
        yield from _moves((name,), before, after)


def _deep(path: tuple[Any, ...], before: Any, after: Any) -> Iterator[FieldChange]:
    """DeepDiff's leaves as changes, in the order in which a reader meets them in the wish."""
    if before == after:
        return
    from deepdiff import DeepDiff  # slow to import, and needed only when something differs

    tree = DeepDiff(
        before,
        after,
        view="tree",
        threshold_to_diff_deeper=0,
        ignore_private_variables=False,
        ignore_numeric_type_changes=True,
        verbose_level=2,
    )
    found: dict[tuple[Any, ...], FieldChange] = {}
    for items in tree.values():
        for item in items:
            line = _leaf(path, tuple(item.path(output_format="list")), before, after)
            found[line.path] = line
    yield from sorted(found.values(), key=_reading_order(path, before, after))


def _leaf(path: tuple[Any, ...], steps: tuple[Any, ...], before: Any, after: Any) -> FieldChange:
    """The change at a place. Only mappings have places: a list, a digest, an unknown changes as a whole."""
    for number, step in enumerate(steps, 1):
        before, after = _child(before, step), _child(after, step)
        if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
            return FieldChange(path + steps[:number], before, after)
    return FieldChange(path + steps, before, after)


def _reading_order(
    path: tuple[Any, ...], before: Any, after: Any
) -> Callable[[FieldChange], tuple[Any, ...]]:
    ranks: dict[tuple[Any, ...], dict[Any, int]] = {}

    def position(change: FieldChange) -> tuple[int, ...]:
        have, want, places = before, after, []
        for depth in range(len(path), len(change.path)):
            place, step = change.path[:depth], change.path[depth]
            if place not in ranks:
                both = dict.fromkeys([*_keys(want), *_keys(have)])
                ranks[place] = {key: index for index, key in enumerate(both)}
            places.append(ranks[place][step])
            have, want = _child(have, step), _child(want, step)
        return tuple(places)

    return position


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Mapping) else []


def _child(value: Any, step: Any) -> Any:
    return value.get(step, ABSENT) if isinstance(value, Mapping) else ABSENT


def _moves(
    path: tuple[Any, ...], before: Mapping[Any, Any], after: Mapping[Any, Any]
) -> Iterator[FieldChange]:
    """One line for each map of parts whose common keys stand in another order."""
    have = [key for key in before if key in after]
    want = [key for key in after if key in before]
    if have != want:
        yield FieldChange(path, have, want, moved=True)
    for key in want:
        inner = before[key], after[key]
        if all(isinstance(part, Mapping) for part in inner):
            for name in inner[1]:
                pair = inner[0].get(name), inner[1][name]
                if all(isinstance(part, Mapping) for part in pair):
                    yield from _moves((*path, key, name), *pair)
