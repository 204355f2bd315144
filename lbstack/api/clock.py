"""The service's clock, as its answers tell it: the only clock that times of its objects are held against.

This machine's wall clock decides nothing: it may be wrong, and it may jump. What has gone by since the
service last told the time is measured with a clock that only moves forward.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime


class ServiceClock:
    """Remembers the last ``Date`` header and when it came."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: tuple[float, float] | None = None

    def heard(self, date: str) -> None:
        """Take the time from a ``Date`` header; what cannot be read tells nothing."""
        if (told := seconds_of(date)) is not None:
            self._told = told, self._monotonic()

    def now(self) -> float | None:
        """The service's time in epoch seconds; None as long as it has never told it."""
        if self._told is None:
            return None
        told, at = self._told
        return told + (self._monotonic() - at)


def seconds_of(date: str) -> float | None:
    """An HTTP date, which is always in GMT, in epoch seconds; None for what is none."""
    try:
        return parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
