"""How values, addresses and times are written, for every face.

Text from the service or a stack is hostile until escaped: control characters, direction marks and
line separators are shown as escapes, so that no name can redraw a terminal or forge a line.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from lbstack.values import Address, Digest, Secret, Unknown

LONGEST = 200
"""Characters of one value before it is cut, with a count of what is left out."""


def safe(text: str) -> str:
    """The text with everything that does not simply print as a visible escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    return char


class Plain(str):
    """Text that stands for itself, even where it is an id that state knows."""

    __slots__ = ()


def value(item: Any, names: Mapping[str, Address] | None = None) -> str:
    """A value as a plan shows it; an id that state knows is shown as the address it belongs to."""
    if isinstance(item, (Digest, Secret)):
        return "(sensitive value)"
    if isinstance(item, Unknown):
        return "(known after apply)"
    if isinstance(item, str):
        if names and item in names and type(item) is not Plain:
            return safe(str(names[item]))
        return _cut(quoted(item))
    if isinstance(item, Mapping):
        inside = ", ".join(
            f"{key(k, names)}: {value(v, names)}" for k, v in item.items() if v not in (None, {}, [])
        )
        return _cut("{" + inside + "}")
    if isinstance(item, (list, tuple)):
        return _cut("[" + ", ".join(value(v, names) for v in item) + "]")
    return json.dumps(item, default=str)


def quoted(text: str) -> str:
    """A string in double quotes, escaped."""
    return '"' + safe(text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) + '"'


def key(item: Any, names: Mapping[str, Address] | None = None) -> str:
    """A key of a map: bare where that is plain."""
    if isinstance(item, Unknown) and item.ref is not None:
        return f"{safe(str(item.ref.address))} (known after apply)"
    if isinstance(item, str) and names and item in names:
        return safe(str(names[item]))
    text = str(item)
    return text if text.isidentifier() else quoted(text)


def path(steps: tuple[Any, ...], names: Mapping[str, Address] | None = None) -> str:
    """Where a value stands: ``tools["Damage"].color``."""
    told = str(steps[0])
    for index, step in enumerate(steps[1:], 1):
        part = key(step, names)
        told += f"[{part}]" if index % 2 else f".{part}"
    return told


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text) - LONGEST} more characters)"


def seconds(amount: float) -> str:
    """A duration as an apply tells it: ``4s``, ``1m20s``."""
    whole = int(amount)
    return f"{whole // 60}m{whole % 60}s" if whole >= 60 else f"{whole}s"


def summary(counts: Mapping[str, int]) -> str:
    """The line that other tools parse: ``Plan: 1 to add, 2 to change, 0 to destroy.``"""
    line = f"{counts['add']} to add, {counts['change']} to change, {counts['destroy']} to destroy"
    if counts.get("import"):
        line = f"{counts['import']} to import, {line}"
    return f"Plan: {line}" + (f", {counts['forget']} to forget." if counts.get("forget") else ".")


NO_CHANGES = "No changes. Your infrastructure matches the configuration."
