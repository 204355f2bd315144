"""Durable files: written whole and atomically, or appended line by line; readable by their owner only."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lbstack.errors import StateError
from lbstack.state.intents import intent_record
from lbstack.state.model import State
from lbstack.values import Intent


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; one that exists is left as it is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file durably: temporary file beside it, fsync, rename, fsync of the folder.

    A reader sees the old content or the new, and so does whoever reads after a power cut.
    """
    with naming(path):
        make_folder(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
        sync_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say of a failure which file it befell, rather than none, or a temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or type(error).__name__, str(path)) from error


def sync_folder(folder: Path) -> None:
    """Make a rename or a new name in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Journal:
    """An append-only file of JSON lines, each durable before `add` returns.

    Appending costs the same however much is remembered; the whole state is written once, at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folder(path.parent)
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        sync_folder(path.parent)

    def add(self, record: dict[str, Any]) -> None:
        """Append one record and wait until the disk has it."""
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        with naming(self.path):
            size = os.fstat(self._handle).st_size
            try:
                view = memoryview(line)
                while view:
                    view = view[os.write(self._handle, view) :]
                os.fsync(self._handle)
            except OSError:
                with suppress(OSError):  # half a line would damage what comes after it
                    os.ftruncate(self._handle, size)
                raise

    async def before(self, state: State, intent: Intent | None = None) -> None:
        """Called before each step is sent. Here nobody else can have taken the state over meanwhile, and
        the journal is where the next run looks."""
        if intent is not None:
            self.add(intent_record(intent))

    async def checkpoint(self, state: State) -> None:
        """Called as steps end: the journal tells all of it already."""

    def close(self) -> None:
        """Close the file; the journal stays until it is folded into the state."""
        os.close(self._handle)


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a journal. A torn last line never became durable and is skipped."""
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(line)
        except (ValueError, RecursionError):
            if number == len(lines):
                return
            raise StateError(
                f"{path}:{number}: the journal of the last apply is damaged",
                "keep it and the state beside it for a look, or delete the journal to go on without it",
            ) from None
        yield record
