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
        (
            ["plan", "--sandbox", "--endpoint", "https://api.labelbox.com/graphql"],
            64,
            "--sandbox and --endpoint exclude",
        ),
        (
            ["plan", "--sandbox", "--state", "."],
            64,
            "--state . is a folder; name a file in it, as signs@sandbox.json",
        ),
        (
            ["state", "list", "--sandbox", "--state", "there/"],
            64,
            "name a file in it, as there/signs@sandbox.json",
        ),
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


def test_the_sandbox_goes_before_an_endpoint_of_the_environment(cli: Cli) -> None:
    done = cli("plan", "--sandbox", env={"LABELBOX_ENDPOINT": "https://api.labelbox.com/graphql"})
    assert (done.returncode, done.stderr) == (0, "")
    done = cli("plan", "--sandbox", env={"LBSTACK_STATE": "."})
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "Error: LBSTACK_STATE=. is a folder; name a file in it, as signs@sandbox.json\n"


def test_a_folder_where_a_state_should_be_is_named(cli: Cli) -> None:
    state = cli.folder / ".lbstack" / "signs@sandbox.json"
    state.mkdir(parents=True)
    done = cli("plan", "--sandbox")
    assert done.returncode == 7
    assert done.stderr.startswith("Error: .lbstack/signs@sandbox.json is no regular file; ")


def test_json_that_is_no_stack_is_told_for_what_it_is(cli: Cli) -> None:
    cli.write('{"a": 1}', "e.json")
    for words in (["show", "e.json"], ["plan", "e.json", "--sandbox"], ["validate", "e.json"]):
        done = cli(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            "Error: e.json is neither a stack nor a saved plan; name a YAML file, a folder of such, or what plan"
            " --out has made\n"
        )
    assert cli("plan", "--sandbox", "--out", "p.json").returncode == 0
    done = cli("plan", "p.json", "--sandbox")
    assert "p.json is a saved plan, and no stack" in done.stderr
    assert done.stderr.endswith(": lbstack apply p.json --sandbox\n")
    assert cli("apply", "--sandbox", "--auto-approve", "--state", "st.json").returncode == 0
    done = cli("show", "st.json")
    assert (
        done.stderr == "Error: st.json is a state, and no stack; name the stack, and give --state st.json\n"
    )
    cli.write('{"stack": "s", "datasets": {"a": {"nam": "A"}}}', "s.json")
    done = cli("validate", "s.json")
    assert done.stderr.startswith("s.json:1:")  # a stack in JSON is a stack
