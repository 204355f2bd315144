"""Which stacks lie under a folder, and which of them changed since a revision.

| the YAML files of a folder that begin a stack (``stack: NAME`` at the left edge) | are |
| --- | --- |
| all of one name | one stack, the whole folder |
| of several names | a stack each |
| none | no stack (a file of variables, a workflow) |

Hidden files and folders belong to other tools. Links are not followed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lbstack.errors import ConfigError, UsageError
from lbstack.stack.files import FILE_BYTES, SUFFIXES

_NAMED = re.compile(rb"""^(?:stack|"stack"|'stack')[ \t]*:[ \t]+["']?([^\s"'#]+)""", re.MULTILINE)


def stacks_under(folder: Path) -> list[Path]:
    """The stacks under a folder, sorted: files, and folders that are one stack each. Raises `UsageError`."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", "name the folder that the stacks lie under")
    found: list[Path] = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        named = {Path(here) / name: _name_in(Path(here) / name) for name in sorted(files) if _may_be(name)}
        begun = {path: name for path, name in named.items() if name}
        found += [Path(here)] if len(named) > 1 and len({*begun.values()}) == 1 else begun
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
    try:
        if path.is_symlink() or not path.is_file():
            return ""
        with path.open("rb") as file:
            match = _NAMED.search(file.read(FILE_BYTES))
    except OSError:
        return ""
    return match[1].decode(errors="replace") if match else ""


def changed_since(revision: str, folder: Path) -> set[Path]:
    """The files under a folder that are not as they were where this work left `revision`: edited, new or
    gone, committed or not. Raises `UsageError` where git does not know the revision, or there is no git."""
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
    return {top / name for name in (edited + fresh).split("\0") if name}


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


def touched(stacks: Iterable[Path], changed: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The stacks that one of the changed files belongs to, and the changed files that are gone and may have
    been stacks: what those made stays, and nobody plans it."""
    resolved = {path.resolve() for path in changed}
    hit = [stack for stack in stacks if any(_belongs(path, stack.resolve()) for path in resolved)]
    gone = sorted(path for path in resolved if _may_be(path.name) and not path.exists())
    return hit, gone


def _belongs(path: Path, stack: Path) -> bool:
    return path == stack or (path.parent == stack and _may_be(path.name))
