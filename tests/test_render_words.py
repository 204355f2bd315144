"""Hostile text: nothing from a stack or the service reaches the output as it is."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable

import pytest

from lbstack.apply import Outcome
from lbstack.errors import Problem
from lbstack.plan.changes import ABSENT, Action, Change, Deposed, FieldChange, OutputChange, Pins, Plan
from lbstack.plan.drift import DriftReport, ResourceDrift
from lbstack.plan.schedule import Step
from lbstack.plan.threeway import FieldDrift, Verdict
from lbstack.render.drift import drift_lines
from lbstack.render.drift_json import drift_document
from lbstack.render.json import plan_document
from lbstack.render.progress import event_lines, outcome_lines
from lbstack.render.text import Line, attribute_lines, plan_lines
from lbstack.render.words import safe, value
from lbstack.state.model import State
from lbstack.values import Address
from lbstack.work import Event

HOSTILE = {
    "ansi": "\x1b[2J\x1b[31mred",
    "newline": "one\nPlan: 0 to add, 0 to change, 0 to destroy.",
    "return": "one\rtwo",
    "backspace": "ab\b\bcd",
    "c1": "\x9b31m\x85",
    "bidi": "\u202etxt.exe\u2066",
    "separators": "a\u2028b\u2029c",
    "invisible": "a\u200b\ufeff\u00adb",
    "surrogate": "\ud800",
    "tag": "\U000e0041",
    "nul": "a\0b",
    "bell": "\x07",
}
FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def assert_harmless(lines: Iterable[Line]) -> None:
    told = [text for text, _ in lines]
    assert told
    for text in told:
        assert not [char for char in text if unicodedata.category(char) in FORBIDDEN], ascii(text)


def plan_with(text: str) -> Plan:
    """A plan in which the text stands wherever text can stand."""
    address = Address("thing", text)
    fields = (
        FieldChange(("parts", text, "size"), text, {text: [text]}),
        FieldChange(("parts", text), ABSENT, {text: text, "inner": {text: {"a": text}}}),
        FieldChange(("parts",), [text, "b"], ["b", text], moved=True),
        FieldChange(("label",), text, ABSENT, note=text),
    )
    held = {"label": text, "parts": {text: {"name": text, "parts": {text: {"x": text}}}}, "list": [text]}
    changes = (
        Change(address, Action.CREATE, text, after=held),
        Change(address, Action.UPDATE, text, text, held, held, fields),
        Change(address, Action.REPLACE, text, text, held, held, fields),
        Change(address, Action.DELETE, text, text, held, contents=3, holds="rows"),
        Change(address, Action.FORGET, text, text, held),
        Change(address, Action.MISSING, text, text, held),
    )
    outputs = (
        OutputChange(text, ABSENT, text),
        OutputChange(text, text, ABSENT),
        OutputChange(text, text, [text]),
    )
    pins = Pins("o", "e", "l", 1)
    deposed = (Deposed(address, text, held),)
    return Plan("s", pins, changes, outputs, deposed, drift=changes, notes=(text,), names={text: address})


def drift_with(text: str) -> DriftReport:
    """A drift report in which the text stands wherever text can stand."""
    address = Address("thing", text)
    fields = [
        FieldDrift(path, verdict, *values, note=text)
        for verdict in Verdict
        for path, *values in (
            (("label",), text, ABSENT, text),
            (("parts", text, "size"), [text], {text: text}, text),
            (("tags", text), ABSENT, text, ABSENT),
        )
    ]
    fields += [FieldDrift(("parts",), verdict, [text], [text], [text], moved=True) for verdict in Verdict]
    return DriftReport(
        text,
        "o",
        "e",
        tuple(ResourceDrift(address, verdict, text, tuple(fields), text, 0.0) for verdict in Verdict),
    )


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_plan_shows_no_hostile_character(text: str) -> None:
    plan = plan_with(text)
    assert_harmless(plan_lines(plan))
    assert_harmless(drift_lines(drift_with(text)))
    assert_harmless(attribute_lines(Address("thing", text), text, {"label": text, "parts": {text: text}}, {}))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_an_apply_shows_no_hostile_character(text: str) -> None:
    for verb in ("create", "update", "delete", "destroy", "forget"):
        step = Step("x", verb, Address("thing", text), id=text)
        for type in ("start", "still", "said", "done", "failed", "skipped"):
            event = Event(type, step, 1.0, text, text, (Problem(text, text, address=step.address),))
            assert_harmless(event_lines(event))
        outcome = Outcome(State("s", "l", "e"), failed=[step], skipped=[step])
        assert_harmless(outcome_lines(outcome, "lbstack apply"))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_json_is_ascii_and_tells_the_text_exactly(text: str) -> None:
    printed = json.dumps(plan_document(plan_with(text)), ensure_ascii=True)
    assert printed.isascii() and printed.isprintable()
    assert json.loads(printed)["resource_changes"][0]["name"] == text
    printed = json.dumps(drift_document(drift_with(text)), ensure_ascii=True)
    assert printed.isascii() and printed.isprintable()
    assert json.loads(printed)["resources"][0]["name"] == text


def test_plain_text_of_any_language_stays_as_it_is() -> None:
    for text in ("Zähne", "歯", "зуб", "سن", "🦷", "a b"):
        assert safe(text) == text


def test_quotes_and_backslashes_cannot_end_a_value() -> None:
    assert value('a" -> "b') == '"a\\" -> \\"b"'
    assert value("\\") == '"\\\\"'
    assert value("two\nlines") == '"two\\nlines"'


def test_a_long_value_is_cut_with_a_count() -> None:
    shown = value("x" * 1000)
    assert len(shown) < 240
    assert shown.endswith("… (802 more characters)")
