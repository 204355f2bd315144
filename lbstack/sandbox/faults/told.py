"""Reading what the control port was told: JSON whose every key and value is checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

LONGEST_MS = 3_600_000


class Mistake(ValueError):
    """What was told cannot be meant; the message says what and why."""


def an_object(value: Any, where: str, known: Collection[str]) -> Mapping[str, Any]:
    """Return a JSON object that has no keys but ``known`` ones."""
    if not isinstance(value, dict):
        raise Mistake(f"{where} must be an object")
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise Mistake(f"{where} has an unknown key {unknown[0]!r}: one of {', '.join(known)}")
    return value


def a_list(value: Any, where: str, most: int = 1000) -> list[Any]:
    """Return a JSON list of bounded length."""
    if not isinstance(value, list) or len(value) > most:
        raise Mistake(f"{where} must be a list of at most {most}")
    return value


def whole(value: Any, where: str, least: int = 0, most: int = 2**31) -> int:
    """Return an integer between two bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Mistake(f"{where} must be an integer between {least} and {most}")
    return value


def number(value: Any, where: str, least: float, most: float) -> float:
    """Return a number between two bounds."""
    wrong = isinstance(value, bool) or not isinstance(value, int | float)
    if wrong or not math.isfinite(value) or not least <= value <= most:
        raise Mistake(f"{where} must be a number between {least} and {most}")
    return float(value)


def text(value: Any, where: str, most: int = 1000) -> str:
    """Return a text that is neither empty nor long."""
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise Mistake(f"{where} must be a text of 1 to {most} characters")
    return value


def flag(value: Any, where: str) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise Mistake(f"{where} must be true or false")
    return value


def one_of(value: Any, where: str, choices: Collection[str]) -> str:
    """Return one of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise Mistake(f"{where} must be one of {', '.join(choices)}")
    return value


def each(value: Any, where: str, read: Callable[[Any, str], Any]) -> list[Any]:
    """Return a list whose items are read one by one."""
    return [read(item, f"{where}[{place}]") for place, item in enumerate(a_list(value, where))]
