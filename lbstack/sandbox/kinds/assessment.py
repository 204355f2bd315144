"""What is thought of labels: reviews and benchmarks (API reference 1.11, 1.7, 2.1 and 6.2)."""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lbstack.sandbox import events, workflow
from lbstack.sandbox.annotations import agreement, keeping, versions
from lbstack.sandbox.context import Context, Info, by_id, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import ConflictError, NotFoundError, malformed_if
from lbstack.sandbox.kinds.label import LABELS
from lbstack.sandbox.kinds.session import the_organization
from lbstack.sandbox.listing import PAGING, Clause, Table, both
from lbstack.sandbox.roles import LABEL, MANAGE_PROJECTS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS reviews (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, projectId TEXT NOT NULL, labelId TEXT NOT NULL, score REAL NOT NULL,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS reviews_label ON reviews (labelId)",
    """CREATE TRIGGER IF NOT EXISTS reviewed_label_is_gone AFTER DELETE ON labels BEGIN
        DELETE FROM reviews WHERE labelId = OLD.id; END""",
)


def _visible(context: Context) -> Clause:
    projects = both(Clause("deleted = 0"), PROJECTS.visible(context))
    return Clause(f"projectId IN (SELECT id FROM projects WHERE {projects.sql})", projects.params)


REVIEWS = Table(
    "reviews",
    "Review",
    {"id": "ID", "score": "Float", "createdAt": "DateTime", "updatedAt": "DateTime", "deleted": "Boolean"},
    {"createdBy": ("createdById", USERS), "label": ("labelId", LABELS)},
    soft=True,
    visible=_visible,
)
BENCHMARKS = Table("benchmarks", "Benchmark", visible=_visible)
_HIGHEST = 1e6

SDL = f"""
type Review {{
  id: ID!
  score: Float!
  createdAt: DateTime!
  updatedAt: DateTime!
  deleted: Boolean!
  createdBy: User
  organization: Organization!
  project: Project
  label: Label
}}
type Benchmark {{
  id: ID!
  averageAgreement: Float
  completedCount: Int!
  createdAt: DateTime!
  lastActivity: DateTime
  createdBy: User
  referenceLabel: Label
}}
{REVIEWS.where_sdl()}
enum ReviewNetScore {{ None Negative Zero Positive }}
type LabelAggregate {{ count: Int! }}
type ReviewMetrics {{ labelAggregate(netScore: ReviewNetScore): LabelAggregate }}
input ReviewCreateInput {{ score: Float!, label: LabelRelationInput!, project: LabelRelationInput! }}
input ReviewUpdateInput {{ score: Float, deleted: Boolean }}
input BenchmarkLabelInput {{ labelId: ID! }}
extend type Label {{ reviews(where: ReviewWhereInput, {PAGING}): [Review!] }}
extend type Project {{
  reviews(where: ReviewWhereInput, {PAGING}): [Review!]
  benchmarks({PAGING}): [Benchmark!]
  reviewMetrics: ReviewMetrics
}}
extend type Query {{
  review(where: WhereUniqueIdInput!): Review
  benchmark(where: WhereUniqueIdInput!): Benchmark
}}
extend type Mutation {{
  createReview(data: ReviewCreateInput!): Review
  updateReview(where: WhereUniqueIdInput!, data: ReviewUpdateInput!): Review
  createBenchmark(data: BenchmarkLabelInput!): Benchmark
  deleteBenchmark(where: BenchmarkLabelInput!): Benchmark
}}
"""


@mutation("createReview", LABEL)
def _create_review(_: Any, info: Info, data: Row) -> Row:
    """Review a label: a positive score approves it, a negative one sends its row to rework."""
    context = info.context
    label = context.find(LABELS, data["label"]["connect"]["id"])
    project = context.find(PROJECTS, data["project"]["connect"]["id"])
    malformed_if(
        label["projectId"] != project["id"], f"Label {label['id']} is not of project {project['id']}"
    )
    row = {"projectId": project["id"], "labelId": label["id"], "score": _score(data["score"])}
    review = context.create(REVIEWS, {**row, "deleted": 0})
    _decide(context, label, review["score"])
    return _told(context, review, "REVIEW_CREATED")


@mutation("updateReview", LABEL)
def _update_review(_: Any, info: Info, where: Row, data: Row) -> Row:
    """Change a review's score, or delete it: ``deleted: true`` is how a review goes (6.2)."""
    context = info.context
    review = context.find(REVIEWS, where["id"])
    malformed_if(not data or None in data.values(), "Nothing to update")
    malformed_if(data.get("deleted") is False, "A review that was deleted cannot be restored")
    changes = {"score": _score(data["score"])} if "score" in data else {}
    if data.get("deleted"):
        gone = context.change(REVIEWS, review["id"], {**changes, "deleted": 1})
        return _told(context, gone, "REVIEW_DELETED")
    changed = context.change(REVIEWS, review["id"], changes)
    _decide(context, context.find(LABELS, review["labelId"]), changed["score"])
    return _told(context, changed, "REVIEW_UPDATED")


def _decide(context: Context, label: Row, score: float) -> None:
    """Move the data row as the reviewer decided; a score of zero decides nothing."""
    if score:
        stage = versions.stage(context, label["projectId"], label["dataRowId"])
        versions.record(context, label, "APPROVED" if score > 0 else "REJECTED", stage=stage)
        workflow.reviewed(context, label["projectId"], label["dataRowId"], score)


def _score(score: float) -> float:
    malformed_if(not abs(score) <= _HIGHEST, "score must be a number")
    return float(score)


def _told(context: Context, review: Row, event: str) -> Row:
    """Tell webhooks of a review: what they hear of its label, and the review itself."""
    label = context.store.row("SELECT * FROM labels WHERE id = ?", [review["labelId"]])
    if label is not None:
        same = {key: review[key] for key in ("id", "score", "createdAt", "updatedAt")}
        reviewer = {"createdBy": {"email": _email(context, review["createdById"])}}
        body = {**keeping.label_event(context, label), "review": same | reviewer}
        events.tell(context, event, review["projectId"], body)
    return review


def _email(context: Context, user: str) -> str | None:
    found: str | None = context.store.value("SELECT email FROM users WHERE id = ?", [user])
    return found


@mutation("createBenchmark", MANAGE_PROJECTS)
def _create_benchmark(_: Any, info: Info, data: Row) -> Row:
    """Make a label the one that others of its data row are measured by; there is one a row."""
    context = info.context
    label = context.find(LABELS, data["labelId"])
    sql = "SELECT labelId FROM benchmarks WHERE projectId = ? AND dataRowId = ?"
    found = context.store.value(sql, [label["projectId"], label["dataRowId"]])
    if found is not None:
        raise ConflictError(f"Data row {label['dataRowId']} has a benchmark already: label {found}")
    return set_benchmark(context, label)


def set_benchmark(context: Context, label: Row) -> Row:
    """Make a label its data row's reference, instead of the one before; measure the others by it."""
    place = [label["projectId"], label["dataRowId"]]
    context.store.run("DELETE FROM benchmarks WHERE projectId = ? AND dataRowId = ?", place)
    row = {"labelId": label["id"], "projectId": label["projectId"], "dataRowId": label["dataRowId"]}
    made = context.create(BENCHMARKS, row)
    agreement.renew(context, *place)
    return made


@mutation("deleteBenchmark", MANAGE_PROJECTS)
def _delete_benchmark(_: Any, info: Info, where: Row) -> Row:
    """Make a label one among others again."""
    context = info.context
    label = context.find(LABELS, where["labelId"])
    found = context.store.row("SELECT * FROM benchmarks WHERE labelId = ?", [label["id"]])
    if found is None:
        raise NotFoundError(f"Benchmark not found: label {label['id']}")
    context.touch(found["id"])
    context.store.run("DELETE FROM benchmarks WHERE id = ?", [found["id"]])
    agreement.renew(context, label["projectId"], label["dataRowId"])
    return found


def _others(benchmark: Row, info: Info) -> Row:
    """How many labels a benchmark measured, how alike they are in the mean, and when the last came."""
    sql = """SELECT count(*) AS count, avg(benchmarkAgreement) AS mean, max(updatedAt) AS last FROM labels
        WHERE dataRowId = ? AND projectId = ? AND deleted = 0 AND id <> ? AND typeId = ?"""
    place = [benchmark["dataRowId"], benchmark["projectId"], benchmark["labelId"], agreement.SUBMITTED]
    return info.context.store.row(sql, place) or {}


def _reviews(column: str) -> Any:
    def resolve(owner: Row, info: Info, where: Row | None = None, **page: Any) -> Sequence[Row]:
        """List reviews; without a filter on ``deleted`` only those that are left."""
        alive = Clause("1" if "deleted" in str(where) else "deleted = 0")
        among = both(Clause(f"{column} = ?", [owner["id"]]), alive)
        return info.context.page(REVIEWS, where, **page, among=among)

    return resolve


def _benchmarks(project: Row, info: Info, **page: Any) -> list[Row]:
    return info.context.page(BENCHMARKS, **page, among=Clause("projectId = ?", [project["id"]]))


def _aggregate(metrics: Row, info: Info, netScore: str | None = None) -> Row:  # noqa: N803
    """How many labels of a project have this net score; ``None`` counts those nobody reviewed."""
    meant = {"Negative": "< 0", "Zero": "= 0", "Positive": "> 0"}.get(netScore or "", "IS NULL")
    sql = f"""SELECT count(*) FROM (SELECT sum(r.score) AS net FROM labels l
        LEFT JOIN reviews r ON r.labelId = l.id AND r.deleted = 0
        WHERE l.projectId = ? AND l.deleted = 0 GROUP BY l.id HAVING net {meant})"""
    return {"count": info.context.store.value(sql, [metrics["projectId"]])}


KIND = Kind(
    "assessment",
    SDL,
    TABLES,
    {
        "Query": {"review": by_id(REVIEWS), "benchmark": by_id(BENCHMARKS)},
        "Mutation": {
            "createReview": _create_review,
            "updateReview": _update_review,
            "createBenchmark": _create_benchmark,
            "deleteBenchmark": _delete_benchmark,
        },
        "Label": {"reviews": _reviews("labelId")},
        "Project": {
            "reviews": _reviews("projectId"),
            "benchmarks": _benchmarks,
            "reviewMetrics": lambda project, _: {"projectId": project["id"]},
        },
        "ReviewMetrics": {"labelAggregate": _aggregate},
        "Review": {
            "createdBy": to_one(USERS, "createdById"),
            "organization": the_organization,
            "project": to_one(PROJECTS, "projectId"),
            "label": to_one(LABELS, "labelId"),
        },
        "Benchmark": {
            "averageAgreement": lambda benchmark, info: _others(benchmark, info)["mean"],
            "completedCount": lambda benchmark, info: _others(benchmark, info)["count"],
            "lastActivity": lambda benchmark, info: _others(benchmark, info)["last"],
            "createdBy": to_one(USERS, "createdById"),
            "referenceLabel": to_one(LABELS, "labelId"),
        },
    },
)
