"""Metadata of data rows: the schemas of a workspace, and the values that rows have (API reference 1.8).

Some schemas are the vendor's, with the same ids everywhere. A value of an enum is the id of its option;
what the API prints for it are two fields, the enum and the option, both with an empty value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import MalformedError, malformed_if
from lbstack.sandbox.rows.spec import MetadataValue
from lbstack.sandbox.scalars import parse_time
from lbstack.sandbox.store import Row

NUMBER, DATE_TIME, ENUM = "CustomMetadataNumber", "CustomMetadataDateTime", "CustomMetadataEnum"
STRING, OPTION = "CustomMetadataString", "CustomMetadataEnumOption"
EMBEDDING = "CustomMetadataEmbedding"
KINDS = (NUMBER, DATE_TIME, ENUM, STRING, OPTION, EMBEDDING)
MOST_SCHEMAS = 500
_EMBEDDING_LENGTH = 128

TABLES = (
    """CREATE TABLE IF NOT EXISTS metadata_schemas (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, parentId TEXT, name TEXT NOT NULL, kind TEXT NOT NULL,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS metadata_schemas_organization ON metadata_schemas (organizationId)",
    """CREATE TABLE IF NOT EXISTS data_row_metadata (
        place INTEGER PRIMARY KEY AUTOINCREMENT, dataRowId TEXT NOT NULL, schemaId TEXT NOT NULL,
        value TEXT NOT NULL, UNIQUE (dataRowId, schemaId))""",
    "CREATE INDEX IF NOT EXISTS data_row_metadata_schema ON data_row_metadata (schemaId)",
)


@dataclass(frozen=True)
class Schema:
    """A metadata schema; ``options`` are those of an enum, whose id is their ``parent``."""

    id: str
    name: str
    kind: str
    reserved: bool = False
    options: tuple[Schema, ...] = ()
    parent: str | None = None


def _option(ident: str, name: str) -> Schema:
    return Schema(ident, name, OPTION, True, parent=_SPLIT)


_SPLIT = "cko8sbczn0002h2dkdaxb5kal"
RESERVED = (
    Schema("cko8s9r5v0001h2dk9elqdidh", "tag", STRING, True),
    Schema(
        _SPLIT,
        "split",
        ENUM,
        True,
        (
            _option("cko8sbscr0003h2dk04w86hof", "train"),
            _option("cko8sc2yr0004h2dk69aj5x63", "valid"),
            _option("cko8scbz70005h2dkastwhgqt", "test"),
        ),
    ),
    Schema("cko8sdzv70006h2dk8jg64zvb", "captureDateTime", DATE_TIME, True),
    Schema("ckpyije740000yxdk81pbgjdc", "embedding", EMBEDDING, True),
)


@dataclass(frozen=True)
class Schemas:
    """The schemas of a workspace, in order; ``by_id`` knows the options too."""

    all: tuple[Schema, ...]
    by_id: Mapping[str, Schema]
    by_name: Mapping[str, Schema]


def schemas(context: Context) -> Schemas:
    """Read the schemas of the caller's workspace, the vendor's first."""
    sql = "SELECT id, name, kind, parentId FROM metadata_schemas WHERE organizationId = ? ORDER BY place"
    options: dict[str, list[Schema]] = {}
    tops = []
    for row in context.store.rows(sql, [context.organization_id]):
        if row["parentId"]:
            option = Schema(row["id"], row["name"], OPTION, parent=row["parentId"])
            options.setdefault(row["parentId"], []).append(option)
        else:
            tops.append(row)
    custom = [
        Schema(top["id"], top["name"], top["kind"], options=tuple(options.get(top["id"], ()))) for top in tops
    ]
    every = (*RESERVED, *custom)
    by_id = {each.id: each for top in every for each in (top, *top.options)}
    return Schemas(every, by_id, {top.name: top for top in every})


def judge(known: Schemas, fields: Sequence[MetadataValue]) -> dict[str, Any]:
    """Return the value of each schema that ``fields`` name; refuse what does not fit (6.8)."""
    named: list[tuple[Schema, Any]] = []
    for field in fields:
        if field.schema_id is not None:
            schema = known.by_id.get(field.schema_id)
        else:
            schema = known.by_name.get(field.name or "")
        if schema is None:
            raise MalformedError(f"Metadata schema not found: {field.schema_id or field.name}")
        named.append((schema, field.value))
    ids = [schema.id for schema, _ in named]
    twice = list(dict.fromkeys(ident for ident in ids if ids.count(ident) > 1))
    malformed_if(bool(twice), f"A schemaId can only be specified once per DataRow : [{', '.join(twice)}]")
    values: dict[str, Any] = {}
    for schema, value in named:
        _take(known, schema, value, values)
    missing = [ident for ident, value in values.items() if value is None]
    malformed_if(bool(missing), f"Metadata enum without an option: {', '.join(missing)}")
    return values


def _take(known: Schemas, schema: Schema, value: Any, values: dict[str, Any]) -> None:
    if schema.kind == ENUM:
        chosen = _chosen(schema, value)
        _choose(values, schema.id, chosen)
    elif schema.kind == OPTION:
        _choose(values, str(schema.parent), schema.id)
    else:
        values[schema.id] = _value(schema, value)


def _choose(values: dict[str, Any], enum: str, option: str | None) -> None:
    have = values.get(enum)
    twice = have is not None and option is not None and have != option
    malformed_if(twice, f"A schemaId can only be specified once per DataRow : [{enum}]")
    values[enum] = have or option


def _chosen(schema: Schema, value: Any) -> str | None:
    """The option that is the value of an enum: by id, by name; none when a field of its own names it."""
    if value is None or value == {}:
        return None
    for option in schema.options:
        if value in (option.id, option.name):
            return option.id
    raise MalformedError(f"Invalid option for metadata {schema.name}: {str(value)[:100]}")


def _value(schema: Schema, value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if schema.kind == NUMBER:
        malformed_if(not number or not _finite(value), f"Metadata {schema.name} must be a number")
        return float(value)
    if schema.kind == STRING:
        malformed_if(not isinstance(value, str), f"Metadata {schema.name} must be a string")
        return value
    if schema.kind == DATE_TIME:
        try:
            return parse_time(value)
        except GraphQLError:
            raise MalformedError(f"Metadata {schema.name} must be an ISO-8601 date-time") from None
    length = isinstance(value, list) and len(value) == _EMBEDDING_LENGTH
    fits = length and all(isinstance(each, (int, float)) and _finite(each) for each in value)
    malformed_if(not fits, f"Metadata {schema.name} must be {_EMBEDDING_LENGTH} numbers")
    return value


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def write(context: Context, data_row: str, values: Mapping[str, Any]) -> None:
    """Set values of a row, in the order they were given; other values stay."""
    if values:
        sql = """INSERT INTO data_row_metadata (dataRowId, schemaId, value) VALUES (?, ?, ?)
            ON CONFLICT (dataRowId, schemaId) DO UPDATE SET value = excluded.value"""
        context.store.run_many(sql, [(data_row, key, json.dumps(value)) for key, value in values.items()])


def clear(context: Context, data_row: str) -> None:
    """Remove all values of a row."""
    context.store.run("DELETE FROM data_row_metadata WHERE dataRowId = ?", [data_row])


def remove(context: Context, known: Schemas, data_row: str, idents: Sequence[str]) -> list[str]:
    """Remove the values of some schemas, an enum also by its option; return the ids that had none."""
    missing = []
    for ident in dict.fromkeys(idents):
        schema = known.by_id.get(ident)
        sql, params = "DELETE FROM data_row_metadata WHERE dataRowId = ? AND schemaId = ?", [data_row, ident]
        if schema and schema.parent:
            sql, params = f"{sql} AND value = ?", [data_row, schema.parent, json.dumps(ident)]
        if not context.store.run(sql, params):
            missing.append(ident)
    return missing


@dataclass(frozen=True)
class Value:
    """A value that a row has; ``option`` is the name of the option that an enum's value is."""

    schema_id: str
    name: str
    kind: str
    value: Any
    option: str | None = None


_READ = """SELECT m.schemaId, m.value, s.name, s.kind, o.name AS option FROM data_row_metadata m
    LEFT JOIN metadata_schemas s ON s.id = m.schemaId
    LEFT JOIN metadata_schemas o ON s.kind = 'CustomMetadataEnum' AND o.id = json_extract(m.value, '$')
    WHERE m.dataRowId = ? ORDER BY m.place"""
_RESERVED = {each.id: each for top in RESERVED for each in (top, *top.options)}


def read(context: Context, data_row: str) -> list[Value]:
    """Return a row's values, in the order they were given."""
    return [_found(row) for row in context.store.rows(_READ, [data_row])]


def _found(row: Row) -> Value:
    value, reserved = json.loads(row["value"]), _RESERVED.get(row["schemaId"])
    if reserved is None:
        return Value(row["schemaId"], row["name"], row["kind"], value, row["option"])
    option = _RESERVED[value].name if reserved.kind == ENUM else None
    return Value(reserved.id, reserved.name, reserved.kind, value, option)


def custom_fields(values: Sequence[Value]) -> list[Row]:
    """Print values the way ``customMetadata`` does: an enum and its option are two fields."""
    fields: list[Row] = []
    for each in values:
        if each.kind == ENUM:
            fields += [{"schemaId": each.schema_id, "value": {}}, {"schemaId": each.value, "value": {}}]
        else:
            fields.append({"schemaId": each.schema_id, "value": each.value})
    return fields


def named_fields(values: Sequence[Value]) -> list[Row]:
    """Print values the way ``metadataFields`` does: an enum with the name of its option."""
    return [
        {
            "schemaId": each.schema_id,
            "name": each.name,
            "value": each.value if each.option is None else each.option,
            "kind": each.kind,
        }
        for each in values
    ]
