"""Everything that is printed passes one sink, which hides what is secret, however it is written."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbstack import redaction
from lbstack.cli.sink import Sink
from lbstack.redaction import HIDDEN
from tests.cli.conftest import Cli

CANARY = "canary-7f3a9-tooth/+é"
OTHER = "ary-7f3a9-another-one"
TEXT = f"begin {CANARY} mid canary-7f3a9 {OTHER}{CANARY}\nend {CANARY[:9]}"


@pytest.fixture(autouse=True)
def _two_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_SPELLINGS", {})
    monkeypatch.setattr(redaction, "_PATTERNS", {})
    redaction.know(CANARY)
    redaction.know(OTHER)


def through(pieces: list[bytes], encoding: str = "utf-8") -> bytes:
    below = io.BytesIO()
    sink = Sink(below, encoding)
    for piece in pieces:
        assert sink.write(piece) == len(piece)
        sink.flush()
    sink.finish()
    return below.getvalue()


@given(st.lists(st.integers(0, len(TEXT.encode()))))
def test_a_secret_is_found_in_whatever_pieces_it_comes(cuts: list[int]) -> None:
    data = TEXT.encode()
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    told = through(pieces).decode()
    assert told == f"begin {HIDDEN} mid canary-7f3a9 {HIDDEN}{HIDDEN}\nend {HIDDEN}"


@given(st.lists(st.binary(max_size=12)))
def test_what_is_not_secret_passes_byte_by_byte(pieces: list[bytes]) -> None:
    assert through(pieces) == b"".join(pieces)


def test_a_line_is_never_kept_back() -> None:
    below = io.BytesIO()
    sink = Sink(below, "utf-8")
    sink.write(b"one\n")
    assert below.getvalue() == b"one\n"


def test_an_old_encoding_hides_nothing_less() -> None:
    for encoding in ("ascii", "latin-1", "utf-8"):
        data = f"a {CANARY} b".encode(encoding, "backslashreplace")
        assert through([data], encoding) == f"a {HIDDEN} b".encode()


NAUGHTY = f"""\
import sys, warnings, logging, threading, click
import lbstack.cli.show as show
from lbstack.values import Secret
def told(*_, **__):
    canary = Secret({CANARY!r}).reveal()
    print(canary)
    click.echo(canary, err=True)
    sys.stdout.buffer.write(canary.encode())
    sys.stderr.write(canary[:9]); sys.stderr.flush(); sys.stderr.write(canary[9:])
    warnings.warn(canary)
    logging.basicConfig(level=logging.DEBUG)
    logging.debug(canary)
    logging.getLogger("gql.transport.httpx").debug(canary)
    thread = threading.Thread(target=lambda: 1 / 0 if canary else 0, name=canary)
    thread.start(); thread.join()
    raise ValueError(canary)
show.command.callback = told
from lbstack.cli.main import run
code = run(["show"])
print("after", {CANARY!r})
raise SystemExit(code)
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_nothing_that_prints_can_forget_the_sink(debug: str) -> None:
    env = {**os.environ, "LBSTACK_DEBUG": debug, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", NAUGHTY], capture_output=True, env=env)
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 1
    assert told.count(HIDDEN) >= 8
    assert "canary-7f3a9" not in told.replace(repr(CANARY), "")
    assert ("Traceback" in told.split("ZeroDivisionError")[-1]) == bool(debug)


def test_the_sandbox_shows_what_is_its_own_even_where_the_environment_calls_it_secret(cli: Cli) -> None:
    made = cli("sandbox", "key", "create", "--role", "Admin")
    assert made.returncode == 0, made.stderr
    listed = cli("sandbox", "key", "list")
    id = json.loads(listed.stdout)[0]["id"]
    assert cli("sandbox", "key", "list", env={"LABELBOX_API_KEY": id}).stdout == listed.stdout


def test_json_with_a_secret_in_it_stays_json(cli: Cli) -> None:
    cli.write(f"stack: a\ndatasets:\n  a: {{name: 'x {CANARY}'}}\n")
    done = cli("plan", "--sandbox", "--json", env={"STATE_PASSWORD": CANARY})
    assert done.returncode == 0, done.stderr
    after = json.loads(done.stdout)["resource_changes"][0]["change"]["after"]
    assert after["name"] == f"x {HIDDEN}"
