"""Lists of a stack edited in place: items come, go, change places and change inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from lbstack.stack import emit
from lbstack.stack.edits import Edit, apply, same
from lbstack.stack.spans import Node, Tree

Span = tuple[int, int]


class Sequences:
    """The part of a `Rewriter` that knows lists."""

    tree: Tree
    text: str
    newline: str
    edits: list[Edit]
    part_key: Callable[[Any], str | None]

    def keep(self, node: Node, why: str) -> NoReturn:
        raise NotImplementedError

    def require_own(self, node: Node) -> None:
        raise NotImplementedError

    def mapping(self, node: Node, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def line_end(self, at: int) -> int:
        """Where the line ends that holds a place, before its line end."""
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        return end - 1 if end > at and self.text[end - 1] == "\r" else end

    def line_start(self, at: int) -> int:
        """Where the line begins that holds a place."""
        return self.text.rfind("\n", 0, at) + 1

    def sequence(self, node: Node, old: list[Any], new: list[Any]) -> bool:
        """Bring a list from one value to another, item by item; False where it must be written anew."""
        before, after = [self.part_key(item) for item in old], [self.part_key(item) for item in new]
        nodes = self._aligned(node, before)
        if nodes is None or None in after or len({*after}) < len(after):
            return False
        stay = [key for key in before if key in after]
        if not stay:
            return False
        wanted = dict(zip(after, new, strict=True))
        had = dict(zip(before, old, strict=True))
        spans = self._spans(node)
        if spans is None:
            return False
        texts = {key: self._item(node, nodes[key], spans[nodes[key]], had[key], wanted[key]) for key in stay}
        slots = sorted(nodes[key] for key in stay)
        order = [key for key in after if key in had]
        moved = order != stay
        # Where the order says nothing, each stays where it is.
        placed = order if moved else sorted(stay, key=lambda key: nodes[key])
        place = dict(zip(placed, slots, strict=True))
        for key, slot in place.items():
            if moved or self.text[slice(*spans[slot])] != texts[key]:
                self.edits.append((*spans[slot], texts[key]))
        self._come(node, spans, [*after], place, wanted)
        for index in sorted({*range(len(node.items))} - {*slots}):
            if node.items[index].kind != "alias":
                self.forbid_shared(node.items[index])
            self.cut(node, spans, index, slots)
        return True

    def _aligned(self, node: Node, before: list[str | None]) -> dict[str | None, int] | None:
        """Which item of the text each value is: by its key, else by its number."""
        keys = [self.part_key(self.tree.plain(item)) for item in node.items]
        if None in before or len({*before}) < len(before) or len(before) != len(keys):
            return None
        if {*keys} == {*before}:
            return {key: index for index, key in enumerate(keys)}
        return {key: index for index, key in enumerate(before)}

    def forbid_shared(self, node: Node) -> None:
        """Refuse to take away what holds a part that others use."""
        if node.anchor and self.tree.used.get(node.anchor):
            self.keep(node, f"it holds the anchor &{node.anchor}, which others share")
        for inner in [*node.items, *(value for _, value in node.pairs)]:
            self.forbid_shared(inner)

    def _spans(self, node: Node) -> list[Span] | None:
        """Each item with what belongs to it: in a block whole lines, and the remarks above all but the
        first. None where items share lines."""
        if node.flow:
            return [(item.start, item.end) for item in node.items]
        found: list[Span] = []
        for item in node.items:
            dash = self.text.rfind("-", 0, max(item.start, 1))
            begin = self.line_start(dash)
            if self.text[begin:dash].strip():
                return None
            if found:
                begin = min(begin, self._next_line(found[-1][1]))
            found.append((begin, self.line_end(max(item.end, dash + 1))))
        return found

    def _dash(self, item: Node) -> int:
        """The column of the dash before an item."""
        dash = self.text.rfind("-", 0, max(item.start, 1))
        return dash - self.line_start(dash)

    def _next_line(self, at: int) -> int:
        found = self.text.find("\n", at)
        return len(self.text) if found < 0 else found + 1

    def _item(self, node: Node, number: int, span: Span, old: Any, new: Any) -> str:
        """The text of an item as it is to be."""
        item = node.items[number]
        if same(old, new):
            return self.text[slice(*span)]
        self.require_own(item)
        outer, self.edits = self.edits, []
        try:
            if item.kind == "map" and isinstance(old, Mapping) and isinstance(new, Mapping):
                self.mapping(item, old, new)
            else:
                self.forbid_shared(item)
                self.edits.append((item.start, item.end, self._told(item, new)))
            return apply(self.text, self.edits, *span)
        finally:
            self.edits = outer

    def _told(self, node: Node, new: Any) -> str:
        try:
            return emit.flow(new)
        except emit.Unwritable as error:
            self.keep(node, str(error))

    def _come(
        self,
        node: Node,
        spans: list[Span],
        after: list[str | None],
        place: Mapping[str | None, int],
        wanted: Mapping[str | None, Any],
    ) -> None:
        """Put new items behind those that they follow, or before the first."""
        slot: int | None = None
        first = min(place.values())
        for key in after:
            if key in place:
                slot = place[key]
                continue
            told = self._new(node, wanted[key])
            at = spans[first][0] if slot is None else spans[slot][1]
            if node.flow:
                told = f"{told}, " if slot is None else f", {told}"
            else:
                line = f"{' ' * self._dash(node.items[first])}- {told}"
                told = f"{line}{self.newline}" if slot is None else f"{self.newline}{line}"
            self.edits.append((at, at, told))

    def _new(self, node: Node, item: Any) -> str:
        """A new item, in the style of the others."""
        try:
            lined = not node.flow and any(each.kind == "map" and not each.flow for each in node.items)
            if not lined:
                return emit.flow(item)
            return emit.block(item, self._dash(node.items[0]) + 2, self.newline)
        except emit.Unwritable as error:
            self.keep(node, str(error))

    def cut(self, node: Node, spans: list[Span], index: int, stay: list[int]) -> None:
        """Take an item or a pair away, with its line or its comma."""
        start, end = spans[index]
        if node.flow:
            if index > max(stay):
                self.edits.append((spans[index - 1][1], end, ""))
            else:
                self.edits.append((start, spans[index + 1][0], ""))
            return
        begin = self.line_start(start)
        if self.text[begin:start].strip():  # beside a dash
            following = min((other for other in stay if other > index), default=None)
            self.edits.append((start, spans[index + 1][0] if following is not None else end, ""))
            return
        end = self.line_end(end)
        if begin:  # the line goes with the line end before it, which lies in the same part of the text
            before = begin - (2 if self.text.endswith("\r\n", 0, begin) else 1)
            self.edits.append((before, end, ""))
        else:
            self.edits.append((0, self._next_line(end), ""))
