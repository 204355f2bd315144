"""Killed anywhere, and once more while it recovers: one plain apply later everything is there, once.

Each stage begins with a workspace and a state as an apply left them, and is killed after everything it
does to a file of the state or a socket (nightly: at every call that touches one). What counts is judged by `converged`: an undisturbed run says
what should be there.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable

import pytest

from tests.reliability.bench import Bench
from tests.reliability.conftest import Report
from tests.reliability.killing import STRACE, Point, kill_at, points, traced
from tests.reliability.sizes import size
from tests.reliability.stages import NAMES, Stage, Stages

needs_strace = pytest.mark.skipif(STRACE is None, reason="there is no strace here")


def _calls(bench: Bench, stage: Stage) -> tuple[list[Point], int]:
    """Where to kill it, and how many calls there are in all."""
    bench.back(stage.start)
    child, log = traced(bench, stage.words)
    assert child.code == 0, child.result()
    return points(bench, log, each=size(False, True)), len(points(bench, log))


@needs_strace
@pytest.mark.reliability
@pytest.mark.parametrize("name", NAMES)
def test_a_kill_at_any_call_is_mended_by_one_apply(stages: Stages, name: str, report: Report) -> None:
    bench, stage = stages.bench, stages[name]
    every, calls = _calls(bench, stage)
    assert calls > 60 and len(every) > 40
    killed, wrong = 0, []
    for point in every:
        bench.back(stage.start)
        killed += kill_at(bench, stage.words, point)
        wrong += [f"{point}: {what}" for what in stages.judged(stage)]
    report(name=f"killed at any call ({name})", n=len(every), of=calls, killed=killed, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)
    assert killed >= 0.8 * len(every)


@pytest.mark.reliability
@pytest.mark.parametrize("name", NAMES)
def test_a_kill_between_commit_and_answer_is_mended_by_one_apply(
    stages: Stages, name: str, report: Report
) -> None:
    bench, stage = stages.bench, stages[name]
    wrong = []
    for nth in range(1, stage.mutations + 1):
        bench.back(stage.start)
        _kill_unanswered(bench, stage, nth)
        wrong += [f"mutation {nth}: {what}" for what in stages.judged(stage)]
    report(name=f"killed after the commit ({name})", n=stage.mutations, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)


def _kill_unanswered(bench: Bench, stage: Stage, nth: int) -> None:
    """Let the n-th mutation commit, and kill who waits for its answer."""
    bench.fault("after_commit", {"barrier": "unanswered"}, type="mutation", nth=nth)
    child = bench.start(*stage.words)
    waiting = bench.tell("GET", "/barrier/unanswered?waiting=1&seconds=20")["waiting"]
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert waiting == 1
    bench.behave()


@needs_strace
@pytest.mark.reliability
def test_a_kill_while_it_recovers_is_mended_by_two_applies(
    stages: Stages, report: Report, seeds: Callable[[int], list[int]]
) -> None:
    bench = stages.bench
    every = {name: _calls(bench, stages[name])[0] for name in NAMES}
    killed, wrong, chosen = 0, [], seeds(size(40, 2000))
    for seed in chosen:
        dice = random.Random(seed)
        name = dice.choice(list(every))
        stage = stages[name]
        first, second = dice.choice(every[name]), dice.choice(every[name])
        bench.back(stage.start)
        killed += kill_at(bench, stage.words, first) + kill_at(bench, stage.words, second)
        wrong += [f"--seed {seed}: {name} {first} {second}: {what}" for what in stages.judged(stage, 2)]
    report(name="killed twice", n=len(chosen), killed=killed, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)
