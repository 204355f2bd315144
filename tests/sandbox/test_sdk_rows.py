"""Data rows through the vendor's own client, unmodified, against a served sandbox (API reference 1.8, B.5)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from rows import png

from lbstack.sandbox.server import running

labelbox = pytest.importorskip("labelbox")
exceptions = pytest.importorskip("lbox.exceptions")
metadata = pytest.importorskip("labelbox.schema.data_row_metadata")
identifiable = pytest.importorskip("labelbox.schema.identifiable")
identifiables = pytest.importorskip("labelbox.schema.identifiables")

pytestmark = pytest.mark.slow

URL = "https://a.example/1.jpg"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with running() as (endpoint, key):
        rest = endpoint.replace("/graphql", "/api/v1")
        yield labelbox.Client(key, endpoint=endpoint, rest_endpoint=rest)


@pytest.fixture
def dataset(client: Any) -> Any:
    return client.create_dataset(name=secrets.token_hex(4))


@pytest.fixture(scope="module")
def mdo(client: Any) -> Any:
    return client.get_data_row_metadata_ontology()


def key() -> str:
    return secrets.token_hex(8)


def made(task: Any) -> list[dict[str, Any]]:
    """Wait for an import without a failure; return its rows."""
    task.wait_till_done()
    assert (task.status, task.errors) == ("COMPLETE", None)
    return list(task.result)


def test_rows_of_many_shapes_are_created(client: Any, dataset: Any, tmp_path: Path) -> None:
    image = tmp_path / "tooth.png"
    image.write_bytes(png(640, 480))
    one, two = key(), key()
    field = metadata.DataRowMetadataField(name="split", value="test")
    conversation = {"type": "application/vnd.labelbox.conversational", "version": 1, "messages": []}
    pdf = {"pdf_url": "https://a.example/1.pdf", "text_layer_url": "https://a.example/l.json"}
    items = [
        {
            "row_data": str(image),
            "global_key": one,
            "media_type": "IMAGE",
            "attachments": [{"type": "RAW_TEXT", "value": "left", "name": "side"}],
            "metadata_fields": [field, {"name": "captureDateTime", "value": "2011-11-04T00:05:23+00:00"}],
        },
        {labelbox.DataRow.row_data: URL, labelbox.DataRow.global_key: two, "external_id": "e"},
        {"row_data": URL, "global_key": two, "external_id": "again"},
        {"row_data": conversation, "media_type": "CONVERSATIONAL"},
        {"row_data": {"tileLayerUrl": "https://a.example/{z}"}, "media_type": "TMS_GEO"},
        {"row_data": pdf, "media_type": "PDF"},
        {"row_data": {"invalid": "x"}, "media_type": "IMAGE"},
    ]
    task = dataset.create_data_rows(items)
    assert task in client.get_user().created_tasks()
    task.wait_till_done()
    assert task.status == "COMPLETE"
    assert {each["message"] for each in task.failed_data_rows} == {
        f"Duplicate global key: '{two}'",
        "Expected type image/*, detected: application/json",
    }
    assert len(task.created_data_rows) == len(task.result) == 5
    again = client.get_task_by_id(task.uid)
    assert (type(again), len(again.errors), len(again.result)) == (type(task), 2, 5)
    assert requests.get(again.result_url, timeout=10).json()["createdDataRows"]
    (plain,) = [each for each in client.get_user().created_tasks() if each.uid == task.uid]
    assert (len(plain.result), len(plain.errors)) == (5, 2)

    rows = {row.external_id or row.global_key: row for row in dataset.data_rows()}
    assert {"e", "again"} & set(rows)
    row = client.get_data_row_by_global_key(one)
    assert (row.uid, row.external_id) == (rows[str(image)].uid, str(image))
    assert requests.get(row.row_data, timeout=10).content == image.read_bytes()
    assert (row.media_attributes["width"], row.media_attributes["mimeType"]) == (640, "image/png")
    assert [(each.name, str(each.value)) for each in row.metadata] == [
        ("test", "cko8scbz70005h2dkastwhgqt"),
        ("captureDateTime", "2011-11-04 00:05:23+00:00"),
    ]
    assert [each["value"] for each in row.metadata_fields] == ["test", "2011-11-04T00:05:23.000Z"]
    (attachment,) = row.attachments()
    assert (attachment.attachment_name, attachment.attachment_value) == ("side", "left")
    assert row.dataset().uid == dataset.uid
    assert row.created_by().uid == client.get_user().uid
    assert row.organization().uid == client.get_organization().uid
    kept = {each.row_data for each in dataset.data_rows()}
    assert {json.dumps(conversation), "https://a.example/1.pdf"} <= kept
    assert client.get_dataset(dataset.uid).row_count == 5


def test_one_row_is_created_changed_and_deleted(client: Any, dataset: Any) -> None:
    with pytest.raises(exceptions.ResourceCreationError, match="Expected type image"):
        dataset.create_data_row(row_data={"invalid": "x"}, media_type="IMAGE")
    row = dataset.create_data_row(
        row_data="123", external_id="e", attachments=[{"type": "HTML", "value": URL}]
    )
    assert dataset.data_row_for_external_id("e").uid == row.uid
    new = key()
    row.update(external_id="f", global_key=new)
    row.update(row_data={"pdfUrl": "https://a.example/1.pdf", "tileLayerUrl": "https://a.example/l"})
    row = client.get_data_row(row.uid)
    assert (row.external_id, row.global_key, row.row_data) == ("f", new, "https://a.example/1.pdf")
    image = row.create_attachment("IMAGE", URL, "name")
    image.update(name="m", type="RAW_TEXT", value="text")
    assert [each.attachment_type for each in row.attachments()] == ["HTML", "RAW_TEXT"]
    image.delete()
    assert len(list(row.attachments())) == 1
    assert list(row.labels()) == []
    with pytest.raises(exceptions.ResourceNotFoundError):
        dataset.data_row_for_external_id("e")
    with pytest.raises(exceptions.ResourceConflict):
        dataset.create_data_row(row_data="x").update(global_key=new)
    row.delete()
    with pytest.raises(exceptions.ResourceNotFoundError):
        client.get_data_row(row.uid)
    with pytest.raises(exceptions.ResourceNotFoundError):
        client.get_data_row_by_global_key(new)
    assert dataset.create_data_row(row_data="x", global_key=new).global_key == new


def test_rows_are_upserted(client: Any, dataset: Any) -> None:
    one = key()
    attachments = [{"type": "RAW_TEXT", "name": n, "value": n} for n in "ab"]
    tags = [{"name": "tag", "value": "t"}, {"name": "split", "value": "train"}]
    task = dataset.upsert_data_rows(
        [{"row_data": URL, "global_key": one, "attachments": attachments, "metadata": tags}]
    )
    (first,) = made(task)
    task = dataset.upsert_data_rows(
        [
            {"key": identifiable.GlobalKey(one), "external_id": "e", "attachments": attachments[:1]},
            {"key": identifiable.GlobalKey(f"{one} new"), "row_data": "text"},
            {"row_data": "more text"},
        ]
    )
    assert len(made(task)) == 3
    row = client.get_data_row_by_global_key(one)
    assert (row.uid, row.external_id, row.row_data) == (first["id"], "e", URL)
    assert [each.attachment_name for each in row.attachments()] == ["a"]
    assert [(each["name"], each["value"]) for each in row.metadata_fields] == [
        ("tag", "t"),
        ("split", "train"),
    ]
    changed = {"key": identifiable.UniqueId(row.uid), "global_key": f"{one} changed"}
    unknown = {"key": identifiable.UniqueId("c" * 25), "external_id": "x"}
    task = dataset.upsert_data_rows([changed, unknown])
    task.wait_till_done()
    assert [each["message"] for each in task.errors] == [f"DataRow not found: {'c' * 25}"]
    assert client.get_data_row(row.uid).global_key == f"{one} changed"
    assert len(list(dataset.data_rows())) == 3


def test_501_rows_are_listed_looked_up_and_deleted(client: Any, dataset: Any, mdo: Any) -> None:
    start = key()
    items = [
        {"row_data": str(n), "external_id": f"{start}{n}", "global_key": f"{start} {n}"} for n in range(501)
    ]
    by_key = {each["global_key"]: each["id"] for each in made(dataset.create_data_rows(items))}
    rows = list(dataset.data_rows())
    assert {row.uid for row in rows} == set(by_key.values())
    assert len(rows) == len(by_key) == 501
    assert len(list(dataset.data_rows(from_cursor=rows[0].uid))) == 500
    keys = [f"{start} {n}" for n in range(501)]
    found = client.get_data_row_ids_for_global_keys(keys)
    assert (found["status"], found["results"]) == ("SUCCESS", [by_key[each] for each in keys])
    for number in (99, 100, 101):
        ids = client.get_data_row_ids_for_external_ids([f"{start}{n}" for n in range(number)])
        assert [ids[f"{start}{n}"] for n in range(number)] == [[by_key[each]] for each in keys[:number]]
    field = metadata.DataRowMetadataField(name="tag", value="t")
    told = [metadata.DataRowMetadata(data_row_id=row.uid, fields=[field]) for row in rows[:101]]
    assert mdo.bulk_upsert(told) == []
    exported = mdo.bulk_export([row.uid for row in rows[:101]])
    assert [(each.data_row_id, each.fields[0].value) for each in exported] == [
        (row.uid, "t") for row in rows[:101]
    ]
    for left in (500, 499, 101, 100, 99):
        labelbox.DataRow.bulk_delete(rows[left:])
        rows = rows[:left]
        assert [row.uid for row in dataset.data_rows()] == [row.uid for row in rows]
        assert client.get_dataset(dataset.uid).row_count == left


def test_global_keys_are_assigned_found_and_cleared(client: Any, dataset: Any) -> None:
    ids = [each["id"] for each in made(dataset.create_data_rows([{"row_data": n} for n in "abc"]))]
    one, two = key(), key()
    told = [{"data_row_id": ids[0], "global_key": one}, {"data_row_id": ids[1], "global_key": two}]
    answer = client.assign_global_keys_to_data_rows(told)
    assert answer == {
        "status": "SUCCESS",
        "results": [{**each, "sanitized": False} for each in told],
        "errors": [],
    }
    wrong = [{"data_row_id": ids[2], "global_key": each} for each in (one, " x", "x  y", "x ")]
    answer = client.assign_global_keys_to_data_rows([*told[:1], *wrong])
    assert (answer["status"], len(answer["errors"])) == ("PARTIAL SUCCESS", 4)
    assert "Either DataRow does not exist, or globalKey is invalid" in answer["errors"][0]["error"]
    assert client.assign_global_keys_to_data_rows(wrong)["status"] == "FAILURE"
    found = client.get_data_row_ids_for_global_keys(["none", two, one])
    assert (found["status"], found["results"]) == ("PARTIAL SUCCESS", ["", ids[1], ids[0]])
    assert found["errors"] == [{"global_key": "none", "error": "Data Row not found"}]
    cleared = client.clear_global_keys([one, "none"])
    assert (cleared["status"], cleared["results"]) == ("PARTIAL SUCCESS", [one])
    assert client.get_data_row_ids_for_global_keys([one])["status"] == "FAILURE"
    assert client.clear_global_keys([two])["status"] == "SUCCESS"
    assert client.get_data_row(ids[1]).global_key is None


def test_metadata_schemas_and_values(client: Any, dataset: Any, mdo: Any) -> None:
    kinds = metadata.DataRowMetadataKind
    text, enum = key(), key()
    mdo.create_schema(text, kinds.string)
    with pytest.raises(exceptions.MalformedQueryException, match="already exists"):
        mdo.create_schema(text, kinds.string)
    made_ = mdo.create_schema(enum, kinds.enum, ["one", "two"])
    assert [option.name for option in made_.options] == ["one", "two"]
    assert mdo.update_enum_option(enum, "one", "uno").options[0].uid == made_.options[0].uid
    assert mdo.update_schema(enum, f"{enum}x").uid == made_.uid
    (first,) = made(dataset.create_data_rows([{"row_data": "x", "global_key": key()}]))
    fields = [
        metadata.DataRowMetadataField(name=f"{enum}x", value="uno"),
        metadata.DataRowMetadataField(schema_id=mdo.custom_by_name[text].uid, value="hello"),
        metadata.DataRowMetadataField(name="captureDateTime", value="2011-11-04T00:05:23Z"),
    ]
    row = first["global_key"]
    assert mdo.bulk_upsert([metadata.DataRowMetadata(global_key=row, fields=fields)]) == []
    (found,) = mdo.bulk_export(identifiables.GlobalKeys([row]))
    assert (found.data_row_id, found.global_key) == (first["id"], row)
    assert [str(each.value) for each in found.fields] == [
        made_.options[0].uid,
        "hello",
        "2011-11-04 00:05:23+00:00",
    ]
    (failure,) = mdo.bulk_upsert([metadata.DataRowMetadata(data_row_id="c" * 25, fields=fields[1:2])])
    assert failure.error == f"DataRow not found: {'c' * 25}"
    gone = [made_.uid, mdo.reserved_by_name["tag"].uid]
    delete = metadata.DeleteDataRowMetadata
    (failure,) = mdo.bulk_delete([delete(data_row_id=identifiable.GlobalKey(row), fields=gone)])
    assert (failure.fields, failure.error) == (gone[1:], "Schema did not exist")
    assert mdo.delete_schema(text)
    (left,) = mdo.bulk_export([first["id"]])
    assert [each.name for each in left.fields] == ["captureDateTime"]


def test_rows_belong_to_their_organization_and_outlive_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as (endpoint, api_key):
        client = labelbox.Client(api_key, endpoint=endpoint, rest_endpoint=endpoint)
        image = tmp_path / "a.png"
        image.write_bytes(png(3, 4))
        task = client.create_dataset(name="kept").create_data_rows(
            [{"row_data": str(image), "global_key": "k"}]
        )
        uid = task.uid
    with running(tmp_path) as (endpoint, api_key):
        client = labelbox.Client(api_key, endpoint=endpoint, rest_endpoint=endpoint)
        task = client.get_task_by_id(uid)
        (row,) = made(task)
        found = client.get_data_row_by_global_key("k")
        assert (found.uid, found.media_attributes["height"]) == (row["id"], 4)
        assert len(list(found.dataset().data_rows())) == 1
