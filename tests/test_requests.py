"""Refresh costs pages, not resources: counted by the sandbox."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conftest import World

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from stack_of import yaml_of


def test_a_no_op_plan_of_a_thousand_resources_takes_at_most_12_requests(world: World) -> None:
    world.write(yaml_of(1000).replace("stack: bench-1000", "stack: test"))
    world.variables = {"secret": "a-secret-for-tests"}
    outcome = world.apply()
    assert not outcome.failed
    assert len(outcome.done) == 1000
    sandbox = world.app.state.sandbox
    before = sandbox.requests
    assert world.plan().empty
    assert sandbox.requests - before <= 12
