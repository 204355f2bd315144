"""How an answer is spoilt: another in its place, errors in it, garbage, less of it."""

from __future__ import annotations

import http
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lbstack.sandbox.faults.actions import Action, GqlError, Http
from lbstack.sandbox.faults.facts import Facts, Root

Headers = list[tuple[bytes, bytes]]

_HTML = b"text/html; charset=utf-8"
_JSON = b"application/json"


@dataclass(frozen=True)
class Outgoing:
    """An answer on its way out.

    With ``cut`` only so many bytes of the body go out, and then the connection ends as ``close`` says
    (``rst`` or ``fin``) or, with ``hang``, does not end. Without a ``cut``, ``close`` and ``hang`` mean that
    nothing goes out at all. ``padded`` more bytes of filling stand inside the body; ``raw`` answers have
    the length they say, not the one they have. ``lost`` means that what was done is not told.
    """

    status: int
    headers: Headers
    body: bytes
    cut: int | None = None
    close: str | None = None
    hang: bool = False
    chunk_ms: int = 0
    padded: int = 0
    raw: bool = False
    lost: bool = False

    def header(self, name: bytes, value: bytes | None) -> Outgoing:
        """Return this with a header set, or taken away."""
        kept = [(key, each) for key, each in self.headers if key.lower() != name]
        return replace(self, headers=kept if value is None else [*kept, (name, value)])


@dataclass(frozen=True)
class Struck:
    """An action that hit a request at a moment; ``root`` is the root field it speaks of."""

    action: Action
    at: str
    root: Root | None = None


@dataclass
class _Spoiling:
    """The request that is answered: what it was, and whether it was executed."""

    facts: Facts
    executed: bool
    struck: Struck = field(init=False)


def spoil(answer: Outgoing | None, struck: Sequence[Struck], facts: Facts) -> Outgoing:
    """Return what goes out in place of ``answer``; None stands for a request that was not executed."""
    if answer is None and not any(each.action.what != "chunk_ms" for each in struck):
        return page(504, "upstream request timeout")
    request = _Spoiling(facts, answer is not None)
    out = answer or Outgoing(200, [(b"content-type", _JSON)], b"{}")
    for each in struck:
        request.struck = each
        out = _HOW[each.action.what](out, each.action.value, request)
    return out


def page(status: int, words: str = "") -> Outgoing:
    """Return the page that a proxy answers with in the service's place."""
    known = {each.value: each.phrase for each in http.HTTPStatus}
    title = f"{status} {known.get(status, 'Error')}"
    text = f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{words}</body></html>\n"
    return Outgoing(status, [(b"content-type", _HTML)], text.encode(), lost=True)


def in_json(status: int, body: Any) -> Outgoing:
    """Return an answer in JSON."""
    return Outgoing(status, [(b"content-type", _JSON)], json.dumps(body).encode())


def _http(out: Outgoing, value: Http, request: _Spoiling) -> Outgoing:
    made = page(value.status)
    if value.body is not None:
        kind = _JSON if value.body.lstrip()[:1] in (b"{", b"[") else b"text/plain; charset=utf-8"
        made = Outgoing(value.status, [(b"content-type", kind)], value.body, lost=True)
    for name, text in value.headers:
        made = made.header(name.encode(), text.encode())
    return made


def _close(out: Outgoing, value: str, request: _Spoiling) -> Outgoing:
    return replace(out, close=value, cut=_half(out, request), lost=True)


def _hang(out: Outgoing, value: bool, request: _Spoiling) -> Outgoing:
    return replace(out, hang=True, cut=_half(out, request), lost=True)


def _half(out: Outgoing, request: _Spoiling) -> int | None:
    if out.cut is None and request.struck.at == "mid_body":
        return len(out.body) // 2
    return out.cut


def _truncate(out: Outgoing, value: int, request: _Spoiling) -> Outgoing:
    if value >= len(out.body):
        return out
    return replace(out, cut=value, close=out.close or "fin", lost=True)


def _chunks(out: Outgoing, value: int, request: _Spoiling) -> Outgoing:
    return replace(out, chunk_ms=value)


def _parsed(out: Outgoing) -> dict[str, Any]:
    try:
        body = json.loads(out.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _gql_error(out: Outgoing, value: GqlError, request: _Spoiling) -> Outgoing:
    root = request.struck.root
    key = root.key if root else "data"
    path = list(value.path)
    if isinstance(value.path, str):
        path = [key] if value.path == "root" else [key, (root.below if root else None) or "id"]
    error: dict[str, Any] = {"message": value.message, "path": path}
    if value.code is not None or value.inner_status is not None:
        inner = {} if value.inner_status is None else {"exception": {"status": value.inner_status}}
        error["extensions"] = {"code": value.code or "INTERNAL_SERVER_ERROR", **inner}
    body = _parsed(out)
    data = body.get("data") if isinstance(body.get("data"), dict) else None
    if not request.executed:
        data = {each.key: None for each in request.facts.roots}
    if value.data == "null":
        data = None
    elif value.data == "null_root":
        data = {**(data or {}), key: None}
    told = {"errors": [*(body.get("errors") or []), error], "data": data}
    lost = out.lost or not (request.executed and value.data == "keep")
    return replace(in_json(200, told), lost=lost, headers=_like(out), chunk_ms=out.chunk_ms)


def _drop_extensions(out: Outgoing, value: bool, request: _Spoiling) -> Outgoing:
    body = _parsed(out)
    for error in body.get("errors") or []:
        error.pop("extensions", None)
    return replace(out, body=json.dumps(body).encode()) if body.get("errors") else out


def _echo(out: Outgoing, value: bool, request: _Spoiling) -> Outgoing:
    """Tell the variables back in the words of an error, as real services do (and so leak secrets)."""
    told = json.dumps(request.facts.variables, default=str)
    words = f"String cannot represent a non string value: {told}"
    body = _parsed(out)
    if body.get("errors"):
        for error in body["errors"]:
            error["message"] = f"{error.get('message')} {words}"
    else:
        body["errors"] = [{"message": words, "extensions": {"code": "BAD_USER_INPUT"}}]
    status = out.status if request.executed or body.get("data") is not None else 400
    return replace(out, status=status, body=json.dumps(body).encode(), headers=_like(out))


def _like(out: Outgoing) -> Headers:
    kept = [
        (name, value)
        for name, value in out.headers
        if name.lower() not in (b"content-type", b"content-length")
    ]
    return [*kept, (b"content-type", _JSON)]


def _garbage(out: Outgoing, value: tuple[str, int], request: _Spoiling) -> Outgoing:
    what, size = value
    out = replace(out, lost=True)
    if what == "html":
        return replace(page(out.status), close=out.close, cut=out.cut, hang=out.hang)
    if what == "bad_gzip":
        return replace(out.header(b"content-encoding", b"gzip"), body=b"\x1f\x8b\x08\x00" + out.body)
    if what == "wrong_length":
        return replace(out, raw=True)
    if what == "huge":
        return replace(out, body=b'{"data": {"filling": ""}}', padded=size)
    bodies = {
        "empty": b"",
        "bom": b"\xef\xbb\xbf" + out.body,
        "bad_utf8": b'{"data": {"name": "\xff\xfe\x80"}}',
        "nan": b'{"data": {"value": NaN}}',
        "two_json": out.body + out.body,
        "deep": b'{"data": ' + b"[" * size + b"]" * size + b"}",
    }
    return replace(out, body=bodies[what])


_HOW: dict[str, Any] = {
    "http": _http,
    "close": _close,
    "hang": _hang,
    "truncate_body": _truncate,
    "chunk_ms": _chunks,
    "gql_error": _gql_error,
    "drop_extensions": _drop_extensions,
    "echo_variables": _echo,
    "garbage": _garbage,
}
