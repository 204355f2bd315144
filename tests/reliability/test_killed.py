"""Killed anywhere: one plain apply later everything is there, once.

Each stage begins with a workspace and a state as an apply left them, and is killed after everything it
does to a file of the state or a socket (nightly: at every call that touches one). What counts is judged by
`converged`: an undisturbed run says what should be there.
"""

from __future__ import annotations

import pytest

from tests.reliability.conftest import Report
from tests.reliability.killing import kill_at, kill_unanswered, needs_strace, where_to_kill
from tests.reliability.stages import NAMES, Stages


@needs_strace
@pytest.mark.reliability
@pytest.mark.parametrize("name", NAMES)
def test_a_kill_at_any_call_is_mended_by_one_apply(stages: Stages, name: str, report: Report) -> None:
    bench, stage = stages.bench, stages[name]
    every, calls = where_to_kill(bench, stage)
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
        kill_unanswered(bench, stage.words, nth)
        wrong += [f"mutation {nth}: {what}" for what in stages.judged(stage)]
    report(name=f"killed after the commit ({name})", n=stage.mutations, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)
