"""The review step and the task queues of a project (API reference 1.7, 2.2 and 6.5).

The share of assets to review is written and never read: no field answers it.
"""

from __future__ import annotations

from typing import Any

from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import NotFoundError, malformed_if
from lbstack.sandbox.kinds.label import count_labels
from lbstack.sandbox.roles import MANAGE_PROJECTS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS

TABLES = (
    """CREATE TABLE IF NOT EXISTS review_queues (
        id TEXT PRIMARY KEY, projectId TEXT NOT NULL UNIQUE, quotaFactor REAL NOT NULL,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS task_queues (
        id TEXT PRIMARY KEY, projectId TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
        queueType TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS task_queues_project ON task_queues (projectId)",
)

# The type of the first queue is not documented; the other two are the vendor's.
_QUEUES = (
    ("Initial labeling task", "INITIAL_LABELING_QUEUE"),
    ("Initial review task", "MANUAL_REVIEW_QUEUE"),
    ("Rework (all rejected)", "MANUAL_REWORK_QUEUE"),
)

SDL = """
type ReviewQueue { id: ID! }
type TaskQueue { id: ID!, name: String!, description: String, queueType: String!, dataRowCount: Int! }
input ReviewQueueProjectInput { project: WhereUniqueIdInput! }
input ReviewQueueInput { quotaFactor: Float! }
extend type Project { taskQueues: [TaskQueue!] @listSize(assumedSize: 3) }
extend type Mutation {
  upsertReviewQueue(where: ReviewQueueProjectInput!, data: ReviewQueueInput!): ReviewQueue
  deleteReviewQueue(where: ReviewQueueProjectInput!): ReviewQueue
}
"""


def add_task_queues(context: Context, project: str) -> None:
    """Give a new project its three queues."""
    for name, kind in _QUEUES:
        row = {"id": context.store.mint.uuid(), "projectId": project, "name": name, "queueType": kind}
        context.store.insert("task_queues", row)


@mutation("upsertReviewQueue", MANAGE_PROJECTS)
def _upsert(_: Any, info: Info, where: Row, data: Row) -> Row:
    """Switch the review step on, or change the share of assets that is reviewed."""
    context = info.context
    project = context.find(PROJECTS, where["project"]["id"])
    factor, now = data["quotaFactor"], context.now()
    malformed_if(not 0 <= factor <= 1, "quotaFactor must be between 0 and 1")
    found = context.store.value("SELECT id FROM review_queues WHERE projectId = ?", [project["id"]])
    context.touch(project["id"])
    if found is not None:
        context.store.update("review_queues", found, {"quotaFactor": factor, "updatedAt": now})
        return {"id": found}
    row = {"id": context.new_id(), "projectId": project["id"], "quotaFactor": factor}
    return context.insert("review_queues", {**row, "createdAt": now, "updatedAt": now})


@mutation("deleteReviewQueue", MANAGE_PROJECTS)
def _delete(_: Any, info: Info, where: Row) -> Row:
    """Switch the review step off, refusing where it is not on."""
    context = info.context
    project = context.find(PROJECTS, where["project"]["id"])
    found = context.store.value("SELECT id FROM review_queues WHERE projectId = ?", [project["id"]])
    if found is None:
        raise NotFoundError(f"Review queue not found: project {project['id']}")
    for ident in (project["id"], found):
        context.touch(ident)
    context.store.run("DELETE FROM review_queues WHERE id = ?", [found])
    return {"id": found}


def _task_queues(project: Row, info: Info) -> list[Row]:
    context = info.context
    sql = "SELECT * FROM task_queues WHERE projectId = ? ORDER BY rowid"
    return context.store.rows(sql, [project["id"]])


def _waiting(queue: Row, info: Info) -> int:
    """Rows of attached datasets wait for their first label; nothing is reviewed or reworked here."""
    context = info.context
    if queue["queueType"] != _QUEUES[0][1]:
        return 0
    sql = """SELECT coalesce(sum(rowCount), 0) FROM datasets
        WHERE id IN (SELECT datasetId FROM project_datasets WHERE projectId = ?)"""
    rows = int(context.store.value(sql, [queue["projectId"]]))
    return max(0, rows - count_labels(context, queue["projectId"]))


KIND = Kind(
    "review",
    SDL,
    TABLES,
    {
        "Mutation": {"upsertReviewQueue": _upsert, "deleteReviewQueue": _delete},
        "Project": {"taskQueues": _task_queues},
        "TaskQueue": {"dataRowCount": _waiting},
    },
)
