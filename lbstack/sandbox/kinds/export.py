"""Exports of data rows, as tasks whose files are streamed (API reference 1.11 and 5.7).

What an export holds is settled when it begins; its lines are then written some thousand rows at a time.
Streamable ones are read file by file; of others, whom no client of today asks for, the task's ``result``
is one file.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lbstack.sandbox import files, jobs, workflow
from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind, Reply, RestCall, Route
from lbstack.sandbox.errors import NotAllowedError, NotFoundError, malformed_if
from lbstack.sandbox.exports import filters, masks, streams, tokens
from lbstack.sandbox.exports.lines import Include, Lines, failed
from lbstack.sandbox.exports.reading import read
from lbstack.sandbox.jobs import Job, Later
from lbstack.sandbox.kinds import task
from lbstack.sandbox.kinds.data_row import DATA_ROWS
from lbstack.sandbox.listing import Clause, both
from lbstack.sandbox.roles import VIEW_WORKSPACE
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS

TABLES = (
    """CREATE TABLE IF NOT EXISTS exports (
        taskId TEXT PRIMARY KEY, organizationId TEXT NOT NULL, projectId TEXT, request TEXT NOT NULL,
        streamable INTEGER NOT NULL, running INTEGER NOT NULL DEFAULT 1, rows INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS exports_running ON exports (organizationId) WHERE running",
    """CREATE TABLE IF NOT EXISTS export_rows (
        taskId TEXT NOT NULL, place INTEGER NOT NULL, dataRowId TEXT NOT NULL,
        PRIMARY KEY (taskId, place)) WITHOUT ROWID""",
    *streams.TABLES,
    *tokens.TABLES,
    *masks.TABLES,
)

JOB = TYPE = "export-data-rows"  # the job, and the type of its task
_ROWS_A_TURN = 2_000
_MOST_RUNNING = 20
_MOST_RUNNING_IN_PROJECT = 10
_MOST_PROJECTS = 30

_PARAMS = """mediaTypeOverride: MediaType
  includeAttachments: Boolean
  includeEmbeddings: Boolean
  includeMetadata: Boolean
  includeDataRowDetails: Boolean
  includeProjectDetails: Boolean
  includePerformanceDetails: Boolean
  includeLabelDetails: Boolean
  includeInterpolatedFrames: Boolean"""
_REQUEST = "taskName: String\n  isStreamableReady: Boolean\n  streamable: Boolean"

SDL = f"""
enum TaskStreamType {{ RESULT ERRORS }}
type ExportTask {{ taskId: ID!, isStreamable: Boolean! }}
type ExportMetadataHeader {{ totalSize: UInt64!, totalLines: UInt64! }}
type ExportRange {{ start: UInt64!, end: UInt64! }}
type ExportFile {{ offsets: ExportRange!, lines: ExportRange!, file: String! }}
input ExportSearchQueryInput {{ scope: Json, query: [Json!] }}
input ExportProjectFiltersInput {{ projectId: ID!, searchQuery: ExportSearchQueryInput }}
input ExportCatalogFiltersInput {{ searchQuery: ExportSearchQueryInput }}
input ExportProjectParamsInput {{
  {_PARAMS}
}}
input ExportCatalogParamsInput {{
  {_PARAMS}
  includePredictions: Boolean
  projectIds: [ID!]
  modelRunIds: [ID!]
  allProjects: Boolean
  allModelRuns: Boolean
}}
input ExportDataRowsInProjectInput {{
  {_REQUEST}
  filters: ExportProjectFiltersInput!
  params: ExportProjectParamsInput
}}
input ExportDataRowsInCatalogInput {{
  {_REQUEST}
  filters: ExportCatalogFiltersInput
  params: ExportCatalogParamsInput
}}
extend type Task {{
  exportMetadataHeader(streamType: TaskStreamType!): ExportMetadataHeader
  exportFileFromOffset(streamType: TaskStreamType!, offset: UInt64!): ExportFile
}}
extend type Mutation {{
  exportDataRowsInProject(input: ExportDataRowsInProjectInput!): ExportTask
  exportDataRowsInCatalog(input: ExportDataRowsInCatalogInput!): ExportTask
}}
"""


@mutation("exportDataRowsInProject", VIEW_WORKSPACE)
def _export_project(_: Any, info: Info, input: Row) -> Row:
    """Export the rows that a project holds, with their labels in it."""
    context = info.context
    project = context.find(PROJECTS, input["filters"]["projectId"])
    return _begin(context, input, project, f"Export: project - {project['name']}")


@mutation("exportDataRowsInCatalog", VIEW_WORKSPACE)
def _export_catalog(_: Any, info: Info, input: Row) -> Row:
    """Export rows of any dataset, with their labels in the projects that are asked for."""
    context, params = info.context, input.get("params") or {}
    for name in ("projectIds", "modelRunIds"):
        malformed_if(
            len(params.get(name) or ()) > _MOST_PROJECTS, f"{name} cannot exceed {_MOST_PROJECTS} items"
        )
    for ident in params.get("projectIds") or ():
        context.find(PROJECTS, ident)
    for ident in params.get("modelRunIds") or ():
        raise NotFoundError(f"ModelRun not found: {ident}")
    return _begin(context, input, None, "Export: catalog")


def _begin(context: Context, asked: Row, project: Row | None, name: str) -> Row:
    """Make the task and leave the job, unless too many are running."""
    search = (asked.get("filters") or {}).get("searchQuery") or {}
    malformed_if(search.get("scope") is not None, "searchQuery.scope must be null")
    ident = project["id"] if project else None
    filters.search(context, ident, search.get("query"))
    _limit(context, ident)
    made = task.begin(context, TYPE, asked.get("taskName") or name)
    streamable = bool(asked.get("streamable") or asked.get("isStreamableReady"))
    request = {"query": search.get("query"), "params": asked.get("params") or {}}
    row = {"taskId": made["id"], "organizationId": context.organization_id, "projectId": ident}
    row |= {"request": json.dumps(request), "streamable": int(streamable)}
    context.store.insert("exports", row)
    jobs.enqueue(context, JOB, {"task": made["id"]})
    return {"taskId": made["id"], "isStreamable": streamable}


def _limit(context: Context, project: str | None) -> None:
    sql = """SELECT count(*) AS everywhere, coalesce(sum(projectId IS ?), 0) AS here FROM exports
        JOIN tasks ON tasks.id = taskId
        WHERE exports.organizationId = ? AND running AND status = 'IN_PROGRESS'"""
    running = context.store.row(sql, [project, context.organization_id])
    assert running is not None
    if running["everywhere"] >= _MOST_RUNNING:
        raise NotAllowedError(f"At most {_MOST_RUNNING} exports of an organization can run at once")
    if project is not None and running["here"] >= _MOST_RUNNING_IN_PROJECT:
        raise NotAllowedError(f"At most {_MOST_RUNNING_IN_PROJECT} exports of a project can run at once")


@dataclass(frozen=True)
class _Turn:
    """What one turn of the job writes: lines by stream, where it came to, how many rows that were."""

    lines: dict[str, list[bytes]]
    place: int
    count: int


def _prepare(context: Context, payload: Row) -> _Turn | None:
    """Make the lines of the next rows; none before the rows are settled, nor of an export that ended."""
    if "after" not in payload or not task.is_running(context, payload["task"]):
        return None
    with context.store.snapshot():
        export = context.store.row("SELECT * FROM exports WHERE taskId = ?", [payload["task"]])
        sql = "SELECT * FROM export_rows WHERE taskId = ? AND place > ? ORDER BY place LIMIT ?"
        held = context.store.rows(sql, [payload["task"], payload["after"], _ROWS_A_TURN])
        assert export is not None
        if not held:
            return _Turn({}, payload["after"], 0)
        return _Turn(_lines(context, export, held), held[-1]["place"], len(held))


def _lines(context: Context, export: Row, held: Sequence[Row]) -> dict[str, list[bytes]]:
    request = json.loads(export["request"])
    if export["projectId"]:
        projects: list[str] | None = [context.find(PROJECTS, export["projectId"])["id"]]
    else:
        params = request["params"]
        projects = None if params.get("allProjects") else params.get("projectIds") or []
    ids = Clause("id IN (SELECT value FROM json_each(?))", [json.dumps([each["dataRowId"] for each in held])])
    clause = both(ids, DATA_ROWS.visible(context))
    rows = context.store.rows(f"SELECT * FROM data_rows WHERE {clause.sql} ORDER BY place", clause.params)
    include = Include.told(request["params"])
    found: dict[str, list[bytes]] = {streams.RESULT: [], streams.ERRORS: []}
    for stream, line in Lines(
        context, read(context, rows, projects), include, catalog=not export["projectId"]
    ):
        found[stream].append(line)
    left = {row["id"] for row in rows}
    gone = [each["dataRowId"] for each in held if each["dataRowId"] not in left]
    found[streams.ERRORS] += [failed(ident, "Data row was deleted during the export") for ident in gone]
    return found


def _run(context: Context, payload: Row, turn: _Turn | None) -> Later | None:
    ident = payload["task"]
    if not task.is_running(context, ident):
        _end(context, ident)
        return None
    if turn is None:
        _settle(context, ident)
        return Later({"task": ident, "after": 0})
    for stream, lines in turn.lines.items():
        streams.append(context, ident, stream, lines)
    if turn.count == _ROWS_A_TURN:
        _progress(context, ident)
        return Later({"task": ident, "after": turn.place})
    _complete(context, ident)
    return None


def _settle(context: Context, ident: str) -> None:
    """Write down which rows the export holds."""
    export = context.store.row("SELECT * FROM exports WHERE taskId = ?", [ident])
    assert export is not None
    project = export["projectId"]
    if project:
        context.find(PROJECTS, project)
    query = filters.search(context, project, json.loads(export["request"])["query"])
    mine = Clause("organizationId = ?", [context.organization_id])
    clause = both(query, workflow.held(project) if project else Clause("1"), DATA_ROWS.visible(context), mine)
    sql = f"""INSERT INTO export_rows (taskId, place, dataRowId)
        SELECT ?, place, id FROM data_rows WHERE {clause.sql}"""
    count = context.store.run(sql, [ident, *clause.params])
    context.store.run("UPDATE exports SET rows = ? WHERE taskId = ?", [count, ident])


def _progress(context: Context, ident: str) -> None:
    sql = "SELECT rows FROM exports WHERE taskId = ?"
    total = context.store.value(sql, [ident])
    done = sum((streams.header(context, ident, each) or {"totalLines": 0})["totalLines"] for each in _STREAMS)
    context.change(task.TASKS, ident, {"completionPercentage": round(100 * done / total, 2)})


def _complete(context: Context, ident: str) -> None:
    streamable = context.store.value("SELECT streamable FROM exports WHERE taskId = ?", [ident])
    result, errors = (None, None) if streamable else (_whole(context, ident, each) for each in _STREAMS)
    task.complete(context, ident, result=result, errors=errors)
    _end(context, ident)


def _whole(context: Context, ident: str, stream: str) -> str | None:
    """Keep a stream as one file; None where it has no line, except for the result."""
    if stream == streams.ERRORS and streams.header(context, ident, stream) is None:
        return None
    content = b"".join(streams.contents(context, ident, stream))
    return files.save(context, f"{ident}-{stream.lower()}.ndjson", content, streams.CONTENT_TYPE)


def _end(context: Context, ident: str) -> None:
    context.store.run("DELETE FROM export_rows WHERE taskId = ?", [ident])
    context.store.run("UPDATE exports SET running = 0 WHERE taskId = ?", [ident])


def _failed(context: Context, payload: Row, message: str) -> None:
    if task.is_running(context, payload["task"]):
        task.fail(context, payload["task"], message)
    _end(context, payload["task"])


_STREAMS = (streams.RESULT, streams.ERRORS)


def _header(source: Row, info: Info, streamType: str) -> Row | None:  # noqa: N803
    return streams.header(info.context, source["id"], streamType) if _readable(info.context, source) else None


def _file(source: Row, info: Info, streamType: str, offset: int) -> Row | None:  # noqa: N803
    if not _readable(info.context, source):
        return None
    return streams.file_at(info.context, source["id"], streamType, offset)


def _readable(context: Context, source: Row) -> bool:
    """Only what is complete is read, and only by whom it may be shown to."""
    mine = source["createdById"] == context.user["id"]
    return source["status"] == "COMPLETE" and (mine or context.may(VIEW_WORKSPACE))


def _download(stream: str) -> Any:
    def answer(context: Context, call: RestCall) -> Reply:
        """Answer a stream from beginning to end, as ``ExportTask.result_url`` names it (5.3)."""
        source = context.find(task.TASKS, call.params["task"])
        mine = call.params["organization"] == context.organization_id
        if not mine or not _readable(context, source) or not streams.header(context, source["id"], stream):
            raise NotFoundError(f"Export not found: {source['id']}")
        content = streams.contents(context, source["id"], stream)
        return Reply(200, content=content, content_type=streams.CONTENT_TYPE)

    return answer


KIND = Kind(
    "export",
    SDL,
    TABLES,
    {
        "Mutation": {
            "exportDataRowsInProject": _export_project,
            "exportDataRowsInCatalog": _export_catalog,
        },
        "Task": {"exportMetadataHeader": _header, "exportFileFromOffset": _file},
    },
    (
        Route("GET", "/export-results/{task}/{organization}", _download(streams.RESULT)),
        Route("GET", "/export-errors/{task}/{organization}", _download(streams.ERRORS)),
        *masks.ROUTES,
    ),
    {JOB: Job(_run, _prepare, _failed)},
)
