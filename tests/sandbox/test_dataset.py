"""Datasets and data rows (API reference 1.1, 1.8, 6.2, 6.5)."""

from __future__ import annotations

import re

import pytest
from documents import ATTACH, NEW_LABEL, NEW_ROW, dataset, labelled, project
from workspace import Workspace

CREATE = """mutation ($name: String!, $description: String!) {
  createDataset(data: {name: $name, description: $description}) {
    id name description rowCount createdAt updatedAt deleted signer { id }
    createdBy { email } organization { name } projects { id } } }"""
READ = "query ($id: ID!) { dataset(where: {id: $id}) { id name description rowCount } }"
UPDATE = """mutation ($id: ID!, $data: DatasetUpdateInput!) {
  updateDataset(where: {id: $id}, data: $data) { id name description } }"""
DELETE = "mutation ($id: ID!) { updateDataset(where: {id: $id}, data: {deleted: true}) { id } }"


def test_a_dataset_comes_back_as_it_was_created(box: Workspace) -> None:
    made = box.ask(CREATE, name="teeth", description="x-rays")
    assert re.fullmatch(r"c[0-9a-z]{24}", made.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made.pop("createdAt"))
    assert made.pop("updatedAt")
    assert made == {
        "name": "teeth",
        "description": "x-rays",
        "rowCount": 0,
        "deleted": False,
        "signer": None,
        "createdBy": {"email": "admin@sandbox.example"},
        "organization": {"name": "Sandbox"},
        "projects": [],
    }


def test_a_description_that_was_not_given_is_empty(box: Workspace) -> None:
    assert box.ask(READ, id=dataset(box))["description"] == ""


def test_names_are_not_unique(box: Workspace) -> None:
    assert dataset(box, "same") != dataset(box, "same")


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_refused(box: Workspace, name: str) -> None:
    assert box.refused(CREATE, name=name, description="")[0] == "MALFORMED_REQUEST"
    assert box.refused(UPDATE, id=dataset(box), data={"name": name})[0] == "MALFORMED_REQUEST"


def test_an_update_changes_only_what_it_names(box: Workspace) -> None:
    ident = box.ask(CREATE, name="a", description="b")["id"]
    assert box.ask(UPDATE, id=ident, data={"name": "c"}) == {"id": ident, "name": "c", "description": "b"}
    assert box.refused(UPDATE, id=ident, data={"name": None})[0] == "MALFORMED_REQUEST"


def test_a_deleted_dataset_is_not_found_but_listed_unless_filtered_out(box: Workspace) -> None:
    ident = dataset(box)
    assert box.ask(DELETE, id=ident) == {"id": ident}
    assert box.refused(READ, id=ident)[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(UPDATE, id=ident, data={"name": "x"})[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(DELETE, id=ident)[0] == "RESOURCE_NOT_FOUND"
    assert box.ask("{ datasets { id deleted } }") == [{"id": ident, "deleted": True}]
    assert box.ask("{ datasets(where: {deleted: false}) { id } }") == []


def test_nothing_is_undeleted(box: Workspace) -> None:
    assert box.refused(UPDATE, id=dataset(box), data={"deleted": False})[0] == "MALFORMED_REQUEST"


def test_a_dataset_of_another_organization_is_not_found(box: Workspace) -> None:
    other = box.stranger()
    theirs = dataset(other)
    assert box.refused(READ, id=theirs)[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(DELETE, id=theirs)[0] == "RESOURCE_NOT_FOUND"
    assert box.ask("{ datasets { id } }") == []
    assert other.ask(READ, id=theirs)["id"] == theirs


def test_a_dataset_may_be_attached_to_projects_when_it_is_created(box: Workspace) -> None:
    one, two = project(box), project(box)
    query = """mutation ($p: [WhereUniqueIdInput!]) {
      createDataset(data: {name: "x", projects: {connect: $p}}) { projects { id } } }"""
    assert box.ask(query, p=[{"id": one}, {"id": two}]) == {"projects": [{"id": one}, {"id": two}]}
    single = """mutation ($p: ID!) {
      createDataset(data: {name: "x", projects: {connect: {id: $p}}}) { projects { id } } }"""
    assert box.ask(single, p=one) == {"projects": [{"id": one}]}


def test_a_dataset_attached_to_an_unknown_project_is_not_created(box: Workspace) -> None:
    query = 'mutation { createDataset(data: {name: "x", projects: {connect: {id: "no"}}}) { id } }'
    assert box.refused(query)[0] == "RESOURCE_NOT_FOUND"
    assert box.ask("{ datasets { id } }") == []


def test_a_project_cannot_be_attached_from_the_side_of_the_dataset(box: Workspace) -> None:
    query = 'mutation { updateDataset(where: {id: "x"}, data: {projects: {connect: {id: "y"}}}) { id } }'
    assert box.refused(query)[0] == "GRAPHQL_VALIDATION_FAILED"


def test_a_deleted_dataset_leaves_every_project(box: Workspace) -> None:
    p, d = project(box), dataset(box)
    box.ask(ATTACH, p=p, d=d)
    box.ask(DELETE, id=d)
    assert box.ask("query ($p: ID!) { project(where: {id: $p}) { datasets { id } } }", p=p) == {
        "datasets": []
    }


def test_rows_are_counted_listed_newest_first_and_deleted_for_good(box: Workspace) -> None:
    d = dataset(box)
    rows = [box.ask(NEW_ROW, d=d, key=f"k{number}")["id"] for number in range(3)]
    assert box.ask(READ, id=d)["rowCount"] == 3
    page = """query ($d: ID!, $from: ID) { datasetDataRows(id: $d, from: $from, first: 2) {
      nodes { id customMetadata { value } metadataFields { name } }
      pageInfo { hasNextPage startCursor } } }"""
    first = box.ask(page, d=d)
    assert [row["id"] for row in first["nodes"]] == [rows[2], rows[1]]
    assert first["pageInfo"] == {"hasNextPage": True, "startCursor": rows[1]}
    last = box.ask(page, d=d, **{"from": rows[1]})
    assert [row["id"] for row in last["nodes"]] == [rows[0]]
    assert last["pageInfo"] == {"hasNextPage": False, "startCursor": None}
    gone = box.ask(
        "mutation ($i: [ID!]!) { deleteDataRows(where: {dataRowIds: $i}) { id deleted } }", i=rows[:2]
    )
    assert gone == [{"id": rows[0], "deleted": True}, {"id": rows[1], "deleted": True}]
    assert box.ask(READ, id=d)["rowCount"] == 1
    assert box.refused('{ dataRow(where: {id: "%s"}) { id } }' % rows[0])[0] == "RESOURCE_NOT_FOUND"  # noqa: UP031


def test_a_global_key_is_unique_until_its_row_is_deleted(box: Workspace) -> None:
    d = dataset(box)
    row = box.ask(NEW_ROW, d=d, key="k")["id"]
    assert box.refused(NEW_ROW, d=d, key="k") == ("RESOURCE_CONFLICT", "Duplicate global key: 'k'")
    box.ask("mutation ($i: [ID!]!) { deleteDataRows(where: {dataRowIds: $i}) { id } }", i=[row])
    assert box.ask(NEW_ROW, d=d, key="k")["globalKey"] == "k"


@pytest.mark.parametrize("key", ["", " a", "a ", "a  b", "x" * 201])
def test_a_malformed_global_key_is_refused(box: Workspace, key: str) -> None:
    assert box.refused(NEW_ROW, d=dataset(box), key=key)[0] == "MALFORMED_REQUEST"


def test_a_deleted_row_takes_its_labels_with_it(box: Workspace) -> None:
    p, row, label = labelled(box)
    box.ask("mutation ($i: [ID!]!) { deleteDataRows(where: {dataRowIds: $i}) { id } }", i=[row])
    assert (
        box.refused("query ($l: ID!) { label(where: {id: $l}) { id } }", l=label)[0] == "RESOURCE_NOT_FOUND"
    )
    assert box.ask("query ($p: ID!) { project(where: {id: $p}) { labelCount } }", p=p) == {"labelCount": 0}


def test_only_rows_of_the_project_can_be_labelled(box: Workspace) -> None:
    row = box.ask(NEW_ROW, d=dataset(box))["id"]
    assert box.refused(NEW_LABEL, p=project(box), r=row, label="{}")[0] == "MALFORMED_REQUEST"


def test_a_label_must_be_json(box: Workspace) -> None:
    p, row, _ = labelled(box)
    assert box.refused(NEW_LABEL, p=p, r=row, label="{")[0] == "MALFORMED_REQUEST"


def test_labels_are_counted_listed_both_ways_and_deleted(box: Workspace) -> None:
    p, row, first = labelled(box)
    second = box.ask(NEW_LABEL, p=p, r=row, label='{"a": 1}')["id"]
    read = """query ($p: ID!, $o: LabelOrderBy, $w: LabelWhereInput) { project(where: {id: $p}) {
      labelCount completedDataRowCount labels(skip: 0, first: 100, where: $w, orderBy: $o) { id label } } }"""
    found = box.ask(read, p=p, o="createdAt_DESC")
    assert (found["labelCount"], found["completedDataRowCount"]) == (2, 1)
    assert [each["id"] for each in found["labels"]] == [second, first]
    assert box.ask(read, p=p, w={"dataRow": {"dataset": {"id_in": ["x"]}}})["labels"] == []
    assert len(box.ask(read, p=p, w={"dataRow": {"id": row}})["labels"]) == 2
    gone = box.ask("mutation ($l: [ID!]!) { deleteLabels(labelIds: $l) { id deleted } }", l=[first])
    assert gone == [{"id": first, "deleted": True}]
    assert [each["id"] for each in box.ask(read, p=p)["labels"]] == [second]
