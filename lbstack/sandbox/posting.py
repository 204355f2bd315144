"""One attempt to deliver an event: a signed POST, and what came back (API reference 5.8)."""

from __future__ import annotations

import asyncio
import functools
import hmac
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from lbstack.sandbox.hosts import ForbiddenHostError

Resolve = Callable[[str], Awaitable[list[str]]]

CONNECT_SECONDS = 5.0
ATTEMPT_SECONDS = 15.0  # for all of an attempt: a receiver must not drip its answer for ever
_BODY_SECONDS = 2.0
_MOST_READ = 4_096  # bytes of an answer's body that are kept
_LONGEST_WAIT = 600.0  # seconds that Retry-After may ask for
_AGAIN = (429, *range(500, 600))
_PORTS = range(1, 65_536)


@dataclass(frozen=True)
class Answer:
    """What became of an attempt: a code, or in ``error`` why there is none.

    ``again`` says that another attempt may do better, at the earliest after ``wait`` seconds.
    """

    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    error: str | None = None
    again: bool = False
    wait: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the receiver took the event."""
        return self.code is not None and 200 <= self.code < 300


def signed(secret: str, event: str, ident: str, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery; the signature is over exactly the bytes that are sent."""
    digest = hmac.digest(secret.encode("utf-8", "surrogatepass"), body, "sha1").hex()
    return {
        "Content-Type": "application/json",
        "X-Hub-Signature": f"sha1={digest}",
        "X-Labelbox-Event": event,
        "X-Labelbox-Id": ident,
    }


def client() -> httpx2.AsyncClient:
    """Return the client that deliveries are sent with.

    It asks no proxy, follows nobody, and opens a connection for each attempt: connections are pinned to an
    address, and one that was verified for a host must not be used again for another at that address.
    """
    return httpx2.AsyncClient(
        trust_env=False,
        verify=_authorities(),
        follow_redirects=False,
        timeout=httpx2.Timeout(ATTEMPT_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
        headers={"user-agent": "labelbox-sandbox", "accept-encoding": "identity"},
    )


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Those that this machine trusts; to load them takes longer than many deliveries."""
    return httpx2.create_ssl_context(trust_env=False)


async def post(
    sender: httpx2.AsyncClient, url: str, headers: Mapping[str, str], body: bytes, resolve: Resolve
) -> Answer:
    """POST ``body`` to ``url``, whose host ``resolve(host)`` turns into addresses; never raises."""
    refused: Exception = OSError("No address")
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            target = httpx2.URL(url)
            if target.scheme not in ("http", "https") or (target.port or 80) not in _PORTS:
                raise httpx2.InvalidURL("neither scheme nor port that can be posted to")
            for place in await resolve(target.host):
                try:
                    return await _post(sender, target, place, headers, body)
                except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                    refused = error  # nothing was sent: the host's next address may listen
            return _failed(refused)
    except ForbiddenHostError as error:
        return Answer(error=str(error))
    except (httpx2.InvalidURL, ValueError):
        return Answer(error="The webhook's url cannot be posted to")
    except TimeoutError:
        return Answer(error=f"No answer within {ATTEMPT_SECONDS:g} seconds", again=True)
    except (httpx2.HTTPError, OSError) as error:
        return _failed(error)


def _failed(error: Exception) -> Answer:
    return Answer(error=f"{type(error).__name__}: {error}".rstrip(": "), again=True)


async def _post(
    sender: httpx2.AsyncClient, target: httpx2.URL, place: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    """POST to one address of the host; the host itself stays in the header and in the certificate's check."""
    auth = (target.username, target.password) if target.userinfo else None
    request = sender.build_request(
        "POST",
        target.copy_with(host=place, userinfo=b""),
        headers={**headers, "Host": target.netloc.decode("ascii")},
        content=body,
        extensions={"sni_hostname": target.raw_host.decode("ascii")},
    )
    answer = await sender.send(request, auth=auth, stream=True)
    try:
        told = await _beginning(answer)
    finally:
        await answer.aclose()
    again = answer.status_code in _AGAIN
    wait = _retry_after(answer.headers.get("retry-after")) if again else 0.0
    return Answer(answer.status_code, dict(answer.headers), told, again=again, wait=wait)


async def _beginning(answer: httpx2.Response) -> str:
    """Return the beginning of the body, as much as comes soon: what counts is the code, and it is there."""
    read = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in answer.aiter_raw():
                read += piece
                if len(read) >= _MOST_READ:
                    break
    except (httpx2.HTTPError, TimeoutError):
        pass
    return read[:_MOST_READ].decode(errors="replace")


def _retry_after(told: str | None) -> float:
    """Return the seconds that a Retry-After header asks for, in either of its forms; 0 for nonsense."""
    if not told:
        return 0.0
    try:
        seconds = float(int(told))
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    except OverflowError:
        return _LONGEST_WAIT
    return min(max(seconds, 0.0), _LONGEST_WAIT)
