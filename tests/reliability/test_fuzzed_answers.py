"""Answers spoilt at random, to writes and to reads: no crash, no lie about what was done, nothing planned.

What was really done is read from the workspace itself. The spoiling makes no answer that proves a refusal
(a code that refuses, a 429): where the service itself lies, nobody could know better.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbstack.api.wire import ApiWire
from lbstack.errors import Committed, OutcomeUnknown, StackError
from lbstack.plan.changes import Action
from tests.reliability.between import Exchange, SpoiltWorld
from tests.reliability.conftest import Report
from tests.reliability.sizes import size

pytestmark = pytest.mark.reliability

WRITES, READS = size((4_000, 1_000), (40_000, 10_000))
CREATE = """mutation Create($name: String!) { createDataset(data: {name: $name, description: "x"}) { id } }"""
REFUSED = """mutation Create($name: Stringy!) { createDataset(data: {name: $name}) { id } }"""
STATUSES = (
    200,
    200,
    200,
    200,
    200,
    201,
    301,
    302,
    400,
    401,
    403,
    404,
    408,
    413,
    425,
    499,
    500,
    502,
    503,
    520,
)
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1.5, "", "x", "\ud800", "null", [], {}, [None], [[]], {"id": None}, {"id": ""},
    {"id": 7}, {"data": {}}, "[" * 3,
)  # fmt: skip
HEADERS = (
    (b"content-encoding", b"gzip"),
    (b"content-type", b"text/html"),
    (b"retry-after", b"-7"),
    (b"date", b"?"),
)


def bytes_of(dice: random.Random, body: bytes) -> bytes:
    """The body with some of its bytes changed, lost, doubled or cut off."""
    for _ in range(dice.choice((1, 1, 2, 5))):
        at, length = dice.randrange(len(body) + 1), dice.randrange(1, 12)
        body = dice.choice(
            (
                lambda b=body, a=at: b[:a],
                lambda b=body, a=at: b[a:],
                lambda b=body, a=at, n=length: b[:a] + b[a + n :],
                lambda b=body, a=at, n=length: b[:a] + dice.randbytes(n) + b[a:],
                lambda b=body, a=at, n=length: b[:a] + b[a : a + n] * 2 + b[a + n :],
                lambda b=body, a=at: b[:a] + dice.choice(b'{}[]",:0\\').to_bytes(1, "big") + b[a + 1 :],
            )
        )()
    return body


def values_of(dice: random.Random, value: Any) -> Any:
    """The value with something in it replaced, lost or added."""
    if isinstance(value, dict) and value and dice.random() < 0.8:
        name = dice.choice(list(value))
        if dice.random() < 0.15:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: values_of(dice, value[name])}
    if isinstance(value, list) and value and dice.random() < 0.8:
        at = dice.randrange(len(value))
        return [*value[:at], values_of(dice, value[at]), *value[at + 1 :]]
    return dice.choice(VALUES)


def errors_of(dice: random.Random) -> Any:
    """Errors of odd shapes that prove nothing, or that it ran."""
    error = dice.choice(
        (
            {}, {"message": None}, {"message": "x", "path": ["createDataset", "name"]}, {"path": 7}, 7, None, "no",
            {"message": "x", "path": ["createDataset"], "extensions": {"code": "INTERNAL_SERVER_ERROR"}},
            {"message": "x", "path": ["other"], "extensions": {"code": "RESOURCE_CONFLICT"}},
            {"message": "x", "path": ["createDataset"], "extensions": {"code": 7, "exception": 7}},
            {"message": "x", "path": [["createDataset"]], "extensions": []},
        )
    )  # fmt: skip
    return dice.choice(([error], [error, error], error, {"0": error}))


def spoilt(dice: random.Random, told: Exchange) -> Exchange:
    how = dice.random()
    if how < 0.4:
        told = replace(told, body=bytes_of(dice, told.body))
    elif how < 0.75:
        told = told.json(values_of(dice, json.loads(told.body)))
    else:
        body = {**json.loads(told.body), "errors": errors_of(dice)}
        told = told.json(
            body if dice.random() < 0.3 else {**body, "data": dice.choice((None, {"createDataset": None}))}
        )
    if dice.random() < 0.2:
        told = replace(told, headers=(*told.headers, dice.choice(HEADERS)))
    return replace(told, status=dice.choice(STATUSES)) if dice.random() < 0.4 else told


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.config.getoption("seed", None) or 4)


def test_what_is_said_of_a_write_is_so(tmp_path: Path, dice: random.Random, report: Report) -> None:
    world = SpoiltWorld(tmp_path)
    world.between.spoil = lambda told: spoilt(dice, told) if told.status == 200 else told
    counts = dict.fromkeys(("told", "committed", "unknown", "refused"), 0)

    def made(name: str) -> int:
        return int(world.workspace.value("SELECT count(*) FROM datasets WHERE name = ?", [name]))

    async def write(wire: ApiWire, name: str) -> None:
        try:
            answer = await wire.mutate(CREATE, name=name)
        except Committed:
            counts["committed"] += 1
        except OutcomeUnknown:
            counts["unknown"] += 1
        except StackError as error:
            counts["refused"] += 1
            assert made(name) == 0, error
            return
        else:
            counts["told"] += 1
            assert "createDataset" in answer
        assert made(name) == 1  # and never twice, whatever came back

    async def run(wire: ApiWire) -> None:
        for number in range(WRITES):
            await write(wire, f"d{number}")

    world.wired(run)
    report(n=WRITES, **counts)
    assert counts["refused"] == 0
    assert min(counts["told"], counts["committed"], counts["unknown"]) > WRITES // 1000


def test_what_was_refused_is_never_taken_for_done(
    tmp_path: Path, dice: random.Random, report: Report
) -> None:
    world = SpoiltWorld(tmp_path)

    def spoil(told: Exchange) -> Exchange:
        return replace(told, body=bytes_of(dice, told.body))

    world.between.spoil = spoil
    tries = WRITES // 8

    async def run(wire: ApiWire) -> None:
        for number in range(tries):
            with pytest.raises(StackError) as caught:
                await wire.mutate(REFUSED, name=f"d{number}")
            assert not isinstance(caught.value, Committed)

    world.wired(run)
    assert world.workspace.value("SELECT count(*) FROM datasets") == 0
    report(n=tries)


def test_a_spoilt_read_plans_nothing_anew_and_nothing_away(
    tmp_path: Path, dice: random.Random, report: Report
) -> None:
    world = SpoiltWorld(tmp_path)
    world.write(
        "stack: test\ndatasets:\n  a: {name: A}\n  b: {name: B, description: x}\n"
        "members:\n  m@example.com: {role: LABELER}\nwebhooks: {}\n"
    )
    world.apply()
    before = world.store.path.read_bytes()
    harmless = {Action.NOOP, Action.UPDATE}
    failed = 0
    for _ in range(READS):
        at = dice.randrange(3)
        world.between.requests = 0
        last = dice.choice((at, 99))  # an answer that is spoilt once is asked for again
        world.between.spoil = lambda told, at=at, last=last: (
            spoilt(dice, told) if at <= told.number <= last else told
        )
        try:
            plan = world.plan()
        except StackError:
            failed += 1
        else:
            assert {change.action for change in plan.changes} <= harmless, plan.changes
        assert world.store.path.read_bytes() == before
    report(n=READS, failed=failed)
    assert failed
