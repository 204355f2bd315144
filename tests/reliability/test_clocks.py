"""Clocks that are wrong, that jump, or that nobody tells: everything is made once, and nothing is lost.

What this machine's clock says decides nothing (`tests/test_house.py` sees to it that nobody asks it), and
the service's clock is only ever compared with itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.reliability.bench import APPLY, Bench
from tests.reliability.conftest import Report
from tests.reliability.converged import converged
from tests.reliability.sizes import size
from tests.reliability.stages import NAMES, Stages, the_stages

pytestmark = pytest.mark.reliability

DAY = 86_400
TEN_MINUTES = 600
CLIENT = {"a day behind": str(-DAY), "jumping": "jumps"}
CLIENT |= size({}, {"right": "0", "a day ahead": str(DAY)})
SERVICE: dict[str, dict[str, Any]] = {
    "right": {},
    "ten minutes ahead": {"clock_offset_s": TEN_MINUTES},
    "ten minutes behind": {"clock_offset_s": -TEN_MINUTES},
    "not told": {"date_header": False},
}
CREATES = ("createAzureIamIntegration", "createDataset", "upsertOntology", "createProject", "createWebhook")
RIGHT = {"clock_offset_s": 0, "date_header": True}


@pytest.fixture(scope="module")
def skewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    with the_stages(tmp_path_factory.mktemp("clocks"), shim="tests.reliability.skewed") as made:
        yield made


@pytest.fixture
def bench(skewed: Stages) -> Iterator[Bench]:
    yield skewed.bench
    skewed.bench.behave()
    skewed.bench.tell("POST", "/world", RIGHT)
    skewed.bench.env.pop("SKEW", None)


@pytest.mark.parametrize("service", SERVICE)
@pytest.mark.parametrize("client", CLIENT)
def test_wrong_clocks_make_nothing_twice(
    skewed: Stages, bench: Bench, client: str, service: str, report: Report
) -> None:
    """Each stage, undisturbed, and each create once with its answer lost."""
    bench.env["SKEW"] = CLIENT[client]
    wrong, creates = [], CREATES[:: size(3, 1)]
    trials: list[tuple[str, str | None]] = [(name, None) for name in NAMES]
    trials += [("create", op) for op in creates]
    for name, op in trials:
        stage = skewed[name]
        bench.back(stage.start)
        bench.tell("POST", "/world", SERVICE[service])
        if op:
            bench.fault("after_commit", {"http": {"status": 502}}, op=op, nth=1)
        first = bench.command(*stage.words)
        bench.behave()
        if first.returncode:
            wrong += [f"{name}, {op}: {line}" for line in skewed.judged(stage)]
        else:
            told = converged(bench, stage.wanted, stage.kept, destroyed=name == "destroy")
            wrong += [f"{name}, {op}: {line}" for line in told]
    report(name=f"clocks: here {client}, there {service}", n=len(trials), wrong=len(wrong))
    assert wrong == []


@pytest.mark.parametrize("step", size([TEN_MINUTES, -DAY], [TEN_MINUTES, -TEN_MINUTES, DAY, -DAY]))
def test_a_clock_that_steps_in_the_middle_makes_nothing_twice(
    skewed: Stages, bench: Bench, step: int, report: Report
) -> None:
    """Both clocks step, in opposite ways, between a create and the look for what became of it."""
    stage, wrong = skewed["create"], []
    for op in CREATES:
        bench.back(stage.start)
        bench.tell("POST", "/world", RIGHT)
        bench.env["SKEW"] = str(-step)
        bench.fault("after_commit", {"barrier": "lost"}, {"http": {"status": 502}}, op=op, nth=1)
        child = bench.start(*APPLY)
        assert bench.reached("lost")
        bench.tell("POST", "/world", {"clock_offset_s": step})
        bench.tell("POST", "/barrier/lost/release")
        code = child.wait()
        bench.behave()
        bench.env["SKEW"] = str(step)
        wrong += [f"{op}: {line}" for line in (skewed.judged(stage) if code else [])]
        wrong += [f"{op}: {line}" for line in converged(bench, stage.wanted, stage.kept)]
    report(name=f"clocks that step by {step} s", n=len(CREATES), wrong=len(wrong))
    assert wrong == []
