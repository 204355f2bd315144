"""Imports of annotations: what is judged how, and what is answered (API reference 1.10, seed 001)."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from annotation_lines import CREATE_LABELS, GOOD, PNG, POINTS, READ_LABELS, SQUARE, Studio
from documents import project
from workspace import Workspace

from lbstack.sandbox.annotations import imports

CREATE_MAL = """mutation ($projectId: ID!, $name: String!, $fileUrl: String!) {
  createModelAssistedLabelingPredictionImport(
    data: { projectId: $projectId name: $name fileUrl: $fileUrl }) { id state } }"""
DELETE_MAL = """mutation ($id: ID!) {
  deleteModelAssistedLabelingPredictionImport(where: { id: $id }) { id } }"""
KEPT_AS = {
    "bbox": "bounding_box", "mask": "mask", "png": "mask", "masks": "mask", "entity": "location",
    "tokens": "text_selections", "chosen": "message_evaluation_task", "ranked": "message_evaluation_task",
    "chosen many": "message_evaluation_task", "radio": "radio_answer", "response radio": "radio_answer",
    "video radio": "radio_answer", "temporal radio": "radio_answers", "checklist": "checklist_answers",
    "response checklist": "checklist_answers", "text": "text_answer", "prompt": "text_answer",
    "response": "text_answer", "temporal text": "text_answers",
}  # fmt: skip


@pytest.fixture
def studio(box: Workspace) -> Studio:
    return Studio(box)


def labels(studio: Studio) -> list[Any]:
    rows = studio.box.store.rows("SELECT * FROM labels ORDER BY rowid")
    return [{**row, "annotations": json.loads(row["annotations"])} for row in rows]


def test_every_kind_of_annotation_is_imported(studio: Studio) -> None:
    row = {"id": studio.rows[0]}
    for name, line in GOOD.items():
        made = studio.run([studio.about(line, uuid="1")], name=name)
        assert (made["state"], made["progress"]) == ("FINISHED", "100%")
        told = studio.lines(made["statusFileUrl"])
        assert told == [{"uuid": "1", "dataRow": row, "status": "SUCCESS"}], name
        assert studio.lines(made["errorFileUrl"]) == []
        label = labels(studio)[-1]
        (annotation,) = label["annotations"]["objects"] + label["annotations"]["classifications"]
        assert KEPT_AS.get(name, name) in annotation
        assert len(annotation["feature_id"]) == len(annotation["feature_schema_id"]) == 25
        assert annotation["name"] == line.get("name", "raster-segmentation")
        shown = json.loads(label["label"])
        assert len(shown["objects"] + shown["classifications"]) == 1
    assert len(labels(studio)) == len(GOOD)


def test_nested_answers_are_kept_to_any_depth(studio: Studio) -> None:
    studio.run([studio.about(GOOD["bbox"])])
    (annotation,) = labels(studio)[0]["annotations"]["objects"]
    (where,) = annotation["classifications"]
    top, bottom = where["checklist_answers"]
    assert top["classifications"][0]["text_answer"] == {"content": "so"}
    assert bottom["classifications"] == []
    assert annotation["annotation_kind"] == "ImageBoundingBox"
    used = studio.box.store.rows("SELECT featureSchemaId FROM label_features")
    told = [annotation, where, top, bottom, top["classifications"][0]]
    assert {row["featureSchemaId"] for row in used} == {each["feature_schema_id"] for each in told}


BAD = [
    ({"name": "box"}, "exactly one of"),
    ({"name": "box", "bbox": SQUARE, "point": {"x": 1, "y": 1}}, "exactly one of"),
    ({"bbox": SQUARE}, "needs a name or a schemaId"),
    ({"name": "cat", "bbox": SQUARE}, "named 'cat'"),
    ({"schemaId": "c" + "0" * 24, "bbox": SQUARE}, "has id c000"),
    ({"name": 7, "bbox": SQUARE}, "name must be a text"),
    ({"name": "box", "polygon": POINTS}, "makes bbox or cuboid or segments"),
    ({"name": "box", "bbox": {**SQUARE, "top": True}}, "bbox.top must be a number"),
    ({"name": "box", "bbox": {**SQUARE, "height": -1}}, "negative height"),
    ({"name": "box", "bbox": {**SQUARE, "width": 1e300}}, "bbox.width must be a number"),
    ({"name": "box", "bbox": [1]}, "bbox must be an object"),
    ({"name": "box", "bbox": SQUARE, "page": -1}, "page must be a whole number"),
    ({"name": "box", "bbox": SQUARE, "unit": "MILES"}, "unit must be one of"),
    ({"name": "polygon", "polygon": POINTS[:2]}, "at least 3"),
    ({"name": "line", "line": POINTS[:1]}, "at least 2"),
    ({"name": "line", "line": [1, 2]}, r"line[0] must be an object"),
    ({"name": "superpixel", "mask": {"png": PNG, "instanceURI": "https://a.example"}}, "either png or"),
    ({"name": "superpixel", "mask": {"png": "%"}}, "not valid base64"),
    ({"name": "superpixel", "mask": {"png": "aGk="}}, "no PNG image"),
    ({"name": "superpixel", "mask": {"instanceURI": "file:///x", "colorRGB": [0, 0, 0]}}, "http(s) URL"),
    ({"name": "superpixel", "mask": {"instanceURI": "https://a", "colorRGB": [0, 0, 256]}}, "colorRGB"),
    ({"name": "named-entity", "location": {"start": 5, "end": 1}}, "must not be after"),
    ({"name": "damaged?", "bbox": SQUARE}, "needs an answer"),
    ({"name": "damaged?", "answer": "yes"}, "an object with name or schemaId"),
    ({"name": "damaged?", "answer": {"name": "maybe"}}, "named 'maybe'"),
    ({"name": "damaged?", "answer": [{"name": "yes"}]}, "an object with name or schemaId"),
    ({"name": "signs", "answer": {"name": "a"}}, "a list of objects"),
    ({"name": "signs", "answer": []}, "at least 1"),
    ({"name": "signs", "answer": [{"name": "a"}, {"name": "a"}]}, "same answer twice"),
    ({"name": "remark", "answer": 5}, "must be a text"),
    ({"name": "ask", "answer": "a"}, "too short or too long"),
    ({"name": "ask", "answer": "abcdef"}, "too short or too long"),
    ({"name": "remark", "answer": "x", "frames": [{"start": 2, "end": 1}]}, "must not be after"),
    ({"name": "box", "bbox": SQUARE, "classifications": [{"name": "what", "answer": "x"}]}, "named 'what'"),
    ({"name": "box", "bbox": SQUARE, "classifications": [
        {"name": "where", "answer": [{"name": "top"}]}] * 2}, "answered twice"),
    ({"name": "message-ranking", "messageEvaluationTask": {"format": "message-ranking", "data": {
        "parentMessageId": "p", "rankedMessages": [
            {"messageId": "m", "modelConfigName": "c", "order": 2}]}}}, "ordered 1, 2, 3"),
    ({"name": "beside", "relationship": {"source": "a", "target": "b"}}, "no annotation of this row is a"),
    ({"name": "box", "relationship": {"source": "a", "target": "b"}}, "no relationship tool"),
    ({"masks": {"frames": [{"index": 0, "imBytes": PNG}], "instances": []}}, "frames.index"),
]  # fmt: skip


def test_what_the_ontology_does_not_know_or_does_not_fit_it_is_a_failure_of_its_line(studio: Studio) -> None:
    made = studio.run([studio.about(line, uuid=str(place)) for place, (line, _) in enumerate(BAD)])
    assert made["state"] == "FINISHED"
    told = studio.lines(made["statusFileUrl"])
    assert told == studio.lines(made["errorFileUrl"])
    for place, (line, message) in enumerate(BAD):
        assert (told[place]["uuid"], told[place]["status"]) == (str(place), "FAILURE"), line
        (error,) = told[place]["errors"]
        assert message in error["message"], (line, error)
    assert labels(studio) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataRow": None}, "exactly one of id and globalKey"),
        ({"dataRow": {}}, "exactly one of id and globalKey"),
        ({"dataRow": {"id": "a", "globalKey": "key 0"}}, "exactly one of id and globalKey"),
        ({"dataRow": {"id": ["a"]}}, "exactly one of id and globalKey"),
        ({"dataRow": {"id": "nobody"}}, "Data row not found: id nobody"),
        ({"dataRow": {"globalKey": "none"}}, "Data row not found: globalKey none"),
        ({"uuid": 5}, "uuid must be a text"),
        ({"uuid": "x" * 201}, "uuid is too long"),
        ({"dataRow": {"globalKey": "key 0"}}, ""),
        ({"uuid": None}, ""),
    ],
)
def test_a_line_names_its_data_row_by_id_or_by_global_key(studio: Studio, change: Any, message: str) -> None:
    found = studio.problem(studio.about(GOOD["point"]) | change)
    assert message in found and bool(message) == bool(found)


def test_a_data_row_must_be_the_projects_and_the_organizations(studio: Studio, box: Workspace) -> None:
    other = Studio(box.stranger())
    line = studio.about(GOOD["point"], dataRow={"id": other.rows[0]})
    assert "Data row not found" in studio.problem(line)
    studio.project = project(box, "no rows")
    assert "is not part of project" in studio.problem(studio.about(GOOD["point"]))


def test_a_relationship_connects_annotations_of_its_row_wherever_they_stand(studio: Studio) -> None:
    related = {"name": "beside", "relationship": {"source": "a", "target": "b", "type": "unidirectional"}}
    both = {"name": "beside", "relationship": {"source": "a", "target": "b", "type": "bidirectional"}}
    lines = [
        studio.about(related, uuid="r"),
        studio.about(both, uuid="s"),
        studio.about(GOOD["point"], uuid="a"),
        studio.about(GOOD["bbox"], uuid="b"),
        studio.about(GOOD["point"], uuid="a"),
    ]
    told = studio.lines(studio.run(lines)["statusFileUrl"])
    assert [each["status"] for each in told] == ["SUCCESS"] * 4 + ["FAILURE"]
    assert told[4]["errors"][0]["name"] == "DuplicateUuid"
    found = labels(studio)[0]["annotations"]
    point, square, *again = found["objects"]
    assert again == found["relationships"]
    ends = {"source": point["feature_id"], "target": square["feature_id"]}
    assert again[0]["unidirectional_relationship"] == again[1]["bidirectional_relationship"] == ends
    assert len(json.loads(labels(studio)[0]["label"])["relationships"]) == 2


def test_a_label_import_makes_one_label_a_data_row_of_what_is_right(box: Workspace) -> None:
    studio = Studio(box, rows=3)
    lines = [
        studio.about(GOOD["radio"], 0, uuid="1"),
        studio.about(GOOD["point"], 1, uuid="2"),
        studio.about(GOOD["bbox"], 0, uuid="3", dataRow={"globalKey": "key 0"}),
        studio.about({"name": "cat", "bbox": SQUARE}, 1, uuid="4"),
        studio.about({"name": "cat", "bbox": SQUARE}, 2, uuid="5"),
        studio.about(GOOD["radio"], 0, uuid="6"),
    ]
    made = studio.run(lines)
    told = studio.lines(made["statusFileUrl"])
    assert [each["status"] for each in told] == ["SUCCESS"] * 3 + ["FAILURE"] * 3
    assert told[2]["dataRow"] == {"id": studio.rows[0], "globalKey": "key 0"}
    assert "answered twice" in told[5]["errors"][0]["message"]
    assert [each["uuid"] for each in studio.lines(made["errorFileUrl"])] == ["4", "5", "6"]
    first, second = labels(studio)
    assert (first["dataRowId"], second["dataRowId"]) == tuple(studio.rows[:2])
    assert [len(first["annotations"][name]) for name in ("objects", "classifications")] == [1, 1]
    assert {each["importId"] for each in (first, second)} == {made["id"]}
    studio.run(lines, name="once more")
    assert len(labels(studio)) == 4  # an import again makes labels again


def test_a_file_that_is_no_ndjson_fails_as_a_whole(studio: Studio) -> None:
    good = json.dumps(studio.about(GOOD["point"])).encode()
    files = [
        b"", b"\n", b"[]", b'"x"', b"{", b"\xff\xfe", good + b"\n{", good + b"\n[1]", b'{"x": NaN}', b'{"x": 1e999}',
        b'{"x": "\\ud800"}', b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b'{"x": ' + b"9" * 5_000 + b"}",
    ]  # fmt: skip
    for place, content in enumerate(files):
        made = studio.run(content, name=str(place))
        assert made["state"] == "FAILED", content[:20]
        (told,) = studio.lines(made["errorFileUrl"])
        assert told["errors"][0]["message"] == "The file is not newline-delimited JSON"
    assert labels(studio) == []
    for place, url in enumerate(["https://a.example/x.ndjson", "nonsense", "http://127.0.0.1:1/x"]):
        name = f"u{place}"
        told = studio.box.ask(CREATE_LABELS, projectId=studio.project, name=name, fileUrl=url)
        assert (told["state"], told["inputFileUrl"]) == ("RUNNING", url)
        assert (told["errorFileUrl"], told["statusFileUrl"]) == (None, None)
        assert studio.box.ask(READ_LABELS, projectId=studio.project, name=name)["state"] == "FAILED"


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_are_understood(studio: Studio) -> None:
    lines = [json.dumps(studio.about(GOOD["point"], uuid=str(place))) for place in range(2)]
    made = studio.run(("\ufeff" + "\r\n\r\n".join(lines) + "\r\n").encode())
    assert (made["state"], len(studio.lines(made["statusFileUrl"]))) == ("FINISHED", 2)


def test_at_most_five_thousand_annotations_of_one_feature_in_a_row(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert imports.MOST_OF_A_FEATURE == 5000
    monkeypatch.setattr(imports, "MOST_OF_A_FEATURE", 20)
    lines = [studio.about(GOOD["point"], uuid=str(place)) for place in range(21)]
    told = studio.lines(studio.run(lines)["errorFileUrl"])
    assert [each["uuid"] for each in told] == ["20"]
    assert told[0]["errors"][0]["name"] == "TooManyAnnotations"


def test_a_long_import_is_worked_off_in_turns(box: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_LINES_A_TURN", 20)
    studio = Studio(box, rows=3)
    lines = [studio.about(GOOD["point"], place % 3, uuid=str(place)) for place in range(31)]
    made = studio.run(lines)
    assert made["state"] == "FINISHED"
    assert [each["uuid"] for each in studio.lines(made["statusFileUrl"])] == [str(n) for n in range(31)]
    assert [len(each["annotations"]["objects"]) for each in labels(studio)] == [11, 10, 10]
    turns = box.store.value("SELECT count(*) FROM ledger WHERE op = 'job annotation-import'")
    assert turns == 3  # two data rows, one more, the files
    assert box.store.value("SELECT count(*) FROM annotation_import_lines") == 0


def test_names_are_unique_within_a_project_and_a_kind_of_import(studio: Studio, box: Workspace) -> None:
    studio.run([studio.about(GOOD["point"])])
    again = {"projectId": studio.project, "name": "import", "fileUrl": "https://a.example"}
    assert box.refused(CREATE_LABELS, **again)[0] == "RESOURCE_CONFLICT"
    assert box.ask(CREATE_MAL, **again)["state"] == "RUNNING"
    assert box.ask(CREATE_LABELS, **again | {"projectId": project(box)})["state"] == "RUNNING"


def test_bad_imports_are_refused(studio: Studio, box: Workspace) -> None:
    good = {"projectId": studio.project, "name": "n", "fileUrl": "https://a.example"}
    for change in ({"name": " "}, {"name": "x" * 501}, {"fileUrl": ""}):
        assert box.refused(CREATE_LABELS, **good | change)[0] == "MALFORMED_REQUEST"
    for change in ({"projectId": "nobody"}, {"projectId": project(box.stranger())}):
        assert box.refused(CREATE_LABELS, **good | change)[0] == "RESOURCE_NOT_FOUND"
    neither = """mutation ($p: ID!) { createLabelImport(data: {projectId: $p, name: "n"}) { id } }"""
    assert box.refused(neither, p=studio.project)[0] == "MALFORMED_REQUEST"
    assert box.refused(READ_LABELS, projectId=studio.project, name="n")[0] == "RESOURCE_NOT_FOUND"
    half = """query ($p: ID!) { labelImport(where: {projectId: $p}) { id } }"""
    assert box.refused(half, p=studio.project)[0] == "MALFORMED_REQUEST"


def test_prelabels_are_kept_per_row_and_feature_until_their_import_is_deleted(studio: Studio) -> None:
    box = studio.box
    made = studio.run([studio.about(GOOD["bbox"]), studio.about(GOOD["radio"])], create=CREATE_MAL)
    assert labels(studio) == []
    kept = box.store.rows("SELECT * FROM predictions ORDER BY rowid")
    assert [each["list"] for each in kept] == ["objects", "classifications"]
    assert {each["dataRowId"] for each in kept} == set(studio.rows)
    told = [json.loads(each["annotation"])["feature_schema_id"] for each in kept]
    assert told == [each["featureSchemaId"] for each in kept]
    shown = "query ($id: ID!) { project(where: {id: $id}) { showingPredictionsToLabelers labelCount } }"
    assert box.ask(shown, id=studio.project) == {"showingPredictionsToLabelers": False, "labelCount": 0}
    assert box.refused(DELETE_MAL, id="nobody")[0] == "RESOURCE_NOT_FOUND"
    assert box.ask(DELETE_MAL, id=made["id"]) == {"id": made["id"]}
    assert box.refused(DELETE_MAL, id=made["id"])[0] == "RESOURCE_NOT_FOUND"
    assert box.store.rows("SELECT * FROM predictions") == []


def test_the_legacy_bulk_import_request_works_as_printed(studio: Studio) -> None:
    box, p = studio.box, studio.project
    url = studio.upload(json.dumps(studio.about(GOOD["point"])).encode())
    create = """mutation { createBulkImportRequest(data: { projectId: "%s", name: "import_job_1",
      fileUrl: "%s" }) { id } }"""
    made = box.ask(create % (p, url))
    read = """query { bulkImportRequest(where: { projectId: "%s", name: "import_job_1" }) {
      state statusFileUrl errorFileUrl } }"""
    found = box.ask(read % p)
    assert found["state"] == "FINISHED"
    assert studio.lines(found["statusFileUrl"])[0]["status"] == "SUCCESS"
    assert studio.lines(found["errorFileUrl"]) == []
    every = """query ListAllImportRequests { bulkImportRequests ( where: { projectId:"%s" } skip: %d first: 100 )
      { id name } }"""
    assert box.ask(every % (p, 0)) == [{"id": made["id"], "name": "import_job_1"}]
    assert box.ask(every % (p, 5)) == []
    assert box.store.value("SELECT count(*) FROM predictions") == 1
    delete = """mutation DeleteBulkImportRequest {
      deleteBulkImportRequest(where: {id: "%s"}) { id name } }"""
    assert box.ask(delete % made["id"]) == {"id": made["id"], "name": "import_job_1"}
    assert box.store.value("SELECT count(*) FROM predictions") == 0
    assert box.ask(every % (p, 0))[0]["id"] == made["id"]  # the request itself stays
    assert box.refused(create % (p, url))[0] == "RESOURCE_CONFLICT"


def test_status_files_are_gone_after_a_day(studio: Studio) -> None:
    made = studio.run([studio.about(GOOD["point"])])
    kept = studio.box.store.rows("SELECT * FROM files WHERE name IN ('status.ndjson', 'errors.ndjson')")
    assert {each["expiresAt"][11:13] for each in kept} == {each["createdAt"][11:13] for each in kept}
    assert all(each["expiresAt"] > each["createdAt"] for each in kept)
    studio.box.store.run("UPDATE files SET expiresAt = createdAt")
    assert studio.box.client.get(made["statusFileUrl"]).status_code == 404


def test_what_an_archived_feature_is_called_cannot_be_annotated_but_its_labels_keep_it(
    studio: Studio,
) -> None:
    box = studio.box
    studio.run([studio.about(GOOD["point"])])
    nodes = studio.ontology["normalized"]["tools"]
    ident = next(node["featureSchemaId"] for node in nodes if node["name"] == "point")
    path = f"/ontologies/{studio.ontology['id']}/feature-schemas/{ident}"
    assert box.rest("DELETE", path) == (200, {"archived": True, "deleted": False})
    assert "named 'point'" in studio.problem(studio.about(copy.deepcopy(GOOD["point"])))


def test_a_reference_label_may_be_imported_as_such(studio: Studio) -> None:
    studio.run([studio.about(GOOD["point"], isBenchmarkReferenceLabel=True)])
    (label,) = labels(studio)
    assert studio.box.store.value("SELECT labelId FROM benchmarks") == label["id"]
