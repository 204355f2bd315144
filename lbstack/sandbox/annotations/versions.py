"""What a label was at each hand-off: recorded once, never changed or deleted (API reference 1.11, 2.2)."""

from __future__ import annotations

import json

from lbstack.sandbox import workflow
from lbstack.sandbox.annotations import printed
from lbstack.sandbox.context import Context
from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS label_versions (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, projectId TEXT NOT NULL, dataRowId TEXT NOT NULL, labelId TEXT NOT NULL,
        action TEXT NOT NULL, taskQueueId TEXT, queueName TEXT, queueType TEXT,
        annotationCount INTEGER NOT NULL, label TEXT NOT NULL, createdAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS label_versions_label ON label_versions (labelId)",
    "CREATE INDEX IF NOT EXISTS label_versions_row ON label_versions (dataRowId)",
    "CREATE INDEX IF NOT EXISTS label_versions_project ON label_versions (projectId)",
)


def record(context: Context, label: Row, action: str, *, stage: Row | None) -> None:
    """Record a version of a label. ``stage`` is the task queue its data row was in, None for Done."""
    queue = stage or {}
    row = {
        "id": context.new_id(), "organizationId": context.organization_id, "createdById": context.user["id"],
        **{key: label[key] for key in ("projectId", "dataRowId", "label")}, "labelId": label["id"],
        "action": action, "taskQueueId": queue.get("id"), "queueName": queue.get("name"),
        "queueType": queue.get("queueType"), "createdAt": context.now(),
        "annotationCount": printed.count(json.loads(label["annotations"])),
    }  # fmt: skip
    context.store.insert("label_versions", row)


def stage(context: Context, project: str, data_row: str) -> Row | None:
    """The task queue a data row is in now; None when it is Done."""
    standing = workflow.state(context, project, data_row)
    return standing.queue if standing else None
