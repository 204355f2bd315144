"""Global keys in bulk (API reference 1.8, 5.7, 6.8)."""

from __future__ import annotations

from typing import Any

import pytest
from documents import ATTACH, dataset, project
from rows import made, new
from workspace import Workspace

from lbstack.sandbox.roles import BY_NAME

FIND = "query ($keys: [ID!]!) { dataRowsForGlobalKeys(where: {ids: $keys}) { jobId } }"
FOUND = """query ($id: ID!) { dataRowsForGlobalKeysResult(jobId: {id: $id}) { jobStatus data {
  fetchedDataRows { id } notFoundGlobalKeys accessDeniedGlobalKeys } } }"""
ASSIGN = """mutation ($told: [AssignGlobalKeyToDataRowInput!]!) {
  assignGlobalKeysToDataRows(data: {assignInputs: $told}) { jobId } }"""
ASSIGNED = """query ($id: ID!) { assignGlobalKeysToDataRowsResult(jobId: {id: $id}) { jobStatus data {
  sanitizedAssignments { dataRowId globalKey } invalidGlobalKeyAssignments { dataRowId globalKey }
  unmodifiedAssignments { dataRowId globalKey } accessDeniedAssignments { dataRowId globalKey } } } }"""
CLEAR = "mutation ($keys: [ID!]!) { clearGlobalKeys(where: {ids: $keys}) { jobId } }"
CLEARED = """query ($id: ID!) { clearGlobalKeysResult(jobId: {id: $id}) { jobStatus data {
  clearedGlobalKeys failedToClearGlobalKeys notFoundGlobalKeys accessDeniedGlobalKeys } } }"""


def done(box: Workspace, ask: str, result: str, **variables: Any) -> Any:
    answer = box.ask(result, id=box.ask(ask, **variables)["jobId"])
    assert answer["jobStatus"] == "COMPLETE"
    return answer["data"]


def find(box: Workspace, *keys: str) -> tuple[list[str], list[str], list[str]]:
    data = done(box, FIND, FOUND, keys=keys)
    rows = [each["id"] for each in data["fetchedDataRows"]]
    return rows, data["notFoundGlobalKeys"], data["accessDeniedGlobalKeys"]


@pytest.fixture
def rows(box: Workspace) -> list[str]:
    d = dataset(box)
    return made(box, new(d, row_data="1", global_key="a"), new(d, row_data="2"), new(d, row_data="3"))


def test_rows_are_found_in_the_order_of_their_keys(box: Workspace, rows: list[str]) -> None:
    done(box, ASSIGN, ASSIGNED, told=[{"dataRowId": rows[1], "globalKey": "b"}])
    assert find(box, "b", "none", "a") == ([rows[1], "", rows[0]], ["none"], [])
    assert find(box) == ([], [], [])
    assert find(box.stranger(), "a") == ([""], ["a"], [])


def test_rows_that_somebody_may_not_see_are_denied(box: Workspace, rows: list[str]) -> None:
    labeler = box.as_role(BY_NAME["Labeler"].id)
    assert find(labeler, "a") == ([""], [], ["a"])
    d = box.ask("query ($id: ID!) { dataRow(where: {id: $id}) { dataset { id } } }", id=rows[0])["dataset"]
    box.ask(ATTACH, p=project(box), d=d["id"])
    assert find(labeler, "a") == ([rows[0]], [], [])
    assert labeler.refused(CLEAR, keys=["a"])[0] == "AUTHORIZATION_ERROR"
    assert labeler.refused(ASSIGN, told=[])[0] == "AUTHORIZATION_ERROR"


def test_keys_are_assigned_one_by_one(box: Workspace, rows: list[str]) -> None:
    good = [
        {"dataRowId": rows[0], "globalKey": "a"},  # it has it already
        {"dataRowId": rows[1], "globalKey": "ü" * 200},
        {"dataRowId": rows[0], "globalKey": "c"},
        {"dataRowId": rows[2], "globalKey": "a"},  # free since the line before
    ]
    bad = [{"dataRowId": rows[2], "globalKey": key} for key in ("c", " x", "x ", "x  y", "", "k" * 201)]
    gone = [{"dataRowId": "c" * 25, "globalKey": "z"}]
    assert done(box, ASSIGN, ASSIGNED, told=[*good, *bad, *gone]) == {
        "sanitizedAssignments": [],
        "unmodifiedAssignments": good,
        "invalidGlobalKeyAssignments": [*bad, *gone],
        "accessDeniedAssignments": [],
    }
    assert find(box, "c", "a")[0] == [rows[0], rows[2]]
    foreign = box.stranger()
    data = done(foreign, ASSIGN, ASSIGNED, told=good[:1])
    assert data["invalidGlobalKeyAssignments"] == good[:1]


def test_keys_are_cleared(box: Workspace, rows: list[str]) -> None:
    assert done(box, CLEAR, CLEARED, keys=["a", "none", "a"]) == {
        "clearedGlobalKeys": ["a"],
        "failedToClearGlobalKeys": [],
        "notFoundGlobalKeys": ["none", "a"],
        "accessDeniedGlobalKeys": [],
    }
    assert find(box, "a")[1] == ["a"]


def test_a_job_is_its_organizations_and_of_one_kind(box: Workspace) -> None:
    job = box.ask(FIND, keys=["a"])["jobId"]
    assert box.refused(CLEARED, id=job)[0] == "RESOURCE_NOT_FOUND"
    assert box.stranger().refused(FOUND, id=job)[0] == "RESOURCE_NOT_FOUND"
    many = " ".join(f"n{n}: dataRowsForGlobalKeys(where: {{ids: []}}) {{ jobId }}" for n in range(500))
    for _ in range(2):
        last = box.ask(f"{{ {many} }}")["jobId"]
    assert box.refused(FOUND, id=job)[0] == "RESOURCE_NOT_FOUND"
    assert box.ask(FOUND, id=last)["jobStatus"] == "COMPLETE"
