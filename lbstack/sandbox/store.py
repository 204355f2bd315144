"""SQLite under the sandbox: connection, transactions, and the ledger.

One connection behind one lock: graphql-core executes in a single thread anyway, and a read that holds
the lock sees one consistent workspace. A second process (``sandbox aws``) may write the same file
meanwhile; WAL and a busy timeout see to that.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lbstack.sandbox.ids import Mint

Row = dict[str, Any]
Params = Sequence[Any] | Mapping[str, Any]

DATABASE_NAME = "sandbox.db"
_FORMAT = 1
_BUSY_SECONDS = 15.0
_FILE_SUFFIXES = {".db", ".sqlite", ".sqlite3"}

TABLES = (
    "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS ledger (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, op TEXT NOT NULL,
        args TEXT NOT NULL, ids TEXT NOT NULL, actor TEXT NOT NULL)""",
)


def database_file(data: Path) -> Path:
    """Return the database that ``data`` means: itself when it ends like one, else a file inside it."""
    return data if data.suffix in _FILE_SUFFIXES else data / DATABASE_NAME


class Store:
    """A workspace's rows. ``path`` of None keeps them in memory.

    Rows are plain dicts keyed by column; a column is named exactly as the GraphQL field it answers.
    """

    def __init__(self, path: Path | None, tables: Sequence[str], seed: int | None = None) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.mint = Mint(seed, self._count)
        self.conn = _connect(path)
        self._upgrade([*TABLES, *tables])

    def close(self) -> None:
        """Close the connection; what was committed stays."""
        with self.lock:
            self.conn.close()

    def rows(self, sql: str, params: Params = ()) -> list[Row]:
        """Return every row of a SELECT as a dict."""
        with self.lock:
            cursor = self.conn.execute(sql, params)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def row(self, sql: str, params: Params = ()) -> Row | None:
        """Return the first row of a SELECT, or None."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def value(self, sql: str, params: Params = ()) -> Any:
        """Return the first column of the first row of a SELECT, or None."""
        with self.lock:
            found = self.conn.execute(sql, params).fetchone()
            return found[0] if found else None

    def run(self, sql: str, params: Params = ()) -> int:
        """Carry out a statement; return how many rows it changed."""
        with self.lock:
            return self.conn.execute(sql, params).rowcount

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
        with self.lock:
            self.conn.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.conn.execute("ROLLBACK")
                raise
            self.conn.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything inside reads one state of the workspace."""
        with self.lock:
            self.conn.execute("BEGIN")
            try:
                yield
            finally:
                self.conn.execute("COMMIT")

    def record(self, op: str, args: Any, ids: Sequence[str], actor: str, time: str) -> None:
        """Append to the ledger; the arguments are kept as a digest only, since they may hold secrets."""
        text = json.dumps(args, sort_keys=True, separators=(",", ":"), default=str)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        row = {"time": time, "op": op, "args": digest, "ids": json.dumps(list(ids)), "actor": actor}
        self.insert("ledger", row)

    def ledger(self) -> list[Row]:
        """Every mutation carried out, oldest first: ``seq time op args ids actor``."""
        entries = self.rows("SELECT * FROM ledger ORDER BY seq")
        return [{**entry, "ids": json.loads(entry["ids"])} for entry in entries]

    def _count(self, name: str) -> int:
        sql = (
            "INSERT INTO counters (name, value) VALUES (?, 1) "
            "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
        )
        with self.lock:
            (value,) = self.conn.execute(sql, (name,)).fetchone()
            return int(value)

    def _upgrade(self, tables: Sequence[str]) -> None:
        found = self.value("PRAGMA user_version")
        if found not in (0, _FORMAT):
            raise ValueError(f"{self.path}: written by another version of the sandbox (format {found})")
        with self.transaction():
            for statement in tables:
                self.conn.execute(statement)
            self.conn.execute(f"PRAGMA user_version = {_FORMAT}")


def _connect(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # It holds keys and webhook secrets: created for its owner alone before SQLite sees it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    conn = sqlite3.connect(
        path or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = NORMAL")
    return conn
