"""Task queues: where data rows wait to be labelled, reviewed or reworked (API reference 1.7 and 2.2)."""

from __future__ import annotations

from typing import Any

from lbstack.sandbox import batches, workflow
from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import NotFoundError, malformed_if
from lbstack.sandbox.kinds.task import over_rows, start_rows
from lbstack.sandbox.roles import MANAGE_PROJECTS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS

_QUEUES = (
    ("Initial labeling task", workflow.LABELING),
    ("Initial review task", workflow.REVIEW),
    ("Rework (all rejected)", workflow.REWORK),
)
_MOST_BATCHES = 1_000
_MOVE = "send-to-task-queue"  # the job, and the type of its task
_PRIORITIZE = "update-queue-priority"
_NONE_HELD = "None of the data rows is part of the project"

SDL = """
type TaskQueue {
  id: ID!
  name: String!
  description: String
  queueType: String!
  dataRowCount(input: DataRowCountQueryInput): Int!
}
type WorkstreamStateCount { state: String!, count: Int! }
input DataRowCountQueryInput { searchQuery: DataRowCountSearchInput }
input DataRowCountSearchInput { scope: DataRowCountScopeInput, query: [DataRowCountFilterInput!] }
input DataRowCountScopeInput { projectId: ID }
input DataRowCountFilterInput { type: String!, operator: String!, ids: [ID!] }
input AddRowsToTaskQueueViaDataRowIdentifiersInput { ids: [ID!]!, idType: IdType! }
input QueuePriorityUpdateDataRowIdentifiersInput { ids: [ID!]!, idType: IdType! }
input BulkAddRowsToQueueInput {
  queueId: ID
  dataRowIdentifiers: AddRowsToTaskQueueViaDataRowIdentifiersInput!
}
input QueuePriorityUpdateInput {
  priority: Int!
  dataRowIdentifiers: QueuePriorityUpdateDataRowIdentifiersInput
}
extend type ProjectActions {
  createBulkAddRowsToQueueTask(data: BulkAddRowsToQueueInput!): StartedTask
  createQueuePriorityUpdateTask(data: QueuePriorityUpdateInput!): StartedTask
}
extend type Project {
  taskQueues: [TaskQueue!] @listSize(assumedSize: 3)
  completedDataRowCount: Int!
  workstreamStateCounts(batchIds: [String!]): [WorkstreamStateCount!]! @listSize(assumedSize: 8)
}
"""


def add_task_queues(context: Context, project: str) -> None:
    """Give a new project its three queues."""
    for name, kind in _QUEUES:
        row = {"id": context.store.mint.uuid(), "projectId": project, "name": name, "queueType": kind}
        context.store.insert("task_queues", row)


def _task_queues(project: Row, info: Info) -> list[Row]:
    sql = "SELECT * FROM task_queues WHERE projectId = ? ORDER BY rowid"
    return info.context.store.rows(sql, [project["id"]])


def _waiting(queue: Row, info: Info, input: Row | None = None) -> int:
    """Count the rows in a queue: all of them, or with ``input`` those of certain batches."""
    batches = _asked_batches(queue["projectId"], (input or {}).get("searchQuery") or {})
    return workflow.counts(info.context, queue["projectId"], batches)[queue["id"]]


def _asked_batches(project: str, search: Row) -> list[str] | None:
    """Return the batches that a count is narrowed to; a row counts that passes every filter."""
    scope = (search.get("scope") or {}).get("projectId")
    malformed_if(scope not in (None, project), f"The scope of the search query is not project {project}")
    found: set[str] | None = None
    for part in search.get("query") or ():
        told = (part["type"], part["operator"])
        malformed_if(told != ("batch", "is"), f"Unsupported search query: {told[0]} {told[1]}")
        ids = set(part.get("ids") or ())
        found = ids if found is None else found & ids
    malformed_if(found is not None and len(found) > _MOST_BATCHES, f"At most {_MOST_BATCHES} batches")
    return None if found is None else sorted(found)


def _state_counts(project: Row, info: Info, batchIds: list[str] | None = None) -> list[Row]:  # noqa: N803
    """Count the rows in each state; batches that are unknown or another project's hold none.

    A row is in one state, beside Labeled and All.
    """
    context, ident = info.context, project["id"]
    malformed_if(batchIds is not None and len(batchIds) > _MOST_BATCHES, f"At most {_MOST_BATCHES} batches")
    counts = workflow.counts(context, ident, batchIds)
    types = {row["id"]: row["queueType"] for row in _task_queues(project, info)}
    states = dict.fromkeys((workflow.LABELING, workflow.REVIEW, workflow.REWORK, None), 0)
    for queue, count in counts.items():
        states[types.get(queue or "")] += count
    skipped = workflow.count_skipped(context, ident, batchIds)
    told = {
        "Unlabeled": states[workflow.LABELING], "InReview": states[workflow.REVIEW],
        "InRework": states[workflow.REWORK], "Done": states[None] - skipped, "Skipped": skipped,
        "Labeled": workflow.count_labelled(context, ident, batchIds), "All": sum(states.values()),
    }  # fmt: skip
    return [{"state": state, "count": count} for state, count in told.items()]


def _completed(project: Row, info: Info) -> int:
    return workflow.counts(info.context, project["id"])[None]


@mutation("project.createBulkAddRowsToQueueTask", MANAGE_PROJECTS)
def _move(project: Row, info: Info, data: Row) -> Row:
    """Move rows to a queue of the project, or with no queue to Done."""
    context, queue = info.context, data.get("queueId")
    if queue is not None:
        find_queue(context, project["id"], queue)
    told = {"project": project["id"], "queue": queue}
    ids = _identified(context, data["dataRowIdentifiers"])
    return {"taskId": start_rows(context, _MOVE, _MOVE, "Move data rows to task queue", ids, **told)}


def _move_step(context: Context, payload: Row, ids: list[str]) -> int:
    context.find(PROJECTS, payload["project"])
    rows = workflow.records(context, payload["project"], ids)
    workflow.move(context, rows, payload["queue"])
    return len(rows)


@mutation("project.createQueuePriorityUpdateTask", MANAGE_PROJECTS)
def _prioritize(project: Row, info: Info, data: Row) -> Row:
    context, told = info.context, data.get("dataRowIdentifiers")
    malformed_if(told is None, "dataRowIdentifiers must be given")
    ids, kept = _identified(context, told or {}), {"project": project["id"], "priority": data["priority"]}
    return {"taskId": start_rows(context, _PRIORITIZE, _PRIORITIZE, "Update priorities", ids, **kept)}


def _prioritize_step(context: Context, payload: Row, ids: list[str]) -> int:
    context.find(PROJECTS, payload["project"])
    told = [(ident, payload["priority"], None) for ident in ids]
    return workflow.override(context, payload["project"], told)


def _identified(context: Context, told: Row) -> list[str]:
    """Return the data rows that are named by id or by global key; keys that nobody has name none."""
    asked = list(dict.fromkeys(told["ids"]))
    malformed_if(not asked, "dataRowIdentifiers must name at least one data row")
    return asked if told["idType"] == "ID" else list(batches.by_keys(context, asked).values())


def find_queue(context: Context, project: str, ident: str) -> Row:
    """Return a task queue of a project; another project's is not found."""
    sql = "SELECT * FROM task_queues WHERE id = ? AND projectId = ?"
    queue = context.store.row(sql, [ident, project])
    if queue is None:
        raise NotFoundError(f"Task queue not found: {ident}")
    return queue


RESOLVERS: dict[str, dict[str, Any]] = {
    "Project": {
        "taskQueues": _task_queues,
        "completedDataRowCount": _completed,
        "workstreamStateCounts": _state_counts,
    },
    "ProjectActions": {"createBulkAddRowsToQueueTask": _move, "createQueuePriorityUpdateTask": _prioritize},
    "TaskQueue": {"dataRowCount": _waiting},
}

KIND = Kind(
    "queue",
    SDL,
    workflow.TABLES,
    RESOLVERS,
    jobs={_MOVE: over_rows(_move_step, _NONE_HELD), _PRIORITIZE: over_rows(_prioritize_step, _NONE_HELD)},
)
