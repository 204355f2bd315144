"""YAML is read as its 1.2 core schema says, with places, and nothing else gets in."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from lbstack.stack import reader
from lbstack.stack.problems import Problems
from lbstack.stack.reader import Budget, Refused, read
from lbstack.stack.tree import Item, List, Map, locate, mark
from lbstack.values import Source


def document(text: str) -> Any:
    problems = Problems()
    (found,) = read(text, "f", problems, Budget())
    problems.raise_any()
    return found


def told(text: str) -> list[str]:
    problems = Problems()
    with suppress(Refused):
        read(text, "f", problems, Budget())
    return [str(problem) for problem in problems.found]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("2024-05-06", "2024-05-06"),
        ("2024-99-99", "2024-99-99"),
        ("1_000", "1_000"),
        ("=", "="),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("", None),
        ("~", None),
        ("null", None),
        ("nULL", "nULL"),
        ("0", 0),
        ("-17", -17),
        ("+3", 3),
        ("0777", 777),
        ("0o777", 511),
        ("0xfF", 255),
        ("0b11", "0b11"),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("1.5E-2", 0.015),
        (".", "."),
        ("-", "-"),
        ("1.2.3", "1.2.3"),
        ("'1'", "1"),
        ('"null"', "null"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!int '7'", 7),
        ("!!float 1", 1),
        ("${var.x}", "${var.x}"),
    ],
)
def test_a_plain_word_is_what_yaml_1_2_says(word: str, value: object) -> None:
    found = document(f"a: {word}\n") if word != "-" else value
    read_value = found["a"] if isinstance(found, Map) else found
    assert read_value == value
    assert type(read_value) is type(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: .inf", "f:1:4: infinity or not-a-number cannot be used; quote it if it is text"),
        ("a: -.INF", "f:1:4: infinity or not-a-number cannot be used; quote it if it is text"),
        ("a: .nan", "f:1:4: infinity or not-a-number cannot be used; quote it if it is text"),
        ("a: 1e999", "f:1:4: a number that is too large cannot be used; quote it if it is text"),
        ("a: " + "9" * 5000, "f:1:4: a number of 5000 digits cannot be used; quote it if it is text"),
        ("a: 0x" + "f" * 5000, "f:1:4: a number of 5002 digits cannot be used; quote it if it is text"),
        ("a: 1\nb: 2\na: 3", "f:3:1: duplicate key 'a'; it stands at f:1:1 already"),
        ("1: a", "f:1:1: a key must be text; quote it"),
        ("~: a", "f:1:1: a key must be text; quote it"),
        ("true: a", "f:1:1: a key must be text; quote it"),
        ("? [1]\n: 2", "f:1:3: a key must be text; a mapping or a list cannot be one"),
        (
            "a: !!python/object:os.system x",
            "f:1:4: unknown tag 'python/object:os.system'; remove it; a stack is plain data",
        ),
        ("a: !!binary aGk=", "f:1:4: unknown tag 'binary'; remove it; a stack is plain data"),
        ("a: !secret x", "f:1:4: unknown tag '!secret'; remove it; a stack is plain data"),
        ("a: !!set {x}", "f:1:4: unknown tag 'set'; remove it; a stack is plain data"),
        ("a: !!int x", "f:1:4: this is no !!int; remove the tag"),
        ("a: *x", "f:1:4: unknown alias *x; name the part with & first"),
        ("a: &a [*a]", "f:1:8: *a holds itself; an alias cannot stand inside its anchor"),
        ("a: &a {b: {c: *a}}", "f:1:15: *a holds itself; an alias cannot stand inside its anchor"),
        ('a: "\\0"', "f:1:4: a control character in text; remove the escape"),
        ('a: "\\e[31m"', "f:1:4: a control character in text; remove the escape"),
        ('"a\\x07": 1', "f:1:1: a control character in text; remove the escape"),
        ("a: b\x07c", "f:1:5: U+0007 cannot stand in YAML; remove it, or write it as an escape"),
        ("a: 1\nb: \x00", "f:2:4: U+0000 cannot stand in YAML; remove it, or write it as an escape"),
        ("a: {<<: 3}", "f:1:5: << takes a mapping, or a list of mappings; write <<: *NAME"),
    ],
)
def test_what_is_no_plain_data_is_refused_at_its_place(text: str, problem: str) -> None:
    assert problem in told(text)


def test_half_a_surrogate_pair_is_refused() -> None:
    (problem,) = told('a: "\\ud800"')
    assert problem.startswith("f:1:")


def test_syntax_errors_name_the_place_and_the_usual_cause() -> None:
    assert told("a:\n\tb: 1")[0].startswith("f:2:1: not valid YAML: ")
    assert told("a:\n\tb: 1")[0].endswith("indent with spaces, not with tabs")
    assert told("a: {b: ${var.x}}")[0].endswith("inside { } and [ ], quote text that holds ${…}")
    assert told("a: 'b")[0].startswith("f:1:")


def test_every_key_value_and_item_knows_its_place() -> None:
    found = document("a:\n  b: [x, {c: y}]\nd: >\n  text\n")
    assert found.keys_at == [mark(1, 1), mark(3, 1)]
    item = Item(found, "f", mark(1, 1), mark(1, 1))
    places = {
        ("a",): (1, 1),
        ("a", "b"): (2, 3),
        ("a", "b", 0): (2, 7),
        ("a", "b", 1): (2, 10),
        ("a", "b", 1, "c"): (2, 14),
        ("a", "b", 1, "absent"): (2, 10),
        ("a", "b", 7): (2, 3),
        ("d",): (3, 4),
    }
    assert {path: locate(item, path) for path in places} == {
        path: Source("f", *place) for path, place in places.items()
    }
    assert locate(item, ("a", "b", 1, "c"), key=True) == Source("f", 2, 11)


def test_columns_count_characters() -> None:
    found = document("é: [ünï, b]\n")
    assert found["é"].values_at == [mark(1, 5), mark(1, 10)]


def test_an_alias_repeats_what_was_named() -> None:
    assert document("a: &x {b: [1]}\nc: *x\nd: &y word\ne: *y") == {
        "a": {"b": [1]},
        "c": {"b": [1]},
        "d": "word",
        "e": "word",
    }


def test_an_anchor_ends_with_its_document() -> None:
    assert "unknown alias *x" in told("a: &x 1\n---\nb: *x\n")[0]


def test_merge_keys_fill_in_what_is_not_written() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {z: 9, <<: [*a, *b]}\nd:\n  <<: *b\n  y: 0\n"
    found = document(text)
    assert found["c"] == {"z": 9, "x": 1, "y": 1}
    assert found["d"] == {"y": 0, "z": 2}
    assert document("'<<': 1") == {"<<": 1}


def test_depth_is_counted_through_aliases() -> None:
    assert told("[" * 64 + "]" * 64) == []
    assert told("[" * 65 + "]" * 65) == ["f:1:65: nested more than 64 deep; flatten it"]
    chain = ["a0: &a0 [1]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200))]
    assert told("\n".join(chain)) == ["f:64:12: nested more than 64 deep by aliases; flatten it"]


def test_the_budget_is_shared_and_aliases_draw_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = Problems()
    budget = Budget(left=12)
    read("a: &a [1, 2, 3]\nb: *a\n", "f", problems, budget)
    assert budget.left == 12 - len(["map", "a", "list", 1, 2, 3, "b"]) - 4
    with pytest.raises(Refused):
        read("- 1\n- 2\n", "g", problems, budget)


def test_an_empty_document_and_several_documents_are_read() -> None:
    problems = Problems()
    assert read("# nothing\n", "f", problems, Budget()) == []
    assert read("---\n---\na: 1\n...\n---\n[b]", "f", problems, Budget()) == [None, {"a": 1}, ["b"]]


def test_the_pure_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class Pure(Reader, Scanner, Parser):
        def __init__(self, text: str) -> None:
            Reader.__init__(self, text)
            Scanner.__init__(self)
            Parser.__init__(self)

    text = "a: [yes, 0o7, ~, 'x', \"y\\n\"]\nb: &b {c: 1}\nd: {<<: *b}\ne: |\n  text\n"
    swift = document(text)
    monkeypatch.setattr(reader, "Parser", Pure)
    pure = document(text)
    assert swift == pure
    assert (swift.keys_at, swift.values_at) == (pure.keys_at, pure.values_at)
    assert isinstance(pure["a"], List)
    assert told("a: b\x07c") == ["f:1:5: U+0007 cannot stand in YAML; remove it, or write it as an escape"]
    assert "holds itself" in told("a: &a [*a]")[0]
