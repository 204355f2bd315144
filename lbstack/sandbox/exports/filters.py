"""Which data rows an export holds: the search queries of the vendor's client (API reference 1.11).

A query is a list of conditions that must all hold. It is a search: what is asked for by an id that
nobody knows is not found, and that is no error.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lbstack.sandbox import workflow
from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import MalformedError, malformed_if
from lbstack.sandbox.exports.times import stored, zone_named
from lbstack.sandbox.listing import Clause, both
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS

_MOST_IDS = 2_000
_MOST_CONDITIONS = 100

# What happens to a row and to its labels; the correlated query is answered by an index.
LAST_ACTIVITY = """max(data_rows.updatedAt,
    coalesce((SELECT max(labels.updatedAt) FROM labels WHERE dataRowId = data_rows.id), ''))"""

_QUEUES = {"InReview": workflow.REVIEW, "InRework": workflow.REWORK}
_BATCHED = """SELECT dataRowId FROM project_rows
    WHERE organizationId = ? AND batchId IN (SELECT value FROM json_each(?))"""
_IN_QUEUE = """queueId IN (SELECT id FROM task_queues
    WHERE projectId = project_rows.projectId AND queueType = ?)"""
_BETWEEN, _FROM, _UNTIL = "BETWEEN", "GREATER_THAN_OR_EQUAL", "LESS_THAN_OR_EQUAL"


def search(context: Context, project: str | None, query: Any) -> Clause:
    """Return the condition, on ``data_rows``, of a search query; ``project`` is the one that is exported.

    Refuses with MALFORMED_REQUEST what is no query.
    """
    malformed_if(not isinstance(query, list | None), "searchQuery.query must be a list")
    conditions = query or []
    malformed_if(len(conditions) > _MOST_CONDITIONS, f"At most {_MOST_CONDITIONS} filters")
    return both(*(_condition(context, project, each) for each in conditions))


def _condition(context: Context, project: str | None, item: Any) -> Clause:
    malformed_if(not isinstance(item, dict), "A filter must be an object")
    kind = item.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise MalformedError(f"Unknown filter type: {kind}")
    make, keys = _KINDS[kind]
    unknown = sorted(set(item) - keys - {"type"})
    malformed_if(bool(unknown), f"Filter {kind} has no field {', '.join(unknown)}")
    return make(context, project, item)


def _by_ids(sql: str) -> Callable[[Context, str | None, Row], Clause]:
    """Return how a filter by ids is read; ``sql`` compares something with the ids, a JSON list."""

    def read(context: Context, _: str | None, item: Row) -> Clause:
        kind, ids = item["type"], item.get("ids")
        malformed_if(item.get("operator") != "is", f"Filter {kind} knows the operator is only")
        good = isinstance(ids, list) and bool(ids) and all(isinstance(each, str) for each in ids)
        malformed_if(not good, f"Filter {kind} expects a non-empty list of ids")
        assert isinstance(ids, list)
        malformed_if(len(ids) > _MOST_IDS, f"Filter {kind} only supports a max of {_MOST_IDS} items")
        return Clause(sql, [context.organization_id, json.dumps(ids)])

    return read


def _in_batches(context: Context, project: str | None, item: Row) -> Clause:
    found = _by_ids(_BATCHED)(context, project, item)
    if project is None:
        return Clause(f"id IN ({found.sql})", found.params)
    return Clause(f"id IN ({found.sql} AND projectId = ?)", [*found.params, project])


def _queue_status(context: Context, project: str | None, item: Row) -> Clause:
    status = item.get("status")
    if status == "Done":
        return _standing(context, project, "queueId IS NULL")
    if not isinstance(status, str) or status not in _QUEUES:
        raise MalformedError(f"Unknown task queue status: {status}")
    return _standing(context, project, _IN_QUEUE, _QUEUES[status])


def _not_queued(context: Context, project: str | None, item: Row) -> Clause:
    """What is still to be labelled: in the labeling queue, with or without a record of it."""
    _require_project(project, item["type"])
    assert project is not None
    sql = "id NOT IN (SELECT dataRowId FROM project_rows WHERE projectId = ? AND queueId IS NOT ?)"
    return Clause(sql, [project, workflow.queue_id(context, project, workflow.LABELING)])


def _standing(context: Context, project: str | None, sql: str, *params: str) -> Clause:
    _require_project(project, "task_queue_status")
    mine = f"id IN (SELECT dataRowId FROM project_rows WHERE projectId = ? AND {sql})"  # noqa: S608
    return Clause(mine, [project, *params])


def _require_project(project: str | None, kind: str) -> None:
    malformed_if(project is None, f"Filter {kind} is for exports of a project")


def _last_activity(context: Context, project: str | None, item: Row) -> Clause:
    return _in_range(LAST_ACTIVITY, item)


def _labelled_at(context: Context, project: str | None, item: Row) -> Clause:
    made = both(Clause("deleted = 0"), _in_range("createdAt", item))
    if project is not None:
        mine = both(Clause("projectId = ?", [project]), made)
        return Clause(f"id IN (SELECT dataRowId FROM labels WHERE {mine.sql})", mine.params)  # noqa: S608
    seen = both(Clause("deleted = 0"), PROJECTS.visible(context))
    within = Clause(f"projectId IN (SELECT id FROM projects WHERE {seen.sql})", seen.params)  # noqa: S608
    mine = both(Clause("dataRowId = data_rows.id"), made, within)
    return Clause(f"EXISTS (SELECT 1 FROM labels WHERE {mine.sql})", mine.params)  # noqa: S608


def _in_range(column: str, item: Row) -> Clause:
    """Return the condition that a time lies in the range that a filter's ``value`` tells."""
    kind = item["type"]
    told = _fields(item.get("value"), ("operator", "timezone", "value"), f"Filter {kind} expects a range")
    zone, operator, value = zone_named(told.get("timezone") or "UTC"), told.get("operator"), told.get("value")
    if operator == _FROM:
        return Clause(f"{column} >= ?", [stored(value, zone)])
    if operator == _UNTIL:
        return Clause(f"{column} <= ?", [stored(value, zone)])
    malformed_if(operator != _BETWEEN, f"Unknown operator of filter {kind}: {operator}")
    ends = _fields(value, ("min", "max"), f"Filter {kind} expects min and max")
    times = [stored(ends.get(end), zone) for end in ("min", "max")]
    return Clause(f"{column} BETWEEN ? AND ?", times)


def _fields(value: Any, keys: tuple[str, ...], message: str) -> Row:
    """Return an object that has these keys and no others; refuse everything else."""
    if not isinstance(value, dict) or set(value) - set(keys):
        raise MalformedError(message)
    return value


_IDS, _RANGE = {"ids", "operator"}, {"value"}
_KINDS: dict[str, tuple[Callable[[Context, str | None, Row], Clause], set[str]]] = {
    "data_row_id": (_by_ids("organizationId = ? AND id IN (SELECT value FROM json_each(?))"), _IDS),
    "global_key": (_by_ids("organizationId = ? AND globalKey IN (SELECT value FROM json_each(?))"), _IDS),
    "dataset": (_by_ids("organizationId = ? AND datasetId IN (SELECT value FROM json_each(?))"), _IDS),
    "batch": (_in_batches, _IDS),
    "data_row_last_activity_at": (_last_activity, _RANGE),
    "labeled_at": (_labelled_at, _RANGE),
    "task_queue_status": (_queue_status, {"status"}),
    "task_queue_not_exist": (_not_queued, set()),
}
