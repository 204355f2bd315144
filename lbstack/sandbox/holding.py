"""Who uses a sandbox's data: many at once who serve or visit it, or one alone who empties it.

The kernel holds the lock and lets go when a process dies. It lies beside the data, not on it: opening and
closing a database file ends the locks that a process has on it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lbstack.sandbox.store import database_file

NAME = "in-use.lock"


@contextmanager
def shared(data: Path) -> Iterator[None]:
    """Use the data in a folder together with others. Waits while somebody empties it."""
    with _locked(data, fcntl.LOCK_SH):
        yield


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Have the data in a folder for oneself. Raises BlockingIOError while others use it."""
    with _locked(data, fcntl.LOCK_EX | fcntl.LOCK_NB):
        yield


@contextmanager
def _locked(data: Path, how: int) -> Iterator[None]:
    folder = database_file(data).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)
