"""Creates that the service carries out late, or that somebody on the way repeats: none of it goes unseen.

What is carried out while it is waited for is taken over. What comes later, or twice, is told by id in the
next plan, with the command that removes it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.reliability.bench import APPLY, SETTLE, Bench, Moment, a_bench
from tests.reliability.conftest import Report
from tests.reliability.converged import Rows, converged, living
from tests.reliability.sizes import size

pytestmark = pytest.mark.reliability

WEBHOOK = "createWebhook"
CREATES = ("createAzureIamIntegration", "createDataset", "upsertOntology", "createProject", WEBHOOK)
INVITES = "createInvites"
LATE = size(((0.2, 3.0), (1.3, SETTLE)), ((0.05, 3.0), (0.2, 3.0), (1.0, 3.0), (1.0, SETTLE), (2.5, SETTLE)))
"""Seconds after which a request that was given up is carried out, and for how long it is waited for."""

Story = tuple[Bench, Moment, Rows]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with a_bench(tmp_path_factory.mktemp("late")) as bench:
        begin = bench.keep()
        bench.done(*APPLY)
        yield bench, begin, living(bench)


def cleared(bench: Bench, wanted: Rows, *, twins: int) -> list[str]:
    """What is wrong after the orphans that a plan tells are removed as it says."""
    plan = bench.command("plan", "stack.yaml")
    doubtful = re.findall(r"\? \S+: (\S+) \(.*\) looks like one of this stack's", plan.stdout)
    seen = plan.stdout.count("belongs to no address") + len(doubtful)
    if seen != twins:
        return [f"{seen} orphans told, {twins} there\n{plan.stdout}{plan.stderr}"]
    if twins and "lbstack gc stack.yaml" not in plan.stdout:
        return [f"no way out is told\n{plan.stdout}"]
    if doubtful:  # nothing marks them: they stay until somebody names them
        before = living(bench)
        bench.done("gc", "stack.yaml", "--auto-approve")
        if living(bench) != before:
            return ["what may be somebody else's was removed"]
    if twins:
        also = [word for id in doubtful for word in ("--also", id)]
        bench.done("gc", "stack.yaml", "--auto-approve", *also)
    kept = frozenset(row["id"] for row in bench.store.rows("SELECT id FROM iam_integrations"))
    left = {**wanted, "iam_integrations": living(bench)["iam_integrations"]}  # these have no end
    return converged(bench, left, kept)


def test_what_is_carried_out_late_is_taken_over_or_told(told: Story, report: Report) -> None:
    bench, begin, wanted = told
    wrong, trials = [], [(op, late, settle) for op in CREATES for late, settle in LATE]
    for op, late, settle in trials:
        bench.back(begin)
        lost = {"http": {"status": 504}}
        bench.fault("before_exec", {"commit_after_ms": int(late * 1000)}, lost, op=op, nth=1)
        first = bench.command(*APPLY, LBSTACK_SETTLE=str(settle))
        bench.behave()
        time.sleep(max(0.0, late - SETTLE))  # until it has happened
        if first.returncode:
            bench.done(*APPLY)
        wrong += [f"{op}, {late}s: {line}" for line in cleared(bench, wanted, twins=int(late > settle))]
    report(n=len(trials), wrong=len(wrong))
    assert wrong == []


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_repeated_on_the_way_is_told(told: Story, report: Report, times: int) -> None:
    bench, begin, wanted = told
    wrong = []
    for op in (*CREATES, INVITES):
        bench.back(begin)
        bench.fault("after_commit", {"replay": times}, op=op, nth=1)
        bench.done(*APPLY)
        bench.behave()
        wrong += [f"{op}, {times} more: {line}" for line in cleared(bench, wanted, twins=times)]
    report(n=len(CREATES) + 1, wrong=len(wrong))
    assert wrong == []


def test_a_repeated_request_whose_answer_is_lost_is_taken_over_once(told: Story, report: Report) -> None:
    bench, begin, wanted = told
    wrong = []
    for op in CREATES:
        bench.back(begin)
        bench.fault("after_commit", {"replay": 1}, {"http": {"status": 502}}, op=op, nth=1)
        first = bench.command(*APPLY)
        bench.behave()
        if op == WEBHOOK:  # nothing tells the two apart, and either could be somebody else's
            alive = [row["id"] for row in bench.store.rows("SELECT id FROM webhooks WHERE status = 'ACTIVE'")]
            named = len(alive) == 2 and all(id in first.stdout for id in alive)
            wrong += [] if first.returncode == 4 and named else [f"{op}: {first.stdout}{first.stderr}"]
            continue
        if first.returncode:
            wrong.append(f"{op}: {first.stdout}{first.stderr}")
        wrong += [f"{op}: {line}" for line in cleared(bench, wanted, twins=1)]
    report(n=len(CREATES), wrong=len(wrong))
    assert wrong == []


def test_an_orphan_whose_removal_fails_is_told_again(told: Story, report: Report) -> None:
    bench, begin, wanted = told
    bench.back(begin)
    bench.fault("after_commit", {"replay": 1}, op="createDataset", nth=1)
    bench.done(*APPLY)
    bench.fault("before_exec", {"http": {"status": 502}}, op="updateDataset")
    assert bench.command("gc", "stack.yaml", "--auto-approve").returncode != 0
    bench.behave()
    assert cleared(bench, wanted, twins=1) == []
    report(n=1)


SHARED = """\
stack: {name}
variables: {{hook: {{secret: true}}}}
webhooks:
  w: {{url: "https://relay.example.com/shared", topics: [LABEL_CREATED], secret: "${{var.hook}}"}}
"""


def test_what_another_stack_made_alike_is_never_removed_unasked(told: Story, report: Report) -> None:
    bench, begin, _ = told
    bench.back(begin)
    for name in ("sa", "sb"):
        (bench.folder / f"{name}.yaml").write_text(SHARED.format(name=name))
        bench.done(
            "state", "new", f"{name}.yaml", "--state", f"{name}.json"
        )  # the other's is none of its own
        bench.done("apply", f"{name}.yaml", "--auto-approve", "--state", f"{name}.json")
    before = living(bench)
    where = ("sa.yaml", "--state", "sa.json")
    plan = bench.command("plan", *where)
    assert "may have been made twice by this stack, or be somebody else's" in plan.stdout
    assert "belongs to no address" not in plan.stdout
    gc = bench.command("gc", *where, "--auto-approve")
    assert gc.returncode == 0 and "stays; to remove it, too: --also" in gc.stdout, gc.stdout + gc.stderr
    assert living(bench) == before
    assert bench.command("gc", *where, "--auto-approve", "--also", "no-such").returncode == 64
    assert bench.command("plan", "sb.yaml", "--state", "sb.json", "--detailed-exitcode").returncode == 0
    report(n=2)


def test_a_copy_that_somebody_made_with_the_mark_is_never_removed_unasked(
    told: Story, report: Report
) -> None:
    bench, begin, _ = told
    bench.back(begin)
    bench.done(*APPLY)
    row = bench.store.row("SELECT * FROM datasets WHERE name = 'Teeth'")
    assert row and "[lbstack story/dataset.teeth #" in row["description"]
    with bench.store.transaction():
        bench.store.insert("datasets", {**row, "id": "c" + "2" * 24, "name": "Precious"})
    plan = bench.command("plan", "stack.yaml")
    assert "(Precious) looks like one of this stack's" in plan.stdout, plan.stdout
    bench.done("gc", "stack.yaml", "--auto-approve")
    assert bench.store.row("SELECT * FROM datasets WHERE name = 'Precious' AND deleted = 0")
    report(n=1)
