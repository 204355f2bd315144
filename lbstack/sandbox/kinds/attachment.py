"""Datasets attached to projects, the legacy way data reaches a project (API reference 1.1, S1)."""

from __future__ import annotations

from typing import Any

from lbstack.sandbox.context import Context, Info
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import MalformedError
from lbstack.sandbox.listing import PAGING, Clause
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import DATASETS, PROJECTS

TABLES = (
    """CREATE TABLE IF NOT EXISTS project_datasets (
        projectId TEXT NOT NULL, datasetId TEXT NOT NULL, PRIMARY KEY (projectId, datasetId))
        WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS project_datasets_dataset ON project_datasets (datasetId)",
)

SDL = f"""
extend type Project {{ datasets(where: DatasetWhereInput, {PAGING}): [Dataset!] }}
extend type Dataset {{ projects(where: ProjectWhereInput, {PAGING}): [Project!] }}
"""


def attach(context: Context, project: str, dataset: str) -> None:
    """Attach a dataset to a project; to attach it again changes nothing."""
    context.touch(project)
    context.touch(dataset)
    sql = "INSERT OR IGNORE INTO project_datasets (projectId, datasetId) VALUES (?, ?)"
    context.store.run(sql, [project, dataset])


def detach(context: Context, project: str, dataset: str) -> None:
    """Detach a dataset from a project, refusing one that is not attached to it."""
    context.touch(project)
    context.touch(dataset)
    sql = "DELETE FROM project_datasets WHERE projectId = ? AND datasetId = ?"
    if not context.store.run(sql, [project, dataset]):
        raise MalformedError(f"Dataset {dataset} is not connected to project {project}")


def detach_everywhere(context: Context, dataset: str) -> None:
    """A deleted dataset disappears from every project's list (API reference 6.2)."""
    context.store.run("DELETE FROM project_datasets WHERE datasetId = ?", [dataset])


def change_datasets(context: Context, project: str, change: Row) -> None:
    """Carry out ``datasets: {connect, disconnect}``; each takes one object or a list of them."""
    for where in change.get("connect") or ():
        attach(context, project, context.find(DATASETS, where["id"])["id"])
    for where in change.get("disconnect") or ():
        detach(context, project, context.find(DATASETS, where["id"])["id"])


def has_rows(context: Context, project: str) -> bool:
    """Say whether a project holds a data row, in a batch or in an attached dataset."""
    sql = """SELECT 1 FROM project_datasets JOIN datasets ON datasets.id = datasetId
        WHERE projectId = ? AND rowCount > 0 UNION ALL
        SELECT 1 FROM project_rows WHERE projectId = ? AND batchId IS NOT NULL LIMIT 1"""
    return context.store.value(sql, [project, project]) is not None


def _datasets(project: Row, info: Info, **page: Any) -> list[Row]:
    context = info.context
    among = "id IN (SELECT datasetId FROM project_datasets WHERE projectId = ?)"
    return context.page(DATASETS, **page, among=Clause(among, [project["id"]]))


def _projects(dataset: Row, info: Info, **page: Any) -> list[Row]:
    context = info.context
    among = "id IN (SELECT projectId FROM project_datasets WHERE datasetId = ?)"
    return context.page(PROJECTS, **page, among=Clause(among, [dataset["id"]]))


KIND = Kind(
    "attachment", SDL, TABLES, {"Project": {"datasets": _datasets}, "Dataset": {"projects": _projects}}
)
