"""What kind of asset a data row is: by its bytes where they are a file of ours, else by its name
(API reference 1.8, 2.2, 5.7 and 6.8)."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import imagesize

from lbstack.sandbox import files
from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import MalformedError, malformed_if

MOST_TEXT = 64 * 1024  # characters of raw text
_CONVERSATION = "application/vnd.labelbox.conversational"
_TILES = "application/vnd.labelbox.tms"
_JSON = "application/json"
_TEXT = "text/plain"

# What each media type may be made of; types that are not here take anything.
_EXPECTED: dict[str, tuple[str, ...]] = {
    "IMAGE": ("image/*",),
    "VIDEO": ("video/*",),
    "AUDIO": ("audio/*",),
    "TEXT": ("text/*",),
    "HTML": ("text/html",),
    "PDF": ("application/pdf",),
    "JSON": (_JSON,),
    "CONVERSATIONAL": (_CONVERSATION, _JSON),
    "TMS_GEO": (_TILES,),
    "TMS_SIMPLE": (_TILES,),
    "DICOM": ("application/dicom",),
}
DECLARABLE = frozenset(_EXPECTED) | {
    "LLM", "LLM_PROMPT_CREATION", "LLM_PROMPT_RESPONSE_CREATION", "POINT_CLOUD",
}  # fmt: skip
_DETECTED = (
    ("image/", "IMAGE"), ("video/", "VIDEO"), ("audio/", "AUDIO"), ("text/html", "HTML"), ("text/", "TEXT"),
    ("application/pdf", "PDF"), (_CONVERSATION, "CONVERSATIONAL"), (_JSON, "JSON"),
    ("application/dicom", "DICOM"),
)  # fmt: skip
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"), (b"II*\x00", "image/tiff"), (b"MM\x00*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
)  # fmt: skip
_SCHEMES = ("http", "https", "gs", "s3")
_VAGUE = "application/octet-stream"


@dataclass(frozen=True)
class Media:
    """An asset: ``row_data`` as it is kept, its media type (None: unknown) and its attributes."""

    row_data: str
    type: str | None
    attributes: dict[str, Any]


def judge(context: Context, row_data: Any, declared: Any = None) -> Media:
    """Say what ``row_data`` is; refuse it when it is nothing, or not what it was declared to be."""
    known = declared is None or (isinstance(declared, str) and declared in DECLARABLE)
    malformed_if(not known, f"Found invalid media type: '{declared}'")
    text, mime, more = _content(context, row_data)
    expected = _EXPECTED.get(declared or "", ())
    fits = mime is None or not expected or any(_fits(mime, each) for each in expected)
    malformed_if(not fits, f"Expected type {' or '.join(expected[:1])}, detected: {mime}")
    return Media(text, declared or _type(mime, more), _attributes(declared, mime, more))


def _content(context: Context, row_data: Any) -> tuple[str, str | None, dict[str, Any]]:
    """The text to keep, the MIME type (None: it cannot be told), and what else is known."""
    if isinstance(row_data, (dict, list)):
        malformed_if(not row_data, "rowData must not be empty")
        return _structured(row_data, printed(row_data))
    malformed_if(not isinstance(row_data, str) or not row_data, "rowData must not be empty")
    scheme, _, rest = row_data.partition("://")
    if (
        scheme.lower() in ("http", "https", "gs", "s3")
        and rest
        and not any(c.isspace() for c in rest.strip())
    ):
        return _referred(context, row_data)
    malformed_if(len(row_data) > MOST_TEXT, f"Raw text must not exceed {MOST_TEXT} characters")
    if row_data.lstrip().startswith("{"):
        try:
            return _structured(json.loads(row_data), row_data)
        except (ValueError, RecursionError):
            pass
    return row_data, _TEXT, {"contentLength": len(row_data.encode())}


def printed(value: Any) -> str:
    """Print JSON that came from outside; refuses nesting without end."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise MalformedError("JSON is nested too deeply") from None


def _structured(value: Any, text: str) -> tuple[str, str | None, dict[str, Any]]:
    """JSON: a conversation, tiles, a document with its text layer, or just JSON."""
    told = value if isinstance(value, dict) else {}
    if str(told.get("type", "")).startswith(_CONVERSATION) or isinstance(told.get("messages"), list):
        return text, _CONVERSATION, {}
    document = told.get("pdf_url") or told.get("pdfUrl")
    if isinstance(document, str):
        # The document becomes the row's data, its text layer one of its attributes.
        layer = told.get("text_layer_url") or told.get("textLayerUrl") or told.get("tileLayerUrl")
        return document, "application/pdf", {"textLayerUrl": layer} if isinstance(layer, str) else {}
    if isinstance(told.get("tileLayerUrl"), str):
        return text, _TILES, {"simple": "simple" in str(told.get("epsg", "")).lower()}
    return text, _JSON, {}


def _referred(context: Context, url: str) -> tuple[str, str | None, dict[str, Any]]:
    found = files.own(context, url)
    if found is None:
        try:
            return url, mimetypes.guess_type(urlsplit(url).path)[0], {}
        except ValueError:
            raise MalformedError(f"Invalid URL: {url}") from None
    row, path = found
    mime = _sniffed(path) or row["contentType"].partition(";")[0].strip().lower()
    known: dict[str, Any] = {"contentLength": row["size"]}
    if mime.startswith("image/"):
        known.update(_measured(path))
    return url, None if mime == _VAGUE else mime, known


def _sniffed(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(16)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _MAGIC if head.startswith(magic)), None)


def _measured(path: Path) -> dict[str, int]:
    """Width and height; nothing for an image that cannot be read."""
    try:
        width, height = imagesize.get(str(path))
    except Exception:
        return {}  # whatever a parser of untrusted bytes stumbles over, the size is unknown
    return {"width": int(width), "height": int(height)} if width > 0 and height > 0 else {}


def _fits(mime: str, expected: str) -> bool:
    return mime.startswith(expected[:-1]) if expected.endswith("/*") else mime == expected


def _type(mime: str | None, more: dict[str, Any]) -> str | None:
    if mime == _TILES:
        return "TMS_SIMPLE" if more.get("simple") else "TMS_GEO"
    return next((media for start, media in _DETECTED if mime and mime.startswith(start)), None)


def _attributes(declared: str | None, mime: str | None, more: dict[str, Any]) -> dict[str, Any]:
    media_type = declared or _type(mime, more)
    told: dict[str, Any] = {} if media_type is None else {"assetType": media_type.lower()}
    if mime is not None:
        kind, _, sub = mime.partition("/")
        told.update(mimeType=mime, superType=kind, subType=sub)
    return {**told, **{key: value for key, value in more.items() if key != "simple"}}
