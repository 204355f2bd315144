"""Kill a command at the n-th call it makes of the system, from outside: strace's injection.

The kill comes on entry of the call, so what the call would have done is not done. Counted are calls
that touch the folder of the state, or the network; those of a run that nobody disturbs say which there are.
Between two calls with an effect (on a file's bytes or name, or on whoever is at the other end of a socket)
all kills leave the same behind, so that one of them stands for all: what is in the page cache outlives the
process, whether it was synced or not (`test_power_cuts` is about what does not outlive the machine).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.bench import Bench
from tests.reliability.children import Child
from tests.reliability.conftest import Report
from tests.reliability.sizes import size
from tests.reliability.stages import Stage

STRACE = shutil.which("strace")

needs_strace = pytest.mark.skipif(STRACE is None, reason="there is no strace here")

CALLS = (
    "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,ftruncate,"
    "fallocate,flock,fcntl,connect,sendto,sendmsg,recvfrom,recvmsg"
)
"""What touches the state, the lock, the journal and the sockets."""

EFFECTS = {
    "write", "pwrite64", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat",
    "ftruncate", "fallocate", "sendto", "sendmsg",
}  # fmt: skip
"""After these something is otherwise, for whoever comes next; likewise after a file was made."""

_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_PATIENCE = 20.0


@dataclass(frozen=True, order=True)
class Point:
    """The n-th `call` that a thread of the command makes."""

    call: str
    n: int


def traced(bench: Bench, words: Sequence[str], inject: str = "") -> tuple[Child, Path]:
    """Carry a command out under strace; returns the ended child and the file with its calls."""
    assert STRACE
    child = bench.start(*words, held=True)
    log = bench.children.folder / "calls"
    command = [STRACE, "-f", "-y", "-qq", "-o", str(log), "-e", f"trace={CALLS}", "-p", str(child.pid)]
    tracer = subprocess.Popen([*command, *(["-e", f"inject={inject}"] if inject else [])])
    try:
        _until_traced(child.pid)
        os.kill(child.pid, signal.SIGCONT)
        child.wait()
    finally:
        if child.code is None:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        tracer.wait(_PATIENCE)
    return child, log


def _until_traced(pid: int) -> None:
    ends = time.monotonic() + _PATIENCE
    while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < ends, "strace does not take hold of the command"
        time.sleep(0.002)


def where_to_kill(bench: Bench, stage: Stage) -> tuple[list[Point], int]:
    """The points at which a run of each commit kills a stage's command (nightly: all), and how many there
    are in all."""
    bench.back(stage.start)
    child, log = traced(bench, stage.words)
    assert child.code == 0, child.result()
    return points(bench, log, each=size(False, True)), len(points(bench, log))


def points(bench: Bench, log: Path, *, each: bool = True) -> list[Point]:
    """The calls in a trace that touch the state or the network, in the order they were made; unless `each`
    is asked for, only the first after every effect."""
    counted: Counter[tuple[str, str]] = Counter()
    found: dict[Point, None] = {}
    fresh = True
    for line in log.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if match is None or "resumed>" in line:
            continue
        thread, call, rest = match.groups()
        counted[thread, call] += 1
        if _touches(rest, str(bench.folder)):
            if fresh or each:
                found[Point(call, counted[thread, call])] = None
            fresh = call in EFFECTS or (call == "openat" and "O_CREAT" in rest)
    return list(found)


def _touches(rest: str, folder: str) -> bool:
    """Whether a call is about a file of the folder or a socket, by what it is told."""
    given = rest.replace(f"AT_FDCWD<{folder}>", "")
    return folder in given or "<socket:" in given or "<TCP" in given or "AF_INET" in given


def kill_at(bench: Bench, words: Sequence[str], point: Point) -> bool:
    """Carry a command out as far as a point; says whether it got there (the calls of two runs differ)."""
    child, _ = traced(bench, words, f"{point.call}:signal=KILL:when={point.n}")
    assert child.code in (0, -signal.SIGKILL, *range(1, 8)), child.result()
    return child.code == -signal.SIGKILL


def kill_and_judge(
    bench: Bench,
    stage: Stage,
    judged: Callable[[], list[str]],
    report: Report,
    name: str,
    most: int,
    stack: str = "",
) -> None:
    """Kill a stage's command after so many of its effects (nightly: at every call), of another stack if one is
    given, and hold that what comes next, which tells what is wrong then, makes good of each."""

    def begin() -> None:
        bench.back(stage.start)
        if stack:
            bench.write(stack)

    begin()
    child, log = traced(bench, stage.words)
    assert child.code == 0, child.result()
    every = points(bench, log, each=size(False, True))
    chosen, killed, wrong = spread(every, size(most, len(every))), 0, list[str]()
    for point in chosen:
        begin()
        killed += kill_at(bench, stage.words, point)
        wrong += [f"{point}: {what}" for what in judged()]
    report(name=name, n=len(chosen), of=len(every), killed=killed, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)
    assert killed >= 0.8 * len(chosen)


def kill_unanswered(bench: Bench, words: Sequence[str], nth: int = 1, op: str = "*") -> None:
    """Let the n-th mutation of a command (of an operation) commit, and kill who waits for its answer."""
    bench.fault("after_commit", {"barrier": "unanswered"}, type="mutation", nth=nth, op=op)
    child = bench.start(*words)
    assert bench.reached("unanswered")
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    bench.behave()


def spread(found: Sequence[Point], most: int) -> list[Point]:
    """So many of the points, evenly from the first to the last."""
    if len(found) <= most:
        return list(found)
    return [found[round(i * (len(found) - 1) / (most - 1))] for i in range(most)]
