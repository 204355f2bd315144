"""The wire: gql's httpx transport for GraphQL, the same client's pool for REST.

One module, so that its HTTP library can be changed. It classifies what comes back and retries
what may be retried: reads when the trouble is transient, mutations only on proof that nothing
happened (a connection that was never made, a 429).
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
from gql import GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportProtocolError, TransportServerError
from gql.transport.httpx import HTTPXAsyncTransport
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from lbstack.api.clock import ServiceClock
from lbstack.api.outcomes import Throttled, Transient, of_errors, of_mutation, of_rest
from lbstack.errors import NotExecuted, OutcomeUnknown, ServiceError
from lbstack.redaction import redacted
from lbstack.version import __version__

TIMEOUT = httpx2.Timeout(70.0, connect=10.0)
"""Longer than the service's own limit of 60 s, so that it is rarely us who give up first."""

ATTEMPTS = 5
MAX_PAUSE = 30.0


class _Text(GraphQLRequest):
    """A request that is sent as the text it is: parsing and printing it again tells nobody anything."""

    def __init__(self, text: str, variables: dict[str, Any]) -> None:
        self.text = text
        self.variable_values = variables
        self.operation_name = None
        self.extensions = None

    @property
    def payload(self) -> dict[str, Any]:
        return {"query": self.text, "variables": self.variable_values}


@dataclass(frozen=True, slots=True)
class Answer:
    """What GraphQL answered: data, which may be partial, and errors as they came."""

    data: dict[str, Any] | None
    errors: list[dict[str, Any]] = field(default_factory=list)


class _Status(Exception):
    """Raised inside the transport for a status that a JSON body would hide (429, 5xx)."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.retry_after = response.headers.get("retry-after", "")
        super().__init__(f"HTTP {self.status}")


async def _refuse_status(response: httpx2.Response) -> None:
    if response.status_code == 429 or response.status_code >= 500:
        raise _Status(response)


class ApiWire:
    """A connection to one Labelbox, real or embedded (`app`), with one key."""

    def __init__(self, endpoint: str, key: str, *, app: Any = None, connections: int = 10) -> None:
        self.requests = 0
        self._clock = ServiceClock()
        self._rest = endpoint.removesuffix("/graphql").removesuffix("/") + "/api/v1"
        options: dict[str, Any] = {
            "headers": {
                "Authorization": f"Bearer {key}",
                "Accept": "application/json",
                "User-Agent": f"lbstack/{__version__}",
            },
            "timeout": TIMEOUT,
            "follow_redirects": False,
            "event_hooks": {"response": [self._hear, _refuse_status]},
        }
        if app is not None:
            options["transport"] = httpx2.ASGITransport(app=app)
        else:
            # The sandbox's server keeps idle sockets longer than this; the other way round is a race.
            options["limits"] = httpx2.Limits(max_connections=connections, keepalive_expiry=4.0)
        self._transport = HTTPXAsyncTransport(endpoint, **options)
        # Some operations are only known to be served on the experimental path (API reference 5.1).
        self._experimental = HTTPXAsyncTransport(endpoint.replace("/graphql", "/_gql"), **options)

    async def __aenter__(self) -> ApiWire:
        for transport in (self._transport, self._experimental):
            await cast(Any, transport).connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        for transport in (self._transport, self._experimental):
            await cast(Any, transport).close()

    def server_now(self) -> float | None:
        """The service's time in epoch seconds; None as long as no answer has told it."""
        return self._clock.now()

    async def _hear(self, response: httpx2.Response) -> None:
        self._clock.heard(response.headers.get("date", ""))

    async def read(self, document: str, variables: dict[str, Any]) -> Answer:
        """Send a query; errors inside the answer are the caller's to judge. Transient trouble is retried."""
        answer: Answer = await _retry((Transient, Throttled), lambda: self._send(document, variables))
        return answer

    async def query(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of a query that must succeed whole."""
        answer = await self.read(document, variables)
        if answer.errors or answer.data is None:
            raise of_errors(answer.errors)
        return answer.data

    async def mutate(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of a document with one mutation; its outcome is never guessed."""
        return await self._mutate(self._transport, document, variables)

    async def mutate_experimental(self, document: str, **variables: Any) -> dict[str, Any]:
        """A mutation that the service's own client sends to the experimental path."""
        return await self._mutate(self._experimental, document, variables)

    async def _mutate(
        self, transport: HTTPXAsyncTransport, document: str, variables: dict[str, Any]
    ) -> dict[str, Any]:
        answer: Answer = await _retry((Throttled,), lambda: self._send(document, variables, transport))
        if answer.data is None or (answer.errors and not _committed(answer.data)):
            raise of_mutation(answer.errors, answer.data)
        return answer.data

    async def _send(
        self, document: str, variables: dict[str, Any], mutating: HTTPXAsyncTransport | None = None
    ) -> Answer:
        """One request: a read, or a mutation over the transport that is to carry it."""
        mutation = mutating is not None
        lost = OutcomeUnknown if mutation else Transient
        self.requests += 1
        try:
            result = await (mutating or self._transport).execute(_Text(document, variables))
        except TransportServerError as error:
            raise of_rest(error.code or 0, "", changes=mutation) from None
        except TransportConnectionFailed as error:
            raise _connection_trouble(error.__cause__, lost) from None
        except TransportProtocolError as error:
            raise lost("the service's answer is no GraphQL", "protocol", _short(str(error))) from None
        errors = cast(Any, result.errors) or []
        if not isinstance(errors, list) or not all(isinstance(error, dict) for error in errors):
            raise lost("the service's answer has errors of a strange shape", "protocol")
        if result.data is not None and not isinstance(result.data, dict):
            raise lost("the service's answer has data of a strange shape", "protocol")
        return Answer(result.data, errors)

    async def rest(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a REST call (None where it has no body), path relative to the REST base."""
        changes = method != "GET"
        retried = (Throttled,) if changes else (Transient, Throttled)
        return await _retry(retried, lambda: self._send_rest(method, path, body, changes))

    async def _send_rest(self, method: str, path: str, body: Any, changes: bool) -> Any:
        client = cast(Any, self._transport.client)
        lost = OutcomeUnknown if changes else Transient
        self.requests += 1
        try:
            response = await client.request(method, self._rest + path, json=body)
        except (httpx2.HTTPError, _Status) as error:
            raise _connection_trouble(error, lost) from None
        if response.status_code >= 300:
            raise of_rest(response.status_code, _message(response), changes=changes)
        try:
            return json.loads(response.content) if response.content else None
        except ValueError:
            raise lost("the service's REST answer is no JSON", "protocol") from None


def _committed(data: dict[str, Any]) -> bool:
    """Whether every root field came back with an id: then it was executed, whatever else is said."""
    return all(isinstance(root, dict) and bool(root.get("id")) for root in data.values())


def _connection_trouble(cause: BaseException | None, lost: type[ServiceError]) -> ServiceError:
    """A request that got no usable answer: refused before it was sent, throttled, or in doubt."""
    if isinstance(cause, _Status):
        if cause.status == 429:
            return Throttled(_seconds(cause.retry_after))
        return lost(f"the service answered HTTP {cause.status}", str(cause.status))
    if isinstance(cause, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)):
        return Unreachable(
            f"the service cannot be reached: {cause}", "unreachable", "check LABELBOX_ENDPOINT"
        )
    if isinstance(cause, httpx2.TimeoutException):
        return lost("the service did not answer in time", "connection")
    if isinstance(cause, httpx2.RemoteProtocolError):
        return lost("the service broke the connection off before it had answered", "connection")
    return lost(f"the connection broke ({type(cause).__name__})", "connection")


class Unreachable(Throttled, NotExecuted):
    """No connection was made, so nothing was sent: trying again is safe."""

    def __init__(self, message: str, code: str, detail: str) -> None:
        NotExecuted.__init__(self, message, code, detail)
        self.after = None


async def _retry(on: tuple[type[BaseException], ...], send: Any) -> Any:
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(on),
        stop=stop_after_attempt(ATTEMPTS),
        wait=_pause,
        sleep=asyncio.sleep,
        reraise=True,
    ):
        with attempt:
            return await send()
    raise AssertionError("tenacity ends by returning or raising")


def _pause(call: RetryCallState) -> float:
    """Seconds before the next attempt: what the service asked for, else a jittered doubling."""
    error = call.outcome.exception() if call.outcome else None
    asked = getattr(error, "after", None)
    if asked is not None:
        return float(min(asked, MAX_PAUSE))
    return random.uniform(0.1, 0.25 * 2**call.attempt_number)  # noqa: S311 - spreads load, guards nothing


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


def _message(response: httpx2.Response) -> str:
    try:
        data = json.loads(response.content)
        return str(data["message"]) if isinstance(data, dict) else ""
    except (ValueError, KeyError):
        return ""


def _short(text: str, limit: int = 200) -> str:
    line = redacted(" ".join(text.split()))  # before it is cut: half a secret is not known again
    return line if len(line) <= limit else line[:limit] + "…"
