"""Pieces of Markdown that no name breaks out of, and a budget of bytes that they are counted against.

Text of others stands only in code: there no forge looks for mentions, links, images or issue numbers, and
a fence longer than any run of back-ticks inside ends where we end it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from urllib.parse import unquote

from lbstack.redaction import LONG, redacted
from lbstack.render.words import safe

_KEPT = re.compile(r"[^A-Za-z0-9._ -]|-(?=-)|-\Z")


def hidden(what: str, text: str) -> str:
    """A line that a reader does not see and a program finds: ``<!-- lbstack:plan STACK -->``.

    What could end the comment is percent-encoded.
    """
    told = _KEPT.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass")), text
    )
    return f"<!-- lbstack:{what} {told} -->"


def shown(told: str) -> str:
    """The text that a hidden line tells."""
    return unquote(told)


def span(text: str) -> str:
    """Text as code within a line."""
    text = safe(text)
    ticks = "`" * (_longest_run(text) + 1)
    pad = " " if text[:1] in ("`", " ", "") or text[-1:] in ("`", " ") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def fence(lines: Iterable[str], language: str = "") -> str:
    """Lines as a block of code."""
    inside = "\n".join(safe(line) for line in lines)
    ticks = "`" * max(3, _longest_run(inside) + 1)
    return f"{ticks}{language}\n{inside}\n{ticks}"


def folded(summary: str, body: str) -> str:
    """What opens when it is clicked at; `summary` is HTML."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def bold(text: str) -> str:
    """Text of ours as HTML, where Markdown is not read."""
    return f"<b>{html.escape(text)}</b>"


def tag(text: str) -> str:
    """Text of others as code within a block of HTML, such as a `folded` summary; `span` is for lines of
    Markdown."""
    return f"<code>{html.escape(safe(text))}</code>"


def alert(level: str, lines: Iterable[str]) -> str:
    """A block that catches the eye: NOTE, WARNING or CAUTION."""
    return "\n".join([f"> [!{level}]", *(f"> {line}" if line else ">" for line in lines)])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


class Budget:
    """Parts of a page, taken whole as long as there is room; `left` bytes are still free."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.parts: list[str] = []
        self.last: list[str] = []

    def take(self, part: str, keep: int = 0) -> bool:
        """Take a part, if that leaves `keep` bytes; parts are parted by an empty line."""
        return self._take(part, keep, self.parts)

    def reserve(self, part: str, keep: int = 0) -> bool:
        """Take a part now that is to stand at the end."""
        return self._take(part, keep, self.last)

    def _take(self, part: str, keep: int, parts: list[str]) -> bool:
        part = redacted(part, LONG)  # before it is counted: what hides a secret may be longer
        need = len(part.encode()) + 2
        if self.left - need < keep:
            return False
        self.left -= need
        parts.append(part)
        return True

    def text(self) -> str:
        """The page."""
        return "\n\n".join([*self.parts, *self.last]) + "\n"
