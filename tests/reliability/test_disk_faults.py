"""A disk that fails at any call: nothing that was acknowledged is lost, the file is named, and it goes on.

The failure comes from outside, by strace's injection at the n-th call, once or from then on; or it is real:
a file system of memory that is full.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reliability import story
from tests.reliability.bench import APPLY, Bench, Moment, a_bench
from tests.reliability.converged import Rows, converged, living
from tests.reliability.killing import STRACE, Point, points, spread, traced
from tests.reliability.sizes import size

FILE_CALLS = ("openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "fallocate", "flock")
ERRORS: dict[str, tuple[str, ...]] = {
    "openat": ("EMFILE", "EROFS", "EIO"),
    "write": ("ENOSPC", "EDQUOT", "EIO", "EINTR"),
    "pwrite64": ("ENOSPC", "EDQUOT", "EIO", "EINTR"),
    "fsync": ("EIO", "ENOSPC"),
    "fdatasync": ("EIO", "ENOSPC"),
    "rename": ("EROFS", "EIO", "ENOSPC"),
    "unlink": ("EROFS", "EIO"),
    "fallocate": ("ENOSPC", "EDQUOT", "EROFS"),
    "flock": ("EINTR",),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with a_bench(tmp_path_factory.mktemp("disk")) as made:
        yield made


@pytest.fixture(scope="module")
def wanted(bench: Bench) -> tuple[Moment, Rows]:
    """The bench before the second apply, and what lives after it."""
    bench.done(*APPLY)
    bench.write(story.SECOND)
    before = bench.keep()
    bench.done(*APPLY)
    after = living(bench)
    bench.back(before)
    return before, after


def file_points(bench: Bench, log: Path) -> list[Point]:
    """The calls on the folder of the state; those on sockets are no matter of a disk."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if f"{bench.folder}" in line]
    calls = {match[1] for line in lines if (match := re.match(r"\d+ +(\w+)\(", line))}
    return [point for point in points(bench, log) if point.call in calls & {*FILE_CALLS}]


def trials(found: list[Point], most: int, lasting: bool) -> list[tuple[Point, str]]:
    """So many of the calls, each with one error that it may end in, all errors in turn. What was only
    interrupted is tried again by whoever is asked: that does not last."""
    every = [(p, error) for p in found for error in ERRORS[p.call] if not (lasting and error == "EINTR")]
    chosen = {*spread(range(len(every)), most)}  # type: ignore[type-var, arg-type]
    return [each for number, each in enumerate(every) if number in chosen]


@pytest.mark.reliability
@pytest.mark.skipif(not STRACE, reason="calls are made to fail with strace")
@pytest.mark.parametrize(
    "lasting", [False, pytest.param(True, marks=pytest.mark.nightly)], ids=["once", "from then on"]
)
def test_disk_faults(
    bench: Bench, wanted: tuple[Moment, Rows], lasting: bool, report: Callable[..., None]
) -> None:
    before, after = wanted
    if lasting and size(True, False):
        pytest.skip("lasting failures are for the full run")
    bench.back(before)
    child, log = traced(bench, APPLY)
    assert child.code == 0
    tried = trials(file_points(bench, log), size(24, 100_000), lasting)
    wrong, failed = [], 0
    named = (str(bench.folder), "stack.yaml:")  # as it was given
    for point, error in tried:
        bench.back(before)
        when = f"{point.n}+" if lasting else str(point.n)
        child, _ = traced(bench, APPLY, f"{point.call}:error={error}:when={when}")
        told = child.result()
        failed += child.code != 0
        mute = lasting and point.call == "write"  # what nobody can write, nobody can say
        if child.code != 0 and not mute and not any(path in told.stdout + told.stderr for path in named):
            wrong.append((point, error, f"names no path: {told.stderr[-300:]}"))
        if child.code not in (0, 1, 4, 7):
            wrong.append((point, error, f"exit {child.code}: {told.stderr[-300:]}"))
        again = bench.command(*APPLY)
        if again.returncode != 0:
            wrong.append((point, error, f"does not go on: {again.stderr[-300:]}"))
        else:
            wrong += [(point, error, line[:300]) for line in converged(bench, after)]
    report(
        name=f"disk_faults[{'lasting' if lasting else 'once'}]", n=len(tried), failed=failed, wrong=len(wrong)
    )
    assert not wrong, "\n".join(map(str, wrong))


SCRIPT = """\
mount -t tmpfs -o size="$1" none "$2" || exit 99
cp -r "$3/." "$2"; shift 3
"$@" --state "$0/state.json"; echo "$?" > "$0.code"
mount -o remount,size=64m none "$0" && "$@" --state "$0/state.json"; echo "$?" > "$0.again"
cp -r "$0/." "$0.copy"
"""


@pytest.mark.reliability
@pytest.mark.skipif(not shutil.which("unshare"), reason="a disk of one's own is made with unshare")
def test_a_full_disk(bench: Bench, wanted: tuple[Moment, Rows], report: Callable[..., None]) -> None:
    """Disks of all sizes, from one that takes nothing to one that takes all: a real end of the room."""
    before, after = wanted
    sizes = spread(range(64, 1024, 32), size(6, 30))  # type: ignore[type-var, arg-type]
    wrong, failed = [], 0
    for kib in sizes:
        bench.back(before)
        disk = bench.children.folder / "disk"
        shutil.rmtree(disk, ignore_errors=True)
        shutil.rmtree(f"{disk}.copy", ignore_errors=True)
        disk.mkdir()
        Path(f"{disk}.copy").mkdir()
        lbstack = [sys.executable, "-m", "lbstack", *APPLY]
        words = ["unshare", "-Urm", "sh", "-c", SCRIPT.replace("$0", str(disk)), "sh", f"{kib}k", str(disk)]
        done = subprocess.run(
            [*words, str(bench.folder), *lbstack],
            cwd=bench.folder,
            env=bench.env,
            capture_output=True,
            text=True,
        )
        if done.returncode == 99 or "unshare" in done.stderr:
            pytest.skip(f"no disk of one's own here: {done.stderr.strip()}")
        code, again = (int(Path(f"{disk}.{name}").read_text()) for name in ("code", "again"))
        failed += code != 0
        if code != 0 and str(disk) not in done.stdout + done.stderr:
            wrong.append((kib, f"names no path: {done.stderr[-300:]}"))
        if again != 0:
            wrong.append((kib, f"does not go on: {done.stderr[-300:]}"))
        for source in list(Path(f"{disk}.copy").iterdir()):
            target = bench.folder / source.name
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
            shutil.move(source, target)
        assert json.loads(bench.state.read_bytes())["format"] == 2
        wrong += [(kib, line[:300]) for line in converged(bench, after)]
    report(n=len(sizes), failed=failed, wrong=len(wrong))
    assert failed and failed < len(sizes)
    assert wrong == []
