"""Data rows one by one: made, changed, listed, deleted, with attachments (API reference 1.8, 2.1, 4, 6.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import NEW_ROW, dataset, labelled
from rows import ROW, made, new
from workspace import Workspace

from lbstack.sandbox.roles import BY_NAME

URL = "https://a.example/1.jpg"
TAG = "cko8s9r5v0001h2dk9elqdidh"
CREATE = """mutation ($data: DataRowCreateInput!) { createDataRow(data: $data) { id } }"""
UPDATE = """mutation ($id: ID!, $data: DataRowUpdateInput!) {
  updateDataRow(where: {id: $id}, data: $data) { id externalId globalKey rowData dataset { id } } }"""
DELETE = "mutation ($ids: [ID!]!) { deleteDataRows(where: {dataRowIds: $ids}) { id deleted } }"
COUNT = "query ($id: ID!) { dataset(where: {id: $id}) { rowCount } }"
PAGE = """query ($id: ID!, $from: ID, $first: Int, $where: DatasetDataRowWhereInput) {
  datasetDataRows(id: $id, from: $from, first: $first, where: $where) {
    nodes { id rowData } pageInfo { hasNextPage startCursor } } }"""
LIST = """query ($id: ID!, $skip: Int, $first: PageSize) {
  dataset(where: {id: $id}) { dataRows(skip: $skip, first: $first) { rowData } } }"""
PROCESSED = """query ($ids: [ID!], $keys: [ID!]) {
  queryAllDataRowsHaveBeenProcessed(dataRowIds: $ids, globalKeys: $keys) { allDataRowsHaveBeenProcessed } }"""
EXTERNAL = (
    "query ($ids: [String!]!) { externalIdsToDataRowIds(externalId_in: $ids) { dataRowId externalId } }"
)
ATTACH = """mutation ($type: AttachmentType!, $value: String!, $name: String, $id: ID!) {
  createDataRowAttachment(data: {type: $type value: $value name: $name dataRowId: $id}) {
    id type value name } }"""
REATTACH = """mutation ($id: ID!, $name: String, $type: AttachmentType, $value: String) {
  updateDataRowAttachment(where: {id: $id}, data: {name: $name, type: $type, value: $value}) {
    id name type value } }"""
DETACH = "mutation ($id: ID!) { deleteDataRowAttachment(where: {id: $id}) { id } }"


def row(box: Workspace, **data: Any) -> str:
    told = {"rowData": URL, "dataset": {"connect": {"id": dataset(box)}}, **data}
    return str(box.ask(CREATE, data=told)["id"])


def test_the_legacy_create_takes_everything(box: Workspace) -> None:
    fields = [{"schemaId": TAG, "value": "t"}]
    notes = [{"type": "RAW_TEXT", "value": "x", "name": "n"}]
    ident = row(
        box,
        globalKey="k",
        externalId="e",
        mediaType="IMAGE",
        metadataFields=fields,
        attachments=notes,
        embeddings=[],
    )
    found = box.ask(ROW, id=ident)
    assert (found["globalKey"], found["externalId"]) == ("k", "e")
    assert (found["customMetadata"], found["attachments"]) == (fields, notes)


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({"rowData": ""}, "MALFORMED_REQUEST", "rowData must not be empty"),
        ({"globalKey": "k"}, "RESOURCE_CONFLICT", "Duplicate global key: 'k'"),
        ({"globalKey": "a  b"}, "MALFORMED_REQUEST", "Invalid global key: 'a  b'"),
        ({"mediaType": "UNKNOWN"}, "MALFORMED_REQUEST", "Found invalid media type: 'UNKNOWN'"),
        ({"mediaType": "VIDEO"}, "MALFORMED_REQUEST", "Expected type video/*, detected: image/jpeg"),
        ({"metadataFields": [{"schemaId": TAG, "value": 1}]}, "MALFORMED_REQUEST", "Metadata tag must be a string"),
        (
            {"embeddings": [{"embeddingId": "e", "vector": [0.5]}]},
            "MALFORMED_REQUEST",
            "Embedding not found: e",
        ),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_is_refused(box: Workspace, data: Any, code: str, message: str) -> None:
    row(box, globalKey="k")
    told = {"rowData": URL, "dataset": {"connect": {"id": dataset(box)}}, **data}
    assert box.refused(CREATE, data=told) == (code, message)
    assert box.store.value("SELECT count(*) FROM data_rows") == 1


def test_a_row_is_changed_as_far_as_it_is_told(box: Workspace) -> None:
    ident = row(box, globalKey="k", externalId="e")
    assert box.ask(UPDATE, id=ident, data={"externalId": "f"})["globalKey"] == "k"
    assert box.ask(UPDATE, id=ident, data={"globalKey": "k"})["externalId"] == "f"
    assert box.ask(UPDATE, id=ident, data={"globalKey": None})["globalKey"] is None
    assert box.ask(UPDATE, id=ident, data={"rowData": "https://a.example/1.pdf"})["externalId"] == "f"
    assert box.ask(ROW, id=ident)["mediaAttributes"]["mimeType"] == "application/pdf"
    tiles = json.dumps({"pdfUrl": "https://a.example/2.pdf", "tileLayerUrl": "https://a.example/l.json"})
    assert box.ask(UPDATE, id=ident, data={"rowData": tiles})["rowData"] == "https://a.example/2.pdf"
    assert box.refused(UPDATE, id=ident, data={"rowData": None})[0] == "MALFORMED_REQUEST"
    row(box, globalKey="other")
    assert box.refused(UPDATE, id=ident, data={"globalKey": "other"})[0] == "RESOURCE_CONFLICT"


def test_a_row_moves_to_another_dataset(box: Workspace) -> None:
    ident, other = row(box), dataset(box, "other")
    before = box.ask(ROW, id=ident)["dataset"]["id"]
    for _ in range(2):
        moved = box.ask(UPDATE, id=ident, data={"dataset": {"connect": {"id": other}}})
        assert moved["dataset"] == {"id": other}
        assert (box.ask(COUNT, id=before)["rowCount"], box.ask(COUNT, id=other)["rowCount"]) == (0, 1)
    foreign = {"dataset": {"connect": {"id": dataset(box.stranger())}}}
    assert box.refused(UPDATE, id=ident, data=foreign)[0] == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize("number", [1, 99, 100, 101, 500, 501])
def test_rows_are_listed_newest_first_whatever_their_number(box: Workspace, number: int) -> None:
    d = dataset(box)
    made(box, *(new(d, row_data=str(n)) for n in range(number)))
    expected = [str(n) for n in reversed(range(number))]
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = box.ask(PAGE, id=d, first=500, **{"from": cursor})
        found += [node["rowData"] for node in page["nodes"]]
        cursor, pages = page["pageInfo"]["startCursor"], pages + 1
        assert page["pageInfo"]["hasNextPage"] == bool(cursor)
    assert (found, pages) == (expected, 1 + (number > 500))
    listed = [box.ask(LIST, id=d, skip=skip, first=100)["dataRows"] for skip in range(0, number, 100)]
    assert [each["rowData"] for page in listed for each in page] == expected


def test_a_list_begins_after_its_cursor_and_may_be_filtered(box: Workspace) -> None:
    d = dataset(box)
    idents = made(
        box, *(new(d, row_data=str(n), external_id=f"e{n % 2}", global_key=f"k{n}") for n in range(4))
    )
    rest = box.ask(PAGE, id=d, **{"from": idents[2]})["nodes"]
    assert [node["id"] for node in rest] == [idents[1], idents[0]]
    odd = box.ask(PAGE, id=d, where={"externalId": "e1"})["nodes"]
    assert [node["id"] for node in odd] == [idents[3], idents[1]]
    assert [node["id"] for node in box.ask(PAGE, id=d, where={"globalKey": "k2"})["nodes"]] == [idents[2]]
    for wrong in (0, -1, 1001):
        assert box.refused(PAGE, id=d, first=wrong)[0] == "MALFORMED_REQUEST"
    assert box.refused(PAGE, id=d, **{"from": "c" * 25})[0] == "RESOURCE_NOT_FOUND"


def test_what_hangs_on_a_row_goes_with_it(box: Workspace) -> None:
    p, ident, _ = labelled(box, damage="yes")
    box.ask(ATTACH, type="IMAGE", value=URL, name=None, id=ident)
    values = "mutation ($d: [DataRowCustomMetadataBatchUpsertInput!]!) { upsertDataRowCustomMetadata(data: $d) { error } }"
    told = {"dataRowId": ident, "fields": [{"schemaId": TAG, "value": "x"}]}
    assert box.ask(values, d=[told]) == []
    assert box.ask(DELETE, ids=[ident, ident]) == [{"id": ident, "deleted": True}] * 2
    for table in ("labels", "attachments", "data_row_metadata", "data_rows", "project_rows"):
        assert box.store.value(f"SELECT count(*) FROM {table}") == 0, table
    assert box.ask("query ($id: ID!) { project(where: {id: $id}) { labelCount } }", id=p) == {"labelCount": 0}
    assert box.refused(ROW, id=ident)[0] == "RESOURCE_NOT_FOUND"


def test_rows_are_deleted_all_or_none(box: Workspace) -> None:
    d = dataset(box)
    idents = made(box, *(new(d, row_data=str(n)) for n in range(101)))
    assert box.refused(DELETE, ids=[*idents, "c" * 25])[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(DELETE, ids=["x"] * 10_001)[0] == "MALFORMED_REQUEST"
    assert box.stranger().refused(DELETE, ids=idents[:1])[0] == "RESOURCE_NOT_FOUND"
    assert box.as_role(BY_NAME["Labeler"].id).refused(DELETE, ids=idents[:1])[0] == "AUTHORIZATION_ERROR"
    assert box.ask(COUNT, id=d)["rowCount"] == 101
    box.ask(DELETE, ids=idents[:100])
    assert box.ask(COUNT, id=d)["rowCount"] == 1


def test_rows_are_found_by_external_id(box: Workspace) -> None:
    d = dataset(box)
    one, two, three = made(box, *(new(d, row_data="x", external_id=each) for each in ("a", "b", "b")))
    assert box.ask(EXTERNAL, ids=["b", "a", "none"]) == [
        {"dataRowId": one, "externalId": "a"},
        {"dataRowId": two, "externalId": "b"},
        {"dataRowId": three, "externalId": "b"},
    ]
    assert box.ask(EXTERNAL, ids=[]) == []
    assert box.stranger().ask(EXTERNAL, ids=["a"]) == []
    assert box.refused(EXTERNAL, ids=["a"] * 1_501)[0] == "MALFORMED_REQUEST"


def test_rows_are_processed_when_they_are_seen(box: Workspace) -> None:
    assert box.ask(PROCESSED, ids=[row(box)]) == {"allDataRowsHaveBeenProcessed": True}
    assert box.ask(PROCESSED, keys=["k"]) == {"allDataRowsHaveBeenProcessed": True}
    assert box.refused(PROCESSED)[0] == "MALFORMED_REQUEST"
    assert box.refused(PROCESSED, ids=[], keys=[])[0] == "MALFORMED_REQUEST"


def test_attachments_are_made_changed_and_deleted(box: Workspace) -> None:
    ident = row(box)
    made_ = box.ask(ATTACH, type="RAW_TEXT", value="v", name="n", id=ident)
    where = {"id": made_["id"]}
    assert box.ask(REATTACH, **where, value="w") == {**where, "name": "n", "type": "RAW_TEXT", "value": "w"}
    assert box.ask(REATTACH, **where, type="IMAGE", name="m")["value"] == "w"
    assert box.refused(REATTACH, **where)[0] == "MALFORMED_REQUEST"
    assert box.refused(REATTACH, **where, value="")[0] == "MALFORMED_REQUEST"
    assert box.refused(ATTACH, type="IMAGE", value="", name=None, id=ident)[0] == "MALFORMED_REQUEST"
    assert box.refused(ATTACH, type="ODD", value="x", name=None, id=ident)[0] == "BAD_USER_INPUT"
    stranger = box.stranger()
    assert stranger.refused(REATTACH, **where, value="x")[0] == "RESOURCE_NOT_FOUND"
    assert stranger.refused(DETACH, **where)[0] == "RESOURCE_NOT_FOUND"
    assert box.ask(DETACH, **where) == where
    assert box.refused(DETACH, **where)[0] == "RESOURCE_NOT_FOUND"
    assert box.ask(ROW, id=ident)["attachments"] == []


@pytest.mark.parametrize("number", [99, 100, 101])
def test_attachments_are_listed_in_pages(box: Workspace, number: int) -> None:
    notes = [{"type": "RAW_TEXT", "value": str(n)} for n in range(number)]
    ident = row(box, attachments=notes)
    document = "query ($id: ID!, $skip: Int) { dataRow(where: {id: $id}) { attachments(skip: $skip, first: 100) { value } } }"
    pages = [box.ask(document, id=ident, skip=skip)["attachments"] for skip in (0, 100)]
    assert [each["value"] for page in pages for each in page] == [str(n) for n in range(number)]


def test_attachments_answer_to_their_legacy_name(box: Workspace) -> None:
    ident = box.ask(NEW_ROW, d=dataset(box), key=None)["id"]
    add = 'mutation addAssetInfo { createAssetMetadata( data: { dataRowId:"%s", metaValue:"%s", metaType: IMAGE } ) { id } }'
    made_ = box.ask(add % (ident, URL))["id"]
    read = 'query getMetadataId { dataRow (where: {id: "<ID>"}) { id metadata { id } } }'.replace(
        "<ID>", ident
    )
    assert box.ask(read) == {"id": ident, "metadata": [{"id": made_}]}
    change = """mutation updateAssetInfo { updateAssetMetadata( where:{ id:"%s" },
      data:{ metaValue:"https://a.example/lorem-ipsum.txt", metaType: TEXT } ){ id } }"""
    assert box.ask(change % made_) == {"id": made_}
    assert [(each["type"], each["value"]) for each in box.ask(ROW, id=ident)["attachments"]] == [
        ("TEXT", "https://a.example/lorem-ipsum.txt")
    ]
    document = (
        "query ($id: ID!) { dataRow(where: {id: $id}) { metadata { metaType metaValue dataRow { id } } } }"
    )
    assert box.ask(document, id=ident)["metadata"][0]["metaType"] == "TEXT"
    remove = 'mutation removeAssetInfo { deleteAssetMetadata( where:{ id:"<ID>" } ){ id } }'
    assert box.ask(remove.replace("<ID>", made_)) == {"id": made_}
    assert box.ask(read)["metadata"] == []
