"""The action by itself: each input does what it says, and none of them is ever a word of shell."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.forge.runner import ROOT, Job, git
from tests.forge.scratch import STACK, Scratch, scratch


@pytest.fixture
def team(tmp_path: Path, command: Path) -> Iterator[Scratch]:
    with scratch(tmp_path, command) as made:
        made.commits(STACK)
        yield made


KEY = {"LABELBOX_API_KEY": "${{ secrets.LABELBOX_API_KEY }}"}


def kept(team: Scratch) -> dict[str, str]:
    return {"LBSTACK_STATE": team.runner.variables["LBSTACK_STATE"]}


def used(
    team: Scratch, *uses: dict[str, Any], event: str = "push", env: dict[str, str] | None = None, **about: Any
) -> Job:
    """A job that checks out and uses the action; outputs of all of them are printed at the end."""
    steps: list[dict[str, Any]] = [{"uses": "actions/checkout@x"}]
    for number, given in enumerate(uses):
        steps.append(
            {
                "id": f"a{number}",
                "uses": "lbstack/lbstack@x",
                "with": given,
                "env": env or {**KEY, **kept(team)},
            }
        )
    names = ("changes", "add", "change", "destroy", "digest", "exitcode", "folder")
    told = {f"OUT_{name}": f"${{{{ steps.a{len(uses) - 1}.outputs.{name} }}}}" for name in names}
    steps.append({"if": "always()", "shell": "bash", "env": told, "run": "env | grep ^OUT_ | sort"})
    path = team.clone.parent / "workflow.yml"
    path.write_text(
        yaml.safe_dump({"on": [event], "jobs": {"a": {"environment": "labelbox", "steps": steps}}})
    )
    sha = git(team.clone, "rev-parse", "HEAD")
    return team.runner.run(path, event, **{"sha": sha, "ref": "refs/heads/main", **about})["a"]


def outputs(job: Job) -> dict[str, str]:
    return dict(line.removeprefix("OUT_").split("=", 1) for line in job.steps[-1].printed.split())


PLAN = {"command": "plan", "stack": "stacks/labeling.yaml"}


def test_outputs_of_a_plan(team: Scratch) -> None:
    job = used(team, PLAN)
    assert not job.failed, job.printed
    told = outputs(job)
    folder = Path(told.pop("folder"))
    document = json.loads(team.by_hand("show", "--json", str(folder / "plan.json")).stdout)
    assert told == {
        "changes": "true", "add": "1", "change": "0", "destroy": "0", "exitcode": "2", "digest": document["digest"],
    }  # fmt: skip
    assert team.runner.artifacts["lbstack-plan"].is_dir() and team.hub.comments == {}


@pytest.mark.slow
def test_a_saved_plan_is_carried_out_exactly(team: Scratch) -> None:
    saved = team.runner.folder / "saved.json"
    assert team.by_hand("plan", "stacks/labeling.yaml", "--out", str(saved)).returncode == 0
    job = used(team, {"command": "apply", "plan": str(saved)})
    assert not job.failed and "Apply complete! Resources: 1 added" in job.printed, job.printed
    job = used(team, {"command": "apply", "plan": str(saved)})
    assert job.failed and outputs(job)["exitcode"] == "7"


def test_a_plan_of_another_version_is_told(team: Scratch) -> None:
    saved = team.runner.folder / "saved.json"
    saved.write_text('{"lbstack_plan":2,"sha256":"","plan":{}}\n')
    job = used(team, {"command": "apply", "plan": str(saved)})
    assert job.failed and "has plan format 2, not 3" in job.printed and "has plan format 2" in job.summary
    assert outputs(job)["exitcode"] == "7"


@pytest.mark.slow
def test_a_digest_that_is_given_is_what_is_done(team: Scratch) -> None:
    digest = outputs(used(team, PLAN))["digest"]
    other = outputs(used(team, {**PLAN, "args": "--destroy"}))["digest"]
    apply = {"command": "apply", "stack": "stacks/labeling.yaml"}
    job = used(team, {**apply, "approved": other})
    assert job.failed and "was not approved" in job.printed
    job = used(team, {**apply, "approved": digest})
    assert not job.failed and "1 added" in job.printed


def test_arguments_are_one_a_line_and_are_words(team: Scratch) -> None:
    team.commits("stack: labeling\nvariables: {what: {}}\ndatasets: {a: {name: 'Of ${var.what}'}}\n")
    job = used(team, {**PLAN, "args": "--var\nwhat=$(touch stolen) `id` ; rm -rf * 'a \"b\n\n--no-color\n"})
    assert not job.failed, job.printed
    assert "Of $(touch stolen) `id` ; rm -rf * 'a \\\"b" in job.printed
    assert not list(team.runner.folder.rglob("stolen"))


HOSTILE = "$(touch stolen)`touch stolen`; touch stolen #\"'\n::set-output name=a::b"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["command", "stack", "name", "args", "state", "version", "plan", "approved", "token"]
)
def test_no_input_is_a_word_of_shell(team: Scratch, name: str) -> None:
    command = "apply" if name in ("plan", "approved") else "plan"
    given = {**PLAN, "command": command, name: HOSTILE, "artifact": ""}
    job = used(team, given, event="pull_request", ref="refs/pull/1/merge")
    assert not list(team.runner.folder.rglob("*stolen"))
    if name in ("name", "token"):
        return
    assert job.failed or name == "state"


def test_a_command_that_is_none_is_told(team: Scratch) -> None:
    job = used(team, {"command": "destroy"})
    assert job.failed and "destroy is none of plan, apply, drift, list" in job.printed


@pytest.mark.slow
def test_a_folder_a_name_and_a_state_of_its_own(team: Scratch) -> None:
    team.stack.rename(team.clone / "labeling.yaml")
    (team.clone / "deep").mkdir()
    (team.clone / "labeling.yaml").rename(team.clone / "deep" / "labeling.yaml")
    team.commits()
    number = team.opens()
    state = team.runner.folder / "other.json"
    given = {
        "command": "plan",
        "stack": "labeling.yaml",
        "working-directory": "deep",
        "name": "labeling-production",
    }
    job = used(
        team, {**given, "state": str(state)}, event="pull_request", ref=f"refs/pull/{number}/merge",
        env={"LABELBOX_API_KEY": "${{ secrets.LABELBOX_API_KEY }}", "LBSTACK_STATE": "s3://not-this/one.json"},
    )  # fmt: skip
    assert not job.failed, job.printed
    assert [body.split("\n")[0] for body in team.comments(number)] == [
        "<!-- lbstack:plan labeling-production -->"
    ]


@pytest.mark.slow
def test_nothing_to_do_begins_no_comment_where_that_is_wanted(team: Scratch) -> None:
    assert team.by_hand("apply", "stacks/labeling.yaml", "--auto-approve").returncode == 0
    number = team.opens()
    about = {"event": "pull_request", "ref": f"refs/pull/{number}/merge"}
    job = used(team, {**PLAN, "skip-empty": "true"}, env={**KEY, **kept(team)}, **about)
    assert not job.failed and team.comments(number) == [] and outputs(job)["changes"] == "false"
    used(team, {**PLAN, "comment": "false"}, env={**KEY, **kept(team)}, **about)
    assert team.comments(number) == []
    used(team, PLAN, env={**KEY, **kept(team)}, **about)
    assert len(team.comments(number)) == 1


@pytest.mark.slow
def test_drift_fails_where_that_is_wanted_and_opens_no_issue_where_that_is_not(team: Scratch) -> None:
    assert team.by_hand("apply", "stacks/labeling.yaml", "--auto-approve").returncode == 0
    team.graphql(
        'mutation ($id: ID!) { updateDataset(where: {id: $id}, data: {name: "By hand"}) { id } }',
        id=team.datasets()[0]["id"],
    )
    drift = {"command": "drift", "stack": "stacks/labeling.yaml", "issue": "false"}
    job = used(team, drift, env={**KEY, **kept(team)})
    assert not job.failed and outputs(job)["exitcode"] == "2" and team.issues() == {}
    job = used(team, {**drift, "fail-on-drift": "true"}, env={**KEY, **kept(team)})
    assert job.failed and "By hand" in job.summary


@pytest.mark.slow
def test_lbstack_that_is_there_is_taken(team: Scratch) -> None:
    there = team.runner.folder / "there" / "lbstack"
    there.parent.mkdir()
    there.write_text('#!/bin/sh\necho "$@" >> "$0.calls"\n')
    there.chmod(0o755)
    team.runner.machine["PATH"] = f"{there.parent}:{os.environ['PATH']}"
    used(team, {**PLAN, "version": "none", "artifact": ""})
    assert (there.parent / "lbstack.calls").read_text().startswith("plan --detailed-exitcode --out ")


def test_the_action_is_where_a_repository_names_it() -> None:
    assert (ROOT / "action.yml").is_file() and not (ROOT / "action.yaml").exists()
