"""Attachments of data rows, by their present and by their legacy name (API reference 1.8 and 2.1)."""

from __future__ import annotations

from typing import Any

from lbstack.sandbox.context import Info, mutation, to_one
from lbstack.sandbox.contract import Kind, Resolver
from lbstack.sandbox.errors import MalformedError
from lbstack.sandbox.kinds.data_row import DATA_ROWS
from lbstack.sandbox.listing import PAGING, Clause
from lbstack.sandbox.roles import MANAGE_DATASETS
from lbstack.sandbox.rows import spec, storage
from lbstack.sandbox.rows.storage import ATTACHMENTS
from lbstack.sandbox.store import Row

SDL = f"""
"What an attachment is; TEXT is the legacy one."
enum AttachmentType {{ {" ".join(spec.ATTACHMENT_TYPES)} }}
type AssetAttachment {{
  id: ID!
  type: AttachmentType!
  value: String!
  name: String
  createdAt: DateTime!
  updatedAt: DateTime!
  dataRow: DataRow
}}
"An attachment by its legacy name."
type AssetMetadata {{ id: ID!, metaType: AttachmentType!, metaValue: String!, dataRow: DataRow }}
input DataRowAttachmentCreateInput {{
  dataRowId: ID!
  type: AttachmentType!
  value: String!
  name: String
}}
input DataRowAttachmentUpdateInput {{ type: AttachmentType, value: String, name: String }}
input AssetMetadataCreateInput {{ dataRowId: ID!, metaValue: String!, metaType: AttachmentType! }}
input AssetMetadataUpdateInput {{ metaValue: String, metaType: AttachmentType }}
extend type DataRow {{
  attachments({PAGING}): [AssetAttachment!]
  metadata({PAGING}): [AssetMetadata!]
}}
extend type Mutation {{
  createDataRowAttachment(data: DataRowAttachmentCreateInput!): AssetAttachment
  updateDataRowAttachment(
    where: WhereUniqueIdInput!
    data: DataRowAttachmentUpdateInput!
  ): AssetAttachment
  deleteDataRowAttachment(where: WhereUniqueIdInput!): AssetAttachment
  createAssetMetadata(data: AssetMetadataCreateInput!): AssetMetadata
  updateAssetMetadata(where: WhereUniqueIdInput!, data: AssetMetadataUpdateInput!): AssetMetadata
  deleteAssetMetadata(where: WhereUniqueIdInput!): AssetMetadata
}}
"""

_LEGACY = {"metaType": "type", "metaValue": "value"}


def _create(op: str) -> Resolver:
    @mutation(op, MANAGE_DATASETS)
    def resolve(_: Any, info: Info, data: Row) -> Row:
        context = info.context
        row = context.find(DATA_ROWS, data["dataRowId"])
        (made,) = storage.attach(context, row["id"], [spec.attachment(_present(data))])
        context.touch(row["id"])
        return made

    return resolve


def _update(op: str) -> Resolver:
    @mutation(op, MANAGE_DATASETS)
    def resolve(_: Any, info: Info, where: Row, data: Row) -> Row:
        """Change what is given; a null is what the vendor's client sends for nothing."""
        context = info.context
        found = context.find(ATTACHMENTS, where["id"])
        told = {key: value for key, value in _present(data).items() if value is not None}
        if not told:
            raise MalformedError("At least one of type, value and name must be given")
        return context.change(ATTACHMENTS, found["id"], vars(spec.attachment({**found, **told})))

    return resolve


def _delete(op: str) -> Resolver:
    @mutation(op, MANAGE_DATASETS)
    def resolve(_: Any, info: Info, where: Row) -> Row:
        context = info.context
        found = context.find(ATTACHMENTS, where["id"])
        context.touch(found["id"])
        context.store.run("DELETE FROM attachments WHERE id = ?", [found["id"]])
        return found

    return resolve


def _present(data: Row) -> Row:
    return {_LEGACY.get(key, key): value for key, value in data.items()}


def _of_row(row: Row, info: Info, **page: Any) -> list[Row]:
    context = info.context
    return context.page(ATTACHMENTS, **page, among=Clause("dataRowId = ?", [row["id"]]))


KIND = Kind(
    "asset",
    SDL,
    (),
    {
        "DataRow": {"attachments": _of_row, "metadata": _of_row},
        "AssetAttachment": {"dataRow": to_one(DATA_ROWS, "dataRowId")},
        "AssetMetadata": {
            "metaType": lambda row, _: row["type"],
            "metaValue": lambda row, _: row["value"],
            "dataRow": to_one(DATA_ROWS, "dataRowId"),
        },
        "Mutation": {
            "createDataRowAttachment": _create("createDataRowAttachment"),
            "updateDataRowAttachment": _update("updateDataRowAttachment"),
            "deleteDataRowAttachment": _delete("deleteDataRowAttachment"),
            "createAssetMetadata": _create("createAssetMetadata"),
            "updateAssetMetadata": _update("updateAssetMetadata"),
            "deleteAssetMetadata": _delete("deleteAssetMetadata"),
        },
    },
)
