"""Work that a request leaves for later: imports, exports, rows to be processed (API reference 1.8 to 1.11).

A job is a row, written in the transaction that asks for it, and carried out in a transaction that also
removes it: a restart neither loses a job nor does one twice. Each is carried out as the person who
asked. A served sandbox has a thread for them; an embedded one, and one with counted ids, carries them
out before it answers, so that every run is the same.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lbstack.sandbox.errors import ServiceError
from lbstack.sandbox.roles import BY_NAME

if TYPE_CHECKING:
    from lbstack.sandbox.conditions import Conditions
    from lbstack.sandbox.context import Context
    from lbstack.sandbox.store import Row, Store

log = logging.getLogger(__name__)

TABLES = (
    """CREATE TABLE IF NOT EXISTS jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, userId TEXT NOT NULL,
        role TEXT NOT NULL, base TEXT NOT NULL, payload TEXT NOT NULL, due REAL NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS jobs_due ON jobs (due)",
)

_GLANCE_SECONDS = 0.5  # another process may have left a job in the same file


@dataclass(frozen=True)
class Later:
    """What a job returns to go on in another transaction, ``seconds`` from now."""

    payload: Row
    seconds: float = 0.0


@dataclass(frozen=True)
class Job:
    """How one kind of job is carried out.

    ``prepare(context, payload)`` is called outside of any transaction and may take its time, for
    instance to fetch a file; what it returns goes to ``run(context, payload, prepared)``, inside one.
    When either raises, ``failed(context, payload, message)`` is called in a transaction of its own.
    """

    run: Callable[[Context, Row, Any], Later | None]
    prepare: Callable[[Context, Row], Any] = lambda context, payload: None
    failed: Callable[[Context, Row, str], None] = lambda context, payload, message: None


def enqueue(context: Context, kind: str, payload: Row, seconds: float = 0.0) -> None:
    """Leave a job, due ``seconds`` from now, in the transaction that is open."""
    due = context.store.mint.due() + seconds
    row = {"kind": kind, "userId": context.user["id"], "role": context.role, "base": context.base}
    context.store.insert("jobs", {**row, "payload": json.dumps(payload), "due": due})


class Worker:
    """Carries out what is due, one job after the other, oldest first."""

    def __init__(self, store: Store, jobs: Mapping[str, Job], conditions: Conditions) -> None:
        self.store = store
        self.jobs = jobs
        self.conditions = conditions
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Carry jobs out in a thread from now on."""
        self._thread = threading.Thread(target=self._serve, name="sandbox jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the job at hand and end the thread."""
        self._stopping = True
        self.wake()
        if self._thread:
            self._thread.join()

    def wake(self) -> None:
        """Say that there may be something to do."""
        self._wake.set()

    def drain(self) -> None:
        """Carry out everything that is due, here and now."""
        while not self._stopping and self._one():
            pass

    def _serve(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                if not self.store.mint.seeded:  # then whoever asks carries out what he has left
                    self.drain()
            except Exception:
                log.exception("the sandbox's jobs stopped for a moment")
            self._wake.wait(_GLANCE_SECONDS)

    def _one(self) -> bool:
        """Carry out the job that has been due for longest; False when none is due."""
        job = self._due()
        if job is None:
            return False
        context, payload = self._context(job), json.loads(job["payload"])
        how = self.jobs.get(job["kind"])
        if context is None or how is None:
            self.store.run("DELETE FROM jobs WHERE seq = ?", [job["seq"]])
            return True
        try:
            prepared = how.prepare(context, payload)
            with context.writing(f"job {job['kind']}", payload):
                if self._take(job):
                    self._keep(job, how.run(context, payload, prepared))
        except Exception as error:
            if not isinstance(error, ServiceError):
                log.exception("a job failed: %s", job["kind"])
            message = error.message if isinstance(error, ServiceError) else "Internal server error"
            with context.writing(f"job {job['kind']} failed", payload):
                if self._take(job):
                    how.failed(context, payload, message)
        return True

    def _due(self) -> Row | None:
        sql = "SELECT * FROM jobs WHERE due <= ? ORDER BY due, seq LIMIT 1"
        return self.store.row(sql, [self.store.mint.due()])

    def _context(self, job: Row) -> Context | None:
        """The person who asked, in the role they had; None when they are gone."""
        from lbstack.sandbox.context import Context

        user = self.store.row("SELECT * FROM users WHERE id = ?", [job["userId"]])
        if user is None:
            return None
        permissions = frozenset(BY_NAME[job["role"]].permissions)
        return Context(self.store, user, job["role"], permissions, job["base"], self.conditions)

    def _take(self, job: Row) -> bool:
        """Remove a job for good with what it does; False when another process was faster."""
        return bool(self.store.run("DELETE FROM jobs WHERE seq = ?", [job["seq"]]))

    def _keep(self, job: Row, later: Later | None) -> None:
        if later is not None:
            due = self.store.mint.due() + later.seconds
            self.store.insert("jobs", {**job, "payload": json.dumps(later.payload), "due": due})
