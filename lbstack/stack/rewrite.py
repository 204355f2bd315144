"""A value of a stack edited in place: only what differs is written anew, all else stays byte by byte.

`Rewriter` compares what a node says now with what it is to say, both in the words of the stack, and notes
the edits. What is shared (an anchor that is used, a merge) or comes from a variable is refused: changing it
here would change it elsewhere, or hide where it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from lbstack.stack import emit
from lbstack.stack.edits import Edit, Kept, apply, same
from lbstack.stack.sequences import Sequences
from lbstack.stack.spans import Node, Tree

ABSENT = object()
_VARIABLE = re.compile(r"(?<!\$)\$\{\s*([^}]*?)\s*\}")


class Rewriter(Sequences):
    """Edits of one file. `part_key` tells parts of a list from each other."""

    def __init__(self, tree: Tree, part_key: Callable[[Any], str | None] = lambda part: None) -> None:
        self.tree, self.text = tree, tree.text
        self.part_key = part_key
        self.newline = "\r\n" if "\r\n" in self.text else "\n"
        self.edits: list[Edit] = []

    def result(self) -> str:
        """The text with all edits made."""
        return apply(self.text, self.edits)

    def mapping(self, node: Node, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Bring a mapping from one value to another, as far as they differ."""
        self.require_own(node)
        gone: set[int] = set()
        come: dict[str, Any] = {}
        for key in dict.fromkeys([*before, *after]):
            old, new = before.get(key, ABSENT), after.get(key, ABSENT)
            if old is not ABSENT and new is not ABSENT and same(old, new):
                continue
            number = self._number(node, key, {*before, *after})
            if number is None:
                self._require_unmerged(node, key)
                if new is not ABSENT:
                    come[key] = new
            elif new is ABSENT:
                self.require_own(node.pairs[number][1])
                gone.add(number)
            else:
                self.value(node, number, old, new)
        if len(gone) == len(node.pairs) and node.pairs:
            self._refill(node, come)
        else:
            self._insert(node, come, gone)
            self._remove(node, gone)

    def value(self, node: Node, number: int, old: Any, new: Any) -> None:
        """Bring the value of a pair from one to another."""
        key, value = node.pairs[number]
        self.require_own(value)
        if value.kind == "map" and isinstance(old, Mapping) and isinstance(new, Mapping) and new:
            self.mapping(value, old, new)
        elif value.kind == "list" and isinstance(old, list) and isinstance(new, list) and new:
            if not self.sequence(value, old, new):
                self._replace(node, key, value, new)
        else:
            self._replace(node, key, value, new)

    def remove(self, node: Node, number: int) -> None:
        """Take a pair away."""
        self.require_own(node)
        self.forbid_shared(node.pairs[number][1])
        if len(node.pairs) == 1:
            self._refill(node, {})
        else:
            self._remove(node, {number})

    # -- what may not be edited ------------------------------------------------------------------

    def require_own(self, node: Node) -> None:
        """Refuse what is shared with other places, or comes from elsewhere."""
        if node.kind == "alias":
            self.keep(node, f"it comes from the anchor &{node.text}, which others share")
        if node.anchor and self.tree.used.get(node.anchor):
            self.keep(node, f"it is the anchor &{node.anchor}, which others share")
        if node.kind == "scalar" and (found := _VARIABLE.search(node.text)):
            self.keep(node, f"it comes from ${{{found[1]}}}")

    def keep(self, node: Node, why: str) -> NoReturn:
        raise Kept(node.at, why)

    def _require_unmerged(self, node: Node, key: str) -> None:
        for name, value in node.pairs:
            if name.text == "<<" and not name.style:
                for other in value.items if value.kind == "list" else [value]:
                    if key in self.tree.plain(other):
                        self.keep(name, f"its {key} is merged in with <<, which others share")

    # -- mappings --------------------------------------------------------------------------------

    def _number(self, node: Node, key: str, known: set[str]) -> int | None:
        """Which pair a key is: as it is spelled; else in camelCase or as an address, where that is no other
        one of the `known` keys."""
        names = [name.text for name, _ in node.pairs]
        if key in names:
            return names.index(key)
        for spelled in (_squashed, lambda name: name.rpartition(".")[2] if "." not in key else name):
            for number, name in enumerate(names):
                if name not in known and spelled(name) == spelled(key):
                    return number
        return None

    def _replace(self, node: Node, key: Node, value: Node, new: Any) -> None:
        self.forbid_shared(value)
        try:
            if value.kind == "scalar" and value.end > value.start:
                self.edits.append((value.start, value.end, self._scalar(node, key, value, new)))
                return
            colon = self.text.index(":", key.end) + 1
            self.edits.append((colon, max(value.end, colon), " " + emit.flow(new)))
        except emit.Unwritable as error:
            self.keep(value, str(error))

    def _scalar(self, node: Node, key: Node, value: Node, new: Any) -> str:
        """What stands in the place of a word or text: in its style, on several lines where it has some."""
        if isinstance(new, (list, tuple, dict)):
            return emit.flow(new)
        alone = not self.text[value.end : self.line_end(value.end)].strip()
        if isinstance(new, str) and "\n" in new and not node.flow and alone:
            told = emit.literal(new, key.column + 2, self.newline)
            if told is not None:
                return told
        return emit.scalar(new, value.style if value.style in ("'", '"') else "")

    def _insert(self, node: Node, come: Mapping[str, Any], gone: set[int]) -> None:
        """Put new keys behind the last one that stays."""
        if not come:
            return
        try:
            if not node.pairs:
                inside = ", ".join(f"{emit.scalar(key)}: {emit.flow(item)}" for key, item in come.items())
                self.edits.append((node.start, node.end, "{" + inside + "}"))
                return
            number = max(index for index in range(len(node.pairs)) if index not in gone)
            end = max(part.end for part in node.pairs[number])
            for key, item in come.items():
                told = f"{emit.scalar(key)}: {emit.flow(item)}"
                if node.flow:
                    self.edits.append((end, end, f", {told}"))
                else:
                    pad = self.newline + " " * node.pairs[0][0].column
                    self.edits.append((self.line_end(end), self.line_end(end), pad + told))
        except emit.Unwritable as error:
            self.keep(node, str(error))

    def _refill(self, node: Node, come: Mapping[str, Any]) -> None:
        """A mapping none of whose keys stay."""
        self.forbid_shared(node)
        try:
            self.edits.append((node.start, node.end, emit.flow(come)))
        except emit.Unwritable as error:
            self.keep(node, str(error))

    def _remove(self, node: Node, gone: set[int]) -> None:
        stay = [index for index in range(len(node.pairs)) if index not in gone]
        for index in sorted(gone):
            self.forbid_shared(node.pairs[index][1])
            self.cut(node, [(key.start, max(key.end, value.end)) for key, value in node.pairs], index, stay)


def _squashed(name: str) -> str:
    return name.replace("_", "").lower()
