"""A key that sees less than the one before it: what it does not see is hidden from it, and not gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.server import Served, misbehaving
from tests import loopback
from tests.cli.conftest import Cli, graphql
from tests.nursery import Nursery, bare

ONE = "stack: s\ndatasets:\n  a: {name: A}\n"
TWO = "stack: s\ndatasets:\n  a: {name: A}\n  b: {name: B}\n"
HIDDEN = "it may be gone, or only hidden: this API key may do less than when the state was written"


@dataclass
class Place:
    """The command, and the control port of the sandbox that it works with."""

    cli: Cli
    served: Served

    def tell(self, method: str, path: str, body: Any = None) -> Any:
        token = {"authorization": f"Bearer {self.served.token}"}
        answer = loopback.request(method, self.served.control + path, headers=token, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def done(self, *words: str) -> None:
        result = self.cli(*words)
        assert result.returncode == 0, f"{result.stdout}{result.stderr}"


@pytest.fixture
def place(tmp_path: Path, nursery: Nursery) -> Iterator[Place]:
    work = tmp_path / "work"
    work.mkdir()
    now = Conditions(search_lag_ms=0, invite_lag_ms=0)
    with misbehaving(tmp_path / "data", conditions=now) as served:
        told = {"LABELBOX_ENDPOINT": served.endpoint, "LABELBOX_API_KEY": served.key}
        cli = Cli(work, {**bare(), **told, "LBSTACK_SETTLE": "0"}, nursery)
        yield Place(cli, served)


def test_a_saved_plan_is_not_told_that_what_is_hidden_has_gone(place: Place) -> None:
    place.cli.write(ONE)
    place.done("apply", "--auto-approve")
    place.cli.write(TWO)
    place.done("plan", "stack.yaml", "--out", "p.json")
    executed = place.tell("GET", "/ledger")
    place.tell("POST", "/world", {"role": "Labeler"})
    for words in (("apply", "p.json"), ("plan", "stack.yaml")):
        refused = place.cli(*words)
        assert refused.returncode == 1, refused.stderr
        assert f"dataset.a: {HIDDEN}" in refused.stderr
        assert "lbstack state rm ADDRESS stack.yaml" in refused.stderr
    assert place.tell("GET", "/ledger") == executed
    place.tell("POST", "/world", {"role": None})
    place.done("apply", "p.json")  # it is not spent, and nobody holds the state


def test_a_state_that_only_saved_plans_have_written_knows_what_its_key_could_see(place: Place) -> None:
    place.cli.write(ONE)
    place.tell("POST", "/world", {"role": "Labeler"})
    place.done("plan", "stack.yaml", "--out", "p.json")  # which begins the state
    place.tell("POST", "/world", {"role": None})
    for text in (ONE, TWO):
        place.cli.write(text)
        place.done("plan", "stack.yaml", "--out", "p.json")
        place.done("apply", "p.json")
        place.tell("POST", "/world", {"role": "Labeler"})
        for words in (("plan",), ("drift",), ("apply", "--auto-approve")):
            refused = place.cli(*words)
            assert refused.returncode == 1, refused.stdout + refused.stderr
            assert HIDDEN in refused.stderr
        place.tell("POST", "/world", {"role": None})


def test_what_has_gone_is_told_to_a_key_that_would_see_it(place: Place) -> None:
    place.cli.write(ONE)
    place.done("apply", "--auto-approve")
    place.cli.write(TWO)
    place.done("plan", "stack.yaml", "--out", "p.json")
    (dataset,) = graphql(place.cli, "{ datasets(first: 9) { id } }")["datasets"]
    graphql(
        place.cli,
        "mutation($id: ID!) { updateDataset(where: {id: $id}, data: {deleted: true}) { id } }",
        id=dataset["id"],
    )
    refused = place.cli("apply", "p.json")
    assert refused.returncode == 7, refused.stderr
    assert "dataset.a has gone since the plan was made" in refused.stderr


def test_what_was_made_a_moment_ago_has_not_gone_since_a_plan_was_made(place: Place) -> None:
    """A replica that lags shows it to the plan, and not to the apply."""
    place.cli.env["LBSTACK_SETTLE"] = "60"
    place.cli.write(ONE)
    place.done("apply", "--auto-approve")
    place.cli.write(TWO)
    place.done("plan", "stack.yaml", "--out", "p.json")
    (dataset,) = graphql(place.cli, "{ datasets(first: 9) { id } }")["datasets"]
    place.tell("POST", "/world", {"hide_ids": [dataset["id"]]})
    refused = place.cli("apply", "p.json")
    assert refused.returncode == 1, refused.stderr
    assert "dataset.a was made a moment ago" in refused.stderr
    place.tell("POST", "/world", {"hide_ids": None})
    place.done("apply", "p.json")
