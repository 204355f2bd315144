"""Data rows, as far as datasets must be able to hold them (API reference 1.8, legacy forms).

They go for good when they are deleted, and their labels with them; the global key is then free again.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

from typing import Any

from lbstack.sandbox import workflow
from lbstack.sandbox.context import Context, Info, by_id, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import ConflictError, malformed_if
from lbstack.sandbox.kinds.session import the_organization
from lbstack.sandbox.listing import PAGE_SIZE, PAGING, Clause, Table, both
from lbstack.sandbox.roles import MANAGE_DATASETS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import DATASETS, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS data_rows (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, datasetId TEXT NOT NULL, externalId TEXT, globalKey TEXT,
        rowData TEXT NOT NULL, mediaType TEXT, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS data_rows_dataset ON data_rows (datasetId)",
    "CREATE UNIQUE INDEX IF NOT EXISTS data_rows_global_key ON data_rows (organizationId, globalKey)",
)


def _visible(context: Context) -> Clause:
    datasets = both(Clause("deleted = 0"), DATASETS.visible(context))
    return Clause(f"datasetId IN (SELECT id FROM datasets WHERE {datasets.sql})", datasets.params)


DATA_ROWS = Table(
    "data_rows",
    "DataRow",
    {
        "id": "ID", "externalId": "String", "globalKey": "String", "rowData": "String",
        "createdAt": "DateTime", "updatedAt": "DateTime",
    },
    {"dataset": ("datasetId", DATASETS), "createdBy": ("createdById", USERS)},
    visible=_visible,
)  # fmt: skip

_MOST_DELETED = 10_000
_MOST_LISTED = 1_000
_KEY_LENGTH = 200

SDL = f"""
type DataRow {{
  id: ID!
  externalId: String
  globalKey: String
  rowData: String!
  mediaAttributes: Json
  customMetadata: [DataRowCustomMetadata!]! @listSize(assumedSize: 5)
  metadataFields: [DataRowMetadataField!]! @listSize(assumedSize: 5)
  createdAt: DateTime!
  updatedAt: DateTime!
  dataset: Dataset
  organization: Organization!
  createdBy: User
}}
type DataRowCustomMetadata {{ schemaId: ID!, value: Json }}
type DataRowMetadataField {{ schemaId: ID!, name: String!, value: Json, kind: String! }}
type DeletedDataRow {{ id: ID!, deleted: Boolean! }}
type DataRowPageInfo {{ hasNextPage: Boolean!, startCursor: ID }}
type DataRowPage {{ nodes: [DataRow!]!, pageInfo: DataRowPageInfo! }}
{DATA_ROWS.where_sdl()}
input DatasetDataRowWhereInput {{ externalId: String, globalKey: String }}
input DatasetConnectInput {{ connect: WhereUniqueIdInput! }}
input DataRowCreateInput {{
  rowData: String!
  externalId: String
  globalKey: String
  mediaType: MediaType
  dataset: DatasetConnectInput!
}}
input DataRowUpdateInput {{ rowData: String, externalId: String, globalKey: String }}
input DeleteDataRowsInput {{ dataRowIds: [ID!]! }}
extend type Dataset {{ dataRows(where: DataRowWhereInput, {PAGING}): [DataRow!] }}
extend type Query {{
  dataRow(where: WhereUniqueIdInput!): DataRow
  datasetDataRows(id: ID!, from: ID, first: Int, where: DatasetDataRowWhereInput): DataRowPage
}}
extend type Mutation {{
  createDataRow(data: DataRowCreateInput!): DataRow
  updateDataRow(where: WhereUniqueIdInput!, data: DataRowUpdateInput!): DataRow
  deleteDataRows(where: DeleteDataRowsInput!): [DeletedDataRow!]
}}
"""


@mutation("createDataRow", MANAGE_DATASETS)
def _create(_: Any, info: Info, data: Row) -> Row:
    context = info.context
    dataset = context.find(DATASETS, data["dataset"]["connect"]["id"])
    _check(context, data)
    fields = {key: data.get(key) for key in ("rowData", "externalId", "globalKey", "mediaType")}
    row = context.create(DATA_ROWS, {**fields, "datasetId": dataset["id"]})
    context.store.run("UPDATE datasets SET rowCount = rowCount + 1 WHERE id = ?", [dataset["id"]])
    return row


@mutation("updateDataRow", MANAGE_DATASETS)
def _update(_: Any, info: Info, where: Row, data: Row) -> Row:
    context = info.context
    row = context.find(DATA_ROWS, where["id"])
    _check(context, data, row["id"])
    return context.change(DATA_ROWS, row["id"], data)


@mutation("deleteDataRows", MANAGE_DATASETS)
def _delete(_: Any, info: Info, where: Row) -> list[Row]:
    context = info.context
    idents = where["dataRowIds"]
    malformed_if(len(idents) > _MOST_DELETED, f"At most {_MOST_DELETED} data rows can be deleted at once")
    for ident in dict.fromkeys(idents):
        row = context.find(DATA_ROWS, ident)
        context.touch(ident)
        features = "DELETE FROM label_features WHERE labelId IN (SELECT id FROM labels WHERE dataRowId = ?)"
        context.store.run(features, [ident])
        context.store.run("DELETE FROM labels WHERE dataRowId = ?", [ident])
        context.store.run("DELETE FROM data_rows WHERE id = ?", [ident])
        context.store.run("UPDATE datasets SET rowCount = rowCount - 1 WHERE id = ?", [row["datasetId"]])
    workflow.forget(context, idents)
    return [{"id": ident, "deleted": True} for ident in idents]


def _check(context: Context, data: Row, own: str = "") -> None:
    malformed_if("rowData" in data and not data["rowData"], "rowData must not be empty")
    key = data.get("globalKey")
    if key is None:
        return
    wrong = not 0 < len(key) <= _KEY_LENGTH or key != key.strip() or "  " in key
    malformed_if(wrong, f"Invalid global key: '{key}'")
    sql = "SELECT 1 FROM data_rows WHERE organizationId = ? AND globalKey = ? AND id <> ?"
    if context.store.value(sql, [context.organization_id, key, own]):
        raise ConflictError(f"Duplicate global key: '{key}'")


def _of_dataset(dataset: Row, info: Info, **page: Any) -> list[Row]:
    context = info.context
    among = Clause("datasetId = ?", [dataset["id"]])
    return context.page(DATA_ROWS, **page, among=among, order="place DESC")


def _cursor_page(
    _: Any,
    info: Info,
    id_: str,
    from_: str | None = None,
    first: int | None = None,
    where: Row | None = None,
) -> Row:
    """Newest first; ``from`` is the last row of the page before, ``startCursor`` the next ``from`` (4)."""
    context = info.context
    dataset = context.find(DATASETS, id_)
    size = PAGE_SIZE if first is None else first
    malformed_if(not 0 < size <= _MOST_LISTED, f"first must be between 1 and {_MOST_LISTED}")
    clause = both(Clause("datasetId = ?", [dataset["id"]]), DATA_ROWS.where(where))
    if from_ is not None:
        before = context.find(DATA_ROWS, from_)["place"]
        clause = both(clause, Clause("place < ?", [before]))
    sql = f"SELECT * FROM data_rows WHERE {clause.sql} ORDER BY place DESC LIMIT {size + 1}"
    rows = context.store.rows(sql, clause.params)
    nodes = rows[:size]
    more = len(rows) > size
    return {
        "nodes": nodes,
        "pageInfo": {"hasNextPage": more, "startCursor": nodes[-1]["id"] if more else None},
    }


def _media_attributes(row: Row, _: Info) -> Any:
    return {} if row["mediaType"] is None else {"assetType": row["mediaType"].lower()}


KIND = Kind(
    "data_row",
    SDL,
    TABLES,
    {
        "Query": {"dataRow": by_id(DATA_ROWS), "datasetDataRows": _cursor_page},
        "Mutation": {"createDataRow": _create, "updateDataRow": _update, "deleteDataRows": _delete},
        "Dataset": {"dataRows": _of_dataset},
        "DataRow": {
            "dataset": to_one(DATASETS, "datasetId"),
            "organization": the_organization,
            "createdBy": to_one(USERS, "createdById"),
            "mediaAttributes": _media_attributes,
            # A new workspace has no metadata schemas, so no row has metadata.
            "customMetadata": lambda *_: [],
            "metadataFields": lambda *_: [],
        },
    },
)
