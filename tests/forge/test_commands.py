"""``lbstack ci`` as a job runs it: what it says, what it exits with, and that no token ever leaves it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import canaries
from tests.cli.conftest import STACK, Cli
from tests.forge import github_api, gitlab_api
from tests.forge.conftest import DIGEST, SHA, Side, drift_page, empty_page, plan_page
from tests.forge.github_api import GitHub
from tests.forge.gitlab_api import GitLab
from tests.forge.rest import said
from tests.nursery import Nursery, bare

TOKENS = (github_api.TOKEN, github_api.READING, github_api.PERSON, gitlab_api.TOKEN, gitlab_api.LENT)


@pytest.fixture
def job(tmp_path: Path, nursery: Nursery) -> Cli:
    made = Cli(tmp_path, bare(), nursery)
    made.write(STACK)
    made.write(plan_page(), "plan.md")
    made.write(drift_page(), "drift.md")
    return made


def ci(job: Cli, *words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A command of a job; neither what it says nor what it writes holds a token."""
    before = canaries.files(job.folder)
    done = job("ci", *words, env=env)
    printed = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    assert not canaries.leaks(TOKENS, printed | canaries.written(job.folder, before))
    assert not any(token in word for token in TOKENS for word in words)
    return done


def test_a_comment_is_made_and_edited(job: Cli, side: Side) -> None:
    number = side.request()
    done = ci(job, "comment", "--file", "plan.md", env=side.environ(number))
    sign = "#" if side.name == "github" else "!"
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "",
        f"The comment at {sign}{number}: created.\n",
    )
    job.write(plan_page("second"), "plan.md")
    assert "edited" in ci(job, "comment", "--file", "plan.md", env=side.environ(number)).stderr
    assert len(side.comments(number)) == 1


def test_another_name_is_another_comment(job: Cli, side: Side) -> None:
    number = side.request()
    for words in ((), ("--stack", "signs-production")):
        assert ci(job, "comment", "--file", "plan.md", *words, env=side.environ(number)).returncode == 0
    assert [body.split("\n")[0] for body in side.comments(number)] == [
        "<!-- lbstack:plan signs -->",
        "<!-- lbstack:plan signs-production -->",
    ]


def test_a_page_of_no_stack_needs_a_name(job: Cli, side: Side) -> None:
    number = side.request()
    job.write("# mine\n", "plan.md")
    done = ci(job, "comment", "--file", "plan.md", env=side.environ(number))
    assert done.returncode == 64 and "give --stack NAME" in done.stderr
    assert (
        ci(job, "comment", "--file", "plan.md", "--stack", "signs", env=side.environ(number)).returncode == 0
    )
    assert side.comments(number) == ["<!-- lbstack:plan signs -->\n# mine\n"]


def test_a_drifts_page_is_no_plans(job: Cli, side: Side) -> None:
    done = ci(job, "comment", "--file", "drift.md", env=side.environ(side.request()))
    assert done.returncode == 64 and "this is the page of a drift, not of a plan" in done.stderr


def test_skip_empty(job: Cli, side: Side) -> None:
    number = side.request()
    job.write(empty_page(), "plan.md")
    assert (
        "skipped" in ci(job, "comment", "--file", "plan.md", "--skip-empty", env=side.environ(number)).stderr
    )
    assert side.comments(number) == []


def test_a_plan_that_failed_takes_the_place_of_the_one_before(job: Cli, side: Side) -> None:
    number = side.request()
    ci(job, "comment", "--file", "plan.md", env=side.environ(number))
    (job.folder / "plan.md").unlink()
    job.write("stack: signs\ndatasets: [\n")
    job.write("stack.yaml:3:1: \x1b[31mbroken\n```\n</details>\n@octo/everybody\n::error::x\n", "plan.log")
    words = ("comment", ".", "--file", "plan.md", "--log", "plan.log", "--code", "1")
    assert "edited" in ci(job, *words, env=side.environ(number)).stderr
    (body,) = side.comments(number)
    assert "**The plan failed (exit code 1).**" in body and DIGEST not in body
    assert "\x1b" not in body and "````text\n" in body and "stack.yaml:3:1: \\u001b[31mbroken" in body


def test_a_plan_that_failed_of_a_stack_without_a_name_changes_nothing(job: Cli, side: Side) -> None:
    number = side.request()
    job.write("}{")
    job.write("broken\n", "plan.log")
    words = ("comment", "stack.yaml", "--file", "none.md", "--log", "plan.log", "--code", "1")
    done = ci(job, *words, env=side.environ(number))
    assert done.returncode == 0 and "the comment stays as it is" in done.stderr
    assert side.comments(number) == []


def test_secrets_of_the_job_are_taken_out_of_what_is_sent(job: Cli, side: Side) -> None:
    number = side.request()
    job.write(plan_page(f"{side.token} and canary-of-a-key-1234"), "plan.md")
    env = side.environ(number, LABELBOX_API_KEY="canary-of-a-key-1234")
    assert ci(job, "comment", "--file", "plan.md", env=env).returncode == 0
    assert not canaries.leaks([*TOKENS, "canary-of-a-key-1234"], {"body": side.comments(number)[0].encode()})
    assert "+ (sensitive value) and (sensitive value)" in side.comments(number)[0]


def test_no_token_is_told(job: Cli, side: Side) -> None:
    env = {**side.environ(side.request()), "GITHUB_TOKEN": "", "GITLAB_TOKEN": "", "CI_JOB_TOKEN": ""}
    done = ci(job, "comment", "--file", "plan.md", env=env)
    assert done.returncode == 6
    assert f"there is no {'GITHUB' if side.name == 'github' else 'GITLAB'}_TOKEN" in done.stderr


@pytest.mark.parametrize("token", ["canary of two words", "canary\nX-Evil: 1", "canary-é", "canary\x07"])
def test_what_is_no_token_is_told_and_not_repeated(job: Cli, side: Side, token: str) -> None:
    wrong = {"GITHUB_TOKEN": token, "GITLAB_TOKEN": token}
    done = ci(job, "comment", "--file", "plan.md", env=side.environ(side.request(), **wrong))
    assert done.returncode == 6 and "_TOKEN is no token" in done.stderr and "canary" not in done.stderr
    assert side.api.server.asked == []


def test_a_wrong_token_is_told(job: Cli, side: Side) -> None:
    wrong = {"GITHUB_TOKEN": "wrong-canary-token", "GITLAB_TOKEN": "wrong-canary-token"}
    done = ci(job, "comment", "--file", "plan.md", env=side.environ(side.request(), **wrong))
    assert done.returncode == 6 and "401" in done.stderr and "wrong-canary" not in done.stderr


def test_a_workflow_that_may_only_read_is_told_what_is_missing(job: Cli, hub: GitHub) -> None:
    env = hub.environ(hub.opens("Change", pull=True), token=github_api.READING)
    done = ci(job, "comment", "--file", "plan.md", env=env)
    assert done.returncode == 6
    assert "GitHub does not allow this (403: Resource not accessible by integration)" in done.stderr
    assert "permissions: {pull-requests: write}" in done.stderr


def event(job: Cli, number: int, source: str | None) -> dict[str, str]:
    repo = {"full_name": source} if source else None
    job.write(json.dumps({"pull_request": {"number": number, "head": {"repo": repo}}}), "event.json")
    return {"GITHUB_EVENT_PATH": str(job.folder / "event.json")}


@pytest.mark.parametrize("source", ["mallory/signs", None])
def test_a_forks_job_that_may_not_comment_ends_well(job: Cli, hub: GitHub, source: str | None) -> None:
    number = hub.opens("Change", pull=True)
    env = hub.environ(number, token=github_api.READING, **event(job, number, source))
    done = ci(job, "comment", "--file", "plan.md", env=env)
    assert done.returncode == 0 and "the job's summary shows the plan" in done.stderr
    assert hub.bodies(number) == []


def test_the_number_comes_from_the_event_too(job: Cli, hub: GitHub) -> None:
    number = hub.opens("Change", pull=True)
    env = {**hub.environ(), **event(job, number, github_api.REPOSITORY)}
    assert ci(job, "comment", "--file", "plan.md", env=env).returncode == 0
    assert len(hub.bodies(number)) == 1


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"pull_request": 3}', '{"issue": {"number": 1}}', "[" * 100_000]
)
def test_a_job_of_no_pull_request_is_told(job: Cli, hub: GitHub, text: str) -> None:
    job.write(text, "event.json")
    hub.opens("An issue")
    env = hub.environ(GITHUB_EVENT_PATH=str(job.folder / "event.json"))
    done = ci(job, "comment", "--file", "plan.md", env=env)
    assert done.returncode == 64 and "give --number N" in done.stderr


def test_anywhere_a_shell_runs(job: Cli, hub: GitHub) -> None:
    number = hub.opens("Change", pull=True)
    env = {
        "GITHUB_API_URL": hub.url,
        "GITHUB_REPOSITORY": github_api.REPOSITORY,
        "GITHUB_TOKEN": github_api.PERSON,
    }
    words = ("comment", "--file", "plan.md", "--number", str(number), "--forge", "github")
    assert ci(job, *words, env=env).returncode == 0
    assert len(hub.bodies(number, by="mona")) == 1


def test_nowhere_is_told(job: Cli) -> None:
    done = ci(job, "comment", "--file", "plan.md", env={})
    assert done.returncode == 64 and "give --forge github or --forge gitlab" in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "http://api.github.example",
        "ftp://x",
        "https://user:canary@x",
        "https://x/?a=b",
        "//x",
        "http://[",
        "x",
    ],
)
def test_a_token_goes_nowhere_in_the_clear(job: Cli, side: Side, url: str) -> None:
    name = "GITHUB_API_URL" if side.name == "github" else "CI_API_V4_URL"
    env = side.environ(side.request(), **{name: url})
    done = ci(job, "comment", "--file", "plan.md", env=env)
    assert done.returncode == 64 and ("is not encrypted" in done.stderr or "is no address" in done.stderr)
    assert "canary" not in done.stderr


@pytest.mark.parametrize("repository", ["", "octo", "octo/..", "octo/signs/../../user", "a/b?c", "a b/c"])
def test_a_repository_that_is_none_is_told(job: Cli, hub: GitHub, repository: str) -> None:
    done = ci(job, "comment", "--file", "plan.md", env=hub.environ(1, GITHUB_REPOSITORY=repository))
    assert done.returncode == 64 and "GITHUB_REPOSITORY names no repository" in done.stderr


def test_a_jobs_own_token_may_not_write_on_gitlab(job: Cli, lab: GitLab) -> None:
    done = ci(job, "comment", "--file", "plan.md", env=lab.environ(lab.requests_merge(), token=""))
    assert done.returncode == 6 and "set GITLAB_TOKEN to a project access token" in done.stderr


def test_no_line_of_a_page_is_a_command_to_gitlab(job: Cli, lab: GitLab) -> None:
    number = lab.requests_merge()
    page = plan_page() + "/close\n\n  /merge now\n\n```text\n/close\n```\n"
    job.write(page, "plan.md")
    for _ in range(2):
        done = ci(job, "comment", "--file", "plan.md", env=lab.environ(number))
        assert done.returncode == 0
    assert "unchanged" in done.stderr
    assert lab.requests[number]["state"] == "opened"
    assert "\\/close" in lab.bodies(number)[0] and "```text\n/close\n```" in lab.bodies(number)[0]


def test_an_issue_is_opened_and_closed(job: Cli, side: Side) -> None:
    words = ("issue", "--file", "drift.md", "--code")
    assert ci(job, *words, "2", env=side.environ()).stderr == "Issue #1: opened.\n"
    assert ci(job, *words, "0", env=side.environ()).stderr == "Issue #1: closed.\n"
    assert ci(job, "issue", ".", "--code", "0", env=side.environ()).stderr.startswith("Nothing is drifted")


@pytest.mark.parametrize("code", ["1", "3", "6", "7", "130"])
def test_drift_that_was_not_judged_changes_no_issue(job: Cli, side: Side, code: str) -> None:
    ci(job, "issue", "--file", "drift.md", "--code", "2", env=side.environ())
    done = ci(job, "issue", "--file", "none.md", "--code", code, env=side.environ())
    assert done.returncode == 0 and "the issue stays as it is" in done.stderr
    assert side.is_open(1)


def test_an_issue_of_nobody_is_told(job: Cli, side: Side) -> None:
    done = ci(job, "issue", "--code", "0", env=side.environ())
    assert done.returncode == 64 and "--stack NAME" in done.stderr
    done = ci(job, "issue", ".", "--code", "2", env=side.environ())
    assert done.returncode == 64 and "drift --markdown" in done.stderr
    done = ci(job, "issue", "--file", "none.md", "--code", "2", env=side.environ())
    assert done.returncode == 1 and "there is no file none.md" in done.stderr


def test_the_digest_that_was_approved_is_printed(job: Cli, side: Side) -> None:
    number = side.request()
    ci(job, "comment", "--file", "plan.md", env=side.environ(number))
    side.merges(number)
    done = ci(job, "approved", ".", "--sha", SHA, env=side.environ())
    assert (done.returncode, done.stdout) == (0, DIGEST + "\n")


def test_a_job_of_a_request_that_nobody_merged_approves_nothing(job: Cli, side: Side) -> None:
    number = side.request()
    ci(job, "comment", "--file", "plan.md", env=side.environ(number))
    done = ci(job, "approved", ".", "--sha", SHA, env=side.environ(number))
    assert done.returncode == 7 and DIGEST not in done.stdout, done.stdout + done.stderr


def test_what_the_forge_says_commands_nobody(job: Cli, side: Side) -> None:
    hostile = "\x1b[2J::error::x\n::add-mask::\u202e"
    side.goes_wrong("POST", said(422, {"message": hostile}), side.thread)
    done = ci(job, "comment", "--file", "plan.md", env=side.environ(side.request()))
    assert done.returncode == 1
    assert "\x1b" not in done.stderr and "\u202e" not in done.stderr and "\n::" not in done.stderr


HOSTILE = """\
stack: signs
datasets:
  signs:
    name: "</details> <!-- lbstack:digest 1.evilevilevilevil --> ::error::x @octo/all"
    description: |
      ```
      /close
      /merge
      <!-- lbstack:plan other -->
      **No changes. Your infrastructure matches the configuration.**
      </details>
      ````
      ##[error]x
"""


def test_hostile_names_are_told_and_do_nothing(job: Cli, side: Side) -> None:
    number = side.request()
    job.write(HOSTILE)
    (job.folder / "plan.md").unlink()
    done = job("plan", "--sandbox", "--json", "--markdown", "plan.md")
    digest = json.loads(done.stdout)["digest"]
    for _ in range(2):
        done = ci(job, "comment", "--file", "plan.md", "--skip-empty", env=side.environ(number))
        assert done.returncode == 0, done.stderr
    assert "unchanged" in done.stderr
    (body,) = side.comments(number)
    assert body.startswith("<!-- lbstack:plan signs -->\n")
    target = side.api.items[number] if side.name == "github" else side.api.requests[number]
    assert target["state"] in ("open", "opened")
    side.merges(number)
    assert ci(job, "approved", ".", "--sha", SHA, env=side.environ()).stdout == digest + "\n"
    done = job("apply", "--sandbox", "--approved", digest)
    assert done.returncode == 0 and "1 added" in done.stdout
