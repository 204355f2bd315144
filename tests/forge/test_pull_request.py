"""A pull request's life, with the example workflows as they stand: planned, pushed to, merged and applied;
changed by hand, seen, accepted, and clean again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forge.scratch import STACK, Scratch, scratch

ROADS = STACK + "  # seen in spring\n  roads: {name: Roads, description: Spring}\n"
EDIT = """mutation ($id: ID!) {
  updateDataset(where: {id: $id}, data: {description: "By hand"}) { id }
}"""


@pytest.fixture
def team(tmp_path: Path, command: Path) -> Iterator[Scratch]:
    with scratch(tmp_path, command) as made:
        yield made


def proposed(team: Scratch, text: str, name: str = "change") -> int:
    """A pull request, planned."""
    team.branches(name)
    team.commits(text)
    number = team.opens()
    planned(team, number)
    return number


def planned(team: Scratch, number: int) -> None:
    jobs = team.planned(number)
    assert [*jobs] == ["plan"] and not jobs["plan"].failed, jobs["plan"].printed


def merged(team: Scratch, number: int) -> None:
    team.merges(number)
    job = team.applied()
    assert not job.failed, job.printed


def test_its_life(team: Scratch) -> None:
    number = proposed(team, STACK)
    (first,) = team.comments(number)
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in first
    # Pushed to.
    team.commits(ROADS)
    planned(team, number)
    (second,) = team.comments(number)
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in second
    assert team.datasets() == []
    # Merged, and applied as approved.
    merged(team, number)
    made = {item["name"]: item for item in team.datasets()}
    assert made.keys() == {"Street signs", "Roads"}
    assert not team.looked().failed and team.issues() == {}
    # Changed by hand.
    team.graphql(EDIT, id=made["Roads"]["id"])
    job = team.looked()
    assert not job.failed, job.printed
    ((issue, told),) = team.issues().items()
    assert told["state"] == "open" and told["labels"] == ["lbstack-drift"]
    assert "dataset.roads" in told["body"] and "By hand" in told["body"]
    assert "By hand" in job.summary
    team.looked()
    assert [*team.issues()] == [issue]


@pytest.mark.slow
def test_a_pull_request_that_changes_nothing_says_so(team: Scratch) -> None:
    merged(team, proposed(team, STACK))
    number = proposed(team, STACK + "# a remark\n", "remark")
    assert "No changes. Your infrastructure matches the configuration." in team.comments(number)[0]
    merged(team, number)
    assert len(team.datasets()) == 1


def test_what_was_not_approved_is_not_done(team: Scratch) -> None:
    number = proposed(team, STACK)
    team.commits(ROADS)  # pushed, and merged before it was planned
    team.merges(number)
    job = team.applied()
    assert job.failed and job.steps[-1].code == 7
    assert "to create dataset.roads was not approved" in job.printed and "was not approved" in job.summary
    assert team.datasets() == []


@pytest.mark.slow
def test_what_was_pushed_past_review_is_not_done(team: Scratch) -> None:
    team.commits(STACK)
    job = team.applied()
    assert job.failed and "is the merge of no pull request, so that nobody approved it" in job.printed
    assert team.datasets() == []


@pytest.mark.slow
def test_a_forged_comment_approves_nothing(team: Scratch) -> None:
    number = proposed(team, STACK)
    (own,) = team.comments(number)
    other = proposed(team, ROADS, "other")
    (wide,) = team.comments(other)
    team.hub.comments.clear()
    team.hub.says(number, wide)  # by somebody who copied the wider one
    team.hub.says(number, own, by="github-actions[bot]")
    team.hub.items[number]["branch"] = "other"
    team.merges(number)
    job = team.applied()
    assert job.failed and "to create dataset.roads was not approved" in job.printed


@pytest.mark.slow
def test_a_plan_that_fails_says_so_where_the_last_one_stood(team: Scratch) -> None:
    number = proposed(team, STACK)
    team.commits(STACK + "  roads: {nam: Roads}\n")
    job = team.planned(number)["plan"]
    assert job.failed and job.steps[-1].code == 1
    (body,) = team.comments(number)
    assert "**The plan failed (exit code 1).**" in body and "labeling.yaml:4:11" in body
    assert "labeling.yaml:4:11" in job.summary
    team.commits(STACK)
    planned(team, number)
    (body,) = team.comments(number)
    assert "Plan: 1 to add" in body


@pytest.mark.slow
def test_a_plan_that_is_refused_is_shown_and_fails(team: Scratch) -> None:
    merged(team, proposed(team, STACK))
    team.branches("none")
    team.commits("stack: labeling\n")
    number = team.opens()
    job = team.planned(number)["plan"]
    assert job.failed and job.steps[-1].code == 5
    (body,) = team.comments(number)
    assert "refused" in body and "dataset.signs" in body
    team.merges(number)
    job = team.applied()
    assert job.failed and len(team.datasets()) == 1


def test_without_a_key_it_says_what_is_missing(team: Scratch) -> None:
    team.runner.secrets.clear()
    team.branches("change")
    team.commits(STACK)
    number = team.opens()
    job = team.planned(number)["plan"]
    assert job.failed and job.steps[-1].code == 6
    assert "set LABELBOX_API_KEY" in job.printed and "set LABELBOX_API_KEY" in team.comments(number)[0]


@pytest.mark.slow
def test_a_fork_is_planned_and_applied_on_the_sandbox_and_knows_no_secret(team: Scratch) -> None:
    merged(team, proposed(team, STACK))
    team.branches("theirs")
    team.commits(STACK.replace("Photos", "Pictures") + "  roads: {name: Roads, description: Spring}\n")
    number = team.opens()
    jobs = team.planned(number, fork=True)
    assert [*jobs] == ["sandbox"]
    job = jobs["sandbox"]
    assert not job.failed, job.printed
    assert "Plan: 1 to add, 1 to change, 0 to destroy." in job.summary
    assert "Apply complete! Resources: 1 added, 1 changed, 0 destroyed." in job.summary
    assert team.comments(number) == []
    (kept,) = team.datasets()
    assert kept["description"].startswith("Photos")


@pytest.mark.slow
def test_a_forks_stack_that_is_new_is_tried_as_well(team: Scratch) -> None:
    team.branches("theirs")
    team.commits(STACK)
    job = team.planned(team.opens(), fork=True)["sandbox"]
    assert not job.failed, job.printed


@pytest.mark.slow
def test_a_forks_broken_stack_fails(team: Scratch) -> None:
    team.branches("theirs")
    team.commits("stack: labeling\ndatasets: {signs: {nam: x}}\n")
    job = team.planned(team.opens(), fork=True)["sandbox"]
    assert job.failed and "labeling.yaml:2:" in job.printed


@pytest.mark.slow
def test_drift_that_cannot_be_judged_leaves_the_issue(team: Scratch) -> None:
    merged(team, proposed(team, STACK))
    team.graphql(EDIT, id=team.datasets()[0]["id"])
    team.looked()
    team.runner.secrets["labelbox-plan"]["LABELBOX_API_KEY"] = "lb-wrong-key-of-nobody"
    job = team.looked()
    assert job.failed and job.steps[-1].code == 6 and "the issue stays as it is" in job.printed
    ((_, told),) = team.issues().items()
    assert told["state"] == "open" and "By hand" in told["body"]


@pytest.mark.slow
def test_a_rate_limit_and_a_hiccup_are_waited_out(team: Scratch) -> None:
    from tests.forge.rest import said
    from tests.remote.misbehaving import LOSE, Fault

    told = said(403, {"message": "You have exceeded a secondary rate limit."}, {"retry-after": "0"})
    team.hub.server.faults += [
        Fault("GET", told, ending="/comments"),
        Fault("POST", LOSE, ending="/comments"),
    ]
    number = proposed(team, STACK)
    assert len(team.comments(number)) == 1
