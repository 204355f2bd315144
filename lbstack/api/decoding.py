"""Bytes of an answer to values, or ValueError: only what is exactly one JSON document in UTF-8 counts.

Refused beside what is no JSON: a name that an object has twice (who is to say which is meant), numbers
that are none (``NaN``, ``1e999``), a byte-order mark, and nesting deeper than anything that was asked
for, which would end in whoever walks it.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any

DEEPEST = 128
"""Levels of nesting: several times what the deepest ontology takes."""

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_HALF = re.compile(r"[\ud800-\udfff]")


def decoded(body: bytes) -> Any:
    """The value of a JSON document. Raises ValueError for everything that is none."""
    _require_shallow(body)
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return _whole(value) if b"\\ud" in body or b"\\uD" in body else value


def _require_shallow(body: bytes) -> None:
    """Refuse a document that is nested too deeply before anything recurses into it."""
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return
    brackets = _TEXT.sub(b"", body).translate(None, _NO_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > DEEPEST:
        raise ValueError("nested too deeply")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return made


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _whole(value: Any) -> Any:
    """The value with every half of a surrogate pair replaced: no encoding can write one."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    return value
