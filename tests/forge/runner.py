"""A runner of GitHub's workflows, small and literal: shell steps are run by bash as a runner runs them, ours
as the composite action that ``action.yml`` says it is, and three actions of others are known: checking out,
setting Python up (which is there already), and keeping an artifact. Jobs run one after another, as they need each
other; of a matrix a job for each row.

What a step sees is what it is given: secrets only by ``env``, outputs only through ``GITHUB_OUTPUT``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests import canaries
from tests.forge.expressions import evaluate, filled, truthy
from tests.forge.github_api import REPOSITORY, TOKEN, GitHub
from tests.forge.test_report import parsed
from tests.nursery import bare

ROOT = Path(__file__).parents[2]
ACTION = "lbstack/lbstack@"


def loaded(path: Path) -> dict[str, Any]:
    """A workflow or an action. YAML 1.1 reads ``on`` as true."""
    document = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in document.items()}


@dataclass
class Step:
    """What became of a step."""

    name: str
    code: int | None = None
    printed: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""


@dataclass
class Job:
    """What became of a job: its steps, those of actions among them, its conclusion, what it tells those that
    need it, and the group of which one runs at a time."""

    steps: list[Step] = field(default_factory=list)
    failed: bool = False
    outputs: dict[str, str] = field(default_factory=dict)
    group: str = ""

    @property
    def summary(self) -> str:
        return "".join(step.summary for step in self.steps)

    @property
    def printed(self) -> str:
        return "\n".join(step.printed for step in self.steps)


@dataclass
class Runner:
    """A machine that runs jobs of one repository, which lies at `origin`. Secrets are those of environments."""

    folder: Path
    origin: Path
    hub: GitHub
    machine: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    action: Path = ROOT
    command: Path | None = None
    """The command that an earlier step of each job has installed."""
    artifacts: dict[str, Path] = field(default_factory=dict)
    _count: int = 0

    def run(
        self,
        workflow: Path,
        event: str,
        *,
        sha: str,
        ref: str,
        payload: dict[str, Any] | None = None,
        token: str = TOKEN,
    ) -> dict[str, Job]:
        """Run the jobs of a workflow, those of a matrix by the names that GitHub shows; those whose condition
        is not met, and those that a failed one was to come before, are left out."""
        document = loaded(workflow)
        names = document["on"] if isinstance(document["on"], list) else [*document["on"]]
        assert event in names, f"{workflow.name} is not run on {event}"
        done: dict[str, Job] = {}
        told: dict[str, dict[str, Any]] = {}
        for name, job in document["jobs"].items():
            wanted = job.get("needs", [])
            needs = {each: told[each] for each in ([wanted] if isinstance(wanted, str) else wanted)}
            first = _Run(self, event, sha, ref, payload or {}, token, needs)
            mine: dict[str, Job] = {}
            if first.is_wanted(job):
                for row in first.rows(job):
                    run = _Run(self, event, sha, ref, payload or {}, token, needs, row)
                    run.job(job)
                    title = run.title(job) if "strategy" in job else name
                    assert title not in mine
                    mine[title] = run.done
                    if run.done.failed and job.get("strategy", {}).get("fail-fast", True):
                        break  # the others are cancelled
            told[name] = {"result": _result(mine), "outputs": {}}
            for each in mine.values():
                told[name]["outputs"] |= each.outputs
            assert not done.keys() & mine.keys()
            done |= mine
        return done

    def place(self) -> Path:
        """A new folder for one job."""
        self._count += 1
        place = self.folder / f"job-{self._count}"
        (place / "temp").mkdir(parents=True)
        (place / "work").mkdir()
        if self.command:
            installed = place / "temp" / "lbstack-action" / "bin" / "lbstack"
            installed.parent.mkdir(parents=True)
            installed.symlink_to(self.command)
        return place


def _result(jobs: Mapping[str, Job]) -> str:
    if not jobs:
        return "skipped"
    return "failure" if any(job.failed for job in jobs.values()) else "success"


class _Run:
    """One job at work, of a matrix that of one row."""

    def __init__(
        self,
        runner: Runner,
        event: str,
        sha: str,
        ref: str,
        payload: dict[str, Any],
        token: str,
        needs: Mapping[str, dict[str, Any]],
        row: Mapping[str, Any] | None = None,
    ) -> None:
        self.runner, self.done, self.place = runner, Job(), runner.place()
        self.work = self.place / "work"
        self.event = self.place / "event.json"
        self.event.write_text(json.dumps(payload))
        self.sha, self.token = sha, token
        github = {
            "event_name": event,
            "sha": sha,
            "ref": ref,
            "repository": REPOSITORY,
            "token": token,
            "event": payload,
        }
        self.contexts: dict[str, Any] = {
            "github": github,
            "env": {},
            "steps": {},
            "secrets": {},
            "vars": dict(runner.variables),
            "needs": dict(needs),
            "matrix": dict(row or {}),
        }
        self.base = {
            **bare(),
            **runner.machine,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": runner.hub.url,
            "GITHUB_GRAPHQL_URL": f"{runner.hub.url}/graphql",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(self.event),
            "GITHUB_REF": ref,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SHA": sha,
            "GITHUB_WORKSPACE": str(self.work),
            "RUNNER_TEMP": str(self.place / "temp"),
        }

    # -- expressions -------------------------------------------------------------------------------

    def functions(self) -> dict[str, Any]:
        return {
            "always": lambda: True,
            "failure": lambda: self.done.failed,
            "fromJSON": json.loads,
            "hashFiles": lambda *names: "x" if any(any(self.work.glob(name)) for name in names) else "",
        }

    def value(self, condition: Any, contexts: Mapping[str, Any] | None = None) -> Any:
        if isinstance(condition, bool):
            return condition
        whole = str(condition).removeprefix("${{").removesuffix("}}")
        return evaluate(whole, contexts or self.contexts, self.functions())

    def filled(
        self, values: Mapping[str, Any] | None, contexts: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        return {k: filled(v, contexts or self.contexts, self.functions()) for k, v in (values or {}).items()}

    # -- before a job ------------------------------------------------------------------------------

    def early(self, *more: str) -> dict[str, Any]:
        """What is known before a job begins."""
        return {name: self.contexts[name] for name in ("github", "needs", "vars", *more)}

    def is_wanted(self, job: Mapping[str, Any]) -> bool:
        """Whether all that it needs went well, unless its condition says when, and its condition is met."""
        condition = job.get("if", "true")
        well = all(each["result"] == "success" for each in self.contexts["needs"].values())
        if not well and not any(word in condition for word in ("always()", "failure()", "cancelled()")):
            return False
        return truthy(self.value(condition, self.early()))

    def rows(self, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of its matrix, which is one list here; without a matrix there is one job."""
        if "strategy" not in job:
            return [{}]
        matrix = job["strategy"]["matrix"]
        assert matrix.keys() == {"include"}, "not known here"
        rows = matrix["include"]
        found = self.value(rows, self.early()) if isinstance(rows, str) else rows
        assert isinstance(found, list) and 0 < len(found) <= 256, found
        return found

    def title(self, job: Mapping[str, Any]) -> str:
        return filled(job["name"], self.early("matrix"), self.functions())

    # -- a job -------------------------------------------------------------------------------------

    def job(self, job: Mapping[str, Any]) -> None:
        if self.token == TOKEN:  # a fork's job has none
            self.contexts["secrets"] = self.runner.secrets.get(job.get("environment", ""), {})
        group = job.get("concurrency", {}).get("group", "")
        self.done.group = filled(group, self.early("matrix"), self.functions())
        env = self.filled(job.get("env"))
        for step in job["steps"]:
            if not self.is_due(step, self.contexts):
                continue
            mine = {**env, **self.filled(step.get("env"))}
            uses = step.get("uses", "")
            if "run" in step:
                outputs = self.shell(step, self.contexts, mine, self.work)
            elif uses.startswith(ACTION):
                outputs = self.composite(self.filled(step.get("with")), mine)
            else:
                outputs = self.other(uses, self.filled(step.get("with")))
            if "id" in step:
                self.contexts["steps"][step["id"]] = {"outputs": outputs}
        self.done.outputs = self.filled(job.get("outputs"))

    def is_due(self, step: Mapping[str, Any], contexts: Mapping[str, Any]) -> bool:
        condition = step.get("if", True)
        says_when = isinstance(condition, str) and ("always()" in condition or "failure()" in condition)
        return (not self.done.failed or says_when) and truthy(self.value(condition, contexts))

    def composite(self, given: dict[str, str], env: dict[str, str]) -> dict[str, str]:
        """Our own action."""
        action = loaded(self.runner.action / "action.yml")
        assert given.keys() <= action["inputs"].keys(), given.keys() - action["inputs"].keys()
        outer = {**self.contexts, "env": env}
        inputs = {}
        for name, told in action["inputs"].items():
            assert not told.get("required") or name in given, name
            inputs[name] = given.get(name, filled(told.get("default", ""), outer, self.functions()))
        contexts = {**outer, "inputs": inputs, "steps": {}}
        for step in action["runs"]["steps"]:
            if not self.is_due(step, contexts):
                continue
            if "run" in step:
                mine = {
                    **env,
                    **self.filled(step.get("env"), contexts),
                    "GITHUB_ACTION_PATH": str(self.runner.action),
                }
                where = filled(step.get("working-directory", "."), contexts, self.functions())
                outputs = self.shell(step, contexts, mine, self.work / where)
            else:
                outputs = self.other(step["uses"], self.filled(step.get("with"), contexts))
            if "id" in step:
                contexts["steps"][step["id"]] = {"outputs": outputs}
        return {
            name: filled(told["value"], contexts, self.functions())
            for name, told in action["outputs"].items()
        }

    def shell(
        self, step: Mapping[str, Any], contexts: Mapping[str, Any], env: dict[str, str], where: Path
    ) -> dict[str, str]:
        """A step of shell, run as a runner runs it. No token is in what it says or writes."""
        assert "${{" not in step["run"], "an expression inside of shell"
        assert step["shell"] == "bash"
        count = len(self.done.steps)
        script, output, summary = (self.place / f"{what}-{count}" for what in ("script", "output", "summary"))
        script.write_text(step["run"])
        before = canaries.files(self.place)
        told = {**self.base, **env, "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            cwd=where, env=told, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
        )  # fmt: skip
        secrets = {self.token, *(value for held in self.runner.secrets.values() for value in held.values())}
        assert not canaries.leaks(secrets, {"printed": done.stdout, **canaries.written(self.place, before)})
        mine = Step(step.get("name", ""), done.returncode, done.stdout.decode())
        mine.outputs = parsed(output.read_text()) if output.exists() else {}
        mine.summary = summary.read_text() if summary.exists() else ""
        assert len(mine.summary.encode()) <= 1024 * 1024
        self.done.steps.append(mine)
        self.done.failed |= done.returncode != 0
        return mine.outputs

    def other(self, uses: str, given: dict[str, str]) -> dict[str, str]:
        """An action of others."""
        name = uses.split("@")[0]
        if name == "actions/checkout":
            target = self.work / given.get("path", ".")
            target.mkdir(exist_ok=True)
            git(target, "init", "-q")
            # As deep as it is asked for: the one commit, so many, or all there is with all branches.
            depth = given.get("fetch-depth", "1")
            more = ["+refs/heads/*:refs/remotes/origin/*"] if depth == "0" else [f"--depth={depth}"]
            sha = git(self.runner.origin, "rev-parse", given.get("ref") or self.sha)
            git(target, "fetch", "-q", self.runner.origin.absolute().as_uri(), *more, sha)
            git(target, "checkout", "-q", sha)
        elif name == "actions/upload-artifact":
            kept = self.runner.folder / "artifacts" / given["name"]
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(given["path"], kept)
            self.runner.artifacts[given["name"]] = kept
        else:
            assert name == "actions/setup-python", uses
        return {}


def git(where: Path, *words: str) -> str:
    """Git with a name and an address, and nothing of this machine's settings."""
    env = {
        "PATH": os.environ["PATH"], "HOME": str(where), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Mona", "GIT_AUTHOR_EMAIL": "mona@example.com",
        "GIT_COMMITTER_NAME": "Mona", "GIT_COMMITTER_EMAIL": "mona@example.com",
    }  # fmt: skip
    words = ("-c", "init.defaultBranch=main", "-c", "uploadpack.allowAnySHA1InWant=true", *words)
    done = subprocess.run(["git", *words], cwd=where, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
