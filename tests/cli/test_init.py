"""The first minute: a folder, a stack that works as it stands, and nothing overwritten."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

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
    assert (empty.folder / ".gitignore").read_text() == "build/\n.lbstack/\nplan.json\n"
    again = empty("init")
    assert again.returncode == 0 and "+" not in again.stdout and "~" not in again.stdout


@pytest.mark.parametrize(
    ("folder", "another", "every"),
    [
        (".", "stacks/NAME", "stacks"),
        ("teeth", "teeth/NAME", "teeth"),
        ("stacks/teeth", "stacks/NAME", "stacks"),
    ],
)
def test_where_a_stack_exists_it_is_said_how_another_begins(
    empty: Cli, folder: str, another: str, every: str
) -> None:
    assert "another" not in empty("init", folder).stdout
    told = empty("init", folder).stdout
    assert (
        f"\nFor another stack: lbstack init {another}\nTo plan all of them: lbstack plan --all {every}\n"
        in told
    )
    assert empty("init", another.replace("NAME", "bones")).returncode == 0
    planned = empty("plan", "--all", every, "--sandbox", "--json")
    assert "bones" in [each["stack"] for each in json.loads(planned.stdout)], planned.stderr


def test_workflows_for_many_stacks_are_about_the_folder_that_they_lie_in(empty: Cli) -> None:
    made = empty("init", "our/labeling/teeth", "--ci", "github", "--many")
    assert made.returncode == 0 and "LBSTACK_STATE with {stack} in it (s3://…/{stack}.json," in made.stdout
    for place in PLACES["github"]:
        text = (empty.folder / place).read_text()
        flow = yaml.safe_load(text)
        (step,) = [step for step in flow["jobs"]["stacks"]["steps"] if step.get("id") == "list"]
        assert step["with"]["stack"] == "our/labeling" and "our/labeling/teeth" not in text
        paths = [on["paths"] for on in flow[True].values() if on and "paths" in on]
        assert all(each == ["our/labeling/**"] for each in paths) and (paths or "drift" in place)
    again = empty("init", "our/labeling/bones", "--ci", "github", "--many")
    assert again.stdout.count("exists, and is left as it is") == 3 and "about another" not in again.stdout
    again = empty("init", "our/labeling/bones", "--ci", "github")
    assert "about another" not in again.stdout, "those for many are about every stack"


def test_workflows_of_another_stack_are_told(empty: Cli) -> None:
    assert empty("init", "stacks", "--name", "teeth", "--ci", "github").returncode == 0
    told = empty("init", "stacks/bones", "--ci", "github").stdout
    command = "lbstack init stacks/bones --ci github --many"
    assert f"The workflows are about another stack. For all stacks: remove them, and run {command}\n" in told
    assert "about another" not in empty("init", "stacks", "--ci", "github").stdout
    for place in PLACES["github"]:
        (empty.folder / place).unlink()
    assert empty(*command.split()[1:]).returncode == 0
    text = (empty.folder / PLACES["github"][0]).read_text()
    assert "stack: stacks\n" in text and "fromJSON" in text


@pytest.mark.parametrize(
    "words", [["stacks/x"], ["stacks/x", "--ci", "gitlab"], ["x", "--ci", "github"], ["--ci", "github"]]
)
def test_many_needs_a_folder_that_stacks_lie_in(empty: Cli, words: list[str]) -> None:
    refused = empty("init", *words, "--many")
    assert refused.returncode == 64 and not list(empty.folder.iterdir())
    assert "--ci github" in refused.stderr


def test_a_folder_gives_the_name(empty: Cli) -> None:
    assert empty("init", "deep/My Teeth (2)").returncode == 0
    text = (empty.folder / "deep" / "My Teeth (2)" / "stack.yaml").read_text()
    assert "\nstack: My-Teeth-2\n" in text
    assert empty("validate", "deep/My Teeth (2)/stack.yaml").returncode == 0


@pytest.mark.parametrize("words", [["--name", "no good"], ["--name", "../x"], ["file"], ["--ci", "jenkins"]])
def test_what_cannot_be_is_wrong_usage(empty: Cli, words: list[str]) -> None:
    empty.write("", "file")
    assert empty("init", *words).returncode == 64
    assert not Path(empty.folder / "stack.yaml").exists()


def test_states_are_kept_out_of_git_wherever_the_stack_lies(empty: Cli) -> None:
    made = empty("init", "sub")
    command = re.search(r"Next: lbstack (.*)", made.stdout)
    assert command and empty(*command[1].split(), "--auto-approve").returncode == 0
    assert empty("plan", "sub/stack.yaml", "--sandbox", "--out", "plan.json").returncode == 0
    subprocess.run(["git", "init", "-q"], cwd=empty.folder, check=True)
    told = subprocess.run(
        ["git", "status", "--porcelain", "-uall"],
        cwd=empty.folder,
        check=True,
        capture_output=True,
        text=True,
    )
    assert sorted(line[3:] for line in told.stdout.splitlines()) == [
        ".gitignore", "sub/lbstack.schema.json", "sub/stack.yaml"
    ]  # fmt: skip


PLACES = {
    "github": [f".github/workflows/lbstack-{name}.yml" for name in ("apply", "drift", "plan")],
    "gitlab": [".gitlab-ci.yml", "templates/lbstack.yml"],
    "atlantis": ["atlantis.yaml", "repos.yaml"],
}


@pytest.mark.parametrize("service", PLACES)
def test_the_files_of_a_ci_service_are_about_the_stack(empty: Cli, service: str) -> None:
    made = empty("init", "stacks/teeth", "--ci", service)
    assert made.returncode == 0, made.stderr
    for place in PLACES[service]:
        assert f"+ {place}\n" in made.stdout
        text = (empty.folder / place).read_text()
        assert "labeling.yaml" not in text and list(yaml.safe_load_all(text))
    every = "".join((empty.folder / place).read_text() for place in PLACES[service])
    assert "stacks/teeth/stack.yaml" in every and (empty.folder / "stacks/teeth/stack.yaml").exists()
    assert "Next:" in made.stdout and made.stdout.rstrip().endswith(".")
    again = empty("init", "stacks/teeth", "--ci", service)
    assert again.returncode == 0 and "+" not in again.stdout


def test_what_is_merged_is_applied_whatever_the_branch_is_called(empty: Cli) -> None:
    subprocess.run(["git", "init", "-q", "-b", "trunk"], cwd=empty.folder, check=True)
    assert empty("init", "--ci", "github").returncode == 0
    text = (empty.folder / ".github/workflows/lbstack-apply.yml").read_text()
    assert yaml.safe_load(text)[True]["push"]["branches"] == ["trunk"]


@pytest.mark.parametrize("folder", ["a b", "../x", "/nowhere/x", "a#b", 'a"b'])
def test_ci_files_name_plain_paths_only(empty: Cli, folder: str) -> None:
    refused = empty("init", folder, "--ci", "github")
    assert refused.returncode == 64 and "run init at the root of the repository" in refused.stderr


@pytest.mark.slow
def test_an_installed_lbstack_has_the_files_of_ci_services(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(root)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("lbstack/ci_examples/")}
    beside = {f"lbstack/ci_examples/{path.relative_to(root / 'examples' / 'ci')}" for path in _files(root)}
    assert names == beside and "lbstack/stack/starter.yaml" in zipfile.ZipFile(wheel).namelist()


def _files(root: Path) -> list[Path]:
    return [path for path in (root / "examples" / "ci").rglob("*") if path.is_file()]
