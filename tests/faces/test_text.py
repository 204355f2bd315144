"""Text: long lists, long texts and deep parts, each cut with a count or told under its path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbstack.plan.changes import ABSENT, FieldChange
from lbstack.render.fields import MANY, TEXT, field_lines, text_lines
from lbstack.render.words import ITEMS, value


def lines(*fields: FieldChange) -> list[str]:
    return [line for line, _ in field_lines(fields, {}, 0)]


def test_items_of_a_long_set_are_counted() -> None:
    comes = [FieldChange(("datasets", f"d{n}"), ABSENT, f"d{n}") for n in range(MANY + 7)]
    goes = [FieldChange(("datasets", f"e{n}"), f"e{n}", ABSENT) for n in range(MANY)]
    told = lines(*goes, *comes)
    assert told[0] == "- datasets[e0]"
    assert told[-1] == "+ datasets: … 7 more"
    assert len(told) == 2 * MANY + 1


def test_a_long_list_is_counted() -> None:
    assert value(list(range(ITEMS))).endswith(f", {ITEMS - 1}]")
    assert value(list(range(ITEMS + 3))).endswith(f", {ITEMS - 1}, … 3 more]")


def test_what_belongs_to_a_part_stands_under_its_path() -> None:
    assert lines(
        FieldChange(("tools", "polygon A", "color"), "#1", "#2"),
        FieldChange(("tools", "polygon A", "required"), False, True),
        FieldChange(("tools", "polygon A", "options", "x", "label"), "X", "Y", note="as asked"),
        FieldChange(("tools", "polygon B"), ABSENT, {"tool": "polygon", "name": "B", "color": "#3", "options": {"o": {"value": "o"}}}),
        FieldChange(("name",), "a", "b", replaces=True),
    ) == [
        '~ tools["polygon A"]:',
        '    ~ color    = "#1" -> "#2"',
        "    ~ required = false -> true",
        '~ tools["polygon A"].options[x]:',
        '    ~ label = "X" -> "Y"  # as asked',
        '+ tools["polygon B"]: color "#3"',
        "    + options:",
        "        + o",
        '~ name = "a" -> "b"  # forces replacement',
    ]  # fmt: skip


def test_a_long_text_shows_what_changes_and_a_little_around() -> None:
    before = [f"line {n}" for n in range(40)]
    after = [*before[:20], "new", *before[21:]]
    assert lines(FieldChange(("description",), "\n".join(before), "\n".join(after))) == [
        "~ description:",
        "      # (18 unchanged lines hidden)",
        "      line 18",
        "      line 19",
        "    - line 20",
        "    + new",
        "      line 21",
        "      line 22",
        "      # (17 unchanged lines hidden)",
    ]


def test_a_text_of_which_everything_changes_is_counted() -> None:
    told = lines(FieldChange(("d",), "\n".join(map(str, range(500))), "\n".join(map(str, range(500, 1000)))))
    assert len(told) == TEXT + 2
    assert told[-1] == f"      # … {1000 - TEXT} more lines"


@pytest.mark.parametrize(("before", "after"), [("a", "a\nb"), ("a\nb", "a"), ("", "a\nb"), ("a\n", "a\nb\n")])
def test_a_text_that_gets_or_loses_lines(before: str, after: str) -> None:
    assert rebuilt(before, after) == (before, after)


TEXTS = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=5).map("\n".join)


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_from_their_difference(before: str, after: str) -> None:
    assert rebuilt(before, after) == (before, after)


def rebuilt(before: str, after: str) -> tuple[str, str]:
    """The two texts, as their difference tells them."""
    told: list[Any] = [(line[2:], style) for line, style in text_lines(before, after, 0)]
    if any(style == "forget" for _, style in told):
        return before, after
    old, new = (
        "\n".join(line for line, style in told if style in ("plain", mark)) for mark in ("destroy", "add")
    )
    return old, new
