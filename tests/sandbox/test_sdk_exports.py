"""Exports through the vendor's own client, unmodified (API reference 1.11 and B.9)."""

from __future__ import annotations

import base64
import secrets
import time
import urllib.request
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from annotated import png

from lbstack.sandbox.server import running

labelbox = pytest.importorskip("labelbox")

pytestmark = pytest.mark.slow

ExportTask = labelbox.ExportTask
RESULT, ERRORS = labelbox.StreamType.RESULT, labelbox.StreamType.ERRORS
PARAMS = {
    "attachments": True, "metadata_fields": True, "data_row_details": True, "project_details": True,
    "label_details": True, "performance_details": True,
}  # fmt: skip
ROWS = 24
LONG = "long/" * 12_000  # so that one file does not hold them all
BOX = {"top": 977, "left": 1690, "height": 330, "width": 225}
MASK = png(1, 1, [b"\0\xff"], 0)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with running() as (endpoint, key):
        yield labelbox.Client(key, endpoint=endpoint, rest_endpoint=endpoint.replace("/graphql", "/api/v1"))


class World:
    """A dataset of some rows, three of them in a batch of a project, one of these labelled."""

    def __init__(self, client: Any) -> None:
        self.name = secrets.token_hex(4)
        self.dataset = client.create_dataset(name=self.name)
        image = f"https://a.example/{LONG}1.jpg"
        rows = [{"row_data": image, "global_key": f"{self.name}-{n}"} for n in range(ROWS)]
        task = self.dataset.create_data_rows(rows)
        task.wait_till_done()
        self.keys = [row["global_key"] for row in rows]
        self.ids = {row["global_key"]: row["id"] for row in task.result}
        self.project = client.create_project(name=self.name, media_type=labelbox.MediaType.Image)
        tools = [
            labelbox.Tool(tool=labelbox.Tool.Type.BBOX, name="box"),
            labelbox.Tool(tool=labelbox.Tool.Type.RASTER_SEGMENTATION, name="mask"),
        ]
        options = [labelbox.Option(value="yes"), labelbox.Option(value="no")]
        radio = labelbox.Classification(labelbox.Classification.Type.RADIO, name="broken", options=options)
        builder = labelbox.OntologyBuilder(tools=tools, classifications=[radio])
        media_type = labelbox.MediaType.Image
        ontology = client.create_ontology(self.name, builder.asdict(), media_type=media_type)
        self.project.connect_ontology(ontology)
        self.batch = self.project.create_batch("first", global_keys=self.keys[:3], priority=2)
        told = [{"name": "box", "bbox": BOX}, {"name": "broken", "answer": {"name": "yes"}},
                {"name": "mask", "mask": {"png": base64.b64encode(MASK).decode()}}]  # fmt: skip
        lines = [
            {"uuid": f"u{n}", "dataRow": {"globalKey": self.keys[0]}, **each} for n, each in enumerate(told)
        ]
        imported = labelbox.LabelImport.create_from_objects(client, self.project.uid, "first", lines)
        imported.wait_till_done(sleep_time_seconds=1)
        assert [each["status"] for each in imported.statuses] == ["SUCCESS"] * 3


@pytest.fixture(scope="module")
def world(client: Any) -> World:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return World(client)


def finished(client: Any, *tasks: Any) -> list[Any]:
    """Look the last one up until it is done: to wait for it sleeps two seconds at least."""
    while ExportTask.get_task(client, tasks[-1].uid).status == "IN_PROGRESS":
        time.sleep(0.05)
    again = [ExportTask.get_task(client, task.uid) for task in tasks]
    for task in again:
        task.wait_till_done()
        assert (task.status, task.type) == ("COMPLETE", "export-data-rows")
    return again


def told(task: Any) -> list[Any]:
    found = [output.json for output in task.get_buffered_stream()]
    assert task.has_result()
    assert task.has_errors() is False
    assert task.get_total_file_size(ERRORS) is None
    assert task.get_total_lines(RESULT) == len(found)
    return found


def keys(lines: list[Any]) -> list[str]:
    """Whose lines they are, in order: the client uploads rows side by side."""
    return sorted((line["data_row"]["global_key"] for line in lines), key=lambda key: int(key.split("-")[1]))


def test_a_project_is_exported_by_every_filter(client: Any, world: World) -> None:
    project = world.project
    always = ["2000-01-01 00:00:00", "2050-01-01 00:00:00"]
    iso = ["2000-01-01T00:00:00+0230", None]
    wanted = [
        ({}, 0, 3),
        ({"last_activity_at": always, "label_created_at": always}, 0, 1),
        ({"last_activity_at": iso, "batch_ids": [world.batch.uid]}, 0, 3),
        ({"label_created_at": ["2050-01-01", None]}, 0, 0),
        ({"global_keys": world.keys[1:9]}, 1, 3),
        ({"data_row_ids": [world.ids[key] for key in world.keys[:2]]}, 0, 2),
        ({"workflow_status": "Done"}, 0, 1),
        ({"workflow_status": "ToLabel"}, 1, 3),
    ]
    tasks = [project.export(filters=filters, params=PARAMS) for filters, _, _ in wanted]
    for task, (filters, first, last) in zip(finished(client, *tasks), wanted, strict=True):
        if first == last:
            assert (task.has_result(), task.has_errors()) == (False, False), filters
            assert task.get_total_file_size(RESULT) is None
            with pytest.raises(ValueError, match="does not have a RESULT stream"):
                task.get_buffered_stream()
        else:
            assert keys(told(task)) == world.keys[first:last], filters


def test_a_label_is_exported_as_it_was_imported(client: Any, world: World) -> None:
    (task,) = finished(client, world.project.export(params=PARAMS))
    (line,) = (each for each in told(task) if each["data_row"]["global_key"] == world.keys[0])
    project = line["projects"][world.project.uid]
    details = project["project_details"]
    assert (details["batch_id"], details["batch_name"]) == (world.batch.uid, "first")
    assert (details["priority"], details["workflow_status"]) == (2, "DONE")
    (label,) = project["labels"]
    box, mask = label["annotations"]["objects"]
    assert (box["name"], box["annotation_kind"], box["bounding_box"]) == ("box", "ImageBoundingBox", BOX)
    assert label["annotations"]["classifications"][0]["radio_answer"]["name"] == "yes"
    request = urllib.request.Request(mask["mask"]["url"], headers=client.headers)
    assert urllib.request.urlopen(request).read() == MASK
    assert label["label_details"]["created_by"] == "admin@sandbox.example"
    assert line["data_row"]["details"]["dataset_name"] == world.name


def test_a_dataset_is_exported_in_several_files(client: Any, world: World) -> None:
    params = {"project_ids": [world.project.uid]}
    catalog = client.get_catalog()
    tasks = [
        world.dataset.export(params=params),
        catalog.export(filters={"label_created_at": ["2000-01-01", None]}, params=params),
        labelbox.DataRow.export(client, data_rows=[world.ids[world.keys[5]]]),
        labelbox.DataRow.export(client, global_keys=world.keys[7:9]),
        labelbox.DataRow.export(client, data_rows=["invalid_id"]),
    ]
    whole, labelled, one, two, none = finished(client, *tasks)
    lines = told(whole)
    assert keys(lines) == world.keys
    files = [task_file(client, whole.uid, 0)]
    while files[-1]["offsets"]["end"] + 1 < whole.get_total_file_size(RESULT):
        files.append(task_file(client, whole.uid, files[-1]["offsets"]["end"] + 1))
    assert len(files) > 1
    assert whole.name == f"Export v2: dataset - {world.name}"
    assert sum(bool(line["projects"]) for line in lines) == 3
    assert keys(told(labelled)) == world.keys[:1]
    assert keys(told(one)) == world.keys[5:6]
    assert keys(told(two)) == world.keys[7:9]
    assert (none.has_result(), none.has_errors()) == (False, False)


def task_file(client: Any, task: str, offset: int) -> Any:
    text = """query ($id: ID!, $offset: UInt64!) { task(where: {id: $id}) {
      exportFileFromOffset(streamType: RESULT, offset: $offset) { offsets { start end } } } }"""
    return client.execute(text, {"id": task, "offset": str(offset)})["task"]["exportFileFromOffset"]


def test_the_documents_way_to_export_works(client: Any, world: World) -> None:
    filters = {"last_activity_at": ["2000-01-01 00:00:00", "2050-01-01 00:00:00"], "workflow_status": "Done"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = world.project.export_v2(params=PARAMS, filters=filters)
    task.wait_till_done()
    assert task.errors is None
    assert keys(task.result) == world.keys[:1]
    request = urllib.request.Request(task.result_url, headers=client.headers)
    assert urllib.request.urlopen(request).read().count(b"\n") == 1
