"""Under what conditions a sandbox works: its limits, its lags, whom it may talk to."""

from __future__ import annotations

from dataclasses import dataclass

from lbstack.sandbox.complexity import LIMIT


@dataclass
class Conditions:
    """What one running sandbox is like. None of it is kept.

    ``complexity_limit`` bounds a document's weight. ``outbound`` lets it fetch from, and deliver to,
    addresses beyond this machine.
    """

    complexity_limit: int = LIMIT
    outbound: bool = False
