"""A create whose answer was lost: remembered, looked for, and never sent again blindly."""

from __future__ import annotations

import json
import time

import pytest

from tests.cli.conftest import Cli, graphql
from tests.cli.proxy import losing

COUNT = "query { datasets(where: {deleted: false}, first: 100) { id } }"


@pytest.mark.parametrize("answer", ["nothing", "a 502", "garbage", "a list", "null", "a null root"])
def test_a_create_without_an_answer_is_looked_for_and_taken_over(served: Cli, answer: str) -> None:
    with losing(served.env["LABELBOX_ENDPOINT"], "createDataset", answer) as endpoint:
        place = ("--state", "st.json", "--endpoint", endpoint)
        done = served("apply", "--auto-approve", *place)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "it had been made" in done.stdout
        assert len(graphql(served, COUNT)["datasets"]) == 1
        assert served("plan", "--detailed-exitcode", *place).returncode == 0


def test_who_does_not_wait_leaves_it_to_the_next_apply(served: Cli) -> None:
    with losing(served.env["LABELBOX_ENDPOINT"], "createDataset", "nothing") as endpoint:
        place = ("--state", "st.json", "--endpoint", endpoint)
        told = served("apply", "--auto-approve", "--no-wait", "--json", *place)
        assert told.returncode == 4
        assert json.loads(told.stdout.splitlines()[-1])["unknown"] == ["dataset.signs"]
        (pending,) = json.loads((served.folder / "st.json").read_text())["pending"]
        assert pending["address"] == "dataset.signs"
        planned = served("plan", *place)
        assert "dataset.signs had been made by an apply that never heard of it" in planned.stdout
        assert "Plan: 0 to add, 0 to change, 0 to destroy." in planned.stdout
        done = served("apply", "--auto-approve", *place)
        assert done.returncode == 0, done.stderr
        assert len(graphql(served, COUNT)["datasets"]) == 1
        assert "dataset.signs" in served("state", "list", *place).stdout


def test_what_was_never_made_is_waited_for_and_then_made(served: Cli) -> None:
    """A create that got lost on its way."""
    with losing(served.env["LABELBOX_ENDPOINT"], "createDataset", "nothing, unsent", once=True) as endpoint:
        done = served(
            "apply", "--auto-approve", "--settle", "1s", "--state", "st.json", "--endpoint", endpoint
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("nothing is there yet; waiting up to") == 1
        assert len(graphql(served, COUNT)["datasets"]) == 1


def test_a_doubt_ends_when_the_state_is_told_to_forget_it(served: Cli) -> None:
    with losing(served.env["LABELBOX_ENDPOINT"], "createDataset", "nothing") as endpoint:
        place = ("--state", "st.json", "--endpoint", endpoint)
        served("apply", "--auto-approve", "--no-wait", *place)
        done = served("state", "rm", "dataset.signs", *place)
        assert done.returncode == 0, done.stderr
        assert "had been made" not in served("plan", *place).stdout


def test_a_webhook_that_a_saved_plan_lost_is_known_by_who_made_it(served: Cli) -> None:
    """Nothing else tells it from others: it bears no marker."""
    served.write(
        "stack: signs\nvariables:\n  hook: {secret: true}\nwebhooks:\n  told:\n"
        "    url: https://relay.example.com/told\n    topics: [LABEL_CREATED]\n    secret: ${var.hook}\n"
    )
    served.env["LBSTACK_VAR_hook"] = "a-secret-of-sixteen"
    with losing(served.env["LABELBOX_ENDPOINT"], "createWebhook", "nothing") as endpoint:
        place = ("--state", "st.json", "--endpoint", endpoint)
        assert served("plan", "--out", "p.json", *place).returncode == 0
        done = served("apply", "p.json", *place)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "it had been made" in done.stdout
        found = graphql(served, "query { organization { id webhooks(first: 100) { id } } }")
        assert len(found["organization"]["webhooks"]) == 1


def test_what_was_certainly_refused_leaves_no_doubt(served: Cli) -> None:
    served.write(
        'stack: signs\nintegrations:\n  i: {provider: aws, name: I, role_arn: "arn:aws:iam::123456789012:role/no"}\n'
    )
    done = served("apply", "--auto-approve")
    assert done.returncode == 1
    assert "Failed: integration.i" in done.stdout
    assert "Unknown" not in done.stdout
    assert served("plan").stderr == ""


def test_the_candidate_that_was_not_chosen_is_told_and_removed(served: Cli) -> None:
    served.env["LBSTACK_VAR_hook"] = "a-secret-of-sixteen"
    stack = (
        "stack: signs\nvariables:\n  hook: {secret: true}\nwebhooks:\n  told:\n"
        "    url: https://relay.example.com/told\n    topics: [LABEL_CREATED]\n    secret: ${var.hook}\n"
    )
    served.write(stack)
    make = """mutation { createWebhook(data: {topics: {set: [LABEL_CREATED]},
        url: "https://relay.example.com/told", secret: "a-secret-of-sixteen"}) { id } }"""
    with losing(served.env["LABELBOX_ENDPOINT"], "createWebhook", "nothing") as endpoint:
        place = ("--state", "st.json", "--endpoint", endpoint)
        assert served("apply", "--auto-approve", "--no-wait", *place).returncode == 4
        graphql(served, make)  # as if the request had been repeated
        refused = served("plan", *place)
        assert refused.returncode == 4
        found = graphql(served, "query { organization { id webhooks(first: 100) { id status } } }")
        first, second = (hook["id"] for hook in found["organization"]["webhooks"])
        assert first in refused.stderr and second in refused.stderr
        served.write(f"{stack}imports:\n  - {{address: webhook.told, id: {first}}}\n")
        done = served("apply", "--auto-approve", *place)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"webhook.told: {second}" in served("plan", *place).stdout
        assert served("gc", "--auto-approve", *place).returncode == 0
        assert "belongs to no address" not in served("plan", *place).stdout


def test_what_an_earlier_apply_may_have_made_is_said_to_be_waited_for_once(served: Cli) -> None:
    with losing(served.env["LABELBOX_ENDPOINT"], "createDataset", "nothing, unsent", once=True) as endpoint:
        place = ("--state", "st.json", "--endpoint", endpoint)
        assert served("apply", "--auto-approve", "--no-wait", *place).returncode == 4
        done = served("apply", "--auto-approve", "--settle", "4s", *place)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr.count("to see whether an earlier apply made dataset.signs") == 1


def test_of_two_invitations_of_one_address_the_newest_is_taken_over(served: Cli) -> None:
    """They stand for one person, so that there is no doubt who it is; one of them is too many."""
    served.write("stack: signs\nmembers:\n  a@example.com: {role: LABELER}\n")
    people = "query { user { id } roles { id name } organization { id invites { nodes { id } } } }"
    again = """mutation($data: [CreateInviteInput!]) { createInvites(data: $data) { invite { id } } }"""
    with losing(served.env["LABELBOX_ENDPOINT"], "createInvites", "nothing") as endpoint:
        place = ("--state", "st.json", "--endpoint", endpoint)
        assert served("apply", "--auto-approve", "--no-wait", *place).returncode == 4
        seen = graphql(served, people)
        labeler = next(role["id"] for role in seen["roles"] if role["name"].upper() == "LABELER")
        data = {
            "inviterId": seen["user"]["id"],
            "inviteeEmail": "a@example.com",
            "organizationRoleId": labeler,
        }
        graphql(served, again, data=[{**data, "organizationId": seen["organization"]["id"]}])
        while len(sent := graphql(served, people)["organization"]["invites"]["nodes"]) < 2:
            time.sleep(0.1)  # lists show an invitation late
        first, second = (each["id"] for each in sent)
        done = served("apply", "--auto-approve", *place)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"member.a@example.com: {first}" in done.stdout
        assert second in served("state", "show", "member.a@example.com", *place).stdout
        assert served("gc", "--auto-approve", *place).returncode == 0
        assert graphql(served, people)["organization"]["invites"]["nodes"] == [{"id": second}]
        assert served("plan", "--detailed-exitcode", *place).returncode == 0
