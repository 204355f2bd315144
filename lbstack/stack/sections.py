"""The top level of stack files: sections of named entries and of lists, from all files as one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lbstack.kinds.contract import Kind
from lbstack.stack.problems import Problems, shown
from lbstack.stack.tree import Item, List, Map, items
from lbstack.values import Source

LISTS = ("moved", "removed", "imports")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


class Sections:
    """What all files of a stack say, section by section.

    `named` maps a section to its entries, in file order; `listed` has the lists.
    """

    def __init__(self, kinds: Mapping[str, Kind], problems: Problems) -> None:
        self.problems = problems
        self.words = ("stack", "variables", *(kind.plural for kind in kinds.values()), "outputs", *LISTS)
        self.named: dict[str, dict[str, Item]] = {"variables": {}, "outputs": {}}
        self.listed: dict[str, list[Item]] = {word: [] for word in LISTS}
        self.names: list[Item] = []
        self.first: Source | None = None
        self.kinds = kinds

    def take(self, file: str, document: Map) -> None:
        """Add one document."""
        self.first = self.first or Source(file, 1, 1)
        for word, item in items(document, file):
            if word == "stack":
                self.names.append(item)
            elif word in self.listed:
                self._take_list(word, item)
            elif word in self.words:
                self._take_mapping(word, item)
            else:
                hint = self.problems.near(word, self.words, f"a stack has {', '.join(self.words)}")
                detail = f"did you mean {self.kinds[word].plural!r}?" if word in self.kinds else hint
                self.problems.add(f"unknown key {shown(word)}", detail, item.key)

    def name(self, path: Path) -> str:
        """The name of the stack: written once, or the same wherever it is."""
        start = "begin a file with stack: NAME"
        if not self.names:
            where = self.first or Source(str(path), 1, 1)
            what = "the stack has no name" if self.first else "the stack is empty"
            self.problems.add(what, start, where)
            return ""
        first = self.names[0]
        for item in self.names:
            if not isinstance(item.value, str) or not NAME.match(item.value):
                self.problems.add(
                    "this is no name for a stack",
                    "up to 63 letters, digits, dots, dashes and underscores, quoted if they make a number",
                    item.place,
                )
            elif item.value != first.value:
                self.problems.add(
                    f"the stack is called {shown(item.value)} here",
                    f"and {shown(first.value)} at {first.place}",
                    item.place,
                )
        return str(first.value)

    def _take_mapping(self, word: str, section: Item) -> None:
        if not isinstance(section.value, Map):
            if section.value is not None:
                self.problems.add(f"{word} should be a mapping", "write NAME: … below it", section.key)
            return
        into = self.named.setdefault(word, {})
        for key, item in items(section.value, section.file):
            if key in into:
                self.problems.add(f"{word}.{key} is defined twice", f"first at {into[key].key}", item.key)
            else:
                into[key] = item

    def _take_list(self, word: str, section: Item) -> None:
        if not isinstance(section.value, List):
            if section.value is not None:
                self.problems.add(f"{word} should be a list", "write - … below it", section.key)
            return
        into: list[Any] = self.listed[word]
        for value, at in zip(section.value, section.value.values_at, strict=True):
            into.append(Item(value, section.file, at, at))
