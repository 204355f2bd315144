"""Labels: what one person, or one import, says of a data row in a project (API reference 1.11, 3.3 and 4).

A label remembers which feature schemas its annotations use; an ontology then archives such a feature
where it would otherwise delete it. How its annotations are kept: see ``sandbox/annotations``.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lbstack.sandbox import workflow
from lbstack.sandbox.annotations import keeping, written
from lbstack.sandbox.annotations.agreement import SKIPPED, SUBMITTED
from lbstack.sandbox.annotations.values import Told, is_sound
from lbstack.sandbox.context import Context, Info, by_id, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.kinds.data_row import DATA_ROWS
from lbstack.sandbox.listing import PAGING, Clause, Table, both, page_sql
from lbstack.sandbox.ontologies import storage, tree
from lbstack.sandbox.roles import LABEL
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS


def _visible(context: Context) -> Clause:
    projects = both(Clause("deleted = 0"), PROJECTS.visible(context))
    return Clause(f"projectId IN (SELECT id FROM projects WHERE {projects.sql})", projects.params)


LABEL_TYPES = Table("label_types", "LabelType", {"id": "ID", "name": "String"})
LABELS = Table(
    "labels",
    "Label",
    {
        "id": "ID", "createdAt": "DateTime", "updatedAt": "DateTime", "deleted": "Boolean",
        "agreement": "Float", "benchmarkAgreement": "Float", "secondsToLabel": "Float",
    },
    {
        "project": ("projectId", PROJECTS), "dataRow": ("dataRowId", DATA_ROWS),
        "createdBy": ("createdById", USERS), "type": ("typeId", LABEL_TYPES),
    },
    soft=True,
    visible=_visible,
)  # fmt: skip

_IDS = ("featureSchemaId", "schemaId", "feature_schema_id")
_NAMES = ("name", "title", "value")
_ORDERS = {
    "createdAt_ASC": "rowid", "createdAt_DESC": "rowid DESC", "updatedAt_ASC": "updatedAt, rowid",
    "updatedAt_DESC": "updatedAt DESC, rowid DESC",
}  # fmt: skip
_TYPES = {SUBMITTED: "Submitted", SKIPPED: "Skipped"}
_MOST_DELETED = 10_000
_LONGEST = 20_000_000  # characters of one label

SDL = f"""
enum LabelOrderBy {{ {" ".join(_ORDERS)} }}
type LabelType {{ id: ID!, name: String! }}
type Label {{
  id: ID!
  label: String!
  type: LabelType!
  secondsToLabel: Float!
  secondsToCreate: Float!
  secondsToReview: Float!
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
type LabelingActivity {{ selectedLabelId: ID }}
type BulkDeletedLabels {{ count: Int!, success: Boolean! }}
{LABEL_TYPES.where_sdl()}
{LABELS.where_sdl()}
{LABELS.where_sdl().replace("LabelWhereInput", "WhereBulkLabelDelete")}
input LabelRelationInput {{ connect: WhereUniqueIdInput! }}
input LabelCreateInput {{
  label: String!
  project: LabelRelationInput!
  dataRow: LabelRelationInput!
  type: LabelRelationInput
  secondsToLabel: Float
}}
input LabelUpdateInput {{ label: String, secondsToLabel: Float }}
input LabelingActivityWhereInput {{ projectId: ID! }}
extend type Query {{ label(where: WhereUniqueIdInput!): Label }}
extend type Project {{
  labelCount: Int!
  labels(where: LabelWhereInput, orderBy: LabelOrderBy, {PAGING}): [Label!]
}}
extend type DataRow {{
  labels(where: LabelWhereInput, orderBy: LabelOrderBy, {PAGING}): [Label!]
  labelingActivity(where: LabelingActivityWhereInput!): LabelingActivity
}}
extend type ProjectActions {{
  bulkDeleteLabels(
    where: WhereBulkLabelDelete, makeTemplates: Boolean, waitForQueue: Boolean, {PAGING}
  ): BulkDeletedLabels
}}
extend type Mutation {{
  createLabel(data: LabelCreateInput!): Label
  updateLabel(where: WhereUniqueIdInput!, data: LabelUpdateInput!): Label
  deleteLabels(labelIds: [ID!]!): [Label!]
}}
"""


@mutation("createLabel", LABEL)
def _create(_: Any, info: Info, data: Row) -> Row:
    """Label a data row of a project. ``label`` is any JSON: see ``annotations/written.py``."""
    context = info.context
    project = context.find(PROJECTS, data["project"]["connect"]["id"])
    data_row = context.find(DATA_ROWS, data["dataRow"]["connect"]["id"])
    held = workflow.holds(context, project["id"], data_row)
    malformed_if(not held, f"Data row {data_row['id']} is not part of project {project['id']}")
    type_id = (data.get("type") or {"connect": {"id": SUBMITTED}})["connect"]["id"]
    malformed_if(type_id not in _TYPES, f"Label type not found: {type_id}")
    body = _read(data["label"])
    annotations = written.read(keeping.judge_for(context, project, data_row), body)
    row = {"typeId": type_id, "secondsToLabel": _seconds(data)}
    used = _features(context, project["ontologyId"], body)
    return keeping.add(context, project, data_row, data["label"], annotations, used, **row)


@mutation("updateLabel", LABEL)
def _update(_: Any, info: Info, where: Row, data: Row) -> Row:
    """Replace what a label says, or how long it took; annotations that keep their ids stay what they are."""
    context = info.context
    label = context.find(LABELS, where["id"])
    project, data_row = (
        context.find(PROJECTS, label["projectId"]),
        context.find(DATA_ROWS, label["dataRowId"]),
    )
    malformed_if(not data or None in data.values(), "Nothing to update")
    seconds = {"secondsToLabel": _seconds(data)} if "secondsToLabel" in data else {}
    text = str(data.get("label", label["label"]))
    body, before = _read(text), json.loads(label["annotations"])
    if "label" in data:
        annotations = written.read(keeping.judge_for(context, project, data_row), body)
        _keep_masks(annotations, before)
    else:
        annotations = before
    used = _features(context, project["ontologyId"], body)
    return keeping.change(context, label, text, annotations, used, **seconds)


def _read(text: str) -> Any:
    """The JSON of a label. What cannot be printed again is refused: half a surrogate pair, an infinity."""
    malformed_if(len(text) > _LONGEST, f"label must not be longer than {_LONGEST} characters")
    try:
        body = json.loads(text)
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        good = is_sound(body)
    except (ValueError, RecursionError):
        good = False
    malformed_if(not good, "label must be a JSON string")
    return body


def _seconds(data: Row) -> float:
    seconds = data.get("secondsToLabel") or 0.0
    malformed_if(not 0 <= seconds < float("inf"), "secondsToLabel must not be negative")
    return float(seconds)


def _keep_masks(annotations: Told, before: Told) -> None:
    """A label's JSON names a mask by where it is shown; the image that was given stays the mask."""
    known = {each["feature_id"]: each["mask"] for each in before["objects"] if "mask" in each}
    for each in annotations["objects"]:
        shown = f"/masks/feature/{each['feature_id']}"
        if each["feature_id"] in known and each.get("mask", {}).get("uri", "").endswith(shown):
            each["mask"] = known[each["feature_id"]]


def _features(context: Context, ontology: str | None, body: Any) -> set[str]:
    """Return the feature schemas of the project's ontology that a label's JSON names, by id or by name."""
    told = set(_strings(body))
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
    """Delete labels; their data rows are labelled again (API reference 6.2)."""
    context = info.context
    malformed_if(len(labelIds) > _MOST_DELETED, f"At most {_MOST_DELETED} labels can be deleted at once")
    return keeping.remove(context, [context.find(LABELS, ident) for ident in dict.fromkeys(labelIds)])


@mutation("project.bulkDeleteLabels", LABEL)
def _bulk_delete(
    source: Row,
    info: Info,
    where: Row | None = None,
    makeTemplates: bool | None = None,  # noqa: N803
    waitForQueue: bool | None = None,  # noqa: N803
    skip: int | None = None,
    first: int | None = None,
) -> Row:
    """Delete one page of a project's labels, as many as can be at once when ``first`` is not told.

    The queue is always right when this answers, whether it was to be waited for or not.
    """
    context = info.context
    project = context.find(PROJECTS, source["id"])
    clause = both(Clause("projectId = ? AND deleted = 0", [project["id"]]), LABELS.where(where))
    page = page_sql(skip, _MOST_DELETED if first is None else first)
    sql = f"SELECT * FROM labels WHERE {clause.sql} ORDER BY rowid{page}"
    found = context.store.rows(sql, clause.params)
    keeping.remove(context, found, as_templates=bool(makeTemplates))
    return {"count": len(found), "success": True}


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


def _activity(data_row: Row, info: Info, where: Row) -> Row:
    """The winning label of a row in a project: the one the others agree with most, the oldest of equals."""
    context = info.context
    project = context.find(PROJECTS, where["projectId"])
    sql = """SELECT id FROM labels WHERE dataRowId = ? AND projectId = ? AND deleted = 0 AND typeId = ?
        ORDER BY agreement DESC, rowid LIMIT 1"""
    return {"selectedLabelId": context.store.value(sql, [data_row["id"], project["id"], SUBMITTED])}


def _is_reference(label: Row, info: Info) -> bool:
    return bool(info.context.store.value("SELECT 1 FROM benchmarks WHERE labelId = ?", [label["id"]]))


KIND = Kind(
    "label",
    SDL,
    keeping.TABLES,
    {
        "Query": {"label": by_id(LABELS)},
        "Mutation": {"createLabel": _create, "updateLabel": _update, "deleteLabels": _delete},
        "ProjectActions": {"bulkDeleteLabels": _bulk_delete},
        "Project": {
            "labels": _labels("projectId"),
            "labelCount": lambda project, info: count_labels(info.context, project["id"]),
        },
        "DataRow": {"labels": _labels("dataRowId"), "labelingActivity": _activity},
        "Label": {
            "type": lambda label, _: {"id": label["typeId"], "name": _TYPES[label["typeId"]]},
            "secondsToCreate": lambda label, _: label["secondsToLabel"],
            "isBenchmarkReference": _is_reference,
            "project": to_one(PROJECTS, "projectId"),
            "dataRow": to_one(DATA_ROWS, "dataRowId"),
            "createdBy": to_one(USERS, "createdById"),
        },
    },
)
