"""The large example over HTTP: applied, meddled with by another client, set right, taken down."""

from __future__ import annotations

import json
from pathlib import Path

from lbstack.render.words import NO_CHANGES
from tests.cli.conftest import Cli, graphql

STACK = Path(__file__).parent.parent.parent / "stacks" / "multi-step-labeling.yaml"
RENAME = """mutation($id: ID!) { updateProject(where: {id: $id}, data: {name: "By hand"}) { id } }"""
LEAVE = """mutation($id: ID!, $dataset: ID!) {
  updateProject(where: {id: $id}, data: {datasets: {disconnect: [{id: $dataset}]}}) { id }
}"""
SILENCE = """mutation($id: ID!) { updateWebhook(where: {id: $id}, data: {topics: {set: [LABEL_CREATED]}}) { id } }"""


def test_it_is_planned_applied_and_then_there_is_nothing_to_do(served: Cli) -> None:
    stack, ids = applied(served)
    assert len(ids) == 11
    again = served("plan", stack, "--detailed-exitcode")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, NO_CHANGES), again.stdout
    assert served("drift", stack).returncode == 0
    embedded = served("plan", stack, "--sandbox")
    assert embedded.stdout.splitlines()[-1] == "Plan: 11 to add, 0 to change, 0 to destroy."


def test_what_another_client_does_is_drift_and_then_an_update(served: Cli) -> None:
    stack, ids = applied(served)
    graphql(served, RENAME, id=ids["project.step-1"])
    graphql(served, LEAVE, id=ids["project.step-2"], dataset=ids["dataset.damaged-teeth"])
    graphql(served, SILENCE, id=ids["webhook.move-damaged"])

    drift = served("drift", stack)
    assert drift.returncode == 2, drift.stderr
    for name in ("project.step-1", "project.step-2", "webhook.move-damaged"):
        assert name in drift.stdout
    plan = served("plan", stack, "--detailed-exitcode")
    assert plan.returncode == 2
    assert '~ name = "By hand" -> "Teeth, step 1 (dev)"' in plan.stdout
    assert plan.stdout.splitlines()[-1] == "Plan: 0 to add, 3 to change, 0 to destroy."
    assert served("apply", stack, "--auto-approve").returncode == 0
    assert served("plan", stack, "--detailed-exitcode").returncode == 0

    destroy = served("destroy", stack, "--auto-approve")
    assert destroy.returncode == 0, destroy.stderr
    assert destroy.stdout.splitlines()[-1].endswith("10 destroyed, 1 forgotten.")
    assert served("state", "list", stack).stdout == ""


def applied(served: Cli) -> tuple[str, dict[str, str]]:
    """The stack's path and, once it is applied, the ids of what it made, by address."""
    served.env["LBSTACK_VAR_webhook_secret"] = "only-for-tests"
    plan = served("plan", str(STACK))
    assert plan.stdout.splitlines()[-1] == "Plan: 11 to add, 0 to change, 0 to destroy.", plan.stderr
    apply = served("apply", str(STACK), "--auto-approve")
    assert apply.returncode == 0, apply.stdout
    assert "Apply complete! Resources: 11 added, 0 changed, 0 destroyed." in apply.stdout
    remembered = json.loads(served("show", str(STACK), "--json").stdout)
    return str(STACK), {each["address"]: each["id"] for each in remembered["resources"]}
