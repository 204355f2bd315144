"""The ASGI application: who may speak, what a request must look like, and what goes back.

API reference 5.1 (paths), 5.2 (keys), 5.3 (REST), 5.5 (statuses). Requests are executed in the event
loop's own thread: SQLite answers in microseconds, a thread would cost more than it frees.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as HttpRoute

from lbstack.sandbox.complexity import LIMIT
from lbstack.sandbox.contract import Reply, RestCall, Route
from lbstack.sandbox.errors import BadInputError, NotAuthenticatedError, ServiceError
from lbstack.sandbox.kinds import KINDS
from lbstack.sandbox.kinds.session import authenticate
from lbstack.sandbox.schema import Engine
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.store import Store

log = logging.getLogger(__name__)

_MAX_BODY = 10_000_000  # bytes
_REST_STATUS = {
    "AUTHENTICATION_ERROR": 401,
    "AUTHORIZATION_ERROR": 403,
    "RESOURCE_NOT_FOUND": 404,
    "RESOURCE_CONFLICT": 409,
    "OPERATION_NOT_ALLOWED": 422,
}

_UNFORESEEN = ServiceError("Internal server error", exception={"status": 500})

Endpoint = Callable[[Request], Awaitable[Response]]


class Sandbox:
    """A workspace behind its API: the store, the GraphQL engine, and a count of what was asked.

    ``requests`` counts the GraphQL POSTs this instance has handled, refused ones included.
    """

    def __init__(self, store: Store, complexity_limit: int = LIMIT) -> None:
        self.store = store
        self.engine = Engine(complexity_limit)
        self.requests = 0

    async def graphql(self, request: Request) -> Response:
        """Answer one POST to ``/graphql`` or ``/_gql``."""
        self.requests += 1
        try:
            with self.store.lock:
                context = authenticate(self.store, _token(request))
        except NotAuthenticatedError as refusal:
            return _say(401, _errors(refusal))
        try:
            text, variables, name = _graphql_body(request, await _json_body(request))
        except ServiceError as refusal:
            return _say(400, _errors(refusal))
        try:
            with self.store.lock:
                status, body = self.engine.answer(context, text, variables, name)
        except Exception:
            log.exception("a GraphQL request failed")
            status, body = 200, _errors(_UNFORESEEN)
        return _say(status, body)

    def rest(self, route: Route) -> Endpoint:
        """Return the endpoint that answers one REST route."""

        async def endpoint(request: Request) -> Response:
            try:
                body = await _json_body(request, optional=True)
                with self.store.lock:
                    reply = self._rest(route, request, body)
            except ServiceError as refusal:
                status = _REST_STATUS.get(refusal.code, 400)
                return _say(status, {"message": refusal.message, "code": refusal.code})
            except HTTPException:
                raise
            except Exception:
                log.exception("a REST request failed: %s %s", route.method, route.path)
                return _say(500, {"message": _UNFORESEEN.message, "code": _UNFORESEEN.code})
            if reply.body is None:
                return Response(status_code=reply.status)
            return _say(reply.status, reply.body)

        return endpoint

    def _rest(self, route: Route, request: Request, body: Any) -> Reply:
        context = authenticate(self.store, _token(request))
        context.require(route.needs)
        call = RestCall({name: str(value) for name, value in request.path_params.items()}, body)
        if route.op is None:
            with self.store.snapshot():
                return route.handler(context, call)
        with context.writing(route.op, {**call.params, "body": body}):
            return route.handler(context, call)


def create_app(
    data: Path | Store | None = None, *, seed: int | None = None, complexity_limit: int = LIMIT
) -> Starlette:
    """Return the sandbox as an ASGI application.

    ``data`` is a folder or database file that keeps the workspace, an open store, or None for a
    workspace in memory. A ``seed`` makes ids and times countable. ``app.state.sandbox`` is the
    ``Sandbox``, with its ``store`` and its count of ``requests``.
    """
    store = data if isinstance(data, Store) else open_store(data, seed)
    sandbox = Sandbox(store, complexity_limit)
    routes = [HttpRoute(path, sandbox.graphql, methods=["POST"]) for path in ("/graphql", "/_gql")]
    for kind in KINDS:
        for route in kind.routes:
            path = f"/api/v1{route.path}"
            routes.append(HttpRoute(path, sandbox.rest(route), methods=[route.method]))
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _refuse, ClientDisconnect: _gone},
    )
    app.state.sandbox = sandbox
    return app


def _token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.query_params.get("token")


async def _json_body(request: Request, *, optional: bool = False) -> Any:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _MAX_BODY:
            raise HTTPException(413, "Request body is too large")
        chunks.append(chunk)
    raw = b"".join(chunks)
    if optional and not raw.strip():
        return None
    try:
        body = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
        if b"\\u" in raw:  # half a surrogate pair is no text
            json.dumps(body, ensure_ascii=False).encode("utf-8")
        return body
    except (ValueError, RecursionError):
        raise BadInputError("Request body is not valid JSON") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _graphql_body(request: Request, body: Any) -> tuple[str, dict[str, Any], str | None]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise BadInputError("Content-Type must be application/json")
    if not isinstance(body, dict):
        raise BadInputError("Request body must be a JSON object")
    text, variables, name = body.get("query"), body.get("variables"), body.get("operationName")
    if not isinstance(text, str) or not text.strip():
        raise BadInputError("GraphQL operations must contain a non-empty `query`")
    if variables is not None and not isinstance(variables, dict):
        raise BadInputError("`variables` in a POST body must be an object")
    if name is not None and not isinstance(name, str):
        raise BadInputError("`operationName` must be a string")
    return text, variables or {}, name or None


def _errors(refusal: ServiceError) -> dict[str, Any]:
    return {"errors": [{"message": refusal.message, "extensions": refusal.extensions}]}


def _say(status: int, body: Any) -> Response:
    # The server adds no Date of its own, so that an application without a server has one too.
    return JSONResponse(body, status, headers={"date": formatdate(usegmt=True)})


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    graphql = request.url.path in ("/graphql", "/_gql")
    refusal = {"errors": [{"message": error.detail, "extensions": {"code": "BAD_REQUEST"}}]}
    body = refusal if graphql else {"message": error.detail}
    response = _say(error.status_code, body)
    response.headers.update(error.headers or {})
    return response


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)
