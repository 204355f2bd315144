"""Files of a workspace: uploads, and what imports and exports leave behind (API reference 5.3, 5.4).

They lie in the sandbox's folder under their own id and are served at ``/files/ID/NAME`` without a key,
as the vendor's storage does; who does not know the id cannot ask.
"""

from __future__ import annotations

import mimetypes
import re
import shutil
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import SplitResult, quote, urlsplit

from lbstack.sandbox.errors import MalformedError
from lbstack.sandbox.hosts import is_loopback

if TYPE_CHECKING:
    from lbstack.sandbox.context import Context
    from lbstack.sandbox.store import Row, Store

TABLES = (
    """CREATE TABLE IF NOT EXISTS files (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, name TEXT NOT NULL, contentType TEXT NOT NULL,
        size INTEGER NOT NULL, createdAt TEXT NOT NULL, expiresAt TEXT)""",
)

PATH = "/files"
_OWN_PATH = re.compile(rf"{PATH}/(c[0-9a-z]{{24}})(?:/|$)")
MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+", re.ASCII)
_MOST_FETCHED = 100_000_000  # bytes
_FETCH_SECONDS = 30


def save(
    context: Context,
    name: str,
    content: IO[bytes] | bytes,
    content_type: str | None = None,
    *,
    expires: str | None = None,
) -> str:
    """Keep a file, in the transaction that is open, and return its URL.

    A ``content_type`` that is none is guessed from the name. From ``expires`` (a time) on it is gone.
    """
    ident = context.new_id()
    path = _path(context.store, ident)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("xb") as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            shutil.copyfileobj(content, file)
    name = Path(name).name or "file"
    row = {
        "id": ident, "organizationId": context.organization_id, "name": name, "size": path.stat().st_size,
        "contentType": _type(name, content_type), "createdAt": context.now(), "expiresAt": expires,
    }  # fmt: skip
    context.insert("files", row)
    return f"{context.base}{PATH}/{ident}/{quote(name)}"


def _type(name: str, told: str | None) -> str:
    if told and MEDIA_TYPE.fullmatch(told):
        return told
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def find(store: Store, ident: str) -> tuple[Row, Path] | None:
    """Return a file's row and where its bytes lie, or None when it is not there or has expired."""
    row = store.row("SELECT * FROM files WHERE id = ?", [ident])
    if row is None or (row["expiresAt"] and row["expiresAt"] <= store.mint.now()):
        return None
    path = _path(store, ident)
    return (row, path) if path.is_file() else None


def own(context: Context, url: str) -> tuple[Row, Path] | None:
    """Return the file of this organization that a URL of ours names, whatever port it was served on."""
    parts = _split(url)
    match = _OWN_PATH.match(parts.path) if parts else None
    if parts is None or match is None:
        return None
    if not (is_loopback(parts.hostname or "") or url.startswith(context.base)):
        return None
    found = find(context.store, match[1])
    return found if found and found[0]["organizationId"] == context.organization_id else None


def read(context: Context, url: str) -> bytes:
    """Return what lies behind a URL: a file of ours, or of a server on this machine.

    Refuses other hosts unless the sandbox was told that it may talk to them (``Conditions.outbound``).
    """
    found = own(context, url)
    if found:
        return found[1].read_bytes()
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise MalformedError(f"Not a http(s) URL: {url}")
    if not (context.conditions.outbound or is_loopback(parts.hostname)):
        raise MalformedError(f"The sandbox fetches from this machine only, not from {parts.hostname}")
    try:
        with _opener().open(url, timeout=_FETCH_SECONDS) as answer:
            content: bytes = answer.read(_MOST_FETCHED + 1)
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise MalformedError(f"Failed to fetch {url}: {error}") from None
    if len(content) > _MOST_FETCHED:
        raise MalformedError(f"{url} is larger than {_MOST_FETCHED} bytes")
    return content


def _split(url: str) -> SplitResult | None:
    """Take a URL apart; None when it cannot be one."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would lead past the check of the host."""

    def redirect_request(self, *_: object) -> None:
        return None


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Stay(), urllib.request.ProxyHandler({}))


def _path(store: Store, ident: str) -> Path:
    return store.files / ident[-2:] / ident
