"""The journal of an apply: what it announced, did and failed at, until that is folded into the state.

A line is ``SEQ CRC32 JSON``: the number of the line, a checksum over number and record, the record. Line 0
says which snapshot the journal goes on from. Two files hold the same lines, the journal and its twin, both
with room reserved before anything is sent. Of the journal each line is durable before `add` returns; the
twin is only written, until the journal fails: from then on the twin is what is durable, and `trouble`
tells those who would begin more.

| a line that | is |
| --- | --- |
| stands in either file, whole | believed |
| is the last one and cut off, or has a hole | never acknowledged: skipped |
| was whole once, and is whole in neither file | damage: refused |
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lbstack.errors import StateError
from lbstack.state.files import make_folder, naming, read_own, sync, sync_folder
from lbstack.state.intents import intent_record
from lbstack.state.model import State
from lbstack.values import Intent

ROOM = 256 * 1024
"""Bytes reserved at once, so that a disk which fills up meanwhile does not keep what was done from it."""

Record = dict[str, Any]


class Journal:
    """An append-only record of one apply. Appending costs the same however much is remembered."""

    def __init__(self, path: Path, twin: Path, head: Record) -> None:
        self.path = path
        self._trouble: OSError | None = None
        self._lost = False
        self._next = 0
        self._first = _File(path)
        self._twin: _File | None = None
        try:
            self._twin = _File(twin)
            self.add(head)
            if self._trouble is not None:  # nothing was begun yet: this is no time to make do
                raise self._trouble
        except BaseException:
            self.discard()
            raise

    @property
    def trouble(self) -> OSError | None:
        """What ended the journal; its twin goes on, and nothing more should be begun."""
        return self._trouble

    @property
    def lost(self) -> bool:
        """Whether there was a record that no disk took."""
        return self._lost

    def add(self, record: Record) -> None:
        """Append one record and wait until a disk has it. Raises OSError when none takes it."""
        line = encode(self._next, record)
        self._next += 1
        if self._trouble is None:
            try:
                self._first.append(line)
                self._first.sync()
            except OSError as error:
                self._trouble = error
        try:
            self._add_to_twin(line)
        except OSError:
            self._lost = True
            raise

    def _add_to_twin(self, line: bytes) -> None:
        if self._twin is None:
            if self._trouble is not None:
                raise self._trouble
            return
        try:
            self._twin.append(line)
            if self._trouble is not None:
                self._twin.sync()
        except OSError:
            self._twin.close()
            self._twin = None
            if self._trouble is not None:
                raise self._trouble from None

    async def before(self, state: State, intent: Intent | None = None) -> None:
        """Called before each step is sent. Here nobody else can have taken the state over meanwhile, and
        the journal is where the next run looks."""
        if intent is not None:
            self.add(intent_record(intent))

    async def share(self, state: State) -> None:
        """Called where the next run must know what is known by now: the journal tells all of it already."""

    async def checkpoint(self, state: State) -> None:
        """Called as steps end: the journal tells all of it already."""

    def close(self) -> None:
        """Close the files; they stay until they are folded into the state."""
        self._first.close()
        if self._twin is not None:
            self._twin.close()
            self._twin = None

    def discard(self) -> None:
        """Take back a journal that nothing was begun with."""
        paths = [self.path, *([self._twin.path] if self._twin else [])]
        self.close()
        for path in paths:
            with suppress(OSError):
                path.unlink()


class _File:
    """A file whose room is reserved ahead of what is written. A disk that failed it once is not asked
    again: after a failed fsync another one may succeed, and mean nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end = self._size = 0
        with naming(path):
            make_folder(path.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._handle = os.open(path, flags, 0o600)
            with suppress(OSError):  # not every disk knows locks
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                self._reserve(ROOM)
                sync(self._handle)
                sync_folder(path.parent)
            except BaseException:
                os.close(self._handle)
                with suppress(OSError):
                    path.unlink()
                raise

    def append(self, line: bytes) -> None:
        with naming(self.path):
            if self._end + len(line) > self._size:
                self._reserve(max(ROOM, len(line)))
            self._write(line, self._end)
            self._end += len(line)

    def sync(self) -> None:
        with naming(self.path):
            sync(self._handle)

    def close(self) -> None:
        os.close(self._handle)

    def _reserve(self, size: int) -> None:
        try:
            os.posix_fallocate(self._handle, self._size, size)
        except AttributeError:  # macOS has no such call
            self._write(bytes(size), self._size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            self._write(bytes(size), self._size)
        self._size += size

    def _write(self, data: bytes, at: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._handle, view, at)
            if not written:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            view, at = view[written:], at + written


def is_open(path: Path) -> bool:
    """Whether some process has a journal open: it may write there yet, and stands still at most."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(handle)


def encode(number: int, record: Record) -> bytes:
    """One line."""
    body = json.dumps(record, separators=(",", ":")).encode()
    return b"%d %08x %s\n" % (number, _checksum(number, body), body)


def _checksum(number: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(b"%d " % number))


def read_journal(
    paths: Iterable[Path], after: int = 0, cure: str = "move it away", *, salvage: bool = False
) -> list[Record]:
    """The records of a journal, out of all the files that hold its lines; none where there is none.

    A file that goes on from a snapshot before the one `after` which all is to be read was folded into that
    already. A record that is lost is an error, and `cure` the way out; whoever `salvage`s gets those before
    it.
    """
    found: dict[int, bytes] = {}
    most, where = 0, ""
    for path in paths:
        lines = list(_whole_lines(read_own(path) or b""))
        known = dict(filter(None, map(_decode, lines)))
        base = _parse(known[0], str(path)).get("generation") if 0 in known else after
        if not lines or (type(base) is int and base < after):
            continue
        where = where or str(path)
        most = max(most, len(lines))
        for number, body in known.items():
            if found.setdefault(number, body) != body:
                raise StateError(f"{path} is not the twin of {where}", "move the older of the two away")
    count = next(number for number in range(len(found) + 1) if number not in found)
    if max(most, len(found)) > count and not salvage:
        raise StateError(
            f"{where}: line {count + 1} of the journal of the last apply is damaged",
            cure,
        )
    return [_parse(found[number], where) for number in range(count)]


def _whole_lines(raw: bytes) -> Iterator[bytes]:
    """Lines that were once written to their end: what has a hole, or no end, was never acknowledged."""
    *lines, _ = raw.split(b"\n")
    for line in lines:
        if b"\0" not in line:
            yield line


def _decode(line: bytes) -> tuple[int, bytes] | None:
    """Number and record of a line; None if it is damaged."""
    try:
        number, checksum, body = line.split(b" ", 2)
        if checksum == b"%08x" % _checksum(int(number), body) and number == b"%d" % int(number):
            return int(number), body
    except ValueError:
        pass
    return None


def _parse(body: bytes, where: str) -> Record:
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise StateError(f"{where}: the journal of the last apply is damaged", "move it away")
    return record


def read_first_format(path: Path) -> list[Record]:
    """The records of a journal as they were written beside states of format 1: JSON alone, one file."""
    lines = (read_own(path) or b"").split(b"\n")
    records = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(line)
        except (ValueError, RecursionError):
            if number == len(lines):
                break
            raise StateError(
                f"{path}:{number}: the journal of the last apply is damaged",
                "keep it and the state beside it for a look, or delete the journal to go on without it",
            ) from None
        records.append(record)
    return records
