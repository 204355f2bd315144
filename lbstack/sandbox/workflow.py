"""Which data rows a project holds, and where each stands in its workflow (API reference 1.7, 1.9, 2.2)."""

from __future__ import annotations

from lbstack.sandbox.context import Context
from lbstack.sandbox.store import Row


def holds(context: Context, project: str, data_row: Row) -> bool:
    """Say whether a data row is a project's to label: its dataset is attached to it."""
    sql = "SELECT 1 FROM project_datasets WHERE projectId = ? AND datasetId = ?"
    return context.store.value(sql, [project, data_row["datasetId"]]) is not None
