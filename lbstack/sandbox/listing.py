"""Lists: ``where`` filters, ``skip``/``first`` pages and cursors (API reference, section 4).

A ``Table`` says which columns a list may be filtered by; from it come both the SDL of the ``where``
input and the SQL it means. The service combines by ``AND`` only: ``OR`` and ``NOT`` are no fields of
the input, so a document that uses them does not validate.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lbstack.sandbox.errors import MalformedError

if TYPE_CHECKING:
    from lbstack.sandbox.context import Context

PAGE_SIZE = 100
PAGING = "skip: Int, first: PageSize"

_COMPARISONS = {"_lt": "<", "_lte": "<=", "_gt": ">", "_gte": ">="}
_EQUALITY_ONLY = {"Boolean"}


@dataclass(frozen=True)
class Clause:
    """A piece of a SQL condition and the values of its question marks."""

    sql: str
    params: Sequence[Any] = ()


ALL = Clause("1")


def both(*clauses: Clause) -> Clause:
    """Return the condition that holds where every clause holds."""
    told = [clause for clause in clauses if clause.sql != "1"]
    if not told:
        return ALL
    return Clause(
        " AND ".join(f"({clause.sql})" for clause in told), [p for clause in told for p in clause.params]
    )


@dataclass(frozen=True)
class Table:
    """Where the rows of a GraphQL type lie, and by what they may be filtered.

    ``filters`` maps a column to its GraphQL type; ``relations`` maps a field to the column that points
    to another table's ``id``. ``soft`` tables keep deleted rows, marked ``deleted``. ``visible`` gives
    the condition under which the caller may see a row at all. Rows of ``searched`` ones are found by
    name, which takes a while after a write (``search``).
    """

    name: str
    type: str
    filters: Mapping[str, str] = field(default_factory=dict)
    relations: Mapping[str, tuple[str, Table]] = field(default_factory=dict)
    soft: bool = False
    visible: Callable[[Context], Clause] = lambda _: ALL
    searched: bool = False

    def where_sdl(self) -> str:
        """Return the SDL of this type's ``where`` input, named ``<Type>WhereInput``."""
        lines = [f"  AND: [{self.type}WhereInput!]"]
        for column, kind in self.filters.items():
            lines.append(f"  {column}: {kind}\n  {column}_not: {kind}")
            if kind not in _EQUALITY_ONLY:
                lines.append(f"  {column}_in: [{kind}!]")
                lines += [f"  {column}{suffix}: {kind}" for suffix in _COMPARISONS]
            if kind in ("ID", "String"):
                lines.append(f"  {column}_contains: {kind}")
        lines += [f"  {name}: {table.type}WhereInput" for name, (_, table) in self.relations.items()]
        return f"input {self.type}WhereInput {{\n" + "\n".join(lines) + "\n}\n"

    def where(self, where: Mapping[str, Any] | None) -> Clause:
        """Return the SQL condition that a ``where`` input means."""
        return both(*(self._condition(key, value) for key, value in (where or {}).items()))

    def _condition(self, key: str, value: Any) -> Clause:
        if key == "AND":
            return both(*(self.where(part) for part in value or ()))
        if key in self.relations:
            column, table = self.relations[key]
            inner = table.where(value)
            found = Clause(f"{column} IN (SELECT id FROM {table.name} WHERE {inner.sql})", inner.params)
            return found if value is not None else Clause(f"{column} IS NULL")
        if key in self.filters:
            return Clause(f'"{key}" IS ?', [value])
        column, _, operator = key.rpartition("_")
        return _compared(f'"{column}"', f"_{operator}", value)


def _compared(column: str, operator: str, value: Any) -> Clause:
    if operator == "_not":
        return Clause(f"{column} IS NOT ?", [value])
    if value is None:
        return Clause("0")
    if operator == "_in":
        return Clause(f"{column} IN (SELECT value FROM json_each(?))", [json.dumps(value)])
    if operator == "_contains":
        return Clause(f"instr({column}, ?) > 0", [value])
    return Clause(f"{column} {_COMPARISONS[operator]} ?", [value])


def page_sql(skip: int | None, first: int | None) -> str:
    """Return the LIMIT of a page: 100 rows unless ``first`` says less. Refuses a negative ``skip``."""
    if skip is not None and skip < 0:
        raise MalformedError("skip must not be negative")
    return f" LIMIT {PAGE_SIZE if first is None else first} OFFSET {skip or 0}"


def paging_pair(rows: Sequence[dict[str, Any]], size: int) -> tuple[list[dict[str, Any]], str | None]:
    """Split ``size + 1`` fetched rows into a page and the next cursor (None on the last page)."""
    nodes = list(rows[:size])
    return nodes, (nodes[-1]["id"] if len(rows) > size and nodes else None)


def cursor_clause(context: Context, table: Table, cursor: str | None) -> Clause:
    """Return the condition for the rows after the one whose id is the cursor; an unknown one is refused."""
    if not cursor:
        return ALL
    sql = f"SELECT rowid FROM {table.name} WHERE id = ? AND organizationId = ?"
    place = context.store.value(sql, [cursor, context.organization_id])
    if place is None:
        raise MalformedError(f"Invalid cursor: {cursor}")
    return Clause("rowid > ?", [place])
