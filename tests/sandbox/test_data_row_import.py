"""Imports of data rows from manifests and files (API reference 1.1, 1.8, 5.7, 6.8)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import dataset
from rows import (
    IMPORTED,
    REFUSED,
    ROW,
    TASK,
    UPSERT,
    change,
    imported,
    keep,
    made,
    manifest,
    messages,
    new,
    png,
    refusal,
)
from workspace import Workspace

from lbstack.sandbox.roles import BY_NAME

URL = "https://a.example/1.jpg"
TAG = "cko8s9r5v0001h2dk9elqdidh"
SPLIT, TRAIN, TEST = (
    "cko8sbczn0002h2dkdaxb5kal",
    "cko8sbscr0003h2dk04w86hof",
    "cko8scbz70005h2dkastwhgqt",
)
CAPTURED = "cko8sdzv70006h2dk8jg64zvb"
EMBEDDING = "ckpyije740000yxdk81pbgjdc"
APPEND = """mutation ($d: ID!, $url: String!) {
  appendRowsToDataset(data: {datasetId: $d, jsonFileUrl: $url}) { accepted taskId errorMessage } }"""
APPEND_SYNC = """mutation ($d: ID!, $url: String!) {
  appendRowsToDatasetSync(data: {datasetId: $d, jsonFileUrl: $url}) { dataset { id rowCount } } }"""
COUNT = "query ($id: ID!) { dataset(where: {id: $id}) { rowCount } }"


def count(box: Workspace, ident: str) -> int:
    return int(box.ask(COUNT, id=ident)["rowCount"])


def test_every_shape_of_an_item_makes_a_row(box: Workspace) -> None:
    d = dataset(box)
    metadata = [
        {"schemaId": TAG, "name": None, "value": "a tag"},
        {"schemaId": SPLIT, "value": {}},
        {"schemaId": TRAIN, "value": {}},
        {"schemaId": CAPTURED, "value": "2011-11-04T00:05:23Z"},
    ]
    attachments = [
        {"type": "RAW_TEXT", "value": "text", "name": "note"},
        {"type": "IMAGE", "value": URL, "name": None},
    ]
    full = {"external_id": "e", "global_key": "k", "media_type": "IMAGE", "embeddings": []}
    (ident,) = made(box, new(d, row_data=URL, metadata_fields=metadata, attachments=attachments, **full))
    row = box.ask(ROW, id=ident)
    assert (row["externalId"], row["globalKey"], row["rowData"]) == ("e", "k", URL)
    assert row["dataset"] == {"id": d}
    assert row["attachments"] == attachments
    assert row["customMetadata"] == [
        {"schemaId": TAG, "value": "a tag"},
        {"schemaId": SPLIT, "value": {}},
        {"schemaId": TRAIN, "value": {}},
        {"schemaId": CAPTURED, "value": "2011-11-04T00:05:23.000Z"},
    ]
    assert [(each["name"], each["value"], each["kind"]) for each in row["metadataFields"]] == [
        ("tag", "a tag", "CustomMetadataString"),
        ("split", "train", "CustomMetadataEnum"),
        ("captureDateTime", "2011-11-04T00:05:23.000Z", "CustomMetadataDateTime"),
    ]
    assert count(box, d) == 1


def test_metadata_may_be_told_by_name(box: Workspace) -> None:
    told = [{"name": "tag", "value": "t"}, {"name": "split", "value": "test"}]
    (ident,) = made(box, new(dataset(box), row_data=URL, metadata=told))
    fields = box.ask(ROW, id=ident)["metadataFields"]
    assert [(each["schemaId"], each["value"]) for each in fields] == [(TAG, "t"), (SPLIT, "test")]


def test_a_key_makes_or_changes_a_row(box: Workspace) -> None:
    d = dataset(box)
    (one,) = made(box, change("GKEY", "k", row_data=URL, dataset_id=d))
    assert box.ask(ROW, id=one)["globalKey"] == "k"
    notes = [{"type": "RAW_TEXT", "value": "old"}]
    made(box, change("GKEY", "k", external_id="e", attachments=notes, dataset_id=d))
    made(box, change("ID", one, global_key="k2", attachments=[{"type": "HTML", "value": URL}]))
    row = box.ask(ROW, id=one)
    assert (row["externalId"], row["globalKey"], row["rowData"]) == ("e", "k2", URL)
    assert row["attachments"] == [{"type": "HTML", "value": URL, "name": None}]
    made(box, change("ID", one, metadata=[{"name": "tag", "value": "a"}]))
    made(box, change("ID", one, metadata=[{"name": "split", "value": "test"}], row_data="text"))
    row = box.ask(ROW, id=one)
    assert [each["name"] for each in row["metadataFields"]] == ["split"]
    assert row["mediaAttributes"]["assetType"] == "text"
    assert count(box, d) == 1


def test_a_row_that_fails_leaves_the_others_and_the_task_complete(box: Workspace) -> None:
    d = dataset(box)
    attachments = [{"type": "IMAGE", "value": URL, "name": None}]
    twice = [{"schemaId": TAG, "value": "a"}, {"schemaId": TAG, "value": "b"}]
    task = imported(
        box,
        [new(d, row_data=URL, global_key="k"), new(d, row_data=URL, global_key="k", attachments=attachments)],
        [new(d, row_data=URL, metadata_fields=twice), new(d, row_data=URL)],
    )
    assert messages(box, task) == [
        "Duplicate global key: 'k'",
        f"A schemaId can only be specified once per DataRow : [{TAG}]",
    ]
    assert [each["spec"] for each in box.ask(REFUSED, id=task)["results"]] == [
        {"externalId": None, "globalKey": "k", "rowData": URL, "metadata": [], "attachments": attachments},
        {
            "externalId": None,
            "globalKey": None,
            "rowData": URL,
            "metadata": [{**each, "name": None} for each in twice],
            "attachments": [],
        },
    ]
    assert box.ask(IMPORTED, id=task)["total"] == count(box, d) == 2
    done = box.ask(TASK, id=task)
    assert (done["completionPercentage"], done["errors"]) == (100.0, None)
    report = box.client.get(done["result"]).json()
    assert [each["globalKey"] for each in report["createdDataRows"]] == ["k", None]
    assert [each["message"] for each in report["errors"]] == messages(box, task)
    assert report["errors"][0]["failedDataRows"][0]["globalKey"] == "k"


def test_a_global_key_is_free_again_when_its_row_is_gone(box: Workspace) -> None:
    d = dataset(box)
    (ident,) = made(box, new(d, row_data=URL, global_key="k"))
    assert refusal(box, new(d, row_data=URL, global_key="k")) == "Duplicate global key: 'k'"
    delete = "mutation ($id: ID!) { deleteDataRows(where: {dataRowIds: [$id]}) { id deleted } }"
    assert box.ask(delete, id=ident) == [{"id": ident, "deleted": True}]
    made(box, new(d, row_data=URL, global_key="k"))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "row_data is required"),
        ({"row_data": ""}, "rowData must not be empty"),
        ({"row_data": 5}, "rowData must not be empty"),
        ({"row_data": {}}, "rowData must not be empty"),
        ({"row_data": "x" * (64 * 1024 + 1)}, "must not exceed 65536 characters"),
        ({"row_data": URL, "global_key": "k" * 201}, "Invalid global key"),
        ({"row_data": URL, "global_key": " k"}, "Invalid global key: ' k'"),
        ({"row_data": URL, "global_key": 1}, "global_key must be a string"),
        ({"row_data": URL, "external_id": {}}, "external_id must be a string"),
        ({"row_data": URL, "media_type": "totallyinvalid"}, "Found invalid media type: 'totallyinvalid'"),
        ({"row_data": URL, "media_type": ["IMAGE"]}, "Found invalid media type"),
        ({"row_data": {"a": 1}, "media_type": "IMAGE"}, "Expected type image/*, detected: application/json"),
        ({"row_data": "text", "media_type": "IMAGE"}, "Expected type image/*, detected: text/plain"),
        ({"row_data": URL, "media_type": "PDF"}, "Expected type application/pdf, detected: image/jpeg"),
        ({"row_data": "http://[x"}, "Invalid URL: http://[x"),
        ({"row_data": URL, "surprise": 1}, "Unknown fields: surprise"),
        ({"row_data": URL, "attachments": {}}, "attachments must be a list"),
        ({"row_data": URL, "attachments": [{"type": "ODD", "value": "x"}]}, "Invalid attachment type: ODD"),
        ({"row_data": URL, "attachments": [{"type": "IMAGE", "value": ""}]}, "must not be empty"),
        ({"row_data": URL, "attachments": ["x"]}, "must be an object"),
        ({"row_data": URL, "metadata_fields": [{"value": 1}]}, "needs a schemaId or a name"),
        ({"row_data": URL, "metadata_fields": [{"schemaId": TAG}]}, "needs a value"),
        ({"row_data": URL, "metadata_fields": [{"schemaId": "1" * 25, "value": 1}]}, "schema not found"),
        ({"row_data": URL, "metadata_fields": [{"schemaId": TAG, "value": 1}]}, "tag must be a string"),
        ({"row_data": URL, "metadata_fields": [{"schemaId": SPLIT, "value": {}}]}, "without an option"),
        ({"row_data": URL, "metadata_fields": [{"name": "split", "value": "odd"}]}, "Invalid option"),
        ({"row_data": URL, "metadata_fields": [{"name": "split", "value": []}]}, "Invalid option"),
        (
            {
                "row_data": URL,
                "metadata_fields": [{"schemaId": TRAIN, "value": {}}, {"schemaId": TEST, "value": {}}],
            },
            f"only be specified once per DataRow : [{SPLIT}]",
        ),
        ({"row_data": URL, "metadata_fields": [{"schemaId": CAPTURED, "value": "today"}]}, "ISO-8601"),
        ({"row_data": URL, "metadata_fields": [{"schemaId": EMBEDDING, "value": [1]}]}, "128 numbers"),
        ({"row_data": URL, "embeddings": [{"embeddingId": "e", "vector": [1]}]}, "Embedding not found: e"),
        ({"row_data": URL, "embeddings": 1}, "embeddings must be a list"),
        ({"row_data": "\ud800"}, "valid Unicode"),
        ({"row_data": URL, "global_key": "\udfff"}, "valid Unicode"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(box: Workspace, payload: dict[str, Any], message: str) -> None:
    assert message in refusal(box, new(dataset(box), **payload))


def test_an_item_that_is_none_is_refused_by_itself(box: Workspace) -> None:
    d = dataset(box)
    other = dataset(box)
    (row,) = made(box, new(d, row_data=URL))
    strange = box.stranger()
    foreign = dataset(strange)
    odd = {"payload": {"row_data": URL, "dataset_id": d}}
    items: list[tuple[Any, str]] = [
        (5, "must be a JSON object"),
        ({"id": {"type": "AUTO"}}, "must be a JSON object"),
        ({**odd, "id": None}, "needs an id"),
        ({**odd, "id": {"type": "NAME", "value": "x"}}, "must be AUTO, ID or GKEY"),
        ({**odd, "id": {"type": "ID", "value": ""}}, "must not be empty"),
        ({**odd, "id": {"type": "ID", "value": 7}}, "must be a string"),
        (change("ID", "c" * 25, external_id="x"), "DataRow not found"),
        (change("ID", row, external_id="x", dataset_id=other), "is not part of dataset"),
        (new(foreign, row_data=URL), "Dataset not found"),
        ({"id": {"type": "AUTO"}, "payload": {"row_data": URL}}, "needs a dataset"),
    ]
    task = imported(box, [item for item, _ in items])
    for found, (_, message) in zip(messages(box, task), items, strict=True):
        assert message in found
    assert count(box, d) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"[NaN]", "is not valid JSON"),
        (b"\xff", "is not valid JSON"),
        (b"9" * 5_000, "is not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"item_count": 1}', "chunk_uris must be a list"),
        (b'{"item_count": 1, "chunk_uris": [1]}', "chunk_uris must be a list"),
        (b'{"item_count": "1", "chunk_uris": []}', "item_count must be a number"),
        (b'{"item_count": true, "chunk_uris": []}', "item_count must be a number"),
        (b'{"item_count": 150001, "chunk_uris": []}', "At most 150000 data rows"),
        (b'{"item_count": 1, "chunk_uris": ["ftp://a/b"]}', "Not a http(s) URL"),
        (b'{"item_count": 1, "chunk_uris": ["http://127.0.0.1:9/x"]}', "Failed to fetch"),
        (b'{"item_count": 1, "chunk_uris": ["http://127.0.0.1:9/a b"]}', "Failed to fetch"),
        (b'{"item_count": 1, "chunk_uris": ["http://[x"]}', "Not a http(s) URL"),
        (b'{"item_count": 1, "chunk_uris": ["http://a.example/x"]}', "fetches from this machine only"),
    ],
)
def test_an_import_that_cannot_be_read_fails(box: Workspace, content: bytes, message: str) -> None:
    task = box.ask(UPSERT, uri=keep(box, content, "manifest.json"))["id"]
    found = box.ask(TASK, id=task)
    assert found["status"] == "FAILED"
    assert message in json.loads(found["errors"])["error"]
    assert message in box.client.get(found["result"]).json()["error"]
    assert messages(box, task) == []


def test_a_chunk_must_be_a_list_and_files_are_ones_own(box: Workspace) -> None:
    uri = manifest(box, {})
    error = box.ask(TASK, id=box.ask(UPSERT, uri=uri)["id"])["errors"]
    assert "is not a JSON list" in error
    stranger = box.stranger()
    task = stranger.ask(UPSERT, uri=manifest(box, [new(dataset(box), row_data=URL)]))["id"]
    assert stranger.ask(TASK, id=task)["status"] == "FAILED"
    assert box.refused(UPSERT, uri="manifest.json")[0] == "MALFORMED_REQUEST"
    assert box.refused(TASK, id=task)[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(IMPORTED, id=task)[0] == "RESOURCE_NOT_FOUND"


def test_an_import_that_was_cancelled_stops(box: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    d, worker = dataset(box), box.client.app.state.sandbox.worker
    good, bad = manifest(box, [new(d, row_data=URL)]), keep(box, b"{", "manifest.json")
    with monkeypatch.context() as patch:
        patch.setattr(worker, "drain", lambda: None)
        tasks = [box.ask(UPSERT, uri=uri)["id"] for uri in (good, bad)]
        for task in tasks:
            cancel = "mutation ($id: ID!) { cancelBulkOperationJob(id: $id) { success } }"
            assert box.ask(cancel, id=task) == {"success": True}
    assert count(box, d) == 0  # asking carries out what was left
    assert [box.ask(TASK, id=task)["status"] for task in tasks] == ["CANCELED"] * 2
    assert box.store.value("SELECT count(*) FROM jobs") == 0


def test_nothing_is_imported_without_permission(box: Workspace) -> None:
    labeler = box.as_role(BY_NAME["Labeler"].id)
    d = dataset(box)
    assert labeler.refused(UPSERT, uri="http://a")[0] == "AUTHORIZATION_ERROR"
    assert labeler.refused(APPEND, d=d, url="http://a")[0] == "AUTHORIZATION_ERROR"
    assert labeler.refused(APPEND_SYNC, d=d, url="http://a")[0] == "AUTHORIZATION_ERROR"


def test_an_import_goes_on_over_turns_and_its_results_over_pages(box: Workspace) -> None:
    d = dataset(box)
    chunk = [new(d, row_data=f"row {n}", global_key=f"k{n % 4200}") for n in range(4_203)]
    task = imported(box, chunk, [new(d, row_data="last")])
    assert count(box, d) == 4_201
    assert messages(box, task) == [f"Duplicate global key: 'k{n}'" for n in range(3)]
    first = box.ask(IMPORTED, id=task, first=4_000)
    assert (len(first["nodes"]), first["total"]) == (4_000, 4_201)
    assert first["nodes"][0]["rowData"] == "row 0"
    second = box.ask(IMPORTED, id=task, first=4_000, **{"from": first["after"]})
    assert (len(second["nodes"]), second["after"]) == (201, None)
    assert second["nodes"][-1]["rowData"] == "last"
    pages, cursor = [], None
    for _ in range(3):
        page = box.ask(REFUSED, id=task, first=1, **{"from": cursor})
        pages.append(len(page["results"]))
        cursor = page["after"]
    assert (pages, cursor) == ([1, 1, 1], None)
    for wrong in ({"first": 0}, {"first": 5_001}, {"from": "x"}, {"from": "9" * 30}, {"from": "-1"}):
        assert box.refused(IMPORTED, id=task, **wrong)[0] == "MALFORMED_REQUEST"


def test_rows_of_a_legacy_file_are_appended_later(box: Workspace) -> None:
    d = dataset(box)
    rows = [
        {"externalId": "a", "imageUrl": URL},
        {"externalId": "b", "data": "https://a.example/1.txt", "globalKey": "k", "mediaType": "TEXT"},
        {"row_data": ""},
    ]
    answer = box.ask(APPEND, d=d, url=keep(box, json.dumps(rows).encode()))
    assert (answer["accepted"], answer["errorMessage"]) == (True, None)
    found = box.ask(TASK, id=answer["taskId"])
    assert found["status"] == "COMPLETE"
    report = box.client.get(found["result"]).json()
    assert [each["externalId"] for each in report["createdDataRows"]] == ["a", "b"]
    assert [each["message"] for each in report["errors"]] == ["rowData must not be empty"]
    answer = box.ask(APPEND, d=d, url="rows.json")
    assert answer == {"accepted": False, "taskId": None, "errorMessage": "jsonFileUrl must be a URL"}
    answer = box.ask(APPEND, d=d, url=keep(box, b"{}"))
    assert answer["accepted"]
    assert box.ask(TASK, id=answer["taskId"])["status"] == "FAILED"
    assert box.refused(APPEND, d="c" * 25, url="http://a")[0] == "RESOURCE_NOT_FOUND"


def test_rows_of_a_legacy_file_are_appended_at_once_all_or_none(box: Workspace) -> None:
    d = dataset(box)
    good = [{"externalId": str(n), "data": URL} for n in range(3)]
    url = keep(box, json.dumps(good).encode())
    assert box.ask(APPEND_SYNC, d=d, url=url) == {"dataset": {"id": d, "rowCount": 3}}
    bad = keep(box, json.dumps([*good, {"data": ""}]).encode())
    assert box.refused(APPEND_SYNC, d=d, url=bad) == ("MALFORMED_REQUEST", "rowData must not be empty")
    many = keep(box, json.dumps(good * 334).encode())
    assert "At most 1000" in box.refused(APPEND_SYNC, d=d, url=many)[1]
    assert count(box, d) == 3


@pytest.mark.parametrize(
    ("row_data", "kept", "attributes"),
    [
        (
            URL,
            URL,
            {"assetType": "image", "mimeType": "image/jpeg", "superType": "image", "subType": "jpeg"},
        ),
        ("https://a.example/x", "https://a.example/x", {}),
        ("gs://bucket/a.mp4", "gs://bucket/a.mp4", {"assetType": "video", "mimeType": "video/mp4"}),
        ("just text", "just text", {"assetType": "text", "mimeType": "text/plain", "contentLength": 9}),
        ({"messages": []}, '{"messages": []}', {"assetType": "conversational"}),
        ({"tileLayerUrl": "https://a/{z}", "epsg": "EPSG4326"}, None, {"assetType": "tms_geo"}),
        ({"tileLayerUrl": "https://a/{z}", "epsg": "Simple"}, None, {"assetType": "tms_simple"}),
        ('{"pdfUrl": "https://a/1.pdf", "tileLayerUrl": "https://a/l"}', "https://a/1.pdf", {"textLayerUrl": "https://a/l"}),
        ({"pdf_url": "https://a/1.pdf", "text_layer_url": "https://a/l"}, "https://a/1.pdf", {"assetType": "pdf"}),
        ({"other": "ü"}, '{"other": "ü"}', {"assetType": "json", "mimeType": "application/json"}),
    ],
)  # fmt: skip
def test_what_an_asset_is_is_detected(
    box: Workspace, row_data: Any, kept: str | None, attributes: dict[str, Any]
) -> None:
    (ident,) = made(box, new(dataset(box), row_data=row_data))
    row = box.ask(ROW, id=ident)
    assert row["rowData"] == (json.dumps(row_data) if kept is None else kept)
    assert attributes.items() <= row["mediaAttributes"].items()
    assert bool(attributes) == bool(row["mediaAttributes"])


def test_a_file_of_ours_is_judged_by_its_bytes(box: Workspace) -> None:
    d = dataset(box)
    image = keep(box, png(640, 480), "a.bin", "application/octet-stream")
    (ident,) = made(box, new(d, row_data=image, media_type="IMAGE"))
    assert box.ask(ROW, id=ident)["mediaAttributes"] == {
        "assetType": "image",
        "mimeType": "image/png",
        "superType": "image",
        "subType": "png",
        "contentLength": len(png(640, 480)),
        "width": 640,
        "height": 480,
    }
    document = keep(box, b"%PDF-1.7", "a.png", "image/png")
    message = refusal(box, new(d, row_data=document, media_type="IMAGE"))
    assert message == "Expected type image/*, detected: application/pdf"
    broken = keep(box, png(1, 1)[:12], "b.png", "image/png")
    (ident,) = made(box, new(d, row_data=broken))
    assert "width" not in box.ask(ROW, id=ident)["mediaAttributes"]


@pytest.mark.slow
def test_the_largest_import_is_150_000_rows(box: Workspace) -> None:
    d = dataset(box)
    chunks = [[new(d, row_data=f"{c}-{n}") for n in range(15_000)] for c in range(10)]
    task = imported(box, *chunks)
    assert (messages(box, task), count(box, d)) == ([], 150_000)


def test_an_import_does_not_believe_the_count_it_is_told(box: Workspace) -> None:
    over = manifest(box, [0] * 150_001, item_count=1)
    failed = box.ask(TASK, id=box.ask(UPSERT, uri=over)["id"])
    assert (failed["status"], "At most 150000 data rows" in failed["errors"]) == ("FAILED", True)
