"""A file that shells start as ``lbstack``, and whose commands the nursery bears: it hands over its words, its
environment, its folder and its open files, waits, and ends as the command did. Where an interpreter would begin
otherwise with that environment than the nursery did, it becomes ``python -m lbstack`` itself."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.nursery import Nursery

ROOT = Path(__file__).parents[1]
SECONDS = 300.0
"""How long a command may take."""
OTHERWISE = b"otherwise"

CALLER = f"""\
import _socket, os, sys
place, *words = sys.argv[1:]
told = [os.getcwdb(), b"%d" % len(words), *map(os.fsencode, words)]
told += [name + b"=" + value for name, value in os.environb.items()]
data = b"\\0".join(told)
door = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
door.connect(place)
files = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
door.sendmsg([len(data).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
door.sendall(data)
answer = b""
while more := door.recv(64):
    answer += more
if answer == {OTHERWISE!r}:
    os.environ["PYTHONPATH"] = {str(ROOT)!r}
    os.execv(sys.executable, [sys.executable, "-m", "lbstack", *words])
os._exit(int(answer) % 256)
"""
"""What such a file does: little enough to take no longer than a shell."""


@contextmanager
def doorway(nursery: Nursery) -> Iterator[Path]:
    """Such a file, as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{folder}/door")  # not below the folder of a test, whose name may be too long for one
        door.listen()
        threading.Thread(target=_open, args=(door, nursery), daemon=True).start()
        (Path(folder) / "caller.py").write_text(CALLER)
        command = Path(folder) / "lbstack"
        words = [sys.executable, "-IS", f"{folder}/caller.py", f"{folder}/door"]
        command.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        command.chmod(0o755)
        yield command
        with suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)


def _open(door: socket.socket, nursery: Nursery) -> None:
    """Let in whoever calls, each in its own time."""
    with suppress(OSError):
        while True:
            caller, _ = door.accept()
            threading.Thread(target=_serve, args=(caller, nursery), daemon=True).start()


def _serve(caller: socket.socket, nursery: Nursery) -> None:
    with caller:
        head, files, _, _ = socket.recv_fds(caller, 8, 3)
        stdin, out, err = files
        try:
            with caller.makefile("rb") as stream:
                folder, count, *told = stream.read(int.from_bytes(head, "big")).split(b"\0")
            words, lines = told[: int(count)], told[int(count) :]
            env = dict(os.fsdecode(line).split("=", 1) for line in lines)
            if nursery.starts_otherwise(env):
                caller.sendall(OTHERWISE)
                return
            where = Path(os.fsdecode(folder))
            child = nursery.start([*map(os.fsdecode, words)], where, env, out=out, err=err, stdin=stdin)
        finally:
            for file in files:
                os.close(file)
        caller.sendall(b"%d" % child.wait(SECONDS))
