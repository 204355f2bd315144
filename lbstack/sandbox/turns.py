"""A lock that is given to whoever has waited longest, so that nobody waits longer than those before."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A re-entrant lock with a queue. A plain one may go to the same busy thread again and again."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._owner: int | None = None
        self._depth = 0
        self._queue: deque[tuple[int, threading.Lock]] = deque()

    def __enter__(self) -> None:
        me = threading.get_ident()
        with self._guard:
            if self._owner in (me, None):
                self._owner, self._depth = me, self._depth + 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._queue.append((me, turn))
        try:
            turn.acquire()  # released by who hands the lock over
        except BaseException:  # an interrupt while waiting: give back what may have come meanwhile
            with self._guard:
                waiting = (me, turn) in self._queue
                if waiting:
                    self._queue.remove((me, turn))
            if not waiting:
                self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._depth -= 1
            if self._depth:
                return
            if self._queue:
                self._owner, turn = self._queue.popleft()
                self._depth = 1
                turn.release()
            else:
                self._owner = None
