"""Kept snapshots: beside a state lie the last ten of it, so that no damage is the end.

In ``PATH.kept/`` each is a file ``SERIAL.GENERATION.json`` with the same bytes as the state had. Of one
serial only the newest stays. The newest of all is a copy of the state itself: an older one in its place
would make things twice.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lbstack.errors import StateError
from lbstack.state.files import make_folder, read_own, remove, sync_folder, write_whole
from lbstack.state.snapshot import Snapshot, decode

KEEP = 10
NAMES = r"(\d+)\.(\d+)\.json"
_NAME = re.compile(NAMES)


@dataclass(frozen=True, slots=True)
class Kept:
    """One kept snapshot, by its name; what is in it is another matter."""

    path: Path
    serial: int
    generation: int

    def read(self) -> bytes:
        """Its bytes; none if it is gone."""
        return read_own(self.path) or b""

    def snapshot(self, key: bytes, cure: str = "take another one") -> Snapshot:
        """What is in it, checked. Raises `StateError`, with a way out, when it is damaged."""
        found = decode(self.read(), key, str(self.path), cure)
        if (found.state.serial, found.generation) != (self.serial, self.generation):
            raise StateError(f"{self.path} holds another snapshot than its name says", cure)
        return found


def kept(folder: Path) -> list[Kept]:
    """The kept snapshots, the newest first."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            if match := _NAME.fullmatch(path.name):
                found.append(Kept(path, int(match[1]), int(match[2])))
    return sorted(found, key=lambda each: each.generation, reverse=True)


def keep(folder: Path, raw: bytes, serial: int, generation: int) -> None:
    """Keep a snapshot, and let go of those that are too many, or that it takes the place of."""
    if not folder.exists():
        make_folder(folder)
        sync_folder(folder.parent)
    write_whole(folder / f"{serial}.{generation}.json", raw)
    serials: set[int] = set()
    for each in kept(folder):
        if each.serial in serials or len(serials) == KEEP:
            remove(each.path)
        serials.add(each.serial)
