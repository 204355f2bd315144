"""Ontologies and feature schemas (API reference 1.4, 2.1, section 3 and 5.3): the schema and its resolvers.

The rules live in ``sandbox/ontologies``; what REST offers is in ``sandbox/ontologies/rest.py``.
"""

from __future__ import annotations

import json
from typing import Any

from lbstack.sandbox.context import Context, Info, by_id, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import MalformedError, NotFoundError
from lbstack.sandbox.listing import PAGING, Clause, Table
from lbstack.sandbox.media_types import require_media_type
from lbstack.sandbox.ontologies import edits, rest, shape, storage, tree, usage
from lbstack.sandbox.ontologies.storage import FEATURES, ONTOLOGIES
from lbstack.sandbox.roles import MANAGE_ONTOLOGIES, MANAGE_PROJECTS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS

_SDL = f"""
type Ontology {{
  id: ID!
  name: String!
  description: String!
  normalized: Json!
  options: Json!
  mediaType: MediaType
  editorTaskType: EditorTaskType
  objectSchemaCount: Int!
  classificationSchemaCount: Int!
  createdAt: DateTime!
  updatedAt: DateTime!
  createdBy: User
  projects(where: ProjectWhereInput, {PAGING}): [Project!]
}}
type OntologyPage {{ nodes: [Ontology!]! nextCursor: String }}
type FeatureSchema {{ id: ID! name: String! normalized: Json! }}
type FeatureSchemaPage {{ nodes: [FeatureSchema!]! nextCursor: String }}
type DeletedRootSchemaNode {{ id: ID! deleted: Boolean! }}
type OntologyMutation {{ id: ID! update(data: OntologyUpdateInput!): Ontology }}

enum OntologyStatus {{ ALL }}
input OntologyFilter {{ status: OntologyStatus }}
input OntologiesWhereInput {{ filter: OntologyFilter search: String }}
input RootSchemaNodeFilter {{ status: OntologyStatus }}
input RootSchemaNodesWhereInput {{ filter: RootSchemaNodeFilter search: String }}
input RootSchemaNodeWhere {{ featureSchemaId: ID! }}
input UpsertOntologyInput {{
  name: String!
  normalized: String!
  mediaType: MediaType
  editorTaskType: EditorTaskType
}}
input UpsertRootSchemaNodeInput {{ normalized: String! }}
input ProjectInstructionsInput {{ instructionsUrl: String! }}
input OntologyUpdateInput {{ name: String! }}

extend type Query {{
  ontology(where: WhereUniqueIdInput!): Ontology
  ontologies(where: OntologiesWhereInput, after: String, first: PageSize): OntologyPage
  rootSchemaNode(where: RootSchemaNodeWhere!): FeatureSchema
  rootSchemaNodes(where: RootSchemaNodesWhereInput, after: String, first: PageSize): FeatureSchemaPage
}}
extend type Mutation {{
  upsertOntology(data: UpsertOntologyInput!): Ontology
  ontology(where: WhereUniqueIdInput!): OntologyMutation
  upsertRootSchemaNode(data: UpsertRootSchemaNodeInput!): FeatureSchema
  deleteRootSchemaNode(where: WhereUniqueIdInput!): DeletedRootSchemaNode
  setProjectInstructions(where: WhereUniqueIdInput!, data: ProjectInstructionsInput!): Project
}}
"""


def _normalized(source: Row, info: Info) -> Any:
    return storage.normalized(info.context, source)


def _object_count(source: Row, info: Info) -> int:
    return storage.count(info.context, source["id"], ["tools", "relationships"])


def _classification_count(source: Row, info: Info) -> int:
    return storage.count(info.context, source["id"], ["classifications"])


def _projects(source: Row, info: Info, **page: Any) -> list[Row]:
    return info.context.page(PROJECTS, **page, among=Clause("ontologyId = ?", [source["id"]]))


def _page(table: Table) -> Any:
    def resolve(
        _: Any,
        info: Info,
        where: Row | None = None,
        after: str | None = None,
        first: int | None = None,
    ) -> Row:
        search = (where or {}).get("search")
        nodes, cursor = storage.cursor_page(info.context, table, search, after, first)
        return {"nodes": nodes, "nextCursor": cursor}

    return resolve


@mutation("upsertOntology", MANAGE_ONTOLOGIES)
def _create_ontology(_: Any, info: Info, data: Row) -> Row:
    media_type, task_type = require_media_type(data.get("mediaType")), data.get("editorTaskType")
    return edits.create_ontology(info.context, data["name"], data["normalized"], media_type, task_type)


@mutation("updateOntology", MANAGE_ONTOLOGIES)
def _rename_ontology(source: Row, info: Info, data: Row) -> Row:
    return edits.rename_ontology(info.context, source, data["name"])


@mutation("setProjectInstructions", MANAGE_PROJECTS)
def _set_instructions(_: Any, info: Info, where: Row, data: Row) -> Row:
    """The instructions are kept with the project's ontology, inside ``normalized`` (API reference 3.1)."""
    project = info.context.find(PROJECTS, where["id"])
    ontology = info.context.related(ONTOLOGIES, project["ontologyId"])
    if ontology is None:
        raise MalformedError(f"Project {project['id']} has no ontology")
    info.context.change(ONTOLOGIES, ontology["id"], {"projectInstructions": data["instructionsUrl"]})
    return project


def _root(_: Any, info: Info, where: Row) -> Row:
    return storage.find_root(info.context, where["featureSchemaId"])


def _root_normalized(source: Row, _: Info) -> Any:
    return tree.visible(json.loads(source["definition"]))


def _root_id(source: Row, _: Info) -> str:
    """A root schema node's own id; the feature schema it shows is named inside ``normalized`` (2.1)."""
    return str(json.loads(source["definition"])["schemaNodeId"])


@mutation("upsertRootSchemaNode", MANAGE_ONTOLOGIES)
def _upsert_root(_: Any, info: Info, data: Row) -> Row:
    context: Context = info.context
    node = shape.feature(shape.parse(data["normalized"]))
    given = node["featureSchemaId"]
    if given is None or given not in storage.roots(context, [given]):
        return storage.find_root(context, edits.create_feature(context, node))
    edits.edit_feature(context, storage.find_root(context, given), node)
    return storage.find_root(context, given)


@mutation("deleteRootSchemaNode", MANAGE_ONTOLOGIES)
def _delete_root(_: Any, info: Info, where: Row) -> Row:
    """``id`` is what ``rootSchemaNode`` answers, or the feature schema id that clients put in its place."""
    context: Context = info.context
    sql = (
        "SELECT id FROM feature_schemas"
        " WHERE organizationId = ? AND ? IN (id, json_extract(definition, '$.schemaNodeId'))"
    )
    ident = context.store.value(sql, [context.organization_id, where["id"]])
    if ident is None:
        raise NotFoundError(f"Cannot find root schema node {where['id']}")
    edits.delete_feature(context, ident)
    return {"id": where["id"], "deleted": True}


KIND = Kind(
    name="ontology",
    sdl=_SDL,
    tables=(*storage.TABLES, *usage.TABLES),
    resolvers={
        "Query": {
            "ontology": by_id(ONTOLOGIES),
            "ontologies": _page(ONTOLOGIES),
            "rootSchemaNode": _root,
            "rootSchemaNodes": _page(FEATURES),
        },
        "Mutation": {
            "upsertOntology": _create_ontology,
            "ontology": by_id(ONTOLOGIES),
            "upsertRootSchemaNode": _upsert_root,
            "deleteRootSchemaNode": _delete_root,
            "setProjectInstructions": _set_instructions,
        },
        "OntologyMutation": {"update": _rename_ontology},
        "Ontology": {
            "normalized": _normalized,
            "options": _normalized,
            "objectSchemaCount": _object_count,
            "classificationSchemaCount": _classification_count,
            "createdBy": to_one(USERS, "createdById"),
            "projects": _projects,
        },
        "FeatureSchema": {"id": _root_id, "normalized": _root_normalized},
    },
    routes=rest.ROUTES,
)
