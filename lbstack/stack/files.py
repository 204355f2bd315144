"""Stack files on disk: which ones there are, and their text. Nothing here can block or grow.

Nothing leads out of a stack's folder either: a link in it could show, by the errors about it, what else
this user may read. A file that is named on the command line is wherever it was named, and no window into
the kernel (``/proc/self/environ`` is a regular file).
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from lbstack.errors import UsageError
from lbstack.stack.problems import Problems
from lbstack.values import Source

FILE_BYTES = 8 * 2**20
TOTAL_BYTES = 32 * 2**20
"""Bytes of one file and of a stack. Ten thousand resources are 2 MB; the count of values ends sooner."""
SUFFIXES = (".yaml", ".yml")


def stack_files(path: Path) -> list[Path]:
    """The files of a stack, sorted. Hidden ones belong to other tools. Raises `UsageError`."""
    try:
        if not path.is_dir():
            path.lstat()
            return [path]
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {_reason(error)}", "name a stack file, or its folder"
        ) from None
    found = [path / name for name in names if name.endswith(SUFFIXES) and not name.startswith(".")]
    for each in found:
        _confine(each, path)
    if not found:
        raise UsageError(f"no *.yaml file in {path}", "name a stack file, or its folder")
    return found


def _confine(file: Path, folder: Path) -> None:
    """Refuse a link to somewhere else. One within the folder is how some systems switch versions."""
    with suppress(OSError, RuntimeError):  # what does not resolve cannot be read either
        inside = file.resolve(strict=True).is_relative_to(folder.resolve())
        if file.is_file() and not inside:
            raise UsageError(
                f"{file} is a link to a file outside of {folder}",
                "put the file itself into the stack's folder",
            )


def digest_of_files(path: Path) -> str:
    """One number (SHA-256, hex) for the files of a stack, by their names and bytes."""
    whole = hashlib.sha256()
    for file in stack_files(path):
        data = _read_regular(file, FILE_BYTES) or b""
        whole.update(os.fsencode(file.name) + f"\0{len(data)}\0".encode())
        whole.update(data)
    return whole.hexdigest()


def read_text(path: Path, problems: Problems, limit: int = FILE_BYTES) -> str | None:
    """The text of a regular file, or None and a problem."""
    here = Source(str(path), 1, 1)
    try:
        data = _read_regular(path, limit)
    except OSError as error:
        problems.add(f"cannot be read: {_reason(error)}", "", here)
        return None
    if data is None:
        problems.add("is not a regular file", "a stack is read from files only", here)
        return None
    if len(data) > limit:
        problems.add(f"larger than {limit // 2**20} MB", "split the stack", here)
        return None
    return _decode(data, here, problems)


def _read_regular(path: Path, limit: int) -> bytes | None:
    """At most limit + 1 bytes; None for what is no regular file: a pipe or a device may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        return None
    path = path.resolve()
    if path.parts[1:2] in (("proc",), ("sys",), ("dev",)) and path.parts[1:3] != ("dev", "shm"):
        return None
    # The path may become a pipe, or a link elsewhere, between the look and the opening: neither wait for a
    # writer nor follow it.
    flags = ("O_NONBLOCK", "O_BINARY", "O_NOFOLLOW")
    descriptor = os.open(path, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in flags))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read(limit + 1)


def _decode(data: bytes, here: Source, problems: Problems) -> str | None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        problems.add("is UTF-16 or UTF-32", "save it as UTF-8", here)
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        problems.add("is not UTF-8", "save it as UTF-8", Source(here.file, line, column))
        return None


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
