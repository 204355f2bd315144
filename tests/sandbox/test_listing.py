"""Filters and pages (API reference, section 4)."""

from __future__ import annotations

from typing import Any

import pytest
from documents import dataset
from workspace import Workspace

LIST = "query ($where: DatasetWhereInput) { datasets(where: $where) { name } }"


def names(box: Workspace, where: Any) -> list[str]:
    return [row["name"] for row in box.ask(LIST, where=where)]


@pytest.fixture
def abc(box: Workspace) -> Workspace:
    for name in ("a", "b", "bc", "B"):
        dataset(box, name)
    return box


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (None, ["a", "b", "bc", "B"]),
        ({}, ["a", "b", "bc", "B"]),
        ({"name": "b"}, ["b"]),
        ({"name_not": "b"}, ["a", "bc", "B"]),
        ({"name_in": ["a", "B", "z"]}, ["a", "B"]),
        ({"name_in": []}, []),
        ({"name_contains": "b"}, ["b", "bc"]),
        ({"name_lt": "b"}, ["a", "B"]),
        ({"name_lte": "b"}, ["a", "b", "B"]),
        ({"name_gt": "b"}, ["bc"]),
        ({"name_gte": "b"}, ["b", "bc"]),
        ({"AND": [{"AND": [{"name_gte": "b"}, {"deleted": False}]}, {"name_not": "bc"}]}, ["b"]),
        ({"name_gte": "b", "name_not": "b"}, ["bc"]),
        ({"rowCount_gt": 0}, []),
        ({"createdAt_gt": "2020-01-01T00:00:00Z"}, ["a", "b", "bc", "B"]),
        ({"createdAt_gt": "2999-01-01T01:00:00+02:00"}, []),
        ({"createdBy": {"email": "admin@sandbox.example"}}, ["a", "b", "bc", "B"]),
        ({"createdBy": {"id": "nobody"}}, []),
    ],
)
def test_a_filter_finds(abc: Workspace, where: Any, found: list[str]) -> None:
    assert names(abc, where) == found


def test_an_id_may_be_looked_for_by_a_part(abc: Workspace) -> None:
    ident = abc.ask("{ datasets(first: 1) { id } }")[0]["id"]
    assert names(abc, {"id_contains": ident[3:]}) == ["a"]


@pytest.mark.parametrize("word", ["OR", "NOT"])
def test_only_and_combines(abc: Workspace, word: str) -> None:
    query = '{ datasets(where: {%s: [{name: "a"}]}) { id } }' % word  # noqa: UP031 - braces
    assert abc.refused(query)[0] == "GRAPHQL_VALIDATION_FAILED"


def test_pages_do_not_overlap(abc: Workspace) -> None:
    page = "query ($skip: Int) { datasets(skip: $skip, first: 3) { name } }"
    assert [row["name"] for row in abc.ask(page, skip=0)] == ["a", "b", "bc"]
    assert [row["name"] for row in abc.ask(page, skip=3)] == ["B"]
    assert abc.ask(page, skip=4) == []


def test_a_list_without_a_page_size_stops_at_a_hundred(box: Workspace) -> None:
    for number in range(101):
        dataset(box, f"d{number}")
    assert len(box.ask("{ datasets { id } }")) == 100
    assert len(box.ask("{ datasets(skip: 100) { id } }")) == 1


@pytest.mark.parametrize("first", ["101", "-1", '"5"'])
def test_a_page_size_out_of_bounds_does_not_validate(box: Workspace, first: str) -> None:
    code, _ = box.refused("{ datasets(first: %s) { id } }" % first)  # noqa: UP031 - braces
    assert code == "GRAPHQL_VALIDATION_FAILED"


def test_a_page_size_out_of_bounds_in_a_variable_is_refused(box: Workspace) -> None:
    query = "query ($n: PageSize) { datasets(first: $n) { id } }"
    assert box.refused(query, n=101)[0] == "BAD_USER_INPUT"


def test_a_negative_skip_is_refused(box: Workspace) -> None:
    assert box.refused("{ datasets(skip: -1) { id } }")[0] == "MALFORMED_REQUEST"


@pytest.mark.parametrize("time", ["yesterday", "2024-01-01", "2024-01-01T00:00:00", 5])
def test_a_time_that_is_none_is_refused(box: Workspace, time: Any) -> None:
    query = "query ($t: DateTime!) { datasets(where: {createdAt_gt: $t}) { id } }"
    assert box.refused(query, t=time)[0] == "BAD_USER_INPUT"
