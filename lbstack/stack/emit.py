"""Values as YAML text, written so that every reader of YAML, of 1.1 too, takes them for what they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lbstack.stack.scalars import UNFIT, Unfit, resolve

_PLAIN = re.compile(r"[A-Za-z_][\w ./@+()%-]*", re.ASCII)
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"}
"""What some reader of YAML takes for something else than text."""


class Unwritable(ValueError):
    """A text that no stack can hold."""


def scalar(value: Any, style: str = "") -> str:
    """A word, number or text on one line; `style` is the quote that was there before."""
    if not isinstance(value, str):
        return json.dumps(value)
    if UNFIT.search(value):
        raise Unwritable("it holds control characters, which no stack can hold")
    text = value.replace("${", "$${")
    if style != '"' and not style and _is_plain(text):
        return text
    if style == "'" and not re.search(r"[\n\u0085\u2028\u2029\ufeff]", text):
        return "'" + text.replace("'", "''") + "'"
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[\u0085\u2028\u2029\ufeff]", lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _is_plain(text: str) -> bool:
    try:
        same = resolve(text) is text if text else False
    except Unfit:
        return False
    return same and bool(_PLAIN.fullmatch(text)) and text == text.strip() and text.lower() not in _WORDS


def flow(value: Any) -> str:
    """Any value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def block(value: Any, indent: int, newline: str) -> str:
    """A value whose first line goes on where it stands, and whose others begin at a column."""
    pad = newline + " " * indent
    if isinstance(value, Mapping) and value:
        return pad.join(f"{scalar(str(key))}:{_below(item, indent, newline)}" for key, item in value.items())
    return flow(value)


def _below(value: Any, indent: int, newline: str) -> str:
    """What follows a key's colon: parts of their own on lines of their own, the rest beside it."""
    if isinstance(value, (list, tuple)) and any(isinstance(item, (Mapping, list)) for item in value):
        pad = newline + " " * (indent + 2)
        return "".join(f"{pad}- {block(item, indent + 4, newline)}" for item in value)
    return " " + flow(value)


def literal(text: str, indent: int, newline: str) -> str | None:
    """A text of several lines as a block, or None where a block cannot say it."""
    told = text.replace("${", "$${")
    lines = told.rstrip("\n").split("\n")
    ends = len(told) - len(told.rstrip("\n"))
    if len(lines) < 2 or UNFIT.search(told) or re.search(r"[\r\u0085\u2028\u2029\ufeff]", told):
        return None
    if any(line != line.rstrip() for line in lines) or lines[0][:1] in ("", " ", "\t") or ends > 1:
        return None
    pad = " " * indent
    body = newline.join(f"{pad}{line}" if line else "" for line in lines)
    return f"|{'-' if not ends else ''}{newline}{body}"
