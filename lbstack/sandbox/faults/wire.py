"""How an answer goes out: whole, in pieces, cut off, or not at all; and how a connection ends."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from lbstack.sandbox.faults.answers import Outgoing
from lbstack.sandbox.faults.waits import Waits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRANSPORT = "lbstack.transport"
_FIN_SECONDS = 1.0
_PIECES = 16
_FILLING = b"x" * 2**20


class Protocol(H11Protocol):
    """HTTP as uvicorn speaks it, which tells the application over which connection (``scope["state"]``)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class Line:
    """One request's connection; without a ``transport`` it is a client inside this process."""

    def __init__(self, scope: Message, receive: Receive, send: Send, waits: Waits) -> None:
        self.transport: asyncio.Transport | None = (scope.get("state") or {}).get(TRANSPORT)
        self.method = scope["method"]
        self._receive = receive
        self._send = send
        self._waits = waits

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self.transport is not None and self.transport.is_closing()

    async def go(self, out: Outgoing, pause: Callable[[], Awaitable[None]] | None) -> None:
        """Send an answer as it is meant to go; with ``pause``, half of it before that and half after."""
        if out.cut is None and (out.close or out.hang):
            await self._end(out)
            return
        if out.raw and self.transport is not None:
            self.transport.write(_by_hand(out, self.method))
            await self.close("fin")
            return
        if self.method != "HEAD" and out.status not in (204, 304):
            out = out.header(b"content-length", str(len(out.body) + out.padded).encode())
        await self._send({"type": "http.response.start", "status": out.status, "headers": out.headers})
        if out.status in (204, 304):
            out = replace(out, body=b"")
        pieces = list(_pieces(out, pause is not None))
        for place, piece in enumerate(pieces):
            more = place < len(pieces) - 1 or out.cut is not None
            await self._send({"type": "http.response.body", "body": piece, "more_body": more})
            if pause and place == 0:
                await pause()
            if out.chunk_ms and place < len(pieces) - 1:
                await self._waits.sleep(out.chunk_ms / 1000)
        if out.cut is not None:
            await self._end(out)

    async def _end(self, out: Outgoing) -> None:
        if out.hang:
            await self.hang()
        await self.close(out.close or "fin")

    async def close(self, how: str) -> None:
        """End the connection with a FIN, or with a RST at once."""
        if self.transport is None:
            raise ConnectionResetError("the sandbox closed the connection")
        if how == "rst":
            sock = self.transport.get_extra_info("socket")
            # No lingering: what was not sent is thrown away, and the other side hears RST. One that has left
            # by now hears nothing.
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif not self.transport.is_closing():
            self.transport.write_eof()
            # The other side may still be sending: closing under it would be a RST.
            await self._for(self._left(), _FIN_SECONDS)
        self.transport.abort()
        await self._left()

    async def hang(self) -> None:
        """Say nothing until the client leaves, or the sandbox is told to behave."""
        await self._for(self._left(), None)

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _for(self, what: Any, seconds: float | None) -> None:
        tasks = [asyncio.ensure_future(each) for each in (what, self._waits.forever())]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()


def _pieces(out: Outgoing, halved: bool) -> Iterator[bytes]:
    if out.padded:
        place = out.body.index(b'""') + 1
        yield out.body[:place]
        yield from (_FILLING for _ in range(out.padded // len(_FILLING)))
        yield out.body[place:]
        return
    body = out.body if out.cut is None else out.body[: out.cut]
    if halved:
        half = len(body) // 2
        yield body[:half]
        body = body[half:]
    size = max(1, len(body) // _PIECES) if out.chunk_ms else max(1, len(body))
    yield from (body[at : at + size] for at in range(0, max(1, len(body)), size))


def _by_hand(out: Outgoing, method: str) -> bytes:
    """An answer whose head says that it is shorter than it is."""
    out = out.header(b"content-length", str(max(0, len(out.body) - 5)).encode()).header(
        b"connection", b"close"
    )
    head = b"".join(b"%s: %s\r\n" % each for each in out.headers)
    return b"HTTP/1.1 %d \r\n%s\r\n%s" % (out.status, head, b"" if method == "HEAD" else out.body)
