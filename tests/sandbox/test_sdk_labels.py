"""Pre-labels, labels, reviews and benchmarks through the vendor's own client, unmodified (1.10, 1.11, B.8, B.9)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from annotation_lines import EVERYTHING, GOOD

from lbstack.sandbox.server import running

labelbox = pytest.importorskip("labelbox")
types = pytest.importorskip("labelbox.types")
exceptions = pytest.importorskip("lbox.exceptions")

pytestmark = pytest.mark.slow

NEW_ROW = """mutation ($d: ID!, $key: String) { createDataRow(data: {rowData: "https://a.example/1.jpg",
  globalKey: $key, dataset: {connect: {id: $d}}}) { id } }"""
ATTACH = """mutation ($p: ID!, $d: ID!) {
  updateProject(where: {id: $p}, data: {datasets: {connect: {id: $d}}}) { id } }"""


class Site:
    """A project with everything in its ontology and some rows in its dataset."""

    def __init__(self, client: Any, rows: int = 1) -> None:
        self.client = client
        self.project = client.create_project(name="labels", media_type=labelbox.MediaType.Image)
        told = {"media_type": labelbox.MediaType.Image}
        self.project.connect_ontology(client.create_ontology("everything", EVERYTHING, **told))
        self.dataset = client.create_dataset(name="rows", iam_integration=None)
        client.execute(ATTACH, {"p": self.project.uid, "d": self.dataset.uid})
        self.keys = [str(uuid.uuid4()) for _ in range(rows)]
        for key in self.keys:
            client.execute(NEW_ROW, {"d": self.dataset.uid, "key": key})
        self.rows = [client.get_data_row_by_global_key(key) for key in self.keys]

    def lines(self, row: int = 0, *names: str) -> list[dict[str, Any]]:
        data_row = {"globalKey": self.keys[row]}
        return [{"uuid": str(uuid.uuid4()), "dataRow": data_row, **GOOD[name]} for name in names]

    def import_labels(self, lines: list[Any], name: str | None = None) -> Any:
        made = labelbox.LabelImport.create_from_objects(
            self.client, self.project.uid, name or str(uuid.uuid4()), lines
        )
        made.wait_till_done(sleep_time_seconds=0.2)
        return made


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with running() as (endpoint, key):
        yield labelbox.Client(key, endpoint=endpoint, rest_endpoint=endpoint.replace("/graphql", "/api/v1"))


@pytest.fixture(scope="module")
def site(client: Any) -> Site:
    return Site(client, rows=8)


def typed(key: str) -> Any:
    """A typed label with every kind of value that an image can bear."""
    answer = types.ClassificationAnswer
    box = types.Rectangle(start=types.Point(x=1, y=2), end=types.Point(x=5, y=5))
    first = types.ObjectAnnotation(
        name="point", value=types.Point(x=3, y=4), extra={"uuid": str(uuid.uuid4())}
    )
    second = types.ObjectAnnotation(
        name="box",
        value=box,
        extra={"uuid": str(uuid.uuid4())},
        classifications=[
            types.ClassificationAnnotation(
                name="where",
                value=types.Checklist(
                    answer=[
                        answer(
                            name="top",
                            classifications=[
                                types.ClassificationAnnotation(name="why", value=types.Text(answer="so"))
                            ],
                        )
                    ]
                ),
            )
        ],
    )
    corners = [types.Point(x=0, y=0), types.Point(x=4, y=0), types.Point(x=4, y=4)]
    image = types.MaskData(url="https://a.example/m")
    annotations = [
        first,
        second,
        types.ObjectAnnotation(name="polygon", value=types.Polygon(points=corners)),
        types.ObjectAnnotation(name="line", value=types.Line(points=corners)),
        types.ObjectAnnotation(name="raster-segmentation", value=types.Mask(mask=image, color=(1, 2, 3))),
        types.ObjectAnnotation(name="named-entity", value=types.TextEntity(start=1, end=2)),
        types.ClassificationAnnotation(name="damaged?", value=types.Radio(answer=answer(name="yes"))),
        types.ClassificationAnnotation(name="signs", value=types.Checklist(answer=[answer(name="a")])),
        types.ClassificationAnnotation(name="remark", value=types.Text(answer="old")),
        types.RelationshipAnnotation(
            name="beside",
            value=types.Relationship(
                source=first, target=second, type=types.Relationship.Type.UNIDIRECTIONAL
            ),
        ),
    ]
    return types.Label(data={"global_key": key}, annotations=annotations)


def test_typed_labels_are_imported_as_one_label(site: Site) -> None:
    made = site.import_labels([typed(site.keys[0])])
    assert made.state.value == "FINISHED"
    assert (made.progress, made.errors) == ("100%", [])
    told = made.statuses
    assert [each["status"] for each in told] == ["SUCCESS"] * 10
    assert {each["dataRow"]["id"] for each in told} == {site.rows[0].uid}
    (label,) = site.rows[0].labels()
    body = json.loads(label.label)
    assert [each["value"] for each in body["objects"]] == [
        "point", "box", "polygon", "line", "raster-segmentation", "named-entity",
    ]  # fmt: skip
    (related,) = body["relationships"]
    by_id = {each["featureId"]: each["title"] for each in body["objects"]}
    assert [by_id[related["data"][end]] for end in ("source", "target")] == ["point", "box"]
    nested = body["objects"][1]["classifications"][0]["answers"][0]["classifications"][0]
    assert nested["answer"] == "so"
    assert [each["value"] for each in body["classifications"]] == ["damaged?", "signs", "remark"]
    assert label.project().uid == site.project.uid
    assert label.data_row().uid == site.rows[0].uid
    assert label.created_by().email == "admin@sandbox.example"


def test_raw_lines_of_every_kind_are_imported_from_objects_files_and_urls(site: Site, tmp_path: Path) -> None:
    client, p = site.client, site.project.uid
    again = {"video radio", "temporal radio", "temporal text"}
    lines = site.lines(1, *(name for name in GOOD if name not in again))
    first = site.import_labels(lines, "from objects")
    assert first.errors == [] and len(first.statuses) == len(lines)
    assert [each["uuid"] for each in first.inputs] == [each["uuid"] for each in lines]
    path = tmp_path / "lines.ndjson"
    path.write_text("\n".join(map(json.dumps, lines)))
    second = labelbox.LabelImport.create_from_file(client, p, "from file", str(path))
    assert second.state.value == "RUNNING"
    assert (second.error_file_url, second.status_file_url) == (None, None)
    second.wait_till_done(sleep_time_seconds=0.2)
    third = labelbox.LabelImport.create_from_url(client, p, "from url", first.input_file_url)
    assert third.input_file_url == first.input_file_url
    third.wait_till_done(sleep_time_seconds=0.2)
    assert second.statuses == third.statuses == first.statuses
    assert len(list(site.rows[1].labels())) == 3
    found = {each.name: each for each in site.project.get_label_imports()}
    assert {"from objects", "from file", "from url"} <= found.keys()
    assert found["from url"].uid == third.uid
    assert labelbox.LabelImport.from_name(client, p, "from file").uid == second.uid
    with pytest.raises(exceptions.ResourceNotFoundError):
        labelbox.LabelImport.from_name(client, p, "never")
    with pytest.raises(exceptions.ResourceConflict):
        site.import_labels(lines, "from objects")


def test_what_is_wrong_is_told_line_by_line_and_what_is_no_ndjson_as_a_whole(
    site: Site, tmp_path: Path
) -> None:
    good, bad, lost = site.lines(2, "bbox", "polygon", "point")
    bad["name"], lost["dataRow"] = "no such feature", {"globalKey": "no such key"}
    made = site.import_labels([good, bad, lost])
    assert [each["status"] for each in made.statuses] == ["SUCCESS", "FAILURE", "FAILURE"]
    assert [each["uuid"] for each in made.errors] == [bad["uuid"], lost["uuid"]]
    assert [each["errors"][0]["name"] for each in made.errors] == ["FeatureSchemaNotFound", "DataRowNotFound"]
    path = tmp_path / "broken.ndjson"
    path.write_text("{")
    broken = labelbox.LabelImport.create_from_file(site.client, site.project.uid, "broken", str(path))
    broken.wait_till_done(sleep_time_seconds=0.2)
    assert broken.state.value == "FAILED"


def test_prelabels_are_imported_and_deleted(site: Site) -> None:
    client, p = site.client, site.project.uid
    imports = labelbox.MALPredictionImport
    made = imports.create_from_objects(client, p, "prelabels", [typed(site.keys[3])])
    made.wait_till_done(sleep_time_seconds=0.2)
    assert (made.state.value, made.errors) == ("FINISHED", [])
    assert list(site.rows[3].labels()) == []
    url = imports.create_from_url(client, p, "by url", made.input_file_url)
    url.wait_until_done(sleep_time_seconds=0.2)
    assert [each["status"] for each in url.statuses] == ["SUCCESS"] * 10
    assert [each.name for each in site.project.get_mal_prediction_imports()] == ["prelabels", "by url"]
    with pytest.raises(exceptions.ResourceConflict):
        imports.create_from_url(client, p, "by url", made.input_file_url)
    made.delete()
    assert [each.name for each in site.project.get_mal_prediction_imports()] == ["by url"]


def test_labels_are_updated_reviewed_measured_and_deleted(site: Site) -> None:
    row = site.rows[4]
    for _ in range(2):
        site.import_labels(site.lines(4, "radio", "bbox"))
    first, second = row.labels()
    assert (first.agreement, second.agreement) == (1.0, 1.0)
    assert (first.is_benchmark_reference, first.benchmark_agreement) == (False, None)
    assert row.get_winning_label_id(site.project.uid) == first.uid

    benchmark = first.create_benchmark()
    assert benchmark.reference_label().uid == first.uid
    assert [each.uid for each in site.project.benchmarks()] == [benchmark.uid]
    assert (benchmark.average_agreement, benchmark.completed_count) == (1.0, 1)
    text = json.dumps({"damaged?": "no"})
    second.update(label=text)
    assert second.label == text
    (read,) = [each for each in row.labels() if each.uid == second.uid]
    assert read.benchmark_agreement == 0.0
    with pytest.raises(exceptions.ResourceConflict):
        second.create_benchmark()
    benchmark.delete()
    assert list(site.project.benchmarks()) == []

    before = site.project.review_metrics(None)
    review = first.create_review(score=1.0)
    assert (review.score, review.label().uid) == (1.0, first.uid)
    assert site.project.review_metrics(None) == before - 1
    review.update(score=-1.0)
    assert [each.score for each in first.reviews()] == [-1.0]
    assert site.project.review_metrics(labelbox.Review.NetScore.Negative) == 1
    review.delete()
    assert list(first.reviews()) == []

    versions = list(first.versions())
    assert [each.action.value for each in versions] == ["SUBMITTED", "APPROVED", "REJECTED"]
    assert (versions[0].annotation_count, versions[0].label_json["objects"][0]["value"]) == (2, "box")
    assert versions[0].stage.type == "INITIAL_LABELING_QUEUE"
    assert [each.action.value for each in second.versions(include_annotations=False)] == [
        "SUBMITTED",
        "SAVED",
    ]
    one = site.client.get_label_version(versions[0].id)
    assert one.label_id == first.uid

    first.delete()
    assert [each.uid for each in row.labels()] == [second.uid]
    labelbox.Label.bulk_delete([second])
    assert list(row.labels()) == []
    assert row.get_winning_label_id(site.project.uid) is None


def test_more_than_a_page_of_labels_is_listed_and_filtered(client: Any) -> None:
    site = Site(client, rows=1)
    other = client.create_dataset(name="other", iam_integration=None)
    client.execute(ATTACH, {"p": site.project.uid, "d": other.uid})
    here = {"id": site.rows[0].uid}
    there = {"id": client.execute(NEW_ROW, {"d": other.uid, "key": None})["createDataRow"]["id"]}
    create = """mutation ($p: ID!, $r: ID!) { createLabel(data: {label: "{}", project: {connect: {id: $p}},
      dataRow: {connect: {id: $r}}}) { id } }"""
    for place in range(101):
        row = there if place % 2 else here
        client.execute(create, {"p": site.project.uid, "r": row["id"]})
    found = list(site.project.labels())
    assert len(found) == len({each.uid for each in found}) == 101 == site.project.get_label_count()
    mine = site.project.labels(datasets=[other], order_by=labelbox.Label.created_at.asc)
    assert len(list(mine)) == 50
    assert found == sorted(found, key=lambda each: each.created_at)
