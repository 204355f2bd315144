"""How fast this run may ask: one limiter for all that it does at the same time.

The service's limit is shared with the tools of those who label, so it is approached with care: when the
service says that it is too much, everybody waits as long as it asks for and the rate is halved; what was
lost comes back little by little with the answers that follow. Only a clock that moves forward is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

AT_ONCE = 8
"""Requests in flight: the service becomes unavailable at about 30 of one key (API reference 5.7)."""

PER_MINUTE = 1200
"""Requests a minute unless told otherwise, below the smallest limit of a paid or free plan (1,500)."""

UNLIMITED = 1_000_000
"""Requests a minute where nobody shares the service: the sandbox."""

SLOWEST = 0.2
"""Requests a second below which the rate never falls."""

RECOVERY = 100
"""Answers after which the rate is what it was when the service complained."""

LONGEST = 30.0
"""Seconds to wait at most when the service does not say how long."""


class Limiter:
    """At most `at_once` requests in flight, and no more than `per_minute` in any minute."""

    def __init__(
        self,
        per_minute: float = PER_MINUTE,
        at_once: int = AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.sleep = sleep
        self._clock = clock
        self._places, self._door = asyncio.Semaphore(at_once), asyncio.Lock()
        self._burst = max(1.0, per_minute / 60)
        # So many at once and then at this rate are together no more than a minute's share.
        self._ceiling = self._rate = (per_minute + 1 - self._burst) / 60
        self._lost = 0.0
        self._ready, self._counted = self._burst, clock()
        self._shut_until = float("-inf")
        self._given = self._slowed = self._complaints = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """A place for a request, from when it may be sent until it is answered. First come, first served."""
        async with self._places:
            async with self._door:
                while (seconds := self._to_wait()) > 0:
                    await self.sleep(seconds)
                self._ready -= 1
                self._given += 1
            yield Slot(self, self._given)

    def _to_wait(self) -> float:
        now = self._clock()
        most = max(1.0, self._burst * self._rate / self._ceiling)
        self._ready = min(most, self._ready + max(0.0, now - self._counted) * self._rate)
        self._counted = max(self._counted, now)
        missing = (1 - self._ready) / self._rate
        return max(self._shut_until - now, missing if missing > 1e-9 else 0.0)

    def answered(self) -> None:
        """The service took a request: some of what was lost comes back."""
        self._complaints = 0
        self._rate = min(self._ceiling, self._rate + self._lost / RECOVERY)

    def throttled(self, number: int, after: float | None) -> None:
        """The service refused the request with a number: wait, and go on at half the rate.

        Of the requests that were in flight together only the first halves it.
        """
        now = self._clock()
        if number > self._slowed:
            slower = max(min(SLOWEST, self._ceiling), self._rate / 2)
            self._lost, self._rate, self._slowed = self._rate - slower, slower, self._given
            self._complaints += 1
        wait = min(LONGEST, 2.0 ** (self._complaints - 1)) if after is None else after
        self._shut_until = max(self._shut_until, now + wait)
        self._ready, self._counted = 1.0, self._shut_until  # then one may try, and others follow at the rate


class Slot:
    """The place of one request."""

    def __init__(self, limiter: Limiter, number: int) -> None:
        self._limiter, self._number = limiter, number

    def throttled(self, after: float | None) -> None:
        """It was refused for the sake of the rate limit."""
        self._limiter.throttled(self._number, after)

    def answered(self) -> None:
        """It was taken."""
        self._limiter.answered()
