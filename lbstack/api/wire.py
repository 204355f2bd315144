"""The wire: GraphQL and REST, limited, classified, and sent again where that is safe.

Reads are retried when the trouble is transient, mutations only on proof that nothing happened (a
connection that was never made, a refusal for the sake of the rate limit); see the table of `outcomes`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from lbstack.api.answers import Answer, message_of
from lbstack.api.clock import ServiceClock
from lbstack.api.http import Http, LostError, NeverSentError, Received
from lbstack.api.outcomes import (
    Throttled,
    Transient,
    Unreachable,
    of_errors,
    of_mutation,
    of_read,
    of_rest,
)
from lbstack.api.rate import UNLIMITED, Limiter
from lbstack.errors import OutcomeUnknown, ServiceError
from lbstack.version import __version__

T = TypeVar("T")

ATTEMPTS = 5
"""How often a request is sent whose trouble may pass."""

THROTTLES = 12
"""How often it is sent while the service asks to slow down; the limiter waits as long as it says."""

PATIENCE = 300.0
"""Seconds that the service may ask to wait; a run that would have to wait longer says so and ends."""

SAFE = (Throttled, Unreachable)
READING = (Transient, *SAFE)

log = logging.getLogger(__name__)


class ApiWire:
    """A connection to one Labelbox, real or embedded (`app`), with one key.

    `warn` is told what must not be lost though nothing failed: errors beside a mutation that was done.
    """

    def __init__(
        self,
        endpoint: str,
        key: str,
        *,
        app: Any = None,
        limiter: Limiter | None = None,
        warn: Callable[[str], None] = log.warning,
    ) -> None:
        self.requests = 0
        self._graphql = endpoint
        # Some operations are only known to be served on the experimental path (API reference 5.1).
        self._experimental = endpoint.removesuffix("/graphql") + "/_gql"
        self._rest = endpoint.removesuffix("/graphql").removesuffix("/") + "/api/v1"
        self._limiter = limiter or Limiter(UNLIMITED)
        self._warn = warn
        self._clock = ServiceClock()
        headers = {"Authorization": f"Bearer {key}", "User-Agent": f"lbstack/{__version__}"}
        self._http = Http(endpoint, headers, app=app)

    async def __aenter__(self) -> ApiWire:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    def server_now(self) -> float | None:
        """The service's time in epoch seconds; None as long as no answer has told it."""
        return self._clock.now()

    async def read(self, document: str, variables: dict[str, Any]) -> Answer:
        """Send a query; errors inside the answer are the caller's to judge. Transient trouble is retried."""
        payload = {"query": document, "variables": variables}
        return await self._again(
            READING, lambda: self._send("POST", self._graphql, payload, of_read, Transient)
        )

    async def query(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of a query that must succeed whole."""
        answer = await self.read(document, variables)
        if answer.errors or answer.data is None:
            raise of_errors(answer.errors)
        return answer.data

    async def mutate(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of a document with one mutation; its outcome is never guessed."""
        return await self._mutate(self._graphql, document, variables)

    async def mutate_experimental(self, document: str, **variables: Any) -> dict[str, Any]:
        """A mutation that the service's own client sends to the experimental path."""
        return await self._mutate(self._experimental, document, variables)

    async def _mutate(self, url: str, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        payload = {"query": document, "variables": variables}

        def judge(received: Received) -> Answer:
            return of_mutation(received, document)

        answer = await self._again(SAFE, lambda: self._send("POST", url, payload, judge, OutcomeUnknown))
        for error in answer.errors:
            self._warn(f"it was done, but the service also said: {message_of(error)}")
        assert answer.data is not None
        return answer.data

    async def rest(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a REST call (None where it has no body), path relative to the REST base."""
        changes = method != "GET"

        def judge(received: Received) -> Any:
            return of_rest(received, changes=changes)

        on, lost = (SAFE, OutcomeUnknown) if changes else (READING, Transient)
        return await self._again(on, lambda: self._send(method, self._rest + path, body, judge, lost))

    async def _send(
        self, method: str, url: str, body: Any, judge: Callable[[Received], T], lost: type[ServiceError]
    ) -> T:
        """One request, when its turn has come, and what its answer means; `lost` is what none means."""
        async with self._limiter.slot() as slot:
            self.requests += 1
            try:
                received = await self._http.exchange(method, url, body, changes=lost is OutcomeUnknown)
                self._clock.heard(received.headers.get("date", ""))
                answer = judge(received)
            except NeverSentError as error:
                raise Unreachable(
                    f"the service cannot be reached: {error}", "unreachable", "check LABELBOX_ENDPOINT"
                ) from None
            except LostError as error:
                raise lost(str(error), "connection") from None
            except Throttled as error:
                slot.throttled(error.after)
                raise
            slot.answered()
            return answer

    async def _again(self, on: tuple[type[BaseException], ...], send: Callable[[], Awaitable[T]]) -> T:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(on),
            stop=_enough,
            wait=_pause,
            sleep=self._limiter.sleep,
            reraise=True,
        ):
            with attempt:
                return await send()
        raise AssertionError("tenacity ends by returning or raising")


def _enough(call: RetryCallState) -> bool:
    error = call.outcome.exception() if call.outcome else None
    if isinstance(error, Throttled):
        return call.attempt_number >= THROTTLES or (error.after or 0) > PATIENCE
    return call.attempt_number >= ATTEMPTS


def _pause(call: RetryCallState) -> float:
    """Seconds before the next attempt: a jittered doubling; where it is too much, the limiter waits."""
    error = call.outcome.exception() if call.outcome else None
    if isinstance(error, Throttled):
        return 0.0
    return random.uniform(0.1, 0.25 * 2**call.attempt_number)  # noqa: S311 - spreads load, guards nothing
