"""The REST endpoints of ontologies and feature schemas (API reference 5.3): statuses, bodies, refusals."""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

from typing import Any

from lbstack.sandbox.context import Context
from lbstack.sandbox.contract import Reply, RestCall, Route
from lbstack.sandbox.errors import MalformedError, NotFoundError
from lbstack.sandbox.listing import PAGE_SIZE, Clause, Table, both
from lbstack.sandbox.ontologies import edits, shape, storage
from lbstack.sandbox.ontologies.storage import FEATURES, ONTOLOGIES
from lbstack.sandbox.ontologies.usage import IN_USE
from lbstack.sandbox.roles import MANAGE_ONTOLOGIES
from lbstack.sandbox.store import Row

NEW_FEATURE = "new_feature_schema_id"
_NOT_HELD = """id NOT IN (SELECT m.featureId FROM ontology_features m
    JOIN ontologies o ON o.id = m.ontologyId WHERE o.deleted = 0)"""


def _read(context: Context, call: RestCall) -> Reply:
    ontology = _ontology(context, call)
    return Reply(200, {"featureSchemaNodes": storage.rest_view(context, ontology["id"])})


def _delete(context: Context, call: RestCall) -> Reply:
    edits.delete_ontology(context, _ontology(context, call))
    return Reply(204)


def _unused_ontologies(context: Context, call: RestCall) -> Reply:
    return _unused(context, call, ONTOLOGIES, f"NOT ({IN_USE})")


def _unused_features(context: Context, call: RestCall) -> Reply:
    return _unused(context, call, FEATURES, _NOT_HELD)


def _insert(context: Context, call: RestCall) -> Reply:
    position = _field(call, "position", int)
    if position < 0:
        raise MalformedError("position must not be negative")
    edits.insert_feature(context, _ontology(context, call), call.params["feature_id"], position)
    return Reply(201, {})


def _remove(context: Context, call: RestCall) -> Reply:
    archived = edits.remove_feature(context, _ontology(context, call), call.params["feature_id"])
    return Reply(200, {"archived": archived, "deleted": not archived})


def _unarchive(context: Context, call: RestCall) -> Reply:
    edits.unarchive_feature(context, _ontology(context, call), call.params["feature_id"])
    return Reply(200, {"unarchived": True})


def _put(context: Context, call: RestCall) -> Reply:
    feature_id = call.params["feature_id"]
    node = shape.feature(shape.parse(_field(call, "normalized", str)))
    if feature_id == NEW_FEATURE:
        return Reply(200, {"schemaId": edits.create_feature(context, node)})
    feature = storage.find_root(context, feature_id)
    return Reply(200, {"schemaId": edits.edit_feature(context, feature, node)})


def _retitle(context: Context, call: RestCall) -> Reply:
    title = _field(call, "title", str)
    edits.retitle_feature(context, storage.find_root(context, call.params["feature_id"]), title)
    return Reply(200, {"schemaId": call.params["feature_id"]})


def _delete_feature(context: Context, call: RestCall) -> Reply:
    edits.delete_feature(context, call.params["feature_id"])
    return Reply(204)


def _unused(context: Context, call: RestCall, table: Table, condition: str) -> Reply:
    after = call.body.get("after") if isinstance(call.body, dict) else None
    if after is not None and not isinstance(after, str):
        raise MalformedError("after must be a cursor")
    living = storage.living(context, table)
    found = both(living, Clause(condition), storage.after_clause(context, table, after))
    sql = f"SELECT id FROM {table.name} WHERE {found.sql} ORDER BY rowid LIMIT {PAGE_SIZE}"
    return Reply(200, [row["id"] for row in context.store.rows(sql, found.params)])


def _ontology(context: Context, call: RestCall) -> Row:
    ident = call.params["ontology_id"]
    try:
        return context.find(ONTOLOGIES, ident)
    except NotFoundError:
        raise NotFoundError(f"Failed to find ontology by id: {ident}") from None


def _field(call: RestCall, name: str, kind: type) -> Any:
    value = call.body.get(name) if isinstance(call.body, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise MalformedError(f"{name} must be given, and of type {kind.__name__}")
    return value


_ONE = "/ontologies/{ontology_id}"
_HELD = f"{_ONE}/feature-schemas/{{feature_id}}"
_FEATURE = "/feature-schemas/{feature_id}"
_NEEDS = MANAGE_ONTOLOGIES

# "unused" comes before "{id}": the first route that fits answers.
ROUTES = (
    Route("GET", "/ontologies/unused", _unused_ontologies),
    Route("GET", "/feature-schemas/unused", _unused_features),
    Route("GET", _ONE, _read),
    Route("DELETE", _ONE, _delete, "deleteOntology", _NEEDS),
    Route("POST", _HELD, _insert, "insertFeatureSchema", _NEEDS),
    Route("DELETE", _HELD, _remove, "removeFeatureSchema", _NEEDS),
    Route("PATCH", f"{_HELD}/unarchive", _unarchive, "unarchiveFeatureSchema", _NEEDS),
    Route("PUT", _FEATURE, _put, "upsertFeatureSchema", _NEEDS),
    Route("PATCH", f"{_FEATURE}/definition", _retitle, "updateFeatureSchemaTitle", _NEEDS),
    Route("DELETE", _FEATURE, _delete_feature, "deleteFeatureSchema", _NEEDS),
)
