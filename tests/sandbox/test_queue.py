"""Task queues, priorities, overrides and reservations (API reference 1.7)."""

from __future__ import annotations

from typing import Any

import pytest
from documents import ATTACH, NEW_LABEL, NEW_ROW, dataset, project
from test_batch import create, rows_of
from test_workflow import states
from workspace import Workspace

QUEUES = """query ($p: ID!, $input: DataRowCountQueryInput) { project(where: {id: $p}) {
  taskQueues { id name queueType dataRowCount(input: $input) } } }"""
MOVE = """mutation ($p: ID!, $queue: ID, $rows: AddRowsToTaskQueueViaDataRowIdentifiersInput!) {
  project(where: {id: $p}) {
    createBulkAddRowsToQueueTask(data: {queueId: $queue, dataRowIdentifiers: $rows}) { taskId } } }"""
PRIORITIZE = """mutation ($priority: Int!, $p: ID!, $rows: QueuePriorityUpdateDataRowIdentifiersInput) {
  project(where: {id: $p}) {
    createQueuePriorityUpdateTask(data: {priority: $priority, dataRowIdentifiers: $rows}) { taskId } } }"""
STATUS = "query ($id: ID!) { task(where: {id: $id}) { status type } }"
OVERRIDES = """query ($p: ID!) { project(where: {id: $p}) {
  labelingParameterOverrides(skip: 0, first: 100) { id priority numberOfLabels dataRow { id } } } }"""
SET = """mutation ($p: ID!, $data: [LabelingParameterOverrideInput!],
    $named: [LabelingParameterOverrideByIdentifierInput!]) {
  project(where: {id: $p}) {
    setLabelingParameterOverrides(data: $data, dataWithDataRowIdentifiers: $named) { success } } }"""
UNSET = """mutation ($p: ID!, $data: [UnsetLabelingParameterOverrideInput!]!) {
  project(where: {id: $p}) { unsetLabelingParameterOverrides(data: $data) { success } } }"""
UNSET_ALL = """mutation ($p: ID!) {
  project(where: {id: $p}) { unsetAllLabelingParameterOverrides { success deletedCount } } }"""
ASSIGN = "mutation ($input: BulkAssignDataRowsInput!) { bulkAssignDataRows(input: $input) { success } }"
CLEAR = """mutation ($p: ID!, $q: ID!) {
  clearQueueReservations(input: {projectId: $p, queueId: $q}) { success clearedReservationCount } }"""
EXTEND = "mutation ($p: ID!) { extendReservations(projectId: $p, queueType: LabelingQueue) }"
ME = "{ user { id } }"


def batched(box: Workspace, count: int, prefix: str | None = None) -> tuple[str, list[str]]:
    p, rows = project(box), rows_of(box, count, prefix)
    create(box, p, rows)
    return p, rows


def queues(box: Workspace, p: str, **told: Any) -> Any:
    return box.ask(QUEUES, p=p, **told)["taskQueues"]


def move(box: Workspace, p: str, queue: str | None, *ids: str, by: str = "ID") -> str:
    made = box.ask(MOVE, p=p, queue=queue, rows={"ids": ids, "idType": by})
    task = box.ask(STATUS, id=made["createBulkAddRowsToQueueTask"]["taskId"])
    assert task["type"] == "send-to-task-queue"
    return str(task["status"])


def overrides(box: Workspace, p: str) -> dict[str, tuple[int, int]]:
    found = box.ask(OVERRIDES, p=p)["labelingParameterOverrides"]
    assert all(len(each["id"]) == 25 for each in found)
    return {each["dataRow"]["id"]: (each["priority"], each["numberOfLabels"]) for each in found}


def test_a_new_project_has_three_empty_queues(box: Workspace) -> None:
    found = queues(box, project(box))
    assert [(each["name"], each["dataRowCount"]) for each in found] == [
        ("Initial labeling task", 0),
        ("Initial review task", 0),
        ("Rework (all rejected)", 0),
    ]


def test_rows_are_moved_from_queue_to_queue_and_to_done(box: Workspace) -> None:
    p, rows = batched(box, 3, "k")
    labeling, review, rework = (each["id"] for each in queues(box, p))
    assert move(box, p, review, rows[0], rows[1]) == "COMPLETE"
    assert states(box, p) == {"Unlabeled": 1, "InReview": 2, "All": 3}
    assert move(box, p, rework, "k0", by="GKEY") == "COMPLETE"
    assert move(box, p, None, rows[1]) == "COMPLETE"
    assert states(box, p) == {"Unlabeled": 1, "InRework": 1, "Done": 1, "All": 3}
    box.ask(NEW_LABEL, p=p, r=rows[0], label="{}")
    assert states(box, p) == {"Unlabeled": 1, "InReview": 1, "Done": 1, "Labeled": 1, "All": 3}
    assert move(box, p, labeling, *rows) == "COMPLETE"
    assert states(box, p)["Unlabeled"] == 3


def test_rows_of_an_attached_dataset_are_moved_too(box: Workspace) -> None:
    p, d = project(box), dataset(box)
    box.ask(ATTACH, p=p, d=d)
    one, _ = (box.ask(NEW_ROW, d=d)["id"] for _ in range(2))
    assert move(box, p, queues(box, p)[1]["id"], one) == "COMPLETE"
    assert states(box, p) == {"Unlabeled": 1, "InReview": 1, "All": 2}


def test_moving_needs_a_queue_and_a_row_of_the_project(box: Workspace) -> None:
    p, rows = batched(box, 1)
    theirs = queues(box, project(box))[0]["id"]
    told = {"ids": rows, "idType": "ID"}
    assert box.refused(MOVE, p=p, queue=theirs, rows=told)[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(MOVE, p=p, rows={"ids": [], "idType": "ID"})[0] == "MALFORMED_REQUEST"
    assert move(box, p, None, *rows_of(box, 1)) == "FAILED"
    assert move(box, p, None, "no such key", by="GKEY") == "FAILED"
    assert states(box, p) == {"Unlabeled": 1, "All": 1}


def test_a_queue_counts_the_rows_of_some_batches_only_when_asked(box: Workspace) -> None:
    p, _ = batched(box, 2)
    other = create(box, p, rows_of(box, 3), "other")["batch"]["id"]

    def counted(*parts: Any, scope: str = p) -> int:
        search = {"scope": {"projectId": scope}, "query": list(parts)}
        return int(queues(box, p, input={"searchQuery": search})[0]["dataRowCount"])

    assert counted({"ids": [other], "operator": "is", "type": "batch"}) == 3
    assert counted({"ids": ["unknown"], "operator": "is", "type": "batch"}) == 0
    assert counted() == 5
    narrow = {"searchQuery": {"query": [{"type": "nonsense", "operator": "is", "ids": []}]}}
    assert box.refused(QUEUES, p=p, input=narrow)[0] == "MALFORMED_REQUEST"
    foreign = {"searchQuery": {"scope": {"projectId": "x"}, "query": []}}
    assert box.refused(QUEUES, p=p, input=foreign)[0] == "MALFORMED_REQUEST"


def test_a_priority_is_updated_for_many_rows(box: Workspace) -> None:
    p, rows = batched(box, 2, "k")
    told = {"ids": ["k1", "unknown"], "idType": "GKEY"}
    task = box.ask(PRIORITIZE, p=p, priority=-1, rows=told)["createQueuePriorityUpdateTask"]["taskId"]
    assert box.ask(STATUS, id=task)["status"] == "COMPLETE"
    assert overrides(box, p) == {rows[0]: (5, 1), rows[1]: (-1, 1)}
    assert box.refused(PRIORITIZE, p=p, priority=1)[0] == "MALFORMED_REQUEST"


def test_the_rows_of_a_batch_are_listed_with_its_priority(box: Workspace) -> None:
    p, rows = batched(box, 3)
    assert overrides(box, p) == dict.fromkeys(rows, (5, 1))
    data = [{"dataRow": {"id": rows[0]}, "priority": 1, "numLabels": 2}]
    assert box.ask(SET, p=p, data=data) == {"setLabelingParameterOverrides": {"success": True}}
    assert overrides(box, p) == {rows[0]: (1, 2), rows[1]: (5, 1), rows[2]: (5, 1)}
    box.ask(UNSET, p=p, data=[{"dataRowId": rows[0]}, {"dataRowId": "unknown"}])
    assert overrides(box, p) == dict.fromkeys(rows, (5, 1))


def test_rows_of_a_dataset_have_no_override_until_one_is_set(box: Workspace) -> None:
    p, d = project(box), dataset(box)
    box.ask(ATTACH, p=p, d=d)
    one, two = (box.ask(NEW_ROW, d=d)["id"] for _ in range(2))
    assert overrides(box, p) == {}
    data = [{"dataRow": {"id": each}, "priority": n, "numLabels": n + 1} for n, each in enumerate([one, two])]
    box.ask(SET, p=p, data=data)
    assert overrides(box, p) == {one: (0, 1), two: (1, 2)}
    assert box.ask(UNSET_ALL, p=p)["unsetAllLabelingParameterOverrides"] == {
        "success": True,
        "deletedCount": 2,
    }
    assert overrides(box, p) == {}
    assert box.ask(UNSET_ALL, p=p)["unsetAllLabelingParameterOverrides"]["deletedCount"] == 0


def test_the_newer_form_takes_ids_and_global_keys_and_no_number_of_labels(box: Workspace) -> None:
    p, rows = batched(box, 2, "k")
    named = [
        {"dataRowIdentifier": {"id": rows[0], "idType": "ID"}, "priority": 2, "numLabels": 9},
        {"dataRowIdentifier": {"id": "k1", "idType": "GKEY"}, "priority": 3},
        {"dataRowIdentifier": {"id": "unknown", "idType": "GKEY"}, "priority": 3},
        {"dataRowIdentifier": {"id": "unknown", "idType": "ID"}, "priority": 3},
    ]
    assert box.ask(SET, p=p, named=named) == {"setLabelingParameterOverrides": {"success": True}}
    assert overrides(box, p) == {rows[0]: (2, 1), rows[1]: (3, 1)}


def test_overrides_have_their_limits(box: Workspace) -> None:
    p = project(box)
    data = [{"dataRow": {"id": f"r{n}"}, "priority": 1} for n in range(1001)]
    assert box.refused(SET, p=p, data=data)[0] == "MALFORMED_REQUEST"
    assert box.ask(SET, p=p, data=data[:1000]) == {"setLabelingParameterOverrides": {"success": True}}
    assert box.refused(SET, p=p)[0] == "MALFORMED_REQUEST"
    none = [{"dataRow": {"id": "r"}, "priority": 1, "numLabels": 0}]
    assert box.refused(SET, p=p, data=none)[0] == "MALFORMED_REQUEST"
    assert box.refused(UNSET, p=p, data=[{"dataRowId": "r"}] * 1001)[0] == "MALFORMED_REQUEST"


def test_a_number_of_labels_keeps_its_row_in_the_queue(box: Workspace) -> None:
    p, rows = batched(box, 1)
    box.ask(SET, p=p, data=[{"dataRow": {"id": rows[0]}, "priority": 1, "numLabels": 2}])
    box.ask(NEW_LABEL, p=p, r=rows[0], label="{}")
    assert states(box, p) == {"Unlabeled": 1, "Labeled": 1, "All": 1}
    box.ask(NEW_LABEL, p=p, r=rows[0], label="{}")
    assert states(box, p) == {"Done": 1, "Labeled": 1, "All": 1}


def test_rows_are_reserved_extended_and_cleared(box: Workspace) -> None:
    p, rows = batched(box, 3)
    me = box.ask(ME)["id"]
    assert box.ask(EXTEND, p=p) == 0
    told = {"projectId": p, "userId": me, "dataRowIds": [*rows[:2], "unknown"]}
    assert box.ask(ASSIGN, input=told) == {"success": True}
    assert box.ask(EXTEND, p=p) == 2
    labeling = queues(box, p)[0]["id"]
    assert box.ask(CLEAR, p=p, q=labeling) == {"success": True, "clearedReservationCount": 2}
    assert box.ask(EXTEND, p=p) == 0
    other = queues(box, project(box))[0]["id"]
    assert box.refused(CLEAR, p=p, q=other)[0] == "RESOURCE_NOT_FOUND"


def test_what_is_reserved_is_reassigned_only_where_that_is_allowed(box: Workspace) -> None:
    p, rows = batched(box, 1)
    invite = """mutation { addMembersToOrganization(data: {emails: ["l@x.io"],
      orgRoleId: "cjlvi914y1aa20714372uvzjv", projectRoles: []}) { newUserId } }"""
    (made,) = box.ask(invite)
    me, them = box.ask(ME)["id"], made["newUserId"]
    box.ask(ASSIGN, input={"projectId": p, "userId": me, "dataRowIds": rows})
    box.ask(ASSIGN, input={"projectId": p, "userId": them, "dataRowIds": rows})
    assert box.ask(EXTEND, p=p) == 1
    both = {"projectId": p, "userId": them, "dataRowIds": rows, "allowedStatuses": ["FREE", "RESERVED"]}
    box.ask(ASSIGN, input=both)
    assert box.ask(EXTEND, p=p) == 0
    box.ask(NEW_LABEL, p=p, r=rows[0], label="{}")
    assert box.ask(CLEAR, p=p, q=queues(box, p)[0]["id"])["clearedReservationCount"] == 0


def test_rows_are_reserved_for_members_of_the_project_alone(box: Workspace) -> None:
    p, rows = batched(box, 1)
    told = {"projectId": p, "userId": "unknown", "dataRowIds": rows}
    assert box.refused(ASSIGN, input=told)[0] == "RESOURCE_NOT_FOUND"
    invite = """mutation { addMembersToOrganization(data: {emails: ["n@x.io"],
      orgRoleId: "cjmb6xy80f5vz0780u3mw2rj4", projectRoles: []}) { newUserId } }"""
    told["userId"] = box.ask(invite)[0]["newUserId"]
    assert box.refused(ASSIGN, input=told)[0] == "MALFORMED_REQUEST"


@pytest.mark.parametrize("ids", [None, ["unknown"]])
def test_states_are_counted_for_batches(box: Workspace, ids: Any) -> None:
    p, _ = batched(box, 2)
    query = """query ($p: ID!, $ids: [String!]) { project(where: {id: $p}) {
      workstreamStateCounts(batchIds: $ids) { state count } } }"""
    counts = {each["state"]: each["count"] for each in box.ask(query, p=p, ids=ids)["workstreamStateCounts"]}
    assert set(counts) == {"Unlabeled", "All", "InReview", "InRework", "Skipped", "Done", "Labeled"}
    assert counts["All"] == (0 if ids else 2)
    assert box.refused(query, p=p, ids=["b"] * 1001)[0] == "MALFORMED_REQUEST"
