"""Durable files: written whole and atomically, readable by their owner only; and nobody else's are read."""

from __future__ import annotations

import errno
import fcntl
import math
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lbstack.errors import StateError

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""How files are opened to be read: not through a link, and without waiting for whoever feeds a pipe."""


ENDING = ".tmp"
"""How the names of files end that are written to take the place of others."""
STALE = 3600.0
"""Seconds after which such a file is nobody's any more: to write one takes no minute."""


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; one that exists is left as it is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def read_own(path: Path, size: int = -1) -> bytes | None:
    """What a file of ours holds, or its first bytes; None where there is none. A link, or what belongs to
    somebody else, is refused: it would be believed, and written to."""
    try:
        handle = os.open(path, READ)
    except FileNotFoundError:
        return None
    except PermissionError:
        raise StateError(f"{path} cannot be read: Permission denied", "mend its permissions") from None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK):
            raise
        raise StateError(f"{path} is a symbolic link", "name the file that it leads to") from None
    try:
        require_own(path, handle)
        file = os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise
    with file:
        return file.read(size)


def require_own(path: Path, handle: int) -> None:
    """Refuse an open file that is no regular one, or somebody else's."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise StateError(f"{path} is no regular file", "name a file, or move that away")
    if found.st_uid != os.geteuid():
        raise StateError(
            f"{path} belongs to user {found.st_uid}, and this runs as user {os.geteuid()}",
            "run this as its owner, or give it to this user with chown",
        )


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file durably: new file beside it, fsync, rename, fsync of the folder.

    A reader sees the old content or the new, and so does whoever reads after a power cut. Where an fsync
    fails nothing is known of what was written: the new file goes, and the next attempt makes another.
    """
    with naming(path):
        make_folder(path.parent)
        # O_EXCL, 0600
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=ENDING)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                sync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
        sync_folder(path.parent)


def touched(path: Path) -> float:
    """What the time is, by the clock that stamps the files of a folder."""
    os.utime(path)
    return path.stat().st_mtime


def sweep(folder: Path, names: str, now: float) -> None:
    """Remove what writers of files with such `names` (a regular expression) left in a folder when they were
    killed. Whoever calls it holds the lock; what a writer without one may be at work on is younger than
    `STALE`, and stays."""
    left = re.compile(rf"\.(?:{names})\.\w{{8}}{re.escape(ENDING)}")
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        for each in found:
            if left.fullmatch(each.name) and now - _written(each) > STALE:
                Path(each.path).unlink()


def _written(found: os.DirEntry[str]) -> float:
    """When a file was written last; what is no file of ours is as good as new."""
    status = found.stat(follow_symlinks=False)
    ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
    return status.st_mtime if ours else math.inf


def remove(*paths: Path) -> None:
    """Remove files durably, as far as they are there."""
    for path in paths:
        with naming(path), suppress(FileNotFoundError):
            path.unlink()
            sync_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say of a failure which file it befell, rather than none, or a temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or type(error).__name__, str(path)) from error


def sync(handle: int) -> None:
    """Wait until the disk itself has what was written; on macOS fsync alone waits for less."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        with suppress(OSError):  # not every file system there knows it
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """Make a rename, a removal or a new name in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
