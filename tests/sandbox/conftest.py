"""A fresh workspace for every test; and the vendor's client, that waits less long."""

from __future__ import annotations

import importlib
import sys
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
from workspace import Workspace

WAITS = ("task", "project", "annotation_import", "model_run")
"""Modules of the vendor's client that sleep between two looks at what is under way."""


def _briefly(seconds: float) -> None:
    time.sleep(seconds / 20)


def pytest_collection_finish() -> None:
    """Where the vendor's client is used, let its pauses be short: what it waits for is on this machine."""
    for name in (f"labelbox.schema.{each}" for each in WAITS):
        if "labelbox" in sys.modules:
            with suppress(ImportError):
                module = importlib.import_module(name)
                module.time = SimpleNamespace(**{**vars(time), "sleep": _briefly})  # type: ignore[attr-defined]


@pytest.fixture
def box() -> Workspace:
    return Workspace.fresh()
