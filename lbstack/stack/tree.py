"""What a YAML file becomes: plain mappings and lists that know where each part was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lbstack.values import Source

Mark = int
"""A 1-based line and column in one int: a file has as many marks as words, and tuples are dear."""


def mark(line: int, column: int) -> Mark:
    """Pack a 1-based line and column."""
    return line << 32 | column


def source(file: str, at: Mark) -> Source:
    """A mark as a place in a file."""
    return Source(file, at >> 32, at & 0xFFFFFFFF)


class Map(dict[str, Any]):
    """A mapping; the marks of its keys and values stand beside, in the order of the keys."""

    __slots__ = ("_indices", "keys_at", "values_at")

    def __init__(self) -> None:
        super().__init__()
        self.keys_at: list[Mark] = []
        self.values_at: list[Mark] = []
        self._indices: dict[str, int] | None = None

    def put(self, key: str, value: Any, key_at: Mark, value_at: Mark) -> None:
        """Append an entry whose key is not there yet."""
        self[key] = value
        self.keys_at.append(key_at)
        self.values_at.append(value_at)

    def index(self, key: str) -> int:
        """The position of a key that is there, in a mapping that is complete."""
        if self._indices is None:
            self._indices = {key: index for index, key in enumerate(self)}
        return self._indices[key]


class List(list[Any]):
    """A list and the marks of its items."""

    __slots__ = ("values_at",)

    def __init__(self) -> None:
        super().__init__()
        self.values_at: list[Mark] = []


class Item(NamedTuple):
    """An entry of a section: its value, its file, and the marks of its key and value."""

    value: Any
    file: str
    key_at: Mark
    value_at: Mark

    @property
    def key(self) -> Source:
        """Where its key stands."""
        return source(self.file, self.key_at)

    @property
    def place(self) -> Source:
        """Where its value stands."""
        return source(self.file, self.value_at)


def items(value: Map, file: str) -> list[tuple[str, Item]]:
    """The entries of a mapping with their marks."""
    return [
        (key, Item(item, file, key_at, value_at))
        for (key, item), key_at, value_at in zip(value.items(), value.keys_at, value.values_at, strict=True)
    ]


def locate(item: Item, path: Sequence[str | int], *, key: bool = False) -> Source:
    """Where a path inside an item was written, or as much of the path as was.

    The place of a word or number is its own; that of a mapping or list is its key (or, with
    `key`, always the key), since a block begins a line below the key it belongs to.
    """
    value, at = item.value, item.key_at
    for step in path:
        if isinstance(value, Map) and isinstance(step, str) and step in value:
            index, inner = value.index(step), value[step]
            at = (value.keys_at if key or isinstance(inner, (Map, List)) else value.values_at)[index]
            value = inner
        elif isinstance(value, List) and isinstance(step, int) and step < len(value):
            value, at = value[step], value.values_at[step]
        else:
            break
    return source(item.file, at)


def plain(value: Any) -> Any:
    """A copy without marks: what comes from a variable was written elsewhere."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def count(value: Any) -> int:
    """How many values a value is made of, itself included."""
    if isinstance(value, dict):
        return 1 + sum(map(count, value.values()))
    return 1 + sum(map(count, value)) if isinstance(value, list) else 1
