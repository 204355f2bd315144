"""Batches: what comes into them, and how they go (API reference 1.9, 6.1, 6.2, 6.8)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from documents import ATTACH, NEW_LABEL, NEW_ROW, dataset, project
from test_workflow import states
from workspace import Workspace

from lbstack.sandbox import batches
from lbstack.sandbox.kinds import task

FIELDS = "id name size createdAt updatedAt consensusSettingsJson createdBy { email }"
CREATE = f"""mutation ($p: ID!, $input: CreateBatchInput!) {{ project(where: {{id: $p}}) {{
  createBatchV2(input: $input) {{ batch {{ {FIELDS} }} failedDataRowIds }} }} }}"""
MANY = """mutation ($p: ID!, $input: CreateBatchesInput!) { project(where: {id: $p}) {
  createBatches(input: $input) { tasks { batchUuid taskId } } } }"""
FROM_DATASET = """mutation ($p: ID!, $input: CreateBatchesFromDatasetInput!) { project(where: {id: $p}) {
  createBatchesFromDataset(input: $input) { tasks { batchUuid taskId } } } }"""
EMPTY = """mutation ($p: ID!, $input: CreateEmptyBatchInput!) { project(where: {id: $p}) {
  createEmptyBatch(input: $input) { id } } }"""
ADD = """mutation ($p: ID!, $input: AddDataRowsToBatchInput!) { project(where: {id: $p}) {
  addDataRowsToBatchAsync(input: $input) { taskId } } }"""
LIST = f"""query ($p: ID!, $after: String, $first: PageSize, $where: BatchWhereInput) {{
  project(where: {{id: $p}}) {{ batches(after: $after, first: $first, where: $where) {{
    nodes {{ {FIELDS} }} pageInfo {{ endCursor }} }} }} }}"""
DELETE = """mutation ($p: ID!, $b: ID!) { project(where: {id: $p}) {
  deleteBatch(batchId: $b) { deletedBatchId } } }"""
REMOVE = """mutation ($p: ID!, $b: ID!) { project(where: {id: $p}) {
  removeQueuedDataRowsFromBatch(batchId: $b) { id } } }"""
DELETE_LABELS = """mutation ($p: ID!, $b: ID!, $type: DeleteBatchLabelsType!) { project(where: {id: $p}) {
  deleteBatchLabels(batchId: $b, data: {type: $type}) { deletedLabelIds } } }"""
TASK = "query ($id: ID!) { task(where: {id: $id}) { status type result errors } }"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def rows_of(box: Workspace, count: int, prefix: str | None = None) -> list[str]:
    """The ids of ``count`` new data rows of a new dataset; their global keys are PREFIX0, PREFIX1 …"""
    d = dataset(box)
    keys = [None if prefix is None else f"{prefix}{n}" for n in range(count)]
    return [box.ask(NEW_ROW, d=d, key=key)["id"] for key in keys]


def create(box: Workspace, p: str, rows: list[str], name: str = "b", **told: Any) -> Any:
    told = {"name": name, "dataRowIds": rows, "globalKeys": None, "priority": 5, **told}
    return box.ask(CREATE, p=p, input=told)["createBatchV2"]


def refusal(box: Workspace, p: str, **told: Any) -> tuple[str, str]:
    return box.refused(CREATE, p=p, input={"name": "b", "priority": 5, **told})


def listed(box: Workspace, p: str, **page: Any) -> Any:
    return box.ask(LIST, p=p, **page)["batches"]


def test_a_batch_brings_its_rows_to_the_project(box: Workspace) -> None:
    p, rows = project(box), rows_of(box, 3)
    made = create(box, p, rows)
    assert made["failedDataRowIds"] == []
    batch = made["batch"]
    assert (batch["name"], batch["size"], batch["consensusSettingsJson"]) == ("b", 3, None)
    assert batch["createdBy"] == {"email": "admin@sandbox.example"}
    assert UUID.fullmatch(batch["id"])
    assert listed(box, p) == {"nodes": [batch], "pageInfo": {"endCursor": None}}
    assert states(box, p) == {"Unlabeled": 3, "All": 3}


def test_rows_come_by_global_key_and_once_however_they_are_named(box: Workspace) -> None:
    p, rows = project(box), rows_of(box, 2, "key")
    made = create(box, p, [rows[0]], globalKeys=["key1", "key0", "key1"])
    assert made["batch"]["size"] == 2
    assert made["failedDataRowIds"] == []


def test_rows_that_cannot_be_added_are_told(box: Workspace) -> None:
    p, rows = project(box), rows_of(box, 3)
    create(box, p, rows[:1], "first")
    made = create(box, p, [*rows, "c000000000000000000000000"])
    assert made["failedDataRowIds"] == [rows[0], "c000000000000000000000000"]
    assert made["batch"]["size"] == 2


def test_nothing_is_made_where_no_row_is_valid(box: Workspace) -> None:
    p, rows = project(box), rows_of(box, 1)
    none_given = ("MALFORMED_REQUEST", "No valid data rows to be added from the list provided!")
    assert refusal(box, p, dataRowIds=["a", "b", "c"]) == none_given
    assert refusal(box, p, dataRowIds=[]) == none_given
    assert refusal(box, p) == none_given
    assert listed(box, p)["nodes"] == []
    create(box, p, rows, "first")
    code, message = refusal(box, p, dataRowIds=rows)
    assert (code, message) == ("MALFORMED_REQUEST", "No valid data rows to add to project")


def test_unknown_global_keys_are_named(box: Workspace) -> None:
    p, _ = project(box), rows_of(box, 1, "known")
    code, message = refusal(box, p, globalKeys=["key1", "known0", "key2"])
    assert code == "MALFORMED_REQUEST"
    assert message == "Data rows with the following global keys do not exist: key1, key2."


def test_another_organizations_rows_are_unknown(box: Workspace) -> None:
    other = box.stranger()
    theirs = rows_of(other, 1, "theirs")
    p = project(box)
    assert refusal(box, p, dataRowIds=theirs)[1] == batches.NONE_GIVEN
    assert "do not exist: theirs0." in refusal(box, p, globalKeys=["theirs0"])[1]
    their_project = project(other)
    batch = create(other, their_project, theirs)["batch"]["id"]
    for document in (DELETE, REMOVE):
        assert box.refused(document, p=p, b=batch)[0] == "RESOURCE_NOT_FOUND"
        assert box.refused(document, p=their_project, b=batch)[0] == "RESOURCE_NOT_FOUND"
    assert listed(box, p, where={"id": batch})["nodes"] == []


def test_a_name_is_new_in_its_project(box: Workspace) -> None:
    p, rows = project(box), rows_of(box, 1)
    batch = create(box, p, rows)["batch"]["id"]
    assert refusal(box, p, dataRowIds=rows)[0] == "RESOURCE_CONFLICT"
    assert box.refused(EMPTY, p=p, input={"name": "b"})[0] == "RESOURCE_CONFLICT"
    create(box, project(box), rows)
    box.ask(DELETE, p=p, b=batch)
    create(box, p, rows)


@pytest.mark.parametrize("priority", ["abcd", None, 1.5, 2**31])
def test_a_priority_is_a_whole_number(box: Workspace, priority: Any) -> None:
    assert refusal(box, project(box), dataRowIds=["a"], priority=priority)[0] == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "told",
    [
        {"name": " "},
        {"consensusSettings": {"numberOfLabels": 0, "coveragePercentage": 0.5}},
        {"consensusSettings": {"numberOfLabels": 2, "coveragePercentage": 1.5}},
    ],
)
def test_values_that_make_no_sense_are_refused(box: Workspace, told: Any) -> None:
    rows = rows_of(box, 1)
    assert refusal(box, project(box), dataRowIds=rows, **told)[0] == "MALFORMED_REQUEST"


def test_consensus_settings_are_read_back_and_want_more_labels_of_their_share(box: Workspace) -> None:
    p, rows = project(box), rows_of(box, 4)
    settings = {"numberOfLabels": 2, "coveragePercentage": 0.5}
    batch = create(box, p, rows, consensusSettings=settings)["batch"]
    assert batch["consensusSettingsJson"] == {"number_of_labels": 2, "coverage_percentage": 0.5}
    for row in rows:
        box.ask(NEW_LABEL, p=p, r=row, label="{}")
    assert states(box, p) == {"Unlabeled": 2, "Done": 2, "Labeled": 4, "All": 4}


def test_batches_are_paged_with_a_cursor_that_outlives_what_it_points_to(box: Workspace) -> None:
    p = project(box)
    made = [create(box, p, [row], f"b{n}")["batch"]["id"] for n, row in enumerate(rows_of(box, 5))]
    found, after = [], None
    while True:
        page = listed(box, p, first=2, after=after)
        found += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        for node in page["nodes"]:
            box.ask(DELETE, p=p, b=node["id"])
        if after is None:
            break
    assert found == made
    for cursor in ("x", "-1", "9" * 30):
        assert box.refused(LIST, p=p, after=cursor)[0] == "MALFORMED_REQUEST"


def test_a_batch_is_found_by_its_id(box: Workspace) -> None:
    p, (one, two) = project(box), rows_of(box, 2)
    create(box, p, [one], "one")
    batch = create(box, p, [two], "two")["batch"]
    assert listed(box, p, where={"id": batch["id"]})["nodes"] == [batch]


def test_a_batch_is_filled_by_a_task(box: Workspace) -> None:
    p, rows = project(box), rows_of(box, 3, "k")
    batch = box.ask(EMPTY, p=p, input={"name": "big"})["createEmptyBatch"]["id"]
    told = {"batchId": batch, "dataRowIds": [], "globalKeys": ["k0", "k1", "k2"], "priority": 1}
    found = box.ask(TASK, id=box.ask(ADD, p=p, input=told)["addDataRowsToBatchAsync"]["taskId"])
    assert (found["status"], found["type"]) == ("COMPLETE", "add-data-rows-to-batch")
    assert listed(box, p)["nodes"][0]["size"] == 3
    told = {"batchId": batch, "dataRowIds": rows, "priority": 1}
    found = box.ask(TASK, id=box.ask(ADD, p=p, input=told)["addDataRowsToBatchAsync"]["taskId"])
    assert found["status"] == "FAILED"
    assert json.loads(found["result"]) == {"error": "No valid data rows to add to project"}


def test_a_task_goes_on_until_all_rows_are_in(box: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "_ROWS_PER_TURN", 2)
    p, rows = project(box), rows_of(box, 5)
    create(box, p, rows[:2], "before")
    told = {"batchNamePrefix": "part", "dataRowIds": rows, "priority": 2}
    (started,) = box.ask(MANY, p=p, input=told)["createBatches"]["tasks"]
    assert box.ask(TASK, id=started["taskId"])["status"] == "COMPLETE"
    assert [each["size"] for each in listed(box, p)["nodes"]] == [2, 3]
    turns = [entry for entry in box.store.ledger() if entry["op"] == "job add-data-rows-to-batch"]
    assert len(turns) == 3


def test_many_batches_are_named_by_number_and_hold_no_more_than_they_may(
    box: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_ROWS", 2)
    p, rows = project(box), rows_of(box, 5)
    told = {"batchNamePrefix": "part", "dataRowIds": rows, "priority": 2}
    tasks = box.ask(MANY, p=p, input=told)["createBatches"]["tasks"]
    found = listed(box, p)["nodes"]
    assert [(each["name"], each["size"]) for each in found] == [
        ("part0000", 2),
        ("part0001", 2),
        ("part0002", 1),
    ]
    assert [each["batchUuid"] for each in tasks] == [each["id"] for each in found]
    assert {box.ask(TASK, id=each["taskId"])["status"] for each in tasks} == {"COMPLETE"}
    assert box.refused(MANY, p=p, input=told)[0] == "RESOURCE_CONFLICT"
    assert refusal(box, project(box), dataRowIds=rows)[0] == "MALFORMED_REQUEST"


def test_a_batch_that_nothing_came_into_is_not_left_behind(box: Workspace) -> None:
    p = project(box)
    told = {"batchNamePrefix": "part", "dataRowIds": ["a"], "priority": 2}
    (started,) = box.ask(MANY, p=p, input=told)["createBatches"]["tasks"]
    assert box.ask(TASK, id=started["taskId"])["status"] == "FAILED"
    assert listed(box, p)["nodes"] == []


def test_a_dataset_is_sent_without_what_the_project_has(box: Workspace) -> None:
    p, rows = project(box), rows_of(box, 4)
    d = box.ask("{ datasets { id } }")[0]["id"]
    create(box, p, rows[:1])
    told = {"batchNamePrefix": "rest", "datasetId": d, "priority": 2}
    box.ask(FROM_DATASET, p=p, input=told)
    assert [each["size"] for each in listed(box, p)["nodes"]] == [1, 3]
    told["batchNamePrefix"] = "again"
    assert box.refused(FROM_DATASET, p=p, input=told) == ("MALFORMED_REQUEST", batches.NONE_LEFT)


def test_queued_rows_are_removed_and_labelled_ones_stay(box: Workspace) -> None:
    p, rows = project(box), rows_of(box, 3)
    batch = create(box, p, rows)["batch"]["id"]
    box.ask(NEW_LABEL, p=p, r=rows[0], label="{}")
    assert box.ask(REMOVE, p=p, b=batch)["removeQueuedDataRowsFromBatch"] == {"id": batch}
    assert listed(box, p)["nodes"][0]["size"] == 1
    assert states(box, p) == {"Done": 1, "Labeled": 1, "All": 1}
    assert create(box, p, rows, "again")["failedDataRowIds"] == [rows[0]]


@pytest.mark.parametrize("how", ["RequeueData", "RequeueDataWithLabelAsTemplate"])
def test_a_batch_goes_when_its_labels_are_gone(box: Workspace, how: str) -> None:
    p, rows = project(box), rows_of(box, 2)
    batch = create(box, p, rows)["batch"]["id"]
    made = box.ask(NEW_LABEL, p=p, r=rows[0], label="{}")["id"]
    assert box.refused(DELETE, p=p, b=batch)[0] == "OPERATION_NOT_ALLOWED"
    assert box.ask(DELETE_LABELS, p=p, b=batch, type=how)["deleteBatchLabels"] == {"deletedLabelIds": [made]}
    assert states(box, p) == {"Unlabeled": 2, "All": 2}
    assert box.ask(DELETE, p=p, b=batch)["deleteBatch"] == {"deletedBatchId": batch}
    assert states(box, p) == {}
    assert box.refused(NEW_LABEL, p=p, r=rows[0], label="{}")[0] == "MALFORMED_REQUEST"
    assert box.refused(DELETE, p=p, b=batch)[0] == "RESOURCE_NOT_FOUND"


def test_deleted_rows_leave_their_batch(box: Workspace) -> None:
    p, rows = project(box), rows_of(box, 2)
    create(box, p, rows)
    box.ask("mutation ($r: ID!) { deleteDataRows(where: {dataRowIds: [$r]}) { id } }", r=rows[0])
    assert listed(box, p)["nodes"][0]["size"] == 1


def test_a_row_of_an_attached_dataset_can_be_in_a_batch_too(box: Workspace) -> None:
    p, d = project(box), dataset(box)
    box.ask(ATTACH, p=p, d=d)
    one, two = (box.ask(NEW_ROW, d=d)["id"] for _ in range(2))
    box.ask(NEW_LABEL, p=p, r=one, label="{}")
    create(box, p, [one, two])
    assert states(box, p) == {"Unlabeled": 1, "Done": 1, "Labeled": 1, "All": 2}


def test_the_media_type_of_a_project_with_a_batch_is_fixed(box: Workspace) -> None:
    p = project(box)
    create(box, p, rows_of(box, 1))
    update = """mutation ($p: ID!) {
      updateProject(where: {id: $p}, data: {allowedMediaType: TEXT}) { id } }"""
    assert box.refused(update, p=p)[0] == "OPERATION_NOT_ALLOWED"


def test_a_labeler_may_not_send_data_rows(box: Workspace) -> None:
    from lbstack.sandbox.roles import BY_NAME

    p, rows = project(box), rows_of(box, 1)
    labeler = box.as_role(BY_NAME["Labeler"].id)
    assert refusal(labeler, p, dataRowIds=rows)[0] == "AUTHORIZATION_ERROR"
    batch = create(box, p, rows)["batch"]
    assert [each["id"] for each in listed(labeler, p)["nodes"]] == [batch["id"]]
    assert labeler.ask("query ($r: ID!) { dataRow(where: {id: $r}) { id } }", r=rows[0]) == {"id": rows[0]}
