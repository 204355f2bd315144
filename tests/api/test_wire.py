"""The wire against a service that misbehaves: what is retried, what is not, what each answer means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from lbstack.api.rate import UNLIMITED, Limiter
from lbstack.api.wire import ApiWire
from lbstack.errors import AuthError, NotExecuted, NotFound, OutcomeUnknown, ServiceError
from lbstack.values import Secret
from tests.api.virtual import VirtualLoop

READ, WRITE = "query { a }", "mutation { a { id } }"


class Service:
    """Answers with what it is given, in turn, and the last one for ever; remembers what came."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.app = Starlette(
            routes=[Route("/{path:path}", self.answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]
        )

    async def answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def asked(self, work: Callable[[ApiWire], Any]) -> Any:
        loop = VirtualLoop()
        limiter = Limiter(UNLIMITED, clock=loop.time)

        async def run() -> Any:
            async with ApiWire("http://sandbox/graphql", "the-key", app=self.app, limiter=limiter) as wire:
                return await work(wire)

        try:
            return loop.run_until_complete(run())
        finally:
            loop.close()


def error(code: str, message: str = "no", path: list[str] | None = None, **more: Any) -> Response:
    body = {"message": message, "extensions": {"code": code, **more}, "path": path or ["a"]}
    return JSONResponse({"data": None, "errors": [body]})


def throttled(after: str = "0") -> Response:
    return JSONResponse({"message": "You have exceeded"}, 429, headers={"retry-after": after})


FINE = JSONResponse({"data": {"a": {"id": "1"}}})
HTML = HTMLResponse("<h1>Log in</h1>")


@pytest.mark.parametrize("trouble", [Response("", 502), throttled(), HTML, Response("{", 200)])
def test_a_read_is_tried_again(trouble: Response) -> None:
    service = Service(trouble, FINE)
    assert service.asked(lambda wire: wire.query(READ)) == {"a": {"id": "1"}}
    assert len(service.requests) == 2


def test_a_read_gives_up() -> None:
    service = Service(JSONResponse({"message": "You have exceeded"}, 429, headers={"retry-after": "0"}))
    with pytest.raises(NotExecuted, match="throttling"):
        service.asked(lambda wire: wire.query(READ))
    assert len(service.requests) == 12


def test_a_read_is_not_tried_for_ever() -> None:
    service = Service(Response("", 502))
    with pytest.raises(ServiceError, match="502"):
        service.asked(lambda wire: wire.query(READ))
    assert len(service.requests) == 5


def test_a_wait_beyond_all_patience_ends_the_run() -> None:
    service = Service(throttled("3600"))
    with pytest.raises(NotExecuted, match="throttling"):
        service.asked(lambda wire: wire.query(READ))
    assert len(service.requests) == 1


def test_a_mutation_that_was_throttled_is_sent_again() -> None:
    service = Service(throttled(), FINE)
    assert service.asked(lambda wire: wire.mutate(WRITE)) == {"a": {"id": "1"}}


@pytest.mark.parametrize(
    "answer",
    [
        Response("", 500),
        Response("", 503),
        error("INTERNAL_SERVER_ERROR"),
        error("INTERNAL_SERVER_ERROR", exception={"status": 503}),
        error("RESOURCE_CONFLICT", path=["a", "b", "c"]),
        JSONResponse({"data": None}),
        HTML,
        Response("{", 200),
        JSONResponse({"data": [1]}),
        JSONResponse({"errors": "no", "data": None}),
    ],
)
def test_a_mutation_whose_outcome_is_unknown_is_never_sent_again(answer: Response) -> None:
    service = Service(answer)
    with pytest.raises(OutcomeUnknown) as caught:
        service.asked(lambda wire: wire.mutate(WRITE))
    assert caught.value.exit == 4
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        error("GRAPHQL_VALIDATION_FAILED"),
        error("GRAPHQL_PARSE_FAILED"),
        error("MALFORMED_REQUEST"),
        error("RESOURCE_CONFLICT"),
        error("INTERNAL_SERVER_ERROR", exception={"status": 422}),
    ],
)
def test_a_refused_mutation_had_no_effect(answer: Response) -> None:
    with pytest.raises(NotExecuted):
        Service(answer).asked(lambda wire: wire.mutate(WRITE))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error("AUTHENTICATION_ERROR"), AuthError),
        (error("AUTHORIZATION_ERROR"), AuthError),
        (Response("", 401), AuthError),
        (error("RESOURCE_NOT_FOUND"), NotFound),
    ],
)
def test_codes_have_their_own_errors(answer: Response, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Service(answer).asked(lambda wire: wire.query(READ))


def test_errors_of_any_shape_are_told() -> None:
    for shape in ({}, {"message": None}, {"message": "x", "extensions": 1}, {"message": "x", "path": 1}):
        with pytest.raises(ServiceError):
            Service(JSONResponse({"data": None, "errors": [shape]})).asked(lambda wire: wire.query(READ))


def test_a_redirect_is_not_followed() -> None:
    service = Service(RedirectResponse("http://elsewhere/graphql"), FINE)
    with pytest.raises(ServiceError):
        service.asked(lambda wire: wire.query(READ))
    assert {request.url.hostname for request in service.requests} == {"sandbox"}


def test_the_key_travels_in_the_header_alone() -> None:
    service = Service(FINE)
    service.asked(lambda wire: wire.query(READ))
    (request,) = service.requests
    assert request.headers["authorization"] == "Bearer the-key"
    assert "the-key" not in str(request.url)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (JSONResponse({"message": "is used"}, 409), NotExecuted, "is used"),
        (JSONResponse({"message": "no such"}, 404), NotFound, "no such"),
        (JSONResponse({"message": "not you"}, 403), AuthError, "API key"),
        (Response("", 403), OutcomeUnknown, "403"),
        (JSONResponse({"message": "too slow"}, 408), OutcomeUnknown, "408"),
        (Response("", 200), OutcomeUnknown, "no JSON"),
        (RedirectResponse("http://elsewhere/"), OutcomeUnknown, "redirects"),
        (Response("", 502), OutcomeUnknown, "502"),
        (Response("<p>", 200), OutcomeUnknown, "no JSON"),
    ],
)
def test_rest_answers_have_the_same_meanings(answer: Response, kind: type[Exception], words: str) -> None:
    service = Service(answer)
    with pytest.raises(kind, match=words):
        service.asked(lambda wire: wire.rest("DELETE", "/ontologies/x"))
    assert [request.url.path for request in service.requests] == ["/api/v1/ontologies/x"]


@pytest.mark.parametrize("status", [200, 429])
def test_rest_is_throttled_too(status: int) -> None:
    service = Service(JSONResponse({"message": "You have exceeded"}, status), Response(status_code=204))
    assert service.asked(lambda wire: wire.rest("DELETE", "/x")) is None
    assert len(service.requests) == 2


def test_rest_without_a_body_is_none() -> None:
    assert Service(Response(status_code=204)).asked(lambda wire: wire.rest("DELETE", "/x")) is None


def test_the_experimental_path_is_another() -> None:
    service = Service(FINE)
    service.asked(lambda wire: wire.mutate_experimental(WRITE))
    assert [request.url.path for request in service.requests] == ["/_gql"]


def test_what_the_service_echoes_of_a_secret_is_not_told() -> None:
    secret = Secret("hunter2-the-canary")
    with pytest.raises(NotExecuted) as caught:
        answer = error("MALFORMED_REQUEST", f"String cannot represent ['{secret.reveal()}']")
        Service(answer).asked(lambda wire: wire.mutate(WRITE, secret=secret.reveal()))
    assert "hunter2" not in str(caught.value)
    assert "(sensitive value)" in str(caught.value)
