"""The first minute: a folder, a stack that works as it stands, and nothing overwritten."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


@pytest.fixture
def empty(cli: Cli) -> Cli:
    for path in cli.folder.iterdir():
        path.unlink()
    return cli


def test_the_first_stack_is_valid_and_works_as_it_stands(empty: Cli) -> None:
    made = empty("init", "--name", "teeth")
    assert made.returncode == 0, made.stderr
    assert "+ stack.yaml\n+ lbstack.schema.json\n+ .gitignore\n" in made.stdout
    first = (empty.folder / "stack.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=./lbstack.schema.json"
    assert json.loads((empty.folder / "lbstack.schema.json").read_text())["title"] == "lbstack stack"
    assert empty("validate").returncode == 0
    command = re.search(r"Next: lbstack (apply.*)", made.stdout)
    assert command and empty(*command[1].split(), "--auto-approve").returncode == 0
    assert "No changes." in empty("plan", "--sandbox").stdout
    assert ".lbstack/" in (empty.folder / ".gitignore").read_text().splitlines()


def test_what_exists_is_left_as_it_is(empty: Cli) -> None:
    empty.write("mine", "stack.yaml")
    empty.write("build/", ".gitignore")
    made = empty("init")
    assert made.returncode == 0 and "stack.yaml exists, and is left as it is" in made.stdout
    assert "Next:" not in made.stdout
    assert (empty.folder / "stack.yaml").read_text() == "mine"
    assert (empty.folder / ".gitignore").read_text() == "build/\n.lbstack/\n*.lbstack-plan.json\n"
    again = empty("init")
    assert again.returncode == 0 and "+" not in again.stdout and "~" not in again.stdout


def test_a_folder_gives_the_name(empty: Cli) -> None:
    assert empty("init", "deep/My Teeth (2)").returncode == 0
    text = (empty.folder / "deep" / "My Teeth (2)" / "stack.yaml").read_text()
    assert "\nstack: My-Teeth-2\n" in text
    assert empty("validate", "deep/My Teeth (2)/stack.yaml").returncode == 0


@pytest.mark.parametrize("words", [["--name", "no good"], ["--name", "../x"], ["file"]])
def test_what_cannot_be_is_wrong_usage(empty: Cli, words: list[str]) -> None:
    empty.write("", "file")
    assert empty("init", *words).returncode == 64
    assert not Path(empty.folder / "stack.yaml").exists()
