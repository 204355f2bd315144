"""Many rows at once: every item is taken or refused for itself (API reference 1.8 and 6.8)."""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import MalformedError, ServiceError, malformed_if
from lbstack.sandbox.rows import metadata, storage
from lbstack.sandbox.rows.spec import Item
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import DATASETS

TABLES = (
    """CREATE TABLE IF NOT EXISTS imported_rows (
        taskId TEXT NOT NULL, place INTEGER NOT NULL, dataRowId TEXT NOT NULL,
        PRIMARY KEY (taskId, place)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS refused_rows (
        taskId TEXT NOT NULL, place INTEGER NOT NULL, message TEXT NOT NULL, spec TEXT NOT NULL,
        PRIMARY KEY (taskId, place)) WITHOUT ROWID""",
)

_IMPORTED = """SELECT i.place, d.id, d.externalId, d.globalKey, d.rowData
    FROM imported_rows i JOIN data_rows d ON d.id = i.dataRowId WHERE i.taskId = ? AND i.place > ?
    ORDER BY i.place LIMIT ?"""
_REFUSED = """SELECT place, message, spec FROM refused_rows WHERE taskId = ? AND place > ?
    ORDER BY place LIMIT ?"""
_EVERYTHING = 2**62


class Import:
    """One turn of an import: takes items, and knows in the end how many rows each dataset has more."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.schemas = metadata.schemas(context)
        self._more: Counter[str] = Counter()
        self._datasets: dict[str, str] = {}

    def take(self, item: Item, dataset: str | None = None) -> Row:
        """Create or update the row an item means, in ``dataset`` or the one it names; may refuse it."""
        spec = item.spec
        if spec is None:
            raise MalformedError(item.refused)
        where = self._dataset(dataset or spec.dataset_id)
        if item.key_type == "ID":
            return self._update(storage.identified(self.context, item.key, "ID"), item, where)
        if item.key_type == "GKEY":
            row = storage.by_key(self.context, item.key)
            if row is not None:
                return self._update(row, item, where)
            spec = replace(spec, given={"globalKey": item.key, **spec.given})
        malformed_if(where is None, "A new data row needs a dataset")
        row = storage.create(self.context, str(where), spec, self.schemas)
        self._more[str(where)] += 1
        return row

    def finish(self) -> None:
        """Raise the counts of the datasets."""
        for dataset, more in self._more.items():
            storage.count(self.context, dataset, more)

    def _update(self, row: Row, item: Item, dataset: str | None) -> Row:
        assert item.spec is not None
        storage.in_dataset(row, dataset)
        return storage.update(self.context, row, item.spec, self.schemas)

    def _dataset(self, ident: str | None) -> str | None:
        if ident is not None and ident not in self._datasets:
            self._datasets[ident] = self.context.find(DATASETS, ident)["id"]
        return ident


def carry_out(context: Context, task: str, start: int, items: Sequence[Item], dataset: str | None) -> None:
    """Take items for a task and note what became of each; the first is its ``start``-th."""
    work = Import(context)
    taken, refused = [], []
    for place, item in enumerate(items, start + 1):
        try:
            taken.append((task, place, work.take(item, dataset)["id"]))
        except ServiceError as refusal:
            refused.append((task, place, refusal.message, json.dumps(item.told)))
    work.finish()
    context.store.run_many("INSERT INTO imported_rows (taskId, place, dataRowId) VALUES (?, ?, ?)", taken)
    columns = "taskId, place, message, spec"
    context.store.run_many(f"INSERT INTO refused_rows ({columns}) VALUES (?, ?, ?, ?)", refused)


def imported(context: Context, task: str, after: int, size: int) -> list[Row]:
    """Return rows that a task imported and that are still there, each with its place in the import."""
    return context.store.rows(_IMPORTED, [task, after, size])


def refused(context: Context, task: str, after: int, size: int) -> list[Row]:
    """Return items that a task refused: ``place``, ``message`` and ``spec``."""
    rows = context.store.rows(_REFUSED, [task, after, size])
    return [{**row, "spec": json.loads(row["spec"])} for row in rows]


def totals(context: Context, task: str) -> tuple[int, int]:
    """Return how many rows a task imported that are still there, and how many it refused."""
    sql = """SELECT count(*) FROM imported_rows i JOIN data_rows d ON d.id = i.dataRowId
        WHERE i.taskId = ?"""
    there = context.store.value(sql, [task])
    return int(there), int(context.store.value("SELECT count(*) FROM refused_rows WHERE taskId = ?", [task]))


def report(context: Context, task: str) -> bytes:
    """Return the file that a task's ``result`` leads to: what was created, and what failed."""
    created = [
        {key: row[key] for key in ("id", "externalId", "globalKey", "rowData")}
        for row in imported(context, task, 0, _EVERYTHING)
    ]
    return json.dumps({"createdDataRows": created, "errors": list(_failures(context, task))}).encode()


def failure(message: str) -> bytes:
    """Return the file that a failed task's ``result`` leads to."""
    return json.dumps({"error": message}).encode()


def _failures(context: Context, task: str) -> Iterator[dict[str, Any]]:
    for row in refused(context, task, 0, _EVERYTHING):
        yield {"message": row["message"], "failedDataRows": [row["spec"]]}
