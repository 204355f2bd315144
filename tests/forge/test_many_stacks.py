"""The example workflows for many stacks, as they stand: which stacks get a job, and that each job is about its
own stack alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forge.runner import Job, git
from tests.forge.scratch import KITS, Scratch, scratch
from tests.forge.test_pull_request import EDIT

NAMES = ("roads", "signs", "teeth")


@pytest.fixture
def team(tmp_path: Path, command: Path) -> Iterator[Scratch]:
    """A repository with three stacks on main, none of them applied yet."""
    with scratch(tmp_path, command, kits=KITS / "many") as made:
        made.runner.variables["LBSTACK_STATE"] = str(tmp_path / "states" / "{stack}.json")
        (tmp_path / "states").mkdir()
        for name in NAMES:
            write(made, f"{name}.yaml", stack(name))
        made.commits()
        yield made


def stack(name: str, told: str = "Photos") -> str:
    return f"stack: {name}\ndatasets:\n  d: {{name: {name}, description: {told}}}\n"


SIGNS = ("signs.yaml", stack("signs", "New"))
ROADS = ("roads.yaml", stack("roads", "New"))


def write(team: Scratch, file: str, text: str) -> None:
    team.stack.parent.mkdir(exist_ok=True)
    (team.stack.parent / file).write_text(text)


def proposed(team: Scratch, *files: tuple[str, str], name: str = "change") -> int:
    """A pull request with a commit for each file."""
    team.branches(name)
    for file, text in files:
        write(team, file, text)
        team.commits()
    return team.opens()


def merged(team: Scratch, number: int) -> dict[str, Job]:
    """The workflow that runs on the push of a pull request, merged as the commits that it has."""
    before = git(team.clone, "rev-parse", "main")
    git(team.clone, "switch", "-q", "main")
    git(team.clone, "merge", "-q", "--ff-only", team.hub.items[number]["branch"])
    sha = git(team.clone, "rev-parse", "main")
    team.hub.merges(number, sha)
    payload = {"before": before, "after": sha}
    return team.runner.run(team.workflow("apply"), "push", sha=sha, ref="refs/heads/main", payload=payload)


def looked(team: Scratch) -> dict[str, Job]:
    sha = git(team.clone, "rev-parse", "main")
    return team.runner.run(team.workflow("drift"), "schedule", sha=sha, ref="refs/heads/main")


def well(jobs: dict[str, Job]) -> list[str]:
    for job in jobs.values():
        assert not job.failed, job.printed
    return [*jobs]


def about(team: Scratch, number: int) -> list[str]:
    """Whose comments there are."""
    return sorted(re.findall(r"<!-- lbstack:plan (.*?) -->", "\n".join(team.comments(number))))


def made(team: Scratch) -> set[str]:
    return {item["name"] for item in team.datasets()}


def test_the_stacks_that_are_touched_are_planned_and_no_other(team: Scratch) -> None:
    number = proposed(team, SIGNS, ROADS)
    git(team.clone, "switch", "-q", "main")  # which moves on meanwhile, in the third
    write(team, "teeth.yaml", stack("teeth", "Other"))
    team.commits()
    jobs = team.planned(number)
    assert well(jobs) == ["stacks", "Plan roads", "Plan signs"]
    assert "2 of 3 stacks: roads, signs." in jobs["stacks"].summary
    assert about(team, number) == ["roads", "signs"] and made(team) == set()
    assert {*team.runner.artifacts} == {"lbstack-plan-roads", "lbstack-plan-signs"}


@pytest.mark.slow
def test_a_comment_stays_true_when_its_stack_is_touched_no_more(team: Scratch) -> None:
    number = proposed(team, SIGNS, ROADS)
    well(team.planned(number))
    write(team, "roads.yaml", stack("roads"))
    team.commits()
    assert well(team.planned(number)) == ["stacks", "Plan roads", "Plan signs"]
    roads, signs = sorted(team.comments(number))
    assert '"Photos"' in roads and '"New"' in signs
    assert [*merged(team, number)] == ["stacks", "Apply signs"] and made(team) == {"signs"}


@pytest.mark.slow
def test_the_stacks_that_were_touched_are_applied_and_no_other(team: Scratch) -> None:
    number = proposed(team, SIGNS, ROADS)
    well(team.planned(number))
    jobs = merged(team, number)
    assert well(jobs) == ["stacks", "Apply roads", "Apply signs"]
    assert [job.group for job in jobs.values()] == ["", "lbstack-apply-roads", "lbstack-apply-signs"]
    assert made(team) == {"roads", "signs"}


@pytest.mark.slow
def test_drift_of_one_is_its_issue_alone(team: Scratch) -> None:
    for name in NAMES:
        assert team.by_hand("apply", f"stacks/{name}.yaml", "--auto-approve").returncode == 0
    assert well(looked(team)) == ["stacks", *(f"Drift of {name}" for name in NAMES)]
    assert team.issues() == {}
    (teeth,) = (item["id"] for item in team.datasets() if item["name"] == "teeth")
    team.graphql(EDIT, id=teeth)
    assert len(well(looked(team))) == 4
    ((_, issue),) = team.issues().items()
    assert "lbstack:drift teeth" in issue["body"] and "By hand" in issue["body"]


def test_a_pull_request_that_touches_none_is_green(team: Scratch) -> None:
    number = proposed(team, ("notes.md", "stack: none\n"))
    jobs = team.planned(number)
    assert well(jobs) == ["stacks"] and jobs["stacks"].outputs == {"stacks": "[]"}
    assert about(team, number) == []


@pytest.mark.slow
def test_a_stack_that_is_broken_fails_its_own_job_alone(team: Scratch) -> None:
    broken = stack("roads").replace("name: roads", "nam: roads")
    number = proposed(team, ("roads.yaml", broken), ("signs.yaml", stack("signs", "New")))
    jobs = team.planned(number)
    assert {name: job.failed for name, job in jobs.items()} == {
        "stacks": False, "Plan roads": True, "Plan signs": False,
    }  # fmt: skip
    assert about(team, number) == ["roads", "signs"]
    assert [("The plan failed" in body) for body in sorted(team.comments(number))] == [True, False]
    jobs = merged(team, number)
    assert {name for name, job in jobs.items() if job.failed} == {"Apply roads"} and made(team) == {"signs"}


@pytest.mark.slow
def test_a_push_past_review_applies_none_of_them(team: Scratch) -> None:
    number = proposed(team, ("roads.yaml", stack("roads", "New")))
    jobs = merged(team, number)
    assert [*jobs] == ["stacks", "Apply roads"] and jobs["Apply roads"].failed and not made(team)
    assert well(merged(team, proposed(team, ("notes.md", "none\n"), name="notes"))) == ["stacks"]


HOSTILE = (
    "$(touch stolen)",
    "a\n::set-output name=x::y\nb",
    "'\"`touch stolen`; touch stolen #",
    "-rf ${IFS}",
)


@pytest.mark.slow
@pytest.mark.parametrize("fork", [False, True], ids=["own", "fork"])
def test_names_that_a_pull_request_brings_stay_data(team: Scratch, fork: bool) -> None:
    files = [(f"{hostile}.yaml", stack(f"h{n}")) for n, hostile in enumerate(HOSTILE[: 2 if fork else 4])]
    files.append(("name.yaml", stack("$(touch${IFS}stolen)")))
    number = proposed(team, *files)
    jobs = team.planned(number, fork=fork)
    failed = {name for name, job in jobs.items() if job.failed}
    assert len(jobs) == 1 + len(files) and len(failed) == 1 and "name-yaml" in next(iter(failed)), failed
    assert not [path for path in team.runner.folder.rglob("*stolen*") if path.suffix != ".yaml"]
    if fork:
        assert team.comments(number) == [] and not team.runner.artifacts
    else:
        assert {*about(team, number)} >= {"h0", "h1", "h2", "h3"}
        assert all(re.fullmatch(r"lbstack-plan-[\w-]+", name) for name in team.runner.artifacts)
    assert made(team) == set()


@pytest.mark.slow
def test_a_forks_stacks_are_tried_on_the_sandbox_each_in_its_own_job(team: Scratch) -> None:
    number = proposed(team, ("signs.yaml", stack("signs", "New")), ("fresh.yaml", stack("fresh")))
    jobs = team.planned(number, fork=True)
    names = [f"Plan and apply {name} on the sandbox" for name in ("fresh", "signs")]
    assert well(jobs) == ["stacks", *names]
    assert "Plan: 1 to add, 0 to change" in jobs[names[0]].summary
    assert "Plan: 0 to add, 1 to change" in jobs[names[1]].summary
    assert team.comments(number) == [] and made(team) == set()


@pytest.mark.slow
def test_two_stacks_of_one_name_are_told_before_either_has_a_job(team: Scratch) -> None:
    number = proposed(team, ("more.yaml", stack("roads")))
    jobs = team.planned(number)
    assert [*jobs] == ["stacks"] and jobs["stacks"].failed
    assert "stack roads is the name of stacks/roads.yaml, too" in jobs["stacks"].summary
