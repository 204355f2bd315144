"""The action and the kits under ``examples/ci``: valid, pinned, of least rights, and nothing in their shell that
somebody else could have written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lbstack.cli.main import group
from lbstack.version import __version__
from tests.forge.runner import ROOT, loaded
from tests.nursery import bare

KITS = ROOT / "examples" / "ci"
WORKFLOWS = sorted((KITS / "github").rglob("*.yml"))
ACTION = ROOT / "action.yml"
COMPONENT = KITS / "gitlab" / "templates" / "lbstack.yml"
TOOLS = Path(sys.executable).parent


def tool(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / name, *words], capture_output=True, text=True, timeout=120)


def schema(kind: str, *files: Path) -> str:
    done = tool("check-jsonschema", "--builtin-schema", f"vendor.{kind}", *map(str, files))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_action_and_the_workflows_are_as_github_wants_them(tmp_path: Path) -> None:
    assert not schema("github-actions", ACTION)
    assert not schema("github-workflows", *WORKFLOWS)
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "runs-at:"))
    assert schema("github-workflows", wrong)


def component(**inputs: str) -> dict[str, Any]:
    """The component as GitLab reads it: its header, and the rest with the inputs put in."""
    header, rest = COMPONENT.read_text().split("\n---\n")
    told = yaml.safe_load(header)["spec"]["inputs"]
    assert inputs.keys() <= told.keys()
    given = {name: inputs.get(name, what["default"]) for name, what in told.items()}
    filled = re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda found: given[found[1]], rest)
    assert "$[[" not in filled
    found: dict[str, Any] = yaml.safe_load(filled)
    return found


def test_the_component_is_as_gitlab_wants_it(tmp_path: Path) -> None:
    header = yaml.safe_load(COMPONENT.read_text().split("\n---\n")[0])
    assert header.keys() == {"spec"} and all(
        what["description"] for what in header["spec"]["inputs"].values()
    )
    path = tmp_path / "component.yml"
    path.write_text(yaml.safe_dump(component(job="teeth", stack="stacks/teeth.yaml")))
    using = KITS / "gitlab" / ".gitlab-ci.yml"
    assert not schema("gitlab-ci", path, using)
    inputs = yaml.safe_load(using.read_text())["include"][0]["inputs"]
    assert inputs.keys() <= header["spec"]["inputs"].keys()
    path.write_text(path.read_text().replace("script:", "scripts:"))
    assert schema("gitlab-ci", path)


def zizmor(*files: Path) -> str:
    config = str(KITS / "zizmor.yml")
    words = ("--offline", "--no-progress", "--persona", "pedantic", "--format", "plain", "--config", config)
    done = tool("zizmor", *words, *map(str, files))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_nothing_is_found_by_an_auditor(tmp_path: Path) -> None:
    assert not zizmor(ACTION, *WORKFLOWS)


@pytest.mark.parametrize(
    ("was", "planted", "found"),
    [
        ("  pull_request:\n", "  pull_request_target:\n", "dangerous-triggers"),
        ("persist-credentials: false\n", "fetch-depth: 1\n", "artipacked"),
        ("@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "@v6", "unpinned-uses"),
        ("permissions: {}\n", "permissions: write-all\n", "excessive-permissions"),
        (
            'run: test "$CHANGES" = false',
            "run: echo ${{ github.event.pull_request.title }}",
            "template-injection",
        ),
    ],
)
def test_what_an_auditor_would_find_is_found(tmp_path: Path, was: str, planted: str, found: str) -> None:
    text = (KITS / "github" / "plan.yml").read_text()
    assert was in text
    path = tmp_path / "plan.yml"
    path.write_text(text.replace(was, planted))
    assert found in zizmor(path)


def steps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    jobs = document.get("jobs", {"": document.get("runs")})
    return [step for job in jobs.values() for step in job["steps"]]


def called(path: Path) -> str:
    return "/".join(path.parts[-2:])


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=called)
def test_no_expression_stands_in_shell_and_all_is_pinned(path: Path) -> None:
    for step in steps_of(loaded(path)):
        assert "${{" not in step.get("run", "")
        if "uses" in step:
            name, _, pin = step["uses"].partition("@")
            assert re.fullmatch(r"[0-9a-f]{40}", pin) or (name, pin) == ("lbstack/lbstack", f"v{__version__}")
    for line in path.read_text().splitlines():
        if "uses: actions/" in line:
            assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_an_action_of_others_is_pinned_to_one_commit_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in (ACTION, *WORKFLOWS):
        for name, pin in re.findall(r"uses: (actions/[\w-]+)@(.+)", path.read_text()):
            pins.setdefault(name, set()).add(pin)
    assert pins and all(len(found) == 1 for found in pins.values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=called)
def test_a_workflow_has_the_least_rights_and_no_twin(path: Path) -> None:
    document = loaded(path)
    assert document["permissions"] == {} and "pull_request_target" not in document["on"]
    assert document["concurrency"]["cancel-in-progress"] is (path.name == "plan.yml")
    for name, job in document["jobs"].items():
        rights = {name for name, level in job["permissions"].items() if level == "write"}
        assert (
            rights <= {"plan.yml": {"pull-requests"}, "drift.yml": {"issues"}, "apply.yml": set()}[path.name]
        )
        assert job["timeout-minutes"]
        if name in ("sandbox", "stacks"):
            assert "secrets." not in str(job) and "environment" not in job and not rights
        else:
            assert name == path.stem and job["environment"]


MANY = [path for path in WORKFLOWS if path.parent.name == "many"]


@pytest.mark.parametrize("path", MANY, ids=called)
def test_of_many_stacks_each_has_its_own_job_which_stops_no_other(path: Path) -> None:
    document = loaded(path)
    jobs = document["jobs"]
    assert "stacks" in jobs and path.stem in jobs
    for name, job in jobs.items():
        if name == "stacks":
            continue
        assert job["needs"] == "stacks" and "${{ matrix.stack }}" in job["name"]
        strategy = job["strategy"]
        assert strategy["fail-fast"] is False
        for step in job["steps"]:
            # Requests of all jobs at once, within what the service allows to one key.
            if "LABELBOX_API_KEY" in step.get("env", {}):
                assert strategy["max-parallel"] * int(step["env"]["LBSTACK_RATE"]) <= 1200
    if path.stem == "apply":
        # A push that waits and is replaced would never be applied; two jobs of one stack never meet.
        assert "github.sha" in document["concurrency"]["group"]
        assert jobs["apply"]["concurrency"] == {
            "group": "lbstack-apply-${{ matrix.stack }}",
            "cancel-in-progress": False,
        }


def test_the_kits_for_many_stacks_are_those_for_one() -> None:
    assert (
        [path.name for path in MANY]
        == [path.name for path in WORKFLOWS if path.parent.name == "github"]
        != []
    )


def test_what_the_action_is_given_reaches_shell_through_the_environment() -> None:
    action = loaded(ACTION)
    for step in steps_of(action):
        # A folder is where a step runs; all other inputs are values of variables, and quoted there.
        for line in step.get("run", "").splitlines():
            for name in step.get("env", {}):
                bare = re.sub(r'"[^"]*"', "", line)
                if f"${name}" in bare:
                    assert re.fullmatch(r"\s*(case \$[A-Z]+ in|\w+=\S*)", bare), line
    used = set(re.findall(r"inputs\.([\w-]+)", ACTION.read_text()))
    assert used == set(action["inputs"])
    assert all(told["description"] for told in (*action["inputs"].values(), *action["outputs"].values()))


def test_workflows_give_the_action_inputs_that_it_has() -> None:
    inputs = loaded(ACTION)["inputs"]
    for path in WORKFLOWS:
        for step in steps_of(loaded(path)):
            if step.get("uses", "").startswith("lbstack/"):
                assert step["with"].keys() <= inputs.keys()
                assert {name for name, told in inputs.items() if told.get("required")} <= step["with"].keys()


def commands(text: str) -> list[list[str]]:
    """The commands of lbstack in a text of shell."""
    found = re.findall(
        r'(?:^|[\s(])(?:lbstack|"\$LBSTACK") ((?:[a-z][\w-]*)(?: [^\n|&;)]*)?)', text, re.MULTILINE
    )
    return [line.replace('"', "").split() for line in found]


@pytest.mark.parametrize(
    "path", [ACTION, COMPONENT, *sorted((KITS / "atlantis").iterdir())], ids=lambda p: p.name
)
def test_every_command_and_option_of_a_kit_exists(path: Path) -> None:
    import click

    text = "\n".join(
        line
        for line in path.read_text().replace("\\\n", " ").splitlines()
        if not line.lstrip().startswith(("#", "description"))
    )
    for words in commands(text):
        command = group.get_command(click.Context(group), words[0])
        if command is None:
            assert path == ACTION and words[0] not in ("plan", "apply", "drift", "ci"), words
            continue
        if isinstance(command, click.Group):
            command = command.commands[words[1]]
        known = {opt for param in command.params for opt in param.opts}
        assert {word for word in words if word.startswith("--") and word != "--"} <= known, words


def test_the_hook_of_pre_commit_validates(tmp_path: Path, command: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {"id", "name", "entry", "language"} <= hook.keys() and hook["language"] == "python"
    assert hook["pass_filenames"] is False
    (tmp_path / "stack.yaml").write_text("stack: signs\ndatasets: {a: {nam: x}}\n")

    def run() -> subprocess.CompletedProcess[str]:
        words = hook["entry"].split()
        assert words[0] == "lbstack"
        return subprocess.run([command, *words[1:]], cwd=tmp_path, capture_output=True, text=True, env=bare())

    assert run().returncode == 1
    (tmp_path / "stack.yaml").write_text("stack: signs\ndatasets: {a: {name: x}}\n")
    assert run().returncode == 0
