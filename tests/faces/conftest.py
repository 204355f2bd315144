"""The ten plans, made once, and golden files that ``--accept`` rewrites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lbstack.plan.changes import Plan
from tests.conftest import World
from tests.faces.plans import PLANS, settled

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Plan]:
    """The ten plans by name."""
    made = {}
    for name, make in PLANS.items():
        folder = tmp_path_factory.mktemp(name)
        made[name] = settled(make(World(folder)), str(folder))
    return made


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Hold a text against the file of a name, or make it so."""

    def hold(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--accept"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.read_text() == text

    return hold
