"""The rows: ontologies, the features they share, and which ontology holds which feature where.

A root feature is one row with its whole tree; an ontology's membership in it is another. So what is edited
in a feature is edited in every ontology that holds it (API reference 3.1). ``feature_nodes`` says to which
root a nested feature schema belongs.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from lbstack.sandbox.conditions import Paging
from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import MalformedError, NotFoundError
from lbstack.sandbox.listing import ALL, PAGE_SIZE, Clause, Table, both, paging_pair
from lbstack.sandbox.ontologies import tree
from lbstack.sandbox.ontologies.shape import LISTS, Node, list_of
from lbstack.sandbox.roles import VIEW_WORKSPACE
from lbstack.sandbox.search import Index
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS


def _visible_ontologies(context: Context) -> Clause:
    """Below the managers an ontology is seen through the projects that use it."""
    if context.may(VIEW_WORKSPACE):
        return ALL
    projects = both(Clause("deleted = 0"), PROJECTS.visible(context))
    return Clause(f"id IN (SELECT ontologyId FROM projects WHERE {projects.sql})", projects.params)


def _visible_features(context: Context) -> Clause:
    return ALL if context.may(VIEW_WORKSPACE) else Clause("0")


ONTOLOGIES = Table("ontologies", "Ontology", soft=True, visible=_visible_ontologies, searched=True)
FEATURES = Table("feature_schemas", "FeatureSchema", soft=True, visible=_visible_features, searched=True)

_HEAD = """id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0"""

TABLES = (
    f"""CREATE TABLE IF NOT EXISTS ontologies ({_HEAD},
        name TEXT NOT NULL, description TEXT NOT NULL, mediaType TEXT, editorTaskType TEXT,
        projectInstructions TEXT)""",
    f"""CREATE TABLE IF NOT EXISTS feature_schemas ({_HEAD},
        name TEXT NOT NULL, list TEXT NOT NULL, definition TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS ontology_features (
        ontologyId TEXT NOT NULL, featureId TEXT NOT NULL, position INTEGER NOT NULL,
        archived INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (ontologyId, featureId)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS ontology_features_by_feature ON ontology_features (featureId)",
    "CREATE TABLE IF NOT EXISTS feature_nodes (id TEXT PRIMARY KEY, rootId TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS feature_nodes_by_root ON feature_nodes (rootId)",
)


@dataclass(frozen=True)
class Member:
    """A root feature in an ontology."""

    id: str
    list: str
    archived: bool
    node: Node


def members(context: Context, ontology_id: str) -> list[Member]:
    """The root features of an ontology in their order, the archived ones last."""
    rows = context.store.rows(
        "SELECT f.id, f.list, f.definition, m.archived FROM ontology_features m"
        " JOIN feature_schemas f ON f.id = m.featureId WHERE m.ontologyId = ?"
        " ORDER BY m.archived, m.position",
        [ontology_id],
    )
    return [
        Member(row["id"], row["list"], bool(row["archived"]), json.loads(row["definition"])) for row in rows
    ]


def normalized(context: Context, ontology: Row) -> Node:
    """An ontology's features as GraphQL answers them: the archived ones are absent (API reference 3.1)."""
    found: Node = {name: [] for name in LISTS}
    for member in members(context, ontology["id"]):
        if not member.archived:
            found[member.list].append(tree.visible(member.node))
    if ontology["projectInstructions"] is not None:
        found["projectInstructions"] = ontology["projectInstructions"]
    return found


def rest_view(context: Context, ontology_id: str) -> Node:
    """An ontology's features as REST answers them: all of them, each saying whether it is archived."""
    found: Node = {name: [] for name in LISTS}
    for member in members(context, ontology_id):
        found[member.list].append(tree.marked(member.node, member.archived))
    return found


def count(context: Context, ontology_id: str, lists: Iterable[str]) -> int:
    """How many root features of ``lists`` an ontology shows."""
    sql = (
        "SELECT count(*) FROM ontology_features m JOIN feature_schemas f ON f.id = m.featureId"
        " WHERE m.ontologyId = ? AND m.archived = 0 AND f.list IN (SELECT value FROM json_each(?))"
    )
    return int(context.store.value(sql, [ontology_id, json.dumps(list(lists))]))


def arrange(context: Context, ontology_id: str, feature_ids: list[str]) -> None:
    """Make ``feature_ids`` the shown features of one list, in this order; they are added or unarchived."""
    for position, feature_id in enumerate(feature_ids):
        context.store.run(
            "INSERT INTO ontology_features (ontologyId, featureId, position) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET position = excluded.position, archived = 0",
            [ontology_id, feature_id, position],
        )


def shown(context: Context, ontology_id: str, list_name: str) -> list[str]:
    """The ids of the features an ontology shows in one list, in their order."""
    return [m.id for m in members(context, ontology_id) if m.list == list_name and not m.archived]


def holders(context: Context, feature_id: str) -> list[str]:
    """The ids of the ontologies, deleted ones left out, that hold a root feature, archived or not."""
    sql = (
        "SELECT o.id FROM ontology_features m JOIN ontologies o ON o.id = m.ontologyId"
        " WHERE m.featureId = ? AND o.deleted = 0 ORDER BY o.rowid"
    )
    return [row["id"] for row in context.store.rows(sql, [feature_id])]


def add_feature(context: Context, node: Node) -> str:
    """Store a new root feature, whose nodes have their ids; return its feature schema id."""
    row = {"id": node["featureSchemaId"], "deleted": 0, **_columns(node)}
    context.create(FEATURES, row)
    _index(context, node)
    return str(row["id"])


def save_feature(context: Context, node: Node) -> None:
    """Store what a root feature has become."""
    context.change(FEATURES, node["featureSchemaId"], _columns(node))
    context.store.run("DELETE FROM feature_nodes WHERE rootId = ?", [node["featureSchemaId"]])
    _index(context, node)


def find_root(context: Context, feature_id: str) -> Row:
    """The row of a root feature, or the service's own words for none (API reference 5.3)."""
    try:
        return context.find(FEATURES, feature_id)
    except NotFoundError:
        raise NotFoundError(f"Cannot find root schema node with feature schema id {feature_id}") from None


def roots(context: Context, ids: Iterable[str]) -> dict[str, Node]:
    """Those of ``ids`` that are root features of this organisation and not deleted, with their trees."""
    sql = (
        "SELECT id, definition FROM feature_schemas WHERE organizationId = ? AND deleted = 0"
        " AND id IN (SELECT value FROM json_each(?))"
    )
    rows = context.store.rows(sql, [context.organization_id, json.dumps(list(ids))])
    return {row["id"]: json.loads(row["definition"]) for row in rows}


def root_of(context: Context, feature_id: str) -> str | None:
    """The root feature that a feature schema, nested or not, belongs to."""
    found = context.store.value("SELECT rootId FROM feature_nodes WHERE id = ?", [feature_id])
    return None if found is None else str(found)


def cursor_page(
    context: Context, table: Table, search: str | None, after: str | None, first: int | None
) -> tuple[list[Row], str | None]:
    """One page of a cursor list, oldest first: rows whose name contains ``search``, and the next cursor.

    The search's index is behind (``search``); a list without search is not.
    """
    size = PAGE_SIZE if first is None else first
    index = Index(context) if search else None
    alive = index.living() if index else Clause("deleted = 0")
    found = both(_mine(context, table), alive, after_clause(context, table, after))
    limit = "" if search else f" LIMIT {size + 1}"
    if context.conditions.page:
        found, limit = both(_mine(context, table), alive), ""
    rows = context.store.rows(
        f"SELECT * FROM {table.name} WHERE {found.sql} ORDER BY rowid{limit}", found.params
    )
    if index and search:  # SQLite folds the case of ASCII only
        rows = [row for row in rows if index.holds(row, search)]
    if context.conditions.page:
        return _misbehaving_page(context.conditions.page, table, rows, after, size)
    return paging_pair(rows, size)


def _misbehaving_page(
    paging: Paging, table: Table, rows: list[Row], after: str | None, size: int
) -> tuple[list[Row], str | None]:
    number = paging.turn(table.name, after)
    places = {row["id"]: place for place, row in enumerate(rows)}
    start = paging.skip(number, places.get(after or "", -1) + 1, size)
    nodes, cursor = paging_pair(rows[start : start + size + 1], size)
    return paging.cut(number, nodes), cursor


def living(context: Context, table: Table) -> Clause:
    """The rows of a soft table that the caller may see and that are not deleted."""
    return both(Clause("deleted = 0"), _mine(context, table))


def _mine(context: Context, table: Table) -> Clause:
    mine = Clause("organizationId = ?", [context.organization_id])
    return both(mine, table.visible(context), context.unhidden())


def after_clause(context: Context, table: Table, cursor: str | None) -> Clause:
    """The rows after the one whose id is the cursor; a cursor that was never handed out is refused."""
    if not cursor:
        return ALL
    sql = f"SELECT rowid FROM {table.name} WHERE id = ? AND organizationId = ?"
    rowid = context.store.value(sql, [cursor, context.organization_id])
    if rowid is None:
        raise MalformedError(f"Invalid cursor: {cursor}")
    return Clause("rowid > ?", [rowid])


def _columns(node: Node) -> Row:
    return {"name": node["name"], "list": list_of(node), "definition": json.dumps(node)}


def _index(context: Context, node: Node) -> None:
    for each in tree.nodes(node):
        context.store.insert(
            "feature_nodes", {"id": each["featureSchemaId"], "rootId": node["featureSchemaId"]}
        )
