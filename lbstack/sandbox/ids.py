"""Ids and times as the service prints them, real or counted.

API reference 2.1 and 6.1: most ids are 25-character cuids, some are UUIDs; a DateTime is UTC with
milliseconds. A seeded store counts both, so that a golden test sees the same workspace every time.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

_BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_SEEDED_EPOCH = 1_704_067_200  # 2024-01-01T00:00:00Z, in seconds


def base_36(number: int, width: int) -> str:
    """Write ``number`` in base 36, zero-padded to ``width`` digits."""
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits.append(_BASE_36[digit])
    return "".join(reversed(digits))


def print_time(seconds: float) -> str:
    """Print a Unix time the way the service does: ``2024-01-01T00:00:00.123Z``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class Mint:
    """Makes ids and tells the time for one store.

    Without a seed: random ids and the wall clock. With one: the n-th id is always the same, and the
    clock starts at 2024 and moves one second at each mutation; ``count(name, by)`` must then count on by
    ``by`` (0 only looks), return where it is, and outlive a restart.

    Either clock can be put forward (``advanced``) or be wrong (``skew``), in seconds; neither is kept.
    """

    def __init__(self, seed: int | None, count: Callable[[str, int], int]) -> None:
        self._seed = seed
        self._count = count
        self.seeded = seed is not None
        self.advanced = 0.0
        self.skew = 0.0

    def cuid(self) -> str:
        """Return a new 25-character id: ``c`` and 24 base-36 digits."""
        if self._seed is not None:
            return "c" + base_36(self._seed, 4) + base_36(self._count("ids", 1), 20)
        milliseconds = base_36(int(time.time() * 1000), 8)
        return "c" + milliseconds + base_36(secrets.randbelow(36**16), 16)

    def uuid(self) -> str:
        """Return a new UUID, the id of batches and task queues."""
        if self._seed is not None:
            return str(uuid.UUID(int=(self._seed << 64) | self._count("ids", 1), version=4))
        return str(uuid.uuid4())

    def now(self) -> str:
        """Return the time of what is about to happen; a seeded clock moves on."""
        return print_time(self._clock(1))

    def seconds(self) -> float:
        """Return the Unix time that the clock shows; a seeded one does not move."""
        return self._clock(0)

    def ticks(self) -> float:
        """Return seconds that never run backwards, for waiting."""
        return time.monotonic() + self.advanced

    def due(self) -> float:
        """Return the Unix time by which work that is left for later is due."""
        return time.time() + self.advanced

    def _clock(self, by: int) -> float:
        shown = time.time() if self._seed is None else _SEEDED_EPOCH + self._count("clock", by)
        return shown + self.advanced + self.skew
