"""How values, addresses and times are written, for every face.

Text from the service or a stack is hostile until escaped: control characters, direction marks and
line separators are shown as escapes, so that no name can redraw a terminal or forge a line; and so is what
a CI service would take for a command of the job's own.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from lbstack.redaction import redacted
from lbstack.values import Address, Digest, Secret, Unknown

LONGEST = 200
"""Characters of one value before it is cut, with a count of what is left out."""

ITEMS = 20
"""Items of one list before the rest is counted."""

MOST = 2000
"""Characters of a sentence of others', such as an error of the service, before it is cut."""

_COMMAND = re.compile(r"##(?=\w*\[)|\A(\s*):(?=:)")
"""What makes a line a command to the CI service that shows it: ``##[`` and ``##vso[`` anywhere (GitHub,
Azure, TeamCity), ``::`` at its beginning (GitHub)."""


def safe(text: str) -> str:
    """The text with everything that does not simply print as a visible escape."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(_escaped(char) for char in text)
    return _COMMAND.sub(_disarmed, text) if "##" in text or "::" in text else text


def _disarmed(found: re.Match[str]) -> str:
    return "#\\u0023" if found[0] == "##" else f"{found[1]}\\u003a"


def sentence(text: str) -> str:
    """What others say, as a part of one line that ends."""
    if len(text) <= MOST:
        return _cut(safe(text), MOST)
    return _cut(safe(redacted(text)[: 2 * MOST]), MOST, len(text))


def document(text: str) -> str:
    """JSON that says the same and commands no CI service."""
    return text.replace("##", "#\\u0023")


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
        more = len(item) - ITEMS
        told = [*(value(v, names) for v in item[:ITEMS]), *([f"… {more:,} more"] if more > 0 else [])]
        return _cut("[" + ", ".join(told) + "]")
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
    return _cut(text if text.isidentifier() else quoted(text))


def path(steps: tuple[Any, ...], names: Mapping[str, Address] | None = None) -> str:
    """Where a value stands: ``tools["Damage"].color``."""
    told = str(steps[0])
    for index, step in enumerate(steps[1:], 1):
        part = key(step, names)
        told += f"[{part}]" if index % 2 else f".{part}"
    return safe(told)  # as a whole: pieces that are harmless alone may command a CI service together


def _cut(text: str, most: int = LONGEST, length: int = 0) -> str:
    """The beginning of a text that is too long; no secret is cut in two, which nobody would know again."""
    if len(text) <= most:
        return text
    return f"{redacted(text)[:most]}… ({max(length, len(text)) - most} more characters)"


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
