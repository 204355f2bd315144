"""Exports of data rows: filters, lines, files, limits (API reference 1.11 and 5.7)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from annotated import (
    ANNOTATIONS,
    BEGIN,
    BEGIN_CATALOG,
    CLASSIFICATIONS,
    EVERYTHING,
    FILE,
    HEADER,
    OBJECTS,
    RELATIONSHIP,
    TASK,
    Labelled,
    begin,
    begin_catalog,
    read,
)
from documents import NEW_ROW, dataset
from inside import Client
from workspace import Workspace

from lbstack.sandbox.app import create_app
from lbstack.sandbox.roles import BY_NAME

UUID = "00000000-0000-4000-8000-000000000000"


def ids(lines: list[Any]) -> list[str]:
    return [line["data_row"]["id"] for line in lines]


def by_ids(kind: str, *wanted: str) -> dict[str, Any]:
    return {"type": kind, "operator": "is", "ids": list(wanted)}


def within(kind: str, operator: str, value: Any, zone: str = "UTC") -> dict[str, Any]:
    return {"type": kind, "value": {"operator": operator, "timezone": zone, "value": value}}


def test_a_line_tells_everything_that_the_documents_print(box: Workspace) -> None:
    made = Labelled(box)
    label = made.label(ANNOTATIONS)
    (line,) = made.export(**EVERYTHING)
    time = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$"
    row = line["data_row"]
    assert list(row) == ["id", "global_key", "row_data", "details"]
    assert (row["id"], row["row_data"]) == (made.rows[0], "https://a.example/1.jpg")
    details = row["details"]
    assert (details["dataset_id"], details["dataset_name"]) == (made.dataset, "teeth")
    assert details["created_by"] == "admin@sandbox.example"
    assert len(details["created_at"]) == len("2023-02-02") == len(details["updated_at"])
    matches(details["last_activity_at"], time)
    assert line["media_attributes"]["mime_type"] == "image/jpeg"
    assert (line["attachments"], line["metadata_fields"], line["embeddings"]) == ([], [], [])
    told = line["projects"][made.project]
    assert told["name"] == told["project_name"] == "step 1"
    project = told["project_details"]
    assert (project["batch_id"], project["batch_name"], project["workflow_status"]) == (None, None, "DONE")
    assert (project["consensus_expected_label_count"], project["workflow_history"]) == (1, [])
    (said,) = told["labels"]
    assert (said["label_kind"], said["version"], said["id"]) == ("Default", "1.0.0", label)
    assert said["performance_details"] == {"seconds_to_create": 0, "seconds_to_review": 0, "skipped": False}
    assert said["label_details"]["created_by"] == "admin@sandbox.example"
    assert said["label_details"]["reviews"] == []
    for key in ("created_at", "updated_at", "content_last_updated_at"):
        matches(said["label_details"][key], time)


def matches(text: str, pattern: str) -> None:
    import re

    assert re.search(pattern, text), text


def test_every_kind_of_annotation_has_the_shape_that_the_document_prints(box: Workspace) -> None:
    made = Labelled(box)
    made.label(ANNOTATIONS)
    (line,) = made.export()
    told = line["projects"][made.project]["labels"][0]["annotations"]
    url = f"http://testserver/api/v1/projects/{made.project}/annotations/{'e' * 25}/index/1/mask"
    printed = [{**each, "mask": {"url": url}} if "mask" in each else each for each in OBJECTS]
    bare = [{key: value for key, value in each.items() if key != "value"} for each in told["objects"]]
    assert bare == [*printed, RELATIONSHIP]
    assert told["classifications"] == CLASSIFICATIONS
    assert told["relationships"] == [{**RELATIONSHIP, "value": "relationship"}]


@pytest.mark.parametrize(
    ("param", "where", "key"),
    [
        ("includeAttachments", (), "attachments"),
        ("includeMetadata", (), "metadata_fields"),
        ("includeEmbeddings", (), "embeddings"),
        ("includeDataRowDetails", ("data_row",), "details"),
        ("includeProjectDetails", ("projects", "P"), "project_details"),
        ("includeLabelDetails", ("projects", "P", "labels", 0), "label_details"),
        ("includePerformanceDetails", ("projects", "P", "labels", 0), "performance_details"),
    ],
)
def test_what_is_not_included_is_not_there(
    box: Workspace, param: str, where: tuple[Any, ...], key: str
) -> None:
    made = Labelled(box)
    made.label(ANNOTATIONS)
    for included in (True, False):
        (line,) = made.export(**{param: included})
        at = line
        for step in where:
            at = at[made.project if step == "P" else step]
        assert (key in at) is included
        others = {"attachments", "metadata_fields", "embeddings"} - {key}
        assert not others & set(line)


def test_rows_are_found_by_what_the_filters_say(box: Workspace) -> None:
    made = Labelled(box, rows=4)
    made.label(row=1)
    made.label(row=2)
    rows = made.rows
    queues = {each["queueType"]: each["id"] for each in box.store.rows("SELECT * FROM task_queues")}
    move = "UPDATE project_rows SET queueId = ? WHERE dataRowId = ?"
    box.store.run(move, [queues["MANUAL_REVIEW_QUEUE"], rows[2]])
    later = ("2000-01-01 00:00:00", "2050-01-01T00:00:00+0000")
    for query, found in [
        ([], [0, 1, 2, 3]),
        ([by_ids("data_row_id", rows[3], rows[0], "nobody")], [0, 3]),
        ([by_ids("global_key", f"{made.dataset}-2", "nobody")], [2]),
        ([by_ids("dataset", made.dataset)], [0, 1, 2, 3]),
        ([by_ids("dataset", "nobody")], []),
        ([by_ids("batch", UUID)], []),
        ([{"type": "task_queue_status", "status": "Done"}], [1]),
        ([{"type": "task_queue_status", "status": "InReview"}], [2]),
        ([{"type": "task_queue_status", "status": "InRework"}], []),
        ([{"type": "task_queue_not_exist"}], [0, 3]),
        ([{"type": "task_queue_not_exist"}, by_ids("data_row_id", rows[0], rows[1])], [0]),
        ([within("labeled_at", "GREATER_THAN_OR_EQUAL", later[0])], [1, 2]),
        ([within("labeled_at", "LESS_THAN_OR_EQUAL", later[0])], []),
        ([within("labeled_at", "BETWEEN", {"min": later[0], "max": later[1]})], [1, 2]),
        ([within("data_row_last_activity_at", "BETWEEN", {"min": later[0], "max": later[1]})], [0, 1, 2, 3]),
        ([within("data_row_last_activity_at", "GREATER_THAN_OR_EQUAL", "2050-01-01")], []),
    ]:
        assert ids(made.export(*query)) == [rows[place] for place in found], query


def test_a_date_is_read_in_its_time_zone(box: Workspace) -> None:
    made = Labelled(box, rows=1)
    box.store.run("UPDATE data_rows SET updatedAt = '2024-03-10T22:30:00.000Z'")
    for zone, date, found in [
        ("UTC", "2024-03-11", 0),
        ("Asia/Tokyo", "2024-03-11", 1),  # 07:30 there
        ("America/New_York", "2024-03-10 18:30:00", 1),
        ("America/New_York", "2024-03-10 18:30:01", 0),
        ("America/New_York", "2024-03-10T22:30:00+0000", 1),
        ("UTC", "2024-03-11T04:00:00+0530", 1),
        ("UTC", "2024-03-11T04:00:01+0530", 0),
    ]:
        query = within("data_row_last_activity_at", "GREATER_THAN_OR_EQUAL", date, zone)
        assert len(made.export(query)) == found, (zone, date)


def test_what_happens_to_a_label_is_activity_of_its_row(box: Workspace) -> None:
    made = Labelled(box, rows=2)
    label = made.label(row=1)
    box.store.run("UPDATE data_rows SET updatedAt = '2024-01-01T00:00:00.000Z'")
    box.store.run("UPDATE labels SET updatedAt = '2024-02-01T00:00:00.000Z'")
    query = within("data_row_last_activity_at", "GREATER_THAN_OR_EQUAL", "2024-01-15")
    (line,) = made.export(query, includeDataRowDetails=True)
    assert line["data_row"]["details"]["last_activity_at"] == "2024-02-01T00:00:00+00:00"
    box.ask("mutation ($l: ID!) { deleteLabels(labelIds: [$l]) { id } }", l=label)
    (line,) = made.export(query)
    assert line["projects"][made.project]["labels"] == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"type": "colour", "operator": "is", "ids": ["a"]}, "Unknown filter type: colour"),
        ("data_row_id", "A filter must be an object"),
        ({"operator": "is", "ids": ["a"]}, "Unknown filter type: None"),
        ({"type": ["data_row_id"]}, "Unknown filter type"),
        ({"type": "data_row_id", "operator": "is", "ids": []}, "non-empty list"),
        ({"type": "data_row_id", "operator": "is", "ids": [1]}, "non-empty list"),
        ({"type": "data_row_id", "operator": "not", "ids": ["a"]}, "the operator is only"),
        ({"type": "data_row_id", "operator": "is", "ids": ["a"] * 2001}, "max of 2000 items"),
        ({"type": "data_row_id", "operator": "is", "ids": ["a"], "x": 1}, "has no field x"),
        ({"type": "task_queue_status", "status": "Lost"}, "Unknown task queue status: Lost"),
        ({"type": "task_queue_status", "status": {}}, "Unknown task queue status"),
        ({"type": "labeled_at"}, "expects a range"),
        ({"type": "labeled_at", "value": {"x": 1}}, "expects a range"),
        (within("labeled_at", "AROUND", "2024-01-01"), "Unknown operator"),
        (within("labeled_at", "BETWEEN", "2024-01-01"), "expects min and max"),
        (within("labeled_at", "BETWEEN", {"min": "2024-01-01"}), "Invalid date: None"),
        (within("labeled_at", "LESS_THAN_OR_EQUAL", "yesterday"), "Invalid date: yesterday"),
        (within("labeled_at", "LESS_THAN_OR_EQUAL", "2024-02-30"), "Invalid date"),
        (within("labeled_at", "LESS_THAN_OR_EQUAL", "0001-01-01T00:00:00+1400"), "Invalid date"),
        (within("labeled_at", "LESS_THAN_OR_EQUAL", "2024-01-01", "Mars/Crater"), "Unknown timezone: Mars"),
        (within("labeled_at", "LESS_THAN_OR_EQUAL", "2024-01-01", "../etc/passwd"), "Unknown timezone"),
        (within("labeled_at", "LESS_THAN_OR_EQUAL", "2024-01-01", "a\0b"), "Unknown timezone"),
        (within("labeled_at", "LESS_THAN_OR_EQUAL", "2024-01-01", "Europe"), "Unknown timezone"),
    ],
)
def test_a_wrong_filter_is_refused(box: Workspace, query: Any, message: str) -> None:
    made = Labelled(box, rows=0)
    filters = {"projectId": made.project, "searchQuery": {"query": [query]}}
    code, said = box.refused(BEGIN, input={"filters": filters, "params": {}})
    assert code == "MALFORMED_REQUEST"
    assert message in said
    assert box.store.value("SELECT count(*) FROM tasks") == 0


def test_an_export_of_nothing_has_no_streams(box: Workspace) -> None:
    made = Labelled(box, rows=0)
    task = begin(box, made.project)
    assert read(box, task) == []
    for stream in ("RESULT", "ERRORS"):
        asked = {"where": {"id": task}, "streamType": stream}
        assert box.ask(HEADER, **asked)["exportMetadataHeader"] is None
        assert box.ask(FILE, **asked, offset="0")["exportFileFromOffset"] is None


def test_a_large_export_is_cut_into_files_of_whole_lines(box: Workspace) -> None:
    made = Labelled(box, rows=1)
    fill(box, made, 2_400, "https://a.example/" + "long/" * 120)
    task = begin(box, made.project)
    assert len(read(box, task)) == 2_401
    files = box.store.rows("SELECT * FROM export_files WHERE taskId = ?", [task])
    assert len(files) >= 3
    assert all(each["endOffset"] - each["startOffset"] < 1_000_000 for each in files)
    assert box.store.value("SELECT count(*) FROM export_rows") == 0
    middle = files[1]["startOffset"] + 5
    asked = {"where": {"id": task}, "streamType": "RESULT"}
    assert box.ask(FILE, **asked, offset=str(middle))["exportFileFromOffset"]["offsets"] == {
        "start": files[1]["startOffset"],
        "end": files[1]["endOffset"],
    }
    for beyond in (files[-1]["endOffset"] + 1, 2**63 - 1, 2**64 - 1):
        assert box.ask(FILE, **asked, offset=str(beyond))["exportFileFromOffset"] is None


def fill(box: Workspace, made: Labelled, count: int, data: str) -> None:
    """Give the dataset many rows more, like its first."""
    first = box.store.row("SELECT * FROM data_rows WHERE id = ?", [made.rows[0]])
    assert first is not None
    kept = {key: value for key, value in first.items() if key not in ("place", "globalKey")}
    for _ in range(count):
        box.store.insert("data_rows", {**kept, "id": box.store.mint.cuid(), "rowData": data})


@pytest.mark.parametrize("offset", ["-1", "x", "", "1.5", str(2**64), "٣", -1, 1.5, None, True, [1]])
def test_an_offset_is_a_number_of_64_bits(box: Workspace, offset: Any) -> None:
    task = begin(box, Labelled(box, rows=0).project)
    code, _ = box.refused(FILE, where={"id": task}, streamType="RESULT", offset=offset)
    assert code == "BAD_USER_INPUT"


def test_an_offset_may_be_written_into_the_document(box: Workspace) -> None:
    made = Labelled(box)
    task = begin(box, made.project)
    for offset in ("0", '"0"'):
        text = FILE.replace("$offset: UInt64!", "").replace("$offset", offset)
        assert box.ask(text, where={"id": task}, streamType="RESULT")["exportFileFromOffset"] is not None


def test_a_row_that_cannot_be_told_is_an_error_and_no_line(box: Workspace) -> None:
    made = Labelled(box, rows=3)
    broken = made.label({}, row=1)
    task = begin(box, made.project)
    assert ids(read(box, task)) == [made.rows[0], made.rows[2]]
    (error,) = read(box, task, "ERRORS")
    assert error["data_row"] == {"id": made.rows[1]}
    assert "could not be exported" in error["error"]
    assert broken not in json.dumps(error)


def test_a_row_that_is_deleted_meanwhile_is_an_error() -> None:
    box, sandbox = paused()
    made = Labelled(box, rows=2)
    task = begin(box, made.project)
    sandbox.worker._one()  # the rows are settled
    box.store.run("DELETE FROM data_rows WHERE id = ?", [made.rows[0]])
    sandbox.worker.drain()
    assert ids(read(box, task)) == [made.rows[1]]
    (error,) = read(box, task, "ERRORS")
    assert error == {"data_row": {"id": made.rows[0]}, "error": "Data row was deleted during the export"}


def paused() -> tuple[Workspace, Any]:
    """A workspace whose jobs wait for the test."""
    app = create_app(threads=1)
    store = app.state.sandbox.store
    key = store.value("SELECT jwt FROM api_keys")
    return Workspace(Client(app), store, key), app.state.sandbox


def test_an_export_that_is_under_way_is_not_read_and_can_be_cancelled() -> None:
    box, sandbox = paused()
    made = Labelled(box)
    task = begin(box, made.project)
    asked = {"where": {"id": task}, "streamType": "RESULT"}
    assert box.ask(TASK, id=task)["status"] == "IN_PROGRESS"
    assert box.ask(HEADER, **asked)["exportMetadataHeader"] is None
    sandbox.worker._one()
    assert box.ask("mutation ($t: ID!) { cancelBulkOperationJob(id: $t) { success } }", t=task)["success"]
    sandbox.worker.drain()
    assert box.ask(TASK, id=task)["status"] == "CANCELED"
    assert box.ask(HEADER, **asked)["exportMetadataHeader"] is None
    assert box.store.value("SELECT count(*) FROM export_rows") == 0
    assert box.store.value("SELECT count(*) FROM jobs") == 0


def test_an_export_of_a_project_that_is_deleted_meanwhile_fails() -> None:
    box, sandbox = paused()
    made = Labelled(box)
    task = begin(box, made.project)
    delete = "mutation ($p: ID!) { updateProject(where: {id: $p}, data: {deleted: true}) { id } }"
    box.ask(delete, p=made.project)
    sandbox.worker.drain()
    told = box.ask(TASK, id=task)
    assert told["status"] == "FAILED"
    assert "Project not found" in told["errors"]


def test_ten_exports_of_a_project_and_twenty_in_all_run_at_once() -> None:
    box, sandbox = paused()
    first, second = Labelled(box), Labelled(box)
    input_ = {"filters": {"projectId": first.project}}
    for _ in range(10):
        begin(box, first.project)
    code, message = box.refused(BEGIN, input=input_)
    assert (code, "At most 10 exports of a project" in message) == ("OPERATION_NOT_ALLOWED", True)
    for _ in range(9):
        begin(box, second.project)
    begin_catalog(box)
    code, message = box.refused(BEGIN_CATALOG, input={"params": {}})
    assert (code, "At most 20 exports of an organization" in message) == ("OPERATION_NOT_ALLOWED", True)
    assert begin_catalog(box.stranger())
    sandbox.worker.drain()
    assert len(read(box, begin_and_drain(box, sandbox, first.project))) == 1


def begin_and_drain(box: Workspace, sandbox: Any, project: str) -> str:
    task = begin(box, project)
    sandbox.worker.drain()
    return task


def test_a_client_that_cannot_stream_gets_one_file(box: Workspace) -> None:
    made = Labelled(box, rows=2)
    made.label({}, row=1)
    asked = {"taskName": "mine", "filters": {"projectId": made.project}}
    begun = box.ask(BEGIN, input={**asked, "params": {"includeLabelDetails": True}})
    assert begun["isStreamable"] is False
    task = box.ask(TASK, id=begun["taskId"])
    assert (task["name"], task["type"], task["completionPercentage"]) == ("mine", "export-data-rows", 100)
    told = [json.loads(line) for line in box.client.get(task["result"]).text.splitlines()]
    assert told == read(box, begun["taskId"])
    errors = [json.loads(line) for line in box.client.get(task["errors"]).text.splitlines()]
    assert errors == read(box, begun["taskId"], "ERRORS")
    assert ids(told) + ids(errors) == made.rows
    streamed = box.ask(TASK, id=begin(box, made.project))
    assert (streamed["result"], streamed["errors"]) == (None, None)


def test_a_stream_is_also_downloaded_whole(box: Workspace) -> None:
    made = Labelled(box, rows=3)
    task = begin(box, made.project)
    organization = box.store.value("SELECT id FROM organizations")
    path = f"/api/v1/export-results/{task}/{organization}"
    answer = box.client.get(path, headers=box.headers)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == read(box, task)
    assert box.client.get(path).status_code == 401
    assert box.client.get(path, headers=box.stranger().headers).status_code == 404
    assert box.client.get(path.replace("results", "errors"), headers=box.headers).status_code == 404
    assert box.client.get(f"/api/v1/export-results/{task}/other", headers=box.headers).status_code == 404


def test_the_catalog_is_exported_across_datasets_and_projects(box: Workspace) -> None:
    one, two = Labelled(box, rows=2), Labelled(box, rows=1)
    one.label(ANNOTATIONS, row=1)
    two.label(ANNOTATIONS)
    alone = box.ask(NEW_ROW, d=dataset(box), key="alone")["id"]
    everything = read(box, begin_catalog(box))
    assert ids(everything) == [*one.rows, *two.rows, alone]
    assert all(line["projects"] == {} == line["experiments"] for line in everything)
    only = read(box, begin_catalog(box, by_ids("dataset", two.dataset), projectIds=[two.project]))
    assert ids(only) == two.rows
    assert list(only[0]["projects"]) == [two.project]
    lines = read(box, begin_catalog(box, allProjects=True))
    assert [list(line["projects"]) for line in lines] == [[one.project], [one.project], [two.project], []]
    labelled = within("labeled_at", "GREATER_THAN_OR_EQUAL", "2000-01-01")
    assert ids(read(box, begin_catalog(box, labelled))) == [one.rows[1], two.rows[0]]


@pytest.mark.parametrize(
    ("params", "query", "code"),
    [
        ({"projectIds": ["nobody"]}, [], "RESOURCE_NOT_FOUND"),
        ({"modelRunIds": [UUID]}, [], "RESOURCE_NOT_FOUND"),
        ({"projectIds": ["a"] * 31}, [], "MALFORMED_REQUEST"),
        ({}, [{"type": "task_queue_not_exist"}], "MALFORMED_REQUEST"),
        ({}, [{"type": "task_queue_status", "status": "Done"}], "MALFORMED_REQUEST"),
    ],
)
def test_a_wrong_export_of_the_catalog_is_refused(box: Workspace, params: Any, query: Any, code: str) -> None:
    filters = {"searchQuery": {"query": query}}
    assert box.refused(BEGIN_CATALOG, input={"filters": filters, "params": params})[0] == code


def test_others_neither_export_nor_read(box: Workspace) -> None:
    made = Labelled(box)
    task = begin(box, made.project)
    stranger, labeler = box.stranger(), box.as_role(BY_NAME["Labeler"].id)
    input_ = {"filters": {"projectId": made.project}}
    assert stranger.refused(BEGIN, input=input_)[0] == "RESOURCE_NOT_FOUND"
    assert ids(read(stranger, begin_catalog(stranger, by_ids("data_row_id", *made.rows)))) == []
    assert labeler.refused(BEGIN, input=input_)[0] == "AUTHORIZATION_ERROR"
    asked = {"where": {"id": task}, "streamType": "RESULT"}
    assert stranger.refused(HEADER, **asked)[0] == "RESOURCE_NOT_FOUND"
    assert labeler.ask(HEADER, **asked)["exportMetadataHeader"] is None
    assert labeler.ask(FILE, **asked, offset=0)["exportFileFromOffset"] is None


def test_attachments_and_metadata_are_told_as_they_are(box: Workspace) -> None:
    made = Labelled(box)
    attach = """mutation ($r: ID!) { createDataRowAttachment(data: {dataRowId: $r, type: IMAGE,
      value: "https://a.example/x.png", name: "x"}) { id } }"""
    attachment = box.ask(attach, r=made.rows[0])["id"]
    tag = {"dataRowId": made.rows[0], "schemaId": "cko8s9r5v0001h2dk9elqdidh", "value": '"rare"'}
    box.store.insert("data_row_metadata", tag)
    (line,) = made.export(includeAttachments=True, includeMetadata=True)
    assert line["attachments"] == [
        {"id": attachment, "type": "IMAGE", "value": "https://a.example/x.png", "name": "x"}
    ]
    assert line["metadata_fields"] == [
        {"schema_id": tag["schemaId"], "schema_name": "tag", "schema_kind": "CustomMetadataString",
         "value": "rare"}
    ]  # fmt: skip
