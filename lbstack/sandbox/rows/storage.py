"""Data rows as they are kept: written, found by key, and deleted for good (API reference 1.8, 6.1, 6.2)."""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lbstack.sandbox import workflow
from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import ConflictError, MalformedError, NotFoundError, malformed_if
from lbstack.sandbox.listing import Clause, Table, both
from lbstack.sandbox.rows import metadata
from lbstack.sandbox.rows.spec import AttachmentSpec, Spec, check_key
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import DATASETS, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS data_rows (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, datasetId TEXT NOT NULL, externalId TEXT, globalKey TEXT,
        rowData TEXT NOT NULL, mediaType TEXT, mediaAttributes TEXT NOT NULL, createdAt TEXT NOT NULL,
        updatedAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS data_rows_dataset ON data_rows (datasetId)",
    "CREATE UNIQUE INDEX IF NOT EXISTS data_rows_global_key ON data_rows (organizationId, globalKey)",
    """CREATE INDEX IF NOT EXISTS data_rows_external_id ON data_rows (externalId)
        WHERE externalId IS NOT NULL""",
    """CREATE TABLE IF NOT EXISTS attachments (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, dataRowId TEXT NOT NULL, type TEXT NOT NULL, value TEXT NOT NULL,
        name TEXT, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS attachments_data_row ON attachments (dataRowId)",
)


def _visible(context: Context) -> Clause:
    datasets = both(Clause("deleted = 0"), DATASETS.visible(context))
    return Clause(f"datasetId IN (SELECT id FROM datasets WHERE {datasets.sql})", datasets.params)


DATA_ROWS = Table(
    "data_rows",
    "DataRow",
    {
        "id": "ID", "externalId": "String", "globalKey": "String", "rowData": "String",
        "createdAt": "DateTime", "updatedAt": "DateTime",
    },
    {"dataset": ("datasetId", DATASETS), "createdBy": ("createdById", USERS)},
    visible=_visible,
)  # fmt: skip


def _attached(context: Context) -> Clause:
    rows = _visible(context)
    return Clause(f"dataRowId IN (SELECT id FROM data_rows WHERE {rows.sql})", rows.params)


ATTACHMENTS = Table("attachments", "AssetAttachment", visible=_attached)

# What goes with a row, each statement for a JSON list of row ids; what hangs on labels goes with these.
_CASCADE = (
    "DELETE FROM labels WHERE dataRowId IN (SELECT value FROM json_each(?))",
    "DELETE FROM attachments WHERE dataRowId IN (SELECT value FROM json_each(?))",
    "DELETE FROM data_row_metadata WHERE dataRowId IN (SELECT value FROM json_each(?))",
)


def create(context: Context, dataset: str, spec: Spec, schemas: metadata.Schemas) -> Row:
    """Make a row. The dataset's count is the caller's to raise (``count``)."""
    media = spec.media
    if media is None:
        raise MalformedError("row_data is required to create a data row")
    key = spec.given.get("globalKey")
    _check_free(context, key)
    values = metadata.judge(schemas, spec.metadata or ())
    row = {
        "datasetId": dataset, "externalId": spec.given.get("externalId"), "globalKey": key,
        "rowData": media.row_data, "mediaType": media.type, "mediaAttributes": json.dumps(media.attributes),
    }  # fmt: skip
    made = context.create(DATA_ROWS, row)
    metadata.write(context, made["id"], values)
    attach(context, made["id"], spec.attachments or ())
    return made


def update(context: Context, row: Row, spec: Spec, schemas: metadata.Schemas) -> Row:
    """Change what was said about a row; lists that are given take the place of those it had."""
    if spec.given.get("globalKey") != row["globalKey"]:
        _check_free(context, spec.given.get("globalKey"))
    values = None if spec.metadata is None else metadata.judge(schemas, spec.metadata)
    changes: Row = dict(spec.given)
    if spec.media:
        attributes = json.dumps(spec.media.attributes)
        changes.update(rowData=spec.media.row_data, mediaType=spec.media.type, mediaAttributes=attributes)
    changed = context.change(DATA_ROWS, row["id"], changes)
    if values is not None:
        metadata.clear(context, row["id"])
        metadata.write(context, row["id"], values)
    if spec.attachments is not None:
        context.store.run("DELETE FROM attachments WHERE dataRowId = ?", [row["id"]])
        attach(context, row["id"], spec.attachments)
    return changed


def attach(context: Context, data_row: str, specs: Sequence[AttachmentSpec]) -> list[Row]:
    """Give a row attachments, after those it has."""
    return [context.create(ATTACHMENTS, {"dataRowId": data_row, **vars(each)}) for each in specs]


def count(context: Context, dataset: str, more: int) -> None:
    """Change how many rows a dataset says it has."""
    if more:
        sql = "UPDATE datasets SET rowCount = rowCount + ? WHERE id = ?"
        context.store.run(sql, [more, dataset])


def move(context: Context, row: Row, dataset: str) -> Row:
    """Put a row into another dataset."""
    if row["datasetId"] != dataset:
        count(context, row["datasetId"], -1)
        count(context, dataset, 1)
        sql = "UPDATE project_rows SET datasetId = ? WHERE dataRowId = ?"
        context.store.run(sql, [dataset, row["id"]])
    return context.change(DATA_ROWS, row["id"], {"datasetId": dataset})


def by_key(context: Context, key: str) -> Row | None:
    """Return the row that has a global key, if the caller may see it."""
    visible = DATA_ROWS.visible(context)
    sql = f"SELECT * FROM data_rows WHERE organizationId = ? AND globalKey = ? AND {visible.sql}"
    return context.store.row(sql, [context.organization_id, key, *visible.params])


def identified(context: Context, ident: str, key_type: str) -> Row:
    """Return the row that an id of type ID or GKEY names, or refuse with RESOURCE_NOT_FOUND."""
    if key_type == "ID":
        return context.find(DATA_ROWS, ident)
    row = by_key(context, ident)
    if row is None:
        raise NotFoundError(f"DataRow not found: {ident}")
    return row


def delete(context: Context, idents: Sequence[str]) -> None:
    """Delete rows with their labels, attachments, metadata; there is no way back (6.2)."""
    rows = [context.find(DATA_ROWS, ident) for ident in dict.fromkeys(idents)]
    told = json.dumps([row["id"] for row in rows])
    for statement in _CASCADE:
        context.store.run(statement, [told])
    workflow.forget(context, [row["id"] for row in rows])
    context.store.run("DELETE FROM data_rows WHERE id IN (SELECT value FROM json_each(?))", [told])
    fewer: dict[str, int] = {}
    for row in rows:
        context.touch(row["id"])
        fewer[row["datasetId"]] = fewer.get(row["datasetId"], 0) - 1
    for dataset, number in fewer.items():
        count(context, dataset, number)


def _check_free(context: Context, key: str | None) -> None:
    if key is None:
        return
    check_key(key)
    sql = "SELECT 1 FROM data_rows WHERE organizationId = ? AND globalKey = ?"
    if context.store.value(sql, [context.organization_id, key]):
        raise ConflictError(f"Duplicate global key: '{key}'")


def in_dataset(row: Row, dataset: str | None) -> None:
    """Refuse an update that was sent to another dataset than the row's."""
    wrong = dataset is not None and row["datasetId"] != dataset
    malformed_if(wrong, f"Data row {row['id']} is not part of dataset {dataset}")


def attributes(row: Row) -> Any:
    """Return what is known of a row's asset."""
    return json.loads(row["mediaAttributes"])
