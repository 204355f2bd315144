"""Delays and barriers, and the clock they go by: time that passes, and time that was put forward."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Waits:
    """Whoever waits: for time to pass, for a barrier to open, for the sandbox to be told to behave.

    A barrier that was released stays open; ``behave`` closes all of them anew, once everybody who was
    waiting has gone on. All of it belongs to one event loop.
    """

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._moved = asyncio.Event()
        self._behave = asyncio.Event()
        self._barriers: dict[str, asyncio.Event] = {}
        self._waiting: dict[str, int] = {}
        self._came = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait until so much time has passed, on the clock or by being put forward."""
        until, behave = self._ticks() + seconds, self._behave
        while not behave.is_set() and (left := until - self._ticks()) > 0:
            await self._either(self._moved, behave, left)

    def moved(self) -> None:
        """Say that the clock was put forward."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def barrier(self, name: str) -> None:
        """Wait until the barrier is released."""
        gate, behave = self._barriers.setdefault(name, asyncio.Event()), self._behave
        if gate.is_set():
            return
        self._waiting[name] = self._waiting.get(name, 0) + 1
        self._came.set()
        self._came = asyncio.Event()
        try:
            await self._either(gate, behave)
        finally:
            self._waiting[name] -= 1

    def release(self, name: str) -> int:
        """Open a barrier; return how many were waiting at it."""
        self._barriers.setdefault(name, asyncio.Event()).set()
        return self.waiting(name)

    def waiting(self, name: str) -> int:
        """Return how many wait at a barrier."""
        return self._waiting.get(name, 0)

    async def crowd(self, name: str, size: int, seconds: float) -> int:
        """Wait until so many wait at a barrier, or the time is over; return how many do."""
        until = asyncio.get_running_loop().time() + seconds
        while self.waiting(name) < size:
            left = until - asyncio.get_running_loop().time()
            if left <= 0 or self._behave.is_set():
                break
            await self._either(self._came, self._behave, left)
        return self.waiting(name)

    async def forever(self) -> None:
        """Wait until the sandbox is told to behave."""
        await self._behave.wait()

    def behave(self) -> None:
        """Let everybody go on who waits, whatever for."""
        self._behave.set()
        self._behave = asyncio.Event()
        self._barriers = {}

    def end(self) -> None:
        """Let everybody go on, and nobody wait from now on."""
        self._behave.set()

    async def _either(self, one: asyncio.Event, other: asyncio.Event, seconds: float | None = None) -> None:
        tasks = [asyncio.ensure_future(each.wait()) for each in (one, other)]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
