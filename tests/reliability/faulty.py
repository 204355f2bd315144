"""An application before an application, on whose way answers are lost, spoilt, refused, or a process dies.

It stands where the network stands: outside of lbstack, below its HTTP client. A `Weather` decides, from one
seed, what becomes of each request; the same seed makes the same weather.
"""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Death(BaseException):
    """The process is killed: nothing after this moment happens."""


BEFORE = ("unreachable", "broken before", "429", "429 html", "500 before", "502 before")
AFTER = ("broken after", "502 after", "504 after", "html", "cut", "error", "nested error", "null", "nothing")
"""What happens to a request, without and with its effect."""


@dataclass
class Weather:
    """What goes wrong: each request with a probability, and the end of the process at a moment."""

    dice: random.Random
    chance: float = 0.0
    dies_at: int = 0
    moment: int = 0
    seen: list[str] = field(default_factory=list)

    def pass_by(self) -> None:
        """A moment of the process; from that of its death on nothing is done any more."""
        self.moment += 1
        if 0 < self.dies_at <= self.moment:
            raise Death(f"at moment {self.moment}")

    def fault(self, body: bytes) -> str:
        """What becomes of the next request; "" is nothing unusual."""
        if self.dice.random() >= self.chance:
            return ""
        chosen = self.dice.choice((*BEFORE, *AFTER))
        self.seen.append(chosen)
        return chosen


class Script(Weather):
    """Weather that is told: the first request that holds a text meets a fault, and is gone from the script.

    Beside the faults of other weather there are ``die`` (after the commit), ``late N`` (executed at the
    N-th request after this one, or when `Faulty.catch_up` is called), ``401``, ``refused below``
    (a refusal below the root field), ``echo``, ``null alias``, and ``gone alias`` (said not to be there).
    """

    def __init__(self, *script: tuple[str, str]) -> None:
        super().__init__(random.Random(0))
        self.script = list(script)
        self.sent: list[bytes] = []

    def fault(self, body: bytes) -> str:
        self.sent.append(body)
        for entry in self.script:
            if entry[0].encode() in body:
                self.script.remove(entry)
                self.seen.append(entry[1])
                return entry[1]
        return ""


class Faulty:
    """The application in its weather."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.weather = Weather(random.Random(0))
        self._late: list[tuple[int, Message, bytes]] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        weather, body = self.weather, await _whole(receive)
        weather.pass_by()
        fault = weather.fault(body)
        await self.catch_up(1)
        if fault in (*BEFORE, "401"):
            await _refuse(fault, send)
            return
        if fault.startswith("late"):
            self._late.append((int(fault.split()[1]), scope, body))
            raise httpx2.ReadError("the connection broke")
        answer = await self._asked(scope, body)
        weather.pass_by()
        if fault == "die":
            weather.dies_at = weather.moment
            weather.pass_by()
        await _spoil(fault, answer, send, body)

    async def catch_up(self, requests: int) -> None:
        """Let so many requests have passed for those that are executed late."""
        waiting, self._late = [(n - requests, scope, body) for n, scope, body in self._late], []
        for n, scope, body in waiting:
            if n > 0:
                self._late.append((n, scope, body))
            else:
                await self._asked(scope, body)

    async def _asked(self, scope: Message, body: bytes) -> tuple[int, bytes]:
        """What the application answers, whole."""
        parts: list[Message] = []

        async def keep(message: Message) -> None:
            parts.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, receive, keep)
        return parts[0]["status"], b"".join(part.get("body", b"") for part in parts[1:])


async def _whole(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _refuse(fault: str, send: Send) -> None:
    """Answer without having asked anybody."""
    if fault == "unreachable":
        raise httpx2.ConnectError("nobody listens")
    if fault == "broken before":
        raise httpx2.RemoteProtocolError("the connection broke")
    status = int(fault[:3])
    if status == 401:
        refusal = {"message": "Not authenticated", "extensions": {"code": "AUTHENTICATION_ERROR"}}
        await _answer(send, 401, json.dumps({"errors": [refusal]}).encode())
        return
    body = b"<html>slow down</html>" if "html" in fault else b'{"message": "You have exceeded the limit"}'
    await _answer(send, status, body if status == 429 else b"<html>trouble</html>")


async def _spoil(fault: str, answer: tuple[int, bytes], send: Send, asked: bytes) -> None:
    """Hand an answer on, or what is left of it."""
    status, body = answer
    if fault == "broken after":
        raise httpx2.ReadError("the connection broke")
    if fault in ("502 after", "504 after"):
        status, body = int(fault[:3]), b"<html>trouble</html>"
    elif fault == "html":
        body = b"<html>hello</html>"
    elif fault == "cut":
        body = body[: len(body) // 2]
    elif fault and body.startswith(b"{"):
        body = _spoilt(fault, json.loads(body), asked)
    await _answer(send, status, body)


def _spoilt(fault: str, told: dict[str, Any], asked: bytes) -> bytes:
    """A GraphQL answer of which part is an error, or nothing."""
    data = told.get("data")
    if not isinstance(data, dict) or not data:
        return b"{}"
    root = next(iter(data))
    error: dict[str, Any] = {
        "message": "Internal server error",
        "extensions": {"code": "INTERNAL_SERVER_ERROR"},
    }
    if fault == "null alias":
        return json.dumps({"data": {**data, "a0": None}}).encode()
    if fault == "gone alias":
        absent = {"message": "not found", "path": ["a0"], "extensions": {"code": "RESOURCE_NOT_FOUND"}}
        return json.dumps({"data": {**data, "a0": None}, "errors": [absent]}).encode()
    if fault == "echo":
        error["message"] = f"String cannot represent a non string value: {asked.decode()}"
    if fault == "refused below":
        error["extensions"] = {"code": "MALFORMED_REQUEST"}
        told = {"data": {root: None}, "errors": [{**error, "path": [root, "id"]}]}
        return json.dumps(told).encode()
    if fault in ("error", "echo"):
        return json.dumps({"data": None, "errors": [{**error, "path": [root]}]}).encode()
    if fault == "nested error":
        told = {"data": {**data, root: None}, "errors": [{**error, "path": [root, "id"]}]}
        return json.dumps(told).encode()
    return json.dumps({"data": {**data, root: None} if fault == "null" else None}).encode()


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
