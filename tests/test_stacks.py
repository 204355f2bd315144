"""Every stack under ``stacks/`` is planned, applied, planned empty and destroyed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbstack.render.text import plan_lines
from lbstack.render.words import NO_CHANGES
from tests.conftest import World

STACKS = sorted((Path(__file__).parent.parent / "stacks").glob("*.yaml"))
LEFT = """query {
  datasets(where: {deleted: false}, first: 100) { id }
  projects(where: {deleted: false}, first: 100) { id }
  ontologies(first: 100) { nodes { id } }
  rootSchemaNodes(first: 100) { nodes { id } }
  users(first: 100) { email }
  organization { webhooks(first: 100) { status } invites(first: 100) { nodes { id } } }
}"""
SECRETS = {"webhook_secret": "a-secret-for-tests"}


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_stack_lives_and_leaves_nothing_behind(path: Path, world: World) -> None:
    text = path.read_text()
    world.write(text.replace(f"stack: {path.stem}", "stack: test"))
    world.variables = {name: value for name, value in SECRETS.items() if name in text}
    before = world.graphql(LEFT)

    assert not world.plan().empty
    assert not world.apply().failed
    again = world.plan()
    assert [line for line, _ in plan_lines(again)][-1] == NO_CHANGES
    assert not again.drift

    outcome = world.apply(destroy=True)
    assert not outcome.failed
    assert not world.state.resources
    after = world.graphql(LEFT)
    after["organization"]["webhooks"] = [
        hook for hook in after["organization"]["webhooks"] if hook["status"] == "ACTIVE"
    ]
    assert after == before
