"""What a disk may hold after the power went, by the calls that a command made: a weak file system.

`record` carries a command out under strace and keeps every call that changed a folder. `Disk` replays
them. What it guarantees is little: what was written to a file is there once that file was synced, a name
once its folder was; names appear in the order in which they were made. Of all else each part may be
missing, there, cut off in the middle, or there as zeros only.
"""

from __future__ import annotations

import codecs
import itertools
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.reliability.bench import Bench
from tests.reliability.killing import STRACE, _until_traced

CALLS = (
    "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,fallocate,"
    "mkdir,mkdirat"
)
WAYS = ("missing", "there", "cut", "zeros", "hole", "gap")
"""What may have become of writes that were not waited for: none is there, or all; the last is cut off in the
middle; all is zeros; the last begins with zeros; all but the last are zeros."""


@dataclass(frozen=True)
class Call:
    """One call that succeeded: its name, the paths it is about, what was written and where."""

    name: str
    path: str
    to: str = ""
    data: bytes = b""
    at: int | None = None
    made: bool = False


def record(bench: Bench, words: Sequence[str]) -> list[Call]:
    """The calls of a command that changed what is in the folder of the state."""
    assert STRACE
    child = bench.start(*words, held=True)
    log = bench.children.folder / "all-calls"
    command = [STRACE, "-f", "-y", "-qq", "-s", "4000000", "-o", str(log), "-e", f"trace={CALLS}"]
    tracer = subprocess.Popen([*command, "-p", str(child.pid)])
    _until_traced(child.pid)
    os.kill(child.pid, signal.SIGCONT)
    assert child.wait() == 0, child.result()
    tracer.wait(30)
    return list(parse(log.read_text(), str(bench.folder)))


_DONE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_BEGUN = re.compile(r"(\d+) +(\w+\(.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_OPEN = re.compile(r"\w+<([^>]*)>")


def parse(log: str, folder: str) -> Iterator[Call]:
    """The calls in a trace that succeeded and are about a folder."""
    begun: dict[str, str] = {}
    for line in log.splitlines():
        if match := _BEGUN.match(line):
            begun[match[1]] = match[2]
            continue
        if (match := _RESUMED.match(line)) and match[1] in begun:
            line = f"{match[1]} {begun.pop(match[1])}{match[2]}"
        found = _DONE.match(line)
        if found and int(found[4]) >= 0:
            call = _call(found[2], found[3], int(found[4]), folder)
            if (call is not None and call.path.startswith(f"{folder}/")) or (
                call is not None and call.path == folder and "sync" in call.name
            ):
                yield call


def _call(name: str, told: str, result: int, folder: str) -> Call | None:
    texts = [codecs.escape_decode(each.encode())[0] for each in _TEXT.findall(told)]
    handle = _OPEN.match(told)
    paths = [_placed(text, folder) for text in texts] if name not in ("write", "pwrite64") else []
    match name:
        case "openat":
            if "O_CREAT" not in told and "O_TRUNC" not in told:
                return None
            return Call("truncate" if "O_TRUNC" in told else "open", paths[0], made="O_CREAT" in told)
        case "write" | "pwrite64":
            assert handle
            at = int(told.rsplit(", ", 1)[1]) if name == "pwrite64" else None
            return Call("write", handle[1], data=bytes(texts[0])[:result], at=at)
        case "fsync" | "fdatasync":
            assert handle
            return Call("sync", handle[1])
        case "ftruncate" | "fallocate":
            assert handle
            numbers = [int(number) for number in told.split(", ")[1:]]
            return Call(name, handle[1], at=sum(numbers[-2:]) if name == "fallocate" else numbers[0])
        case "rename" | "renameat" | "renameat2":
            return Call("rename", paths[0], paths[1])
        case "unlink" | "unlinkat":
            return Call("unlink", paths[0])
        case _:
            return Call("mkdir", paths[0])


def _placed(text: bytes, folder: str) -> str:
    return os.path.normpath(f"{folder}/{os.fsdecode(text)}" if text[:1] != b"/" else os.fsdecode(text))


@dataclass
class File:
    """What surely is in a file, and what was done to it since it was synced."""

    synced: bytes = b""
    later: list[tuple[int, bytes]] = field(default_factory=list)
    length: int = 0
    """The end of what was written, for those who write without saying where."""

    def as_is(self, way: str) -> bytes:
        """What may be in it after the power went."""
        if not self.later:
            return self.synced
        data = bytearray(self.synced)
        for number, (at, part) in enumerate(self.later):
            last, half = number == len(self.later) - 1, len(part) // 2
            match way:
                case "missing":
                    continue
                case "cut" if last:
                    part = part[:half]
                case "hole" if last:
                    part = bytes(half) + part[half:]
                case "zeros":
                    part = bytes(len(part))
                case "gap" if not last:
                    part = bytes(len(part))
            data.extend(bytes(max(0, at + len(part) - len(data))))
            data[at : at + len(part)] = part
        return bytes(data)


@dataclass
class Disk:
    """A folder on a disk, with what of it is not yet certain."""

    root: Path
    names: dict[str, File] = field(default_factory=dict)
    """What surely is there, by path; folders are not files, and are made as they are needed."""
    now: dict[str, File] = field(default_factory=dict)
    later: list[Call] = field(default_factory=list)
    made: dict[int, File] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path, content: Mapping[str, bytes]) -> Disk:
        """A disk that surely holds these files."""
        found = {path: File(data) for path, data in content.items()}
        return cls(root, dict(found), dict(found))

    def do(self, call: Call) -> None:
        """Carry a call out."""
        file = self.now.get(call.path)
        match call.name:
            case "open" | "truncate" if file is None:
                self.now[call.path] = File()
                self._name(call)
            case "truncate" if file is not None:
                file.synced, file.later, file.length = b"", [], 0
            case "write" if file is not None:
                at = file.length if call.at is None else call.at
                file.later.append((at, call.data))
                file.length = max(file.length, at + len(call.data)) if call.at is None else file.length
            case "fallocate" | "ftruncate" if file is not None:
                size = len(file.as_is("there"))
                if call.at is not None and call.at > size:
                    file.later.append((size, bytes(call.at - size)))
            case "sync" if file is not None:
                file.synced, file.later = file.as_is("there"), []
            case "sync":
                self._sync_folder(call.path)
            case "rename":
                self.now[call.to] = self.now.pop(call.path)
                self._name(call)
            case "unlink":
                self.now.pop(call.path, None)
                self._name(call)

    def _name(self, call: Call) -> None:
        self.later.append(call)
        if call.name in ("open", "truncate"):
            self.made[id(call)] = self.now[call.path]

    def _sync_folder(self, path: str) -> None:
        kept = [call for call in self.later if str(Path(call.path).parent) != path]
        for call in self.later:
            if call not in kept:
                self._apply(self.names, call)
        self.later = kept

    def _apply(self, names: dict[str, File], call: Call) -> None:
        if call.name == "rename":
            if call.path in names:
                names[call.to] = names.pop(call.path)
        elif call.name == "unlink":
            names.pop(call.path, None)
        else:
            names[call.path] = self.made[id(call)]

    def crashed(self) -> Iterator[dict[str, bytes]]:
        """Everything that may be on the disk if the power goes now."""
        known: dict[tuple[int, str], bytes] = {}

        def content(file: File, way: str) -> bytes:
            if (id(file), way) not in known:
                known[id(file), way] = file.as_is(way)
            return known[id(file), way]

        for count in range(len(self.later) + 1):
            names = dict(self.names)
            for call in self.later[:count]:
                self._apply(names, call)
            open_ends = [path for path, file in names.items() if file.later]
            for ways in itertools.product(WAYS, repeat=len(open_ends)):
                chosen = dict(zip(open_ends, ways, strict=True))
                yield {path: content(file, chosen.get(path, "there")) for path, file in names.items()}

    def whole(self) -> dict[str, bytes]:
        """What is there as long as the power is."""
        return {path: file.as_is("there") for path, file in self.now.items()}


def laid_out(files: dict[str, bytes], root: Path, there: Path) -> None:
    """Make a folder hold these files."""
    for path, data in files.items():
        target = there / Path(path).relative_to(root)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.touch(0o600)
        target.write_bytes(data)
