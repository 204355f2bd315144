"""What can be refused before the wire opens is refused then: nothing is sent on a wrong flag."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
from pathlib import Path

import pytest

from lbstack.cli.plan import UNDER_WAY
from lbstack.state.store import Store
from tests.cli.conftest import STACK, Cli

NOBODY = {"LABELBOX_ENDPOINT": "http://127.0.0.1:9/graphql", "LABELBOX_API_KEY": "key"}
"""Whoever asks there gets no answer, and says so."""


@pytest.mark.parametrize("command", ["plan", "drift", "apply --auto-approve", "destroy --auto-approve"])
def test_a_target_that_is_nowhere_is_told_before_anything_is_read(cli: Cli, command: str) -> None:
    done = cli(*command.split(), "--target", "dataset.none", "--target", "dataset.two", env=NOBODY)
    assert done.returncode == 1
    assert done.stderr == "".join(
        f"Error: --target dataset.{name} names nothing in the stack or its state; see: lbstack state list\n"
        for name in ("none", "two")
    )


def test_a_target_that_only_the_stack_names_cannot_be_destroyed(cli: Cli) -> None:
    done = cli("plan", "--destroy", "--target", "dataset.signs", env=NOBODY)
    assert "--target dataset.signs names nothing" in done.stderr


@pytest.mark.parametrize(("out", "code"), [("nowhere/plan.json", 1), ("folder", 64)])
def test_a_place_where_no_plan_can_be_saved_is_told_before_anything_is_read(
    cli: Cli, out: str, code: int
) -> None:
    (cli.folder / "folder").mkdir()
    done = cli("plan", "--out", out, env=NOBODY)
    assert done.returncode == code
    assert out.split("/")[0] in done.stderr
    assert "127.0.0.1" not in done.stderr


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://localhost:99999/graphql", "http://localhost:x/graphql"]
)
def test_an_endpoint_that_is_no_url_is_wrong_usage(cli: Cli, url: str) -> None:
    for done in (
        cli("plan", "--endpoint", url, env={"LABELBOX_API_KEY": "key"}),
        cli("plan", env={"LABELBOX_ENDPOINT": url, "LABELBOX_API_KEY": "key"}),
    ):
        assert done.returncode == 64, done.stderr
        assert f"the endpoint {url} is no GraphQL URL" in done.stderr


def test_a_file_cannot_hold_the_data_of_a_sandbox(cli: Cli) -> None:
    done = cli("sandbox", "serve", "--port", "0", "--data", "stack.yaml")
    assert done.returncode == 1
    assert "stack.yaml" in done.stderr
    assert "port" not in done.stderr


def test_drift_of_a_target_tells_of_nothing_else(cli: Cli) -> None:
    cli.write(STACK.replace("outputs:", "  other: {name: Other}\noutputs:"))
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    _by_hand(cli.folder, "UPDATE datasets SET name = 'By hand' WHERE name = 'Other'")
    assert cli("drift", "--sandbox", "--target", "dataset.signs").returncode == 0
    done = cli("drift", "--sandbox", "--target", "dataset.other")
    assert done.returncode == 2
    assert "dataset.other" in done.stdout


def _by_hand(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / ".lbstack" / "sandbox.db") as data:
        assert data.execute(statement).rowcount == 1


def test_the_state_file_can_be_named_by_the_environment(cli: Cli) -> None:
    named = {"LBSTACK_STATE": "elsewhere/mine.json"}
    assert cli("apply", "--sandbox", "--auto-approve", env=named).returncode == 0
    assert json.loads((cli.folder / "elsewhere" / "mine.json").read_text())["stack"] == "signs"
    assert list((cli.folder / ".lbstack").glob("signs@*")) == []
    assert cli("state", "list", "--sandbox", env=named).stdout == "dataset.signs\n"
    assert cli("state", "list", "--sandbox").stdout == ""
    # What the command line says counts more.
    assert cli("state", "list", "--sandbox", "--state", "third.json", env=named).stdout == ""


def test_in_ci_nobody_is_asked_though_there_is_a_terminal(cli: Cli) -> None:
    ours, theirs = pty.openpty()
    try:
        done = cli("apply", "--sandbox", stdin=theirs, env={"CI": "true"})
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 1
    assert "nobody is there to say yes" in done.stderr


def test_a_plan_during_an_apply_does_not_take_it_for_one_that_was_cut_off(cli: Cli) -> None:
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    store = Store(cli.folder / ".lbstack" / "signs@sandbox.json", "signs", "sandbox")
    _, journal = store.begin(store.load())
    journal.add({"intent": "create", "address": "dataset.other", "id": None})
    journal.close()
    with store.locked():
        during = cli("plan", "--sandbox")
    after = cli("plan", "--sandbox")
    assert (during.returncode, after.returncode) == (0, 4)
    assert during.stderr == f"{UNDER_WAY}\n"
    assert "dataset.other may have been made" in after.stderr
