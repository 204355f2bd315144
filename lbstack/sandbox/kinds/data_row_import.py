"""Imports of data rows: from the vendor's manifests, and from legacy JSON files (API reference 1.1, 1.8).

An import is a task. That some of its rows are refused does not make it fail: it is complete, and tells
which (6.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lbstack.sandbox import files
from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import MalformedError, malformed_if
from lbstack.sandbox.jobs import Job, Later, enqueue
from lbstack.sandbox.kinds import task as tasks
from lbstack.sandbox.kinds.task import TASKS
from lbstack.sandbox.roles import MANAGE_DATASETS
from lbstack.sandbox.rows import importing, spec
from lbstack.sandbox.rows.importing import TABLES
from lbstack.sandbox.rows.spec import Item
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import DATASETS

MOST_ROWS = 150_000  # of one task (5.7)
_MOST_SYNC = 1_000
_MOST_CHUNKS = 10_000
_MOST_PAGED = 5_000
_TURN = 2_000
_JOB = "import-data-rows"

SDL = """
input UpsertDataRowsInput { manifestUri: String! }
input AppendRowsToDatasetInput { datasetId: ID!, jsonFileUrl: String! }
input DataRowImportResultsInput { taskId: ID!, first: Int, from: String }
type AppendedRows { accepted: Boolean!, taskId: ID, errorMessage: String }
type AppendedRowsSync { dataset: Dataset }
type ImportedDataRow { id: ID!, externalId: String, globalKey: String, rowData: String! }
type ImportedDataRows { nodes: [ImportedDataRow!]!, after: String, total: Int! }
type FailedDataRowMetadata { schemaId: String, name: String, value: Json }
type FailedDataRowAttachment { type: String, value: String, name: String }
"What was said about a row that failed. A page of 5,000 failures must be light: few have either list."
type FailedDataRowSpec {
  externalId: String
  globalKey: String
  rowData: String
  metadata: [FailedDataRowMetadata!]! @listSize(assumedSize: 0)
  attachments: [FailedDataRowAttachment!]! @listSize(assumedSize: 0)
}
type FailedDataRow { message: String!, spec: FailedDataRowSpec! }
type FailedDataRows { results: [FailedDataRow!]!, after: String, total: Int! }
extend type Query {
  successesfulDataRowImports(data: DataRowImportResultsInput!): ImportedDataRows
  failedDataRowImports(data: DataRowImportResultsInput!): FailedDataRows
}
extend type Mutation {
  upsertDataRows(data: UpsertDataRowsInput!): Task
  appendRowsToDataset(data: AppendRowsToDatasetInput!): AppendedRows
  appendRowsToDatasetSync(data: AppendRowsToDatasetInput!): AppendedRowsSync
}
"""


@mutation("upsertDataRows", MANAGE_DATASETS)
def _upsert(_: Any, info: Info, data: Row) -> Row:
    """Begin the import that a manifest describes; chunks and rows are read later."""
    context = info.context
    malformed_if(not _is_url(data["manifestUri"]), "manifestUri must be a URL")
    task = tasks.begin(context, "adv-upsert-data-rows", "Upsert data rows")
    enqueue(context, _JOB, {"taskId": task["id"], "manifestUri": data["manifestUri"]})
    return task


@mutation("appendRowsToDataset", MANAGE_DATASETS)
def _append(_: Any, info: Info, data: Row) -> Row:
    """Begin the import of a JSON file of rows; refuse to when there can be no such file."""
    context = info.context
    dataset = context.find(DATASETS, data["datasetId"])
    if not _is_url(data["jsonFileUrl"]):
        return {"accepted": False, "taskId": None, "errorMessage": "jsonFileUrl must be a URL"}
    task = tasks.begin(context, "json-import", "JSON Import")
    job = {"taskId": task["id"], "jsonFileUrl": data["jsonFileUrl"], "datasetId": dataset["id"]}
    enqueue(context, _JOB, job)
    return {"accepted": True, "taskId": task["id"], "errorMessage": None}


def _append_sync(_: Any, info: Info, data: Row) -> Row:
    """Import a JSON file of up to 1,000 rows before answering: all of them or, if one is wrong, none."""
    context = info.context
    context.require(MANAGE_DATASETS)
    dataset = context.find(DATASETS, data["datasetId"])
    items = [spec.plain_item(context, raw) for raw in _rows_of(context, data["jsonFileUrl"])]
    malformed_if(len(items) > _MOST_SYNC, f"At most {_MOST_SYNC} data rows can be appended at once")
    with context.writing("appendRowsToDatasetSync", data):
        work = importing.Import(context)
        for item in items:
            work.take(item, dataset["id"])
        work.finish()
        return {"dataset": context.find(DATASETS, dataset["id"])}


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _rows_of(context: Context, url: str) -> list[Any]:
    rows = spec.load(files.read(context, url), url)
    if not isinstance(rows, list):
        raise MalformedError(f"{url} is not a JSON list of data rows")
    return rows


def _prepare(context: Context, job: Row) -> tuple[Sequence[Item], Row | None, float]:
    """Read the items of one turn; return them, where the next turn goes on, and the share that is done."""
    chunks, total = _chunks(context, job)
    chunk, offset = job.get("chunk", 0), job.get("offset", 0)
    if chunk >= len(chunks):
        return [], None, 1.0
    rows = _rows_of(context, chunks[chunk])
    done = job.get("done", 0)
    malformed_if(
        done + len(rows) - offset > MOST_ROWS, f"At most {MOST_ROWS} data rows can be imported at once"
    )
    turn = rows[offset : offset + _TURN]
    read = spec.plain_item if "datasetId" in job else spec.item
    more = offset + len(turn) < len(rows)
    place = {"chunk": chunk, "offset": offset + len(turn)} if more else {"chunk": chunk + 1, "offset": 0}
    later = {**job, **place, "done": done + len(turn)}
    ended = place["chunk"] >= len(chunks)
    share = (done + len(turn)) / max(total or len(rows), done + len(turn), 1)
    return [read(context, raw) for raw in turn], None if ended else later, share


def _chunks(context: Context, job: Row) -> tuple[list[str], int]:
    """The files that hold the rows of an import, and how many rows there are said to be."""
    if "jsonFileUrl" in job:
        return [job["jsonFileUrl"]], 0
    manifest = spec.load(files.read(context, job["manifestUri"]), "The manifest")
    malformed_if(not isinstance(manifest, dict), "The manifest must be a JSON object")
    chunks, number = manifest.get("chunk_uris"), manifest.get("item_count")
    urls = isinstance(chunks, list) and all(isinstance(each, str) for each in chunks)
    malformed_if(not urls or len(chunks) > _MOST_CHUNKS, "chunk_uris must be a list of URLs")
    counted = isinstance(number, int) and not isinstance(number, bool) and number >= 0
    malformed_if(not counted, "item_count must be a number")
    malformed_if(number > MOST_ROWS, f"At most {MOST_ROWS} data rows can be imported at once")
    return chunks, number


def _run(context: Context, job: Row, prepared: tuple[Sequence[Item], Row | None, float]) -> Later | None:
    items, later, share = prepared
    task = job["taskId"]
    if not tasks.is_running(context, task):
        return None
    importing.carry_out(context, task, job.get("done", 0), items, job.get("datasetId"))
    if later is not None:
        context.change(TASKS, task, {"completionPercentage": round(100 * share, 1)})
        return Later(later)
    url = files.save(context, "result.json", importing.report(context, task), "application/json")
    tasks.complete(context, task, result=url)
    return None


def _failed(context: Context, job: Row, message: str) -> None:
    """The vendor's client reads the error of a failed import from a file, as it reads the result."""
    if not tasks.is_running(context, job["taskId"]):
        return
    told = spec.clean(message)
    content = importing.failure(told)
    url = files.save(context, "result.json", content, "application/json")
    tasks.fail(context, job["taskId"], told, result=url)


def _page(info: Info, data: Row) -> tuple[str, int, int]:
    task = info.context.find(TASKS, data["taskId"])
    size = _MOST_PAGED if data.get("first") is None else data["first"]
    malformed_if(not 0 < size <= _MOST_PAGED, f"first must be between 1 and {_MOST_PAGED}")
    cursor = data.get("from") or "0"
    known = len(cursor) <= 9 and cursor.isascii() and cursor.isdigit()
    malformed_if(not known, "Invalid cursor")
    return task["id"], int(cursor), size


def _succeeded(_: Any, info: Info, data: Row) -> Row:
    task, after, size = _page(info, data)
    rows = importing.imported(info.context, task, after, size + 1)
    total = importing.totals(info.context, task)[0]
    return {"nodes": rows[:size], "after": _next(rows, size), "total": total}


def _refused(_: Any, info: Info, data: Row) -> Row:
    task, after, size = _page(info, data)
    rows = importing.refused(info.context, task, after, size + 1)
    total = importing.totals(info.context, task)[1]
    return {"results": rows[:size], "after": _next(rows, size), "total": total}


def _next(rows: list[Row], size: int) -> str | None:
    return str(rows[size - 1]["place"]) if len(rows) > size else None


KIND = Kind(
    "data_row_import",
    SDL,
    TABLES,
    {
        "Query": {"successesfulDataRowImports": _succeeded, "failedDataRowImports": _refused},
        "Mutation": {
            "upsertDataRows": _upsert,
            "appendRowsToDataset": _append,
            "appendRowsToDatasetSync": _append_sync,
        },
    },
    jobs={_JOB: Job(_run, _prepare, _failed)},
)
