"""One exchange over HTTP: a request goes out, and its answer comes back whole, or it is said how far it got.

What holds here, whatever is asked:

* A request that changes something travels on a connection of its own. On one that lay idle, a broken
  connection could mean that nothing was sent or that the answer was lost.
* TLS is always verified; ``SSL_CERT_FILE`` names other authorities. Redirects are not followed, so that
  the key goes nowhere else. ``.netrc`` is not read. A proxy of the environment carries what is encrypted,
  and never what goes to this machine in the clear.
* An answer has a size, also unpacked, and a time by which it must be there whole.
* Nothing of a request or an answer is logged.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from lbstack.errors import UsageError

LARGEST = 32 * 2**20
"""Bytes of an answer, unpacked."""

TIMEOUT = httpx2.Timeout(70.0, connect=10.0)
"""Longer than the service's own limit of 60 s, so that it is rarely us who give up first."""

DEADLINE = 90.0
"""Seconds for the whole of a request, however steadily its answer drips."""

for _library in ("httpx2", "httpcore2"):
    # They would log headers and URLs: it ends here, whatever a program's logging is set to.
    logging.getLogger(_library).propagate = False
    logging.getLogger(_library).addHandler(logging.NullHandler())


class NeverSentError(Exception):
    """Not a byte of the request had been written when it failed."""


class LostError(Exception):
    """No whole answer came; the request may have arrived."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """The connections to one service, or to an application in this process (`app`)."""

    def __init__(self, url: str, headers: Mapping[str, str], *, app: Any = None) -> None:
        encrypted = url.startswith("https:")
        self._inside = app is not None
        options: dict[str, Any] = {
            "headers": {**headers, "Accept": "application/json", "Accept-Encoding": "gzip"},
            "timeout": TIMEOUT,
            "follow_redirects": False,
            "trust_env": encrypted and app is None,
        }
        self._clients: list[httpx2.AsyncClient] = []
        try:
            if app is not None:
                client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), **options)
                self._clients = [client, client]
                return
            # Where nothing is encrypted no authority is trusted either, and none need be loaded.
            options["verify"] = (
                httpx2.create_ssl_context() if encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            )
            # The sandbox's server keeps idle sockets longer than this; the other way round is a race.
            kept = httpx2.Limits(max_connections=None, keepalive_expiry=4.0)
            single = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
            self._clients = [httpx2.AsyncClient(limits=limits, **options) for limits in (kept, single)]
        except (ImportError, ValueError, OSError, httpx2.InvalidURL) as error:
            names = "HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
            raise UsageError(
                f"the network cannot be used as the environment says: {error}", f"see {names}"
            ) from None

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()

    async def exchange(self, method: str, url: str, body: Any = None, *, changes: bool) -> Received:
        """Send one request. Raises `NeverSentError`, or `LostError` if it may have arrived."""
        journey = _Journey(self._inside)
        client = self._clients[changes]
        try:
            async with (
                asyncio.timeout(DEADLINE),
                client.stream(method, url, json=body, extensions={"trace": journey.trace}) as response,
            ):
                content = await _whole(response)
                return Received(response.status_code, response.headers, content)
        except TimeoutError:
            failed: Exception = LostError("the service did not answer in time")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            failed = LostError(_told(error)) if journey.begun else NeverSentError(_told(error))
        if isinstance(failed, LostError) and not journey.begun:
            failed = NeverSentError(*failed.args)
        raise failed


class _Journey:
    """How far a request got: whether any of it was handed to a connection to the service."""

    def __init__(self, begun: bool) -> None:
        self.begun = begun

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called with each thing that a connection does; what a proxy is asked first is not the request."""
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.begun = True


async def _whole(response: httpx2.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > LARGEST:
            raise LostError(f"the service's answer is larger than {LARGEST // 2**20} MB")
        parts.append(part)
    return b"".join(parts)


def _told(error: Exception) -> str:
    """What went wrong, in words that say nothing of what was sent."""
    if isinstance(error, httpx2.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx2.TimeoutException):
        return "the service did not answer in time"
    if isinstance(error, httpx2.RemoteProtocolError):
        return "the service broke the connection off before it had answered"
    if isinstance(error, httpx2.DecodingError):
        return "the service's answer cannot be unpacked"
    if isinstance(error, (httpx2.ConnectError, httpx2.ProxyError, httpx2.UnsupportedProtocol)):
        return str(error) or type(error).__name__
    return f"the connection broke ({type(error).__name__})"
