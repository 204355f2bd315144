"""Processes of the real command that begin with its modules loaded: a trial costs a fork, not an import.

Run as a program this is the nursery: it has read all of lbstack, and nothing else has happened in it.
For each request on its input, a line of JSON, it forks a child, which takes the folder, the environment
and the files it is given and then calls what ``python -m lbstack`` calls. A child that is to be `held`
waits for a signal (CONT) before it does anything, so that a debugger can take hold of it.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Child:
    """One command at work; `wait` tells its exit code as `subprocess` does (negative: a signal)."""

    nursery: Nursery
    pid: int
    out: Path
    err: Path
    code: int | None = None

    def wait(self) -> int:
        if self.code is None:
            self.code = int(self.nursery.ask(wait=self.pid)["code"])
        return self.code

    def told(self, words: str, seconds: float = 20.0) -> None:
        """Wait until the command has said something to its error output."""
        ends = time.monotonic() + seconds
        while words not in self.err.read_text():
            assert time.monotonic() < ends, f"never said {words!r}"
            time.sleep(0.005)

    def result(self) -> subprocess.CompletedProcess[str]:
        code = self.wait()
        return subprocess.CompletedProcess([], code, self.out.read_text(), self.err.read_text())


class Nursery:
    """The parent of commands, in a process of its own."""

    def __init__(self, folder: Path, shim: str = "") -> None:
        self.folder = folder
        self.count = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.nursery", *([shim] if shim else [])],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def start(self, words: Sequence[str], cwd: Path, env: Mapping[str, str], *, held: bool = False) -> Child:
        self.count += 1
        out, err = self.folder / f"{self.count % 8}.out", self.folder / f"{self.count % 8}.err"
        request = {"words": list(words), "cwd": str(cwd), "env": dict(env), "held": held}
        pid = self.ask(**request, out=str(out), err=str(err))["pid"]
        return Child(self, int(pid), out, err)

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)


# -- the other side -------------------------------------------------------------------------------


def _load() -> None:
    """Read every module of the command; the sandbox is no part of it."""
    import lbstack

    for module in pkgutil.walk_packages(lbstack.__path__, "lbstack."):
        if not module.name.startswith(("lbstack.sandbox", "lbstack.__main__")):
            importlib.import_module(module.name)


def _be_born(request: dict[str, Any]) -> int:
    """Become the command, in a child."""
    if request["held"]:
        signal.sigwait({signal.SIGCONT})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCONT})
    os.setsid()
    # Whoever runs the tests may ignore these, and what is ignored is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path in ((1, request["out"]), (2, request["err"])):
        os.dup2(os.open(path, flags, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    from lbstack.cli.main import run

    return run(request["words"])


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    if "wait" in request:
        _, status = os.waitpid(request["wait"], 0)
        return {"code": os.waitstatus_to_exitcode(status)}
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            code = _be_born(request)
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    return {"pid": pid}


def main() -> None:
    """Answer requests until there are no more."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    _load()
    if sys.argv[1:]:
        importlib.import_module(sys.argv[1])
    for line in requests:
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
