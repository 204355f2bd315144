"""Which stacks a CI service is to run a job for: told offline, and in words that jobs can be named after."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lbstack.stack.sections import NAME
from tests.cli.conftest import Cli, listed
from tests.cli.test_plan_all import git

ONE = "stack: {name}\nvariables: {{secret: {{sensitive: true}}}}\ndatasets: {{d: {{name: x}}}}\n"


@pytest.fixture
def team(cli: Cli) -> Cli:
    """A repository with stacks a and b, files, and c, a folder; nobody to ask, and no key to ask with."""
    cli.env.pop("LABELBOX_API_KEY", None)
    cli.env |= {
        "LABELBOX_ENDPOINT": "http://127.0.0.1:1/graphql",
        "LBSTACK_STATE": "s3://nobody/{stack}.json",
    }
    (cli.folder / "stack.yaml").unlink(missing_ok=True)
    (cli.folder / "stacks" / "c").mkdir(parents=True)
    for name, file in (("a", "a.yaml"), ("b", "b.yaml"), ("c", "c/main.yaml")):
        cli.write(ONE.format(name=name), f"stacks/{file}")
    cli.write("datasets: {e: {name: y}}\n", "stacks/c/more.yaml")
    git(cli, "init")
    commit(cli)
    return cli


def commit(cli: Cli) -> None:
    git(cli, "add", ".")
    git(cli, "commit", "-qm", "Change")


A, B, C = {"a": "stacks/a.yaml"}, {"b": "stacks/b.yaml"}, {"c": "stacks/c"}


def test_all_are_listed_and_nobody_is_asked(team: Cli) -> None:
    assert listed(team, "stacks") == A | B | C
    assert (
        listed(team, "stacks", "--changed-since", "")
        == listed(team, "stacks", "--changed-since", "0" * 40)
        == A | B | C
    )


def test_those_that_were_touched_are_listed(team: Cli) -> None:
    assert listed(team, "stacks", "--changed-since", "HEAD") == {}
    team.write("datasets: {}\n", "stacks/c/more.yaml")
    team.write("stack: b\nno stack: [\n", "stacks/b.yaml")
    commit(team)
    assert listed(team, "stacks", "--changed-since", "HEAD^1") == B | C, "a broken one, too"
    team.write("secret: x\n", "stacks/values.yaml")
    assert listed(team, "stacks", "--changed-since", "HEAD", "--var-file", "stacks/values.yaml") == A | B | C
    (team.folder / "stacks" / "a.yaml").unlink()
    done = team("ci", "list", "stacks", "--changed-since", "HEAD")
    assert done.returncode == 0 and json.loads(done.stdout) == []
    assert "stack a is gone from stacks/a.yaml since HEAD: what it made stays" in done.stderr
    assert done.stderr.endswith("0 of 2 stacks.\n")
    done = team("ci", "list", "stacks", "--changed-since", "deadbeef")
    assert done.returncode == 64 and "git knows no revision 'deadbeef'" in done.stderr and not done.stdout


def test_a_jobs_outputs_hold_one_line_of_json(team: Cli) -> None:
    output = team.folder / "output"
    done = team("ci", "list", "stacks", env={"GITHUB_OUTPUT": str(output)})
    assert done.stderr == "3 of 3 stacks: a, b, c.\n"
    assert f"\n{done.stdout}" in output.read_text() and output.read_text().startswith("stacks<<")


HOSTILE = ("$(touch stolen)", "a\nstacks=[]\n", "'\"`", "-rf", "::error::x", "ü\x1b[31m")


def test_what_a_job_is_named_after_is_plain_whatever_the_repository_says(team: Cli) -> None:
    for number, hostile in enumerate(HOSTILE):
        team.write(f"stack: 'h{number}'\n", f"stacks/{hostile}.yaml")
        team.write(f"stack: {number}$(touch${{{{IFS}}}}stolen)\n", f"stacks/n{number}.yaml")
    output = team.folder / "output"
    done = team("ci", "list", "stacks", env={"GITHUB_OUTPUT": str(output)})
    assert done.returncode == 0 and "\x1b" not in done.stderr, done.stderr
    found = json.loads(done.stdout)
    names = [each["stack"] for each in found]
    assert len({*names}) == len(found) == 3 + 2 * len(HOSTILE)
    assert all(NAME.match(name) for name in names), names
    assert {Path(each["path"]).name for each in found} >= {f"{hostile}.yaml" for hostile in HOSTILE}
    assert re.fullmatch(r"stacks<<(\S+)\n.*\n\1\n", output.read_text()), "one line, and no other output"


def test_one_name_for_two_is_refused_before_any_job(team: Cli) -> None:
    team.write(ONE.format(name="a"), "stacks/aa.yaml")
    for words in ((), ("--changed-since", "HEAD")):
        done = team("ci", "list", "stacks", *words)
        assert done.returncode == 1 and not done.stdout
        assert "stacks/aa.yaml: stack a is the name of stacks/a.yaml, too" in done.stderr
    commit(team)
    team.write(ONE.format(name="b") + "outputs: {}\n", "stacks/b.yaml")
    assert listed(team, "stacks", "--changed-since", "HEAD") == B, (
        "of others that were not touched, their own jobs tell"
    )


def test_no_more_than_a_matrix_holds(team: Cli) -> None:
    for number in range(254):
        team.write(f"stack: s{number}\n", f"stacks/s{number}.yaml")
    assert len(listed(team, "stacks")) == 257
    output = team.folder / "output"
    done = team("ci", "list", "stacks", env={"GITHUB_OUTPUT": str(output)})
    assert done.returncode == 64 and "257 stacks" in done.stderr and "256 jobs" in done.stderr
    assert not output.exists()
    (team.folder / "stacks" / "s0.yaml").unlink()
    assert team("ci", "list", "stacks", env={"GITHUB_OUTPUT": str(output)}).returncode == 0
