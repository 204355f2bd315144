"""The versions of labels, and how many annotations were made a day (API reference 1.11 and 1.12)."""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from datetime import date
from typing import Any

from lbstack.sandbox.annotations import versions
from lbstack.sandbox.context import Context, Info, by_id
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.listing import PAGE_SIZE, Clause, Table, both, cursor_clause, paging_pair
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS

TABLES = versions.TABLES


def _visible(context: Context) -> Clause:
    projects = both(Clause("deleted = 0"), PROJECTS.visible(context))
    return Clause(f"projectId IN (SELECT id FROM projects WHERE {projects.sql})", projects.params)


VERSIONS = Table("label_versions", "LabelVersion", visible=_visible)

SDL = """
type LabelVersionStage { taskQueueId: ID!, name: String, type: String }
type LabelVersion {
  id: ID!
  labelId: ID!
  dataRowId: ID!
  projectId: ID!
  action: String!
  createdAt: DateTime!
  createdById: ID!
  stage: LabelVersionStage
  annotationCount: Int!
  label: String
  labelJson: Json
}
type LabelVersionPage { nodes: [LabelVersion!]!, nextCursor: String }
input LabelVersionsWhereInput {
  projectId: ID!
  labelId: ID
  dataRowId: ID
  createdById: ID
  createdAfter: DateTime
  createdBefore: DateTime
}
scalar Date
type AnnotationCount {
  image: Int!
  video: Int!
  text: Int!
  creationDate: Date!
  updateTime: DateTime!
}
enum AnnotationCountOrderBy { CREATION_DATE_ASC CREATION_DATE_DESC }
input AnnotationCountWhereInput { startDate: Date, endDate: Date }
extend type Query {
  labelVersions(where: LabelVersionsWhereInput!, first: Int, after: String): LabelVersionPage
  labelVersion(where: WhereUniqueIdInput!): LabelVersion
  annotationCounts(
    where: AnnotationCountWhereInput, orderBy: AnnotationCountOrderBy
  ): [AnnotationCount!] @listSize(assumedSize: 100)
}
"""

_CONDITIONS = {
    "labelId": "labelId = ?", "dataRowId": "dataRowId = ?", "createdById": "createdById = ?",
    "createdAfter": "createdAt >= ?", "createdBefore": "createdAt < ?",
}  # fmt: skip


def _page(_: Any, info: Info, where: Row, first: int | None = None, after: str | None = None) -> Row:
    """One page of a project's label versions, oldest first."""
    context = info.context
    project = context.find(PROJECTS, where["projectId"])
    size = PAGE_SIZE if first is None else first
    malformed_if(not 0 < size <= PAGE_SIZE, f"first must be between 1 and {PAGE_SIZE}")
    told = [Clause(sql, [where[key]]) for key, sql in _CONDITIONS.items() if where.get(key) is not None]
    mine = Clause("projectId = ? AND +organizationId = ?", [project["id"], context.organization_id])
    clause = both(mine, *told, cursor_clause(context, VERSIONS, after))
    sql = f"SELECT * FROM label_versions WHERE {clause.sql} ORDER BY place LIMIT {size + 1}"
    nodes, cursor = paging_pair(context.store.rows(sql, clause.params), size)
    return {"nodes": nodes, "nextCursor": cursor}


def _stage(version: Row, _: Info) -> Row | None:
    if version["taskQueueId"] is None:
        return None
    told = {"name": version["queueName"], "type": version["queueType"]}
    return {"taskQueueId": version["taskQueueId"], **told}


def _counts(_: Any, info: Info, where: Row | None = None, orderBy: str | None = None) -> list[Row]:  # noqa: N803
    """How many annotations the organization made on each day from ``startDate`` to before ``endDate``.

    Days without any are left out; what was deleted later still counts.
    """
    context = info.context
    bounds = {key: _day(value) for key, value in (where or {}).items() if value is not None}
    told = [
        Clause(sql, [bounds[key]])
        for key, sql in (("startDate", "creationDate >= ?"), ("endDate", "creationDate < ?"))
        if key in bounds
    ]
    clause = both(Clause("organizationId = ?", [context.organization_id]), *told)
    order = "DESC" if orderBy == "CREATION_DATE_DESC" else "ASC"
    sql = f"SELECT * FROM annotation_days WHERE {clause.sql} ORDER BY creationDate {order}"
    return context.store.rows(sql, clause.params)


def _day(value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        malformed_if(True, f"Date must look like 2021-02-08, not {value!r}")
        raise


KIND = Kind(
    "label_version",
    SDL,
    TABLES,
    {
        "Query": {"labelVersions": _page, "labelVersion": by_id(VERSIONS), "annotationCounts": _counts},
        "LabelVersion": {
            "stage": _stage,
            "labelJson": lambda version, _: json.loads(version["label"]),
        },
    },
)
