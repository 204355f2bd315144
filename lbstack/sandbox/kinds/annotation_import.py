"""Imports of annotations from files: pre-labels (MAL) and labels (API reference 1.10, 5.4 and 6.1).

A new import is RUNNING; a job judges its file. Names are unique within a project and a kind of import.
The legacy bulk import request is a MAL import by an older name, whose record outlives its annotations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lbstack.sandbox import files, jobs
from lbstack.sandbox.annotations import features, imports, keeping, printed
from lbstack.sandbox.annotations.imports import Judged
from lbstack.sandbox.annotations.values import Told
from lbstack.sandbox.context import Context, Info, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import ConflictError, NotFoundError, malformed_if
from lbstack.sandbox.jobs import Job, Later
from lbstack.sandbox.kinds.assessment import set_benchmark
from lbstack.sandbox.kinds.upload import named
from lbstack.sandbox.listing import PAGING, Clause, Table, both
from lbstack.sandbox.roles import LABEL
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS annotation_imports (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, projectId TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
        state TEXT NOT NULL, progress TEXT NOT NULL, inputFileUrl TEXT NOT NULL, errorFileUrl TEXT,
        statusFileUrl TEXT, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    """CREATE UNIQUE INDEX IF NOT EXISTS annotation_imports_name
        ON annotation_imports (projectId, kind, name)""",
    *imports.TABLES,
)


def _visible(context: Context) -> Clause:
    projects = both(Clause("deleted = 0"), PROJECTS.visible(context))
    return Clause(f"projectId IN (SELECT id FROM projects WHERE {projects.sql})", projects.params)  # noqa: S608


IMPORTS = Table("annotation_imports", "AnnotationImport", visible=_visible)
MAL, LABELS, BULK = "MAL", "LABEL", "BULK"
_JOB = "annotation-import"
_LONGEST_NAME = 500
_LONGEST_URL = 10_000

_FIELDS = """
  id: ID!
  name: String!
  progress: String!
  inputFileUrl: String!
  errorFileUrl: String
  statusFileUrl: String
  createdAt: DateTime!
  updatedAt: DateTime!
  project: Project!
  createdBy: User
"""
SDL = f"""
enum AnnotationImportState {{ RUNNING FAILED FINISHED }}
enum BulkImportRequestState {{ RUNNING FAILED FINISHED }}
type AnnotationImport {{ state: AnnotationImportState! {_FIELDS} }}
type BulkImportRequest {{ state: BulkImportRequestState! {_FIELDS} }}
input AnnotationImportFileInput {{ file: Upload!, contentLength: Int! }}
input AnnotationImportCreateInput {{
  projectId: ID!
  name: String!
  fileUrl: String
  filePayload: AnnotationImportFileInput
}}
input AnnotationImportWhereUniqueInput {{ id: ID, projectId: ID, name: String }}
input AnnotationImportWhereInput {{ projectId: ID! }}
extend type Query {{
  modelAssistedLabelingPredictionImport(where: AnnotationImportWhereUniqueInput!): AnnotationImport
  modelAssistedLabelingPredictionImports(where: AnnotationImportWhereInput!, {PAGING}): [AnnotationImport!]
  labelImport(where: AnnotationImportWhereUniqueInput!): AnnotationImport
  labelImports(where: AnnotationImportWhereInput!, {PAGING}): [AnnotationImport!]
  bulkImportRequest(where: AnnotationImportWhereUniqueInput!): BulkImportRequest
  bulkImportRequests(where: AnnotationImportWhereInput!, {PAGING}): [BulkImportRequest!]
}}
extend type Mutation {{
  createModelAssistedLabelingPredictionImport(data: AnnotationImportCreateInput!): AnnotationImport
  deleteModelAssistedLabelingPredictionImport(where: WhereUniqueIdInput!): AnnotationImport
  createLabelImport(data: AnnotationImportCreateInput!): AnnotationImport
  createBulkImportRequest(data: AnnotationImportCreateInput!): BulkImportRequest
  deleteBulkImportRequest(where: WhereUniqueIdInput!): BulkImportRequest
}}
"""


def _creates(op: str, kind: str) -> Callable[..., Row]:
    @mutation(op, LABEL)
    def create(_: Any, info: Info, data: Row) -> Row:
        """Take a file of annotations, or where it lies; what it holds is judged by a job."""
        context = info.context
        project = context.find(PROJECTS, data["projectId"])
        name, url, payload = data["name"], data.get("fileUrl"), data.get("filePayload")
        malformed_if(not 0 < len(name.strip()) <= _LONGEST_NAME, "An import needs a name")
        malformed_if((url is None) == (payload is None), "Either fileUrl or filePayload must be given")
        sql = "SELECT 1 FROM annotation_imports WHERE projectId = ? AND kind = ? AND name = ?"
        if context.store.value(sql, [project["id"], kind, name]):
            raise ConflictError(f"An import named '{name}' already exists in project {project['id']}")
        if payload is not None:
            # The declared length is not enforced: the vendor's client miscounts it (5.4).
            told, content_type = named(payload["file"])
            url = files.save(context, told, payload["file"].file, content_type)
        malformed_if(not 0 < len(url or "") <= _LONGEST_URL, "fileUrl must not be empty")
        row = {"projectId": project["id"], "kind": kind, "name": name, "inputFileUrl": url}
        made = context.create(IMPORTS, {**row, "state": "RUNNING", "progress": "0%"})
        jobs.enqueue(context, _JOB, {"id": made["id"], "url": url})
        return context.find(IMPORTS, made["id"])

    return create


def _prepare(context: Context, payload: Row) -> list[Told] | None:
    """Fetch the file in the first turn: later ones find its lines laid down."""
    if "after" in payload:
        return None
    return imports.parse(files.read(context, payload["url"]))


def _run(context: Context, payload: Row, lines: list[Told] | None) -> Later | None:
    """Lay the lines down, judge some data rows a turn, then write the files."""
    ident = payload["id"]
    row = context.store.row("SELECT * FROM annotation_imports WHERE id = ?", [ident])
    if row is None:
        return None
    if lines is not None:
        imports.lay_down(context, ident, lines)
    project, after = context.find(PROJECTS, row["projectId"]), payload.get("after", -1)
    last, judged = imports.turn(context, ident, project, after)
    _keep(context, row, project, judged)
    if last != after:
        context.change(IMPORTS, ident, {"progress": imports.progress(context, ident, last)})
        return Later({**payload, "after": last})
    told = imports.finish(context, ident)
    context.change(IMPORTS, ident, {"state": "FINISHED", "progress": "100%", **told})
    return None


def _keep(context: Context, row: Row, project: Row, judged: Sequence[Judged]) -> None:
    """Label imports make one label a data row, the others pre-labels (API reference 1.10)."""
    roots = features.roots(context, project["ontologyId"])
    for each in judged:
        if row["kind"] != LABELS:
            keeping.predict(context, project["id"], each.data_row["id"], row["id"], each.annotations)
            continue
        text = printed.label(each.annotations, roots, context.base)
        label = keeping.add(context, project, each.data_row, text, each.annotations, importId=row["id"])
        if each.is_reference:
            set_benchmark(context, label)


def _failed(context: Context, payload: Row, message: str) -> None:
    ident = payload["id"]
    if context.store.value("SELECT 1 FROM annotation_imports WHERE id = ?", [ident]):
        told = imports.refuse(context, ident, message)
        context.change(IMPORTS, ident, {"state": "FAILED", **told})


def _one(kind: str) -> Callable[..., Row]:
    def resolve(_: Any, info: Info, where: Row) -> Row:
        """Find an import by its id, or by project and name."""
        context = info.context
        if where.get("id") is not None:
            found = context.find(IMPORTS, where["id"])
            if found["kind"] == kind:
                return found
            raise NotFoundError(f"Import not found: {where['id']}")
        both_told = where.get("projectId") is not None and where.get("name") is not None
        malformed_if(not both_told, "where needs an id, or a projectId and a name")
        project = context.find(PROJECTS, where["projectId"])
        sql = "SELECT * FROM annotation_imports WHERE projectId = ? AND kind = ? AND name = ?"
        row = context.store.row(sql, [project["id"], kind, where["name"]])
        if row is None:
            raise NotFoundError(f"Import not found: {where['name']}")
        return row

    return resolve


def _many(kind: str) -> Callable[..., list[Row]]:
    def resolve(
        _: Any, info: Info, where: Row, skip: int | None = None, first: int | None = None
    ) -> list[Row]:
        context = info.context
        project = context.find(PROJECTS, where["projectId"])
        among = Clause("projectId = ? AND kind = ?", [project["id"], kind])
        return context.page(IMPORTS, None, skip, first, among=among)

    return resolve


def _delete(op: str, kind: str) -> Callable[..., Row]:
    @mutation(op, LABEL)
    def delete(_: Any, info: Info, where: Row) -> Row:
        """Delete what an import brought, all of it or nothing. The record of a bulk import request stays."""
        context = info.context
        row = _one(kind)(None, info, {"id": where["id"]})
        malformed_if(row["state"] == "RUNNING", f"Import {row['id']} is still running")
        context.touch(row["id"])
        context.store.run("DELETE FROM predictions WHERE importId = ?", [row["id"]])
        if kind != BULK:
            context.store.run("DELETE FROM annotation_imports WHERE id = ?", [row["id"]])
        return row

    return delete


_RELATIONS = {"project": to_one(PROJECTS, "projectId"), "createdBy": to_one(USERS, "createdById")}

KIND = Kind(
    "annotation_import",
    SDL,
    TABLES,
    {
        "Query": {
            "modelAssistedLabelingPredictionImport": _one(MAL),
            "modelAssistedLabelingPredictionImports": _many(MAL),
            "labelImport": _one(LABELS),
            "labelImports": _many(LABELS),
            "bulkImportRequest": _one(BULK),
            "bulkImportRequests": _many(BULK),
        },
        "Mutation": {
            "createModelAssistedLabelingPredictionImport": _creates(
                "createModelAssistedLabelingPredictionImport", MAL
            ),
            "deleteModelAssistedLabelingPredictionImport": _delete(
                "deleteModelAssistedLabelingPredictionImport", MAL
            ),
            "createLabelImport": _creates("createLabelImport", LABELS),
            "createBulkImportRequest": _creates("createBulkImportRequest", BULK),
            "deleteBulkImportRequest": _delete("deleteBulkImportRequest", BULK),
        },
        "AnnotationImport": _RELATIONS,
        "BulkImportRequest": _RELATIONS,
    },
    jobs={_JOB: Job(_run, _prepare, _failed)},
)
