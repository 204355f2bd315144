"""A command of the nursery is what one is that a shell starts."""

from __future__ import annotations

import shlex
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, whole


@pytest.mark.parametrize("words", ["plan --sandbox", "validate nowhere.yaml"])
def test_it_says_and_ends_as_a_process_that_starts_from_nothing(cli: Cli, words: str) -> None:
    born = cli(*words.split())
    started = whole(*words.split(), cwd=cli.folder, env=cli.env)
    assert (born.returncode, born.stdout, born.stderr) == (started.returncode, started.stdout, started.stderr)


def test_it_knows_nothing_of_those_before_it_nor_of_who_runs_the_tests(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.write("stack: a\nvariables: {name: {}}\ndatasets: {d: {name: '${var.name}'}}\n")
    monkeypatch.setenv("LBSTACK_VAR_name", "of-the-tests")
    assert cli("plan", "--sandbox").returncode == 1
    told = cli("plan", "--sandbox", env={"LBSTACK_VAR_name": "of-the-first"})
    assert '"of-the-first"' in told.stdout
    assert "LBSTACK_VAR_name" in cli("plan", "--sandbox").stderr


def test_an_environment_that_the_interpreter_looks_at_starts_one(cli: Cli) -> None:
    env = {**cli.env, "PYTHONIOENCODING": "ascii"}
    assert cli.nursery.starts_otherwise(env)
    with pytest.raises(AssertionError), tempfile.TemporaryFile() as out:
        cli.nursery.start(["plan"], cli.folder, env, out=out.fileno(), err=out.fileno())
    assert not cli.nursery.starts_otherwise({**cli.env, "LABELBOX_API_KEY": "key"})


def test_how_it_was_ended_is_told_as_of_a_process(cli: Cli) -> None:
    with tempfile.TemporaryFile() as out:
        start = cli.nursery.start
        child = start(["plan"], cli.folder, cli.env, out=out.fileno(), err=out.fileno(), held=True)
        with pytest.raises(AssertionError, match="did not end"):
            child.wait(0.01)
        assert child.wait() == -signal.SIGKILL


@pytest.mark.parametrize("otherwise", [{}, {"PYTHONIOENCODING": "ascii"}], ids=["born", "started"])
def test_a_shell_starts_one_with_its_own_words_files_folder_and_environment(
    cli: Cli, command: Path, otherwise: dict[str, str]
) -> None:
    cli.write("stack: a\nvariables: {name: {}}\ndatasets: {d: {name: '${var.name}'}}\n", "a stack.yaml")
    lbstack = shlex.quote(str(command))
    script = f"{lbstack} plan --sandbox --detailed-exitcode 'a stack.yaml' 2>&1 >plan.txt; echo $?; {lbstack} nothing"
    env = {**cli.env, **otherwise, "LBSTACK_VAR_name": "of the shell"}
    done = subprocess.run(["sh", "-c", script], cwd=cli.folder, env=env, capture_output=True, text=True)
    assert done.stdout == "2\n" and done.returncode == 64 and "nothing" in done.stderr
    assert '"of the shell"' in (cli.folder / "plan.txt").read_text()
