"""Models: as far as they use an ontology, which then cannot be deleted (API reference 1.12)."""

from __future__ import annotations

from typing import Any

from lbstack.sandbox.context import Info, every, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import ConflictError, malformed_if
from lbstack.sandbox.listing import PAGING, Table
from lbstack.sandbox.ontologies.storage import ONTOLOGIES
from lbstack.sandbox.roles import MANAGE_ONTOLOGIES
from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS models (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL, name TEXT NOT NULL,
        ontologyId TEXT NOT NULL, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS models_name ON models (organizationId, name)",
    "CREATE INDEX IF NOT EXISTS models_ontology ON models (ontologyId)",
)

MODELS = Table("models", "Model", {"id": "ID", "name": "String", "ontologyId": "ID"})

SDL = f"""
type Model {{ id: ID!, name: String!, ontologyId: ID! }}
{MODELS.where_sdl()}
input CreateModelInput {{ name: String!, ontologyId: ID! }}
input WhereModelsInput {{ ids: [ID!]! }}
extend type Query {{ models(where: ModelWhereInput, {PAGING}): [Model!] }}
extend type Mutation {{
  createModel(data: CreateModelInput!): Model
  deleteModels(where: WhereModelsInput!): [ID!]
}}
"""


@mutation("createModel", MANAGE_ONTOLOGIES)
def _create(_: Any, info: Info, data: Row) -> Row:
    context = info.context
    malformed_if(not data["name"].strip(), "Model name must not be empty")
    ontology = context.find(ONTOLOGIES, data["ontologyId"])
    sql = "SELECT 1 FROM models WHERE organizationId = ? AND name = ?"
    if context.store.value(sql, [context.organization_id, data["name"]]):
        raise ConflictError(f"A model named {data['name']} exists already")
    row = {"id": context.store.mint.uuid(), "name": data["name"], "ontologyId": ontology["id"]}
    return context.create(MODELS, row)


@mutation("deleteModels", MANAGE_ONTOLOGIES)
def _delete(_: Any, info: Info, where: Row) -> list[str]:
    context = info.context
    found = [context.find(MODELS, ident)["id"] for ident in dict.fromkeys(where["ids"])]
    for ident in found:
        context.touch(ident)
        context.store.run("DELETE FROM models WHERE id = ?", [ident])
    return found


KIND = Kind(
    "model",
    SDL,
    TABLES,
    {
        "Query": {"models": every(MODELS)},
        "Mutation": {"createModel": _create, "deleteModels": _delete},
    },
)
