"""Killed in the middle of a change, and then the change is taken back: one plain apply of what was before, and
that is there, once, and nothing beside it."""

from __future__ import annotations

import pytest

from tests.reliability import story
from tests.reliability.bench import APPLY
from tests.reliability.conftest import Report
from tests.reliability.converged import converged
from tests.reliability.killing import kill_and_judge, needs_strace
from tests.reliability.stages import Stages

CHANGE = story.SECOND.replace(", color: '#ff0000'", "")
"""Without what nobody manages any more once it is taken back, so that it stays."""


@needs_strace
@pytest.mark.reliability
def test_a_change_that_was_killed_and_is_taken_back_leaves_what_was_there_before(
    stages: Stages, report: Report
) -> None:
    bench = stages.bench

    def taken_back() -> list[str]:
        bench.write(story.FIRST)
        again = bench.command(*APPLY)
        if again.returncode != 0:
            return [f"ended with {again.returncode}\n{again.stdout[-1500:]}{again.stderr}"]
        return converged(bench, stages.create.wanted)

    name = "killed in a change that is taken back"
    kill_and_judge(bench, stages.change, taken_back, report, name, 16, CHANGE)
