"""Every way to end, by its exit code; a message on stderr, never a traceback, and nothing sent."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from lbstack.render.json import plan_schema
from lbstack.state.store import Store
from tests.cli.conftest import STACK, Cli


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["frobnicate"], 64, "No such command"),
        (["plan", "--bogus"], 64, "No such option"),
        (["plan", "nowhere.yaml"], 64, "nowhere.yaml"),
        (["plan", "--sandbox", "--parallelism", "0"], 64, "parallelism"),
        (["plan", "--sandbox", "--var", "novalue"], 64, "NAME=VALUE"),
        (["plan", "--sandbox", "--target", "nodot"], 64, "KIND.KEY"),
        (["plan", "--sandbox", "--target", "dataset.none"], 1, "dataset.none"),
        (["plan", "--sandbox", "--var", "nope=1"], 1, "nope"),
        (["plan", "--sandbox", "--lock-timeout", "soon"], 64, "duration"),
        (["apply", "--sandbox"], 1, "--auto-approve"),
        (["plan"], 6, "LABELBOX_API_KEY"),
        (["plan", "--endpoint", "http://example.com/graphql"], 64, "https"),
        (["plan", "--endpoint", "nonsense"], 64, "GraphQL URL"),
        (["plan", "--endpoint", "https://example.com/graphql?token=k"], 64, "LABELBOX_API_KEY"),
        (["plan", "--endpoint", "https://me:word@example.com/graphql"], 64, "user name"),
        (["plan", "--sandbox", "--state", "stack.yaml/state.json"], 1, "stack.yaml"),
        (["output", ".", "missing", "--sandbox"], 1, "missing"),
        (["state", "show", "dataset.none", "--sandbox"], 1, "dataset.none"),
        (["sandbox", "aws", "put-role", "not-an-arn"], 64, "ARN"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_words(cli: Cli, words: list[str], code: int, message: str) -> None:
    done = cli(*words)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_wrong_key_is_6(served: Cli) -> None:
    done = served("plan", env={"LABELBOX_API_KEY": "wrong"})
    assert done.returncode == 6
    assert "API key" in done.stderr


def test_an_unreachable_service_is_1(cli: Cli) -> None:
    done = cli("plan", "--endpoint", "http://127.0.0.1:9/graphql", env={"LABELBOX_API_KEY": "k"})
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr


def test_problems_of_a_stack_are_1_and_all_told(cli: Cli) -> None:
    cli.write("stack: signs\ndatasets:\n  a: {nam: x}\n  b: {name: B, integration: none}\n")
    done = cli("validate")
    assert done.returncode == 1
    assert "stack.yaml:3:" in done.stderr
    assert "did you mean" in done.stderr
    told = json.loads(cli("validate", "--json").stdout)
    assert told["valid"] is False
    assert told["diagnostics"][0]["range"]["start"]["line"] == 3


BROKEN = "stack: signs\ndatasets:\n  a: {nam: x}\n"
COMMANDS = (("plan",), ("drift",), ("apply", "--auto-approve"), ("destroy", "--auto-approve"))


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("stack", "more", "code", "told"),
    [
        (BROKEN, (), 1, "stack.yaml:3:"),
        (STACK, (), 6, "LABELBOX_API_KEY"),
        (STACK, ("--endpoint", "http://127.0.0.1:9/graphql"), 1, "cannot be reached"),
    ],
    ids=["broken stack", "no key", "nobody there"],
)
def test_no_program_takes_an_error_for_a_document(
    cli: Cli, words: tuple[str, ...], stack: str, more: tuple[str, ...], code: int, told: str
) -> None:
    cli.write(stack)
    key = {"LABELBOX_API_KEY": "a-key-of-sixteen"} if more else {}
    done = cli(*words, "--json", *more, env=key)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr


def test_a_refused_plan_is_a_document_all_the_same(cli: Cli) -> None:
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    cli.write("stack: signs\n")
    done = cli("plan", "--sandbox", "--json")
    assert done.returncode == 5
    document = json.loads(done.stdout)
    jsonschema.validate(document, plan_schema())
    assert document["refusals"] and not document["applyable"]


def test_a_locked_state_is_3(cli: Cli) -> None:
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    with Store(cli.folder / ".lbstack" / "signs@sandbox.json", "signs", "sandbox").locked():
        done = cli("apply", "--sandbox", "--auto-approve")
    assert done.returncode == 3
    assert "locked" in done.stderr


def test_a_protected_resource_is_5(cli: Cli) -> None:
    protected = STACK.replace("description: Photos", "lifecycle: {prevent_destroy: true}")
    cli.write(protected)
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    assert cli("destroy", "--sandbox", "--auto-approve").returncode == 5
    cli.write("stack: signs\n")
    done = cli("apply", "--sandbox", "--auto-approve")
    assert done.returncode == 5
    assert "dataset.signs" in done.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_damaged_state_is_7(cli: Cli, content: str) -> None:
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    (cli.folder / ".lbstack" / "signs@sandbox.json").write_text(content)
    done = cli("plan", "--sandbox")
    assert done.returncode == 7
    assert "Traceback" not in done.stderr


def test_a_state_of_another_workspace_is_7(served: Cli) -> None:
    assert served("apply", "--auto-approve").returncode == 0
    (state,) = (served.folder / ".lbstack").glob("*.json")
    done = served("plan", "--sandbox", "--state", str(state))
    assert done.returncode == 7


def test_a_secret_is_nowhere(cli: Cli) -> None:
    cli.write(
        "stack: signs\nvariables:\n  s: {secret: true}\nwebhooks:\n"
        "  w: {url: 'https://a.example.com', topics: [LABEL_CREATED], secret: '${var.s}'}\n"
    )
    secret = "hunter2-the-canary"
    env = {"LBSTACK_VAR_s": secret}
    outputs = [
        cli("plan", "--sandbox", env=env),
        cli("plan", "--sandbox", "--json", env=env),
        cli("plan", "--sandbox", "--out", "plan.json", env=env),
        cli("apply", "--sandbox", "--auto-approve", env=env),
        cli("show", "--sandbox", "--json"),
    ]
    assert [done.returncode for done in outputs] == [0] * 5, outputs
    assert all(secret not in done.stdout + done.stderr for done in outputs)
    files = [
        path for path in cli.folder.rglob("*") if path.is_file() and not path.name.startswith("sandbox.db")
    ]
    assert all(secret.encode() not in path.read_bytes() for path in files)
    assert cli("plan", "--sandbox", "--detailed-exitcode", env=env).returncode == 0
    changed = cli("plan", "--sandbox", "--detailed-exitcode", env={"LBSTACK_VAR_s": "another-secret-value"})
    assert changed.returncode == 2
    assert "(sensitive value)" in changed.stdout
    assert cli("plan", "--sandbox").returncode == 1


def on_a_terminal(cli: Cli, answer: bytes, *words: str) -> tuple[int, str]:
    """Run the command on a pseudo terminal and type an answer to its prompt."""
    parent, child = pty.openpty()
    os.write(parent, answer)
    try:
        done = cli(*words, stdin=child)
    finally:
        os.close(child)
        os.close(parent)
    return done.returncode, done.stdout + done.stderr


def test_only_yes_counts(cli: Cli) -> None:
    code, text = on_a_terminal(cli, b"y\n", "apply", "--sandbox")
    assert code == 1
    assert "cancelled" in text
    code, text = on_a_terminal(cli, b"yes\n", "apply", "--sandbox")
    assert code == 0, text
    assert "Apply complete!" in text


def test_an_interrupt_ends_with_130_and_state_is_whole(served: Cli) -> None:
    many = "\n".join(f"  d{n}: {{name: D{n}}}" for n in range(200))
    served.write(f"stack: signs\ndatasets:\n{many}\n")
    words = ("apply", "--auto-approve", "--parallelism", "2")
    with served.nursery.saying(words, served.folder, served.env) as (child, told):
        for line in told:
            if "Creation complete" in line:
                child.signal(signal.SIGINT)
                break
        rest = told.read()
        assert child.wait(60) == 130, rest
    assert "Apply stopped" in rest
    again = served("apply", "--auto-approve")
    assert again.returncode == 0, again.stderr
    assert served("plan", "--detailed-exitcode").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("words", [("plan",), ("apply", "--auto-approve"), ("validate", "nowhere")])
def test_a_full_disk_behind_the_output_is_1_or_what_else_is_wrong(cli: Cli, words: tuple[str, ...]) -> None:
    """Not the interpreter's own 120, and what was to be done is done."""
    with Path("/dev/full").open("w") as full:
        command = [
            sys.executable,
            "-m",
            "lbstack",
            *words,
            *(["--sandbox"] if words[0] != "validate" else []),
        ]
        done = subprocess.run(command, cwd=cli.folder, env=cli.env, stdout=full, stderr=full, timeout=60)
    assert done.returncode == (64 if words[0] == "validate" else 1)
    if words[0] == "apply":
        assert cli("plan", "--sandbox", "--detailed-exitcode").returncode == 0
