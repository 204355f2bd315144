"""One request as a kind sees it: who asks, what they may do, and the rows they may see.

Resolvers get it as ``info.context``, REST handlers as their first argument.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from graphql import GraphQLResolveInfo

from lbstack.sandbox import search
from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.contract import Resolver
from lbstack.sandbox.errors import NotAuthenticatedError, NotAuthorizedError, NotFoundError
from lbstack.sandbox.listing import ALL, PAGE_SIZE, Clause, Table, both, page_sql
from lbstack.sandbox.store import Row, Store


class Watch(Protocol):
    """Who looks on while a request writes (``faults``), and what the ledger says of the request.

    ``before_commit`` is called with no lock held, ``committing`` inside the transaction, which it may end
    by raising, ``committed`` after it.
    """

    @property
    def run(self) -> str: ...

    @property
    def request(self) -> str: ...

    @property
    def outcome(self) -> str: ...

    def before_commit(self, op: str) -> None: ...

    def committing(self, op: str) -> None: ...

    def committed(self, op: str, seq: int) -> None: ...


class Context:
    """A caller and the store.

    ``user`` is the caller's row; ``role`` the name of the role the key acts in, ``permissions`` what
    that role may do (``roles.py``); ``base`` the beginning of URLs that lead here, without a slash.
    ``watch`` is who looks on, if anybody does.
    """

    watch: Watch | None = None

    def __init__(
        self,
        store: Store,
        user: Row,
        role: str,
        permissions: frozenset[str],
        base: str,
        conditions: Conditions,
    ) -> None:
        self.store = store
        self.user = user
        self.role = role
        self.permissions = permissions
        self.base = base
        self.conditions = conditions
        self.organization_id: str = user["organizationId"]
        self._epoch = store.epoch
        self._now: str | None = None
        self._touched: dict[str, None] = {}  # a set that keeps its order
        self._seen: dict[tuple[str, str], Row | None] = {}

    def afresh(self) -> Context:
        """Return the same caller, who has read nothing yet."""
        again = Context(self.store, self.user, self.role, self.permissions, self.base, self.conditions)
        again.watch, again._epoch = self.watch, self._epoch
        return again

    def organization(self) -> Row | None:
        """Return the caller's organization."""
        return self.store.row("SELECT * FROM organizations WHERE id = ?", [self.organization_id])

    def may(self, permission: str) -> bool:
        """Say whether the caller's role holds ``permission``."""
        return permission in self.permissions

    def require(self, permission: str | None) -> None:
        """Refuse with AUTHORIZATION_ERROR unless the caller's role holds ``permission``."""
        if permission is not None and permission not in self.permissions:
            raise NotAuthorizedError(f"Role {self.role} is not allowed to do this")

    def find(self, table: Table, ident: str | None, *, deleted: bool = False) -> Row:
        """Return the row the caller means by ``ident``, or refuse with RESOURCE_NOT_FOUND.

        Not found are also rows of another organisation, rows hidden from the caller, and deleted rows
        (unless ``deleted``).
        """
        alive = Clause("deleted = 0") if table.soft and not deleted else ALL
        clause = both(Clause("id = ?", [ident]), self._mine(), alive, table.visible(self))
        row = self.store.row(f"SELECT * FROM {table.name} WHERE {clause.sql}", clause.params)
        if row is None:
            raise NotFoundError(f"{table.type} not found: {ident}")
        return row

    def page(
        self,
        table: Table,
        where: Any = None,
        skip: int | None = None,
        first: int | None = None,
        *,
        among: Clause = ALL,
        order: str = "rowid",
    ) -> list[Row]:
        """Return one page of the rows the caller may see, oldest first, deleted ones included."""
        clause = both(self._mine(), among, table.where(where), table.visible(self))
        paging, size = self.conditions.page, PAGE_SIZE if first is None else first
        limit, number = page_sql(skip, first), (skip or 0) // max(1, size)
        if paging:
            limit = page_sql(paging.skip(number, skip or 0, size), first)
        sql = f"SELECT * FROM {table.name} WHERE {clause.sql} ORDER BY {order}{limit}"
        rows = self.store.rows(sql, clause.params)
        return paging.cut(number, rows) if paging else rows

    def related(self, table: Table, ident: str | None) -> Row | None:
        """Return the row a relation points to, or None when it is empty, deleted or hidden."""
        if ident is None:
            return None
        key = (table.name, ident)
        if key not in self._seen:
            try:
                self._seen[key] = self.find(table, ident)
            except NotFoundError:
                self._seen[key] = None
        return self._seen[key]

    def _mine(self) -> Clause:
        # The plus keeps SQLite from choosing this column's index: nearly every row passes the test.
        return both(Clause("+organizationId = ?", [self.organization_id]), self.unhidden())

    def unhidden(self) -> Clause:
        """The condition for rows that are not hidden from everybody (``Conditions.hide_ids``)."""
        hidden = self.conditions.hide_ids
        if not hidden:
            return ALL
        return Clause("id NOT IN (SELECT value FROM json_each(?))", [json.dumps(sorted(hidden))])

    def now(self) -> str:
        """Return the time of this request's current mutation; the same however often it is asked."""
        if self._now is None:
            self._now = self.store.mint.now()
        return self._now

    def new_id(self) -> str:
        """Return a new cuid."""
        return self.store.mint.cuid()

    def insert(self, table: Table | str, row: Row) -> Row:
        """Insert ``row`` and note its id for the ledger."""
        self.touch(row.get("id"))
        self.store.insert(table.name if isinstance(table, Table) else table, row)
        return row

    def create(self, table: Table, row: Row) -> Row:
        """Insert ``row`` with a new id, this organisation, the caller as creator, and the time."""
        now = self.now()
        head = {"id": self.new_id(), "organizationId": self.organization_id, "createdById": self.user["id"]}
        made = self.insert(table, {**head, "createdAt": now, "updatedAt": now, **row})
        if table.searched:
            search.note(self, made["id"], None)
        return made

    def change(self, table: Table, ident: str, changes: Row) -> Row:
        """Set ``changes`` and ``updatedAt`` on a row; return the row as it now is, deleted or not."""
        self.touch(ident)
        if table.searched and not changes.keys().isdisjoint(("name", "deleted")):
            before = self.store.row(f"SELECT name, deleted FROM {table.name} WHERE id = ?", [ident])
            search.note(self, ident, before["name"] if before and not before["deleted"] else None)
        self.store.update(table.name, ident, {**changes, "updatedAt": self.now()})
        row = self.store.row(f"SELECT * FROM {table.name} WHERE id = ?", [ident])
        assert row is not None
        return row

    def touch(self, ident: str | None) -> None:
        """Note that the current mutation concerns ``ident``; what was read before is read anew."""
        if ident is not None and ident not in self._touched:
            self._touched[ident] = None
        self._seen.clear()

    @contextmanager
    def writing(self, op: str, args: Any) -> Iterator[None]:
        """Carry out one mutation: all of it with its ledger row, or nothing."""
        self._now, self._touched = None, {}
        watch = self.watch
        if watch:
            watch.before_commit(op)
        told = (watch.run, watch.request, watch.outcome) if watch else ()
        with self.store.transaction():
            if self._epoch != self.store.epoch:  # the workspace was emptied under the caller's feet
                raise NotAuthenticatedError("Invalid API key")
            yield
            if watch:
                watch.committing(op)
            seq = self.store.record(op, args, list(self._touched), self.user["id"], self.now(), *told)
        if watch:
            watch.committed(op, seq)


Info = GraphQLResolveInfo[Context]


def mutation(op: str, needs: str | None = None) -> Callable[[Resolver], Resolver]:
    """Wrap a resolver that writes: permission checked, one transaction, one ledger row named ``op``."""

    def decorate(resolve: Resolver) -> Resolver:
        @functools.wraps(resolve)
        def run(source: Any, info: Info, **args: Any) -> Any:
            context = info.context
            context.require(needs)
            told = {"on": source["id"], **args} if isinstance(source, dict) and "id" in source else args
            with context.writing(op, told):
                return resolve(source, info, **args)

        return run

    return decorate


def to_one(table: Table, column: str) -> Resolver:
    """Return the resolver of a relation: the row of ``table`` whose id is in ``column``."""

    def resolve(source: Row, info: Info) -> Row | None:
        context = info.context
        return context.related(table, source[column])

    return resolve


def by_id(table: Table) -> Resolver:
    """Return the resolver of a single read, ``where: {id}``."""

    def resolve(_: Any, info: Info, where: Row) -> Row:
        context = info.context
        return context.find(table, where["id"])

    return resolve


def every(table: Table) -> Resolver:
    """Return the resolver of a top-level list with ``where``, ``skip`` and ``first``."""

    def resolve(
        _: Any, info: Info, where: Any = None, skip: int | None = None, first: int | None = None
    ) -> Sequence[Row]:
        context = info.context
        return context.page(table, where, skip, first)

    return resolve
