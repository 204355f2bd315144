"""What the workspace was a moment ago, for reads that are behind (``Conditions.stale_reads_ms``)."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_GRAINS = 32  # how many states are kept of the time that reads are behind


class _State:
    """A snapshot that is kept open: what was so until ``until``."""

    def __init__(self, until: float, conn: sqlite3.Connection) -> None:
        self.until = until
        self.conn = conn
        self.lock = threading.Lock()
        self.readers = 0


class Past:
    """The states of the last ``seconds``; none is kept while that is 0."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], ticks: Callable[[], float]) -> None:
        self.seconds = 0.0
        self._connect = connect
        self._ticks = ticks
        self._guard = threading.Lock()
        self._states: list[_State] = []

    def keep(self) -> None:
        """Keep the present, which is about to change; called under the writer's lock."""
        if not self.seconds and not self._states:
            return
        now = self._ticks()
        self._forget(now - self.seconds)
        if not self.seconds or (self._states and now - self._states[-1].until < self.seconds / _GRAINS):
            return
        conn = self._connect()
        conn.execute("BEGIN")
        conn.execute("SELECT 1 FROM counters LIMIT 1").fetchone()  # only reading begins the snapshot
        with self._guard:
            self._states.append(_State(now, conn))

    @contextmanager
    def lend(self) -> Iterator[sqlite3.Connection | None]:
        """Lend the state of ``seconds`` ago; None when nothing has changed since."""
        state = None
        if self.seconds:
            with self._guard:
                then = self._ticks() - self.seconds
                state = next((each for each in self._states if each.until >= then), None)
                if state:
                    state.readers += 1
        if state is None:
            yield None
            return
        try:
            with state.lock:
                yield state.conn
        finally:
            with self._guard:
                state.readers -= 1

    def forget(self) -> None:
        """Forget everything that nobody is reading."""
        self._forget(float("inf"))

    def _forget(self, before: float) -> None:
        with self._guard:
            gone = [each for each in self._states if each.until < before and not each.readers]
            self._states = [each for each in self._states if each not in gone]
        for each in gone:
            each.conn.close()
