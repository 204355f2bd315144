"""YAML text as nodes that know where they begin and end, so that one can be edited and the rest stays.

Only what has been read as a stack before is read here: it is well formed, and no deeper than allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from lbstack.stack.reader import Parser  # type: ignore[attr-defined]
from lbstack.stack.tree import Mark, mark


@dataclass
class Node:
    """A part of a text: `start` to `end`, in characters, without what follows it on its line.

    `kind` is scalar, map, list or alias; `text` is a scalar's value or an alias's name.
    """

    kind: str
    start: int
    end: int
    at: Mark
    column: int
    text: str = ""
    style: str = ""
    anchor: str | None = None
    flow: bool = False
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)


@dataclass
class Tree:
    """The documents of one file, its anchors, and how often each is used."""

    text: str
    documents: list[Node] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    _resources: dict[Mark, tuple[Node, int]] = field(default_factory=dict)

    def plain(self, node: Node) -> Any:
        """The value of a node, words and numbers as their text."""
        if node.kind == "alias":
            return self.plain(self.anchors[node.text])
        if node.kind == "map":
            return {key.text: self.plain(value) for key, value in node.pairs}
        return [self.plain(item) for item in node.items] if node.kind == "list" else node.text

    def resource(self, key_at: Mark) -> tuple[Node, int] | None:
        """The section in which a resource's key stands at a place, and its number there."""
        if not self._resources:
            self._resources = {
                key.at: (section, number)
                for document in self.documents
                for _, section in document.pairs
                for number, (key, _) in enumerate(section.pairs)
            }
        return self._resources.get(key_at)


def spans(text: str) -> Tree:
    """The nodes of a text without a byte order mark."""
    tree = Tree(text)
    parser = Parser(text)
    while type(event := parser.get_event()) is not StreamEndEvent:
        if type(event) is DocumentStartEvent:
            tree.documents.append(_node(parser, parser.get_event(), tree))
    return tree


def _end(event: Any) -> int:
    """Where an event ends, in characters."""
    return int(event.end_mark.index)


def _node(parser: Any, event: Any, tree: Tree) -> Node:
    inner: Any
    start, end = event.start_mark, event.end_mark
    node = Node("scalar", start.index, end.index, mark(start.line + 1, start.column + 1), start.column)
    node.anchor = getattr(event, "anchor", None)
    if type(event) is AliasEvent:
        name: str = event.anchor or ""
        node.kind, node.text = "alias", name
        tree.used[name] = tree.used.get(name, 0) + 1
        node.anchor = None
        return node
    if type(event) is ScalarEvent:
        node.text, node.style = event.value, event.style or ""
        if node.style in ("|", ">"):  # what ends a block are the line ends after it
            node.end = len(tree.text[: node.end].rstrip())
    elif type(event) is MappingStartEvent:
        node.kind, node.flow = "map", bool(event.flow_style)
        inner = parser.get_event()
        while type(inner) is not MappingEndEvent:
            key = _node(parser, inner, tree)
            node.pairs.append((key, _node(parser, parser.get_event(), tree)))
            inner = parser.get_event()
        last = max(node.pairs[-1][0].end, node.pairs[-1][1].end) if node.pairs else node.end
        node.end = _end(inner) if node.flow else last
    else:
        node.kind, node.flow = "list", bool(event.flow_style)
        inner = parser.get_event()
        while type(inner) is not SequenceEndEvent:
            node.items.append(_node(parser, inner, tree))
            inner = parser.get_event()
        last = node.items[-1].end if node.items else node.end
        node.end = _end(inner) if node.flow else last
    if node.anchor is not None:
        tree.anchors[node.anchor] = node
    return node
