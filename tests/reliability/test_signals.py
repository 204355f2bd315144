"""Told to stop at any instant, or with nobody to read what it says: nothing is lost, the lock is free.

The instants are requests: one is held at the sandbox's door, the signal is sent, the request is let in.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.bench import APPLY, DESTROY, Bench
from tests.reliability.children import Child
from tests.reliability.conftest import Report
from tests.reliability.converged import converged, state_store
from tests.reliability.sizes import size
from tests.reliability.stages import NAMES, Stage, Stages

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WORKERS = 3


def held_at(bench: Bench, stage: Stage, nth: int, *more: str) -> Child:
    """A command whose n-th request waits at the door."""
    bench.fault("accept", {"barrier": "door"}, nth=nth)
    child = bench.start(*stage.words, "--parallelism", str(WORKERS), *more)
    assert bench.reached("door")
    return child


def completions(child: Child) -> int:
    """How many steps the command has told to be complete, so far."""
    lines = [json.loads(line) for line in child.out.read_text().splitlines() if line.endswith("}")]
    return sum(line["type"] == "apply_complete" for line in lines)


@pytest.mark.reliability
def test_a_signal_at_any_request_stops_in_order(
    stages: Stages, report: Report, seeds: Callable[[int], list[int]]
) -> None:
    bench, wrong, stopped, chosen = stages.bench, [], 0, seeds(size(18, 200))
    for seed in chosen:
        dice = random.Random(seed)
        name, number = dice.choice(NAMES), SIGNALS[seed % 3]
        stage = stages[name]
        nth = dice.randint(1, stage.requests)
        bench.back(stage.start)
        child = held_at(bench, stage, nth, "--json")
        before = completions(child)
        os.kill(child.pid, number)
        bench.behave()
        code = child.wait()
        told = f"--seed {seed}: {name}, {number.name} at request {nth}"
        stopped += code == 130
        if code not in (0, 130, -number) or (code == -number and before):
            wrong.append(f"{told}: ended with {code}\n{child.result().stderr}")
        if completions(child) - before > WORKERS:
            wrong.append(f"{told}: went on with {completions(child) - before} steps")
        if state_store(bench).held():
            wrong.append(f"{told}: left its lock behind")
        wrong += [f"{told}: {what}" for what in stages.judged(stage)]
    report(name="signals", n=len(chosen), stopped=stopped, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.reliability
@pytest.mark.parametrize("number", SIGNALS)
def test_the_second_signal_ends_at_once(stages: Stages, number: int, report: Report) -> None:
    """Nobody answers: the first signal waits for what is in flight, the second does not."""
    bench, wrong = stages.bench, []
    counted = size(2, 30)
    for turn in range(counted):
        stage = stages[NAMES[turn % 2]]
        nth = stage.requests // 2 + turn % (stage.requests // 2)
        bench.back(stage.start)
        child = held_at(bench, stage, nth)
        os.kill(child.pid, number)
        child.told("Stopping")
        os.kill(child.pid, number)
        code = child.wait()  # the door is still shut
        bench.behave()
        if code not in (130, -number):
            wrong.append(f"ended with {code}\n{child.result().stderr}")
        wrong += [f"request {nth}: {what}" for what in stages.judged(stage)]
    report(name=f"second signal ({signal.Signals(number).name})", n=counted, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.reliability
def test_an_apply_that_nobody_reads_is_done_all_the_same(stages: Stages, report: Report) -> None:
    """The reader leaves after so many bytes, as ``| head`` does, or the disk of the log is full."""
    bench, wrong = stages.bench, []
    turns = size([0, 1, 700, 2500], [0, *range(1, 4000, 100)])
    for turn, most in enumerate(turns):
        stage = stages[NAMES[turn % 3]]
        bench.back(stage.start)
        read, write = os.pipe()
        process = bench.whole(*stage.words, stdout=write)
        os.close(write)
        taken = 0
        while taken < most and (chunk := os.read(read, most - taken)):
            taken += len(chunk)
        os.close(read)
        process.communicate(timeout=60)
        wrong += [f"{most} bytes read: {what}" for what in _done(bench, stage, process.returncode)]
    for words, full in ((APPLY, True), (DESTROY, False)):
        stage = stages.change if words == APPLY else stages.destroy
        bench.back(stage.start)
        with Path("/dev/full" if full else "/dev/null").open("w") as sink:
            process = bench.whole(*stage.words, stdout=sink, stderr=sink)
            process.wait(60)
        wrong += [f"full={full}: {what}" for what in _done(bench, stage, process.returncode)]
    report(name="nobody reads", n=len(turns) + 2, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)


def _done(bench: Bench, stage: Stage, code: int) -> list[str]:
    """What is wrong without another run: what was to be done is done."""
    told = [f"ended with {code}"] if code not in (0, 1) else []
    return told + converged(bench, stage.wanted, stage.kept, destroyed=stage.words == DESTROY)
