"""The files of an export, cut where lines end (API reference 1.11).

An export has two streams, RESULT and ERRORS. Clients ask for the file at an offset, and for the next one
from the byte after its end. A stream without a line is none at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from lbstack.sandbox import files
from lbstack.sandbox.context import Context
from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS export_files (
        taskId TEXT NOT NULL, stream TEXT NOT NULL, startOffset INTEGER NOT NULL, endOffset INTEGER NOT NULL,
        startLine INTEGER NOT NULL, endLine INTEGER NOT NULL, url TEXT NOT NULL,
        PRIMARY KEY (taskId, stream, startOffset)) WITHOUT ROWID""",
)

RESULT, ERRORS = "RESULT", "ERRORS"
CONTENT_TYPE = "application/x-ndjson"
_MOST_BYTES = 1_000_000  # a file holds at least one line, however long
_LARGEST = 2**63 - 1


def line(value: Any) -> bytes:
    """Return ``value`` as one line of JSON; what is no JSON (NaN) raises ValueError."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def append(context: Context, task: str, stream: str, lines: Sequence[bytes]) -> None:
    """Add lines to a stream, in the transaction that is open."""
    end = header(context, task, stream)
    offset, first = (end["totalSize"], end["totalLines"]) if end else (0, 0)
    for part in _parts(lines):
        content = b"".join(part)
        row = {
            "taskId": task, "stream": stream, "startOffset": offset, "endOffset": offset + len(content) - 1,
            "startLine": first, "endLine": first + len(part) - 1,
            "url": files.save(context, f"{task}-{stream.lower()}-{offset}.ndjson", content, CONTENT_TYPE),
        }  # fmt: skip
        context.store.insert("export_files", row)
        offset, first = offset + len(content), first + len(part)


def _parts(lines: Sequence[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for each in lines:
        if part and size + len(each) > _MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(each)
        size += len(each)
    if part:
        yield part


def header(context: Context, task: str, stream: str) -> Row | None:
    """Return how many bytes and lines a stream has; None when it has none."""
    sql = """SELECT endOffset + 1 AS totalSize, endLine + 1 AS totalLines FROM export_files
        WHERE taskId = ? AND stream = ? ORDER BY startOffset DESC LIMIT 1"""
    return context.store.row(sql, [task, stream])


def file_at(context: Context, task: str, stream: str, offset: int) -> Row | None:
    """Return the file of a stream that holds the byte at ``offset``; None beyond its end."""
    if offset > _LARGEST:
        return None
    sql = """SELECT * FROM export_files WHERE taskId = ? AND stream = ? AND startOffset <= ?
        ORDER BY startOffset DESC LIMIT 1"""
    row = context.store.row(sql, [task, stream, offset])
    if row is None or offset > row["endOffset"]:
        return None
    return {
        "offsets": {"start": row["startOffset"], "end": row["endOffset"]},
        "lines": {"start": row["startLine"], "end": row["endLine"]},
        "file": context.base + urlsplit(row["url"]).path,  # it may be served on another port by now
    }


def contents(context: Context, task: str, stream: str) -> Iterator[bytes]:
    """Return a stream from its first byte to its last, file by file."""
    sql = "SELECT url FROM export_files WHERE taskId = ? AND stream = ? ORDER BY startOffset"
    paths = [files.own(context, row["url"]) for row in context.store.rows(sql, [task, stream])]
    return (found[1].read_bytes() for found in paths if found)
