"""The outcome table, row by row: what came back, and what it proves of the mutation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lbstack.api.http import Received
from lbstack.api.outcomes import Throttled, mutated, of_mutation
from lbstack.errors import AuthError, Committed, NotExecuted, NotFound, OutcomeUnknown

CREATE = """mutation CreateThing($name: String!, $data: Input!) {
  createThing(data: {name: $name, more: $data}) { id settings { kind } }
}"""
NESTED = (
    "mutation Connect($id: ID!) { project(where: {id: $id}) { connectOntology(ontologyId: $id) { id } } }"
)
MADE = {"createThing": {"id": "x"}}


def judged(status: int, body: Any, document: str = CREATE, **headers: str) -> dict[str, Any] | None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return of_mutation(Received(status, headers, content), document).data


def error(code: str = "", path: Any = ("createThing",), message: str = "no", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"message": message, "extensions": {"code": code, **more}}
    return made if path is None else {**made, "path": list(path) if isinstance(path, tuple) else path}


def failed(*errors: dict[str, Any], data: Any = None) -> dict[str, Any]:
    return {"data": data, "errors": list(errors)}


NULL_ROOT = {"createThing": None}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"data": MADE}),
        (200, {"data": MADE, "errors": []}),
        (200, failed(error("INTERNAL_SERVER_ERROR", ("createThing", "settings")), data=MADE)),
        (200, failed(error("AUTHENTICATION_ERROR"), data=MADE)),
        (429, failed(error(message="You have exceeded"), data=MADE)),
        (502, {"data": MADE}),
        (200, {"data": {"createThing": {"success": True}}}),
        (200, {"data": {"createThing": [{"invite": {"id": "x"}}]}}),
    ],
)
def test_committed(status: int, body: Any) -> None:
    data = judged(status, body)
    assert data is not None
    assert data["createThing"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b"<html>"),
        (429, {"message": "slow down"}),
        (429, failed(error())),
        (200, {"message": "You have exceeded the limit"}),
        (400, {"message": "You have exceeded the limit"}),
        (200, {"message": "You have exceeded", "data": None}),
        (200, failed(error(message="You have exceeded"))),
        (200, failed(error(message="You have exceeded"), data=NULL_ROOT)),
    ],
)
def test_throttled(status: int, body: Any) -> None:
    with pytest.raises(Throttled):
        judged(status, body)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", "date": "Sun, 06 Nov 1994 08:49:37 GMT"}, 60.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:48:37 GMT", "date": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "٣"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_told_in_seconds_or_by_the_services_clock(
    headers: dict[str, str], seconds: float | None
) -> None:
    with pytest.raises(Throttled) as caught:
        judged(429, b"", **headers)
    assert caught.value.after == seconds


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"errors": [error("GRAPHQL_PARSE_FAILED", None)]}, NotExecuted),
        (200, {"errors": [error("GRAPHQL_VALIDATION_FAILED", None)] * 3}, NotExecuted),
        (400, {"errors": [error("BAD_USER_INPUT", None)]}, NotExecuted),
        (401, {"errors": [error("AUTHENTICATION_ERROR", None)]}, AuthError),
        (403, failed(error("AUTHORIZATION_ERROR", None)), AuthError),
        (200, failed(error("AUTHORIZATION_ERROR"), data=NULL_ROOT), AuthError),
        (200, failed(error("RESOURCE_CONFLICT"), data=NULL_ROOT), NotExecuted),
        (200, failed(error("MALFORMED_REQUEST")), NotExecuted),
        (200, failed(error("OPERATION_NOT_ALLOWED"), data=NULL_ROOT), NotExecuted),
        (200, failed(error("RESOURCE_NOT_FOUND"), data=NULL_ROOT), NotFound),
        *[
            (200, failed(error("INTERNAL_SERVER_ERROR", exception={"status": inner})), NotExecuted)
            for inner in (400, 409, 422, 426)
        ],
    ],
)
def test_refused(status: int, body: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        judged(status, body)
    assert not isinstance(caught.value, OutcomeUnknown)


@pytest.mark.parametrize(
    "body",
    [
        failed(error("INTERNAL_SERVER_ERROR", ("createThing", "settings")), data=NULL_ROOT),
        failed(error("AUTHORIZATION_ERROR", ("createThing", "createdBy"))),
        failed(error("", ("createThing", 0, "invite")), data=NULL_ROOT),
        failed(error("RESOURCE_CONFLICT", ("createThing", "a", "b")), data={"createThing": {"settings": 1}}),
    ],
)
def test_done_but_not_told(body: Any) -> None:
    with pytest.raises(Committed) as caught:
        judged(200, body)
    assert caught.value.exit == 4


SEVERAL = [
    (error("RESOURCE_CONFLICT"), error("INTERNAL_SERVER_ERROR")),
    (error("RESOURCE_CONFLICT"), error("", ("createThing", "settings"))),
    (error("GRAPHQL_VALIDATION_FAILED", None), error("", ("createThing", "settings"))),
]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *[(200, failed(*errors)) for errors in SEVERAL],
        (200, failed(error("INTERNAL_SERVER_ERROR"), data=NULL_ROOT)),
        (200, failed(error("INTERNAL_SERVER_ERROR", exception={"status": 503}))),
        (200, failed(error("INTERNAL_SERVER_ERROR", exception=5))),
        (200, failed(error(""))),
        (200, {"errors": [{}]}),
        (200, {"errors": [{"message": None, "path": 7, "extensions": []}]}),
        (200, failed(error("RESOURCE_CONFLICT", ("another",)))),
        (200, failed(error("RESOURCE_CONFLICT", ()))),
        (200, failed(error("RESOURCE_CONFLICT", "createThing"))),
        (200, failed(error("RESOURCE_CONFLICT", None), data={"createThing": {}})),
        (200, failed(error("GRAPHQL_VALIDATION_FAILED", ("createThing", "x")))),
        (200, {"data": None}),
        (200, {"data": NULL_ROOT}),
        (200, {"data": {}}),
        (200, {"data": {"other": {"id": "x"}}}),
        (200, {"data": {"createThing": {"id": ""}}}),
        (200, {"data": {"createThing": {"id": 7}}}),
        (200, {"data": [1]}),
        (200, {"errors": "no", "data": None}),
        (200, {"errors": [1]}),
        (500, failed(error("MALFORMED_REQUEST"))),
        (502, b""),
        (503, b"upstream connect error or disconnect/reset before headers"),
        *[(status, b"<html>") for status in (302, 400, 401, 403, 404, 408, 413, 425, 499, 500, 504, 520)],
        (401, {"message": "who are you"}),
        (200, b""),
        (200, b"<html>"),
        (200, b'{"data": {"createThing": {"id": "x"}'),
        (200, b'{"data": {"createThing": {"id": "x"}}}{}'),
        (200, b'{"data": {"createThing": {"id": "x"}}, "data": null}'),
        (200, b"\xef\xbb\xbf" + json.dumps({"data": MADE}).encode()),
        (200, json.dumps({"data": MADE}).encode("utf-16")),
        (200, b'{"data": {"createThing": {"id": NaN}}}'),
        (200, b'{"data": {"createThing": {"id": "\xff"}}}'),
        (200, b'{"data": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
        (200, []),
        (200, None),
        (200, 7),
    ],
)
def test_unknown(status: int, body: Any) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        judged(status, body)
    assert not isinstance(caught.value, Committed)
    assert caught.value.exit == 4


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (failed(error("RESOURCE_NOT_FOUND", ("project",)), data={"project": None}), NotFound),
        (failed(error("OPERATION_NOT_ALLOWED", ("project", "connectOntology"))), NotExecuted),
        (failed(error("OPERATION_NOT_ALLOWED", ("project", "connectOntology", "id"))), Committed),
        (failed(error("OPERATION_NOT_ALLOWED", ("project", "name"))), OutcomeUnknown),
        ({"data": {"project": {"connectOntology": None}}}, OutcomeUnknown),
    ],
)
def test_a_mutation_below_an_object_has_its_outcome_there(body: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        judged(200, body, NESTED)
    assert type(caught.value) is kind
    assert judged(200, {"data": {"project": {"connectOntology": {"id": "x"}}}}, NESTED)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (CREATE, ("createThing",)),
        (NESTED, ("project", "connectOntology")),
        ("mutation { a { id } }", ("a",)),
        ("mutation A { a(x: {y: [1]}) { b { id } } }", ("a",)),
        ("mutation A($x: [I!] = []) { a(x: $x) }", ("a",)),
    ],
)
def test_where_a_mutation_answers_is_read_from_its_document(document: str, path: tuple[str, ...]) -> None:
    assert mutated(document) == path
