"""Metadata schemas, and the values of data rows (API reference 1.8, 2.1, 2.2, 5.7, 6.1)."""

from __future__ import annotations

from typing import Any

import pytest
from documents import dataset
from rows import ROW, made, new
from workspace import Workspace

from lbstack.sandbox.roles import BY_NAME

ONTOLOGY = "{ customMetadataOntology { id name kind reserved options { id kind name reserved } } }"
UPSERT = """mutation ($data: UpsertCustomMetadataSchemaInput!) {
  upsertCustomMetadataSchema(data: $data) { id name kind options { id name kind } } }"""
DELETE = "mutation ($where: WhereUniqueIdInput!) { deleteCustomMetadataSchema(schema: $where) { success } }"
SET = """mutation ($data: [DataRowCustomMetadataBatchUpsertInput!]!) {
  upsertDataRowCustomMetadata(data: $data) { globalKey dataRowId error fields { value schemaId } } }"""
UNSET = """mutation ($rows: [DataRowIdentifierCustomMetadataBatchDeleteInput!]) {
  deleteDataRowCustomMetadata(dataRowIdentifiers: $rows) { dataRowId error fields { value schemaId } } }"""
READ = """query ($rows: DataRowCustomMetadataDataRowIdentifiersInput) {
  dataRowCustomMetadata(where: {dataRowIdentifiers: $rows}) {
    dataRowId globalKey fields { value schemaId } } }"""
TAG, SPLIT = "cko8s9r5v0001h2dk9elqdidh", "cko8sbczn0002h2dkdaxb5kal"
TRAIN, TEST = "cko8sbscr0003h2dk04w86hof", "cko8scbz70005h2dkastwhgqt"


@pytest.fixture
def row(box: Workspace) -> str:
    return made(box, new(dataset(box), row_data="x", global_key="k"))[0]


def schema(box: Workspace, name: str = "n", kind: str = "CustomMetadataNumber", **more: Any) -> Any:
    return box.ask(UPSERT, data={"name": name, "kind": kind, **more})


def custom(box: Workspace) -> list[Any]:
    return [each for each in box.ask(ONTOLOGY) if not each["reserved"]]


def test_a_fresh_workspace_has_the_vendors_fields(box: Workspace) -> None:
    found = {each["name"]: each for each in box.ask(ONTOLOGY)}
    assert list(found) == ["tag", "split", "captureDateTime", "embedding"]
    assert [each["name"] for each in found["split"]["options"]] == ["train", "valid", "test"]
    idents = [each["id"] for top in found.values() for each in (top, *top["options"])]
    assert all(len(ident) == 25 for ident in idents)
    assert box.stranger().ask(ONTOLOGY) == list(found.values())


def test_a_schema_is_made_renamed_and_deleted(box: Workspace) -> None:
    options = [{"name": "one", "kind": "CustomMetadataEnumOption"}, {"name": "two"}]
    made_ = schema(box, " colour ", "CustomMetadataEnum", options=options)
    assert (made_["name"], [each["name"] for each in made_["options"]]) == ("colour", ["one", "two"])
    assert {len(each["id"]) for each in (made_, *made_["options"])} == {25}
    one = {"id": made_["options"][0]["id"], "name": "uno"}
    told = {
        "id": made_["id"],
        "name": "color",
        "kind": "CustomMetadataEnum",
        "options": [one, {"name": "three"}],
    }
    changed = box.ask(UPSERT, data=told)
    assert (changed["id"], changed["name"]) == (made_["id"], "color")
    assert changed["options"][0] == {**one, "kind": "CustomMetadataEnumOption"}
    assert [each["name"] for each in changed["options"]] == ["uno", "three"]
    assert box.ask(DELETE, where={"id": made_["id"]}) == {"success": True}
    assert custom(box) == []
    assert box.refused(DELETE, where={"id": made_["id"]})[0] == "RESOURCE_NOT_FOUND"
    assert box.store.value("SELECT count(*) FROM metadata_schemas") == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "taken"}, "Metadata schema with name 'taken' already exists"),
        ({"name": "tag"}, "Metadata schema with name 'tag' already exists"),
        ({"name": " "}, "between 1 and 100 characters"),
        ({"name": "x" * 101}, "between 1 and 100 characters"),
        ({"kind": "CustomMetadataEnumOption"}, "is the kind of options only"),
        ({"options": [{"name": "a"}]}, "Only CustomMetadataEnum has options"),
        ({"kind": "CustomMetadataEnum", "options": [{"name": "a"}, {"name": "a "}]}, "different names"),
        ({"kind": "CustomMetadataEnum", "options": [{"name": "a", "kind": "CustomMetadataString"}]}, "kind of an option"),
        ({"kind": "CustomMetadataEnum", "options": [{"name": "a", "id": TRAIN}]}, "Unknown option"),
        ({"id": TAG, "kind": "CustomMetadataString"}, "Reserved metadata cannot be changed: tag"),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_is_refused(box: Workspace, data: Any, message: str) -> None:
    schema(box, "taken")
    code, said = box.refused(UPSERT, data={"name": "new", "kind": "CustomMetadataNumber", **data})
    assert (code, message in said) == ("MALFORMED_REQUEST", True)
    assert len(custom(box)) == 1


def test_a_schema_is_its_organizations_and_keeps_its_kind(box: Workspace) -> None:
    made_ = schema(box)
    told = {"id": made_["id"], "name": "m", "kind": "CustomMetadataString"}
    assert "kind of a metadata schema cannot" in box.refused(UPSERT, data=told)[1]
    stranger = box.stranger()
    assert stranger.refused(UPSERT, data=told)[0] == "RESOURCE_NOT_FOUND"
    assert stranger.refused(DELETE, where={"id": made_["id"]})[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(DELETE, where={"id": TAG})[0] == "MALFORMED_REQUEST"
    assert box.refused(DELETE, where={"id": TRAIN})[0] == "RESOURCE_NOT_FOUND"
    labeler = box.as_role(BY_NAME["Labeler"].id)
    assert labeler.refused(DELETE, where={"id": made_["id"]})[0] == "AUTHORIZATION_ERROR"
    assert schema(stranger)["name"] == "n"


def test_there_are_at_most_500_schemas(box: Workspace) -> None:
    first = schema(box, "n0")["id"]
    copy = """INSERT INTO metadata_schemas (id, organizationId, createdById, name, kind, createdAt, updatedAt)
        SELECT ?, organizationId, createdById, ?, kind, createdAt, updatedAt FROM metadata_schemas WHERE id = ?"""
    box.store.run_many(copy, [(f"c{n:024}", f"n{n}", first) for n in range(1, 499)])
    last = schema(box, "n499")["id"]
    full = {"name": "one more", "kind": "CustomMetadataNumber"}
    assert "At most 500" in box.refused(UPSERT, data=full)[1]
    assert len(custom(box)) == 500
    box.ask(DELETE, where={"id": last})
    schema(box, "one more")


def test_values_are_set_read_and_removed(box: Workspace, row: str) -> None:
    number = schema(box)["id"]
    fields = [
        {"schemaId": number, "value": 0.5},
        {"schemaId": SPLIT, "value": {}},
        {"schemaId": TRAIN, "value": {}},
    ]
    assert box.ask(SET, data=[{"dataRowId": row, "fields": fields}]) == []
    more = [{"schemaId": TAG, "value": "t"}, {"schemaId": TEST, "value": {}}]
    assert box.ask(SET, data=[{"globalKey": "k", "dataRowId": None, "fields": more}]) == []
    expected = [
        {"schemaId": number, "value": 0.5},
        {"schemaId": SPLIT, "value": {}},
        {"schemaId": TEST, "value": {}},
        {"schemaId": TAG, "value": "t"},
    ]
    answer = [{"dataRowId": row, "globalKey": "k", "fields": expected}]
    assert box.ask(READ, rows={"ids": [row, "c" * 25], "idType": "ID"}) == answer
    assert box.ask(READ, rows={"ids": ["k"], "idType": "GKEY"}) == answer
    assert box.ask(ROW, id=row)["metadataFields"][1]["value"] == "test"
    gone = {"dataRowIdentifier": {"id": "k", "idType": "GKEY"}, "schemaIds": [number, TRAIN, SPLIT]}
    assert box.ask(UNSET, rows=[gone]) == [
        {"dataRowId": row, "error": "Schema did not exist", "fields": [{"schemaId": TRAIN, "value": None}]}
    ]
    assert box.ask(READ, rows={"ids": [row], "idType": "ID"})[0]["fields"] == expected[3:]


def test_an_option_takes_its_enum_along(box: Workspace, row: str) -> None:
    box.ask(SET, data=[{"dataRowId": row, "fields": [{"schemaId": TEST, "value": {}}]}])
    gone = {"dataRowIdentifier": {"id": row, "idType": "ID"}, "schemaIds": [TEST]}
    assert box.ask(UNSET, rows=[gone]) == []
    assert box.ask(ROW, id=row)["customMetadata"] == []


def test_a_row_that_fails_is_told_and_the_others_are_done(box: Workspace, row: str) -> None:
    good = [{"schemaId": TAG, "value": "t"}]
    bad = [{"schemaId": TAG, "value": 7}]
    told = [
        {"dataRowId": "c" * 25, "fields": good},
        {"globalKey": "none", "fields": good},
        {"dataRowId": row, "fields": bad},
        {"dataRowId": row, "globalKey": "k", "fields": good},
        {"fields": good},
        {"dataRowId": row, "fields": good},
    ]
    failures = box.ask(SET, data=told)
    assert [each["error"] for each in failures] == [
        f"DataRow not found: {'c' * 25}",
        "DataRow not found: none",
        "Metadata tag must be a string",
        "Either dataRowId or globalKey must be given",
        "Either dataRowId or globalKey must be given",
    ]
    assert failures[2] == {"dataRowId": row, "globalKey": None, "error": failures[2]["error"], "fields": bad}
    assert box.ask(ROW, id=row)["customMetadata"] == good
    stranger = box.stranger()
    assert len(stranger.ask(SET, data=told[-1:])) == 1
    gone = {"dataRowIdentifier": {"id": row, "idType": "ID"}, "schemaIds": [TAG]}
    assert stranger.ask(UNSET, rows=[gone])[0]["error"] == f"DataRow not found: {row}"
    assert stranger.ask(READ, rows={"ids": [row], "idType": "ID"}) == []


@pytest.mark.parametrize("value", ["1", True, None, [], 10**400])
def test_a_number_is_a_number(box: Workspace, row: str, value: Any) -> None:
    number = schema(box)["id"]
    fields = [{"schemaId": number, "value": value}]
    if value is None:
        assert box.refused(SET, data=[{"dataRowId": row, "fields": fields}])[0] == "BAD_USER_INPUT"
        return
    assert (
        box.ask(SET, data=[{"dataRowId": row, "fields": fields}])[0]["error"] == "Metadata n must be a number"
    )


def test_values_go_with_their_schema_or_option(box: Workspace, row: str) -> None:
    enum = schema(box, "e", "CustomMetadataEnum", options=[{"name": "a"}, {"name": "b"}])
    option = enum["options"][0]
    number = schema(box)["id"]
    fields = [{"schemaId": option["id"], "value": {}}, {"schemaId": number, "value": 1}]
    box.ask(SET, data=[{"dataRowId": row, "fields": fields}])
    keep = {"name": "b", "id": enum["options"][1]["id"]}
    schema(box, "e", "CustomMetadataEnum", id=enum["id"], options=[keep])
    assert box.ask(ROW, id=row)["customMetadata"] == [{"schemaId": number, "value": 1.0}]
    box.ask(DELETE, where={"id": number})
    assert box.ask(ROW, id=row)["customMetadata"] == []


def test_too_many_rows_at_once_are_refused(box: Workspace) -> None:
    told = [{"dataRowId": "x", "fields": []}] * 1_001
    assert box.refused(SET, data=told)[0] == "MALFORMED_REQUEST"
    assert box.refused(READ, rows={"ids": ["x"] * 1_001, "idType": "ID"})[0] == "MALFORMED_REQUEST"
    assert box.refused(READ)[0] == "MALFORMED_REQUEST"
