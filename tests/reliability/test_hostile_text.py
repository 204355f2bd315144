"""Hostile names, from a stack and from the service: no face lets one redraw, forge or command anything."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress

import pytest

from lbstack.errors import ConfigError, Problem, ServiceError
from lbstack.plan.schedule import Step
from lbstack.render.drift import drift_lines
from lbstack.render.json import plan_document, state_document
from lbstack.render.progress import event_lines
from lbstack.render.text import attribute_lines, plan_lines
from lbstack.render.words import document, sentence
from lbstack.values import Address
from lbstack.work import Event
from tests.conftest import World
from tests.reliability.conftest import Report

pytestmark = pytest.mark.reliability

PIECES = [
    "\x1b[2J\x1b[1;1H", "\x1b]0;title\x07", "\x1b]8;;https://evil.example\x1b\\", "\x9b31m", "\x90q", "\x85", "\x7f", "\x00",
    "\r", "\n", "\r\n", "\b\b\b", "\x0b", "\x0c", "\t", "\u2028", "\u2029", "\u202e", "\u2066", "\u2069", "\u200b", "\u200d",
    "\ufeff", "\u00ad", "\u061c", "\U000e0041", "\ue000", "\ufff9",
    "::error::", "::set-output name=a::b", "::add-mask::", "  ::stop-commands::x", "##[error]", "##[add-mask]", "###[",
    "##vso[task.setvariable variable=a]b", "##teamcity[x]", "section_start:1:a\r\x1b[0K", "\nPlan: 0 to add, 0 to change, 0 to destroy.",
    "\nNo changes. Your infrastructure matches the configuration.", '" -> "', "\\", "${dataset.d.id}", "{0.__class__}", "{{7*7}}",
    "`x`", "```", "<script>alert(1)</script>", "<!--", "|", "@everyone", "=1+1", "[red]rich[/red]", "[link=x]", "%s%n", "plain", "歯",
]  # fmt: skip
FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
COMMAND = re.compile(r"^\s*::|##\w*\[")
TOGETHER = 40


def texts(seed: int, count: int) -> Iterator[str]:
    """Each piece alone, then mixtures, some of them long."""
    yield from PIECES[:count]
    chance = random.Random(seed)
    for _ in range(count - len(PIECES)):
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 6)))
        yield text * (300 if chance.random() < 0.02 else 1)


def wrong(lines: list[str], longest: int = 2600) -> list[str]:
    """Lines that are not what they seem, or do not end."""
    return [
        ascii(line)
        for line in lines
        if any(unicodedata.category(char) in FORBIDDEN for char in line)
        or COMMAND.search(line)
        or len(line) > longest
    ]


UPDATE = "mutation ($id: ID!, $n: String!, $d: String!) { updateDataset(where: {id: $id}, data: {name: $n, description: $d}) { id } }"


def groups(names: list[str]) -> Iterator[dict[str, str]]:
    """The names, so many at a time that one plan tells of all of them, by the key of what bears them."""
    for start in range(0, len(names), TOGETHER):
        yield {f"d{place}": name for place, name in enumerate(names[start : start + TOGETHER])}


def stack_of(names: Mapping[str, str], outputs: Mapping[str, str] | None = None) -> str:
    """A stack in which each name has a line of its own: the first of `names` the third, and so on."""
    said = [f'"{key}": {json.dumps({"name": name, "description": name})}' for key, name in names.items()]
    return "\n".join(
        [
            '{"stack": "test",',
            '"datasets": {',
            ",\n".join(said),
            f'}}, "outputs": {json.dumps(outputs or {})}}}',
        ]
    )


def test_no_name_from_the_service_redraws_forges_or_commands(world: World, report: Report) -> None:
    names = list(texts(1, 2000))
    plain = {f"d{place}": f"D{place}" for place in range(TOGETHER)}
    world.write(stack_of(plain))
    world.apply()
    ids = {key: world.state.resources[Address("dataset", key)].id for key in plain}
    taken, bad = 0, list[str]()
    for group in groups(names):
        renamed = {}
        for key, text in group.items():
            with suppress(AssertionError, ServiceError):  # the service does not take every name
                world.graphql(UPDATE, id=ids[key], n=text, d=text)
                renamed[f"dataset.{key}"] = text
        taken += len(renamed)
        plan = world.plan()
        lines = [line for line, _ in (*plan_lines(plan), *drift_lines(world.drift()))]
        counts = [line for line in lines if line.startswith("Plan: ")]
        assert len(counts) == 1, group
        bad += wrong(lines)
        told = document(json.dumps([plan_document(plan), state_document(world.state)]))
        bad += wrong([told], 10**9)
        drift = {
            item["address"]: item["change"]["after"]["name"] for item in json.loads(told)[0]["resource_drift"]
        }
        assert drift.items() >= renamed.items()
    report(n=len(names), taken=taken, wrong=len(bad))
    assert bad == []
    assert taken > len(names) // 2


def test_no_text_of_a_stack_or_an_error_redraws_forges_or_commands(world: World, report: Report) -> None:
    names = list(texts(2, 2000))
    taken, bad = 0, list[str]()
    for group in groups(names):
        kept = dict(group)
        while problems := refusals(world, kept):
            bad += wrong([sentence(str(problem)) for problem in problems])
            lines = {problem.source.line for problem in problems if problem.source}
            assert lines, problems
            kept = {key: name for line, (key, name) in enumerate(kept.items(), 3) if line not in lines}
        world.write(stack_of(kept, kept))
        plan = world.plan()
        taken += len(kept)
        bad += wrong([line for line, _ in plan_lines(plan)])
        bad += wrong([document(json.dumps(plan_document(plan)))], 10**9)
    for text in names:
        bad += spoken(text)
    report(n=len(names), taken=taken, wrong=len(bad))
    assert bad == []
    assert 0 < taken < len(names)


def refusals(world: World, names: Mapping[str, str]) -> list[Problem]:
    """What keeps a stack of these names from being read."""
    world.write(stack_of(names))
    try:
        world.plan()
    except ConfigError as error:
        return error.problems
    return []


def spoken(text: str) -> list[str]:
    """What is wrong with what is told of a resource that is called so, and fails so."""
    step = Step("x", "create", Address("dataset", text), id=text)
    bad = []
    for type in ("start", "said", "done", "failed", "skipped"):
        event = Event(type, step, 1.0, text, text, (Problem(text, text, address=step.address),))
        bad += wrong([line for line, _ in event_lines(event)], 10**6)
    told = attribute_lines(step.address, text, {text: text, "label": {text: text}}, {})
    return bad + wrong([line for line, _ in told], 10**6)
