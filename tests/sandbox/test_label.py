"""Labels as documents: written, read, filtered, compared, deleted (API reference 1.11, 4 and 6.2)."""

from __future__ import annotations

import json
from typing import Any

from documents import ATTACH, CONNECT, NEW_LABEL, NEW_ONTOLOGY, NEW_ROW, dataset, project
from workspace import Workspace

DAMAGE = {
    "tools": [
        {"tool": "polygon", "name": "Tooth", "classifications": [
            {"type": "radio", "name": "Kind", "options": [{"value": "molar"}, {"value": "canine"}]}]},
        {"tool": "rectangle", "name": "Box"},
        {"tool": "raster-segmentation", "name": "Gum"},
        {"tool": "edge", "name": "touches"},
    ],
    "classifications": [
        {"type": "radio", "name": "Image contain tooth damage?",
         "options": [{"value": "yes"}, {"value": "no"}]},
        {"type": "checklist", "name": "Signs", "options": [{"value": "crack"}, {"value": "caries"}]},
        {"type": "text", "name": "Remark"},
    ],
}  # fmt: skip
QUESTION = "image_contain_tooth_damage?"
READ = """query ($id: ID!) { label(where: {id: $id}) { id label agreement benchmarkAgreement
  isBenchmarkReference secondsToLabel type { id name } } }"""
UPDATE = """mutation ($id: ID!, $label: String!) {
  updateLabel(where: {id: $id}, data: {label: $label}) { id label updatedAt } }"""
BULK_DELETE = """mutation BulkDeleteLabels ( $projectId: ID!, $makeTemplates: Boolean = true,
  $labelsWhere: WhereBulkLabelDelete, $first: PageSize, $skip: Int ) {
  project (where: {id: $projectId}) { bulkDeleteLabels ( where: $labelsWhere, makeTemplates: $makeTemplates,
  waitForQueue: true, first: $first, skip: $skip ) { count success } } }"""


class Bench:
    """A project with an ontology of teeth and some data rows."""

    def __init__(self, box: Workspace, rows: int = 1) -> None:
        self.box = box
        self.project, self.dataset = project(box), dataset(box)
        box.ask(ATTACH, p=self.project, d=self.dataset)
        told = json.dumps(DAMAGE)
        self.ontology = box.ask(NEW_ONTOLOGY, name="teeth", normalized=told, type="IMAGE")
        box.ask(CONNECT, p=self.project, o=self.ontology["id"])
        self.rows = [str(box.ask(NEW_ROW, d=self.dataset)["id"]) for _ in range(rows)]

    def label(self, body: Any, row: int = 0) -> str:
        text = json.dumps(body)
        return str(self.box.ask(NEW_LABEL, p=self.project, r=self.rows[row], label=text)["id"])

    def annotations(self, label: str) -> Any:
        return json.loads(self.box.store.value("SELECT annotations FROM labels WHERE id = ?", [label]))

    def feature(self, name: str) -> str:
        nodes = [node for nodes in self.ontology["normalized"].values() for node in nodes]
        return str(next(node["featureSchemaId"] for node in nodes if node["name"] == name))


def test_the_legacy_editors_answers_become_classifications(box: Workspace) -> None:
    bench = Bench(box)
    label = bench.label({QUESTION: "yes", "Signs": ["crack", "caries"], "Remark": "old", "unknown": 1})
    radio, checklist, text = bench.annotations(label)["classifications"]
    assert (radio["name"], radio["value"]) == ("Image contain tooth damage?", QUESTION)
    assert radio["feature_schema_id"] == bench.feature("Image contain tooth damage?")
    assert radio["radio_answer"]["name"] == "yes"
    assert [each["name"] for each in checklist["checklist_answers"]] == ["crack", "caries"]
    assert text["text_answer"] == {"content": "old"}
    assert json.loads(box.ask(READ, id=label)["label"])[QUESTION] == "yes"


def test_objects_of_older_and_newer_exports_become_the_same_annotations(box: Workspace) -> None:
    bench = Bench(box)
    points = [{"x": 1, "y": 1}, {"x": 5, "y": 1}, {"x": 5, "y": 5}]
    old = {"objects": [{
        "featureId": "a", "schemaId": bench.feature("Tooth"), "title": "Tooth", "polygon": points,
        "classifications": [{"title": "Kind", "answer": {"value": "molar"}}],
    }]}  # fmt: skip
    new = {"objects": [{
        "feature_id": "a", "name": "Tooth", "polygon": points,
        "classifications": [{"name": "Kind", "radio_answer": {"name": "molar"}}],
    }]}  # fmt: skip
    first, second = (bench.annotations(bench.label(each))["objects"][0] for each in (old, new))
    for found in (first, second):
        assert (found["feature_id"], found["annotation_kind"]) == ("a", "ImagePolygon")
        assert found["polygon"] == points
        assert found["classifications"][0]["radio_answer"]["name"] == "molar"


def test_a_relationship_is_kept_among_both_lists_and_what_does_not_fit_in_none(box: Workspace) -> None:
    bench = Bench(box)
    square = {"top": 0, "left": 0, "height": 1, "width": 1}
    body = {
        "objects": [
            {"featureId": "a", "title": "Box", "bbox": square},
            {"featureId": "b", "title": "Box", "bbox": square},
            {"featureId": "c", "title": "Box", "bbox": {"top": "high"}},
            {"featureId": "d", "title": "Nothing", "bbox": square},
        ],
        "relationships": [
            {"featureId": "r", "title": "touches", "data": {"source": "a", "target": "b"}},
            {"featureId": "s", "title": "touches", "data": {"source": "a", "target": "c"}},
        ],
    }
    found = bench.annotations(bench.label(body))
    assert [each["feature_id"] for each in found["objects"]] == ["a", "b", "r"]
    (related,) = found["relationships"]
    assert related["unidirectional_relationship"] == {"source": "a", "target": "b"}
    assert related["annotation_kind"] == "ImageUnidirectionalRelationship"


def test_an_updated_label_says_something_else_and_keeps_the_image_of_a_mask(box: Workspace) -> None:
    bench = Bench(box)
    mask = {"uri": "https://a.example/m.png", "color": [1, 2, 3]}
    label = bench.label({"objects": [{"feature_id": "m", "name": "Gum", "mask": mask}]})
    shown = {"featureId": "m", "title": "Gum", "instanceURI": "https://b.example/masks/feature/m"}
    text = json.dumps({"objects": [shown], QUESTION: "no"})
    assert box.ask(UPDATE, id=label, label=text)["label"] == text
    found = bench.annotations(label)
    assert found["objects"][0]["mask"] == mask
    assert found["classifications"][0]["radio_answer"]["name"] == "no"
    assert box.refused(UPDATE, id=label, label="{")[0] == "MALFORMED_REQUEST"
    assert box.refused(UPDATE, id="nobody", label="{}")[0] == "RESOURCE_NOT_FOUND"


def test_labels_are_deleted_in_bulk_and_kept_as_templates(box: Workspace) -> None:
    bench = Bench(box, rows=3)
    labels = [bench.label({QUESTION: "yes"}, row) for row in range(3)]
    some = {"projectId": bench.project, "labelsWhere": {"id_in": labels[:2]}}
    assert box.ask(BULK_DELETE, **some)["bulkDeleteLabels"] == {"count": 2, "success": True}
    templates = box.store.rows("SELECT * FROM predictions ORDER BY rowid")
    assert [each["dataRowId"] for each in templates] == bench.rows[:2]
    assert {each["importId"] for each in templates} == {None}
    rest = {"projectId": bench.project, "makeTemplates": False, "first": 1, "skip": 1}
    assert box.ask(BULK_DELETE, **rest)["bulkDeleteLabels"]["count"] == 0
    assert box.ask(BULK_DELETE, **rest | {"skip": 0})["bulkDeleteLabels"]["count"] == 1
    assert len(box.store.rows("SELECT * FROM predictions")) == 2


def test_labels_of_one_row_are_compared(box: Workspace) -> None:
    bench = Bench(box, rows=2)
    one = bench.label({QUESTION: "yes", "Signs": ["crack"]})
    assert box.ask(READ, id=one)["agreement"] is None
    two = bench.label({QUESTION: "yes", "Signs": ["crack", "caries"]})
    three = bench.label({QUESTION: "no", "Signs": ["caries"]})
    found = [box.ask(READ, id=each)["agreement"] for each in (one, two, three)]
    # one and two: (1 + 1/2) / 2; one and three: 0; two and three: (0 + 1/2) / 2
    assert found == [0.375, 0.5, 0.125]
    activity = """query ($row: ID!, $p: ID!) {
      dataRow(where: {id: $row}) { labelingActivity(where: {projectId: $p}) { selectedLabelId } } }"""
    answer = box.ask(activity, row=bench.rows[0], p=bench.project)
    assert answer["labelingActivity"]["selectedLabelId"] == two
    answer = box.ask(activity, row=bench.rows[1], p=bench.project)
    assert answer["labelingActivity"]["selectedLabelId"] is None
    box.ask("mutation ($ids: [ID!]!) { deleteLabels(labelIds: $ids) { id deleted } }", ids=[two])
    assert box.ask(READ, id=one)["agreement"] == 0.0
