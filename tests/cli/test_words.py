"""Small words on the command line that a reader stumbles over when they are wrong."""

from __future__ import annotations

import pytest

from tests.cli.conftest import STACK, Cli
from tests.cli.test_exit_codes import on_a_terminal


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["plan", "--sandbox", "--out", "."], 64, "--out . is a folder"),
        (["plan", "--sandbox", "--out", "stack.yaml"], 64, "exists and is no saved plan"),
        (["output", ".", "--raw", "--sandbox"], 64, "--raw prints one output"),
        (["state", "rm", "stack.yaml", "--sandbox"], 64, "write the address first: ADDRESS stack.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_words(cli: Cli, words: list[str], code: int, message: str) -> None:
    done = cli(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert (cli.folder / "stack.yaml").read_text() == STACK


def test_right_words(cli: Cli) -> None:
    assert cli("validate").stdout == "The stack is valid: 1 resource.\n"
    assert cli("graph", "--sandbox").returncode == 0
    assert cli("plan", "--sandbox", "--out", "p.json").returncode == 0
    assert cli("plan", "--sandbox", "--out", "p.json").returncode == 0


def test_an_unanswered_prompt_changes_nothing_and_says_so(cli: Cli) -> None:
    code, text = on_a_terminal(cli, b"\x04", "apply", "--sandbox")
    assert code == 1
    assert "Enter a value: \nApply cancelled. Nothing was changed." in text.replace("\r", "")
    assert text.count("Plan: 1 to add") == 2  # below the plan, and again where it is agreed to
    code, text = on_a_terminal(cli, b"no\n", "apply", "--sandbox")
    assert "Nothing was changed." in text


def test_a_teardown_needs_no_values(cli: Cli) -> None:
    cli.write(
        STACK
        + "variables:\n  s: {secret: true}\nwebhooks:\n  w: {url: 'https://a.example.com', topics: [LABEL_CREATED], secret: '${var.s}'}\n"
    )
    assert cli("apply", "--sandbox", "--auto-approve", env={"LBSTACK_VAR_s": "hunter2secret"}).returncode == 0
    planned = cli("plan", "--destroy", "--sandbox")
    assert planned.stdout.endswith("Plan: 0 to add, 0 to change, 2 to destroy.\n"), planned.stderr
    assert cli("destroy", "--sandbox", "--auto-approve").returncode == 0


def test_a_value_of_the_wrong_type_names_its_variable_and_its_file(cli: Cli) -> None:
    cli.write(
        "stack: s\nvariables: {n: {}, m: {default: []}}\nprojects:\n  a: {name: '${var.n}', media_type: IMAGE}\n  b: {name: '${var.m}', media_type: IMAGE}\n"
    )
    cli.write("n:\n  - 1\n", "values.yaml")
    done = cli("plan", "--sandbox", "--var-file", "values.yaml")
    assert done.returncode == 1
    assert "it is the value of variable 'n', given at values.yaml:" in done.stderr
    assert "it is the value of variable 'm', its default" in done.stderr


def test_an_unknown_key_is_told_beside_those_that_there_are(cli: Cli) -> None:
    cli.write("stack: s\ndatasets:\n  a: {name: A, xyzzy: 1}\n")
    assert "there are name, description, integration, lifecycle, previously" in cli("validate").stderr
