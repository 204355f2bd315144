"""The secret of a webhook that was bound, and not made: nobody knows it, and that is told until it is made anew."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Cli, graphql
from tests.cli.test_state_rebuild import PLACE, lose

WEBHOOK = """\
stack: signs
webhooks:
  w: {url: https://relay.example.com/told, topics: [LABEL_CREATED], secret: SECRET}
"""
TOLD = "webhook.w: nobody knows whether its secret is the one of the stack"
ALIVE = "query { organization { id webhooks(skip: 0, first: 100) { id status } } }"


def alive(cli: Cli) -> list[str]:
    return [w["id"] for w in graphql(cli, ALIVE)["organization"]["webhooks"] if w["status"] == "ACTIVE"]


def bound(cli: Cli, how: str) -> None:
    """A webhook that was made with one secret, and bound by a stack with another."""
    cli.write(WEBHOOK.replace("SECRET", "a-secret-of-sixteen"))
    assert cli("apply", "--auto-approve", *PLACE).returncode == 0
    assert TOLD not in cli("plan", *PLACE).stdout
    text = WEBHOOK.replace("SECRET", "quite-another-secret")
    lose(cli)
    if how == "rebuild":
        cli.write(text)
        assert cli("state", "rebuild", *PLACE).returncode == 0
    else:
        cli.write(f"{text}imports: [{{address: webhook.w, id: {alive(cli)[0]}}}]\n")


@pytest.mark.parametrize("how", ["rebuild", "imports"])
def test_a_secret_that_nobody_knows_is_told_until_another_webhook_is_made(served: Cli, how: str) -> None:
    bound(served, how)
    (first,) = alive(served)
    for _ in range(2):
        told = served("plan", *PLACE)
        assert told.returncode == 0 and TOLD in told.stdout, told.stdout + told.stderr
        assert "--recreate webhook.w" in told.stdout
        assert served("apply", "--auto-approve", *PLACE).returncode == 0
    assert alive(served) == [first]
    done = served("apply", "--auto-approve", "--recreate", "webhook.w", *PLACE)
    assert done.returncode == 0, done.stdout + done.stderr
    (second,) = alive(served)
    assert second != first
    told = served("plan", *PLACE)
    assert TOLD not in told.stdout and "No changes." in told.stdout
    # Of what was made here all is known: there is nothing to be sure of.
    assert "No changes." in served("plan", "--recreate", "webhook.w", *PLACE).stdout


def test_an_update_does_not_make_a_secret_known_and_another_secret_does(served: Cli) -> None:
    bound(served, "rebuild")
    text = (served.folder / "stack.yaml").read_text()
    served.write(text.replace("LABEL_CREATED", "LABEL_UPDATED"))
    assert served("apply", "--auto-approve", *PLACE).returncode == 0
    told = served("plan", *PLACE)
    assert TOLD in told.stdout and "No changes." in told.stdout
    entry = json.loads((served.folder / "st.json").read_text())["resources"]["webhook.w"]
    assert entry["unverified"] == ["secret"]
    served.write(text.replace("quite-another-secret", "yet-another-secret-of-ours"))
    told = served("plan", *PLACE)
    assert TOLD not in told.stdout and "must be replaced" in told.stdout
    assert served("apply", "--auto-approve", *PLACE).returncode == 0
    assert TOLD not in served("plan", *PLACE).stdout
