"""GitLab's component as it stands: its jobs' scripts are run as shell, with the variables that a runner has."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbstack.sandbox.server import running
from tests import canaries, loopback
from tests.forge import gitlab_api
from tests.forge.conftest import SHA
from tests.forge.gitlab_api import GitLab, gitlab
from tests.forge.test_kits import component
from tests.nursery import bare

STACK = "stack: signs\ndatasets:\n  signs: {name: Street signs, description: Photos}\n"


@dataclass
class Project:
    """A project that uses the component, and its runner."""

    folder: Path
    lab: GitLab
    endpoint: str
    key: str
    command: Path

    def runs(self, job: str, secret: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        jobs = component(job="teeth", stack="stack.yaml", state=str(self.folder / "state.json"))
        told = {**jobs[".teeth"]["variables"], **jobs[f"teeth-{job}"].get("variables", {})}
        env = {
            **bare(),
            **self.lab.environ(**variables),
            "PATH": f"{self.command.parent}:{bare()['PATH']}",
            "LABELBOX_ENDPOINT": self.endpoint,
            **({"LABELBOX_API_KEY": self.key} if secret else {"GITLAB_TOKEN": ""}),
            **{name: value for name, value in told.items() if "$" not in value},
        }
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        script = "\n".join(jobs[f"teeth-{job}"]["script"])
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script], cwd=work, env=env, capture_output=True, text=True
        )
        secrets = [self.key, gitlab_api.TOKEN, gitlab_api.LENT]
        assert not canaries.leaks(secrets, {"printed": (done.stdout + done.stderr).encode()})
        return done

    def write(self, text: str) -> None:
        (self.folder / "work").mkdir(exist_ok=True)
        (self.folder / "work" / "stack.yaml").write_text(text)

    def graphql(self, query: str) -> object:
        headers = {"Authorization": f"Bearer {self.key}"}
        return loopback.post(self.endpoint, headers=headers, json={"query": query}).json()["data"]


@pytest.fixture
def project(tmp_path: Path, command: Path) -> Iterator[Project]:
    with running(tmp_path / "data") as (endpoint, key), gitlab() as lab:
        made = Project(tmp_path, lab, endpoint, key, command)
        made.write(STACK)
        yield made


def test_a_merge_requests_life(project: Project) -> None:
    lab, number = project.lab, project.lab.requests_merge()
    done = project.runs("plan", CI_MERGE_REQUEST_IID=str(number))
    assert done.returncode == 0, done.stderr
    (note,) = lab.bodies(number)
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in note
    assert json.loads((project.folder / "work" / "counts.json").read_text()) == {
        "create": 1,
        "update": 0,
        "delete": 0,
    }
    lab.merges(number, SHA)
    done = project.runs("apply", CI_COMMIT_SHA=SHA)
    assert done.returncode == 0 and "Apply complete! Resources: 1 added" in done.stdout, done.stderr
    assert project.runs("drift").returncode == 0 and lab.issues == {}
    found = project.graphql("{datasets(first: 9) {id}}")
    assert isinstance(found, dict)
    id = found["datasets"][0]["id"]
    project.graphql(f'mutation {{updateDataset(where: {{id: "{id}"}}, data: {{name: "By hand"}}) {{id}}}}')
    done = project.runs("drift")
    assert done.returncode == 0, done.stderr
    assert "By hand" in lab.issues[1]["description"] and lab.issues[1]["state"] == "opened"


def test_what_fails_fails_and_is_told(project: Project) -> None:
    number = project.lab.requests_merge()
    project.write("stack: signs\ndatasets: {a: {nam: x}}\n")
    done = project.runs("plan", CI_MERGE_REQUEST_IID=str(number))
    assert done.returncode == 1 and "The plan failed (exit code 1)" in project.lab.bodies(number)[0]
    done = project.runs("apply", CI_COMMIT_SHA=SHA)
    assert done.returncode == 7 and "nobody approved it" in done.stderr


@pytest.mark.slow
def test_a_fork_is_tried_on_the_sandbox(project: Project) -> None:
    done = project.runs("sandbox", secret=False)
    assert done.returncode == 0, done.stderr
    assert "Apply complete! Resources: 1 added" in done.stdout and "No changes." in done.stdout
    assert project.graphql("{datasets(first: 9) {id}}") == {"datasets": []}
