"""Killed anywhere, and then the stack is destroyed instead of applied once more: nothing of it is left."""

from __future__ import annotations

import pytest

from tests.reliability.bench import DESTROY, Bench
from tests.reliability.conftest import Report
from tests.reliability.converged import LIVING, planned, state_store, undecided
from tests.reliability.killing import kill_and_judge, kill_unanswered, needs_strace
from tests.reliability.stages import Stages

pytestmark = [pytest.mark.reliability, pytest.mark.parametrize("name", ["create", "change"])]

STAY = ("iam_integrations", "users")
"""What no destroy ends: integrations cannot be deleted, and people who were there before stay."""

LEFT = {
    **{table: sql for table, sql in LIVING.items() if table not in STAY},
    # Whose project is gone is nobody's: the service's own ontology, too.
    "ontologies": "SELECT * FROM ontologies WHERE deleted = 0",
}


def left(bench: Bench) -> list[str]:
    """What is wrong after a destroy that ended well."""
    found = [f"{table}: there is {row}" for table, sql in LEFT.items() for row in bench.store.rows(sql)]
    state = state_store(bench).load()
    known = [f"state knows {address}" for address in state.resources]
    return found + known + undecided(state) + planned(bench, state, destroyed=True)


def destroyed(bench: Bench) -> list[str]:
    """What is wrong after the destroy that is wanted instead."""
    done = bench.command(*DESTROY)
    return left(bench) if done.returncode == 0 else [f"ended with {done.returncode}\n{done.stderr}"]


@needs_strace
def test_a_destroy_after_a_kill_leaves_nothing(stages: Stages, name: str, report: Report) -> None:
    bench = stages.bench
    kill_and_judge(
        bench, stages[name], lambda: destroyed(bench), report, f"killed, then destroyed ({name})", 10
    )


def test_so_does_one_after_a_kill_between_commit_and_answer(
    stages: Stages, name: str, report: Report
) -> None:
    bench, stage, wrong = stages.bench, stages[name], []
    for nth in range(1, stage.mutations + 1):
        bench.back(stage.start)
        kill_unanswered(bench, stage.words, nth)
        wrong += [f"mutation {nth}: {what}" for what in destroyed(bench)]
    report(name=f"killed after the commit, then destroyed ({name})", n=stage.mutations, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)
