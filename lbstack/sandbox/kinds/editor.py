"""What a project is labelled with: its labeling front end and its ontology (API reference 1.4 and 6.3)."""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

from typing import Any

from lbstack.sandbox.context import Context, Info, every, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import MalformedError, malformed_if
from lbstack.sandbox.kinds.label import used_features
from lbstack.sandbox.listing import PAGING, Clause, Table, page_sql
from lbstack.sandbox.ontologies import edits, storage, tree
from lbstack.sandbox.ontologies.storage import ONTOLOGIES
from lbstack.sandbox.roles import MANAGE_PROJECTS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS

TABLES = (
    """CREATE TABLE IF NOT EXISTS labeling_frontends (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
        iframeUrlPath TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS labeling_frontend_options (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL,
        projectId TEXT NOT NULL, labelingFrontendId TEXT NOT NULL, customizationOptions TEXT NOT NULL,
        ontologyId TEXT, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS labeling_frontend_options_project ON labeling_frontend_options (projectId)",
)

FRONTENDS = Table(
    "labeling_frontends",
    "LabelingFrontend",
    {
        "id": "ID", "name": "String", "description": "String", "iframeUrlPath": "String",
        "deleted": "Boolean",
    },
    soft=True,
)  # fmt: skip
OPTIONS = Table("labeling_frontend_options", "LabelingFrontendOptions")

SDL = f"""
type LabelingFrontend {{
  id: ID!
  name: String!
  description: String
  iframeUrlPath: String!
  deleted: Boolean!
}}
type LabelingFrontendOptions {{ id: ID!, customizationOptions: String! }}
{FRONTENDS.where_sdl()}
input LabelingFrontendConnectInput {{ connect: WhereUniqueIdInput! }}
input LabelingFrontendOptionsCreateInput {{
  project: LabelingFrontendConnectInput!
  labelingFrontend: LabelingFrontendConnectInput!
  organization: LabelingFrontendConnectInput
  customizationOptions: String!
}}
extend type Query {{ labelingFrontends(where: LabelingFrontendWhereInput, {PAGING}): [LabelingFrontend!] }}
extend type Project {{
  ontology: Ontology
  labelingFrontend: LabelingFrontend
  labelingFrontendOptions({PAGING}): [LabelingFrontendOptions!]
  connectableOntologies: [Ontology!]
}}
extend type ProjectActions {{
  connectOntology(ontologyId: ID!): Ontology
  cloneOntology(ontologyId: ID!): Ontology
}}
extend type Mutation {{
  createLabelingFrontendOptions(data: LabelingFrontendOptionsCreateInput!): LabelingFrontendOptions
}}
"""


def change_frontend(context: Context, project: Row, change: Row) -> None:
    """Connect a front end; disconnecting was removed: a project keeps one (API reference 6.3)."""
    malformed_if("disconnect" in change, "The labeling front end of a project cannot be disconnected")
    frontend = context.find(FRONTENDS, (change.get("connect") or {}).get("id"))
    context.change(PROJECTS, project["id"], {"labelingFrontendId": frontend["id"]})


def change_ontology(context: Context, project: Row, change: Row) -> None:
    """Connect or disconnect through ``updateProject … ontology``."""
    connect, disconnect = change.get("connect"), change.get("disconnect")
    malformed_if((connect is None) == (not disconnect), "ontology takes either connect or disconnect: true")
    if connect is not None:
        _connect(context, project, context.find(ONTOLOGIES, connect["id"]))
        return
    _drop_placeholder(context, project)
    context.change(PROJECTS, project["id"], {"ontologyId": None})


@mutation("project.connectOntology", MANAGE_PROJECTS)
def _connect_ontology(source: Row, info: Info, ontologyId: str) -> Row:  # noqa: N803
    """Make an ontology the project's; it may be done again with another one (API reference 6.3)."""
    context = info.context
    project, ontology = context.find(PROJECTS, source["id"]), context.find(ONTOLOGIES, ontologyId)
    _connect(context, project, ontology)
    return ontology


@mutation("project.cloneOntology", MANAGE_PROJECTS)
def _clone_ontology(source: Row, info: Info, ontologyId: str) -> Row:  # noqa: N803
    """Connect a copy of an ontology: what is added to the copy does not reach the original."""
    context = info.context
    project, ontology = context.find(PROJECTS, source["id"]), context.find(ONTOLOGIES, ontologyId)
    copy = edits.clone_ontology(context, ontology)
    _connect(context, project, copy)
    return copy


def _connect(context: Context, project: Row, ontology: Row) -> None:
    """Make an ontology the project's, whose editor every client sets up before (API reference 1.4)."""
    malformed_if(
        project["labelingFrontendId"] is None,
        f"Project {project['id']} has no labeling front end: connect one before an ontology",
    )
    have, want = project["allowedMediaType"], ontology["mediaType"]
    if not _fits(have, want):
        raise MalformedError(f"Ontology {ontology['id']} is for {want}, project {project['id']} for {have}")
    nodes = [node for member in storage.members(context, ontology["id"]) for node in tree.nodes(member.node)]
    missing = used_features(context, project["id"]) - {str(node["featureSchemaId"]) for node in nodes}
    malformed_if(bool(missing), "Ontology lacks features that labels of the project use")
    _drop_placeholder(context, project, ontology["id"])
    context.change(PROJECTS, project["id"], {"ontologyId": ontology["id"]})


def _fits(project: str | None, ontology: str | None) -> bool:
    """An ontology without a media type fits every project (API reference 1.4)."""
    return ontology is None or project is None or project == ontology


def _drop_placeholder(context: Context, project: Row, but: str | None = None) -> None:
    """Delete the empty ontology that setting up the editor made, when a real one takes its place (1.4)."""
    sql = "SELECT ontologyId FROM labeling_frontend_options WHERE projectId = ? AND ontologyId IS NOT NULL"
    made = {row["ontologyId"] for row in context.store.rows(sql, [project["id"]])}
    current = project["ontologyId"]
    if current not in made or current == but or storage.members(context, current):
        return
    others = "SELECT 1 FROM projects WHERE ontologyId = ? AND id <> ? AND deleted = 0"
    if not context.store.value(others, [current, project["id"]]):
        context.change(ONTOLOGIES, current, {"deleted": 1})


@mutation("createLabelingFrontendOptions", MANAGE_PROJECTS)
def _create_options(_: Any, info: Info, data: Row) -> Row:
    """Set up the editor. A project without an ontology gets the one the options describe (1.4)."""
    context = info.context
    project = context.find(PROJECTS, data["project"]["connect"]["id"])
    frontend = context.find(FRONTENDS, data["labelingFrontend"]["connect"]["id"])
    ontology = None
    if project["ontologyId"] is None:
        media_type, options = project["allowedMediaType"], data["customizationOptions"]
        ontology = edits.create_ontology(context, project["name"], options, media_type)["id"]
        context.change(PROJECTS, project["id"], {"ontologyId": ontology})
    row = {"projectId": project["id"], "labelingFrontendId": frontend["id"], "ontologyId": ontology}
    return context.create(OPTIONS, {**row, "customizationOptions": data["customizationOptions"]})


def _options(project: Row, info: Info, **page: Any) -> list[Row]:
    context = info.context
    return context.page(OPTIONS, **page, among=Clause("projectId = ?", [project["id"]]))


def _connectable(project: Row, info: Info) -> list[Row]:
    context = info.context
    sql = f"""SELECT * FROM ontologies WHERE organizationId = ? AND deleted = 0
        AND (? IS NULL OR mediaType IS NULL OR mediaType = ?)
        ORDER BY rowid{page_sql(None, None)}"""
    media_type = project["allowedMediaType"]
    return context.store.rows(sql, [context.organization_id, media_type, media_type])


KIND = Kind(
    "editor",
    SDL,
    TABLES,
    {
        "Query": {"labelingFrontends": every(FRONTENDS)},
        "Mutation": {"createLabelingFrontendOptions": _create_options},
        "ProjectActions": {"connectOntology": _connect_ontology, "cloneOntology": _clone_ontology},
        "Project": {
            "ontology": to_one(ONTOLOGIES, "ontologyId"),
            "labelingFrontend": to_one(FRONTENDS, "labelingFrontendId"),
            "labelingFrontendOptions": _options,
            "connectableOntologies": _connectable,
        },
    },
)
