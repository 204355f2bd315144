"""SQLite under the sandbox: connections, transactions, and the ledger.

One connection writes, under a lock; any number of others read, each its own consistent snapshot (WAL),
so that readers wait for nobody. A second process (``sandbox aws``) may write the same file meanwhile; a
busy timeout sees to that.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lbstack.sandbox.blank import placed
from lbstack.sandbox.ids import Mint
from lbstack.sandbox.past import Past
from lbstack.sandbox.turns import Turns

Row = dict[str, Any]
Params = Sequence[Any] | Mapping[str, Any]

DATABASE_NAME = "sandbox.db"
FILES_NAME = "sandbox-files"
_FORMAT = 3
_BUSY_SECONDS = 15.0
_IDLE_READERS = 8
_FILE_SUFFIXES = {".db", ".sqlite", ".sqlite3"}

TABLES = (
    "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS ledger (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, op TEXT NOT NULL,
        args TEXT NOT NULL, ids TEXT NOT NULL, actor TEXT NOT NULL, run TEXT NOT NULL DEFAULT '',
        request TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT 'executed')""",
)


class FormatError(ValueError):
    """The data were written by another version of the sandbox, or are no data of a sandbox at all."""


def database_file(data: Path) -> Path:
    """Return the database that ``data`` means: itself when it ends like one, else a file inside it."""
    return data if data.suffix in _FILE_SUFFIXES else data / DATABASE_NAME


class Store:
    """A workspace's rows and files. ``path`` of None keeps them for the life of this object only.

    Rows are plain dicts keyed by column; a column is named exactly as the GraphQL field it answers.
    ``epoch`` counts how often the workspace was emptied; ``past`` is what it was a moment ago.
    """

    def __init__(self, path: Path | None, tables: Sequence[str], seed: int | None = None) -> None:
        self.path = path
        self._temporary = None if path else tempfile.TemporaryDirectory(prefix="lbstack-sandbox-")
        self._file = path or Path(self._temporary.name if self._temporary else "") / DATABASE_NAME
        self.files = self._file.parent / FILES_NAME
        self.mint = Mint(seed, self.count)
        self._here = threading.local()
        self._writing = Turns()
        self.epoch = 0
        self.past = Past(self._connect, lambda: self.mint.ticks())
        self._idle: list[sqlite3.Connection] = []
        self._file.parent.mkdir(parents=True, exist_ok=True)
        statements = (*TABLES, *tables, f"PRAGMA user_version = {_FORMAT}")
        new = placed(self._file, statements, kept=path is not None)
        self._writer = self._connect()
        if not new:
            self._upgrade(statements)

    def close(self) -> None:
        """Close the connections; what was committed stays."""
        with self._writing:
            self.past.forget()
            self._writer.close()
            while self._idle:
                self._idle.pop().close()
        if self._temporary:
            self._temporary.cleanup()

    @property
    def conn(self) -> sqlite3.Connection:
        """The connection of the transaction or snapshot that is open in this thread, else the writer's."""
        return getattr(self._here, "conn", None) or self._writer

    def rows(self, sql: str, params: Params = ()) -> list[Row]:
        """Return every row of a SELECT as a dict."""
        with self._reading() as conn:
            cursor = conn.execute(sql, params)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def row(self, sql: str, params: Params = ()) -> Row | None:
        """Return the first row of a SELECT, or None."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def value(self, sql: str, params: Params = ()) -> Any:
        """Return the first column of the first row of a SELECT, or None."""
        with self._reading() as conn:
            found = conn.execute(sql, params).fetchone()
            return found[0] if found else None

    def run(self, sql: str, params: Params = ()) -> int:
        """Carry out a statement; return how many rows it changed."""
        with self._writing:
            return self._writer.execute(sql, params).rowcount

    def run_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Carry out a statement for each of many rows."""
        with self._writing:
            self._writer.executemany(sql, rows)

    def insert(self, table: str, row: Row) -> None:
        """Insert ``row``, whose keys are the table's columns."""
        columns = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        self.run(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(row.values()))

    def update(self, table: str, ident: str, changes: Row) -> None:
        """Set ``changes`` on the row whose id is ``ident``."""
        if changes:
            setters = ", ".join(f'"{name}" = ?' for name in changes)
            self.run(f"UPDATE {table} SET {setters} WHERE id = ?", [*changes.values(), ident])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed together, or not at all."""
        with self._writing:
            self.past.keep()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                with self._at(self._writer):
                    yield
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything inside reads one state of the workspace, the present one unless reads are behind."""
        with self.past.lend() as behind:
            if behind is not None:
                with self._at(behind):
                    yield
                return
        with self._reader() as conn:
            conn.execute("BEGIN")
            try:
                with self._at(conn):
                    yield
            finally:
                conn.execute("COMMIT")

    @contextmanager
    def _at(self, conn: sqlite3.Connection) -> Iterator[None]:
        """What this thread reads, it reads over ``conn``."""
        before = getattr(self._here, "conn", None)
        self._here.conn = conn
        try:
            yield
        finally:
            self._here.conn = before

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        open_here = getattr(self._here, "conn", None)
        if open_here is not None:
            yield open_here
            return
        with self._reader() as conn:
            yield conn

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that only reads; it goes back to the idle ones."""
        try:
            conn = self._idle.pop()
        except IndexError:
            conn = self._connect()
        try:
            yield conn
        finally:
            if len(self._idle) < _IDLE_READERS:
                self._idle.append(conn)
            else:
                conn.close()

    def record(
        self,
        op: str,
        args: Any,
        ids: Sequence[str],
        actor: str,
        time: str,
        run: str = "",
        request: str = "",
        outcome: str = "executed",
    ) -> int:
        """Append to the ledger; the arguments are kept as a digest only, since they may hold secrets.

        ``run`` is what the client calls its run, ``request`` a digest of the whole request, ``outcome``
        what became of it. Returns the entry's ``seq``.
        """
        text = json.dumps(args, sort_keys=True, separators=(",", ":"), default=str)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        row = {"time": time, "op": op, "args": digest, "ids": json.dumps(list(ids)), "actor": actor}
        self.insert("ledger", {**row, "run": run, "request": request, "outcome": outcome})
        return int(self.value("SELECT last_insert_rowid()"))

    def settle(self, seqs: Sequence[int], outcome: str) -> None:
        """Say in the ledger what became of the answers to what was executed."""
        sql = "UPDATE ledger SET outcome = ? WHERE seq = ? AND outcome = 'executed'"
        self.run_many(sql, [(outcome, seq) for seq in seqs])

    def ledger(self) -> list[Row]:
        """Every mutation carried out, oldest first: ``seq time op args ids actor run request outcome``."""
        entries = self.rows("SELECT * FROM ledger ORDER BY seq")
        return [{**entry, "ids": json.loads(entry["ids"])} for entry in entries]

    def count(self, name: str, by: int) -> int:
        """Count ``name`` on by ``by``; return where it is."""
        if not by:
            return self.value("SELECT value FROM counters WHERE name = ?", [name]) or 0
        sql = (
            "INSERT INTO counters (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value RETURNING value"
        )
        with self._writing:
            (value,) = self._writer.execute(sql, (name, by)).fetchone()
            return int(value)

    def _upgrade(self, statements: Sequence[str]) -> None:
        found = self.value("PRAGMA user_version")
        if found not in (0, _FORMAT):
            raise FormatError(f"{self.path}: written by another version of the sandbox (format {found})")
        with self.transaction():
            for statement in statements:
                self._writer.execute(statement)

    def _connect(self) -> sqlite3.Connection:
        # It holds keys and webhook secrets: created for its owner alone before SQLite sees it. One that is
        # there is not opened: closing it would end every lock that this process has on it, and the next
        # process to leave would take itself for the last and remove the log that is being written.
        with suppress(FileExistsError):
            os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        conn = sqlite3.connect(
            self._file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        # What nobody keeps need not reach the disk either.
        conn.execute(f"PRAGMA synchronous = {'NORMAL' if self.path else 'OFF'}")
        conn.execute("PRAGMA journal_mode = WAL")
        return conn
