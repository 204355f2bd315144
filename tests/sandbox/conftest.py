"""A fresh workspace for every test."""

from __future__ import annotations

import pytest
from workspace import Workspace


@pytest.fixture
def box() -> Workspace:
    return Workspace.fresh()
