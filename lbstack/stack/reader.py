"""YAML text → `Map`s and `List`s: a builder over the parser's events.

PyYAML's own loaders recurse while they compose, in C beyond Python's guard (50,000 brackets end
in a segmentation fault); walking events does not. What is nested, repeated or large is refused
while it is read, before it costs anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from lbstack.stack.problems import Problems, shown
from lbstack.stack.scalars import UNFIT, Unfit, resolve
from lbstack.stack.tree import List, Map, Mark, source
from lbstack.values import Source

try:
    from yaml.cyaml import CParser as Parser  # type: ignore[attr-defined]
except ImportError:  # PyYAML without libyaml: the same events, ten times slower
    from yaml.parser import Parser as _Parser
    from yaml.reader import Reader as _Reader
    from yaml.scanner import Scanner as _Scanner

    class Parser(_Reader, _Scanner, _Parser):  # type: ignore[no-redef]
        """The pure parser, put together as PyYAML's loaders do."""

        def __init__(self, text: str) -> None:
            _Reader.__init__(self, text)
            _Scanner.__init__(self)
            _Parser.__init__(self)


DEPTH = 64
NODES = 200_000
"""Values in all files of a stack together; what an alias or a merge repeats counts again."""

_CORE = "tag:yaml.org,2002:"
_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),), "bool": (bool,), "int": (int,), "float": (float, int),
}  # fmt: skip
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufeff\uff00-\ufffd\U00010000-\U0010ffff]")


class Refused(Exception):
    """Reading this file cannot go on; the reason is among the problems."""


@dataclass
class Budget:
    """Nodes that may still be read, shared by the files of a stack."""

    left: int = NODES


@dataclass(frozen=True)
class _Anchor:
    """A named part: its value (absent while it is still being read), its nodes, its height."""

    value: Any
    nodes: int
    height: int
    open: bool = False


def read(text: str, file: str, problems: Problems, budget: Budget) -> list[Any]:
    """The documents of a YAML text. Raises `Refused` when it cannot be read to its end."""
    try:
        return list(_Builder(text, file, problems, budget).documents())
    except yaml.MarkedYAMLError as error:
        problems.add(*_syntax(error, text, file))
    except yaml.YAMLError:
        problems.add(*_character(text, file))
    raise Refused


class _Builder:
    """One file being read."""

    def __init__(self, text: str, file: str, problems: Problems, budget: Budget) -> None:
        self.next = Parser(text).get_event
        self.file = file
        self.problems = problems
        self.budget = budget
        self.anchors: dict[str, _Anchor] = {}
        self.deepest = 0

    def documents(self) -> Iterator[Any]:
        while True:
            event = self.next()
            if type(event) is StreamEndEvent:
                return
            if type(event) is DocumentStartEvent:
                self.anchors.clear()
                yield self.node(self.next(), 1)

    # -- nodes --------------------------------------------------------------------------------

    def node(self, event: Any, depth: int) -> Any:
        """The value that begins with this event."""
        kind = type(event)
        if kind is AliasEvent:
            return self.alias(event, depth)
        self.budget.left -= 1
        if self.budget.left < 0:
            self.refuse(_at(event), f"more than {NODES:,} values", "split the stack, or repeat less by alias")
        if event.anchor is not None:
            return self.anchored(event, depth)
        if kind is ScalarEvent:
            return self.scalar(event)
        return self.collection(event, depth)

    def collection(self, event: Any, depth: int) -> Any:
        if depth > DEPTH:
            self.refuse(_at(event), f"nested more than {DEPTH} deep", "flatten it")
        if depth > self.deepest:
            self.deepest = depth
        if event.tag is not None:
            expected = "map" if type(event) is MappingStartEvent else "seq"
            if event.tag not in ("!", _CORE + expected):
                self.unknown_tag(event)
        return (self.mapping if type(event) is MappingStartEvent else self.sequence)(depth + 1)

    def sequence(self, depth: int) -> List:
        found = List()
        while type(event := self.next()) is not SequenceEndEvent:
            found.append(self.node(event, depth))
            found.values_at.append(_at(event))
        return found

    def mapping(self, depth: int) -> Map:
        found = Map()
        first: dict[str, Mark] = {}
        merges: list[tuple[Any, Mark]] = []
        while type(event := self.next()) is not MappingEndEvent:
            key_at = _at(event)
            plain = type(event) is ScalarEvent and not event.style and event.tag is None
            key = self.node(event, depth)
            value_event = self.next()
            value = self.node(value_event, depth)
            if type(key) is not str:
                self.bad_key(key, key_at)
            elif plain and key == "<<":
                merges.append((value, key_at))
            elif key in found:
                if not first:
                    first.update(zip(found, found.keys_at, strict=True))
                place = source(self.file, first[key])
                self.problem(key_at, f"duplicate key {shown(key)}", f"it stands at {place} already")
            else:
                found.put(key, value, key_at, _at(value_event))
                if first:
                    first[key] = key_at
        for value, at in merges:
            self.merge(found, value, at)
        return found

    def merge(self, found: Map, value: Any, at: Mark) -> None:
        """``<<``: not in YAML 1.2, but what people who share settings by alias know and write.

        What is merged was counted when its alias was read, so that a merge bomb ends like any other.
        """
        for other in value if type(value) is List else (value,):
            if type(other) is not Map:
                self.problem(at, "<< takes a mapping, or a list of mappings", "write <<: *NAME")
                continue
            for (key, item), key_at, value_at in zip(
                other.items(), other.keys_at, other.values_at, strict=True
            ):
                if key not in found:
                    found.put(key, item, key_at, value_at)

    def scalar(self, event: Any) -> Any:
        text, tag = event.value, event.tag
        if not event.style and tag is None:  # the C parser says "", the other None
            return self.resolved(event)
        if event.style == '"' and UNFIT.search(text):
            self.problem(_at(event), "a control character in text", "remove the escape")
            return UNFIT.sub("", text)
        if tag is None or tag in ("!", _CORE + "str"):
            return text
        types = _TYPES.get(tag.removeprefix(_CORE))
        value = self.resolved(event)
        if types is None:
            self.unknown_tag(event)
        elif type(value) not in types:
            self.problem(_at(event), f"this is no !!{tag.removeprefix(_CORE)}", "remove the tag")
        return value

    def resolved(self, event: Any) -> Any:
        try:
            return resolve(event.value)
        except Unfit as error:
            self.problem(_at(event), f"{error} cannot be used", "quote it if it is text")
            return 0

    def anchored(self, event: Any, depth: int) -> Any:
        """A part with a name. While it is read its name is open: using it there would be endless."""
        self.anchors[event.anchor] = _Anchor(None, 0, 0, open=True)
        before, outer = self.budget.left, self.deepest
        self.deepest = depth - 1
        value = self.scalar(event) if type(event) is ScalarEvent else self.collection(event, depth)
        height = self.deepest - depth + 1
        self.anchors[event.anchor] = _Anchor(value, before - self.budget.left + 1, height)
        self.deepest = max(outer, self.deepest)
        return value

    def alias(self, event: Any, depth: int) -> Any:
        """A part used again. It costs what it holds, and is as deep as if it stood here."""
        anchor = self.anchors.get(event.anchor)
        if anchor is None:
            self.refuse(_at(event), f"unknown alias *{event.anchor}", "name the part with & first")
        if anchor.open:
            self.refuse(
                _at(event), f"*{event.anchor} holds itself", "an alias cannot stand inside its anchor"
            )
        self.budget.left -= anchor.nodes
        if self.budget.left < 0:
            self.refuse(_at(event), f"aliases make more than {NODES:,} values", "repeat less by alias")
        deepest = depth + anchor.height - 1
        if deepest > DEPTH:
            self.refuse(_at(event), f"nested more than {DEPTH} deep by aliases", "flatten it")
        self.deepest = max(self.deepest, deepest)
        return anchor.value

    # -- problems -----------------------------------------------------------------------------

    def problem(self, at: Mark, summary: str, detail: str) -> None:
        self.problems.add(summary, detail, source(self.file, at))

    def refuse(self, at: Mark, summary: str, detail: str) -> NoReturn:
        self.problem(at, summary, detail)
        raise Refused

    def bad_key(self, key: Any, at: Mark) -> None:
        if isinstance(key, (Map, List)):
            self.problem(at, "a key must be text", "a mapping or a list cannot be one")
        else:
            self.problem(at, "a key must be text", "quote it")

    def unknown_tag(self, event: Any) -> None:
        tag = event.tag.removeprefix(_CORE)
        self.problem(_at(event), f"unknown tag {shown(tag)}", "remove it; a stack is plain data")


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> tuple[str, str, Source]:
    """The parser's complaint as a problem, with the usual cause."""
    spot = error.problem_mark or error.context_mark
    line, column = (spot.line + 1, spot.column + 1) if spot else (1, 1)
    says = " ".join(part for part in (error.problem, error.context) if part)
    written = _line(text, line)
    if "\t" in written[:column]:
        detail = "indent with spaces, not with tabs"
    elif "${" in written:
        detail = "inside { } and [ ], quote text that holds ${…}"
    else:
        detail = "mend the line, or the one before it"
    return f"not valid YAML: {says}", detail, Source(file, line, column)


def _character(text: str, file: str) -> tuple[str, str, Source]:
    """The parser stumbled over a character; libyaml tells no line, so look for it."""
    match = _UNPRINTABLE.search(text)
    at = match.start() if match else 0
    what = f"U+{ord(text[at]):04X}" if match else "a character"
    place = Source(file, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
    return f"{what} cannot stand in YAML", "remove it, or write it as an escape", place


def _at(event: Any) -> Mark:
    spot = event.start_mark
    return spot.line + 1 << 32 | spot.column + 1  # type: ignore[no-any-return]


def _line(text: str, number: int) -> str:
    """One line of a text, cut at 1,000 characters."""
    start = 0
    for _ in range(number - 1):
        start = text.find("\n", start) + 1
    return text[start : start + 1000].partition("\n")[0]
