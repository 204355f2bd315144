"""Labels as documents: written, read, filtered, compared, deleted (API reference 1.11, 4 and 6.2)."""

from __future__ import annotations

import json
from typing import Any

from documents import ATTACH, NEW_LABEL, NEW_ONTOLOGY, NEW_ROW, connect, dataset, project
from workspace import Workspace

from lbstack.sandbox.annotations.agreement import SKIPPED, SUBMITTED
from lbstack.sandbox.roles import BY_NAME

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
NEW_REVIEW = """mutation ($score: Float!, $label: ID!, $project: ID!) { createReview(data: {score: $score,
  label: {connect: {id: $label}}, project: {connect: {id: $project}}}) { id score } }"""
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
        connect(box, self.project, self.ontology["id"])
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
    deep, deeper = ("[" * levels + "]" * levels for levels in (249, 900))
    for bad in ("{", "NaN", '{"x": 1e999}', '"\\ud800"', deeper, "9" * 5000):
        assert box.refused(UPDATE, id=label, label=bad)[0] == "MALFORMED_REQUEST", bad[:9]
    assert box.ask(UPDATE, id=label, label=deep)["label"] == deep
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


FILTERED = """query APIGetPageOfLabels{
  project(where:{id: "%s"}) {
    labels(
      first: 5,
      where: {
        createdBy:{id:"%s"},
        createdAt_lt:"%s",
        createdAt_gt:"2018-04-01T22:09:21.753Z",
        type:{id:"%s"}, # Skipped vs Submitted
        agreement_gt:0,
        agreement_lt:0.5,
        dataRow:{
          dataset:{
            id:"%s"
          }
        }
      }
    ){
      id
      label
    }
  }
}"""
PAGE = """query APIGetPageOfLabels($projectId: ID!, $skip: Int!, $first: PageSize!) {
  project(where:{id: $projectId}) { labels(skip: $skip, first: $first){
    id label createdBy{ id email } type { id name } secondsToLabel agreement dataRow { id rowData } } } }"""
NEW_SKIPPED = """mutation ($p: ID!, $r: ID!, $type: ID!) { createLabel(data: {label: "{}", secondsToLabel: 2.5,
  type: {connect: {id: $type}}, project: {connect: {id: $p}}, dataRow: {connect: {id: $r}}}) { id } }"""


def test_the_legacy_filter_works_as_printed(box: Workspace) -> None:
    bench = Bench(box, rows=2)
    one, two, three = (
        bench.label({QUESTION: answer, "Signs": signs})
        for answer, signs in (("yes", ["crack"]), ("yes", ["crack", "caries"]), ("no", ["caries"]))
    )
    alone = bench.label({QUESTION: "yes"}, 1)
    skipped = box.ask(NEW_SKIPPED, p=bench.project, r=bench.rows[1], type=SKIPPED)["id"]
    me = box.store.value("SELECT id FROM users")
    good = {"by": me, "before": "2100-01-01T00:00:00Z", "type": SUBMITTED, "dataset": bench.dataset}

    def found(**change: str) -> list[str]:
        told = FILTERED % (bench.project, *(good | change).values())
        return [each["id"] for each in box.ask(told)["labels"]]

    assert found() == [one, three]  # the second agrees by exactly a half
    assert found(by="nobody") == found(before="2019-01-01T00:00:00Z") == found(dataset="none") == []
    assert found(type=SKIPPED) == []
    page = box.ask(PAGE, projectId=bench.project, skip=0, first=100)["labels"]
    assert [each["id"] for each in page] == [one, two, three, alone, skipped]
    assert [each["type"]["name"] for each in page] == ["Submitted"] * 4 + ["Skipped"]
    assert page[4]["secondsToLabel"] == 2.5 and page[4]["agreement"] is None
    assert page[0]["createdBy"]["id"] == me and page[0]["dataRow"]["id"] == bench.rows[0]
    assert [each["id"] for each in box.ask(PAGE, projectId=bench.project, skip=3, first=1)["labels"]] == [
        alone
    ]
    assert box.refused(NEW_SKIPPED, p=bench.project, r=bench.rows[1], type="none")[0] == "MALFORMED_REQUEST"


def test_webhooks_hear_of_labels_and_read_answers_as_the_legacy_editor_wrote_them(box: Workspace) -> None:
    bench = Bench(box)
    box.ask(
        """mutation ($p: ID!) { createWebhook(data: {project: {id: $p}, url: "http://127.0.0.1:1/x", secret: "s",
          topics: {set: [LABEL_CREATED, LABEL_UPDATED, LABEL_DELETED, REVIEW_CREATED]}}) { id } }""",
        p=bench.project,
    )
    modern = {"classifications": [{"title": "Image contain tooth damage?", "answer": {"value": "yes"}}]}
    label = bench.label(modern)
    box.ask(UPDATE, id=label, label="{}")
    box.ask(NEW_REVIEW, score=1, label=label, project=bench.project)
    box.ask("mutation ($ids: [ID!]!) { deleteLabels(labelIds: $ids) { id } }", ids=[label])
    told = box.store.rows("SELECT event, body FROM deliveries ORDER BY place")
    events = ["LABEL_CREATED", "LABEL_UPDATED", "REVIEW_CREATED", "LABEL_DELETED"]
    assert [each["event"] for each in told] == events
    first, _, review, _ = (json.loads(each["body"]) for each in told)
    assert json.loads(first["label"]) == {QUESTION: "yes", **modern}
    assert (first["id"], first["project"]["id"]) == (label, bench.project)
    assert first["dataRow"]["rowData"] == "https://a.example/1.jpg"
    assert first["labeler"] == {"email": "admin@sandbox.example"}
    assert review["review"]["score"] == 1


def test_people_who_may_not_label_do_not(box: Workspace) -> None:
    bench = Bench(box)
    label = bench.label({QUESTION: "yes"})
    reader = box.as_role(BY_NAME["Read-only Admin"].id)
    assert reader.ask(READ, id=label)["id"] == label
    assert reader.refused(UPDATE, id=label, label="{}")[0] == "AUTHORIZATION_ERROR"
    assert reader.refused(BULK_DELETE, projectId=bench.project)[0] == "AUTHORIZATION_ERROR"
    assert reader.refused(NEW_REVIEW, score=1, label=label, project=bench.project)[0] == "AUTHORIZATION_ERROR"
    stranger = box.stranger()
    for document in (READ, UPDATE):
        assert stranger.refused(document, id=label, label="{}")[0] == "RESOURCE_NOT_FOUND"


def test_reviews_and_benchmarks_are_refused_where_they_make_no_sense(box: Workspace) -> None:
    bench = Bench(box)
    label = bench.label({QUESTION: "yes"})
    other = project(box, "other")
    assert box.refused(NEW_REVIEW, score=1, label=label, project=other)[0] == "MALFORMED_REQUEST"
    assert box.refused(NEW_REVIEW, score=1, label="nobody", project=other)[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(NEW_REVIEW, score=1e308, label=label, project=bench.project)[0] == "MALFORMED_REQUEST"
    review = box.ask(NEW_REVIEW, score=0, label=label, project=bench.project)["id"]
    change = """mutation ($id: ID!, $data: ReviewUpdateInput!) {
      updateReview(where: {id: $id}, data: $data) { id deleted } }"""
    for data in ({}, {"deleted": False}, {"score": None}):
        assert box.refused(change, id=review, data=data)[0] == "MALFORMED_REQUEST"
    assert box.ask(change, id=review, data={"deleted": True})["deleted"] is True
    assert box.refused(change, id=review, data={"score": 1})[0] == "RESOURCE_NOT_FOUND"
    drop = "mutation ($id: ID!) { deleteBenchmark(where: {labelId: $id}) { id } }"
    assert box.refused(drop, id=label)[0] == "RESOURCE_NOT_FOUND"


def test_what_hangs_on_a_label_goes_with_its_data_row(box: Workspace) -> None:
    bench = Bench(box)
    label = bench.label({QUESTION: "yes"})
    box.ask(NEW_REVIEW, score=1, label=label, project=bench.project)
    box.ask("mutation ($id: ID!) { createBenchmark(data: {labelId: $id}) { id } }", id=label)
    box.ask("mutation ($ids: [ID!]!) { deleteDataRows(where: {dataRowIds: $ids}) { id } }", ids=bench.rows)
    for table in ("labels", "reviews", "benchmarks", "label_features"):
        assert box.store.value(f"SELECT count(*) FROM {table}") == 0, table
    assert box.refused(READ, id=label)[0] == "RESOURCE_NOT_FOUND"


VERSIONS = """query ($where: LabelVersionsWhereInput!, $first: Int, $from: String) {
  labelVersions(where: $where, first: $first, after: $from) {
    nodes { id labelId action stage { name } labelJson } nextCursor } }"""


def test_versions_are_paged_and_filtered_and_outlive_their_label(box: Workspace) -> None:
    bench = Bench(box)
    label = bench.label({QUESTION: "yes"})
    for answer in ("no", "yes"):
        box.ask(UPDATE, id=label, label=json.dumps({QUESTION: answer}))
    box.ask("mutation ($ids: [ID!]!) { deleteLabels(labelIds: $ids) { id } }", ids=[label])
    where = {"projectId": bench.project, "labelId": label}
    first = box.ask(VERSIONS, where=where, first=2)
    assert [each["labelJson"][QUESTION] for each in first["nodes"]] == ["yes", "no"]
    assert first["nodes"][0]["stage"]["name"] == "Initial labeling task"
    second = box.ask(VERSIONS, where=where, first=2, **{"from": first["nextCursor"]})
    assert ([each["action"] for each in second["nodes"]], second["nextCursor"]) == (["SAVED"], None)
    later = {"createdAfter": "2100-01-01T00:00:00Z"}
    assert box.ask(VERSIONS, where=where | later)["nodes"] == []
    assert box.refused(VERSIONS, where=where, first=101)[0] == "MALFORMED_REQUEST"
    assert box.refused(VERSIONS, where=where, first=1, **{"from": "none"})[0] == "MALFORMED_REQUEST"
    assert box.stranger().refused(VERSIONS, where=where)[0] == "RESOURCE_NOT_FOUND"


def test_annotations_are_counted_by_day_as_printed(box: Workspace) -> None:
    bench = Bench(box)
    bench.label({QUESTION: "yes", "Remark": "x"})
    kept = {"image": 0, "video": 7, "text": 1, "updateTime": "2021-02-09T01:00:00.000Z"}
    mine = box.store.value("SELECT id FROM organizations")
    for day in ("2021-02-08", "2021-02-09"):
        box.store.insert("annotation_days", {"organizationId": mine, "creationDate": day, **kept})
    printed = """query GetAnnotationCount { annotationCounts (where: {startDate: "2021-02-08",
      endDate: "2021-02-09"}, orderBy: CREATION_DATE_ASC){ image video text creationDate updateTime } }"""
    assert box.ask(printed) == [{"creationDate": "2021-02-08", **kept}]
    every = "{ annotationCounts(orderBy: CREATION_DATE_DESC) { image creationDate } }"
    today, *others = box.ask(every)
    assert today["image"] == 2
    assert [each["creationDate"] for each in others] == ["2021-02-09", "2021-02-08"]
    assert box.stranger().ask(every) == []
    wrong = "query ($day: Date) { annotationCounts(where: {startDate: $day}) { image } }"
    for day in ("2021-13-01", "yesterday", 5, ["2021-02-08"]):
        assert box.refused(wrong, day=day)[0] == "MALFORMED_REQUEST"
