"""A scratch repository on the stand-in, with the example workflows, a runner, and a served sandbox as the
workspace: what a team has that has switched lbstack on."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lbstack.sandbox.server import running
from tests import loopback
from tests.forge.github_api import ME, READING, REPOSITORY, TOKEN, GitHub, github
from tests.forge.runner import ROOT, Job, Runner, git
from tests.nursery import bare

STACK = """\
stack: labeling
datasets:
  signs: {name: Street signs, description: Photos}
"""
KITS = ROOT / "examples" / "ci" / "github"


@dataclass
class Scratch:
    """The repository's clone at `clone`; `hub` is where it is reviewed, `runner` where its workflows run."""

    clone: Path
    hub: GitHub
    runner: Runner
    endpoint: str
    key: str

    @property
    def stack(self) -> Path:
        return self.clone / "stacks" / "labeling.yaml"

    def commits(self, text: str | None = None, message: str = "Change the stack") -> str:
        """A commit on the branch that is checked out; its id."""
        if text is not None:
            self.stack.parent.mkdir(exist_ok=True)
            self.stack.write_text(text)
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-qm", message, "--allow-empty")
        return git(self.clone, "rev-parse", "HEAD")

    def branches(self, name: str) -> None:
        git(self.clone, "switch", "-q", "-c", name, "main")

    def opens(self, title: str = "Change the stack") -> int:
        """A pull request of what is checked out; no workflow runs yet."""
        return self.hub.opens(title, pull=True, branch=git(self.clone, "branch", "--show-current"))

    def planned(self, number: int, *, fork: bool = False) -> dict[str, Job]:
        """The workflow that runs on a pull request's latest commit."""
        payload = {
            "pull_request": {
                "number": number,
                "base": {"sha": git(self.clone, "rev-parse", "main")},
                "head": {"repo": {"full_name": "mallory/signs" if fork else REPOSITORY}},
            }
        }
        sha, ref = self.merge_of(number), f"refs/pull/{number}/merge"
        token = READING if fork else TOKEN
        return self.runner.run(
            self.workflow("plan"), "pull_request", sha=sha, ref=ref, payload=payload, token=token
        )

    def merge_of(self, number: int) -> str:
        """The merge that GitHub tries of a pull request, which its workflows run on."""
        head = self.hub.items[number]["branch"]
        tree = git(self.clone, "merge-tree", "--write-tree", "main", head)
        sha = git(self.clone, "commit-tree", tree, "-p", "main", "-p", head, "-m", f"Merge {head} into main")
        git(self.clone, "push", "-qf", str(self.runner.origin), f"{sha}:refs/pull/{number}/merge")
        return sha

    def merges(self, number: int) -> str:
        """Merge a pull request; the merge's id."""
        git(self.clone, "switch", "-q", "main")
        git(self.clone, "merge", "-q", "--no-ff", "-m", f"Merge #{number}", self.hub.items[number]["branch"])
        sha = git(self.clone, "rev-parse", "main")
        self.hub.merges(number, sha)
        return sha

    def applied(self) -> Job:
        """The workflow that runs on a push to main."""
        sha = git(self.clone, "rev-parse", "main")
        return self.runner.run(self.workflow("apply"), "push", sha=sha, ref="refs/heads/main")["apply"]

    def looked(self) -> Job:
        """The workflow that looks for drift on a schedule."""
        sha = git(self.clone, "rev-parse", "main")
        return self.runner.run(self.workflow("drift"), "schedule", sha=sha, ref="refs/heads/main")["drift"]

    def workflow(self, name: str) -> Path:
        """A workflow of the example kits, or one that ``init`` wrote."""
        folder = self.clone / ".github" / "workflows"
        return next(
            path for path in (folder / f"{name}.yml", folder / f"lbstack-{name}.yml") if path.exists()
        )

    def by_hand(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of lbstack that somebody runs in the clone."""
        assert self.runner.command
        env = {
            **bare(),
            **self.runner.machine,
            "LABELBOX_API_KEY": self.key,
            "LBSTACK_STATE": self.runner.variables.get("LBSTACK_STATE", ""),
        }
        command = [str(self.runner.command), *words]
        return subprocess.run(command, cwd=self.clone, env=env, capture_output=True, text=True, timeout=60)

    def comments(self, number: int) -> list[str]:
        return self.hub.bodies(number, by=ME)

    def issues(self) -> dict[int, dict[str, Any]]:
        return {number: item for number, item in self.hub.items.items() if not item["pull"]}

    def graphql(self, document: str, **variables: Any) -> dict[str, Any]:
        """What somebody does by hand in the workspace."""
        answer = loopback.post(
            self.endpoint,
            headers={"Authorization": f"Bearer {self.key}"},
            json={"query": document, "variables": variables},
        ).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def datasets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.graphql("{datasets(first: 100) {id name description}}")["datasets"]
        return found


@contextmanager
def scratch(folder: Path, command: Path | None = None, *, kits: Path | None = KITS) -> Iterator[Scratch]:
    """Everything, from nothing; with the example workflows on main, unless those are still to come."""
    clone = folder / "clone"
    clone.mkdir()
    git(clone, "init", "-q")
    if kits:
        (clone / ".github" / "workflows").mkdir(parents=True)
        for kit in kits.glob("*.yml"):
            shutil.copy(kit, clone / ".github" / "workflows")
    (clone / ".gitignore").write_text(".lbstack/\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "Begin")
    with running(folder / "data") as (endpoint, key), github() as hub:
        runner = Runner(folder, clone, hub, command=command, machine={"LABELBOX_ENDPOINT": endpoint})
        for name in ("labelbox", "labelbox-plan"):
            runner.secrets[name] = {"LABELBOX_API_KEY": key}
        runner.variables["LBSTACK_STATE"] = str(folder / "state.json")
        yield Scratch(clone, hub, runner, endpoint, key)


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document
