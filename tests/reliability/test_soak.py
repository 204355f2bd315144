"""Three requests in ten go wrong, whatever they are; apply is run until it succeeds, and all must be right.

While the faults last nothing may be made twice or lost (safety); once they end, the next apply finishes
(liveness).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.reliability import story
from tests.reliability.bench import APPLY, Bench, a_bench
from tests.reliability.conftest import Report
from tests.reliability.converged import converged, living
from tests.reliability.sizes import size

pytestmark = pytest.mark.reliability

RUNS = 3
"""Applies while the weather is bad."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with a_bench(tmp_path_factory.mktemp("soak")) as found:
        yield found


def weather(seed: int) -> list[dict[str, Any]]:
    """Lost answers, refusals and throttling, each for one request in ten."""
    share = {"p": 0.1}
    wait = {"http": {"status": 429, "headers": {"retry-after": "0"}}}
    return [
        {"seed": seed, "match": share, "at": "accept", "do": [wait]},
        {"seed": seed + 1, "match": share, "at": "before_exec", "do": [{"http": {"status": 500}}]},
        {"seed": seed + 2, "match": share, "at": "after_commit", "do": [{"close": "rst"}]},
    ]


def test_bad_weather_makes_nothing_twice_and_ends(bench: Bench, report: Report) -> None:
    begin = bench.keep()
    bench.done(*APPLY)
    wanted = living(bench)
    wrong: list[str] = []
    finished = 0
    seeds = range(size(3, 100))
    for seed in seeds:
        bench.back(begin)
        bench.write(story.FIRST)
        bench.tell("PUT", "/faults", weather(1000 * seed))
        ended = any(bench.command(*APPLY).returncode == 0 for _ in range(RUNS))
        bench.behave()
        finished += ended
        last = bench.command(*APPLY)
        if last.returncode:
            wrong.append(f"seed {seed}: {last.stdout}{last.stderr}")
        wrong += [f"seed {seed}: {line}" for line in converged(bench, wanted)]
    report(n=len(seeds), finished_in_bad_weather=finished, wrong=len(wrong))
    assert wrong == []
