"""Labels, as far as they matter to what is labelled with (API reference 1.11 and 3.3).

A label remembers which feature schemas its annotations use; an ontology then archives such a feature
where it would otherwise delete it.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lbstack.sandbox import workflow
from lbstack.sandbox.context import Context, Info, by_id, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.kinds.data_row import DATA_ROWS
from lbstack.sandbox.listing import PAGING, Clause, Table, both
from lbstack.sandbox.ontologies import storage, tree
from lbstack.sandbox.roles import LABEL
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS labels (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL,
        projectId TEXT NOT NULL, dataRowId TEXT NOT NULL, label TEXT NOT NULL, secondsToLabel REAL NOT NULL,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS labels_project ON labels (projectId, deleted)",
    "CREATE INDEX IF NOT EXISTS labels_data_row ON labels (dataRowId)",
)


def _visible(context: Context) -> Clause:
    projects = both(Clause("deleted = 0"), PROJECTS.visible(context))
    return Clause(f"projectId IN (SELECT id FROM projects WHERE {projects.sql})", projects.params)


LABELS = Table(
    "labels",
    "Label",
    {"id": "ID", "createdAt": "DateTime", "updatedAt": "DateTime", "deleted": "Boolean"},
    {
        "project": ("projectId", PROJECTS), "dataRow": ("dataRowId", DATA_ROWS),
        "createdBy": ("createdById", USERS),
    },
    soft=True,
    visible=_visible,
)  # fmt: skip

_IDS = ("featureSchemaId", "schemaId")
_NAMES = ("name", "title", "value")
_ORDERS = {"createdAt_ASC": "rowid", "createdAt_DESC": "rowid DESC"}

SDL = f"""
enum LabelOrderBy {{ createdAt_ASC createdAt_DESC }}
type Label {{
  id: ID!
  label: String!
  secondsToLabel: Float!
  agreement: Float
  benchmarkAgreement: Float
  isBenchmarkReference: Boolean!
  createdAt: DateTime!
  updatedAt: DateTime!
  deleted: Boolean!
  project: Project
  dataRow: DataRow
  createdBy: User
}}
{LABELS.where_sdl()}
input LabelRelationInput {{ connect: WhereUniqueIdInput! }}
input LabelCreateInput {{
  label: String!
  project: LabelRelationInput!
  dataRow: LabelRelationInput!
  secondsToLabel: Float
}}
extend type Query {{ label(where: WhereUniqueIdInput!): Label }}
extend type Project {{
  labelCount: Int!
  labels(where: LabelWhereInput, orderBy: LabelOrderBy, {PAGING}): [Label!]
}}
extend type DataRow {{ labels(where: LabelWhereInput, orderBy: LabelOrderBy, {PAGING}): [Label!] }}
extend type Mutation {{
  createLabel(data: LabelCreateInput!): Label
  deleteLabels(labelIds: [ID!]!): [Label!]
}}
"""


@mutation("createLabel", LABEL)
def _create(_: Any, info: Info, data: Row) -> Row:
    context = info.context
    project = context.find(PROJECTS, data["project"]["connect"]["id"])
    data_row = context.find(DATA_ROWS, data["dataRow"]["connect"]["id"])
    held = workflow.holds(context, project["id"], data_row)
    malformed_if(not held, f"Data row {data_row['id']} is not part of project {project['id']}")
    seconds = data.get("secondsToLabel") or 0.0
    malformed_if(not 0 <= seconds < float("inf"), "secondsToLabel must not be negative")
    body = {"label": data["label"], "secondsToLabel": seconds}
    row = {"projectId": project["id"], "dataRowId": data_row["id"], **body}
    used = _features(context, project["ontologyId"], data["label"])
    label = context.create(LABELS, {**row, "deleted": 0})
    for feature in sorted(used):
        context.store.insert("label_features", {"labelId": label["id"], "featureSchemaId": feature})
    context.store.update("projects", project["id"], {"lastActivityTime": context.now()})
    workflow.labelled(context, project["id"], data_row["id"])
    return label


def _features(context: Context, ontology: str | None, text: str) -> set[str]:
    """Return the feature schemas of the project's ontology that a label's JSON names, by id or by name."""
    try:
        told = set(_strings(json.loads(text)))
    except (ValueError, RecursionError):
        malformed_if(True, "label must be a JSON string")
    if ontology is None:
        return set()
    nodes = [node for member in storage.members(context, ontology) for node in tree.nodes(member.node)]
    ids = {value for key, value in told if key in _IDS}
    names = {value for key, value in told if key in _NAMES}
    return {
        str(node["featureSchemaId"])
        for node in nodes
        if node["featureSchemaId"] in ids or node.get("name", node.get("value")) in names
    }


def _strings(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, str):
                yield key, each
            else:
                yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


@mutation("deleteLabels", LABEL)
def _delete(_: Any, info: Info, labelIds: list[str]) -> list[Row]:  # noqa: N803
    context = info.context
    found = [context.find(LABELS, ident) for ident in dict.fromkeys(labelIds)]
    for label in found:
        context.store.run("DELETE FROM label_features WHERE labelId = ?", [label["id"]])
    deleted = [context.change(LABELS, label["id"], {"deleted": 1}) for label in found]
    for label in found:
        workflow.requeue(context, label["projectId"], label["dataRowId"])
    return deleted


def count_labels(context: Context, project: str) -> int:
    """Return how many labels a project has."""
    sql = "SELECT count(*) FROM labels WHERE projectId = ? AND deleted = 0"
    return int(context.store.value(sql, [project]))


def used_features(context: Context, project: str) -> set[str]:
    """Return the feature schemas that a project's labels use."""
    sql = """SELECT DISTINCT featureSchemaId FROM label_features
        WHERE labelId IN (SELECT id FROM labels WHERE projectId = ? AND deleted = 0)"""
    return {row["featureSchemaId"] for row in context.store.rows(sql, [project])}


def _labels(column: str) -> Any:
    def resolve(owner: Row, info: Info, orderBy: str | None = None, **page: Any) -> list[Row]:  # noqa: N803
        """List labels; without a filter on ``deleted`` only those that are left, as a project counts them."""
        context = info.context
        alive = "deleted" in json.dumps(page.get("where") or {})
        among = both(Clause(f"{column} = ?", [owner["id"]]), Clause("1" if alive else "deleted = 0"))
        return context.page(LABELS, **page, among=among, order=_ORDERS[orderBy or "createdAt_ASC"])

    return resolve


KIND = Kind(
    "label",
    SDL,
    TABLES,
    {
        "Query": {"label": by_id(LABELS)},
        "Mutation": {"createLabel": _create, "deleteLabels": _delete},
        "Project": {
            "labels": _labels("projectId"),
            "labelCount": lambda project, info: count_labels(info.context, project["id"]),
        },
        "DataRow": {"labels": _labels("dataRowId")},
        "Label": {
            "agreement": lambda *_: None,
            "benchmarkAgreement": lambda *_: None,
            "isBenchmarkReference": lambda *_: False,
            "project": to_one(PROJECTS, "projectId"),
            "dataRow": to_one(DATA_ROWS, "dataRowId"),
            "createdBy": to_one(USERS, "createdById"),
        },
    },
)
