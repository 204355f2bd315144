"""What is allowed and yet unwise is said, on stderr, without the secret that it is about."""

from __future__ import annotations

import json

from tests.cli.conftest import Cli

STACK = """\
stack: signs
variables: {s: {secret: true}}
webhooks:
  w: {url: 'https://a.example.com', topics: [LABEL_CREATED], secret: '${var.s}'}
"""
GIVEN = "Warning: stack.yaml:2:13: secret variable 's' is given with --var, which all processes of this machine see"
WEAK = "Warning: stack.yaml:4:70: webhook.w: its secret is shorter than 16 bytes, which can be guessed"


def test_a_secret_on_the_command_line_is_warned_of_and_used(cli: Cli) -> None:
    cli.write(STACK)
    done = cli("plan", "--sandbox", "--var", "s=canary-of-enough-bytes")
    assert done.returncode == 0
    assert done.stderr == f"{GIVEN}; set LBSTACK_VAR_s\n"


def test_a_short_secret_is_warned_of(cli: Cli) -> None:
    cli.write(STACK)
    for command in ("plan", "apply"):
        more = ["--auto-approve"] if command == "apply" else []
        done = cli(command, "--sandbox", *more, env={"LBSTACK_VAR_s": "fifteen-bytes-x"})
        assert (done.returncode, done.stderr) == (0, WEAK + "\n")
    assert cli("plan", "--sandbox", env={"LBSTACK_VAR_s": "sixteen-bytes-xy"}).stderr == ""


def test_validate_counts_warnings(cli: Cli) -> None:
    cli.write(STACK)
    done = cli("validate", "--json", "--var", "s=short-one")
    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["valid"] is True
    assert (told["error_count"], told["warning_count"]) == (0, 2)
    assert {each["severity"] for each in told["diagnostics"]} == {"warning"}
    assert "short-one" not in done.stdout + done.stderr


def test_a_value_without_its_name_is_not_repeated(cli: Cli) -> None:
    done = cli("plan", "--sandbox", "--var", "canary-without-a-name")
    assert done.returncode == 64
    assert done.stderr == "Error: a --var is not of the form NAME=VALUE\n"


def test_a_secret_in_plain_words_is_warned_of_and_not_shown(cli: Cli) -> None:
    cli.write(STACK.replace("'${var.s}'", "canary-of-enough-bytes"))
    for words in (("validate",), ("plan", "--sandbox"), ("apply", "--sandbox", "--auto-approve")):
        done = cli(*words, env={"LBSTACK_VAR_s": "another-of-enough-bytes"})
        assert done.returncode == 0, done.stderr
        assert done.stderr == (
            "Warning: stack.yaml:4:70: webhook.w: its secret stands in the stack in plain words; declare a variable"
            " with secret: true, write ${var.NAME} here, and set LBSTACK_VAR_NAME\n"
        )
        assert "canary" not in done.stdout
    cli.write(STACK.replace("{secret: true}", "{}"))
    done = cli("plan", "--sandbox", env={"LBSTACK_VAR_s": "canary-of-enough-bytes"})
    assert "webhook.w: its secret comes from a variable that is not secret; " in done.stderr
    assert "canary" not in done.stdout + done.stderr
