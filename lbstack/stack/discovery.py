"""Which stacks lie under a folder, and which of them changed since a revision.

| the YAML files of a folder that begin a stack (``stack: NAME`` at the left edge) | are |
| --- | --- |
| several, all of one name, or one beside parts of a stack | one stack, the whole folder |
| several, of several names, or one alone | a stack each; parts beside several are nobody's, and refused |
| none | no stack (a file of variables, a workflow) |

A part has a section of a stack, or what could be meant for one, or nothing at all, or cannot be read: a slip
in a file must not make it nobody's, for what nobody wants is destroyed. Hidden files and folders belong to
other tools. Links are not followed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from lbstack.errors import ConfigError, Problem, StackError, UsageError
from lbstack.kinds import KINDS
from lbstack.stack.files import FILE_BYTES, SUFFIXES
from lbstack.stack.sections import LISTS

_NAMED = re.compile(
    rb"""^(?:\{[ \t]*)?(?:stack|"stack"|'stack')[ \t]*:(?:[ \t]+["']?([^"'#,}\r\n]*)|[ \t]*$)""", re.MULTILINE
)
_KEY = re.compile(rb"""^(?:\{[ \t]*)?["']?([A-Za-z_]+)["']?[ \t]*:(?:[ \t]+([^\s#{\[&!|>]))?""", re.MULTILINE)
_WORDS = ("variables", "outputs", *LISTS, *(kind.plural for kind in KINDS.values()))
_LIKE = 0.75
"""How much a key must be like a section's name to be meant for it."""
NAMELESS = "?"
"""Stands for the name of a stack that has none, and of a file that cannot be read."""


def stacks_under(folder: Path) -> dict[Path, str]:
    """The stacks under a folder, in the order of their paths, and the name of each ("" where its file cannot
    be read): files, and folders that are one stack each. Raises `UsageError`."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", "name the folder that the stacks lie under")
    found: dict[Path, str] = {}
    astray: list[Problem] = []
    for here, folders, files in os.walk(folder, onerror=_closed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        stacks, nobodys = _stacks_in(Path(here), files)
        found |= stacks
        astray += nobodys
    if astray:
        raise StackError(astray)
    if not found:
        raise UsageError(f"there is no stack under {folder}", "a stack is a YAML file with stack: NAME")
    return dict(sorted(found.items()))


def stacks_near(folder: Path) -> dict[Path, str]:
    """The stacks that a folder holds right in it, and their names; where no YAML file is in it, those of the
    folders right below."""
    here, folders, files = next(os.walk(folder), ("", [], []))
    if any(map(_may_be, files)):
        return _stacks_in(folder, files)[0]
    found: dict[Path, str] = {}
    for below in sorted(folder / name for name in folders if here and not name.startswith(".")):
        if not below.is_symlink():
            found |= _stacks_in(below, next(os.walk(below), ("", [], []))[2])[0]
    return found


def _stacks_in(folder: Path, files: Iterable[str]) -> tuple[dict[Path, str], list[Problem]]:
    """The stacks among the files of a folder, or the folder as one; and what is wrong with the rest."""
    texts = {folder / name: _text(folder / name) for name in sorted(files) if _may_be(name)}
    begun = {path: name for path, text in texts.items() if (name := _name(text))}
    parts = [path for path, text in texts.items() if path not in begun and _is_part(path, text)]
    several = len({*begun.values()}) > 1
    if not several and begun and len(begun) + len(parts) > 1:
        return {folder: next(iter(begun.values()))}, []
    closed = [path for path in parts if _unreadable(texts[path])]
    astray = [_nobodys(path, [*begun]) for path in parts if several and path not in closed]
    return {**begun, **dict.fromkeys(closed, "")}, astray


def by_name(stacks: Mapping[Path, str]) -> dict[str, list[Path]]:
    """Which stacks bear which name."""
    found: dict[str, list[Path]] = {}
    for stack, name in stacks.items():
        found.setdefault(name, []).append(stack)
    return found


def _may_be(name: str) -> bool:
    return name.endswith(SUFFIXES) and not name.startswith(".")


def _closed(error: OSError) -> None:
    """What is in a folder that cannot be read may be a stack."""
    raise ConfigError(f"cannot read {error.filename}: {error.strerror}", "mend its permissions")


def _nobodys(path: Path, stacks: Sequence[Path]) -> Problem:
    first, *others = map(str, stacks[:2])
    return Problem(
        f"{path} belongs to no stack: {' and '.join([first, *others])} begin one each",
        "give each stack a folder of its own",
    )


def _name_in(path: Path) -> str:
    """The name of the stack that a file begins; nothing where it begins none, or cannot be read."""
    return _name(_text(path))


def _name(text: bytes | None) -> str:
    match = _NAMED.search((text or b"").removeprefix(b"\xef\xbb\xbf"))
    return ((match[1] or b"").decode(errors="replace").strip() or NAMELESS) if match else ""


def _is_part(path: Path, text: bytes | None) -> bool:
    """Whether a file without a name may be what a stack is made of: a file of variables is not."""
    if path.is_symlink() or not (path.is_file() or text is None):
        return False
    if _unreadable(text):
        return True
    keys = _KEY.findall((text or b"").removeprefix(b"\xef\xbb\xbf"))
    return not keys or any(_is_section(key.decode(), bool(scalar)) for key, scalar in keys)


def _is_section(key: str, scalar: bool) -> bool:
    """Whether a key is a section's, or meant for one; what has a plain value may be a variable of its own."""
    return key in _WORDS or (not scalar and bool(get_close_matches(key, _WORDS, 1, _LIKE)))


def _unreadable(text: bytes | None) -> bool:
    """Whether nobody can say what is in a file; who loads it says why."""
    return text is None or text.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in text[:4]


def _text(path: Path) -> bytes | None:
    """What is in a file; None where it cannot be read."""
    try:
        if path.is_symlink() or not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(FILE_BYTES)
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Changed:
    """The files that are not as they were where this work left a revision: edited, new or gone, committed or
    not. Of those that are `gone`, the stack that each began ("": none); of those that are there, the stack
    that each began and begins no more (`left`)."""

    files: frozenset[Path]
    gone: Mapping[Path, str]
    left: Mapping[Path, str] = field(default_factory=dict)


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
    if base == known and _git(folder, "rev-parse", "--is-shallow-repository").strip() == "true":
        _require_ancestor(folder, known, revision)
    edited = _git(top, "diff", "--name-only", "--no-renames", "-z", base, "--")
    fresh = _git(top, "ls-files", "--others", "--exclude-standard", "-z")
    names = [name for name in (edited + fresh).split("\0") if name]
    gone, left = {}, {}
    for name in names:
        path = top / name
        if not _may_be(path.name):
            continue
        was = _name(_git(top, "show", f"{base}:{name}", fails="").encode(errors="surrogateescape"))
        if not path.exists():
            gone[path.resolve()] = was
        elif was not in ("", _name_in(path)):
            left[path.resolve()] = was
    return Changed(frozenset((top / name).resolve() for name in names), gone, left)


def _require_ancestor(folder: Path, known: str, revision: str) -> None:
    """Where the history is cut off, git may not know where this work left a revision; what others did there
    since would count as ours."""
    if _git(folder, "merge-base", "--is-ancestor", known, "HEAD", fails="no") == "no":
        raise UsageError(
            f"this clone is too shallow to tell where this work left {revision!r}",
            "fetch more of its history: git fetch --unshallow",
        )


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
    """The stacks that are gone from their files, or with them: what those made stays, and nobody plans it.
    One whose name another file bears has only moved."""
    known = {*names}
    lost = {**changed.gone, **changed.left}
    return {path: name for path, name in sorted(lost.items()) if name and name not in known}
