"""Under what conditions a sandbox works: its limits, its lags, whom it may talk to, how it misbehaves."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lbstack.sandbox.complexity import LIMIT
from lbstack.sandbox.errors import ServiceError

SEARCH_LAG_MS, INVITE_LAG_MS = 3000, 1000  # API reference 6.6


@dataclass(frozen=True)
class RateLimit:
    """At most ``per_min`` requests in any minute; ``style`` is how the next one is refused."""

    per_min: int
    style: str = "429_json"
    retry_after: bool = True


@dataclass(frozen=True)
class Paging:
    """How pages of lists misbehave. Pages are counted from 0: by ``skip``, or from the first of a cursor.

    ``cap`` bounds every page, ``fail`` refuses, ``short`` cuts to a number of rows, ``repeat`` answers the
    page before, ``shuffle`` turns the order round; with ``churn`` every n-th page is shifted by a row, as if
    somebody else had deleted one, or inserted one, before it.
    """

    cap: int | None = None
    fail: frozenset[int] = frozenset()
    short: Mapping[int, int] = field(default_factory=dict)
    repeat: frozenset[int] = frozenset()
    shuffle: frozenset[int] = frozenset()
    churn: int | None = None
    _turns: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def turn(self, table: str, cursor: str | None) -> int:
        """Return the number of a cursor list's page: one more than the page of this list before it."""
        self._turns[table] = self._turns.get(table, -1) + 1 if cursor else 0
        return self._turns[table]

    def skip(self, page: int, skip: int, size: int) -> int:
        """Return where page number ``page`` really begins; refuse it when it is to fail."""
        if page in self.fail:
            raise ServiceError("upstream request timeout", exception={"status": 503})
        if page in self.repeat and page:
            skip -= size
        if self.churn and page and page % self.churn == 0:
            skip += 1 if (page // self.churn) % 2 else -1
        return max(0, skip)

    def cut(self, page: int, rows: list[Any]) -> list[Any]:
        """Return what of a page's rows is told, and in which order."""
        rows = rows[: self.short.get(page, len(rows))]
        if self.cap is not None:
            rows = rows[: self.cap]
        return rows[::-1] if page in self.shuffle else rows


@dataclass
class Conditions:
    """What one running sandbox is like. None of it is kept.

    ``complexity_limit`` bounds a document's weight. ``outbound`` lets it fetch from, and deliver to,
    addresses beyond this machine. ``search_lag_ms`` is how far search by name is behind writes,
    ``invite_lag_ms`` how old an invite is before a list shows it.

    The rest is off unless the sandbox was told to misbehave (``faults``): reads that are
    ``stale_reads_ms`` behind, objects of ``hide_ids`` that nobody sees, every key acting in the ``role``
    or in the organization ``org``, being revoked (``revoke_key``) or expiring after ``requests_left``
    requests, a rate limit, a clock that is wrong by ``clock_offset_s``, answers without a ``Date``,
    pages that misbehave, and ``limits`` to how many ontologies or users there may be.
    """

    complexity_limit: int = LIMIT
    outbound: bool = False
    search_lag_ms: int = SEARCH_LAG_MS
    invite_lag_ms: int = INVITE_LAG_MS
    stale_reads_ms: int = 0
    hide_ids: frozenset[str] = frozenset()
    role: str | None = None
    org: str | None = None
    requests_left: int | None = None
    revoke_key: bool = False
    rate_limit: RateLimit | None = None
    clock_offset_s: float = 0.0
    date_header: bool = True
    page: Paging | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    _counting: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def key_works(self) -> bool:
        """Say whether keys work at all; counts this request towards their expiry."""
        if self.revoke_key:
            return False
        if self.requests_left is None:
            return True
        with self._counting:
            self.requests_left = max(-1, self.requests_left - 1)
            return self.requests_left >= 0

    def full(self, what: str, have: int) -> None:
        """Refuse one more of ``what`` when there are as many as may be (API reference 5.7 and 5.5)."""
        most = self.limits.get(what)
        if most is not None and have >= most:
            problem = f"You have reached the limit of {most} {what} on your plan"
            raise ServiceError(problem, exception={"status": 426})
