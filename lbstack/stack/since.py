"""What changed under a folder since a revision of git: which stacks were touched, are gone, or have another's
name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from lbstack.errors import ConfigError, UsageError
from lbstack.stack.discovery import may_be, name_in, name_of, text_of
from lbstack.stack.files import FILE_BYTES


@dataclass(frozen=True, slots=True)
class Changed:
    """The files that are not as they were where this work left a revision: edited, new or gone, committed or
    not. Of those that are `gone`, the stack that each began ("": none); of those that are there, the stack
    that each began and begins no more (`left`); of both, a digest of what was in them (`texts`)."""

    files: frozenset[Path]
    gone: Mapping[Path, str]
    left: Mapping[Path, str] = field(default_factory=dict)
    texts: Mapping[Path, bytes] = field(default_factory=dict)


def changed_since(revision: str, folder: Path) -> Changed:
    """What has changed since a revision; what was in files, of those under the folder alone. Raises
    `UsageError` where git does not know the revision, or there is no git."""
    if revision.startswith("-"):
        raise UsageError(f"{revision!r} is no revision", "name a commit, a branch or a tag")
    top = Path(_git(folder, "rev-parse", "--show-toplevel").removesuffix("\n"))
    known = _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", fails="").strip()
    if not known:
        raise UsageError(
            f"git knows no revision {revision!r}",
            "fetch it first; a CI service may clone the last commit alone",
        )
    base = _git(folder, "merge-base", known, "HEAD", fails="").strip() or known
    if base == known and _git(folder, "rev-parse", "--is-shallow-repository").strip() == "true":
        _require_ancestor(folder, known, revision)
    edited = _edited(_git(top, "diff", "--raw", "--no-abbrev", "--no-renames", "-z", base, "--"))
    fresh = _git(top, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    objects = {top / name: object for name, object in edited.items()}
    under = folder.resolve()
    mine = {
        path: it for path, it in objects.items() if may_be(path.name) and path.resolve().is_relative_to(under)
    }
    gone, left, texts = {}, {}, {}
    with _objects(top) as content:
        for path, it in mine.items():
            text = content(it) if it else b""
            name, place = name_of(text), path.resolve()
            if not path.exists():
                gone[place] = name
            elif name in ("", name_in(path)):
                continue
            else:
                left[place] = name
            texts[place] = sha256(text).digest()
    files = [*objects, *(top / name for name in fresh if name)]
    return Changed(frozenset(path.resolve() for path in files), gone, left, texts)


def _edited(told: str) -> dict[str, str]:
    """The files that ``git diff --raw -z`` names, and the object that each was; "" for one that is new."""
    found: dict[str, str] = {}
    words = iter(told.split("\0"))
    for facts in words:
        if facts:
            mode, _, object = facts.split(" ")[:3]
            name, is_file = next(words), mode.startswith((":100", ":120"))  # and no submodule
            found[name] = object if is_file and object.strip("0") else found.get(name, "")
    return found


def _require_ancestor(folder: Path, known: str, revision: str) -> None:
    """Where the history is cut off, git may not know where this work left a revision; what others did there
    since would count as ours."""
    if _git(folder, "merge-base", "--is-ancestor", known, "HEAD", fails="no") == "no":
        raise UsageError(
            f"this clone is too shallow to tell where this work left {revision!r}",
            "fetch more of its history: git fetch --unshallow",
        )


@contextmanager
def _objects(folder: Path) -> Iterator[Callable[[str], bytes]]:
    """What is in objects of git, as far as a stack is read: one process tells all of them, one by one."""
    with subprocess.Popen(  # noqa: S603
        [*_command(folder), "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as git:
        asked, told = git.stdin, git.stdout

        def content(name: str) -> bytes:
            if asked is None or told is None:
                return b""
            facts: list[bytes] = []
            with suppress(BrokenPipeError):
                os.write(asked.fileno(), f"{name}\n".encode())  # no buffer: it would be flushed again
                facts = told.readline().split()
            if len(facts) != 3:
                raise ConfigError(
                    f"git cannot read object {name}, which was a file that has changed",
                    "fetch it, or see what git fsck says",
                )
            size = int(facts[2])
            text = told.read(min(size, FILE_BYTES))
            rest = size - len(text) + 1
            while rest > 0 and (passed := len(told.read(min(rest, FILE_BYTES)))):
                rest -= passed
            return text

        yield content


def _command(folder: Path) -> list[str]:
    """Git in a folder. Nothing of a repository's own settings is carried out."""
    return ["git", "-c", "core.fsmonitor=false", "-c", "diff.external=", "-C", str(folder)]


def _git(folder: Path, *words: str, fails: str | None = None) -> str:
    """What git says."""
    command = [*_command(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    except OSError:
        raise UsageError("git is not installed", "without --changed-since all stacks are planned") from None
    if done.returncode == 0:
        return done.stdout.decode(errors="surrogateescape")
    if fails is None:
        first = next(iter(done.stderr.decode(errors="replace").strip().splitlines()), "it failed")
        raise ConfigError(f"git: {first}", "--changed-since works in a git repository")
    return fails


def touched(stacks: Iterable[Path], changed: Changed, values: Iterable[Path] = ()) -> list[Path]:
    """The stacks that one of the changed files belongs to; all of them, where a file of `values` changed."""
    if any(path.resolve() in changed.files for path in values):
        return [*stacks]
    files = changed.files
    return [stack for stack in stacks if any(_belongs(path, stack.resolve(), changed) for path in files)]


def _belongs(path: Path, stack: Path, changed: Changed) -> bool:
    """Whether a changed file is a stack, or a part of one; one that is gone was a part of what lies beside
    it, unless it was another stack."""
    if path == stack or not may_be(path.name):
        return path == stack
    if path.parent == stack:
        return True
    beside = path in changed.gone and path.parent == stack.parent and stack.is_file()
    return beside and changed.gone[path] in ("", name_in(stack))


def orphaned(changed: Changed, names: Iterable[str]) -> dict[Path, str]:
    """The stacks that are gone from their files, or with them: what those made stays, and nobody plans it.
    One whose name another file bears has only moved."""
    known = {*names}
    lost = {**changed.gone, **changed.left}
    return {path: name for path, name in sorted(lost.items()) if name and name not in known}


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that began one stack, and now has the `name` of the one that `other` began."""

    path: Path
    was: str
    name: str
    other: Path


def taken(changed: Changed) -> list[Taken]:
    """The files that have another's name: with it they have the other's state, and what that records and they
    do not say would be destroyed. A file that was given the other's content as well has only moved."""
    before = {**changed.gone, **changed.left}
    found = []
    for path, was in sorted(changed.left.items()):
        name = name_in(path)
        others = [other for other, old in sorted(before.items()) if name and old == name and other != path]
        same = sha256(text_of(path) or b"").digest()
        if others and all(changed.texts.get(other) != same for other in others):
            found.append(Taken(path, was, name, others[0]))
    return found
