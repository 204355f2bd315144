"""``.lbstackignore``: what of a workspace is nobody's business here, in patterns as of ``.gitignore``.

Each line is a pattern over ``KIND.NAME`` and over ``ID``: ``*`` is any run of characters, ``?`` one,
``[ab]`` one of several. A line that begins with ``!`` takes back what an earlier one named; ``#`` begins a
remark, and ``\\`` makes the next character an ordinary one. The last line that fits counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path

from lbstack.errors import ConfigError

NAME = ".lbstackignore"


@dataclass(frozen=True, slots=True)
class Ignored:
    """Patterns in their order: what each matches, and whether it ignores or takes back."""

    rules: tuple[tuple[re.Pattern[str], bool], ...] = ()

    def has(self, *texts: str) -> bool:
        """Whether an object that is called by any of these texts is ignored."""
        for pattern, ignores in reversed(self.rules):
            if any(pattern.match(text) for text in texts):
                return ignores
        return False


def parse(lines: Iterable[str]) -> Ignored:
    """The patterns of a file, in its order."""
    rules = []
    for line in lines:
        text = line.rstrip("\r\n")
        while text.endswith(" ") and not text.endswith("\\ "):
            text = text[:-1]
        if not text or text.startswith("#"):
            continue
        taken_back = text.startswith("!")
        rules.append((_pattern(text[1:] if taken_back else text), not taken_back))
    return Ignored(tuple(rules))


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern as an expression; what a backslash precedes stands for itself."""
    told = re.sub(r"\\(.)", lambda found: f"[{found[1]}]" if found[1] in "*?[" else found[1], text)
    return re.compile(translate(told), re.DOTALL)


def read(stack: Path) -> Ignored:
    """The patterns beside a stack: in its folder, or in that of its file."""
    place = (stack if stack.is_dir() else stack.parent) / NAME
    try:
        return parse(place.read_text("utf-8").splitlines())
    except FileNotFoundError:
        return Ignored()
    except UnicodeDecodeError:
        raise ConfigError(f"{place} is not UTF-8", "save it as UTF-8") from None
