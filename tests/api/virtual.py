"""An event loop whose time passes only when everybody waits: hours of sleep take no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class _Skipping(selectors.DefaultSelector):
    """Never waits: the time for which it was to wait has passed at once."""

    def __init__(self, passed: Callable[[float], None]) -> None:
        super().__init__()
        self._passed = passed

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if timeout is None and not ready:
            return super().select(None)  # somebody waits for what no time brings
        if timeout and not ready:
            self._passed(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """For what runs in this one thread and speaks with nobody outside; `passed` is told of each wait."""

    def __init__(self, passed: Callable[[float], None] = lambda seconds: None) -> None:
        self._now = 0.0
        self._told = passed
        super().__init__(_Skipping(self._pass))

    def time(self) -> float:
        return self._now

    def _pass(self, seconds: float) -> None:
        self._now += seconds
        self._told(seconds)
