"""Datasets, and the signer that lets Labelbox read their data (API reference 1.1)."""

from __future__ import annotations

from typing import Any

from lbstack.sandbox import workflow
from lbstack.sandbox.context import Info, by_id, every, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.kinds.attachment import attach, detach_everywhere
from lbstack.sandbox.kinds.integration import INTEGRATIONS, judge_signed, require_valid_signer
from lbstack.sandbox.kinds.session import the_organization
from lbstack.sandbox.listing import PAGING
from lbstack.sandbox.roles import MANAGE_DATASETS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import DATASETS, PROJECTS, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS datasets (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL, name TEXT NOT NULL,
        description TEXT NOT NULL DEFAULT '', signerId TEXT, rowCount INTEGER NOT NULL DEFAULT 0,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS datasets_name ON datasets (name)",
    "CREATE INDEX IF NOT EXISTS datasets_signer ON datasets (signerId)",
)

SDL = f"""
type Dataset {{
  id: ID!
  name: String!
  description: String!
  rowCount: Int!
  createdAt: DateTime!
  updatedAt: DateTime!
  deleted: Boolean!
  createdBy: User
  organization: Organization!
  signer: IAMIntegration
}}
{DATASETS.where_sdl()}
input ProjectConnectManyInput {{ connect: [WhereUniqueIdInput!] }}
input DatasetCreateInput {{ name: String!, description: String, projects: ProjectConnectManyInput }}
input DatasetUpdateInput {{ name: String, description: String, deleted: Boolean }}
input DatasetSignerInput {{ signerId: ID! }}
type DatasetValidationCheck {{ name: String!, success: Boolean!, message: String }}
type DatasetValidation {{
  valid: Boolean!
  checks: [DatasetValidationCheck!]! @listSize(assumedSize: 5)
}}
extend type Query {{
  dataset(where: WhereUniqueIdInput!): Dataset
  datasets(where: DatasetWhereInput, {PAGING}): [Dataset!]
}}
extend type Mutation {{
  createDataset(data: DatasetCreateInput!): Dataset
  updateDataset(where: WhereUniqueIdInput!, data: DatasetUpdateInput!): Dataset
  setSignerForDataset(where: WhereUniqueIdInput!, data: DatasetSignerInput!): Dataset
  clearSignerForDataset(where: WhereUniqueIdInput!): Dataset
  validateDataset(where: WhereUniqueIdInput!): DatasetValidation
}}
"""


@mutation("createDataset", MANAGE_DATASETS)
def _create(_: Any, info: Info, data: Row) -> Row:
    """Create; the name need not be unique, and no signer is set (API reference 6.1 and 6.5)."""
    context = info.context
    _check_name(data["name"])
    row = context.create(DATASETS, {"name": data["name"], "description": data.get("description") or ""})
    for where in (data.get("projects") or {}).get("connect") or ():
        attach(context, context.find(PROJECTS, where["id"])["id"], row["id"])
    return context.find(DATASETS, row["id"])


@mutation("updateDataset", MANAGE_DATASETS)
def _update(_: Any, info: Info, where: Row, data: Row) -> Row:
    """Rename, describe, or delete: ``deleted: true`` is how a dataset goes (API reference 6.2)."""
    context = info.context
    dataset = context.find(DATASETS, where["id"])
    malformed_if(data.get("deleted") is False, "A dataset that was deleted cannot be restored")
    changes = {key: value for key, value in data.items() if key != "deleted" or value}
    if "name" in changes:
        _check_name(changes["name"])
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    if changes.get("deleted"):
        detach_everywhere(context, dataset["id"])
        workflow.forget_dataset(context, dataset["id"])
    return context.change(DATASETS, dataset["id"], changes)


@mutation("setSignerForDataset", MANAGE_DATASETS)
def _set_signer(_: Any, info: Info, where: Row, data: Row) -> Row:
    context = info.context
    dataset = context.find(DATASETS, where["id"])
    signer = require_valid_signer(context, data["signerId"])
    return context.change(DATASETS, dataset["id"], {"signerId": signer["id"]})


@mutation("clearSignerForDataset", MANAGE_DATASETS)
def _clear_signer(_: Any, info: Info, where: Row) -> Row:
    context = info.context
    dataset = context.find(DATASETS, where["id"])
    return context.change(DATASETS, dataset["id"], {"signerId": None})


@mutation("validateDataset", MANAGE_DATASETS)
def _validate(_: Any, info: Info, where: Row) -> Row:
    """Judge the signer against the dataset's rows; of an empty dataset little can be said (1.2)."""
    context = info.context
    dataset = context.find(DATASETS, where["id"])
    context.touch(dataset["id"])
    rows = context.store.rows("SELECT rowData FROM data_rows WHERE datasetId = ?", [dataset["id"]])
    checks = judge_signed(context, dataset["id"], dataset["signerId"], [row["rowData"] for row in rows])
    return {
        "valid": all(check.success for check in checks),
        "checks": [vars(check) for check in checks],
    }


def _check_name(name: str | None) -> None:
    malformed_if(name is None or not name.strip(), "Dataset name must not be empty")


KIND = Kind(
    "dataset",
    SDL,
    TABLES,
    {
        "Query": {"dataset": by_id(DATASETS), "datasets": every(DATASETS)},
        "Mutation": {
            "createDataset": _create,
            "updateDataset": _update,
            "setSignerForDataset": _set_signer,
            "clearSignerForDataset": _clear_signer,
            "validateDataset": _validate,
        },
        "Dataset": {
            "createdBy": to_one(USERS, "createdById"),
            "organization": the_organization,
            "signer": to_one(INTEGRATIONS, "signerId"),
        },
    },
)
