"""Which data rows a project holds, and where each stands in its workflow (API reference 1.7, 1.9, 2.2).

A project holds the rows of its batches and, the legacy way, the rows of the datasets attached to it. A
row waits in the initial labeling queue until it has the labels it needs; then it goes to the review queue,
when the review step is on and samples it, or is Done: in no queue. A rejected row waits in the rework queue
and is reviewed again. A row that nothing happened to and that no batch holds has no record of its own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor

from lbstack.sandbox.context import Context
from lbstack.sandbox.listing import Clause
from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS task_queues (
        id TEXT PRIMARY KEY, projectId TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
        queueType TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS task_queues_project ON task_queues (projectId, queueType)",
    """CREATE TABLE IF NOT EXISTS review_queues (
        id TEXT PRIMARY KEY, projectId TEXT NOT NULL UNIQUE, quotaFactor REAL NOT NULL,
        passed INTEGER NOT NULL DEFAULT 0, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS project_rows (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        projectId TEXT NOT NULL, dataRowId TEXT NOT NULL, datasetId TEXT NOT NULL, batchId TEXT, queueId TEXT,
        priority INTEGER, numberOfLabels INTEGER, batchPriority INTEGER, batchLabels INTEGER,
        overridden INTEGER NOT NULL DEFAULT 0, reservedById TEXT, reservedUntil TEXT,
        UNIQUE (projectId, dataRowId))""",
    "CREATE INDEX IF NOT EXISTS project_rows_project ON project_rows (projectId)",
    "CREATE INDEX IF NOT EXISTS project_rows_queue ON project_rows (projectId, queueId, datasetId, batchId)",
    "CREATE INDEX IF NOT EXISTS project_rows_batch ON project_rows (batchId, queueId)",
    "CREATE INDEX IF NOT EXISTS project_rows_data_row ON project_rows (dataRowId)",
    "CREATE INDEX IF NOT EXISTS project_rows_dataset ON project_rows (datasetId, projectId)",
    "CREATE INDEX IF NOT EXISTS project_rows_reserved ON project_rows (projectId, reservedById)",
)

# The type of the first queue is not documented; the other two are the vendor's.
LABELING = "INITIAL_LABELING_QUEUE"
REVIEW = "MANUAL_REVIEW_QUEUE"
REWORK = "MANUAL_REWORK_QUEUE"
_STATES = {LABELING: "ToLabel", REVIEW: "InReview", REWORK: "InRework"}


@dataclass(frozen=True)
class Standing:
    """Where a data row stands in a project.

    ``queue`` is its task queue's row (None: Done), ``batch`` its batch's id (None: the project holds it
    through its dataset), ``priority`` what it is labelled by (None: it was never given one).
    """

    queue: Row | None
    batch: str | None = None
    priority: int | None = None
    number_of_labels: int = 1

    @property
    def state(self) -> str:
        """``ToLabel``, ``InReview``, ``InRework`` or ``Done``."""
        return _STATES[self.queue["queueType"]] if self.queue else "Done"


def held(project: str) -> Clause:
    """Return the condition, on ``data_rows``, for the rows that a project holds."""
    in_batches = "id IN (SELECT dataRowId FROM project_rows WHERE projectId = ? AND batchId IS NOT NULL)"
    attached = "datasetId IN (SELECT datasetId FROM project_datasets WHERE projectId = ?)"
    return Clause(f"{in_batches} OR {attached}", [project, project])


def holds(context: Context, project: str, data_row: Row) -> bool:
    """Say whether a data row is a project's to label: in one of its batches, or in a dataset attached."""
    sql = """SELECT 1 FROM project_datasets WHERE projectId = ? AND datasetId = ? UNION ALL
        SELECT 1 FROM project_rows WHERE projectId = ? AND dataRowId = ? AND batchId IS NOT NULL"""
    params = [project, data_row["datasetId"], project, data_row["id"]]
    return context.store.value(sql, params) is not None


def queue_id(context: Context, project: str, kind: str) -> str | None:
    """Return the id of a project's queue of the type ``kind``."""
    sql = "SELECT id FROM task_queues WHERE projectId = ? AND queueType = ? ORDER BY rowid"
    found: str | None = context.store.value(sql, [project, kind])
    return found


def state(context: Context, project: str, data_row_id: str) -> Standing | None:
    """Return where a data row stands in a project; None when the project does not hold it."""
    return standings(context, project, [data_row_id]).get(data_row_id)


def standings(context: Context, project: str, data_row_ids: Sequence[str]) -> dict[str, Standing]:
    """Return where each of many data rows stands, by its id; those a project does not hold are left out."""
    sql = "SELECT * FROM task_queues WHERE projectId = ?"
    queues = {row["id"]: row for row in context.store.rows(sql, [project])}
    first = next((row for row in queues.values() if row["queueType"] == LABELING), None)
    sql = """SELECT data_rows.id AS dataRow, stands.* FROM data_rows
        LEFT JOIN (SELECT dataRowId, batchId, queueId, priority, numberOfLabels FROM project_rows
            WHERE projectId = ?) AS stands ON stands.dataRowId = data_rows.id
        WHERE data_rows.id IN (SELECT value FROM json_each(?)) AND (stands.batchId IS NOT NULL
            OR datasetId IN (SELECT datasetId FROM project_datasets WHERE projectId = ?))"""
    rows = context.store.rows(sql, [project, json.dumps(list(data_row_ids)), project])
    return {row["dataRow"]: _standing(row, queues, first) for row in rows}


def _standing(row: Row, queues: dict[str, Row], first: Row | None) -> Standing:
    if row["dataRowId"] is None:
        return Standing(first)
    queue = queues.get(row["queueId"]) if row["queueId"] else None
    return Standing(queue, row["batchId"], row["priority"], row["numberOfLabels"] or 1)


def counts(context: Context, project: str, batches: Sequence[str] | None = None) -> Counter[str | None]:
    """Return how many of a project's rows are in each queue, by its id; under None those that are Done.

    ``batches`` counts the rows of these batches only.
    """
    if batches is not None:
        sql = """SELECT queueId, count(*) AS rows FROM project_rows
            WHERE batchId IN (SELECT value FROM json_each(?)) AND projectId = ? GROUP BY queueId"""
        return _tally(context, sql, [json.dumps(list(batches)), project])
    sql = """SELECT queueId, count(*) AS rows FROM project_rows WHERE projectId = ? AND (batchId IS NOT NULL
        OR datasetId IN (SELECT datasetId FROM project_datasets WHERE projectId = project_rows.projectId))
        GROUP BY queueId"""
    found = _tally(context, sql, [project])
    attached = "SELECT datasetId FROM project_datasets WHERE projectId = ?"
    sql = f"""SELECT (SELECT coalesce(sum(rowCount), 0) FROM datasets WHERE id IN ({attached}))
        - (SELECT count(*) FROM project_rows WHERE projectId = ? AND datasetId IN ({attached}))"""  # noqa: S608
    found[queue_id(context, project, LABELING)] += context.store.value(sql, [project, project, project])
    return found


def _tally(context: Context, sql: str, params: Sequence[str]) -> Counter[str | None]:
    return Counter({row["queueId"]: row["rows"] for row in context.store.rows(sql, params)})


def count_labelled(context: Context, project: str, batches: Sequence[str] | None = None) -> int:
    """Return how many of a project's rows, or of those of some of its batches, have a label."""
    sql = "SELECT count(DISTINCT dataRowId) FROM labels WHERE projectId = ? AND deleted = 0"
    if batches is None:
        return int(context.store.value(sql, [project]))
    sql += """ AND dataRowId IN (SELECT dataRowId FROM project_rows
        WHERE projectId = ? AND batchId IN (SELECT value FROM json_each(?)))"""
    return int(context.store.value(sql, [project, project, json.dumps(list(batches))]))


def count_skipped(context: Context, project: str, batches: Sequence[str] | None = None) -> int:
    """Return how many of the rows that are Done, or of those of some batches, somebody skipped."""
    sql = """SELECT count(*) FROM project_rows WHERE projectId = ? AND queueId IS NULL AND EXISTS (
        SELECT 1 FROM labels JOIN label_types ON label_types.id = typeId
        WHERE labels.dataRowId = project_rows.dataRowId AND labels.projectId = project_rows.projectId
        AND deleted = 0 AND name = 'Skipped')"""
    if batches is None:
        return int(context.store.value(sql, [project]))
    sql += " AND batchId IN (SELECT value FROM json_each(?))"
    return int(context.store.value(sql, [project, json.dumps(list(batches))]))


def records(context: Context, project: str, data_row_ids: Sequence[str]) -> list[Row]:
    """Return what is kept of rows, from now on if not before; those a project does not hold are left out."""
    ids, first = json.dumps(list(data_row_ids)), queue_id(context, project, LABELING)
    sql = """SELECT id, datasetId, organizationId FROM data_rows
        WHERE id IN (SELECT value FROM json_each(?))
        AND datasetId IN (SELECT datasetId FROM project_datasets WHERE projectId = ?)
        AND NOT EXISTS (SELECT 1 FROM project_rows WHERE projectId = ? AND dataRowId = data_rows.id)"""
    fresh = [
        (context.new_id(), row["organizationId"], project, row["id"], row["datasetId"], first)
        for row in context.store.rows(sql, [ids, project, project])
    ]
    sql = """INSERT INTO project_rows (id, organizationId, projectId, dataRowId, datasetId, queueId)
        VALUES (?, ?, ?, ?, ?, ?)"""
    context.store.run_many(sql, fresh)
    sql = """SELECT * FROM project_rows
        WHERE projectId = ? AND dataRowId IN (SELECT value FROM json_each(?)) AND (batchId IS NOT NULL
            OR datasetId IN (SELECT datasetId FROM project_datasets WHERE projectId = ?))"""
    return context.store.rows(sql, [project, ids, project])


def record(context: Context, project: str, data_row_id: str) -> Row | None:
    """Return what is kept of a row that a project holds, from now on if not before; None of another row."""
    return next(iter(records(context, project, [data_row_id])), None)


def labelled(context: Context, project: str, data_row_id: str) -> None:
    """A label was made: with as many as it needs a row leaves the labeling queue, to review or to Done.

    What is labelled anew in the rework queue goes back to review.
    """
    row = record(context, project, data_row_id)
    kind = row and _queue_type(context, row["queueId"])
    if row is None or kind not in (LABELING, REWORK):
        return
    if kind == REWORK:
        move(context, [row], queue_id(context, project, REVIEW))
    elif _enough(context, row):
        move(context, [row], _after_labeling(context, project))


def requeue(context: Context, project: str, data_row_id: str) -> None:
    """A label was deleted: its row waits to be labelled again, unless it has all that it needs."""
    row = record(context, project, data_row_id)
    if row is not None and not _enough(context, row):
        move(context, [row], queue_id(context, project, LABELING))


def reviewed(context: Context, project: str, data_row_id: str, score: float) -> None:
    """A label was reviewed: rejected (a negative score), its row goes to rework; approved, it is Done."""
    row = record(context, project, data_row_id)
    if row is not None and score:
        move(context, [row], queue_id(context, project, REWORK) if score < 0 else None)


def forget(context: Context, data_row_ids: Iterable[str]) -> None:
    """Data rows were deleted: no project and no batch holds them any longer."""
    sql = "DELETE FROM project_rows WHERE dataRowId IN (SELECT value FROM json_each(?))"
    context.store.run(sql, [json.dumps(list(data_row_ids))])


def forget_dataset(context: Context, dataset: str) -> None:
    """A dataset was deleted: no project and no batch holds its rows any longer."""
    context.store.run("DELETE FROM project_rows WHERE datasetId = ?", [dataset])


def move(context: Context, rows: Sequence[Row], queue: str | None) -> None:
    """Put rows (their records) into a queue, or make them Done with None; who reserved them loses them."""
    sql = """UPDATE project_rows SET queueId = ?, reservedById = NULL, reservedUntil = NULL
        WHERE id IN (SELECT value FROM json_each(?))"""
    context.store.run(sql, [queue, json.dumps([row["id"] for row in rows])])


def override(context: Context, project: str, told: Sequence[tuple[str, int, int | None]]) -> int:
    """Give rows a priority and, where one is told, a number of labels, by data row id; return how many rows.

    What names no row that the project holds is passed over.
    """
    rows = {row["dataRowId"]: row["id"] for row in records(context, project, [each[0] for each in told])}
    changes = [(priority, labels, rows[data_row]) for data_row, priority, labels in told if data_row in rows]
    sql = """UPDATE project_rows SET priority = ?, overridden = 1,
        numberOfLabels = coalesce(?, numberOfLabels) WHERE id = ?"""
    context.store.run_many(sql, changes)
    return len(rows)


def unset(context: Context, project: str, data_row_ids: Sequence[str] | None = None) -> int:
    """Take back what was overridden, of some rows or of all; return how many had been.

    A row of a batch has its batch's priority again, another one none.
    """
    sql = """UPDATE project_rows SET priority = batchPriority, numberOfLabels = batchLabels, overridden = 0
        WHERE projectId = ? AND overridden"""
    if data_row_ids is None:
        return context.store.run(sql, [project])
    sql += " AND dataRowId IN (SELECT value FROM json_each(?))"
    return context.store.run(sql, [project, json.dumps(list(data_row_ids))])


def sampled(place: int, share: float) -> bool:
    """Say whether the ``place``-th (from 1) is one of the evenly spread ``share`` of all."""
    return floor(place * share) > floor((place - 1) * share)


def _queue_type(context: Context, queue: str | None) -> str | None:
    kind: str | None = context.store.value("SELECT queueType FROM task_queues WHERE id = ?", [queue])
    return kind


def _enough(context: Context, row: Row) -> bool:
    """Say whether a row has the labels it needs: what it was given, or what its project's mode demands."""
    sql = "SELECT count(*) FROM labels WHERE dataRowId = ? AND projectId = ? AND deleted = 0"
    count: int = context.store.value(sql, [row["dataRowId"], row["projectId"]])
    needed = row["numberOfLabels"] or _needed(context, row)
    return count >= needed


def _needed(context: Context, row: Row) -> int:
    """A consensus project wants several labels of a share of its rows, and one of the others."""
    sql = """SELECT autoAuditNumberOfLabels AS labels, autoAuditPercentage AS share FROM projects
        WHERE id = ? AND isConsensusEnabled"""
    project = context.store.row(sql, [row["projectId"]])
    return int(project["labels"]) if project and sampled(row["place"], project["share"]) else 1


def _after_labeling(context: Context, project: str) -> str | None:
    """Return the queue that the next fully labelled row goes to; of all, the review step takes its share."""
    step = context.store.row("SELECT * FROM review_queues WHERE projectId = ?", [project])
    if step is None:
        return None
    context.store.update("review_queues", step["id"], {"passed": step["passed"] + 1})
    share = sampled(step["passed"] + 1, step["quotaFactor"])
    return queue_id(context, project, REVIEW) if share else None
