"""Edits of a text: where each begins and ends, and what stands there then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbstack.stack.tree import Mark

Edit = tuple[int, int, str]


class Kept(Exception):
    """Something cannot be edited here, and why; `at` is its place."""

    def __init__(self, at: Mark, why: str) -> None:
        self.at, self.why = at, why
        super().__init__(why)


def apply(text: str, edits: list[Edit], low: int = 0, high: int | None = None) -> str:
    """A text, or a part of it, with edits made that do not overlap."""
    told, at = [], low
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        told += [text[at:start], new]
        at = max(at, end)
    return "".join([*told, text[at : len(text) if high is None else high]])


def same(one: Any, other: Any) -> bool:
    """Equal, and of one type: true is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
