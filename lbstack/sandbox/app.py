"""The ASGI application: who may speak, what a request must look like, and what goes back.

API reference 5.1 (paths), 5.2 (keys), 5.3 (REST), 5.5 (statuses). A served sandbox executes requests in
threads, so that a long one holds nobody up; an embedded one has a single client and needs none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route as HttpRoute

from lbstack.sandbox import files
from lbstack.sandbox.bodies import Asked, asked, json_body, rewind
from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.context import Context
from lbstack.sandbox.contract import EXCHANGE, Reply, RestCall, Route
from lbstack.sandbox.deliveries import Sender
from lbstack.sandbox.errors import NotAuthenticatedError, ServiceError
from lbstack.sandbox.jobs import Worker
from lbstack.sandbox.kinds import KINDS
from lbstack.sandbox.kinds.session import authenticate
from lbstack.sandbox.schema import Answer, Engine
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.store import Store

if TYPE_CHECKING:
    from lbstack.sandbox.faults.exchange import Exchange
    from lbstack.sandbox.faults.facts import Facts

T = TypeVar("T")

log = logging.getLogger(__name__)

_REST_STATUS = {
    "AUTHENTICATION_ERROR": 401,
    "AUTHORIZATION_ERROR": 403,
    "RESOURCE_NOT_FOUND": 404,
    "RESOURCE_CONFLICT": 409,
    "OPERATION_NOT_ALLOWED": 422,
}
# Uploads are anybody's: a browser must neither run them nor guess what they are.
_FILE_HEADERS = {"content-security-policy": "sandbox", "x-content-type-options": "nosniff"}

_UNFORESEEN = ServiceError("Internal server error", exception={"status": 500})

Endpoint = Callable[[Request], Awaitable[Response]]


class Sandbox:
    """A workspace behind its API: the store, the GraphQL engine, jobs, and a count of what was asked.

    ``requests`` counts the GraphQL POSTs this instance has handled, refused ones included. Without
    ``threads`` requests are executed where they arrive, and the jobs they leave before they are answered.
    """

    def __init__(self, store: Store, conditions: Conditions, threads: int = 0) -> None:
        self.store = store
        self.conditions = conditions
        self.engine = Engine()
        jobs = {name: job for kind in KINDS for name, job in kind.jobs.items()}
        self.worker = Worker(store, jobs, conditions)
        self.sender = Sender(store, conditions)
        self.requests = 0
        self._pool = ThreadPoolExecutor(threads, "sandbox request") if threads else None

    def start(self) -> None:
        """Begin with the jobs and deliveries that are left from before."""
        self.sender.start()
        if self._pool and not self.store.mint.seeded:
            self.worker.start()

    def stop(self) -> None:
        """Finish what is under way."""
        self.worker.stop()
        self.sender.stop()
        if self._pool:
            self._pool.shutdown()

    async def graphql(self, request: Request) -> Response:
        """Answer one POST to ``/graphql`` or ``/_gql``."""
        self.requests += 1
        try:
            context = self._authenticate(request)
        except NotAuthenticatedError as refusal:
            return _say(401, _errors(refusal))
        if (exchange := _exchange(request)) and not await exchange.early("after_headers"):
            return Response()
        try:
            what = await asked(request)
        except ServiceError as refusal:
            return _say(400, _errors(refusal))
        answer = await self._run(
            exchange, lambda: self._answer(context, what), lambda: self._facts(what, context)
        )
        return Response() if answer is None else _say(*answer)

    def _facts(self, what: Asked, context: Context) -> Facts:
        from lbstack.sandbox.faults.facts import of_document

        document, run = self.engine.prepare(what.text).document, context.watch.run if context.watch else ""
        return of_document(document, what.operation_name, what.variables, run)

    def _answer(self, context: Context, what: Asked) -> Answer:
        rewind(what.variables)
        try:
            return self.engine.answer(context.afresh(), what.text, what.variables, what.operation_name)
        except Exception:
            log.exception("a GraphQL request failed")
            return 200, _errors(_UNFORESEEN)

    async def _run(
        self, exchange: Exchange | None, work: Callable[[], T], facts: Callable[[], Facts]
    ) -> T | None:
        """Execute a request; in a sandbox that misbehaves (``faults``) it may be prevented: None."""
        if exchange is None:
            return await self._carry_out(work)
        return await exchange.execute(facts(), work, self._carry_out)

    async def _carry_out(self, work: Callable[[], T]) -> T:
        """Execute a request, and see to the jobs that it may have left."""
        if self._pool is None:
            return self._drained(work)
        loop = asyncio.get_running_loop()
        if self.store.mint.seeded:
            return await loop.run_in_executor(self._pool, self._drained, work)
        answer = await loop.run_in_executor(self._pool, work)
        self.worker.wake()
        return answer

    def _drained(self, work: Callable[[], T]) -> T:
        answer = work()
        self.worker.drain()
        return answer

    def _authenticate(self, request: Request, route: Route | None = None) -> Context:
        base = f"{request.url.scheme}://{request.url.netloc}"
        host = request.client.host if request.client else None
        caller = (route and route.caller) or authenticate
        context = caller(self.store, _token(request), base, self.conditions, host)
        context.watch = _exchange(request)
        return context

    def rest(self, route: Route) -> Endpoint:
        """Return the endpoint that answers one REST route."""

        async def endpoint(request: Request) -> Response:
            exchange = _exchange(request)
            try:
                context = self._authenticate(request, route)
                if exchange and not await exchange.early("after_headers"):
                    return Response()
                body = await json_body(request, optional=True)
                reply = await self._run(
                    exchange,
                    lambda: self._rest(context, route, request, body),
                    lambda: _facts(route, request, body),
                )
            except ServiceError as refusal:
                status = _REST_STATUS.get(refusal.code, 400)
                return _say(status, {"message": refusal.message, "code": refusal.code})
            except HTTPException:
                raise
            except Exception:
                log.exception("a REST request failed: %s %s", route.method, route.path)
                return _say(500, {"message": _UNFORESEEN.message, "code": _UNFORESEEN.code})
            if reply is None:
                return Response()
            if reply.file is not None:
                return FileResponse(reply.file, reply.status, _FILE_HEADERS, reply.content_type)
            if reply.content is not None:
                return _contents(reply)
            if reply.body is None:
                return Response(status_code=reply.status)
            return _say(reply.status, reply.body)

        return endpoint

    def _rest(self, context: Context, route: Route, request: Request, body: Any) -> Reply:
        context = context.afresh()
        context.require(route.needs)
        call = RestCall({name: str(value) for name, value in request.path_params.items()}, body)
        if route.op is None:
            with self.store.snapshot():
                return route.handler(context, call)
        with context.writing(route.op, {**call.params, "body": body}):
            return route.handler(context, call)

    async def file(self, request: Request) -> Response:
        """Serve a file, whole or in part; HEAD tells its type and length."""
        found = files.find(self.store, request.path_params["id"])
        if found is None:
            raise HTTPException(404, "File not found")
        row, path = found
        return FileResponse(path, headers=_FILE_HEADERS, media_type=row["contentType"])


def create_app(
    data: Path | Store | None = None,
    *,
    seed: int | None = None,
    conditions: Conditions | None = None,
    threads: int = 0,
) -> Starlette:
    """Return the sandbox as an ASGI application.

    ``data`` is a folder or database file that keeps the workspace, an open store, or None for a
    workspace in memory. A ``seed`` makes ids and times countable. With ``threads`` many clients are
    served at once; ``app.state.sandbox`` (the ``Sandbox``) must then be started and stopped.
    """
    store = data if isinstance(data, Store) else open_store(data, seed)
    sandbox = Sandbox(store, conditions or Conditions(), threads)
    routes = [HttpRoute(path, sandbox.graphql, methods=["POST"]) for path in ("/graphql", "/_gql")]
    for kind in KINDS:
        for route in kind.routes:
            routes.append(HttpRoute(route.under + route.path, sandbox.rest(route), methods=[route.method]))
    routes.append(HttpRoute(f"{files.PATH}/{{id}}/{{name}}", sandbox.file, methods=["GET"]))
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _refuse, ClientDisconnect: _gone},
    )
    app.state.sandbox = sandbox
    return app


def _exchange(request: Request) -> Exchange | None:
    found: Exchange | None = request.scope.get(EXCHANGE)
    return found


def _facts(route: Route, request: Request, body: Any) -> Facts:
    from lbstack.sandbox.faults.facts import of_route

    exchange = _exchange(request)
    return of_route(route, request.url.path, body, exchange.run if exchange else "")


def _token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.query_params.get("token")


def _errors(refusal: ServiceError) -> dict[str, Any]:
    return {"errors": [{"message": refusal.message, "extensions": refusal.extensions}]}


def _contents(reply: Reply) -> Response:
    if isinstance(reply.content, bytes):
        return Response(reply.content, reply.status, _FILE_HEADERS, reply.content_type)
    return StreamingResponse(reply.content or (), reply.status, _FILE_HEADERS, reply.content_type)


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
