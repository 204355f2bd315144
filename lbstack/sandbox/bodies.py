"""What a request carries: JSON, or the parts of an upload (API reference 5.1 and 5.4)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from lbstack.sandbox.errors import BadInputError

MOST_JSON = 10_000_000  # bytes
MOST_UPLOADED = 500_000_000  # bytes
_MOST_FILES = 10
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """One GraphQL request: the document, its variables, the operation that is meant."""

    text: str
    variables: dict[str, Any]
    operation_name: str | None


async def asked(request: Request) -> Asked:
    """Return what a POST asks for. Raises BadInputError where it is no GraphQL request."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        _plain(request)
        return _asked(await _multipart(request))
    body = await json_body(request)
    if media_type != "application/json":
        raise BadInputError("Content-Type must be application/json")
    return _asked(body)


async def json_body(request: Request, *, optional: bool = False) -> Any:
    """Return the JSON that a request carries; None for none, if it is ``optional``."""
    _plain(request)
    raw = b"".join([chunk async for chunk in _limited(request, MOST_JSON)])
    if optional and not raw.strip():
        return None
    return _json(raw)


def _plain(request: Request) -> None:
    """Refuse a body that is not told as it is: compressed, or in another encoding than UTF-8."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise HTTPException(415, "Content-Encoding is not supported: send the body as it is")
    charset = _CHARSET.search(request.headers.get("content-type", ""))
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        raise HTTPException(415, "The charset is not supported: JSON is UTF-8")


async def _limited(request: Request, most: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise HTTPException(413, "Request body is too large")
        yield chunk


def _json(raw: bytes) -> Any:
    try:
        body = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
        if b"\\u" in raw:  # half a surrogate pair is no text
            json.dumps(body, ensure_ascii=False).encode("utf-8")
        return body
    except (ValueError, RecursionError):
        raise BadInputError("Request body is not valid JSON") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _asked(body: Any) -> Asked:
    if not isinstance(body, dict):
        raise BadInputError("Request body must be a JSON object")
    text, variables, name = body.get("query"), body.get("variables"), body.get("operationName")
    if not isinstance(text, str) or not text.strip():
        raise BadInputError("GraphQL operations must contain a non-empty `query`")
    if variables is not None and not isinstance(variables, dict):
        raise BadInputError("`variables` in a POST body must be an object")
    if name is not None and not isinstance(name, str):
        raise BadInputError("`operationName` must be a string")
    return Asked(text, variables or {}, name or None)


async def _multipart(request: Request) -> Any:
    """Put the files of a multipart request where its map says that they belong among the variables."""
    parser = MultiPartParser(
        request.headers,
        _limited(request, MOST_UPLOADED),  # type: ignore[arg-type] # any iterator of chunks will do
        max_files=_MOST_FILES,
        max_part_size=MOST_JSON,
    )
    try:
        form = await parser.parse()
    except (MultiPartException, FormParserError, KeyError, ValueError):
        raise BadInputError("Request body is not valid multipart/form-data") from None
    body, places = _json_part(form, "operations"), _json_part(form, "map")
    if not isinstance(body, dict) or not isinstance(places, dict):
        raise BadInputError("`operations` and `map` must be JSON objects")
    for name, paths in places.items():
        file = form.get(name)
        if not isinstance(file, UploadFile) or not isinstance(paths, list):
            raise BadInputError(f"`map` names {name!r}, which is no file of this request")
        for path in paths:
            _place(body, path, file)
    return body


def _json_part(form: FormData, name: str) -> Any:
    part = form.get(name)
    if not isinstance(part, str):
        raise BadInputError(f"A multipart request needs the part `{name}`")
    return _json(part.encode("utf-8", "surrogatepass"))


def _place(body: dict[str, Any], path: Any, file: UploadFile) -> None:
    """Set the null at ``path`` (``variables.data.file``) to the file."""
    if not isinstance(path, str):
        raise BadInputError("`map` must hold paths")
    *way, last = path.split(".")
    at: Any = body
    for step in way:
        at = at.get(step) if isinstance(at, dict) else None
    if not isinstance(at, dict) or at.get(last) is not None:
        raise BadInputError(f"`map` names {path!r}, where no file belongs")
    at[last] = file


def rewind(variables: dict[str, Any]) -> None:
    """Let the files among the variables be read from their beginning, again."""
    for value in variables.values():
        if isinstance(value, UploadFile):
            value.file.seek(0)
        elif isinstance(value, dict):
            rewind(value)
