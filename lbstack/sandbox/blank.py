"""A database with tables and no rows: made once a process, and copied for each new workspace. To make its
tables takes longer than most of what is done in one afterwards."""

from __future__ import annotations

import functools
import os
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path


@functools.cache
def image(statements: tuple[str, ...]) -> bytes:
    """The bytes of a database in which these statements were carried out."""
    with tempfile.TemporaryDirectory(prefix="lbstack-sandbox-") as folder:
        path = Path(folder) / "blank.db"
        conn = sqlite3.connect(path, isolation_level=None)
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("BEGIN")
        for statement in statements:
            conn.execute(statement)
        conn.execute("COMMIT")
        conn.close()  # which takes the log into the file
        return path.read_bytes()


def placed(path: Path, statements: tuple[str, ...], kept: bool) -> bool:
    """Put such a database there, for its owner alone, if nothing is there; tell whether it was put.

    It is there whole or not at all: another process may look for it at the same moment. Where files cannot
    have two names nothing is put. What is `kept` is on the disk before it is there.
    """
    if path.exists():
        return False
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(image(statements))
            if kept:
                file.flush()
                os.fsync(file.fileno())
        with suppress(OSError):
            os.link(name, path)
            return True
        return False
    finally:
        Path(name).unlink()
