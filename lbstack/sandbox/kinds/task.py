"""Tasks: what became of work that was left for later (API reference 1.8, 1.12, 2.1 and 2.2).

The vendor's client reads them in one way only: among the tasks that a user created.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from lbstack.sandbox.context import Context, Info, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.jobs import Job, Later, enqueue
from lbstack.sandbox.kinds.session import the_organization
from lbstack.sandbox.listing import PAGING, Clause, Table
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS tasks (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, type TEXT NOT NULL,
        completionPercentage REAL NOT NULL, result TEXT, errors TEXT, metadata TEXT, createdAt TEXT NOT NULL,
        updatedAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS tasks_creator ON tasks (createdById)",
)

TASKS = Table(
    "tasks",
    "Task",
    {
        "id": "ID", "name": "String", "status": "TaskStatus", "type": "String", "createdAt": "DateTime",
        "updatedAt": "DateTime",
    },
    {"createdBy": ("createdById", USERS)},
)  # fmt: skip

CANCELABLE = ("adv-upsert-data-rows", "export-data-rows", "send-to-task-queue", "send-to-annotate")
_RUNNING = "IN_PROGRESS"
_ROWS_PER_TURN = 4_000

SDL = f"""
enum TaskStatus {{ IN_PROGRESS COMPLETE CANCELLING CANCELED FAILED }}
type Task {{
  id: ID!
  name: String!
  status: TaskStatus!
  type: String!
  completionPercentage: Float!
  result: String
  errors: String
  metadata: Json
  createdAt: DateTime!
  updatedAt: DateTime!
  createdBy: User
  organization: Organization!
}}
type CancelledJob {{ success: Boolean! }}
{TASKS.where_sdl()}
extend type Query {{ cancelableTaskTypes: [String!], task(where: WhereUniqueIdInput): Task }}
extend type User {{ createdTasks(where: TaskWhereInput, {PAGING}): [Task!] }}
extend type Organization {{ tasks(where: TaskWhereInput, {PAGING}): [Task!] }}
extend type Mutation {{ cancelBulkOperationJob(id: ID!): CancelledJob }}
"""


def begin(context: Context, type_: str, name: str, metadata: Row | None = None, **row: Any) -> Row:
    """Return a new task that is in progress. Its ``id`` may be given where another id must be the same."""
    told = json.dumps(metadata) if metadata else None
    fresh = {"name": name, "type": type_, "status": _RUNNING, "completionPercentage": 0.0, "metadata": told}
    return context.find(TASKS, context.create(TASKS, {**fresh, **row})["id"])


def is_running(context: Context, ident: str) -> bool:
    """Say whether a task is still to be carried out: it may have been cancelled meanwhile."""
    return bool(context.store.value("SELECT status = ? FROM tasks WHERE id = ?", [_RUNNING, ident]))


def complete(context: Context, ident: str, *, result: str | None = None, errors: str | None = None) -> None:
    """End a task well; ``result`` and ``errors`` are URLs of files, or text."""
    ended = {"status": "COMPLETE", "completionPercentage": 100.0, "result": result, "errors": errors}
    context.change(TASKS, ident, ended)


def fail(context: Context, ident: str, message: str, *, result: str | None = None) -> None:
    """End a task that failed; its ``result`` then holds the error as JSON, or leads to it (2.2)."""
    told = json.dumps({"error": message})
    context.change(TASKS, ident, {"status": "FAILED", "result": result or told, "errors": told})


def over_rows(
    step: Callable[[Context, Row, list[str]], int],
    nothing: str,
    failed: Callable[[Context, Row], None] = lambda context, payload: None,
) -> Job:
    """Return the job of a task over many data rows: a few thousand in each transaction, from ``start_rows``.

    ``step(context, payload, ids)`` does it for some of them and returns for how many it could; a task that
    could for none fails and says ``nothing``. ``failed`` cleans up behind a task that failed.
    """

    def fails(context: Context, payload: Row, message: str) -> None:
        fail(context, payload["task"], message)
        failed(context, payload)

    def run(context: Context, payload: Row, _: Any) -> Later | None:
        ident, ids = payload["task"], payload["ids"]
        if not is_running(context, ident):
            return None
        done = payload["done"] + step(context, payload, ids[:_ROWS_PER_TURN])
        rest, total = ids[_ROWS_PER_TURN:], payload["total"]
        if rest:
            context.change(TASKS, ident, {"completionPercentage": 100.0 * (total - len(rest)) / total})
            return Later({**payload, "ids": rest, "done": done})
        if done:
            complete(context, ident)
        else:
            fails(context, payload, nothing)
        return None

    return Job(run, failed=fails)


def start_rows(context: Context, kind: str, type_: str, name: str, ids: Sequence[str], **payload: Any) -> str:
    """Begin a task over many data rows, whose job is ``kind``; return its id."""
    task = begin(context, type_, name)["id"]
    told = {**payload, "task": task, "ids": list(ids), "total": len(ids), "done": 0}
    enqueue(context, kind, told)
    return str(task)


@mutation("cancelBulkOperationJob")
def _cancel(_: Any, info: Info, id_: str) -> Row:
    """Cancel a task of one's own that is still in progress, if its type allows it."""
    context = info.context
    task = context.find(TASKS, id_)
    mine = task["createdById"] == context.user["id"]
    if not mine or task["status"] != _RUNNING or task["type"] not in CANCELABLE:
        return {"success": False}
    context.change(TASKS, id_, {"status": "CANCELED"})
    return {"success": True}


def _task(_: Any, info: Info, where: Row | None = None) -> Row:
    return info.context.find(TASKS, (where or {}).get("id"))


def _of_user(user: Row, info: Info, **page: Any) -> list[Row]:
    return info.context.page(TASKS, **page, among=Clause("createdById = ?", [user["id"]]))


def _of_organization(_: Row, info: Info, **page: Any) -> list[Row]:
    return info.context.page(TASKS, **page)


KIND = Kind(
    "task",
    SDL,
    TABLES,
    {
        "Query": {"cancelableTaskTypes": lambda *_: list(CANCELABLE), "task": _task},
        "Mutation": {"cancelBulkOperationJob": _cancel},
        "User": {"createdTasks": _of_user},
        "Organization": {"tasks": _of_organization},
        "Task": {
            "metadata": lambda task, _: task["metadata"] and json.loads(task["metadata"]),
            "createdBy": to_one(USERS, "createdById"),
            "organization": the_organization,
        },
    },
)
