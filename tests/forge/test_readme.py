"""README's *CI in five minutes*, followed literally in a scratch repository: the shell as it stands there, then
the workflows that it put in place, with the state in a bucket."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import loopback
from tests.forge.runner import ROOT, Runner, git
from tests.forge.scratch import Scratch, scratch
from tests.nursery import bare
from tests.remote import buckets

GH = """\
#!{python}
import json, sys
words = sys.argv[1:]
given = "" if words[:2] != ["secret", "set"] else sys.stdin.read()
with open({notes!r}, "a") as notes:
    notes.write(json.dumps([words, given]) + "\\n")
"""
"""Stands where GitHub's own tool does: it notes what it is told."""


def block() -> str:
    text = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- five minutes -->\n```sh\n(.*?)```\n<!-- /five minutes -->", text, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def team(tmp_path: Path, command: Path) -> Iterator[Scratch]:
    """A repository with a remote, and nothing of lbstack in it yet."""
    with (
        scratch(tmp_path, command, kits=None) as made,
        buckets.s3_server() as s3,
        buckets.bucket(s3) as bucket,
    ):
        assert loopback.request("PUT", f"{s3}/our-states").status_code == 200
        origin = tmp_path / "origin.git"
        origin.mkdir()
        git(origin, "init", "-q", "--bare")
        git(made.clone, "remote", "add", "origin", str(origin))
        git(made.clone, "push", "-q", "origin", "main")
        made.runner.origin = origin
        made.runner.secrets.clear()
        made.runner.variables.clear()
        made.runner.machine |= bucket.environ
        yield made


def followed(team: Scratch) -> list[tuple[list[str], str]]:
    """Run the block; what ``gh`` was told."""
    folder = team.clone.parent
    notes, gh = folder / "gh.jsonl", folder / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH.format(python=sys.executable, notes=str(notes)))
    gh.chmod(0o755)
    lbstack = folder / "bin" / "lbstack"
    assert team.runner.command
    lbstack.symlink_to(team.runner.command)
    env = {
        **bare(),
        "PATH": f"{gh.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LABELBOX_API_KEY": team.key,
        **{
            f"GIT_{who}_{what}": f"mona{at}"
            for who in ("AUTHOR", "COMMITTER")
            for what, at in (("NAME", ""), ("EMAIL", "@example.com"))
        },
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block()], cwd=team.clone, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert team.key not in done.stdout + done.stderr
    return [(words, given) for words, given in map(json.loads, notes.read_text().splitlines())]


def test_five_minutes(team: Scratch) -> None:
    runner, opened = team.runner, 0
    environments = set()
    for words, given in followed(team):
        match words:
            case ["api", "-X", "PUT", path] if path.startswith("repos/{owner}/{repo}/environments/"):
                environments.add(path.rsplit("/", 1)[1])
            case ["secret", "set", name, "-e", environment]:
                assert environment in environments
                runner.secrets.setdefault(environment, {})[name] = given.rstrip("\n")
            case ["variable", "set", name, "-b", value]:
                runner.variables[name] = value
            case ["pr", "create", "-f"]:
                opened = team.opens(git(team.clone, "log", "-1", "--format=%s"))
            case _:
                raise AssertionError(words)
    assert team.key not in (team.clone.parent / "gh.jsonl").read_text().replace(
        json.dumps(team.key + "\n"), ""
    )
    # The pull request is planned,
    jobs = team.planned(opened)
    assert [*jobs] == ["plan"] and not jobs["plan"].failed, jobs["plan"].printed
    (body,) = team.comments(opened)
    assert "Plan: 3 to add, 0 to change, 0 to destroy." in body and "Plan: 3 to add" in jobs["plan"].summary
    assert {path.name for path in runner.artifacts["lbstack-plan"].iterdir()} >= {
        "plan.json",
        "plan.md",
        "plan.html",
    }
    # and applied once it is merged.
    team.merges(opened)
    git(team.clone, "push", "-q", "origin", "main")
    job = team.applied()
    assert not job.failed, job.printed
    assert [item["name"] for item in team.datasets()] == ["labeling-images-dev"]
    # Nothing is drifted; then something is.
    assert not team.looked().failed and team.issues() == {}
    team.graphql(
        'mutation ($id: ID!) { updateDataset(where: {id: $id}, data: {name: "By hand"}) { id } }',
        id=team.datasets()[0]["id"],
    )
    assert not team.looked().failed
    ((_, issue),) = team.issues().items()
    assert issue["state"] == "open" and "By hand" in issue["body"]


def test_what_the_page_names_exists() -> None:
    text = (ROOT / "README.md").read_text().split("## CI in five minutes")[1].split("\n## ")[0]
    for path in re.findall(r"\]\(((?!https?:)[^)]+)\)", text):
        assert (ROOT / path).is_file(), path
    assert f"id: {re.search(r'- id: (.*)', (ROOT / '.pre-commit-hooks.yaml').read_text())[1]}" in text  # type: ignore[index]


@pytest.mark.slow
def test_the_action_installs_itself(tmp_path: Path) -> None:
    """The step that installs lbstack, for real: of this action, into an environment of the job's own."""
    with scratch(tmp_path) as team:
        runner = Runner(tmp_path, team.clone, team.hub)
        workflow = tmp_path / "workflow.yml"
        workflow.write_text(
            "on: [push]\njobs:\n  a:\n    steps:\n"
            "      - uses: actions/checkout@v0\n"
            "      - uses: lbstack/lbstack@v0\n"
            "        with: {command: plan, stack: stacks/labeling.yaml, args: --sandbox, python-version: '', artifact: ''}\n"
        )
        team.commits("stack: labeling\n")
        job = runner.run(workflow, "push", sha=git(team.clone, "rev-parse", "HEAD"), ref="refs/heads/main")[
            "a"
        ]
        assert not job.failed, job.printed
        assert "No changes." in job.summary
