"""The lock of a state on this machine: the kernel's, so that it goes when its holder does.

The file that is locked is never renamed or removed: two processes would lock two files. A note beside it
says who holds it, for those who find it held.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lbstack.errors import LockedError, StateError
from lbstack.state.files import make_folder, naming, require_own, write_whole

GLANCE = 0.2
"""Seconds that an apply waits for the lock in any case: who looks whether it is held has it for a moment."""


@contextmanager
def locked(path: Path, what: Path, timeout: float) -> Iterator[None]:
    """Hold a lock file for as long as the block runs; `what` it guards is named to those who must wait."""
    make_folder(path.parent)
    note = path.with_name(f"{path.name}.info")
    handle = _open(path)
    try:
        until = time.monotonic() + max(timeout, GLANCE)
        while not _taken(handle):
            if time.monotonic() >= until:
                raise _held(note, what)
            time.sleep(GLANCE / 4)
        with suppress(OSError):
            write_whole(note, f"process {os.getpid()} of {_user()} on {socket.gethostname()}".encode())
        try:
            yield
        finally:
            with suppress(OSError):
                note.unlink()
    finally:
        os.close(handle)


def held(path: Path) -> bool:
    """Whether somebody holds the lock now."""
    if not path.exists():
        return False
    handle = _open(path)
    try:
        return not _taken(handle)
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    with naming(path):
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EMLINK):
                raise
            raise StateError(f"{path} is a symbolic link", "remove it; lbstack makes a file there") from None
    try:
        require_own(path, handle)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _held(note: Path, what: Path) -> LockedError:
    holder = ""
    with suppress(OSError):
        holder = f" by {note.read_text().strip()}"
    return LockedError(
        f"the state {what} is locked{holder}", "wait for that apply, or give --lock-timeout 5m"
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
