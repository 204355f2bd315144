"""Batches: data rows that were sent to a project together (API reference 1.9, 5.7, 6.1 and 6.8).

A row is in one batch of a project at most. How many labels a row of a batch with consensus settings needs is
settled when it is added.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from lbstack.sandbox import workflow
from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import ConflictError, MalformedError, NotFoundError, malformed_if
from lbstack.sandbox.listing import Clause, Table, both
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS batches (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, projectId TEXT NOT NULL, name TEXT NOT NULL, numberOfLabels INTEGER,
        coveragePercentage REAL, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL,
        UNIQUE (projectId, name))""",
)


def _visible(context: Context) -> Clause:
    projects = both(Clause("deleted = 0"), PROJECTS.visible(context))
    return Clause(f"projectId IN (SELECT id FROM projects WHERE {projects.sql})", projects.params)


BATCHES = Table(
    "batches",
    "Batch",
    {"id": "ID", "name": "String", "createdAt": "DateTime", "updatedAt": "DateTime"},
    {"createdBy": ("createdById", USERS)},
    visible=_visible,
)

MOST_ROWS = 100_000
NONE_GIVEN = "No valid data rows to be added from the list provided!"
NONE_LEFT = "No valid data rows to add to project"


class NothingToAddError(MalformedError):
    """None of the data rows can be added: each is unknown, or in a batch of the project already."""


def make(context: Context, project: str, name: str, consensus: Row | None) -> Row:
    """Make an empty batch; its name must be new in the project."""
    malformed_if(not name.strip(), "Batch name must not be empty")
    check_names(context, project, [name])
    labels, coverage = (consensus or {}).get("numberOfLabels"), (consensus or {}).get("coveragePercentage")
    malformed_if(labels is not None and labels < 1, "numberOfLabels must be at least 1")
    malformed_if(
        coverage is not None and not 0 <= coverage <= 1, "coveragePercentage must be between 0 and 1"
    )
    row = {"projectId": project, "name": name, "numberOfLabels": labels, "coveragePercentage": coverage}
    return context.create(BATCHES, {"id": context.store.mint.uuid(), **row})


def check_names(context: Context, project: str, names: Sequence[str]) -> None:
    """Refuse names that batches of the project have already."""
    sql = "SELECT name FROM batches WHERE projectId = ? AND name IN (SELECT value FROM json_each(?))"
    taken = context.store.value(sql, [project, json.dumps(list(names))])
    if taken is not None:
        raise ConflictError(f"A batch with the name '{taken}' already exists in project {project}")


def find(context: Context, project: str, ident: str) -> Row:
    """Return a batch of a project; another project's is not found."""
    batch = context.find(BATCHES, ident)
    if batch["projectId"] != project:
        raise NotFoundError(f"Batch not found: {ident}")
    return batch


def size(context: Context, ident: str) -> int:
    """Return how many data rows a batch has."""
    return int(context.store.value("SELECT count(*) FROM project_rows WHERE batchId = ?", [ident]))


def named(context: Context, ids: Iterable[str] | None, keys: Iterable[str] | None) -> list[str]:
    """Return the ids that a request names by id and by global key, each once; an unknown key is refused."""
    asked = list(dict.fromkeys(keys or ()))
    found = by_keys(context, asked)
    missing = [key for key in asked if key not in found]
    if missing:
        raise MalformedError(f"Data rows with the following global keys do not exist: {', '.join(missing)}.")
    return list(dict.fromkeys([*(ids or ()), *found.values()]))


def by_keys(context: Context, keys: Sequence[str]) -> dict[str, str]:
    """Return the ids of the data rows that have these global keys, by key."""
    sql = """SELECT globalKey, id FROM data_rows
        WHERE organizationId = ? AND globalKey IN (SELECT value FROM json_each(?))"""
    rows = context.store.rows(sql, [context.organization_id, json.dumps(list(keys))])
    return {row["globalKey"]: row["id"] for row in rows}


def add(context: Context, batch: Row, data_row_ids: Sequence[str], priority: int) -> list[str]:
    """Add data rows to a batch; return the ids that could not be: unknown, or in a batch of the project.

    Refuses when none is known, and when none could be added.
    """
    ids, project = json.dumps(list(data_row_ids)), batch["projectId"]
    sql = """SELECT data_rows.id, datasetId FROM data_rows JOIN datasets ON datasets.id = datasetId
        WHERE data_rows.id IN (SELECT value FROM json_each(?)) AND data_rows.organizationId = ?
        AND datasets.deleted = 0"""
    known = {row["id"]: row["datasetId"] for row in context.store.rows(sql, [ids, context.organization_id])}
    if not known:
        raise NothingToAddError(NONE_GIVEN)
    sql = """SELECT dataRowId, batchId FROM project_rows
        WHERE projectId = ? AND dataRowId IN (SELECT value FROM json_each(?))"""
    before = {row["dataRowId"]: row["batchId"] for row in context.store.rows(sql, [project, ids])}
    added = [ident for ident in data_row_ids if ident in known and before.get(ident) is None]
    if not added:
        raise NothingToAddError(NONE_LEFT)
    count = size(context, batch["id"])
    malformed_if(count + len(added) > MOST_ROWS, f"A batch can hold at most {MOST_ROWS} data rows")
    _put(context, batch, {ident: known[ident] for ident in added}, priority, count)
    context.change(BATCHES, batch["id"], {})
    return [ident for ident in data_row_ids if ident not in known or before.get(ident) is not None]


def _put(context: Context, batch: Row, rows: dict[str, str], priority: int, count: int) -> None:
    """Insert the records of a batch's rows; a row that waits through its dataset keeps where it stands."""
    first = workflow.queue_id(context, batch["projectId"], workflow.LABELING)
    wanted, coverage = batch["numberOfLabels"], batch["coveragePercentage"] or 0.0
    values = []
    for place, (ident, dataset) in enumerate(rows.items(), count + 1):
        labels = None if wanted is None else (wanted if workflow.sampled(place, coverage) else 1)
        head = (context.new_id(), context.organization_id, batch["projectId"], ident, dataset, batch["id"])
        values.append((*head, first, priority, labels, priority, labels))
    sql = """INSERT INTO project_rows (id, organizationId, projectId, dataRowId, datasetId, batchId, queueId,
            priority, numberOfLabels, batchPriority, batchLabels) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (projectId, dataRowId) DO UPDATE SET batchId = excluded.batchId,
            batchPriority = excluded.batchPriority, batchLabels = excluded.batchLabels,
            priority = CASE WHEN overridden THEN priority ELSE excluded.priority END,
            numberOfLabels = CASE WHEN overridden THEN numberOfLabels ELSE excluded.numberOfLabels END"""
    context.store.run_many(sql, values)


def labels(context: Context, batch: Row) -> list[Row]:
    """Return the labels that the rows of a batch have in its project."""
    sql = """SELECT labels.* FROM project_rows JOIN labels ON labels.dataRowId = project_rows.dataRowId
        AND labels.projectId = project_rows.projectId
        WHERE batchId = ? AND labels.deleted = 0 ORDER BY labels.rowid"""
    return context.store.rows(sql, [batch["id"]])


def remove_queued(context: Context, batch: Row) -> None:
    """Take the rows out of a batch that wait for their first label."""
    context.change(BATCHES, batch["id"], {})
    sql = """DELETE FROM project_rows WHERE batchId = ? AND queueId = ? AND NOT EXISTS (
        SELECT 1 FROM labels WHERE labels.dataRowId = project_rows.dataRowId
        AND labels.projectId = project_rows.projectId AND deleted = 0)"""
    first = workflow.queue_id(context, batch["projectId"], workflow.LABELING)
    context.store.run(sql, [batch["id"], first])


def delete(context: Context, batch: Row) -> None:
    """Delete a batch; its rows leave the project."""
    context.touch(batch["id"])
    context.store.run("DELETE FROM project_rows WHERE batchId = ?", [batch["id"]])
    context.store.run("DELETE FROM batches WHERE id = ?", [batch["id"]])
