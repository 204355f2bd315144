"""Requests to a forge's REST API, and what becomes of those that go wrong.

===========================  ===============================  ==============================================
what is asked                when it fails (5xx, no answer)   when it is too much (429, or 403 that says so)
===========================  ===============================  ==============================================
to read, edit or delete      again, after a pause             again, after as long as the forge asks for
to create                    `Unsure`: whoever asked looks    `Unsure`, with how long to wait
                             whether it was made
===========================  ===============================  ==============================================

The token travels in a header, to the API's own address and nowhere else: redirects are not followed, and a
next page that lies elsewhere is refused. Nothing of a request is logged.
"""

from __future__ import annotations

import json
import logging
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lbstack.errors import AuthError, ServiceError
from lbstack.version import __version__

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 30.0
LARGEST = 64 * 2**20
"""Bytes of one page: a hundred comments of the largest size are half of it."""
PAUSES = (1.0, 2.0, 5.0, 10.0)
"""Seconds before each further attempt, where the forge does not say how long."""
LIMITED = 60.0
"""Seconds to wait for a secondary rate limit that does not say how long, as GitHub's documentation asks."""
LONGEST = 300.0
"""Seconds beyond which no job should wait: it ends, and says when to run it again."""
MOST_PAGES = 1000

_NEXT = re.compile(r'<([^<>]+)>\s*;\s*rel="?next"?')

Pause = Callable[[float], None]


class Gone(Exception):
    """What was to be edited or deleted is not there, or is not shown to this token."""


class Unsure(ServiceError):
    """Whether it was created is not known, or it was not yet; `wait` says how long to wait first."""

    def __init__(self, message: str, wait: float | None) -> None:
        self.wait = wait
        super().__init__(message, detail="see to that, and run this again")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: its status, its headers, its JSON (None where there is none)."""

    status: int
    headers: Mapping[str, str]
    data: Any

    @property
    def message(self) -> str:
        """What the forge says of it, in one line."""
        data = self.data
        told = (data.get("message") or data.get("error") or "") if isinstance(data, dict) else ""
        errors = data.get("errors") if isinstance(data, dict) else None
        more = (
            [str(e.get("message", "")) for e in errors or () if isinstance(e, dict)]
            if isinstance(errors, list)
            else []
        )
        return " ".join(str(part) for part in (told, *more) if part)[:300]


class Http:
    """A forge's API at one address. `needs` is what the token must be allowed, for who has to see to it."""

    def __init__(
        self, who: str, base: str, headers: Mapping[str, str], needs: str, pause: Pause = time.sleep
    ) -> None:
        self.who, self.base, self.needs, self.pause = who, base.rstrip("/"), needs, pause
        self._headers = {"Accept": "application/json", "User-Agent": f"lbstack/{__version__}", **headers}
        self._client: httpx2.Client | None = None

    def read(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """What lies at a path."""
        return self._read(self._url(path), query).data

    def own(self, path: str) -> Any:
        """What lies at a path, or None where this token may not see it (403)."""
        try:
            return self._again("GET", self._url(path), None, None, gone=(403, 404)).data
        except Gone:
            return None

    def pages(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Everything of a list, page after page."""
        url: str | None = self._url(path)
        more: Mapping[str, Any] | None = {**query, "per_page": 100}
        for _ in range(MOST_PAGES):
            answer = self._read(str(url), more)
            if not isinstance(answer.data, list) or not all(isinstance(item, dict) for item in answer.data):
                raise ServiceError(
                    f"{self.who} did not answer with a list", detail=f"see what {self.base} is"
                )
            yield from answer.data
            url, more = self._next(answer), None
            if url is None:
                return
        raise ServiceError(f"{self.who}'s list does not end after {MOST_PAGES} pages")

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create something, in one attempt. Raises `Unsure` where it may be there."""
        try:
            answer = self._send("POST", self._url(path), body)
        except _Lost as lost:
            raise Unsure(str(lost), None) from None
        if (wait := _wait(answer)) is not None:
            raise Unsure(self._limited(wait), self._patient(wait))
        if answer.status >= 500:
            raise Unsure(f"{self.who} fails: HTTP {answer.status}", None)
        try:
            return self._good(answer).data
        except Gone:
            raise self._hidden(path) from None

    def change(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Do what may be done twice: edit or delete. Raises `Gone`."""
        return self._again(method, self._url(path), body, None, gone=(404, 410)).data

    def ask(self, url: str, body: Mapping[str, Any]) -> Any:
        """Ask with a POST that changes nothing; None where that may not be asked."""
        try:
            return self._again("POST", url, body, None).data
        except (Gone, AuthError):
            return None

    def denied(self, answer: Answer) -> AuthError:
        """The error for a token that may not do this."""
        told = f": {answer.message}" if answer.message else ""
        return AuthError(f"{self.who} does not allow this ({answer.status}{told})", self.needs)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()

    def _read(self, url: str, query: Mapping[str, Any] | None) -> Answer:
        try:
            return self._again("GET", url, None, query)
        except Gone:
            raise self._hidden(urlsplit(url).path) from None

    def _hidden(self, where: str) -> AuthError:
        return AuthError(f"{self.who} shows nothing at {where} (404)", self.needs)

    def _again(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        gone: tuple[int, ...] = (404,),
    ) -> Answer:
        """Send what may be sent twice, until it is answered or patience ends."""
        trouble = ""
        for pause in (*PAUSES, None):
            wait: float | None = None
            try:
                answer = self._send(method, url, body, query)
                wait = _wait(answer)
                if wait is None and answer.status < 500:
                    return self._good(answer, gone)
                trouble = (
                    self._limited(wait) if wait is not None else f"{self.who} fails: HTTP {answer.status}"
                )
            except _Lost as lost:
                trouble = str(lost)
            if pause is not None:
                self.pause(self._patient(wait) if wait is not None else pause)
        raise ServiceError(trouble, detail="see to that, and run this again")

    def _good(self, answer: Answer, gone: tuple[int, ...] = (404,)) -> Answer:
        """The answer, where it is one of success."""
        if answer.status in (200, 201, 202, 204):
            return answer
        if answer.status in gone:
            raise Gone
        if answer.status in (401, 403):
            raise self.denied(answer)
        if answer.status == 410:
            raise ServiceError(
                f"{self.who} says that it is gone: {answer.message}", detail="are issues switched on?"
            )
        if 300 <= answer.status < 400:
            raise ServiceError(
                f"{self.who} says that it has moved (HTTP {answer.status})", detail="use its name of today"
            )
        told = answer.message or "no reason is given"
        raise ServiceError(
            f"{self.who} refuses the request (HTTP {answer.status}): {told}", str(answer.status)
        )

    def _limited(self, wait: float) -> str:
        return f"{self.who} says that these are too many requests, and to wait {wait:.0f} s"

    def _patient(self, wait: float) -> float:
        if wait > LONGEST:
            raise ServiceError(self._limited(wait), "429", "run this again then")
        return wait

    def _url(self, path: str) -> str:
        return f"{self.base}/{path}"

    def _next(self, answer: Answer) -> str | None:
        found = _NEXT.search(answer.headers.get("link", ""))
        if not found:
            return None
        here, there = urlsplit(self.base), urlsplit(found[1])
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise ServiceError(
                f"{self.who} names a next page on another host", detail=f"see what {self.base} is"
            )
        return found[1]

    def _send(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None = None,
    ) -> Answer:
        """One exchange. Raises `_Lost` where no whole answer came."""
        import httpx2

        if self._client is None:
            self._client = _client(self.base, self._headers)
        try:
            with self._client.stream(method, url, json=body, params=query) as response:
                content = b""
                for part in response.iter_bytes():
                    content += part
                    if len(content) > LARGEST:
                        raise ServiceError(f"{self.who}'s answer is larger than {LARGEST // 2**20} MB")
                return Answer(response.status_code, response.headers, _json(content))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise _Lost(f"{self.who} does not answer ({type(error).__name__})") from None


class _Lost(Exception):
    """No whole answer came."""


def _client(base: str, headers: Mapping[str, str]) -> httpx2.Client:
    import httpx2

    for library in ("httpx2", "httpcore2"):
        # They would log headers and URLs: it ends here, whatever a program's logging is set to.
        logging.getLogger(library).propagate = False
        logging.getLogger(library).addHandler(logging.NullHandler())
    options: dict[str, Any] = {"timeout": TIMEOUT, "follow_redirects": False, "headers": dict(headers)}
    if base.startswith("http:"):
        # What goes to this machine in the clear is never carried by a proxy, and needs no authority.
        options |= {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
    return httpx2.Client(**options)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None


def _wait(answer: Answer) -> float | None:
    """How many seconds the forge asks to wait for, where it says that these are too many requests.

    GitHub says so with 429 or with 403; a 403 that is about rights says nothing of the kind.
    """
    if answer.status not in (403, 429):
        return None
    asked, spent = answer.headers.get("retry-after", ""), answer.headers.get("x-ratelimit-remaining") == "0"
    if asked.strip().isdigit():
        return float(asked)
    if spent and (until := _until_reset(answer.headers)) is not None:
        return until
    named = "rate limit" in answer.message.lower() or "retry later" in answer.message.lower()
    return LIMITED if answer.status == 429 or spent or named else None


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Until when a limit lasts, by the forge's own clock."""
    try:
        now = parsedate_to_datetime(headers.get("date", "")).timestamp()
        return max(1.0, float(headers["x-ratelimit-reset"]) - now + 1)
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
