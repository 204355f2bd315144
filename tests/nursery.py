"""Processes of the real command that begin with its modules loaded: a command costs a fork, not an import.

Run as a program this is the nursery: it has read all of lbstack, and nothing else has happened in it.
For each request on its socket, a line of JSON that comes with open files, it forks a child, which takes
the files for its standard streams, the folder, and the environment in the place of its own, and then calls
what ``python -m lbstack`` calls. A child that is to be `held` waits for a signal (CONT) before it does
anything, so that a debugger can take hold of it.

What a process does before lbstack begins (modules beside it, streams that are closed, encodings) is not
seen here: commands that are about that are started whole, and so is what ``starts_otherwise``.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

LATE = (
    "anyio._backends._asyncio", "ctypes", "deepdiff", "h11", "httpcore2", "jinja2", "pickle", "queue", "resource",
    "truststore",
)  # fmt: skip
"""What lbstack, or what it leans on, reads only when it is needed: of a command, most of its time."""

KEPT = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "HOME", "LANG", "TMPDIR")
"""What a command of the tests has of the environment of whoever runs them."""


def bare() -> dict[str, str]:
    """The environment of a command that was told nothing."""
    return {name: os.environ[name] for name in KEPT if name in os.environ}


@dataclass
class Child:
    """One command at work; `wait` tells its exit code as `subprocess` does (negative: a signal).

    `gone` is the end of a pipe whose other end the child alone holds: it is at its end when the child is.
    """

    nursery: Nursery
    pid: int
    gone: int
    code: int | None = None

    def wait(self, seconds: float | None = None) -> int:
        """Wait for its end; one that does not come in time is made, and is an error."""
        if self.code is None:
            ready, _, _ = select.select([self.gone], [], [], seconds)
            if not ready:
                self.signal(signal.SIGKILL)
            self.code = int(self.nursery.ask(wait=self.pid)["code"])
            os.close(self.gone)
            assert ready, f"the command did not end within {seconds} seconds"
        return self.code

    def signal(self, number: int) -> None:
        """Send it a signal; it cannot be another's, for nobody has asked how it ended."""
        if self.code is None:
            os.kill(self.pid, number)


@dataclass
class Nursery:
    """The parent of commands, in a process of its own.

    One whose commands need no `sandbox` has not read it; one with a `shim` has read that module, which
    changes what its children see of the system.
    """

    sandbox: bool = True
    shim: str = ""
    environ: Mapping[str, str] = field(default_factory=bare)

    def __post_init__(self) -> None:
        self._one = threading.Lock()
        self._ours, theirs = socket.socketpair()
        with theirs:
            told = [str(theirs.fileno()), str(int(self.sandbox)), *([self.shim] if self.shim else [])]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.nursery", *told],
                cwd=Path(__file__).parents[1],
                env={**self.environ, "OPENBLAS_NUM_THREADS": "1"},  # a fork takes no threads with it
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # an interrupt of the tests is not for it: it ends when they do
            )
        self._answers = self._ours.makefile("rb")

    def ask(self, *files: int, **request: Any) -> dict[str, Any]:
        """Make a request that comes with some open files."""
        data = json.dumps(request).encode() + b"\n"
        with self._one:
            sent = socket.send_fds(self._ours, [data], list(files))
            self._ours.sendall(data[sent:])
            answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer

    def start(
        self,
        words: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        out: int,
        err: int,
        stdin: int | None = None,
        held: bool = False,
    ) -> Child:
        """Begin a command line, with open files for its streams; nobody answers it if there is no `stdin`."""
        assert not self.starts_otherwise(env)
        gone, alive = os.pipe()
        nobody = os.open(os.devnull, os.O_RDONLY)
        try:
            request = {"words": list(words), "cwd": str(cwd), "env": dict(env), "held": held}
            files = (nobody if stdin is None else stdin, out, err, alive)
            return Child(self, int(self.ask(*files, **request)["pid"]), gone)
        finally:
            os.close(alive)
            os.close(nobody)

    def run(
        self,
        words: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        stdin: int | None = None,
        seconds: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Carry a command line out to its end."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = self.start(words, cwd, env, out=out.fileno(), err=err.fileno(), stdin=stdin)
            code = child.wait(seconds)
            return subprocess.CompletedProcess(list(words), code, _all(out), _all(err))

    @contextmanager
    def saying(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str], *, apart: bool = False
    ) -> Iterator[tuple[Child, IO[str]]]:
        """A command at work, and what it says, as it comes: on both streams, or on one, and nobody reads the
        other. It is ended at the end, if it still works then."""
        out, end = os.pipe()
        nobody = os.open(os.devnull, os.O_WRONLY)
        with os.fdopen(out) as told:
            try:
                child = self.start(words, cwd, env, out=end, err=nobody if apart else end)
            finally:
                os.close(end)
                os.close(nobody)
            try:
                yield child, told
            finally:
                child.signal(signal.SIGTERM)
                child.wait(30)

    def starts_otherwise(self, env: Mapping[str, str]) -> bool:
        """Whether an interpreter would begin otherwise with this environment than the nursery did."""
        return _at_start(env) != _at_start(self.environ)

    def close(self) -> None:
        self._answers.close()
        self._ours.close()
        self.process.wait(30)


def _all(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    """What the interpreter and the libraries below it look at before lbstack begins."""
    names = ("PYTHON", "LANG", "LC_", "LD_", "DYLD_", "MALLOC_", "GLIBC_", "OPENSSL_")
    return {
        name: value
        for name, value in env.items()
        if name.startswith(names) and name != "PYTHONDONTWRITEBYTECODE"
    }


# -- the other side -------------------------------------------------------------------------------


def _load(sandbox: bool) -> None:
    """Read every module of lbstack, and all that these need."""
    import lbstack

    left = ("lbstack.__main__", *(() if sandbox else ("lbstack.sandbox",)))
    for module in pkgutil.walk_packages(lbstack.__path__, "lbstack."):
        if not module.name.startswith(left):
            importlib.import_module(module.name)
    for name in LATE:
        importlib.import_module(name)
    from pydantic import BaseModel

    models = [BaseModel]
    for model in models:  # their validators are built by the first use, too
        if model.__module__.startswith("lbstack."):
            model.model_rebuild(raise_errors=False)
        models += model.__subclasses__()
    if sandbox:
        importlib.import_module("lbstack.sandbox.schema").the_schema()
        app = importlib.import_module("lbstack.sandbox.app").create_app()  # its tables, and its routes
        app.state.sandbox.store.close()


def _be_born(request: dict[str, Any], files: Sequence[int]) -> int:
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
    time.tzset()
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
        os.close(file)
    _open_streams()
    sys.argv = ["lbstack", *request["words"]]
    from lbstack.cli.main import run

    return run(request["words"])


def _open_streams() -> None:
    """The standard streams, as an interpreter opens them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        was = getattr(sys, name)
        stream = open(  # noqa: SIM115
            number,
            "w" if number else "r",
            encoding=was.encoding,
            errors=was.errors,
            buffering=1 if number == 2 else -1,
            closefd=False,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _leave(code: int) -> None:
    """End as an interpreter does, without taking down what the nursery has loaded."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        code = code or 120
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)


def _answer(ours: socket.socket, request: dict[str, Any], files: Sequence[int]) -> dict[str, Any]:
    if "wait" in request:
        _, status = os.waitpid(request["wait"], 0)
        return {"code": os.waitstatus_to_exitcode(status)}
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            _leave(_be_born(request, files))
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(70)
    for file in files:
        os.close(file)
    return {"pid": pid}


def main() -> None:
    """Answer requests until there are no more."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})
    ours = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(ours.fileno(), False)
    _load(sandbox=sys.argv[2] == "1")
    for shim in sys.argv[3:]:
        importlib.import_module(shim)
    gc.collect()
    gc.freeze()  # what is here stays, and the children need not look at it
    kept, files = b"", list[int]()
    while True:
        data, more, _, _ = socket.recv_fds(ours, 1 << 16, 4)
        if not data:
            return
        kept, files = kept + data, files + more
        if kept.endswith(b"\n"):
            ours.sendall(json.dumps(_answer(ours, json.loads(kept), files)).encode() + b"\n")
            kept, files = b"", []


if __name__ == "__main__":
    main()
