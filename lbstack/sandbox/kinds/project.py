"""Projects: create with their quality mode, update, clone, delete (API reference 1.3 and 6.3)."""

from __future__ import annotations

from typing import Any

from lbstack.sandbox import evaluation
from lbstack.sandbox.context import Context, Info, by_id, every, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import NotAllowedError, malformed_if
from lbstack.sandbox.kinds.attachment import change_datasets, has_rows
from lbstack.sandbox.kinds.editor import change_frontend, change_ontology
from lbstack.sandbox.kinds.label import count_labels
from lbstack.sandbox.kinds.project_workflow import add_workflow, copy_workflow
from lbstack.sandbox.kinds.queue import add_task_queues
from lbstack.sandbox.kinds.review import copy_review
from lbstack.sandbox.kinds.session import the_organization
from lbstack.sandbox.kinds.tag import put_on, tags_of
from lbstack.sandbox.listing import PAGING
from lbstack.sandbox.media_types import require_media_type
from lbstack.sandbox.roles import MANAGE_PROJECTS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS projects (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL, name TEXT NOT NULL,
        description TEXT NOT NULL DEFAULT '', createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL,
        setupComplete TEXT, lastActivityTime TEXT, autoAuditNumberOfLabels INTEGER NOT NULL,
        autoAuditPercentage REAL NOT NULL, allowedMediaType TEXT, editorTaskType TEXT,
        dataRowCount INTEGER, modelSetupComplete INTEGER, uploadType TEXT,
        isBenchmarkEnabled INTEGER NOT NULL, isConsensusEnabled INTEGER NOT NULL,
        showingPredictionsToLabelers INTEGER NOT NULL DEFAULT 0, ontologyId TEXT, labelingFrontendId TEXT,
        deleted INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS projects_name ON projects (name)",
    "CREATE INDEX IF NOT EXISTS projects_ontology ON projects (ontologyId)",
)

# Created from a name alone, a project is in benchmark mode: one label, every asset (1.3).
_BENCHMARK = {
    "autoAuditNumberOfLabels": 1, "autoAuditPercentage": 1.0, "isBenchmarkEnabled": True,
    "isConsensusEnabled": False,
}  # fmt: skip
_CONSENSUS = {
    "autoAuditNumberOfLabels": 3, "autoAuditPercentage": 0.0, "isBenchmarkEnabled": False,
    "isConsensusEnabled": True,
}  # fmt: skip
_QUALITY = ("isBenchmarkEnabled", "isConsensusEnabled")
_CLONED = (
    "description", "allowedMediaType", "editorTaskType", "autoAuditNumberOfLabels", "autoAuditPercentage",
    "isBenchmarkEnabled", "isConsensusEnabled", "showingPredictionsToLabelers", "ontologyId",
    "labelingFrontendId",
)  # fmt: skip
_NOT_NULL = ("name", "autoAuditNumberOfLabels", "autoAuditPercentage", "allowedMediaType")

_PLAIN_FIELDS = """
  name: String
  description: String
  allowedMediaType: MediaType
  autoAuditNumberOfLabels: Int
  autoAuditPercentage: Float
  isBenchmarkEnabled: Boolean
  isConsensusEnabled: Boolean
"""

SDL = f"""
enum MediaType {{
  AUDIO CONVERSATIONAL DICOM HTML IMAGE JSON LLM LLM_PROMPT_CREATION LLM_PROMPT_RESPONSE_CREATION PDF
  POINT_CLOUD TEXT TMS_GEO TMS_SIMPLE UNKNOWN UNSUPPORTED VIDEO
}}
enum EditorTaskType {{ MODEL_CHAT_EVALUATION OFFLINE_MODEL_CHAT_EVALUATION RESPONSE_CREATION }}
enum UploadType {{ AUTO MANUAL }}
type Project {{
  id: ID!
  name: String!
  description: String!
  createdAt: DateTime!
  updatedAt: DateTime!
  deleted: Boolean!
  setupComplete: DateTime
  lastActivityTime: DateTime
  autoAuditNumberOfLabels: Int!
  autoAuditPercentage: Float!
  allowedMediaType: MediaType
  editorTaskType: EditorTaskType
  dataRowCount: Int
  modelSetupComplete: Boolean
  uploadType: UploadType
  isBenchmarkEnabled: Boolean!
  isConsensusEnabled: Boolean!
  showingPredictionsToLabelers: Boolean!
  createdBy: User
  organization: Organization!
}}
{PROJECTS.where_sdl()}
input ManyRelationInput {{ connect: [WhereUniqueIdInput!], disconnect: [WhereUniqueIdInput!] }}
input OneRelationInput {{ connect: WhereUniqueIdInput, disconnect: Boolean }}
input ProjectCreateInput {{
  {_PLAIN_FIELDS.replace("name: String", "name: String!")}
  editorTaskType: EditorTaskType
  uploadType: UploadType
  dataRowCount: Int
  datasetNameOrId: String
  appendToExistingDataset: Boolean
}}
input ProjectUpdateInput {{
  {_PLAIN_FIELDS}
  setupComplete: DateTime
  deleted: Boolean
  datasets: ManyRelationInput
  labelingFrontend: OneRelationInput
  ontology: OneRelationInput
}}
input CloneProjectInput {{ projectId: ID! }}
input ProjectModelSetupInput {{ modelSetupComplete: Boolean! }}
"The actions on one project: what the mutation root's ``project`` returns."
type ProjectActions {{
  id: ID!
  showPredictionsToLabelers(show: Boolean!): Project
}}
extend type Query {{
  project(where: WhereUniqueIdInput!): Project
  projects(where: ProjectWhereInput, {PAGING}): [Project!]
}}
extend type Mutation {{
  createProject(data: ProjectCreateInput!): Project
  updateProject(where: WhereUniqueIdInput!, data: ProjectUpdateInput!): Project
  setProjectModelSetupComplete(where: WhereUniqueIdInput!, data: ProjectModelSetupInput!): Project
  cloneProject(data: CloneProjectInput!): Project
  project(where: WhereUniqueIdInput!): ProjectActions
}}
extend type Organization {{ projects(where: ProjectWhereInput, {PAGING}): [Project!] }}
"""


@mutation("createProject", MANAGE_PROJECTS)
def _create(_: Any, info: Info, data: Row) -> Row:
    """Create; what is not said follows from the quality mode, and no ontology or editor is set (6.5)."""
    context = info.context
    given = {key: value for key, value in data.items() if value is not None}
    mode = (
        _CONSENSUS if given.get("isConsensusEnabled") and not given.get("isBenchmarkEnabled") else _BENCHMARK
    )
    row = {**mode, "isBenchmarkEnabled": not given.get("isConsensusEnabled"), **given}
    row.setdefault("description", "")
    for key in ("datasetNameOrId", "appendToExistingDataset"):
        row.pop(key, None)
    _check(row)
    generated = evaluation.check(given)
    project = _made(context, row)
    if generated:
        evaluation.fill(context, project, generated)
    return context.find(PROJECTS, project["id"])


def _made(context: Context, row: Row) -> Row:
    """Make a project with all that every project has."""
    project = context.create(PROJECTS, row)
    add_task_queues(context, project["id"])
    add_workflow(context, project["id"])
    return project


@mutation("cloneProject", MANAGE_PROJECTS)
def _clone(_: Any, info: Info, data: Row) -> Row:
    """Copy a project's set-up, without what it labels: data rows, batches, labels, people and webhooks.

    Ontology, front end, tags, review step and workflow go along; the copy must still be set up.
    """
    context = info.context
    project = context.find(PROJECTS, data["projectId"])
    if project["allowedMediaType"] is None:
        raise NotAllowedError("A project of an unknown media type cannot be cloned")
    row = {key: project[key] for key in _CLONED}
    made = _made(context, {**row, "name": f"Copy of {project['name']}"})
    put_on(context, made["id"], tags_of(context, project["id"]))
    copy_review(context, project["id"], made["id"])
    copy_workflow(context, project["id"], made["id"])
    return context.find(PROJECTS, made["id"])


@mutation("updateProject", MANAGE_PROJECTS)
def _update(_: Any, info: Info, where: Row, data: Row) -> Row:
    """Change fields or relations, or delete: ``deleted: true`` is how a project goes (6.2)."""
    context = info.context
    project = context.find(PROJECTS, where["id"])
    _check_update(context, project, data)
    changes = {key: value for key, value in data.items() if key != "deleted" or value}
    datasets = changes.pop("datasets", None)
    frontend, ontology = changes.pop("labelingFrontend", None), changes.pop("ontology", None)
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    if datasets is not None:
        change_datasets(context, project["id"], datasets)
    if frontend is not None:
        change_frontend(context, project, frontend)
    if ontology is not None:
        change_ontology(context, project, ontology)
    return context.change(PROJECTS, project["id"], changes)


def _check_update(context: Context, project: Row, data: Row) -> None:
    if any(key in data for key in _QUALITY):
        raise NotAllowedError("The quality mode of a project cannot be changed after it was created")
    malformed_if(data.get("deleted") is False, "A project that was deleted cannot be restored")
    _check(data)
    media_type = data.get("allowedMediaType")
    if media_type in (None, project["allowedMediaType"]):
        return
    if count_labels(context, project["id"]) or has_rows(context, project["id"]):
        raise NotAllowedError("The media type of a project that holds data rows or labels cannot be changed")


def _check(data: Row) -> None:
    """Refuse values that fit their types and make no sense."""
    for key in _NOT_NULL:
        malformed_if(key in data and data[key] is None, f"{key} must not be null")
    malformed_if("name" in data and not data["name"].strip(), "Project name must not be empty")
    percentage, count = data.get("autoAuditPercentage", 0), data.get("autoAuditNumberOfLabels", 1)
    malformed_if(not 0 <= percentage <= 1, "autoAuditPercentage must be between 0 and 1")
    malformed_if(count < 1, "autoAuditNumberOfLabels must be at least 1")
    require_media_type(data.get("allowedMediaType"))


@mutation("setProjectModelSetupComplete", MANAGE_PROJECTS)
def _set_model_setup(_: Any, info: Info, where: Row, data: Row) -> Row:
    """Say that the models of a live chat evaluation are chosen; no other project has any to choose."""
    context = info.context
    project = context.find(PROJECTS, where["id"])
    if project["editorTaskType"] != evaluation.LIVE:
        raise NotAllowedError("Only live model chat evaluation projects can complete model setup")
    return context.change(PROJECTS, project["id"], data)


@mutation("project.showPredictionsToLabelers", MANAGE_PROJECTS)
def _show_predictions(source: Row, info: Info, show: bool) -> Row:
    context = info.context
    return context.change(PROJECTS, source["id"], {"showingPredictionsToLabelers": show})


KIND = Kind(
    "project",
    SDL,
    TABLES,
    {
        "Query": {"project": by_id(PROJECTS), "projects": every(PROJECTS)},
        "Mutation": {
            "createProject": _create,
            "updateProject": _update,
            "cloneProject": _clone,
            "setProjectModelSetupComplete": _set_model_setup,
            "project": by_id(PROJECTS),
        },
        "ProjectActions": {"showPredictionsToLabelers": _show_predictions},
        "Project": {"createdBy": to_one(USERS, "createdById"), "organization": the_organization},
        "Organization": {"projects": every(PROJECTS)},
    },
)
