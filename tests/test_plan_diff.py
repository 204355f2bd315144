"""What differs, as the lines a reader sees: one line for one thing, however large the rest."""

from __future__ import annotations

import copy
from typing import Annotated, Any

from lbstack.kinds.contract import Kind
from lbstack.kinds.fields import Immutable, Keyed, SecretText, Spec, Unordered, WriteOnly
from lbstack.plan.diff import differences
from lbstack.render.fields import field_line
from lbstack.values import Address, Digest, Ref, Unknown


class ShelfSpec(Spec):
    """Parts in an order, and a field of each other sort."""

    parts: Annotated[Any, Keyed()] = None
    label: str = ""
    settings: Annotated[dict[str, Any], Immutable(parts=("mode",))] | None = None
    shape: Annotated[str, Immutable(once_used=True)] = ""
    tags: Annotated[list[str], Unordered()] | None = None
    secret: Annotated[SecretText, WriteOnly()] | None = None


class Shelf(Kind):
    """Only compared."""

    name, plural, Spec = "shelf", "shelves", ShelfSpec


NAMES = {"id-1": Address("shelf", "first")}


def lines(have: dict[str, Any], want: dict[str, Any], used: bool = False) -> list[str]:
    return [field_line(line, NAMES)[0].strip() for line in differences(Shelf(), want, have, used)]


def many_parts() -> dict[str, Any]:
    return {
        f"part {n}": {"color": "#000000", "options": {f"option {m}": {"label": "x"} for m in range(5)}}
        for n in range(200)
    }


def test_one_option_among_two_hundred_parts_is_one_line() -> None:
    want = many_parts()
    want["part 117"]["options"]["option 3"]["label"] = "y"
    assert lines({"parts": many_parts()}, {"parts": want}) == [
        '~ parts["part 117"].options["option 3"].label = "x" -> "y"'
    ]


def test_an_option_more_and_an_option_less_are_a_line_each() -> None:
    want = many_parts()
    del want["part 3"]["options"]["option 0"]
    want["part 3"]["options"]["new"] = {"label": "n"}
    assert lines({"parts": many_parts()}, {"parts": want}) == [
        '+ parts["part 3"].options[new] = {label: "n"}',
        '- parts["part 3"].options["option 0"] = {label: "x"}',
    ]


def test_another_order_is_one_line_at_the_map_that_has_it() -> None:
    have = {"a": {"options": {"x": {}, "y": {}, "z": {}}}, "b": {"size": 1}}
    outer = {"b": have["b"], "a": have["a"]}
    assert lines({"parts": have}, {"parts": outer}) == ["~ parts reordered = [a, b] -> [b, a]"]
    inner = copy.deepcopy(have)
    inner["a"]["options"] = {"z": {}, "x": {}, "y": {}}
    assert lines({"parts": have}, {"parts": inner}) == [
        "~ parts[a].options reordered = [x, y, z] -> [z, x, y]"
    ]


def test_a_long_order_is_cut() -> None:
    want = dict(reversed(many_parts().items()))
    (line,) = lines({"parts": many_parts()}, {"parts": want})
    assert line.count("… 188 more") == 2


def test_the_order_of_the_attributes_of_a_part_means_nothing() -> None:
    have = {"a": {"options": {"x": {}}, "nested": {"y": {}}}}
    want = {"a": {"nested": {"y": {}}, "options": {"x": {}}}}
    assert lines({"parts": have}, {"parts": want}) == []


def test_what_is_known_later_says_so() -> None:
    later = Unknown(Ref(Address("shelf", "first")))
    assert lines({"label": "id-1"}, {"label": later}) == ["~ label = shelf.first -> (known after apply)"]
    assert lines({"parts": {"a": {"of": "x"}}}, {"parts": {"a": {"of": later}}}) == [
        '~ parts[a].of = "x" -> (known after apply)'
    ]
    assert lines({"tags": []}, {"tags": [later]}) == ["+ tags[shelf.first (known after apply)]"]


def test_a_secret_is_never_told_not_even_its_digest() -> None:
    before, after = Digest("aa"), Digest("bb")
    shown = "(sensitive value) -> (sensitive value)"
    assert lines({"secret": before}, {"secret": after}) == [f"~ secret = {shown}"]
    assert lines({"settings": {"key": before}}, {"settings": {"key": after}}) == [
        f"~ settings[key] = {shown}"
    ]


def test_a_list_inside_a_part_is_told_whole() -> None:
    have, want = ({"a": {"sizes": sizes}} for sizes in ([1, 2, 3], [1, 3]))
    assert lines({"parts": have}, {"parts": want}) == ["~ parts[a].sizes = [1, 2, 3] -> [1, 3]"]


def test_only_what_cannot_change_forces_a_replacement() -> None:
    have = {"settings": {"mode": "a", "speed": 1}, "shape": "round"}
    assert lines(have, {"settings": {"mode": "a", "speed": 2}}) == ["~ settings[speed] = 1 -> 2"]
    assert lines(have, {"settings": {"mode": "b", "speed": 1}}) == [
        '~ settings[mode] = "a" -> "b"  # forces replacement'
    ]
    assert lines(have, {"shape": "flat"}) == ['~ shape = "round" -> "flat"']
    assert lines(have, {"shape": "flat"}, used=True) == ['~ shape = "round" -> "flat"  # forces replacement']


def test_members_come_and_go_and_their_order_says_nothing() -> None:
    assert lines({"tags": ["a", "b"]}, {"tags": ["b", "a"]}) == []
    assert lines({"tags": ["a", "b"]}, {"tags": ["c", "b"]}) == ["- tags[a]", "+ tags[c]"]
    assert lines({"tags": None}, {"tags": []}) == []
