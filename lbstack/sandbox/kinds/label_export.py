"""The older export of a project's labels: one JSON file, made anew at most every half an hour.

API reference 1.11; S3 prints the file's form and S4 tells the rule: who asks again sooner gets the same
URL and the same time. While the file is being made there is no URL yet, and the client should ask again.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import IO, Any
from urllib.parse import urlsplit

from lbstack.sandbox import files, jobs, workflow
from lbstack.sandbox.annotations import features
from lbstack.sandbox.annotations.agreement import SKIPPED
from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.exports import legacy, masks, tokens
from lbstack.sandbox.exports.reading import Slice, read
from lbstack.sandbox.exports.times import stored
from lbstack.sandbox.jobs import Job
from lbstack.sandbox.listing import Clause, both
from lbstack.sandbox.roles import VIEW_WORKSPACE
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS

TABLES = (
    """CREATE TABLE IF NOT EXISTS label_exports (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL,
        projectId TEXT NOT NULL, filters TEXT NOT NULL, url TEXT, createdAt TEXT NOT NULL,
        updatedAt TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS label_exports_asked ON label_exports (projectId, filters)",
)

JOB = "export-labels"
_FREQUENCY = timedelta(minutes=30)
_LABELS_A_TURN = 1_000
_IN_MEMORY = 10_000_000  # bytes
_EDITOR = "https://editor.labelbox.com"

SDL = """
type LabelExport { downloadUrl: String, createdAt: DateTime!, shouldPoll: Boolean! }
input LabelExportRangeInput { start: String, end: String }
input LabelExportFiltersInput {
  labelCreatedAt: LabelExportRangeInput
  lastActivityAt: LabelExportRangeInput
}
input LabelExportInput { projectId: ID!, filters: LabelExportFiltersInput }
extend type Mutation { exportLabels(data: LabelExportInput!): LabelExport }
"""


@mutation("exportLabels", VIEW_WORKSPACE)
def _export(_: Any, info: Info, data: Row) -> Row:
    """Return the export that there is, or begin one."""
    context = info.context
    project = context.find(PROJECTS, data["projectId"])
    wanted = json.dumps(_filters(data.get("filters") or {}), sort_keys=True)
    sql = "SELECT * FROM label_exports WHERE projectId = ? AND filters = ?"
    have = context.store.row(sql, [project["id"], wanted])
    if have is not None and (have["url"] is None or _is_fresh(have["createdAt"], context.now())):
        return _answer(context, have)
    if have is not None:
        context.store.run("DELETE FROM label_exports WHERE id = ?", [have["id"]])
    tokens.prepare(context)
    row = {
        "id": context.new_id(), "organizationId": context.organization_id, "createdById": context.user["id"],
        "projectId": project["id"], "filters": wanted, "url": None, "createdAt": context.now(),
        "updatedAt": context.now(),
    }  # fmt: skip
    context.insert("label_exports", row)
    jobs.enqueue(context, JOB, {"id": row["id"]})
    return _answer(context, row)


def _filters(told: Row) -> dict[str, list[str | None]]:
    """Read the ranges of times; a range without ends is none."""
    found = {}
    for name in ("labelCreatedAt", "lastActivityAt"):
        ends = told.get(name) or {}
        pair = [stored(ends[end]) if ends.get(end) is not None else None for end in ("start", "end")]
        if any(pair):
            found[name] = pair
    return found


def _is_fresh(made: str, now: str) -> bool:
    return datetime.fromisoformat(now) - datetime.fromisoformat(made) < _FREQUENCY


def _answer(context: Context, row: Row) -> Row:
    url = row["url"] and context.base + urlsplit(row["url"]).path  # it may be served on another port by now
    return {"downloadUrl": url, "createdAt": row["createdAt"], "shouldPoll": url is None}


def _prepare(context: Context, payload: Row) -> IO[bytes] | None:
    """Write the file: an array with an entry for every label."""
    with context.store.snapshot():
        export = context.store.row("SELECT * FROM label_exports WHERE id = ?", [payload["id"]])
        if export is None:
            return None
        file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed once it is kept
        separator = b"["
        for entry in _Writer(context, export).entries():
            file.write(separator + json.dumps(entry, allow_nan=False).encode())
            separator = b",\n"
        file.write(b"]" if separator != b"[" else b"[]")
        file.seek(0)
        return file


def _run(context: Context, payload: Row, file: IO[bytes] | None) -> None:
    if file is None:
        return
    with file:
        url = files.save(context, f"{payload['id']}.json", file, "application/json")
    changes = {"url": url, "updatedAt": context.now()}
    context.store.update("label_exports", payload["id"], changes)


def _failed(context: Context, payload: Row, message: str) -> None:
    """Forget an export that failed: who asks next begins another."""
    context.store.run("DELETE FROM label_exports WHERE id = ?", [payload["id"]])


class _Writer:
    """Makes the entries of one export."""

    def __init__(self, context: Context, export: Row) -> None:
        self._context = context
        self._project = context.find(PROJECTS, export["projectId"])
        self._filters: dict[str, list[str | None]] = json.loads(export["filters"])
        token = tokens.issue(context, export["createdAt"])
        self._roots = features.roots(context, self._project["ontologyId"])
        self._mask_url = lambda feature: masks.legacy_url(context.base, feature, token)

    def entries(self) -> Iterator[Row]:
        """Return the labels, oldest first."""
        place = 0
        while labels := self._labels(place):
            place = labels[-1]["place"]
            ids = json.dumps(sorted({label["dataRowId"] for label in labels}))
            sql = "SELECT * FROM data_rows WHERE id IN (SELECT value FROM json_each(?))"
            rows = {row["id"]: row for row in self._context.store.rows(sql, [ids])}
            found = read(self._context, list(rows.values()), [self._project["id"]])
            for label in labels:
                if label["dataRowId"] in rows:
                    yield self._entry(label, rows[label["dataRowId"]], found)

    def _labels(self, place: int) -> list[Row]:
        ranges = [
            _between(column, self._filters.get(name))
            for name, column in (("labelCreatedAt", "createdAt"), ("lastActivityAt", "updatedAt"))
        ]
        mine = Clause("projectId = ? AND deleted = 0 AND rowid > ?", [self._project["id"], place])
        clause = both(mine, *ranges)
        sql = f"SELECT rowid AS place, * FROM labels WHERE {clause.sql} ORDER BY rowid LIMIT {_LABELS_A_TURN}"
        return self._context.store.rows(sql, clause.params)

    def _entry(self, label: Row, row: Row, found: Slice) -> Row:
        standing = found.standings[self._project["id"]].get(row["id"])
        return {
            "ID": label["id"],
            "DataRow ID": row["id"],
            "Labeled Data": row["rowData"],
            "Label": legacy.label(
                json.loads(label["annotations"]), label["label"], self._roots, self._mask_url
            ),
            "Created By": found.people.get(label["createdById"]),
            "Project Name": self._project["name"],
            "Created At": label["createdAt"],
            "Updated At": label["updatedAt"],
            "Seconds to Label": label["secondsToLabel"],
            "External ID": row["externalId"],
            "Agreement": _rate(label["agreement"]),
            "Benchmark Agreement": _rate(label["benchmarkAgreement"]),
            "Benchmark ID": found.benchmarks.get((label["projectId"], row["id"])),
            "Dataset Name": found.datasets.get(row["datasetId"]),
            "Reviews": [_review(each, found) for each in found.reviews.get(label["id"], ())],
            "View Label": f"{_EDITOR}?project={self._project['id']}&label={label['id']}",
            "Has Open Issues": 0,
            "Skipped": label["typeId"] == SKIPPED,
            "DataRow Workflow Info": _workflow(standing),
        }


def _between(column: str, ends: list[str | None] | None) -> Clause:
    start, end = ends or (None, None)
    told = [(f"{column} >= ?", start), (f"{column} <= ?", end)]
    return both(*(Clause(sql, [time]) for sql, time in told if time is not None))


def _rate(value: float | None) -> float:
    """An agreement that was never measured is told as -1."""
    return -1 if value is None else value


def _review(review: Row, found: Slice) -> Row:
    return {
        "id": review["id"],
        "score": review["score"],
        "createdAt": review["createdAt"],
        "createdBy": found.people.get(review["createdById"]),
        "labelId": review["labelId"],
    }


def _workflow(standing: workflow.Standing | None) -> Row:
    queue = standing and standing.queue
    return {"taskName": queue["name"] if queue else "Done", "Workflow History": []}


KIND = Kind(
    "label_export",
    SDL,
    TABLES,
    {"Mutation": {"exportLabels": _export}},
    jobs={JOB: Job(_run, _prepare, _failed)},
)
