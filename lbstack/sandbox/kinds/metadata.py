"""Custom metadata: its schemas, and the values of many rows at once (API reference 1.8, 2.1, 6.1)."""

from __future__ import annotations

from typing import Any

from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import MalformedError, NotFoundError, ServiceError, malformed_if
from lbstack.sandbox.roles import MANAGE_DATASETS
from lbstack.sandbox.rows import metadata, storage
from lbstack.sandbox.rows.metadata import ENUM, OPTION, TABLES, Schema, Schemas
from lbstack.sandbox.rows.spec import encodable, metadata_value
from lbstack.sandbox.store import Row

_NAME_LENGTH = 100
_MOST_OPTIONS = 1_000
_MOST_ROWS = 1_000
_NAMED = (("dataRowId", "ID"), ("globalKey", "GKEY"))

SDL = f"""
enum CustomMetadataSchemaKind {{ {" ".join(metadata.KINDS)} }}
type CustomMetadataSchema {{
  id: ID!
  name: String!
  kind: CustomMetadataSchemaKind!
  reserved: Boolean!
  options: [CustomMetadataSchemaOption!]! @listSize(assumedSize: 20)
}}
type CustomMetadataSchemaOption {{
  id: ID!
  name: String!
  kind: CustomMetadataSchemaKind!
  reserved: Boolean!
}}
input UpsertCustomMetadataSchemaOptionInput {{
  id: ID
  name: String!
  kind: CustomMetadataSchemaKind
}}
input UpsertCustomMetadataSchemaInput {{
  id: ID
  name: String!
  kind: CustomMetadataSchemaKind!
  options: [UpsertCustomMetadataSchemaOptionInput!]
}}
input DataRowCustomMetadataBatchUpsertInput {{
  dataRowId: ID
  globalKey: ID
  fields: [DataRowCustomMetadataUpsertInput!]!
}}
input DataRowIdentifierInput {{ id: ID!, idType: IdType! }}
input DataRowIdentifierCustomMetadataBatchDeleteInput {{
  dataRowIdentifier: DataRowIdentifierInput!
  schemaIds: [ID!]!
}}
input DataRowCustomMetadataDataRowIdentifiersInput {{ ids: [ID!]!, idType: IdType! }}
input DataRowCustomMetadataWhereInput {{
  dataRowIdentifiers: DataRowCustomMetadataDataRowIdentifiersInput
}}
type DataRowMetadataValues {{
  dataRowId: ID!
  globalKey: String
  fields: [DataRowCustomMetadata!]! @listSize(assumedSize: 5)
}}
"A row whose metadata could not be changed, and why."
type DataRowMetadataFailure {{
  dataRowId: ID
  globalKey: String
  error: String
  fields: [DataRowCustomMetadata!]! @listSize(assumedSize: 5)
}}
type DeletedCustomMetadataSchema {{ success: Boolean! }}
extend type Query {{
  customMetadataOntology: [CustomMetadataSchema!]!
  dataRowCustomMetadata(where: DataRowCustomMetadataWhereInput!): [DataRowMetadataValues!]!
}}
extend type Mutation {{
  upsertCustomMetadataSchema(data: UpsertCustomMetadataSchemaInput!): CustomMetadataSchema
  deleteCustomMetadataSchema(schema: WhereUniqueIdInput!): DeletedCustomMetadataSchema
  upsertDataRowCustomMetadata(data: [DataRowCustomMetadataBatchUpsertInput!]!): [DataRowMetadataFailure!]!
  deleteDataRowCustomMetadata(
    dataRowIdentifiers: [DataRowIdentifierCustomMetadataBatchDeleteInput!]
  ): [DataRowMetadataFailure!]!
}}
"""


def _ontology(_: Any, info: Info) -> list[Row]:
    return [_printed(schema) for schema in metadata.schemas(info.context).all]


def _printed(schema: Schema) -> Row:
    head = {"id": schema.id, "name": schema.name, "kind": schema.kind, "reserved": schema.reserved}
    return {**head, "options": [_printed(option) for option in schema.options]}


@mutation("upsertCustomMetadataSchema", MANAGE_DATASETS)
def _upsert_schema(_: Any, info: Info, data: Row) -> Row:
    """Create a schema, or rename one and its options: of an enum, those that are not told go."""
    context = info.context
    known = metadata.schemas(context)
    name, kind = _name(data["name"]), data["kind"]
    malformed_if(kind == OPTION, f"{OPTION} is the kind of options only")
    options = data.get("options") or []
    malformed_if(bool(options) and kind != ENUM, f"Only {ENUM} has options")
    malformed_if(len(options) > _MOST_OPTIONS, f"An enum has at most {_MOST_OPTIONS} options")
    wrong = any(option.get("kind") not in (None, OPTION) for option in options)
    malformed_if(wrong, f"The kind of an option is {OPTION}")
    names = [_name(option["name"]) for option in options]
    malformed_if(len(set(names)) < len(names), "The options of an enum must have different names")
    schema = _custom(known, data["id"]) if data.get("id") else None
    other = known.by_name.get(name)
    taken = other is not None and (schema is None or other.id != schema.id)
    malformed_if(taken, f"Metadata schema with name '{name}' already exists")
    if schema is None:
        full = len(known.all) - len(metadata.RESERVED) >= metadata.MOST_SCHEMAS
        malformed_if(full, f"At most {metadata.MOST_SCHEMAS} custom metadata schemas are possible")
        ident = _add(context, name, kind)
    else:
        malformed_if(schema.kind != kind, "The kind of a metadata schema cannot be changed")
        ident = schema.id
        _rename(context, ident, name)
    _set_options(context, ident, schema, list(zip(options, names, strict=True)))
    return _printed(metadata.schemas(context).by_id[ident])


def _set_options(context: Context, enum: str, schema: Schema | None, told: list[tuple[Row, str]]) -> None:
    have = {option.id for option in schema.options} if schema else set()
    kept = [option["id"] for option, _ in told if option.get("id")]
    strange = [ident for ident in kept if ident not in have]
    malformed_if(bool(strange) or len(set(kept)) < len(kept), "Unknown option of this metadata schema")
    for ident in have - set(kept):
        context.touch(ident)
        values = "DELETE FROM data_row_metadata WHERE schemaId = ? AND value = json_quote(?)"
        context.store.run(values, [enum, ident])
        context.store.run("DELETE FROM metadata_schemas WHERE id = ?", [ident])
    for option, name in told:
        if option.get("id"):
            _rename(context, option["id"], name)
        else:
            _add(context, name, OPTION, enum)


def _add(context: Context, name: str, kind: str, parent: str | None = None) -> str:
    now = context.now()
    row = {
        "id": context.new_id(), "organizationId": context.organization_id, "createdById": context.user["id"],
        "parentId": parent, "name": name, "kind": kind, "createdAt": now, "updatedAt": now,
    }  # fmt: skip
    return str(context.insert("metadata_schemas", row)["id"])


def _rename(context: Context, ident: str, name: str) -> None:
    context.touch(ident)
    context.store.update("metadata_schemas", ident, {"name": name, "updatedAt": context.now()})


def _name(raw: str) -> str:
    name = raw.strip()
    malformed_if(
        not 0 < len(name) <= _NAME_LENGTH, f"A name must have between 1 and {_NAME_LENGTH} characters"
    )
    encodable(name)
    return name


def _custom(known: Schemas, ident: str) -> Schema:
    schema = known.by_id.get(ident)
    if schema is None or schema.parent:
        raise NotFoundError(f"CustomMetadataSchema not found: {ident}")
    malformed_if(schema.reserved, f"Reserved metadata cannot be changed: {schema.name}")
    return schema


@mutation("deleteCustomMetadataSchema", MANAGE_DATASETS)
def _delete_schema(_: Any, info: Info, schema: Row) -> Row:
    """Delete a schema with its options, and the values that rows have for it."""
    context = info.context
    found = _custom(metadata.schemas(context), schema["id"])
    context.touch(found.id)
    context.store.run("DELETE FROM data_row_metadata WHERE schemaId = ?", [found.id])
    context.store.run("DELETE FROM metadata_schemas WHERE id = ? OR parentId = ?", [found.id, found.id])
    return {"success": True}


@mutation("upsertDataRowCustomMetadata", MANAGE_DATASETS)
def _upsert_values(_: Any, info: Info, data: list[Row]) -> list[Row]:
    """Set values of many rows; what else they have stays. Answers the rows that failed."""
    context = info.context
    _check_number(data)
    known, failures = metadata.schemas(context), []
    for each in data:
        try:
            given = [(each[name], kind) for name, kind in _NAMED if each.get(name) is not None]
            malformed_if(len(given) != 1, "Either dataRowId or globalKey must be given")
            row = storage.identified(context, *given[0])
            values = metadata.judge(known, [metadata_value(field) for field in each["fields"]])
        except ServiceError as refusal:
            failures.append({"dataRowId": None, "globalKey": None, **each, "error": refusal.message})
            continue
        metadata.write(context, row["id"], values)
        context.touch(row["id"])
    return failures


@mutation("deleteDataRowCustomMetadata", MANAGE_DATASETS)
def _delete_values(_: Any, info: Info, dataRowIdentifiers: list[Row] | None = None) -> list[Row]:  # noqa: N803
    """Remove values of many rows. Answers, for each row, the schemas it had no value for."""
    context = info.context
    told = dataRowIdentifiers or []
    _check_number(told)
    known, failures = metadata.schemas(context), []
    for each in told:
        ident, key_type = each["dataRowIdentifier"]["id"], each["dataRowIdentifier"]["idType"]
        name = {"dataRowId": None, "globalKey": None}
        name["dataRowId" if key_type == "ID" else "globalKey"] = ident
        try:
            row = storage.identified(context, ident, key_type)
        except NotFoundError as refusal:
            fields = [{"schemaId": schema, "value": None} for schema in each["schemaIds"]]
            failures.append({**name, "error": refusal.message, "fields": fields})
            continue
        context.touch(row["id"])
        missing = metadata.remove(context, known, row["id"], each["schemaIds"])
        if missing:
            name = {"dataRowId": row["id"], "globalKey": row["globalKey"]}
            fields = [{"schemaId": schema, "value": None} for schema in missing]
            failures.append({**name, "error": "Schema did not exist", "fields": fields})
    return failures


def _values(_: Any, info: Info, where: Row) -> list[Row]:
    """The metadata of rows, in the order they are asked for; rows that are not there are left out."""
    context = info.context
    told = where.get("dataRowIdentifiers")
    if told is None:
        raise MalformedError("dataRowIdentifiers must be given")
    _check_number(told["ids"])
    found = []
    for ident in told["ids"]:
        try:
            row = storage.identified(context, ident, told["idType"])
        except NotFoundError:
            continue
        fields = metadata.custom_fields(metadata.read(context, row["id"]))
        found.append({"dataRowId": row["id"], "globalKey": row["globalKey"], "fields": fields})
    return found


def _check_number(rows: list[Any]) -> None:
    malformed_if(len(rows) > _MOST_ROWS, f"At most {_MOST_ROWS} data rows are possible at once")


KIND = Kind(
    "metadata",
    SDL,
    TABLES,
    {
        "Query": {"customMetadataOntology": _ontology, "dataRowCustomMetadata": _values},
        "Mutation": {
            "upsertCustomMetadataSchema": _upsert_schema,
            "deleteCustomMetadataSchema": _delete_schema,
            "upsertDataRowCustomMetadata": _upsert_values,
            "deleteDataRowCustomMetadata": _delete_values,
        },
    },
)
