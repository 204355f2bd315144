"""A cell behind the Terraform HTTP state protocol, as GitLab, Gitea and others speak it.

===========================  ===================================================================
``GET ADDRESS``              the state; 204 or 404 where there is none
``POST ADDRESS?ID=lock``     write it; the host refuses (409, 423) who does not hold the lock
``POST ADDRESS/lock``        lock, with who and why as JSON; 409 or 423 with the holder's, if held
``DELETE ADDRESS/lock``      unlock, with the same JSON
===========================  ===================================================================

The protocol has no conditional write. Each write is made under the lock, which the host checks by its ID,
and right after a look that the content is still the expected one. The names of the environment are
Terraform's own (``TF_HTTP_USERNAME``, …) or the same with ``LBSTACK_`` for ``TF_``; addresses of the lock and
the methods can be changed there for hosts that have others.
"""

from __future__ import annotations

import functools
import hashlib
import json
import socket
import ssl
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lbstack.errors import AuthError, StackError, UsageError
from lbstack.state.cell import (
    Claim,
    Found,
    Held,
    Lost,
    Refused,
    Trouble,
    Version,
    of_this_machine,
    patiently,
    refuses,
    unsafe,
)
from lbstack.values import Secret
from lbstack.version import __version__

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 20.0
DONE = (200, 201, 204)
BUSY = (409, 423)
CREDENTIALS = "check TF_HTTP_USERNAME and TF_HTTP_PASSWORD"


class HttpCell:
    """One state behind an address. Its version is the digest of its content."""

    def __init__(self, url: str, environ: Mapping[str, str], pause: Any = None) -> None:
        self.where = checked(url, "--state")
        self._pause = pause or time.sleep

        def named(name: str, default: str) -> str:
            return environ.get(f"LBSTACK_HTTP_{name}") or environ.get(f"TF_HTTP_{name}") or default

        self._lock_at = checked(named("LOCK_ADDRESS", f"{url}/lock"), "the lock's address")
        self._unlock_at = checked(named("UNLOCK_ADDRESS", self._lock_at), "the lock's address")
        self._methods = named("LOCK_METHOD", "POST"), named("UNLOCK_METHOD", "DELETE")
        self._update = named("UPDATE_METHOD", "POST")
        user, password = named("USERNAME", ""), named("PASSWORD", "")
        if password:
            Secret(password)  # from now on no message shows it
        self._auth = (user, password) if user or password else None
        self._client: httpx2.Client | None = None
        self._held: Claim | None = None

    def get(self) -> Found:
        answer = self._send("GET", self.where)
        if answer.status_code in (204, 404):
            return Found()
        if answer.status_code != 200:
            raise self._trouble("read", answer)
        data = answer.content
        return Found(data, _version(data)) if data else Found()

    def put(self, data: bytes, expected: Version | None) -> Version:
        if self.get().version != expected:
            raise Refused
        id = self._held.id if self._held else ""
        answer = self._send(self._update, self.where, data, {"ID": id} if id else None)
        if answer.status_code in DONE:
            return _version(data)
        if answer.status_code in BUSY:
            raise Lost(f"the lock of {self.where} was taken from this run", "run this again")
        raise self._trouble("written", answer)

    def enter(self, claim: Claim) -> None:
        body = json.dumps(_info(claim, self.where)).encode()
        trouble: Trouble | None = None
        for _ in patiently(self._pause):
            try:
                answer = self._send(self._methods[0], self._lock_at, body)
            except Trouble as error:
                trouble = error
                continue
            if answer.status_code not in (*DONE, *BUSY):
                trouble = self._no_lock(answer)
            elif answer.status_code in DONE or self._is_ours(answer, claim, trouble):
                self._held = claim
                return
        assert trouble is not None
        raise trouble

    def _is_ours(self, answer: httpx2.Response, claim: Claim, trouble: Trouble | None) -> bool:
        """Whether a lock that is held is held by us, the answer to an earlier try being lost."""
        holder = _holder(answer.content)
        if holder is None and trouble is not None:
            # What our own ID frees was ours, anything else stays; the next try tells.
            self.leave(claim.id)
            if self._send(self._methods[0], self._lock_at, answer.request.content).status_code in DONE:
                return True
        if holder is None or holder.id != claim.id:
            raise Held(holder)
        return True

    def _no_lock(self, answer: httpx2.Response) -> Trouble:
        if answer.status_code in (404, 405, 501):
            raise StackError(
                f"{self._lock_at} takes no lock ({answer.status_code})",
                "name it with TF_HTTP_LOCK_ADDRESS and TF_HTTP_LOCK_METHOD, as for Terraform",
            )
        return self._trouble("locked", answer)

    def leave(self, id: str) -> bool:
        claim = self._held if self._held and self._held.id == id else Claim(id, "")
        body = json.dumps(_info(claim, self.where)).encode()
        self._held = None if self._held is claim else self._held
        trouble: Trouble | None = None
        for _ in patiently(self._pause):
            try:
                answer = self._send(self._methods[1], self._unlock_at, body, {"ID": id})
            except Trouble as error:
                trouble = error
                continue
            if answer.status_code in DONE:
                return True
            if answer.status_code in (*BUSY, 404):
                return trouble is not None  # it is somebody else's by now, or an earlier try freed it
            trouble = self._trouble("unlocked", answer)
        assert trouble is not None
        raise trouble

    def prove(self, data: bytes, version: Version) -> None:
        other = Claim(str(uuid.uuid4()), "", "probe")

        def must_be_refused(method: str, url: str, body: bytes, query: dict[str, str] | None) -> None:
            status = self._send(method, url, body, query).status_code
            if 400 <= status < 500:
                raise Refused
            if status >= 500:
                raise Trouble(f"{self.where} fails: HTTP {status}")

        info = json.dumps(_info(other, self.where)).encode()
        if not refuses(lambda: must_be_refused(self._methods[0], self._lock_at, info, None), self._pause):
            with suppress(StackError):
                self.leave(other.id)
            raise unsafe(self.where, "can be locked twice")
        if not refuses(
            lambda: must_be_refused(self._update, self.where, data, {"ID": other.id}), self._pause
        ):
            raise unsafe(self.where, "is written to by whoever does not hold the lock")

    def drop(self, data: bytes) -> None:
        if self.get().data != data:
            return
        id = self._held.id if self._held else ""
        answer = self._send("DELETE", self.where, None, {"ID": id} if id else None)
        if answer.status_code not in (*DONE, 404):
            raise self._trouble("removed", answer)

    def _send(
        self, method: str, url: str, body: bytes | None = None, query: dict[str, str] | None = None
    ) -> httpx2.Response:
        import httpx2

        if self._client is None:
            places = (self.where, self._lock_at, self._unlock_at)
            self._client = httpx2.Client(
                timeout=TIMEOUT,
                follow_redirects=False,
                headers={"User-Agent": f"lbstack/{__version__}"},
                verify=_trusted(any(place.startswith("https:") for place in places)),
            )
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._client.request(
                method, url, content=body, params=query, headers=headers, auth=self._auth
            )
        except httpx2.HTTPError as error:
            raise Trouble(f"{self.where} does not answer: {type(error).__name__}") from None
        if answer.status_code in (401, 403):
            raise AuthError(f"{self.where} does not let us in ({answer.status_code})", CREDENTIALS)
        return answer

    def _trouble(self, verb: str, answer: httpx2.Response) -> Trouble:
        return Trouble(f"{self.where} cannot be {verb}: HTTP {answer.status_code}")


@functools.cache
def _trusted(encrypted: bool) -> ssl.SSLContext:
    """The authorities that are trusted; to load them takes long, and where nothing is encrypted there need
    be none."""
    import httpx2

    return httpx2.create_ssl_context() if encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def checked(url: str, what: str) -> str:
    """The address, which must be encrypted or of this machine, and carry no secret."""
    parts = urlsplit(url)
    host, secret = parts.hostname or "", "@" in parts.netloc or bool(parts.query)
    if not host or parts.scheme not in ("http", "https") or secret or parts.fragment:
        raise UsageError(
            f"{what} {parts.scheme + '://…' if secret else url} is no address of a state",
            "write https://HOST/PATH; the password comes from TF_HTTP_PASSWORD alone",
        )
    if parts.scheme == "http" and not of_this_machine(host):
        raise UsageError(f"{what} {url} is not encrypted", "use https; http is for this machine only")
    return url.rstrip("/")


def _version(data: bytes) -> Version:
    return Version(hashlib.sha256(data).hexdigest())


def _info(claim: Claim, path: str) -> dict[str, str]:
    """A lock in the words of Terraform, all of which GitLab demands."""
    return {
        "ID": claim.id,
        "Operation": claim.operation,
        "Info": "",
        "Who": claim.who or f"lbstack@{socket.gethostname()}",
        "Version": __version__,
        "Created": claim.since,
        "Path": path,
    }


def _holder(body: bytes) -> Claim | None:
    """Who holds the lock, as far as the host told."""
    try:
        data = json.loads(body)
        who, why, since = (str(data.get(name, "")) for name in ("Who", "Operation", "Created"))
        return Claim(str(data["ID"]), who, why, since)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
