"""Where states lie, and where they must not: a file a stack and endpoint, on a disk of this machine."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
import subprocess
import sys
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from lbstack.errors import StateError
from lbstack.state.files import read_own
from lbstack.state.snapshot import HEAD, decode

NETWORK = ("nfs", "cifs", "smb", "afpfs", "webdav", "davfs", "fuse.sshfs")
"""How the names of file systems begin whose locks other machines may not see, and whose writes may be lost
after they were acknowledged."""


def default_path(folder: Path, stack: str, endpoint: str) -> Path:
    """Where a stack's state lies: one file a stack and endpoint, so that two never meet."""
    url = urlsplit(endpoint)
    place = f"{url.netloc}{url.path.removesuffix('/graphql')}" if url.netloc else endpoint
    return folder / f"{stack}@{re.sub(r'[^A-Za-z0-9.-]+', '-', place).strip('-')}.json"


def states_of(folder: Path, organizations: Container[str]) -> Iterator[Path]:
    """The states in a folder that are pinned to some organizations, and all that lies beside them."""
    for path in sorted(folder.glob("*@*.json")):
        with suppress(OSError), path.open("rb") as file:
            found = re.search(r'"organization": "([^"]+)"', file.read(HEAD).decode(errors="replace"))
            if found and found[1] in organizations:
                yield from sorted(folder.glob(f"{glob.escape(path.name)}*"))


def recorded_beside(path: Path) -> dict[str, str]:
    """The ids that other states in the folder of a state record, and the stack of each."""
    found: dict[str, str] = {}
    for other in sorted(path.parent.glob("*.json")):
        if other.name != path.name:
            with suppress(OSError, StateError):
                state = decode(read_own(other) or b"", b"", str(other), "").state
                found |= {entry.id: state.stack for entry in state.resources.values() if entry.id}
    return found


def second_place(path: Path, environ: Mapping[str, str]) -> Path | None:
    """Where the twin of a state's journal lies: on another disk, if the user's own folder is on one. None
    stands for a place beside the state."""
    home = environ.get("XDG_STATE_HOME") or (environ["HOME"] + "/.local/state" if "HOME" in environ else "")
    folder = Path(home, "lbstack")
    if not home or not folder.is_absolute():
        return None
    there = next(each for each in folder.parents if each.exists())
    here = next(each for each in path.absolute().parents if each.exists())
    if there.stat().st_dev == here.stat().st_dev or not os.access(there, os.W_OK):
        return None
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return folder / f"{digest}-{path.name}.journal"


def require_safe(folder: Path, allow_network: bool = False) -> None:
    """Refuse a folder in which anybody may put another file in the place of ours, and one on a network's
    file system."""
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise StateError(
            f"{folder} may be written to by everybody, who could put another state there",
            f"chmod o-w {folder}",
        )
    if allow_network:
        return
    name = file_system(folder.resolve(), _mounts())
    if name.startswith(NETWORK):
        raise StateError(
            f"{folder} is on a file system of the network ({name}), where a lock may hold nobody off and"
            " what was written may be lost",
            "name a place on this machine with --state; or give --allow-nfs if one machine alone uses it",
        )


def file_system(folder: Path, mounts: str) -> str:
    """The name of the file system that a folder is on, by the mounts as Linux or macOS tell them."""
    best = ("", "")
    for line in mounts.splitlines():
        if " - " in line:  # Linux: … ROOT POINT OPTIONS … - NAME SOURCE …
            before, _, after = line.partition(" - ")
            point, name = _unescaped(before.split(" ")[4]), after.split(" ")[0]
        elif match := re.fullmatch(r".* on (/.*) \((\w+)[,)].*", line):  # macOS: SOURCE on POINT (NAME, …)
            point, name = match[1], match[2]
        else:
            continue
        # Of two mounts at one point the later covers the earlier.
        if folder.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, name)
    return best[1]


def _unescaped(point: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), point)


def _mounts() -> str:
    with suppress(OSError):
        if sys.platform == "darwin":
            return subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False).stdout
        return Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    return ""
