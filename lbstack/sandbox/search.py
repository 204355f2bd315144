"""Search by name, whose index is behind writes (API reference 6.6); reads by id never are.

The rows are always searched as they are; beside them stands what they were called before each recent
write, and a search looks that up for as long as its index is behind.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lbstack.sandbox.ids import print_time
from lbstack.sandbox.listing import Clause

if TYPE_CHECKING:
    from lbstack.sandbox.context import Context
    from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS search_past (
        place INTEGER PRIMARY KEY, id TEXT NOT NULL, organizationId TEXT NOT NULL, name TEXT,
        until TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS search_past_until ON search_past (organizationId, until)",
)
_KEPT_SECONDS = 600  # an index that is further behind than this is not to be had


def note(context: Context, ident: str, name: str | None) -> None:
    """Note what a row was called until now: None, when it was not to be found at all."""
    organization, now = context.organization_id, context.now()
    row = {"id": ident, "organizationId": organization, "name": name, "until": now}
    context.store.insert("search_past", row)
    old = print_time(context.store.mint.seconds() - _KEPT_SECONDS)
    context.store.run("DELETE FROM search_past WHERE organizationId = ? AND until < ?", [organization, old])


class Index:
    """What a search knows at this moment."""

    def __init__(self, context: Context) -> None:
        lag = context.conditions.search_lag_ms / 1000
        self._names: dict[str, str | None] = {}
        if lag > 0:
            then = print_time(context.store.mint.seconds() - lag)
            sql = "SELECT id, name FROM search_past WHERE organizationId = ? AND until > ? ORDER BY place"
            for row in context.store.rows(sql, [context.organization_id, then]):
                self._names.setdefault(row["id"], row["name"])

    def holds(self, row: Row, words: str) -> bool:
        """Say whether the index has the row under a name that contains ``words``, in any case."""
        name = self._names.get(row["id"], None if row["deleted"] else row["name"])
        return name is not None and words.casefold() in name.casefold()

    def living(self) -> Clause:
        """The rows of a soft table that the index may hold: those not deleted, or only just now."""
        known = [ident for ident, name in self._names.items() if name is not None]
        if not known:
            return Clause("deleted = 0")
        return Clause("(deleted = 0 OR id IN (SELECT value FROM json_each(?)))", [json.dumps(known)])
