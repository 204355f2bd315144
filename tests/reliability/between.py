"""Between the wire and an embedded workspace: every answer passes here as bytes and may be spoilt; and a
world whose waits take no time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from lbstack.api.rate import UNLIMITED, Limiter
from lbstack.api.wire import ApiWire
from lbstack.sandbox.world import admin_key
from tests.api.virtual import VirtualLoop
from tests.conftest import World

T = TypeVar("T")


@dataclass(frozen=True)
class Exchange:
    """One request as it was read, and the answer to it."""

    number: int
    path: str
    asked: dict[str, Any]
    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)

    @property
    def text(self) -> str:
        return str(self.asked.get("query", ""))

    @property
    def variables(self) -> dict[str, Any]:
        told = self.asked.get("variables")
        return told if isinstance(told, dict) else {}

    def answer(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    def json(self, body: Any) -> Exchange:
        return replace(self, body=json.dumps(body).encode())


Spoil = Callable[[Exchange], Exchange]


class Between:
    """The application, with `spoil` between it and whoever asks."""

    def __init__(self, app: Any) -> None:
        self.app, self.requests = app, 0
        self.spoil: Spoil = lambda exchange: exchange

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        asked, answered = b"", b""
        head: dict[str, Any] = {}

        async def heard() -> Any:
            nonlocal asked
            message = await receive()
            asked += message.get("body", b"")
            return message

        async def kept(message: dict[str, Any]) -> None:
            nonlocal head, answered
            if message["type"] == "http.response.start":
                head = message
            else:
                answered += message.get("body", b"")

        await self.app(scope, heard, kept)
        body = json.loads(asked) if asked else {}
        headers = tuple((name, value) for name, value in head["headers"] if name != b"content-length")
        number, self.requests = self.requests, self.requests + 1
        told = self.spoil(Exchange(number, scope["path"], body, head["status"], answered, headers))
        await send({"type": "http.response.start", "status": told.status, "headers": list(told.headers)})
        await send({"type": "http.response.body", "body": told.body})


class SpoiltWorld(World):
    """A world whose answers pass `between`, and in which nobody really waits."""

    def __init__(self, folder: Path, seed: int | None = 1) -> None:
        super().__init__(folder, seed)
        self.between = Between(self.app)

    def wired(self, work: Callable[[ApiWire], Coroutine[Any, Any, T]]) -> T:
        loop = VirtualLoop()
        limiter = Limiter(UNLIMITED, clock=loop.time)

        async def run() -> T:
            key = admin_key(self.workspace)
            async with ApiWire("http://sandbox/graphql", key, app=self.between, limiter=limiter) as wire:
                return await work(wire)

        try:
            return loop.run_until_complete(run())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
