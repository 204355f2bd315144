"""Text of a plan on terminals wide and narrow, without colours, and where there is no terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

STACK = """\
stack: signs
datasets:
  signs: {name: "Street signs of a town with a very long name, which is longer than any terminal is wide", description: "One\\nTwo\\nThree"}
  lamps: {name: Lamps}
"""
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(cli: Cli, columns: int, *words: str, **env: str) -> str:
    """What a person sees whose terminal has so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "lbstack", *words],
        cwd=cli.folder, env={**cli.env, "TERM": "xterm-256color", **env}, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65536):
                seen += part
        except OSError:  # Linux ends a terminal whose last user left with EIO
            pass
        assert process.stderr
        told = process.stderr.read()
        assert process.wait() == 0, told
    os.close(ours)
    return seen.decode().replace("\r\n", "\n")


@pytest.fixture
def saved(cli: Cli) -> Cli:
    """A folder with a saved plan of everything that a text may show."""
    cli.write(STACK)
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    cli.write(STACK.replace("Two", "2").replace("  lamps: {name: Lamps}\n", "  new: {name: New}\n"))
    done = cli("plan", "--sandbox", "--allow-mass-change", "--out", "plan.json")
    assert done.returncode == 0, done.stderr
    return cli


def test_wide_and_narrow_terminals_get_the_same_lines(saved: Cli) -> None:
    piped = saved("show", "plan.json").stdout
    assert not ESCAPE.search(piped)
    for line in (
        "          - Two\n          + 2\n",
        "# no longer in the stack",
        "# (1 unchanged attribute hidden)",
    ):
        assert line in piped
    wide, narrow = (on_terminal(saved, columns, "show", "plan.json") for columns in (200, 30))
    assert wide == narrow
    assert ESCAPE.sub("", wide) == piped


def test_colours_say_what_signs_say(saved: Cli) -> None:
    seen = on_terminal(saved, 100, "show", "plan.json")
    assert re.search(r"\x1b\[32m\s+\+ dataset\.new will be created\x1b\[0m", seen)
    assert re.search(r"\x1b\[31m\s+- dataset\.lamps will be destroyed", seen)
    assert re.search(r"\x1b\[33m\s+~ dataset\.signs will be updated in place", seen)
    assert re.search(r"\x1b\[31m\s+- Two\x1b\[0m\n\x1b\[32m\s+\+ 2\x1b\[0m", seen)
    signs = {"32": "+", "31": "-", "33": "~"}
    for colour, text in re.findall(r"\x1b\[(3[123])m\s*(\S+)", seen):
        assert text == signs[colour]


@pytest.mark.parametrize(
    ("words", "env"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})], ids=str
)
def test_no_colours_where_none_are_wanted(saved: Cli, words: list[str], env: dict[str, str]) -> None:
    assert on_terminal(saved, 80, "show", "plan.json", *words, **env) == saved("show", "plan.json").stdout


def test_colours_in_a_log_where_they_are_demanded(saved: Cli, tmp_path: Path) -> None:
    seen = saved("show", "plan.json", env={"FORCE_COLOR": "1"}).stdout
    assert ESCAPE.search(seen)
    assert ESCAPE.sub("", seen) == saved("show", "plan.json").stdout
