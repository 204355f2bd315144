"""Datasets: create, rename, delete, and the signer that lets Labelbox read their data (API reference 1.1)."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLResolveInfo

from lbstack.sandbox.context import Context, by_id, every, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.kinds.session import USERS, the_organization
from lbstack.sandbox.listing import ALL, PAGING, Clause, Table
from lbstack.sandbox.roles import MANAGE_DATASETS, VIEW_PROJECTS, VIEW_WORKSPACE
from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS datasets (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL, name TEXT NOT NULL,
        description TEXT NOT NULL DEFAULT '', signerId TEXT, rowCount INTEGER NOT NULL DEFAULT 0,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS datasets_name ON datasets (organizationId, name)",
    "CREATE INDEX IF NOT EXISTS datasets_signer ON datasets (signerId)",
)


def _visible(context: Context) -> Clause:
    """Below the managers a dataset is seen only through a project one belongs to."""
    if context.may(VIEW_WORKSPACE):
        return ALL
    attached = "id IN (SELECT datasetId FROM project_datasets"
    if context.may(VIEW_PROJECTS):
        return Clause(f"{attached})")
    mine = "WHERE projectId IN (SELECT projectId FROM project_memberships WHERE userId = ?)"
    return Clause(f"{attached} {mine})", [context.user["id"]])


DATASETS = Table(
    "datasets",
    "Dataset",
    {
        "id": "ID", "name": "String", "description": "String", "rowCount": "Int", "createdAt": "DateTime",
        "updatedAt": "DateTime", "deleted": "Boolean",
    },
    {"createdBy": ("createdById", USERS)},
    soft=True,
    visible=_visible,
)  # fmt: skip

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
}}
{DATASETS.where_sdl()}
input DatasetCreateInput {{ name: String!, description: String }}
input DatasetUpdateInput {{ name: String, description: String, deleted: Boolean }}
extend type Query {{
  dataset(where: WhereUniqueIdInput!): Dataset
  datasets(where: DatasetWhereInput, {PAGING}): [Dataset!]
}}
extend type Mutation {{
  createDataset(data: DatasetCreateInput!): Dataset
  updateDataset(where: WhereUniqueIdInput!, data: DatasetUpdateInput!): Dataset
}}
"""


@mutation("createDataset", MANAGE_DATASETS)
def _create(_: Any, info: GraphQLResolveInfo, data: Row) -> Row:
    context: Context = info.context
    _check_name(data["name"])
    row = context.create(DATASETS, {"name": data["name"], "description": data.get("description") or ""})
    return context.find(DATASETS, row["id"])


@mutation("updateDataset", MANAGE_DATASETS)
def _update(_: Any, info: GraphQLResolveInfo, where: Row, data: Row) -> Row:
    """Rename, describe, or delete: ``deleted: true`` is how a dataset goes (API reference 6.2)."""
    context: Context = info.context
    dataset = context.find(DATASETS, where["id"])
    malformed_if(data.get("deleted") is False, "A dataset that was deleted cannot be restored")
    changes = dict(data)
    if "name" in changes:
        _check_name(changes["name"])
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    if changes.get("deleted"):
        # It disappears from every project's list at once.
        context.store.run("DELETE FROM project_datasets WHERE datasetId = ?", [dataset["id"]])
    return context.change(DATASETS, dataset["id"], changes)


def _check_name(name: str | None) -> None:
    malformed_if(name is None or not name.strip(), "Dataset name must not be empty")


RESOLVERS = {
    "Query": {"dataset": by_id(DATASETS), "datasets": every(DATASETS)},
    "Mutation": {"createDataset": _create, "updateDataset": _update},
    "Dataset": {
        "createdBy": to_one(USERS, "createdById"),
        "organization": the_organization,
    },
}

KIND = Kind("dataset", SDL, TABLES, RESOLVERS)
