"""A wall clock that is wrong, for commands born in a nursery that has read this module.

``SKEW`` in a command's environment says how: seconds that it is ahead, or ``jumps``: a day ahead and a day
behind in turn, each time somebody looks. Clocks that only move forward are right, as they are everywhere.
"""

from __future__ import annotations

import datetime
import itertools
import os
import time

DAY = 86_400.0

_real = time.time
_turns = itertools.cycle((DAY, -DAY))


def _wrong() -> float:
    skew = os.environ.get("SKEW", "0")
    return _real() + (next(_turns) if skew == "jumps" else float(skew))


class _Datetime(datetime.datetime):
    """Dates that are asked of the wrong clock."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(_wrong(), tz)


time.time = _wrong
time.time_ns = lambda: int(_wrong() * 1e9)
for _module in ("lbstack.cli.telling", "lbstack.state.remote"):
    __import__(_module, fromlist=["datetime"]).datetime = _Datetime
