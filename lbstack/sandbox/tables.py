"""The tables that several kinds refer to, and who sees their rows (API reference 1.5, 4 and 6.2).

Admins and managers see the whole workspace. Reviewers and Labelers of the organization belong to every
project; people with the role None belong to the projects they were put on. A dataset is seen by whoever
sees a project it is attached to, or one that holds a row of it.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

from lbstack.sandbox.context import Context
from lbstack.sandbox.listing import ALL, Clause, Table, both
from lbstack.sandbox.roles import VIEW_PROJECTS, VIEW_WORKSPACE

USERS = Table(
    "users",
    "User",
    {
        "id": "ID", "email": "String", "name": "String", "nickname": "String", "isViewer": "Boolean",
        "isExternalUser": "Boolean", "createdAt": "DateTime", "updatedAt": "DateTime",
    },
    soft=True,
)  # fmt: skip

# People who were removed are in no list, asked for or not: clients never filter users by ``deleted``.
EVERYBODY = Clause("deleted = 0")


def managers_only(context: Context) -> Clause:
    """What is no project's: webhooks, invites. To others these lists are empty."""
    return ALL if context.may(VIEW_WORKSPACE) else Clause("0")


def _visible_projects(context: Context) -> Clause:
    if context.may(VIEW_PROJECTS):
        return ALL
    mine = "id IN (SELECT projectId FROM project_memberships WHERE userId = ?)"
    return Clause(mine, [context.user["id"]])


def _visible_datasets(context: Context) -> Clause:
    if context.may(VIEW_WORKSPACE):
        return ALL
    projects = both(Clause("deleted = 0"), _visible_projects(context))
    mine = f"projectId IN (SELECT id FROM projects WHERE {projects.sql})"
    attached = f"id IN (SELECT datasetId FROM project_datasets WHERE {mine})"
    batched = f"EXISTS (SELECT 1 FROM project_rows WHERE datasetId = datasets.id AND {mine})"
    return Clause(f"{attached} OR {batched}", [*projects.params, *projects.params])


PROJECTS = Table(
    "projects",
    "Project",
    {
        "id": "ID", "name": "String", "description": "String", "createdAt": "DateTime",
        "updatedAt": "DateTime", "deleted": "Boolean", "setupComplete": "DateTime",
        "lastActivityTime": "DateTime", "autoAuditNumberOfLabels": "Int", "autoAuditPercentage": "Float",
        "allowedMediaType": "MediaType", "editorTaskType": "EditorTaskType", "uploadType": "UploadType",
        "modelSetupComplete": "Boolean", "isBenchmarkEnabled": "Boolean", "isConsensusEnabled": "Boolean",
    },
    {"createdBy": ("createdById", USERS)},
    soft=True,
    visible=_visible_projects,
)  # fmt: skip

DATASETS = Table(
    "datasets",
    "Dataset",
    {
        "id": "ID", "name": "String", "description": "String", "rowCount": "Int", "createdAt": "DateTime",
        "updatedAt": "DateTime", "deleted": "Boolean",
    },
    {"createdBy": ("createdById", USERS)},
    soft=True,
    visible=_visible_datasets,
)  # fmt: skip
