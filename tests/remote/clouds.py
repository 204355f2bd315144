"""Buckets by whose they are, and which tests of each commit's run take which."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.remote.azure import azure
from tests.remote.buckets import Bucket, bucket, surrounded
from tests.remote.google import google

CLOUDS = ("bucket", "google", "azure")
EACH = ("bucket", *(pytest.param(name, marks=pytest.mark.slow) for name in CLOUDS[1:]))
"""For a fixture: all of it in Amazon's, the rest in the long run. What each must do, asks for `CLOUDS` itself."""


@contextmanager
def cloud(name: str, s3: str) -> Iterator[Bucket]:
    """An empty bucket of theirs, with its keys in the environment."""
    opened = {"bucket": lambda: bucket(s3), "google": google, "azure": azure}[name]()
    with opened as made, surrounded(made.environ):
        yield made
