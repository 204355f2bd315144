"""Every way to tell the command to stop, and how it ends: in order, or by the signal itself."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.conftest import Cli

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MANY = "\n".join(f"  d{n}: {{name: D{n}}}" for n in range(200))
APPLY = ("apply", "--auto-approve", "--parallelism", "2")


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A service that lets everybody in and answers nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@contextmanager
def waiting(cli: Cli, silent: socket.socket, stderr: int) -> Iterator[subprocess.Popen[bytes]]:
    """A plan that waits for an answer."""
    words = ("plan", "--endpoint", f"http://127.0.0.1:{silent.getsockname()[1]}/graphql")
    process = subprocess.Popen(
        [sys.executable, "-m", "lbstack", *words],
        cwd=cli.folder,
        env={**cli.env, "LABELBOX_API_KEY": "a-key-of-sixteen"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        preexec_fn=_listen,
    )
    try:
        with silent.accept()[0] as sock:
            assert sock.recv(1)
            yield process
    finally:
        process.kill()
        process.wait()


def _listen() -> None:
    """Whoever runs the tests may ignore these signals, and what is ignored is inherited."""
    for name in SIGNALS:
        signal.signal(name, signal.SIG_DFL)


@pytest.mark.parametrize("number", SIGNALS)
def test_before_an_apply_begins_it_ends_at_once(cli: Cli, silent: socket.socket, number: int) -> None:
    with waiting(cli, silent, subprocess.PIPE) as process:
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert errors.strip() == (b"Interrupted." if number == signal.SIGINT else b"")


@pytest.mark.skipif(sys.platform != "linux", reason="how full a pipe is, only Linux can be told")
def test_ctrl_c_again_while_it_says_so_is_130_all_the_same(cli: Cli, silent: socket.socket) -> None:
    """Its stderr takes one byte more, so that it stands still in the middle of what it says."""
    read, write = os.pipe()
    room = fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.write(write, b"." * (room - 1))
    with waiting(cli, silent, write) as process:
        os.close(write)
        process.send_signal(signal.SIGINT)
        while _within(read) < room:
            assert process.poll() is None
        time.sleep(0.3)  # by now it says the rest
        process.send_signal(signal.SIGINT)
        told = b"".join(iter(lambda: os.read(read, 4096), b""))
        os.close(read)
        assert process.wait(60) == 130, told
    assert told.lstrip(b".") == b"\nInterrupted.\n"


def _within(pipe: int) -> int:
    """How many bytes nobody has read yet."""
    size = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(size, sys.byteorder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_apply_stops_in_order(served: Cli, number: signal.Signals) -> None:
    served.write(f"stack: signs\ndatasets:\n{MANY}\n")
    with served.nursery.saying(APPLY, served.folder, served.env) as (child, told):
        for line in told:
            if "Creation complete" in line:
                child.signal(number)
                break
        rest = told.read()
        assert child.wait(60) == 130, rest
    assert "Apply stopped" in rest
    assert served("apply", "--auto-approve").returncode == 0
    assert served("plan", "--detailed-exitcode").returncode == 0


def test_a_terminal_that_goes_stops_an_apply_in_order(served: Cli) -> None:
    served.write(f"stack: signs\ndatasets:\n{MANY}\n")
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "lbstack", *APPLY],
        cwd=served.folder,
        env=served.env,
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
        preexec_fn=_on_its_terminal,
    )
    os.close(child)
    told = b""
    try:
        while b"Creation complete" not in told:
            told += os.read(parent, 4096)
        os.close(parent)  # the system sends SIGHUP
        assert process.wait(60) == 130
    finally:
        process.kill()
    again = served("apply", "--auto-approve")
    assert again.returncode == 0, again.stderr
    assert "Apply complete! Resources: 0 imported, 200 added" not in again.stdout
    assert served("plan", "--detailed-exitcode").returncode == 0


def _on_its_terminal() -> None:
    _listen()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
