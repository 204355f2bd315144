"""Which rows a project holds and which queue each waits in (API reference 1.7, 1.9)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import ATTACH, NEW_LABEL, NEW_ROW, dataset, project
from workspace import Workspace

from lbstack.sandbox.workflow import sampled

STATES = """query ($p: ID!) { project(where: {id: $p}) {
  workstreamStateCounts { state count } completedDataRowCount taskQueues { queueType dataRowCount } } }"""
REVIEW = """mutation ($p: ID!, $share: Float!) {
  upsertReviewQueue(where: {project: {id: $p}}, data: {quotaFactor: $share}) { id } }"""


def states(box: Workspace, p: str) -> dict[str, int]:
    """The states that any row is in; the queues are held to agree with them."""
    found = box.ask(STATES, p=p)
    counts = {each["state"]: each["count"] for each in found["workstreamStateCounts"]}
    queues = [each["dataRowCount"] for each in found["taskQueues"]]
    assert queues == [counts["Unlabeled"], counts["InReview"], counts["InRework"]]
    assert found["completedDataRowCount"] == counts["Done"]
    assert counts["All"] == sum(queues) + counts["Done"]
    return {state: count for state, count in counts.items() if count}


def attached(box: Workspace, rows: int) -> tuple[str, list[str]]:
    """A project with a dataset attached: the ids of the project and of the dataset's rows."""
    p, d = project(box), dataset(box)
    box.ask(ATTACH, p=p, d=d)
    return p, [box.ask(NEW_ROW, d=d)["id"] for _ in range(rows)]


def label(box: Workspace, p: str, row: str) -> str:
    return str(box.ask(NEW_LABEL, p=p, r=row, label=json.dumps({}))["id"])


def delete_label(box: Workspace, ident: str) -> Any:
    return box.ask("mutation ($ids: [ID!]!) { deleteLabels(labelIds: $ids) { id deleted } }", ids=[ident])


def test_a_row_is_labelled_and_done_and_waits_again_when_its_label_is_deleted(box: Workspace) -> None:
    p, (one, _) = attached(box, 2)
    assert states(box, p) == {"Unlabeled": 2, "All": 2}
    made = label(box, p, one)
    assert states(box, p) == {"Unlabeled": 1, "Done": 1, "Labeled": 1, "All": 2}
    delete_label(box, made)
    assert states(box, p) == {"Unlabeled": 2, "All": 2}


def test_the_review_step_takes_its_share_of_what_was_labelled(box: Workspace) -> None:
    p, rows = attached(box, 4)
    box.ask(REVIEW, p=p, share=0.5)
    for row in rows:
        label(box, p, row)
    assert states(box, p) == {"InReview": 2, "Done": 2, "Labeled": 4, "All": 4}


def test_a_consensus_project_wants_several_labels_of_its_share(box: Workspace) -> None:
    create = """mutation { createProject(data: {name: "c", isConsensusEnabled: true,
      autoAuditNumberOfLabels: 2, autoAuditPercentage: 1}) { id } }"""
    p, d = box.ask(create)["id"], dataset(box)
    box.ask(ATTACH, p=p, d=d)
    row = box.ask(NEW_ROW, d=d)["id"]
    first = label(box, p, row)
    assert states(box, p) == {"Unlabeled": 1, "Labeled": 1, "All": 1}
    label(box, p, row)
    assert states(box, p) == {"Done": 1, "Labeled": 1, "All": 1}
    delete_label(box, first)
    assert states(box, p) == {"Unlabeled": 1, "Labeled": 1, "All": 1}


def test_deleted_rows_and_datasets_leave_the_project(box: Workspace) -> None:
    p, (one, _) = attached(box, 2)
    label(box, p, one)
    box.ask("mutation ($r: ID!) { deleteDataRows(where: {dataRowIds: [$r]}) { id } }", r=one)
    assert states(box, p) == {"Unlabeled": 1, "All": 1}
    d = box.ask("{ datasets { id } }")[0]["id"]
    box.ask("mutation ($d: ID!) { updateDataset(where: {id: $d}, data: {deleted: true}) { id } }", d=d)
    assert states(box, p) == {}


@pytest.mark.parametrize(("share", "count"), [(0, 0), (0.1, 1), (0.5, 5), (1, 10)])
def test_a_share_is_spread_evenly(share: float, count: int) -> None:
    assert sum(sampled(place, share) for place in range(1, 11)) == count
