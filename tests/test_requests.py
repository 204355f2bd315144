"""Refresh costs pages, not resources: counted by the sandbox."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import World

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from stack_of import yaml_of


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_no_op_plan_takes_at_most_12_requests(world: World, count: int) -> None:
    world.write(yaml_of(count).replace(f"stack: bench-{count}", "stack: test"))
    world.variables = {"secret": "a-secret-for-tests"}
    outcome = world.apply()
    assert not outcome.failed
    assert len(outcome.done) == count
    sandbox = world.app.state.sandbox
    before = sandbox.requests
    assert world.plan().empty
    assert sandbox.requests - before <= 12


@pytest.mark.slow
def test_so_it_is_where_every_member_has_a_project_of_their_own(world: World) -> None:
    projects = [f"  p{n}: {{name: P {n}, media_type: IMAGE}}" for n in range(500)]
    members = [f"  m{n}@example.com: {{projects: {{p{n}: LABELER}}}}" for n in range(500)]
    world.write("\n".join(["stack: test", "projects:", *projects, "members:", *members]))
    assert requests_of_a_no_op_plan(world) <= 12


@pytest.mark.slow
def test_so_it_is_where_every_project_has_more_datasets_than_are_read_with_it(world: World) -> None:
    keys = [f"d{n}" for n in range(24)]
    datasets = [f"  {key}: {{name: {key}}}" for key in keys]
    projects = [
        f"  p{n}: {{name: P {n}, media_type: IMAGE, datasets: [{', '.join(keys)}]}}" for n in range(500)
    ]
    world.write("\n".join(["stack: test", "datasets:", *datasets, "projects:", *projects]))
    assert requests_of_a_no_op_plan(world) <= 12


def requests_of_a_no_op_plan(world: World) -> int:
    """How often the service is asked when all that was applied is planned again."""
    assert not world.apply().failed
    sandbox = world.app.state.sandbox
    before = sandbox.requests
    assert world.plan().empty
    return int(sandbox.requests - before)
