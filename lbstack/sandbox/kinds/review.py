"""The review step of a project (API reference 1.7).

The share of assets to review is written and never read: no field answers it.
"""

from __future__ import annotations

from typing import Any

from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import NotFoundError, malformed_if
from lbstack.sandbox.roles import MANAGE_PROJECTS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS

SDL = """
type ReviewQueue { id: ID! }
input ReviewQueueProjectInput { project: WhereUniqueIdInput! }
input ReviewQueueInput { quotaFactor: Float! }
extend type Mutation {
  upsertReviewQueue(where: ReviewQueueProjectInput!, data: ReviewQueueInput!): ReviewQueue
  deleteReviewQueue(where: ReviewQueueProjectInput!): ReviewQueue
}
"""


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


def copy_review(context: Context, project: str, copy: str) -> None:
    """Let a new project review as much as another does."""
    sql = "SELECT quotaFactor FROM review_queues WHERE projectId = ?"
    factor = context.store.value(sql, [project])
    if factor is not None:
        now, row = context.now(), {"id": context.new_id(), "projectId": copy, "quotaFactor": factor}
        context.insert("review_queues", {**row, "createdAt": now, "updatedAt": now})


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


KIND = Kind("review", SDL, (), {"Mutation": {"upsertReviewQueue": _upsert, "deleteReviewQueue": _delete}})
