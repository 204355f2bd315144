"""The body of a resource is judged by its kind's spec, in plain words, all at once."""

from __future__ import annotations

import pytest

from lbstack.values import Ref
from tests.stack.made_up import Desk, box, shelf


@pytest.mark.parametrize(
    ("body", "complaints"),
    [
        ("", ["3:3: boxes.b has no name; add name: …"]),
        (
            "nam: x",
            [
                "3:3: boxes.b has no name; add name: …",
                "4:5: unknown key 'nam' in boxes.b; did you mean 'name'?",
            ],
        ),
        ("name: 3", ["4:11: boxes.b.name should be text; quote it"]),
        ("name: null", ["4:11: boxes.b.name should be text"]),
        ("{name: x, shelf: 3}", ["4:22: boxes.b.shelf should be the key of a resource of kind shelf"]),
        ("{name: x, shelf: '${box.a.id}'}", ["4:22: boxes.b.shelf names no shelf; write the key of one"]),
        ("{name: x, near: a}", ["4:21: boxes.b.near should be a list"]),
        ("{name: x, near: [a, {}]}", ["4:25: boxes.b.near.1 should be the key of a resource of kind box"]),
        ("{name: x, keepers: [a]}", ["4:15: boxes.b.keepers should be a mapping"]),
        (
            "{name: x, labels: [3]}",
            ["4:24: boxes.b.labels.0 should be text or should be a mapping; quote it"],
        ),
        (
            "{name: x, labels: [{txt: a}]}",
            [
                "4:24: boxes.b.labels.0 has no text; add text: …",
                "4:25: unknown key 'txt' in boxes.b.labels.0; did you mean 'text'?",
            ],
        ),
        (
            "{name: x, token: ''}",
            ["4:22: boxes.b.token should be a non-empty string, best a ${var.NAME} with secret: true"],
        ),
        (
            "{name: x, lifecycle: {prevent_destroy: maybe}}",
            ["4:44: boxes.b.lifecycle.prevent_destroy should be true or false"],
        ),
        (
            "{name: x, lifecycle: {ignore_changes: [nme]}}",
            ["4:44: boxes.b has no field 'nme' to ignore changes of; did you mean 'name'?"],
        ),
        ("{name: x, lifecycel: {}}", ["4:15: unknown key 'lifecycel' in boxes.b; did you mean 'lifecycle'?"]),
        ("{name: x, previously: [a]}", ["4:15: boxes.b.previously should be text"]),
        ("[a]", ["3:3: boxes.b should be a mapping; write its fields below it"]),
        ("just text", ["3:3: boxes.b should be a mapping; write its fields below it"]),
    ],
)
def test_what_is_wrong_with_a_body(desk: Desk, body: str, complaints: list[str]) -> None:
    told = desk.complaints(f"stack: x\nboxes:\n  b:\n    {body}\n")
    # A list or mapping has the place of its key; "4:15" above is the key before it.
    assert [line.removeprefix("s.yaml:") for line in told] == complaints


def test_numbers_and_words_of_a_fixed_set(desk: Desk) -> None:
    text = (
        "stack: x\nshelves:\n"
        "  s: {name: x, rows: many, load: heavy, open: ajar, material: wood}\n"
        "  t: {name: x, rows: 10}\n"
    )
    assert desk.complaints(text) == [
        "s.yaml:3:22: shelves.s.rows should be a whole number",
        "s.yaml:3:34: shelves.s.load should be a number",
        "s.yaml:3:47: shelves.s.open should be true or false",
        "s.yaml:3:63: shelves.s.material should be 'WOOD' or 'STEEL'; did you mean 'WOOD'?",
        "s.yaml:4:22: shelves.t.rows should be less than or equal to 9",
    ]


@pytest.mark.parametrize("key", ["", "a b", "a\\tb", "a${var.x}", "x" * 129, "a\\u00a0b", "a\\u2028b"])
def test_a_bad_key_is_refused(desk: Desk, key: str) -> None:
    (complaint,) = desk.complaints(f'stack: x\nboxes: {{"{key}": {{name: a}}}}\n')
    assert complaint.startswith("s.yaml:2:9: ")


@pytest.mark.parametrize("key", ["a.b@example.com", "1a", "a/b", "Ü", "x" * 128])
def test_a_good_key_is_taken(desk: Desk, key: str) -> None:
    stack = desk.load(f"stack: x\nshelves: {{'{key}': {{name: a}}}}\noutputs: {{o: '${{shelf.{key}.id}}'}}\n")
    assert stack.outputs["o"].value.parts == (Ref(shelf(key)),)


def test_what_a_kind_refuses_is_told_at_the_key(desk: Desk) -> None:
    told = desk.complaints("stack: x\nboxes: {cursed: {name: a}}\n")
    assert told == ["s.yaml:2:9: boxes.cursed: this box must not be opened"]


def test_absent_is_not_managed_and_null_says_none(desk: Desk) -> None:
    stack = desk.load("stack: x\nboxes:\n  a: {name: a}\n  b: {name: b, shelf: null, near: []}\n")
    assert stack.resources[box("a")].fields == {"name": "a"}
    assert stack.resources[box("b")].fields == {"name": "b", "shelf": None, "near": []}


def test_references_are_keys_in_lists_and_mappings_too(desk: Desk) -> None:
    stack = desk.load(
        "stack: x\nboxes:\n  a: {name: a, near: [b, box.c, '${box.d.id}'], keepers: {s: Ann}}\n"
    )
    assert stack.resources[box("a")].fields == {
        "name": "a",
        "near": [Ref(box("b")), Ref(box("c")), Ref(box("d"))],
        "keepers": {Ref(shelf("s")): "Ann"},
    }


def test_an_alias_used_twice_makes_two_values(desk: Desk) -> None:
    stack = desk.load("stack: x\nboxes:\n  a: {name: a, anything: &l [1]}\n  b: {name: b, anything: *l}\n")
    first, second = (stack.resources[box(key)].fields["anything"] for key in "ab")
    assert first == second == [1]
    assert first is not second
    assert type(first) is list


def test_every_reason_of_a_kind_is_told(desk: Desk) -> None:
    assert desk.complaints("stack: x\nboxes: {doomed: {name: a}}\n") == [
        "s.yaml:2:9: boxes.doomed: it is doomed",
        "s.yaml:2:9: boxes.doomed: and so are you",
    ]
