"""Data rows: one by one, listed, changed and deleted (API reference 1.8, 2.1 and 4).

They go for good when they are deleted, and their labels with them; the global key is then free again.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from typing import Any

from lbstack.sandbox.context import Info, by_id, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.kinds.session import the_organization
from lbstack.sandbox.listing import PAGE_SIZE, PAGING, Clause, both
from lbstack.sandbox.roles import MANAGE_DATASETS
from lbstack.sandbox.rows import metadata, spec, storage
from lbstack.sandbox.rows.storage import DATA_ROWS as DATA_ROWS
from lbstack.sandbox.rows.storage import TABLES
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import DATASETS, USERS

_MOST_DELETED = 10_000
_MOST_LISTED = 1_000
_MOST_EXTERNAL_IDS = 1_500  # asked for, and answered (the vendor's client says so)

SDL = f"""
"How a data row is named: by its id or by its global key."
enum IdType {{ ID GKEY }}
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
type DataRowsProcessed {{ allDataRowsHaveBeenProcessed: Boolean! }}
type ExternalIdToDataRowId {{ externalId: String!, dataRowId: ID! }}
{DATA_ROWS.where_sdl()}
input DatasetDataRowWhereInput {{ externalId: String, globalKey: String }}
input DatasetConnectInput {{ connect: WhereUniqueIdInput! }}
input DataRowCustomMetadataUpsertInput {{ schemaId: ID!, value: Json! }}
input DataRowAttachmentInput {{ type: AttachmentType!, value: String!, name: String }}
input DataRowEmbeddingVectorInput {{ embeddingId: ID!, vector: [Float!]!, clusters: [Int!] }}
input DataRowCreateInput {{
  rowData: String!
  externalId: String
  globalKey: String
  mediaType: MediaType
  metadataFields: [DataRowCustomMetadataUpsertInput!]
  attachments: [DataRowAttachmentInput!]
  embeddings: [DataRowEmbeddingVectorInput!]
  dataset: DatasetConnectInput!
}}
input DataRowUpdateInput {{
  rowData: String
  externalId: String
  globalKey: String
  dataset: DatasetConnectInput
}}
input DeleteDataRowsInput {{ dataRowIds: [ID!]! }}
extend type Dataset {{ dataRows(where: DataRowWhereInput, {PAGING}): [DataRow!] }}
extend type Query {{
  dataRow(where: WhereUniqueIdInput!): DataRow
  datasetDataRows(id: ID!, from: ID, first: Int, where: DatasetDataRowWhereInput): DataRowPage
  queryAllDataRowsHaveBeenProcessed(dataRowIds: [ID!], globalKeys: [ID!]): DataRowsProcessed
  externalIdsToDataRowIds(externalId_in: [String!]!): [ExternalIdToDataRowId!]!
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
    told = spec.read(context, _without(data, "dataset"))
    row = storage.create(context, dataset["id"], told, metadata.schemas(context))
    storage.count(context, dataset["id"], 1)
    return row


@mutation("updateDataRow", MANAGE_DATASETS)
def _update(_: Any, info: Info, where: Row, data: Row) -> Row:
    """Change a row, or connect it to another dataset."""
    context = info.context
    row = context.find(DATA_ROWS, where["id"])
    malformed_if("rowData" in data and data["rowData"] is None, "rowData must not be empty")
    if data.get("dataset"):
        row = storage.move(context, row, context.find(DATASETS, data["dataset"]["connect"]["id"])["id"])
    told = spec.read(context, _without(data, "dataset"))
    return storage.update(context, row, told, metadata.schemas(context))


def _without(data: Row, name: str) -> Row:
    return {key: value for key, value in data.items() if key != name}


@mutation("deleteDataRows", MANAGE_DATASETS)
def _delete(_: Any, info: Info, where: Row) -> list[Row]:
    idents = where["dataRowIds"]
    malformed_if(len(idents) > _MOST_DELETED, f"At most {_MOST_DELETED} data rows can be deleted at once")
    storage.delete(info.context, idents)
    return [{"id": ident, "deleted": True} for ident in idents]


def _processed(
    _: Any,
    info: Info,
    dataRowIds: list[str] | None = None,  # noqa: N803
    globalKeys: list[str] | None = None,  # noqa: N803
) -> Row:
    """Say whether rows are ready for a batch. A row is processed before anybody can see it, and one that
    is not there is nothing to wait for: the batch will say so."""
    malformed_if(
        (dataRowIds is None) == (globalKeys is None), "Either dataRowIds or globalKeys must be given"
    )
    return {"allDataRowsHaveBeenProcessed": True}


def _by_external_ids(_: Any, info: Info, externalId_in: list[str]) -> list[Row]:  # noqa: N803
    context = info.context
    too_many = len(externalId_in) > _MOST_EXTERNAL_IDS
    malformed_if(too_many, f"At most {_MOST_EXTERNAL_IDS} external ids can be looked up at once")
    visible = DATA_ROWS.visible(context)
    sql = f"""SELECT externalId, id AS dataRowId FROM data_rows
        WHERE externalId IN (SELECT value FROM json_each(?)) AND +organizationId = ? AND {visible.sql}
        ORDER BY place LIMIT {_MOST_EXTERNAL_IDS}"""
    params = [json.dumps(externalId_in), context.organization_id, *visible.params]
    return context.store.rows(sql, params)


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


def _custom(row: Row, info: Info) -> list[Row]:
    return metadata.custom_fields(metadata.read(info.context, row["id"]))


def _named(row: Row, info: Info) -> list[Row]:
    return metadata.named_fields(metadata.read(info.context, row["id"]))


KIND = Kind(
    "data_row",
    SDL,
    TABLES,
    {
        "Query": {
            "dataRow": by_id(DATA_ROWS),
            "datasetDataRows": _cursor_page,
            "queryAllDataRowsHaveBeenProcessed": _processed,
            "externalIdsToDataRowIds": _by_external_ids,
        },
        "Mutation": {"createDataRow": _create, "updateDataRow": _update, "deleteDataRows": _delete},
        "Dataset": {"dataRows": _of_dataset},
        "DataRow": {
            "dataset": to_one(DATASETS, "datasetId"),
            "organization": the_organization,
            "createdBy": to_one(USERS, "createdById"),
            "mediaAttributes": lambda row, _: storage.attributes(row),
            "customMetadata": _custom,
            "metadataFields": _named,
        },
    },
)
