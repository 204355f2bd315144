"""Commands of a bench: children of a nursery, each with files for what it says."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import nursery
from tests.nursery import Nursery


@dataclass
class Child:
    """One command at work, and the files with what it says."""

    process: nursery.Child
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def code(self) -> int | None:
        """How it ended, once somebody has waited for that."""
        return self.process.code

    def wait(self) -> int:
        return self.process.wait()

    def told(self, words: str, seconds: float = 20.0) -> None:
        """Wait until the command has said something to its error output."""
        ends = time.monotonic() + seconds
        while words not in self.err.read_text():
            assert time.monotonic() < ends, f"never said {words!r}"
            time.sleep(0.005)

    def result(self) -> subprocess.CompletedProcess[str]:
        code = self.wait()
        return subprocess.CompletedProcess([], code, self.out.read_text(), self.err.read_text())


class Children:
    """Begins commands; the files of the last eight are in a folder, and of those that have a name."""

    def __init__(self, folder: Path, shim: str = "") -> None:
        self.folder = folder
        self.count = 0
        self._nursery = Nursery(sandbox=False, shim=shim)

    def start(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str], *, held: bool = False, name: str = ""
    ) -> Child:
        self.count += 1
        paths = [self.folder / f"{name or self.count % 8}.{end}" for end in ("out", "err")]
        out, err = (os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for path in paths)
        try:
            return Child(self._nursery.start(words, cwd, env, out=out, err=err, held=held), *paths)
        finally:
            os.close(out)
            os.close(err)

    def close(self) -> None:
        self._nursery.close()
