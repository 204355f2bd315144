"""Killed in the middle of a change, and then the change is taken back: one plain apply of what was before, and
that is there, once, and nothing beside it."""

from __future__ import annotations

import pytest

from tests.reliability import story
from tests.reliability.bench import APPLY
from tests.reliability.conftest import Report
from tests.reliability.converged import converged
from tests.reliability.killing import kill_at, needs_strace, points, spread, traced
from tests.reliability.sizes import size
from tests.reliability.stages import Stages

CHANGE = story.SECOND.replace(", color: '#ff0000'", "")
"""Without what nobody manages any more once it is taken back, so that it stays."""


@needs_strace
@pytest.mark.reliability
def test_a_change_that_was_killed_and_is_taken_back_leaves_what_was_there_before(
    stages: Stages, report: Report
) -> None:
    bench, stage, wrong, killed = stages.bench, stages.change, [], 0
    bench.back(stage.start)
    bench.write(CHANGE)
    child, log = traced(bench, stage.words)
    assert child.code == 0, child.result()
    every = points(bench, log, each=size(False, True))
    chosen = spread(every, size(16, len(every)))
    for point in chosen:
        bench.back(stage.start)
        bench.write(CHANGE)
        killed += kill_at(bench, stage.words, point)
        bench.write(story.FIRST)
        again = bench.command(*APPLY)
        told = [f"ended with {again.returncode}\n{again.stdout[-1500:]}{again.stderr}"]
        told = converged(bench, stages.create.wanted) if again.returncode == 0 else told
        wrong += [f"{point}: {what}" for what in told]
    report(
        name="killed in a change that is taken back",
        n=len(chosen),
        of=len(every),
        killed=killed,
        wrong=len(wrong),
    )
    assert not wrong, "\n".join(wrong)
    assert killed >= 0.8 * len(chosen)
