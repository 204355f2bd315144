"""The real command in a process of its own, against a served sandbox or the embedded one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lbstack.sandbox.server import running
from tests import canaries, loopback
from tests.nursery import Nursery, bare

STACK = """\
stack: signs
datasets:
  signs: {name: Street signs, description: Photos}
outputs:
  dataset: ${dataset.signs.id}
"""


@dataclass
class Cli:
    """Runs ``lbstack`` in a folder; `env` is all it knows of the environment, and the suite's canaries.

    Whatever a command prints, or writes into its folder, is searched for every secret that it was given.
    """

    folder: Path
    env: dict[str, str]
    nursery: Nursery

    def __call__(
        self, *words: str, stdin: int | None = None, env: Mapping[str, str] | None = None, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Carry a command line out; ``more`` is for a process that starts from nothing."""
        told = {**canaries.SUITE, **self.env, **(env or {})}
        before = canaries.files(self.folder)
        if more or self.nursery.starts_otherwise(told):
            done = whole(*words, cwd=self.folder, env=told, stdin=stdin or subprocess.DEVNULL, **more)
        else:
            done = self.nursery.run(words, self.folder, told, stdin=stdin)
        if "sandbox" not in words[:1]:  # whose keys are its own to show
            printed = {"stdout": (done.stdout or "").encode(), "stderr": (done.stderr or "").encode()}
            secrets = {*canaries.SUITE.values(), told.get("LABELBOX_API_KEY", "")} - {""}
            secrets = {secret for secret in secrets if len(secret) > 8}
            assert not canaries.leaks(secrets, printed | canaries.written(self.folder, before))
        return done

    def write(self, text: str, name: str = "stack.yaml") -> None:
        (self.folder / name).write_text(text)


def listed(cli: Cli, folder: str, *words: str) -> dict[str, str]:
    """The stacks that ``ci list`` names, and the path of each."""
    done = cli("ci", "list", folder, *words)
    assert done.returncode == 0, done.stderr
    return {each["stack"]: each["path"] for each in json.loads(done.stdout)}


def whole(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """A command line as a shell carries it out, from the start of the interpreter on."""
    command = [sys.executable, "-m", "lbstack", *words]
    return subprocess.run(command, text=True, capture_output=True, timeout=60, **more)


@pytest.fixture
def cli(tmp_path: Path, nursery: Nursery) -> Cli:
    """The command with nothing set."""
    made = Cli(tmp_path, bare(), nursery)
    made.write(STACK)
    return made


@pytest.fixture
def served(tmp_path: Path, nursery: Nursery) -> Iterator[Cli]:
    """The command with the endpoint and key of a sandbox that is served for this test."""
    folder = tmp_path / "work"
    folder.mkdir()
    with running(tmp_path / "data") as (endpoint, key):
        made = Cli(folder, {**bare(), "LABELBOX_ENDPOINT": endpoint, "LABELBOX_API_KEY": key}, nursery)
        made.write(STACK)
        yield made


def graphql(cli: Cli, document: str, **variables: Any) -> dict[str, Any]:
    """What another client does in the served workspace."""
    answer = loopback.post(
        cli.env["LABELBOX_ENDPOINT"],
        headers={"Authorization": f"Bearer {cli.env['LABELBOX_API_KEY']}"},
        json={"query": document, "variables": variables},
    ).json()
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data
