"""The older export of labels, and what exports make of assets that are no images (API reference 1.11, S3, S4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from annotated import ANNOTATIONS, BOX, CUBOID, LINE, POINT, POLYGON, TASK, Labelled, begin, read
from documents import NEW_ONTOLOGY, connect, project
from test_exports import paused
from workspace import Workspace

from lbstack.sandbox.roles import BY_NAME

# As printed, with the project's id filled in.
PRINTED = """mutation{
  exportLabels(data:{
    projectId:"<INSERT_PROJECT_ID_HERE>"
  }){
    downloadUrl
    createdAt
    shouldPoll
  }
}"""
BULK = """mutation BulkExportLabels { exportLabels (data:{ projectId: "<PROJECT_ID>" }){
  downloadUrl createdAt shouldPoll } }"""
EXPORT = """mutation GetExportUrl($project_id: ID!, $filters: LabelExportFiltersInput){
  exportLabels(data:{ projectId: $project_id, filters: $filters }){ downloadUrl createdAt shouldPoll } }"""
FILTERED = """mutation GetLabelExportUrlPyApi($projectId: ID!) { exportLabels(data: {projectId: $projectId
  , filters: {labelCreatedAt: {start: "%s", end: "%s"}} }) { downloadUrl createdAt shouldPoll } }"""


def exported(box: Workspace, project: str, **filters: Any) -> list[Any]:
    begun = box.ask(EXPORT, project_id=project, filters=filters or None)
    done = box.ask(EXPORT, project_id=project, filters=filters or None) if begun["shouldPoll"] else begun
    assert done["shouldPoll"] is False
    answer = box.client.get(done["downloadUrl"])
    assert answer.headers["content-type"] == "application/json"
    found: list[Any] = answer.json()
    return found


@pytest.mark.parametrize("document", [PRINTED, BULK])
def test_the_printed_mutations_are_answered(box: Workspace, document: str) -> None:
    made = Labelled(box)
    made.label(ANNOTATIONS)
    text = document.replace("<INSERT_PROJECT_ID_HERE>", made.project).replace("<PROJECT_ID>", made.project)
    begun, done = box.ask(text), box.ask(text)
    assert (begun["shouldPoll"], begun["downloadUrl"]) == (True, None)
    assert done["shouldPoll"] is False
    assert done["createdAt"] == begun["createdAt"]
    assert [each["DataRow ID"] for each in box.client.get(done["downloadUrl"]).json()] == made.rows


def test_it_should_be_polled_until_the_file_is_there() -> None:
    box, sandbox = paused()
    made = Labelled(box)
    answers = [box.ask(EXPORT, project_id=made.project) for _ in range(3)]
    assert all(each == answers[0] for each in answers)
    assert answers[0]["shouldPoll"] is True
    assert box.store.value("SELECT count(*) FROM jobs WHERE kind = 'export-labels'") == 1
    sandbox.worker.drain()
    assert box.ask(EXPORT, project_id=made.project)["shouldPoll"] is False


def test_for_half_an_hour_the_same_file_is_returned(box: Workspace) -> None:
    made = Labelled(box, rows=2)
    made.label(ANNOTATIONS)
    assert len(exported(box, made.project)) == 1
    first = box.ask(EXPORT, project_id=made.project)
    made.label(ANNOTATIONS, row=1)
    assert box.ask(EXPORT, project_id=made.project) == first
    for minutes, same in ((29, True), (31, False)):
        back = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?)"
        box.store.run(f"UPDATE label_exports SET createdAt = {back}", [f"-{minutes} minutes"])
        again = box.ask(EXPORT, project_id=made.project)
        assert (again["downloadUrl"] == first["downloadUrl"]) is same
    assert again["shouldPoll"] is True
    assert again["createdAt"] > first["createdAt"]
    assert len(exported(box, made.project)) == 2
    assert box.store.value("SELECT count(*) FROM label_exports") == 1


def test_an_export_that_failed_is_begun_anew(box: Workspace) -> None:
    made = Labelled(box)
    label = made.label(ANNOTATIONS)
    box.store.update("labels", label, {"annotations": "broken"})
    for _ in range(2):
        assert box.ask(EXPORT, project_id=made.project)["shouldPoll"] is True
    box.store.update("labels", label, {"annotations": json.dumps(ANNOTATIONS)})
    assert len(exported(box, made.project)) == 1


def test_an_entry_tells_what_the_document_prints(box: Workspace) -> None:
    made = Labelled(box)
    label = made.label(ANNOTATIONS)
    (entry,) = exported(box, made.project)
    view = f"https://editor.labelbox.com?project={made.project}&label={label}"
    told = {key: value for key, value in entry.items() if key not in ("Label", "Created At", "Updated At")}
    assert told == {
        "ID": label, "DataRow ID": made.rows[0], "Labeled Data": "https://a.example/1.jpg",
        "Created By": "admin@sandbox.example", "Project Name": "step 1", "Seconds to Label": 0.0,
        "External ID": None, "Agreement": -1, "Benchmark Agreement": -1, "Benchmark ID": None,
        "Dataset Name": "teeth", "Reviews": [], "View Label": view, "Has Open Issues": 0, "Skipped": False,
        "DataRow Workflow Info": {"taskName": "Done", "Workflow History": []},
    }  # fmt: skip
    assert entry["Created At"].endswith("Z")


def test_every_kind_of_annotation_has_the_older_shape(box: Workspace) -> None:
    made = Labelled(box)
    tool = {"tool": "rectangle", "name": "bounding_box", "color": "#FF8000"}
    questions = {"type": "checklist", "name": "Attributes", "scope": "global", "options": [{"value": "a"}]}
    normalized = json.dumps({"tools": [tool], "classifications": [questions]})
    ontology = box.ask(NEW_ONTOLOGY, name="o", normalized=normalized, type="IMAGE")
    connect(box, made.project, ontology["id"])
    features = {each["name"]: each["featureSchemaId"]
                for each in ontology["normalized"]["tools"] + ontology["normalized"]["classifications"]}  # fmt: skip
    annotations = json.loads(json.dumps(ANNOTATIONS))
    annotations["objects"][0]["feature_schema_id"] = features["bounding_box"]
    annotations["classifications"][1]["feature_schema_id"] = features["Attributes"]
    made.label(annotations)
    label = exported(box, made.project)[0]["Label"]
    uris = [each.pop("instanceURI", None) for each in label["objects"]]
    assert [uri and uri.partition("?token=")[0] for uri in uris] == [
        None if letter == "c" else f"http://testserver/masks/feature/{letter * 25}" for letter in "abcdef"
    ]
    head = {"featureId": "a" * 25, "schemaId": features["bounding_box"], "title": "bounding_box",
            "value": "bounding_box", "color": "#FF8000"}  # fmt: skip
    assert label["objects"][0] == {**head, "bbox": BOX}
    assert label["objects"][1] == {
        "featureId": "b" * 25, "schemaId": f"s{'b' * 24}", "title": "polygon", "value": "polygon",
        "polygon": POLYGON,
    }  # fmt: skip
    values = [(2, "line", LINE), (3, "point", POINT), (5, "cuboid", CUBOID)]
    for place, key, value in values:
        assert label["objects"][place][key] == value
    assert set(label["objects"][4]) == {"featureId", "schemaId", "title", "value"}
    radio, checklist, text, nested = label["classifications"]
    assert radio == {
        "featureId": "h" * 25, "schemaId": f"s{'h' * 24}", "title": "Is it daytime?",
        "value": "is_it_daytime?",
        "answer": {"featureId": "i" * 25, "schemaId": f"s{'i' * 24}", "title": "Yes", "value": "yes"},
    }  # fmt: skip
    assert (checklist["scope"], checklist["title"], checklist["value"]) == (
        "global",
        "Attributes",
        "attributes",
    )
    assert [each["value"] for each in checklist["answers"]] == ["crowded", "foot_traffic"]
    assert text["answer"] == "sample text"
    assert nested["answer"]["classifications"][0]["answer"]["title"] == "first_sub_radio_answer"
    assert label["relationships"] == [
        {"featureId": "g" * 25, "schemaId": f"s{'g' * 24}",
         "data": {"source": "a" * 25, "target": "b" * 25},
         "relationshipType": "unidirectional", "version": 1}
    ]  # fmt: skip


def test_reviews_and_the_benchmark_are_told(box: Workspace) -> None:
    made = Labelled(box)
    label = made.label(ANNOTATIONS)
    review = """mutation ($l: ID!, $p: ID!) { createReview(data: {score: 1, label: {connect: {id: $l}},
      project: {connect: {id: $p}}}) { id } }"""
    ident = box.ask(review, l=label, p=made.project)["id"]
    box.ask("mutation ($l: ID!) { createBenchmark(data: {labelId: $l}) { id } }", l=label)
    (entry,) = exported(box, made.project)
    assert entry["Benchmark ID"] == label
    (told,) = entry["Reviews"]
    assert told.pop("createdAt").endswith("Z")
    by = "admin@sandbox.example"
    assert told == {"id": ident, "score": 1, "createdBy": by, "labelId": label}
    (line,) = made.export(includeLabelDetails=True)
    (told,) = line["projects"][made.project]["labels"][0]["label_details"]["reviews"]
    assert told.pop("reviewed_at").endswith("+00:00")
    assert told == {"reviewed_by": by, "score": 1}


def test_a_label_that_annotates_nothing_is_told_as_it_was_written(box: Workspace) -> None:
    made = Labelled(box)
    label = made.label()
    box.store.update("labels", label, {"label": '{"is it a tooth": "yes"}'})
    assert exported(box, made.project)[0]["Label"] == {"is it a tooth": "yes"}


def test_labels_are_found_by_when_they_were_made_and_changed(box: Workspace) -> None:
    made = Labelled(box, rows=2)
    first, second = made.label(ANNOTATIONS), made.label(ANNOTATIONS, row=1)
    box.store.update(
        "labels", first, {"createdAt": "2022-09-30T10:00:00.000Z", "updatedAt": "2022-10-03T10:00:00.000Z"}
    )
    for filters, found in [
        ({"labelCreatedAt": {"start": "2022-09-28", "end": "2022-10-04"}}, [first]),
        ({"labelCreatedAt": {"start": "2022-10-01 00:00:00", "end": None}}, [second]),
        ({"lastActivityAt": {"start": "2022-10-03", "end": "2022-10-03 10:00:00"}}, [first]),
        ({"labelCreatedAt": {"end": "2022-10-01"}, "lastActivityAt": {"end": "2022-10-01"}}, []),
        ({"labelCreatedAt": {"start": None, "end": None}}, [first, second]),
    ]:
        assert [each["ID"] for each in exported(box, made.project, **filters)] == found, filters
    text = FILTERED % ("2022-09-28", "2022-10-04")
    assert box.ask(text, projectId=made.project)["shouldPoll"] is False  # asked before, in other words
    wrong = {"labelCreatedAt": {"start": "last week"}}
    code, message = box.refused(EXPORT, project_id=made.project, filters=wrong)
    assert (code, "Invalid date: last week" in message) == ("MALFORMED_REQUEST", True)


def test_many_labels_are_told_in_order(box: Workspace) -> None:
    made = Labelled(box)
    label = made.label()
    kept = box.store.row("SELECT * FROM labels WHERE id = ?", [label])
    assert kept is not None
    made_up = [{**kept, "id": box.store.mint.cuid()} for _ in range(1_500)]
    for each in made_up:
        box.store.insert("labels", each)
    assert [each["ID"] for each in exported(box, made.project)] == [label, *(each["id"] for each in made_up)]


def test_others_do_not_export_labels(box: Workspace) -> None:
    made = Labelled(box)
    assert box.stranger().refused(EXPORT, project_id=made.project)[0] == "RESOURCE_NOT_FOUND"
    assert (
        box.as_role(BY_NAME["Labeler"].id).refused(EXPORT, project_id=made.project)[0]
        == "AUTHORIZATION_ERROR"
    )
    assert exported(box, project(box)) == []


def annotation(letter: str, kind: str, **value: Any) -> dict[str, Any]:
    head = {"feature_id": letter * 25, "feature_schema_id": f"s{letter * 24}", "name": "n", "value": "n"}
    return {**head, "annotation_kind": kind, "classifications": [], **value}


def printed(box: Workspace, media: str, kept: dict[str, Any], text: str | None = None, **params: Any) -> Any:
    """What an export tells of one label on an asset of this type."""
    made = Labelled(box)
    box.store.run("UPDATE data_rows SET mediaType = ?", [media])
    if text is not None:
        box.store.run("UPDATE data_rows SET rowData = ?", [text])
    made.label({"objects": [], "classifications": [], "relationships": [], **kept})
    (label,) = read(box, begin(box, made.project, **params))[0]["projects"][made.project]["labels"]
    return label


def test_text_is_told_with_the_words_that_are_meant(box: Workspace) -> None:
    kept = {"objects": [annotation("a", "TextEntity", location={"start": 4, "end": 7})]}
    told = printed(box, "TEXT", kept, text="The bone is broken")["annotations"]["objects"][0]
    assert told["location"] == {"start": 4, "end": 7, "token": "bone"}
    for text in ("bone", "https://a.example/long.txt"):
        told = printed(box, "TEXT", kept, text=text)["annotations"]["objects"][0]
        assert told["location"] == {"start": 4, "end": 7}


def test_documents_and_conversations_tell_where(box: Workspace) -> None:
    selection = {"token_ids": ["t1", "t2"], "group_id": "g", "page": 1}
    entity = annotation("a", "DocumentEntityToken", text_selections=[selection])
    rectangle = annotation("b", "DocumentBoundingBox", page=2, unit="POINTS", bounding_box=BOX)
    told = printed(box, "PDF", {"objects": [entity, rectangle]})["annotations"]["objects"]
    assert told[0]["location"] == {"groups": [{"id": "g", "page_number": 1, "tokens": ["t1", "t2"]}]}
    assert (told[1]["page_number"], told[1]["bounding_box"]) == (2, BOX)
    said = annotation("c", "ConversationalTextEntity", message_id="4", location={"start": 0, "end": 8})
    question = {"feature_id": "d" * 25, "name": "q", "message_id": "4", "text_answer": {"content": "x"}}
    told = printed(box, "CONVERSATIONAL", {"objects": [said], "classifications": [question]})["annotations"]
    where = {"message_id": "4", "location": {"start": 0, "end": 8}}
    assert told["objects"][0]["conversational_location"] == where
    assert "location" not in told["objects"][0]
    assert told["classifications"][0]["conversational_text_answer"] == {"content": "x"}


def test_chosen_and_ranked_messages_are_told(box: Workspace) -> None:
    one = {"message_id": "m", "model_config_name": "c"}
    tasks = [
        {"format": "message-single-selection", "data": {"parent_message_id": "p", **one}},
        {"format": "message-multi-selection", "data": {"parent_message_id": "p", "selected_messages": [one]}},
        {"format": "message-ranking", "data": {"parent_message_id": "p", "ranked_messages": [{**one, "order": 1}]}},
    ]  # fmt: skip
    objects = [
        annotation(letter, "M", message_evaluation_task=task)
        for letter, task in zip("abc", tasks, strict=True)
    ]
    told = printed(box, "CONVERSATIONAL", {"objects": objects})["annotations"]["objects"]
    assert told[0]["selected_message"] == {"parent_message_id": "p", **one}
    assert told[1]["selected_messages"] == {"parent_message_id": "p", "messages": [one]}
    assert told[2]["ranked_messages"] == {"parent_message_id": "p", "ranked_messages": [{**one, "order": 1}]}


def keyframe(frame: int, left: float) -> dict[str, Any]:
    return {"frame": frame, "bounding_box": {**BOX, "left": left}, "classifications": []}


SEGMENTS = [{"keyframes": [keyframe(13, 100), keyframe(10, 70)]}, {"keyframes": [keyframe(18, 5)]}]


def test_a_video_is_told_by_frames(box: Workspace) -> None:
    timed = {"feature_id": "h" * 25, "name": "q", "frames": [{"start": 7, "end": 13}, {"start": 18, "end": 19}],
             "text_answer": {"content": "x"}}  # fmt: skip
    kept = {"objects": [annotation("a", "VideoBoundingBox", segments=SEGMENTS)], "classifications": [timed]}
    label = printed(box, "VIDEO", kept)
    assert label["label_kind"] == "Video"
    told = label["annotations"]
    assert list(told["frames"]) == ["10", "13", "18"]
    assert told["frames"]["13"]["objects"]["a" * 25]["bounding_box"]["left"] == 100
    assert told["segments"] == {"a" * 25: [[10, 13], [18, 18]], "h" * 25: [[7, 13], [18, 19]]}
    assert told["key_frame_feature_map"] == {"a" * 25: {"10": True, "13": True, "18": True}}
    assert told["classifications"] == [{key: value for key, value in timed.items() if key != "frames"}]
    between = printed(box, "VIDEO", kept, includeInterpolatedFrames=True)["annotations"]
    lefts = [each["objects"]["a" * 25]["bounding_box"]["left"] for each in between["frames"].values()]
    assert lefts == [70, 80, 90, 100, 5]
    assert between["key_frame_feature_map"]["a" * 25] == {
        "10": True, "11": False, "12": False, "13": True, "18": True,
    }  # fmt: skip


def test_the_media_type_can_be_told_by_whoever_exports(box: Workspace) -> None:
    kept = {"objects": [annotation("a", "VideoBoundingBox", segments=SEGMENTS)]}
    label = printed(box, "IMAGE", kept, mediaTypeOverride="VIDEO")
    assert (label["label_kind"], "frames" in label["annotations"]) == ("Video", True)


def test_a_video_of_too_many_frames_is_an_error(box: Workspace) -> None:
    segments = [{"keyframes": [keyframe(1, 1), keyframe(2**31, 2)]}]
    made = Labelled(box)
    box.store.run("UPDATE data_rows SET mediaType = 'VIDEO'")
    objects = [annotation("a", "VideoBoundingBox", segments=segments)]
    made.label({"objects": objects, "classifications": [], "relationships": []})
    task = begin(box, made.project, includeInterpolatedFrames=True)
    assert read(box, task) == []
    (error,) = read(box, task, "ERRORS")
    assert "more than 100000 frames" in error["error"]
    assert box.ask(TASK, id=task)["status"] == "COMPLETE"


def test_sound_is_told_by_stretches_of_time(box: Workspace) -> None:
    answers = [{"feature_id": letter * 25, "name": letter, "frames": [{"start": 1, "end": 2}], "classifications": []}
               for letter in "xy"]  # fmt: skip
    kept = {"classifications": [{"feature_id": "q" * 25, "name": "q", "radio_answers": answers}]}
    label = printed(box, "AUDIO", kept)
    assert label["label_kind"] == "Default"
    told = label["annotations"]
    assert [each["radio_answer"]["name"] for each in told["classifications"]] == ["x", "y"]
    assert told["segments"] == {"x" * 25: [[1, 2]], "y" * 25: [[1, 2]]}
    assert told["timestamp"] == {}
