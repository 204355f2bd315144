"""What one stack made comes under another only when that is said."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Cli, graphql

ONE = """\
stack: one
datasets: {d: {name: Signs}}
projects: {p: {name: Look, media_type: IMAGE}}
"""
OTHER = {
    "dataset": "stack: other\ndatasets: {x: {name: Signs}}\nimports:\n  - {address: dataset.x, id: ID}\n",
    "project": (
        "stack: other\nprojects: {x: {name: Look, media_type: IMAGE}}\n"
        "imports:\n  - {address: project.x, id: ID}\n"
    ),
}
THERE = "query { datasets(where: {deleted: false}, first: 9) { id } projects(first: 9) { id } }"


@pytest.mark.parametrize("address", ["dataset.d", "project.p"])
def test_what_another_stack_made_is_not_imported_without_a_word(served: Cli, address: str) -> None:
    served.write(ONE)
    assert served("apply", "--auto-approve", "--state", "one.json").returncode == 0
    id = json.loads((served.folder / "one.json").read_text())["resources"][address]["id"]
    there, kind = graphql(served, THERE), address.partition(".")[0]
    text = OTHER[kind].replace("ID", id)
    served.write(text, "other.yaml")
    place = ("other.yaml", "--state", "other.json")
    for command in (("plan",), ("apply", "--auto-approve")):
        refused = served(*command, *place)
        assert refused.returncode == 5, refused.stdout + refused.stderr
        assert f"other.yaml:4:5: {id} is {address} of stack one" in refused.stderr + refused.stdout
        assert f"lbstack state rm {address}" in refused.stderr + refused.stdout
    served("destroy", "--auto-approve", *place)
    assert graphql(served, THERE) == there
    assert served("state", "rm", address, "stack.yaml", "--state", "one.json").returncode == 0
    served.write(text.replace(f"id: {id}", f"id: {id}, from_stack: one"), "other.yaml")
    done = served("apply", "--auto-approve", *place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((served.folder / "other.json").read_text())["resources"][f"{kind}.x"]["id"] == id


def test_what_the_same_stack_made_is_imported_under_any_address(served: Cli) -> None:
    served.write(ONE)
    assert served("apply", "--auto-approve", "--state", "one.json").returncode == 0
    id = json.loads((served.folder / "one.json").read_text())["resources"]["dataset.d"]["id"]
    served.write(OTHER["dataset"].replace("ID", id).replace("stack: other", "stack: one"), "other.yaml")
    done = served("apply", "other.yaml", "--auto-approve", "--state", "other.json")
    assert done.returncode == 0, done.stdout + done.stderr
