"""Hostile names, from a stack and from the service: no face lets one redraw, forge or command anything."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from collections.abc import Iterator

import pytest

from lbstack.errors import Problem, ServiceError
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
from tests.reliability.sizes import size

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


def test_no_name_from_the_service_redraws_forges_or_commands(world: World, report: Report) -> None:
    names = list(texts(1, size(200, 2000)))
    kept, faces = 0, 0
    world.write("stack: test\ndatasets: {d: {name: D, description: E}}\n")
    world.apply()
    address = Address("dataset", "d")
    id = world.state.resources[address].id
    bad: list[str] = []
    for text in names:
        try:
            world.graphql(UPDATE, id=id, n=text, d=text)
        except (AssertionError, ServiceError):
            continue  # the service takes no such name
        kept += 1
        plan = world.plan()
        lines = [line for line, _ in (*plan_lines(plan), *drift_lines(world.drift()))]
        assert lines.count("Plan: 0 to add, 1 to change, 0 to destroy.") == 1, text
        bad += wrong(lines)
        told = document(json.dumps([plan_document(plan), state_document(world.state)]))
        bad += wrong([told], 10**9)
        assert json.loads(told)[0]["resource_drift"][0]["change"]["after"]["name"] == text
        faces += 2
    report(n=len(names), taken=kept, faces=faces, wrong=len(bad))
    assert bad == []
    assert kept > len(names) // 2


def test_no_text_of_a_stack_or_an_error_redraws_forges_or_commands(world: World, report: Report) -> None:
    bad: list[str] = []
    names = list(texts(2, size(200, 2000)))
    taken = 0
    for text in names:
        world.write(
            json.dumps(
                {
                    "stack": "test",
                    "datasets": {"d": {"name": text, "description": text}},
                    "outputs": {"o": text},
                }
            )
        )
        try:
            plan = world.plan()
            taken += 1
            bad += wrong([line for line, _ in plan_lines(plan)])
            bad += wrong([document(json.dumps(plan_document(plan)))], 10**9)
        except Exception as error:  # refused: then what is said of it is looked at
            bad += wrong([sentence(str(problem)) for problem in getattr(error, "problems", [])])
        step = Step("x", "create", Address("dataset", text), id=text)
        for type in ("start", "said", "done", "failed", "skipped"):
            event = Event(type, step, 1.0, text, text, (Problem(text, text, address=step.address),))
            bad += wrong([line for line, _ in event_lines(event)], 10**6)
        bad += wrong(
            [
                line
                for line, _ in attribute_lines(step.address, text, {text: text, "label": {text: text}}, {})
            ],
            10**6,
        )
    report(n=len(names), taken=taken, wrong=len(bad))
    assert bad == []
    assert 0 < taken < len(names)
