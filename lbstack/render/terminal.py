"""Where text goes: plain where nobody looks at colours, styled where somebody does.

rich is imported only for a terminal (or FORCE_COLOR); a pipe gets plain lines at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import IO

from lbstack.render.text import Line

COLOURS = {
    "add": "green",
    "change": "yellow",
    "destroy": "red",
    "forget": "bright_black",
    "note": "cyan",
    "bold": "bold",
    "plain": "",
}


def watched(stream: IO[str]) -> bool:
    """Whether a person sits before a stream as it is written to, or could answer: never in CI."""
    return stream.isatty() and os.environ.get("CI", "").lower() in ("", "0", "false")


def coloured(stream: IO[str], no_color: bool) -> bool:
    """Whether a stream should get colours: ``--no-color`` and NO_COLOR forbid, FORCE_COLOR demands."""
    if no_color or os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def write(lines: Iterable[Line], no_color: bool = False, stream: IO[str] | None = None) -> None:
    """Print lines, never wrapped: a terminal may, a log must not."""
    stream = stream or sys.stdout
    if not coloured(stream, no_color):
        stream.write("".join(f"{text}\n" for text, _ in lines))
        stream.flush()
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, force_terminal=True, highlight=False, markup=False, soft_wrap=True)
    console.print(Text("\n").join(Text(text, style=COLOURS[style]) for text, style in lines))
