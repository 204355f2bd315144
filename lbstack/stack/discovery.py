"""Which stacks lie under a folder, and which of them changed since a revision.

| the YAML files of a folder that begin a stack (``stack: NAME`` at the left edge) | are |
| --- | --- |
| several, all of one name, or one beside files with sections of a stack | one stack, the whole folder |
| several, of several names, or one alone | a stack each |
| none | no stack (a file of variables, a workflow) |

Hidden files and folders belong to other tools. Links are not followed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lbstack.errors import ConfigError, UsageError
from lbstack.kinds import KINDS
from lbstack.stack.files import FILE_BYTES, SUFFIXES
from lbstack.stack.sections import LISTS

_NAMED = re.compile(rb"""^(?:stack|"stack"|'stack')[ \t]*:[ \t]+["']?([^\s"'#]+)""", re.MULTILINE)
_WORDS = "|".join(("variables", "outputs", *LISTS, *(kind.plural for kind in KINDS.values())))
_SECTION = re.compile(rf"^(?:{_WORDS})[ \t]*:".encode(), re.MULTILINE)


def stacks_under(folder: Path) -> list[Path]:
    """The stacks under a folder, sorted: files, and folders that are one stack each. Raises `UsageError`."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", "name the folder that the stacks lie under")
    found: list[Path] = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        named = {Path(here) / name: _name_in(Path(here) / name) for name in sorted(files) if _may_be(name)}
        begun = {path: name for path, name in named.items() if name}
        parts = [path for path in named if path not in begun and _is_part(path)]
        whole = len({*begun.values()}) == 1 and len(begun) + len(parts) > 1
        found += [Path(here)] if whole else begun
    if not found:
        raise UsageError(f"there is no stack under {folder}", "a stack is a YAML file with stack: NAME")
    return sorted(found)


def names_of(stacks: Iterable[Path]) -> dict[str, list[Path]]:
    """Which stacks bear which name."""
    found: dict[str, list[Path]] = {}
    for stack in stacks:
        files = sorted(stack.iterdir()) if stack.is_dir() else [stack]
        name = next((name for path in files if _may_be(path.name) and (name := _name_in(path))), "")
        found.setdefault(name, []).append(stack)
    return found


def _may_be(name: str) -> bool:
    return name.endswith(SUFFIXES) and not name.startswith(".")


def _name_in(path: Path) -> str:
    """The name of the stack that a file begins; nothing where it begins none, or cannot be read."""
    return _name(_text(path))


def _name(text: bytes) -> str:
    match = _NAMED.search(text)
    return match[1].decode(errors="replace") if match else ""


def _is_part(path: Path) -> bool:
    """Whether a file without a name has what a stack is made of: a file of variables has not."""
    return _SECTION.search(_text(path)) is not None


def _text(path: Path) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(FILE_BYTES)
    except OSError:
        return b""


@dataclass(frozen=True, slots=True)
class Changed:
    """The files that are not as they were where this work left a revision: edited, new or gone, committed or
    not. Of those that are `gone`, the stack that each began ("": none)."""

    files: frozenset[Path]
    gone: Mapping[Path, str]


def changed_since(revision: str, folder: Path) -> Changed:
    """What has changed under a folder. Raises `UsageError` where git does not know the revision, or there is
    no git."""
    if revision.startswith("-"):
        raise UsageError(f"{revision!r} is no revision", "name a commit, a branch or a tag")
    top = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    known = _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", fails="").strip()
    if not known:
        raise UsageError(
            f"git knows no revision {revision!r}",
            "fetch it first; a CI service may clone the last commit alone",
        )
    base = _git(folder, "merge-base", known, "HEAD", fails="").strip() or known
    edited = _git(top, "diff", "--name-only", "--no-renames", "-z", base, "--")
    fresh = _git(top, "ls-files", "--others", "--exclude-standard", "-z")
    names = [name for name in (edited + fresh).split("\0") if name]
    lost = [name for name in names if _may_be(Path(name).name) and not (top / name).exists()]
    gone = {}
    for name in lost:
        text = _git(top, "show", f"{base}:{name}", fails="")
        gone[(top / name).resolve()] = _name(text.encode(errors="surrogateescape"))
    return Changed(frozenset((top / name).resolve() for name in names), gone)


def _git(folder: Path, *words: str, fails: str | None = None) -> str:
    """What git says. Nothing of a repository's own settings is carried out."""
    command = ["git", "-c", "core.fsmonitor=false", "-c", "diff.external=", "-C", str(folder), *words]
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
    if path == stack or not _may_be(path.name):
        return path == stack
    if path.parent == stack:
        return True
    beside = path in changed.gone and path.parent == stack.parent and stack.is_file()
    return beside and changed.gone[path] in ("", _name_in(stack))


def orphaned(changed: Changed, names: Iterable[str]) -> dict[Path, str]:
    """The stacks that are gone with their files: what those made stays, and nobody plans it. One whose name
    another file bears has only moved."""
    known = {*names}
    return {path: name for path, name in sorted(changed.gone.items()) if name and name not in known}
