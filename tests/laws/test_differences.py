"""Laws of the differences between two sides: they are empty exactly when both sides are equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from hypothesis import given
from hypothesis import strategies as st

from lbstack.kinds.contract import Fields, Kind
from lbstack.kinds.fields import Immutable, Keyed, Spec, Unordered
from lbstack.plan.changes import ABSENT, FieldChange
from lbstack.plan.diff import differences
from lbstack.values import Address, Digest, Ref, Unknown
from tests.laws.wishes import law


class BoxSpec(Spec):
    """Fields that compare in every way there is."""

    plain: Any = None
    tree: Annotated[Any, Keyed()] = None
    members: Annotated[list[str], Unordered()] | None = None
    fixed: Annotated[Any, Immutable(parts=("mode",))] = None


class Box(Kind):
    """Only compared."""

    name, plural, Spec = "box", "boxes", BoxSpec


BOX = Box()
KEYS = st.sampled_from(["a", "b", 'it\'s "c"]', "__d", "", "1"])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 2),
    st.sampled_from(["x", "y\nz", 0.5]),
    st.lists(st.integers(0, 1), max_size=2),
    st.sampled_from([Digest("aa"), Digest("bb"), Unknown(Ref(Address("thing", "a"))), Unknown()]),
)
MAPS = st.dictionaries(KEYS, st.one_of(LEAVES, st.dictionaries(KEYS, LEAVES, max_size=3)), max_size=3)
PARTS = st.recursive(
    st.dictionaries(st.sampled_from(["size", "color"]), LEAVES, max_size=2),
    lambda parts: st.fixed_dictionaries(
        {"size": LEAVES, "options": st.dictionaries(KEYS, parts, max_size=3)}
    ),
    max_leaves=6,
)
TREES = st.dictionaries(KEYS, PARTS, max_size=3)
BOXES = st.fixed_dictionaries(
    {"plain": st.one_of(LEAVES, MAPS), "tree": TREES, "members": st.lists(KEYS), "fixed": MAPS}
)


def ordered(value: Any, depth: int = 0) -> Any:
    """A map of parts with its order made visible, at each depth where order means something."""
    if not isinstance(value, Mapping):
        return value
    inner = {key: ordered(item, depth + 1) for key, item in value.items()}
    return list(inner.items()) if depth % 2 == 0 else inner


def normal(box: Fields) -> Fields:
    return {**box, "tree": ordered(box["tree"]), "members": set(box["members"])}


def shuffled(value: Any, draw: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: shuffled(value[key], draw) for key in draw(st.permutations(list(value)))}


@law(300)
@given(BOXES, BOXES, st.data())
def test_differences_are_empty_exactly_when_both_sides_are_equal(have: Any, want: Any, data: Any) -> None:
    for other in (want, shuffled(have, data.draw), dict(have, tree=want["tree"])):
        found = differences(BOX, other, have, used=True)
        assert (not found) == (normal(have) == normal(other)), found


@law(300)
@given(BOXES, BOXES)
def test_each_line_tells_what_stands_at_its_place(have: Fields, want: Fields) -> None:
    for line in differences(BOX, want, have, used=True):
        if line.path[0] == "members" or line.moved:
            continue
        assert (at(have, line), at(want, line)) == (line.before, line.after)
        assert line.before != line.after


@law(300)
@given(BOXES, BOXES)
def test_applying_the_lines_to_what_is_there_gives_what_is_wanted(have: Fields, want: Fields) -> None:
    lines = [line for line in differences(BOX, want, have, used=True) if line.path[0] != "members"]
    now = copied(have)
    for line in lines:
        if not line.moved:
            put(now, line.path, line.after)
    assert {**now, "members": None} == {**want, "members": None}


@law(100)
@given(MAPS, MAPS)
def test_only_the_named_parts_of_a_field_force_a_replacement(have: Fields, want: Fields) -> None:
    have, want = {**have, "mode": "m"}, {**want, "mode": "m"}
    assert not any(line.replaces for line in differences(BOX, {"fixed": want}, {"fixed": have}, used=True))
    (line, *_) = differences(BOX, {"fixed": {**have, "mode": "n"}}, {"fixed": have}, used=True)
    assert line.replaces and line.path == ("fixed", "mode")


def at(side: Any, line: FieldChange) -> Any:
    for step in line.path:
        side = side.get(step, ABSENT) if isinstance(side, Mapping) else ABSENT
    return side


def copied(value: Any) -> Any:
    return {key: copied(item) for key, item in value.items()} if isinstance(value, dict) else value


def put(side: Any, path: tuple[Any, ...], item: Any) -> None:
    for step in path[:-1]:
        side = side[step]
    if item is ABSENT:
        del side[path[-1]]
    else:
        side[path[-1]] = item
