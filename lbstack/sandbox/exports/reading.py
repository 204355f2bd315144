"""What the lines of some data rows are made of, read in bulk (API reference 1.11).

Everything is read once for all rows of a turn: a line costs no query of its own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from lbstack.sandbox import workflow
from lbstack.sandbox.context import Context
from lbstack.sandbox.listing import Clause, both
from lbstack.sandbox.rows import metadata, storage
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS


@dataclass(frozen=True)
class Slice:
    """Some data rows with all that their lines tell.

    ``labels`` and ``benchmarks`` are by project and data row, ``standings`` by project and then by data
    row; ``people`` are e-mails, ``datasets`` and ``batches`` names, by id.
    """

    rows: Sequence[Row]
    projects: Mapping[str, Row]
    labels: Mapping[tuple[str, str], Sequence[Row]]
    standings: Mapping[str, Mapping[str, workflow.Standing]]
    people: Mapping[str, str]
    datasets: Mapping[str, str]
    batches: Mapping[str, str]
    activity: Mapping[str, str]
    attachments: Mapping[str, Sequence[Row]]
    metadata: Mapping[str, Sequence[Row]]
    reviews: Mapping[str, Sequence[Row]]
    benchmarks: Mapping[tuple[str, str], str]


def read(context: Context, rows: Sequence[Row], projects: Sequence[str] | None) -> Slice:
    """Read what belongs to ``rows``, of the projects with these ids; of all that hold a row with None."""
    ids = [row["id"] for row in rows]
    told = _projects(context, rows, projects)
    labels = _labels(context, ids, list(told))
    standings = {project: workflow.standings(context, project, ids) for project in told}
    reviews = _reviews(context, [label["id"] for label in labels])
    people = {row["createdById"] for row in [*rows, *labels, *reviews]}
    batches = {each.batch for found in standings.values() for each in found.values() if each.batch}
    return Slice(
        rows,
        told,
        _grouped(labels, lambda label: (label["projectId"], label["dataRowId"])),
        standings,
        _names(context, "users", "email", people),
        _names(context, "datasets", "name", {row["datasetId"] for row in rows}),
        _names(context, "batches", "name", batches),
        _activity(context, ids),
        _attachments(context, ids),
        _metadata(context, ids),
        _grouped(reviews, lambda review: review["labelId"]),
        _benchmarks(context, ids),
    )


def media_attributes(row: Row) -> dict[str, Any]:
    """Return what is known of a data row's asset, as ``DataRow.mediaAttributes`` tells it."""
    told: dict[str, Any] = storage.attributes(row)
    return told


def _projects(context: Context, rows: Sequence[Row], asked: Sequence[str] | None) -> dict[str, Row]:
    seen = both(
        Clause("organizationId = ? AND deleted = 0", [context.organization_id]), PROJECTS.visible(context)
    )
    if asked is None:
        holders = """id IN (SELECT projectId FROM project_rows
            WHERE dataRowId IN (SELECT value FROM json_each(?)) AND batchId IS NOT NULL
            UNION SELECT projectId FROM project_datasets
            WHERE datasetId IN (SELECT value FROM json_each(?)))"""
        datasets = json.dumps(sorted({row["datasetId"] for row in rows}))
        wanted = Clause(holders, [json.dumps([row["id"] for row in rows]), datasets])
    else:
        wanted = Clause("id IN (SELECT value FROM json_each(?))", [json.dumps(list(asked))])
    clause = both(wanted, seen)
    sql = f"SELECT * FROM projects WHERE {clause.sql} ORDER BY rowid"  # noqa: S608
    return {row["id"]: row for row in context.store.rows(sql, clause.params)}


def _labels(context: Context, ids: Sequence[str], projects: Sequence[str]) -> list[Row]:
    sql = """SELECT * FROM labels WHERE dataRowId IN (SELECT value FROM json_each(?)) AND deleted = 0
        AND +projectId IN (SELECT value FROM json_each(?)) ORDER BY rowid"""
    return context.store.rows(sql, [json.dumps(list(ids)), json.dumps(list(projects))])


def _activity(context: Context, ids: Sequence[str]) -> dict[str, str]:
    """When a row's labels changed last, the deleted ones included."""
    sql = """SELECT dataRowId, max(updatedAt) AS at FROM labels
        WHERE dataRowId IN (SELECT value FROM json_each(?)) GROUP BY dataRowId"""
    return {row["dataRowId"]: row["at"] for row in context.store.rows(sql, [json.dumps(list(ids))])}


def _attachments(context: Context, ids: Sequence[str]) -> dict[Any, list[Row]]:
    sql = """SELECT dataRowId, id, type, value, name FROM attachments
        WHERE dataRowId IN (SELECT value FROM json_each(?)) ORDER BY place"""
    return _grouped(context.store.rows(sql, [json.dumps(list(ids))]), lambda row: row["dataRowId"])


def _metadata(context: Context, ids: Sequence[str]) -> dict[str, list[Row]]:
    sql = """SELECT dataRowId, schemaId, value FROM data_row_metadata
        WHERE dataRowId IN (SELECT value FROM json_each(?)) ORDER BY place"""
    found = _grouped(context.store.rows(sql, [json.dumps(list(ids))]), lambda row: row["dataRowId"])
    known = metadata.schemas(context)
    return {
        ident: metadata.named_fields([_value(known, row) for row in rows]) for ident, rows in found.items()
    }


def _value(known: metadata.Schemas, row: Row) -> metadata.Value:
    schema, value = known.by_id[row["schemaId"]], json.loads(row["value"])
    option = known.by_id[value].name if schema.kind == metadata.ENUM else None
    return metadata.Value(schema.id, schema.name, schema.kind, value, option)


def _reviews(context: Context, labels: Sequence[str]) -> list[Row]:
    sql = """SELECT * FROM reviews WHERE labelId IN (SELECT value FROM json_each(?)) AND deleted = 0
        ORDER BY place"""
    return context.store.rows(sql, [json.dumps(list(labels))])


def _benchmarks(context: Context, ids: Sequence[str]) -> dict[tuple[str, str], str]:
    """The labels that the other labels of a row in a project are measured by."""
    sql = """SELECT projectId, dataRowId, labelId FROM benchmarks
        WHERE dataRowId IN (SELECT value FROM json_each(?))"""
    rows = context.store.rows(sql, [json.dumps(list(ids))])
    return {(row["projectId"], row["dataRowId"]): row["labelId"] for row in rows}


def _names(context: Context, table: str, column: str, ids: Set[str]) -> dict[str, str]:
    if not ids:
        return {}
    sql = f"SELECT id, {column} FROM {table} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
    return {row["id"]: row[column] for row in context.store.rows(sql, [json.dumps(sorted(ids))])}


def _grouped(rows: Iterable[Row], key: Any) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found
