"""A create whose answer was lost: said at once, remembered, and told before anything is sent again."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Cli, graphql
from tests.cli.proxy import losing

COUNT = "query { datasets(where: {deleted: false}, first: 100) { id } }"


@pytest.mark.parametrize("answer", ["nothing", "a 502", "garbage", "a list", "null", "a null root"])
def test_an_unknown_create_is_4_and_named(served: Cli, answer: str) -> None:
    with losing(served.env["LABELBOX_ENDPOINT"], "createDataset", answer) as endpoint:
        state = ("--state", "st.json", "--endpoint", endpoint)
        done = served("apply", "--auto-approve", *state)
        assert done.returncode == 4, done.stdout + done.stderr
        assert len(graphql(served, COUNT)["datasets"]) == 1
        assert "Unknown: dataset.signs" in done.stdout
        assert "look for it before you apply again" in done.stdout
        assert "Failed:" not in done.stdout
        warned = served("plan", *state)
        assert warned.returncode == 0
        assert "dataset.signs" in warned.stderr
        assert "may be in Labelbox already" in warned.stderr


def test_a_doubt_ends_with_an_import(served: Cli) -> None:
    with losing(served.env["LABELBOX_ENDPOINT"], "createDataset", "nothing") as endpoint:
        place = ("--state", "st.json", "--endpoint", endpoint)
        events = served("apply", "--auto-approve", "--json", *place).stdout.splitlines()
        assert json.loads(events[-1])["unknown"] == ["dataset.signs"]
        served("plan", *place)
        assert json.loads((served.folder / "st.json").read_text())["doubts"] == ["dataset.signs"]
        (found,) = graphql(served, COUNT)["datasets"]
        text = (served.folder / "stack.yaml").read_text()
        served.write(text + f"imports:\n  - {{address: dataset.signs, id: {found['id']}}}\n")
        done = served("apply", "--auto-approve", *place)
        assert done.returncode == 0, done.stderr
        assert served("plan", *place).stderr == ""
        assert len(graphql(served, COUNT)["datasets"]) == 1


def test_a_doubt_ends_when_the_state_is_told_to_forget_it(served: Cli) -> None:
    with losing(served.env["LABELBOX_ENDPOINT"], "createDataset", "nothing") as endpoint:
        place = ("--state", "st.json", "--endpoint", endpoint)
        served("apply", "--auto-approve", *place)
        done = served("state", "rm", "dataset.signs", *place)
        assert done.returncode == 0, done.stderr
        assert served("plan", *place).stderr == ""


def test_what_was_certainly_refused_leaves_no_doubt(served: Cli) -> None:
    served.write(
        'stack: signs\nintegrations:\n  i: {provider: aws, name: I, role_arn: "arn:aws:iam::123456789012:role/no"}\n'
    )
    done = served("apply", "--auto-approve")
    assert done.returncode == 1
    assert "Failed: integration.i" in done.stdout
    assert "Unknown" not in done.stdout
    assert served("plan").stderr == ""
