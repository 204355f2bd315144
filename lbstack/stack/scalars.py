"""Plain words of YAML 1.2's core schema: null, booleans, numbers; everything else is text.

So ``yes``, ``no``, ``on``, ``12:30`` and dates are text, as in the editors' language server, and
``0777`` is 777.
"""

from __future__ import annotations

import math
import re
from typing import Any

DIGITS = 4000
"""Digits of a whole number; Python itself refuses to print more than 4,300."""

WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_NUMERIC = frozenset("-+.0123456789")

UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no text may hold: control characters but tab and line ends, and halves of surrogate pairs."""


class Unfit(ValueError):
    """A word that looks like a number and is none that could be used."""


def resolve(text: str) -> Any:
    """The value of a plain word. Raises `Unfit`."""
    if text in WORDS:
        return WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    if _INT.match(text):
        if len(text) > DIGITS:
            raise Unfit(f"a number of {len(text)} digits")
        return int(text)
    if _BASED.match(text):
        if len(text) > DIGITS * 3 // 4:
            raise Unfit(f"a number of {len(text)} digits")
        return int(text, 0)
    if _FLOAT.match(text):
        number = float(text)
        if math.isinf(number):
            raise Unfit("a number that is too large")
        return number
    if _NOT_FINITE.match(text):
        raise Unfit("infinity or not-a-number")
    return text
