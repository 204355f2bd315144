"""Reservations: which person has which data row before them (API reference 1.7 and 2.2).

The service tells of no length; here a reservation holds for an hour, and longer each time it is extended.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from lbstack.sandbox import workflow
from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.ids import print_time
from lbstack.sandbox.kinds.queue import find_queue
from lbstack.sandbox.roles import LABEL, MANAGE_PROJECTS, NONE
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS

_HELD_FOR = timedelta(hours=1)
_QUEUES = {"LabelingQueue": workflow.LABELING, "ReviewQueue": workflow.REVIEW}

SDL = """
enum ReservationQueueType { LabelingQueue ReviewQueue }
enum TaskAssignmentStatus { FREE RESERVED }
type ClearedReservations { success: Boolean!, clearedReservationCount: Int }
type AssignedDataRows { success: Boolean! }
input ClearQueueReservationsInput { projectId: ID!, queueId: ID! }
input BulkAssignDataRowsInput {
  projectId: ID!
  userId: ID!
  dataRowIds: [ID!]!
  allowedStatuses: [TaskAssignmentStatus!]
}
extend type Mutation {
  extendReservations(projectId: ID!, queueType: ReservationQueueType!): Int
  clearQueueReservations(input: ClearQueueReservationsInput!): ClearedReservations
  bulkAssignDataRows(input: BulkAssignDataRowsInput!): AssignedDataRows
}
"""


@mutation("extendReservations", LABEL)
def _extend(_: Any, info: Info, projectId: str, queueType: str) -> int:  # noqa: N803
    """Extend what the caller has reserved in a queue; return how many reservations that are."""
    context = info.context
    project = context.find(PROJECTS, projectId)
    context.touch(project["id"])
    queue = workflow.queue_id(context, project["id"], _QUEUES[queueType])
    sql = """UPDATE project_rows SET reservedUntil = ?
        WHERE projectId = ? AND reservedById = ? AND queueId = ? AND reservedUntil > ?"""
    told = [_until(context), project["id"], context.user["id"], queue, context.now()]
    return context.store.run(sql, told)


@mutation("clearQueueReservations", MANAGE_PROJECTS)
def _clear(_: Any, info: Info, input: Row) -> Row:
    context = info.context
    project = context.find(PROJECTS, input["projectId"])
    queue = find_queue(context, project["id"], input["queueId"])
    context.touch(queue["id"])
    sql = """UPDATE project_rows SET reservedById = NULL, reservedUntil = NULL
        WHERE projectId = ? AND queueId = ? AND reservedUntil > ?"""
    count = context.store.run(sql, [project["id"], queue["id"], context.now()])
    return {"success": True, "clearedReservationCount": count}


@mutation("bulkAssignDataRows", MANAGE_PROJECTS)
def _assign(_: Any, info: Info, input: Row) -> Row:
    """Reserve rows that wait for labels for somebody; those that are reserved only where that is allowed."""
    context = info.context
    project = context.find(PROJECTS, input["projectId"])
    user = context.find(USERS, input["userId"])
    malformed_if(not _belongs(context, project, user), f"User {user['id']} is no member of the project")
    allowed = input.get("allowedStatuses") or ["FREE"]
    context.touch(project["id"])
    rows = workflow.records(context, project["id"], input["dataRowIds"])
    sql = """UPDATE project_rows SET reservedById = ?, reservedUntil = ? WHERE queueId = ?
        AND id IN (SELECT value FROM json_each(?))
        AND CASE WHEN reservedUntil > ? THEN 'RESERVED' ELSE 'FREE' END IN (SELECT value FROM json_each(?))"""
    queue = workflow.queue_id(context, project["id"], workflow.LABELING)
    told = [user["id"], _until(context), queue, json.dumps([row["id"] for row in rows])]
    context.store.run(sql, [*told, context.now(), json.dumps(allowed)])
    return {"success": True}


def _belongs(context: Context, project: Row, user: Row) -> bool:
    """People with a role in the organization belong to every project, the others to those they are on."""
    sql = "SELECT 1 FROM project_memberships WHERE projectId = ? AND userId = ?"
    on_it = context.store.value(sql, [project["id"], user["id"]]) is not None
    return user["orgRoleId"] != NONE or on_it


def _until(context: Context) -> str:
    return print_time((datetime.fromisoformat(context.now()) + _HELD_FOR).timestamp())


KIND = Kind(
    "reservation",
    SDL,
    (),
    {
        "Mutation": {
            "extendReservations": _extend,
            "clearQueueReservations": _clear,
            "bulkAssignDataRows": _assign,
        }
    },
)
