"""Killed, and killed again while the next run recovers: two plain applies later everything is there, once."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.reliability.conftest import Report
from tests.reliability.killing import kill_at, needs_strace, where_to_kill
from tests.reliability.sizes import size
from tests.reliability.stages import NAMES, Stages


@needs_strace
@pytest.mark.reliability
def test_a_kill_while_it_recovers_is_mended_by_two_applies(
    stages: Stages, report: Report, seeds: Callable[[int], list[int]]
) -> None:
    bench = stages.bench
    every = {name: where_to_kill(bench, stages[name])[0] for name in NAMES}
    killed, wrong, chosen = 0, [], seeds(size(200, 2000))
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
