"""Which stacks lie under a folder.

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
from collections.abc import Iterable, Mapping, Sequence
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
        what = "a stack is a YAML file with stack: NAME, and no link to one"
        raise UsageError(f"there is no stack under {folder}", what)
    return dict(sorted(found.items()))


def links_under(folder: Path, stacks: Iterable[Path]) -> list[Path]:
    """The links that may be meant for stacks, and are none: to what begins one, unless it is one of the
    `stacks` itself, and to whatever is outside of the folder, into which nobody looks. Those in a folder that
    is one stack are a part of it, or refused by who loads it."""
    top, known = folder.resolve(), {path.resolve() for path in stacks}
    whole = {path for path in stacks if path.is_dir()}
    found: list[Path] = []
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [Path(here) / name for name in files if may_be(name) and (Path(here) / name).is_symlink()]
        for link in links if Path(here) not in whole else ():
            target = Path(os.path.realpath(link))
            outside = not target.is_relative_to(top)
            if outside or (target not in known and target.parent not in known and name_in(target)):
                found.append(link)
    return sorted(found)


def stacks_near(folder: Path) -> dict[Path, str]:
    """The stacks that a folder holds right in it, and their names; where no YAML file is in it, those of the
    folders right below."""
    here, folders, files = next(os.walk(folder), ("", [], []))
    if any(map(may_be, files)):
        return _stacks_in(folder, files)[0]
    found: dict[Path, str] = {}
    for below in sorted(folder / name for name in folders if here and not name.startswith(".")):
        if not below.is_symlink():
            found |= _stacks_in(below, next(os.walk(below), ("", [], []))[2])[0]
    return found


def _stacks_in(folder: Path, files: Iterable[str]) -> tuple[dict[Path, str], list[Problem]]:
    """The stacks among the files of a folder, or the folder as one; and what is wrong with the rest."""
    texts = {folder / name: text_of(folder / name) for name in sorted(files) if may_be(name)}
    begun = {path: name for path, text in texts.items() if (name := name_of(text))}
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


def may_be(name: str) -> bool:
    """Whether a file of this name may be a stack, or a part of one."""
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


def name_in(path: Path) -> str:
    """The name of the stack that a file begins; nothing where it begins none, or cannot be read."""
    return name_of(text_of(path))


def name_of(text: bytes | None) -> str:
    """The name of the stack that a text begins; nothing where it begins none."""
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


def text_of(path: Path) -> bytes | None:
    """What is in a file; None where it cannot be read."""
    try:
        if path.is_symlink() or not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(FILE_BYTES)
    except OSError:
        return None
