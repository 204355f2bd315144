"""How much a battery does: ``size(per_commit, nightly)``, the one place that knows which it is.

``pytest -m reliability tests/reliability`` is the run of each commit, ``pytest -m nightly
tests/reliability`` the full one: there every battery is taken, in its full size.
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")

LONGEST = ("test_lost_answers", "test_killed", "test_killed_twice", "test_disk_faults")
"""The files that take most of the time, which are begun first: each is one worker's."""

_nightly = False


def be(markers: str) -> None:
    """Take the sizes of the tests that this marker expression selects."""
    global _nightly
    _nightly = "nightly" in markers.replace("not nightly", "")


def size(per_commit: T, nightly: T) -> T:
    """The size of this run; known once this folder's ``conftest.py`` is loaded, so at import too."""
    return nightly if _nightly else per_commit
