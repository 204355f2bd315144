"""What a client says about a data row, read with suspicion: it comes out of files that anybody wrote.

Sources: API reference 1.8 (the items of an upload, in snake case) and the legacy forms (in camel case).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import ServiceError, malformed_if
from lbstack.sandbox.rows.media import Media, judge, printed
from lbstack.sandbox.store import Row

ATTACHMENT_TYPES = (
    "AUDIO", "VIDEO", "IMAGE", "IMAGE_OVERLAY", "HTML", "RAW_TEXT", "TEXT_URL", "TEXT", "PDF_URL",
    "CAMERA_IMAGE",
)  # fmt: skip
KEY_LENGTH = 200
_MOST_LISTED = 1_000  # attachments, or metadata fields, of one row

# Under which names a field may come: those of the vendor's client, of GraphQL, of the legacy JSON files.
_NAMES = {
    "row_data": ("row_data", "rowData", "data", "imageUrl", "videoUrl"),
    "external_id": ("external_id", "externalId"),
    "global_key": ("global_key", "globalKey"),
    "media_type": ("media_type", "mediaType"),
    "metadata": ("metadata_fields", "metadataFields", "metadata"),
    "attachments": ("attachments",),
    "embeddings": ("embeddings",),
    "dataset_id": ("dataset_id", "datasetId"),
}
_KNOWN = frozenset(name for names in _NAMES.values() for name in names)


@dataclass(frozen=True)
class MetadataValue:
    """One metadata field of a row as it was given: the schema by id or by name, and the value."""

    schema_id: str | None
    name: str | None
    value: Any


@dataclass(frozen=True)
class AttachmentSpec:
    """One attachment of a row as it was given."""

    type: str
    value: str
    name: str | None


@dataclass(frozen=True)
class Spec:
    """What is to become of one row. None means that nothing was said, so that nothing changes.

    ``given`` holds ``externalId`` and ``globalKey``, as far as they were named.
    """

    given: Mapping[str, str | None]
    media: Media | None = None
    dataset_id: str | None = None
    metadata: tuple[MetadataValue, ...] | None = None
    attachments: tuple[AttachmentSpec, ...] | None = None


@dataclass(frozen=True)
class Item:
    """One item of an import: which row is meant, and the spec, or the reason why there is none.

    ``told`` is what the client reads back when the row fails.
    """

    key_type: str
    key: str
    spec: Spec | None
    told: Mapping[str, Any]
    refused: str = ""


def load(content: bytes, what: str) -> Any:
    """Parse JSON from outside; refuses what is none, also NaN, and nesting without end."""
    try:
        return json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        malformed_if(True, f"{what} is not valid JSON")


def _no_constant(name: str) -> None:
    raise ValueError(name)


def item(context: Context, raw: Any) -> Item:
    """Read one item of an upload; what is wrong with it is kept with it."""
    payload = raw.get("payload") if isinstance(raw, dict) else None
    return _item(context, payload, lambda: _key(raw.get("id")))


def plain_item(context: Context, raw: Any) -> Item:
    """Read one row of a legacy JSON file: always a new row."""
    return _item(context, raw, lambda: ("AUTO", ""))


def _item(context: Context, payload: Any, which: Callable[[], tuple[str, str]]) -> Item:
    told = _echo({})
    try:
        malformed_if(not isinstance(payload, dict), "A data row must be a JSON object with a payload")
        told = _echo(payload)
        key_type, key = which()
        return Item(key_type, key, read(context, payload), told)
    except ServiceError as refusal:
        return Item("", "", None, told, refusal.message)


def _key(raw: Any) -> tuple[str, str]:
    malformed_if(not isinstance(raw, dict), "A data row needs an id")
    key_type, key = raw.get("type"), raw.get("value")
    malformed_if(key_type not in ("AUTO", "ID", "GKEY"), "The type of an id must be AUTO, ID or GKEY")
    if key_type == "AUTO":
        return "AUTO", ""
    text = _text(key, "id")
    malformed_if(not text, "The value of an id must not be empty")
    return key_type, text or ""


def read(context: Context, payload: Row) -> Spec:
    """Read what is said about a row. Refuses unknown fields and values of the wrong type."""
    unknown = sorted(str(name) for name in payload if name not in _KNOWN)
    malformed_if(bool(unknown), f"Unknown fields: {', '.join(clean(name) for name in unknown[:10])}")
    row_data, declared = _named(payload, "row_data"), _named(payload, "media_type")
    malformed_if(row_data is None and declared is not None, "A media type needs row_data")
    given = {}
    for name, column in (("external_id", "externalId"), ("global_key", "globalKey")):
        if any(each in payload for each in _NAMES[name]):
            given[column] = _text(_named(payload, name), name)
    if given.get("globalKey") is not None:
        check_key(given["globalKey"])
    _no_embeddings(_named(payload, "embeddings"))
    encodable(row_data)
    return Spec(
        given,
        None if row_data is None else judge(context, row_data, declared),
        _text(_named(payload, "dataset_id"), "dataset_id"),
        _each(_named(payload, "metadata"), "metadata_fields", metadata_value),
        _each(_named(payload, "attachments"), "attachments", attachment),
    )


def check_key(key: str | None) -> None:
    """Refuse a global key that can be none (API reference 5.7)."""
    malformed_if(not is_key(key), f"Invalid global key: '{key}'")


def is_key(key: str | None) -> bool:
    """Say whether a text can be a global key: at most 200 characters, no stray blanks."""
    return key is not None and 0 < len(key) <= KEY_LENGTH and key == key.strip() and "  " not in key


def _named(payload: Row, name: str) -> Any:
    return next((payload[each] for each in _NAMES[name] if payload.get(each) is not None), None)


def _each(raw: Any, name: str, read_one: Callable[[Any], Any]) -> Any:
    if raw is None:
        return None
    malformed_if(not isinstance(raw, list), f"{name} must be a list")
    malformed_if(len(raw) > _MOST_LISTED, f"{name} must not have more than {_MOST_LISTED} entries")
    return tuple(read_one(each) for each in raw)


def metadata_value(raw: Any) -> MetadataValue:
    """Read a metadata field: a schema, by id or by name, and a value."""
    malformed_if(not isinstance(raw, dict), "A metadata field must be an object")
    schema = _text(raw.get("schemaId", raw.get("schema_id")), "schemaId")
    name = _text(raw.get("name"), "name")
    malformed_if(schema is None and name is None, "A metadata field needs a schemaId or a name")
    malformed_if("value" not in raw, "A metadata field needs a value")
    encodable(raw["value"])
    return MetadataValue(schema, name, raw["value"])


def attachment(raw: Any) -> AttachmentSpec:
    """Read an attachment: a type of the vendor's, and a value."""
    malformed_if(not isinstance(raw, dict), "An attachment must be an object")
    kind, value = raw.get("type"), _text(raw.get("value"), "value")
    malformed_if(kind not in ATTACHMENT_TYPES, f"Invalid attachment type: {clean(str(kind))}")
    malformed_if(not value, "The value of an attachment must not be empty")
    return AttachmentSpec(kind, value or "", _text(raw.get("name"), "name"))


def _no_embeddings(raw: Any) -> None:
    """Vectors belong to an embedding of the workspace, and there are none: they are made elsewhere (5.1)."""
    malformed_if(raw is not None and not isinstance(raw, list), "embeddings must be a list")
    for each in raw or ():
        ident = each.get("embeddingId") if isinstance(each, dict) else None
        malformed_if(True, f"Embedding not found: {clean(str(ident))}")


def _text(value: Any, name: str) -> str | None:
    malformed_if(value is not None and not isinstance(value, str), f"{name} must be a string")
    encodable(value)
    return value if isinstance(value, str) else None


def encodable(value: Any) -> None:
    """Refuse half of a surrogate pair: no database and no answer can hold it."""
    text = value if isinstance(value, str) else printed(value)
    malformed_if(clean(text) != text, "Text must be valid Unicode")


def clean(text: str) -> str:
    """Return ``text`` without what cannot be encoded, to be told back."""
    return text.encode("utf-8", "replace").decode()


def _echo(payload: Row) -> Row:
    """What a failed row is told back as (``failedDataRowImports ▸ spec``)."""
    row_data = _named(payload, "row_data")
    return {
        "externalId": _printed(_named(payload, "external_id")),
        "globalKey": _printed(_named(payload, "global_key")),
        "rowData": _printed(row_data),
        "metadata": [
            {
                "schemaId": _printed(each.get("schemaId", each.get("schema_id"))),
                "name": _printed(each.get("name")),
                "value": json.loads(clean(printed(each.get("value")))),
            }
            for each in _objects(_named(payload, "metadata"))
        ],
        "attachments": [
            {name: _printed(each.get(name)) for name in ("type", "value", "name")}
            for each in _objects(_named(payload, "attachments"))
        ],
    }


def _objects(raw: Any) -> list[Row]:
    return [each for each in raw if isinstance(each, dict)][:_MOST_LISTED] if isinstance(raw, list) else []


def _printed(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else clean(value)
    return clean(printed(value))
