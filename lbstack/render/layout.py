"""A small layered layout: who needs nobody stands at the left, who needs others to the right of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)

WIDTH, HEIGHT = 216, 34
"""Of a box."""
ACROSS, DOWN = 72, 12
"""Between boxes."""
MARGIN = 12
SWEEPS = 4
"""How often boxes are moved towards those they are joined to."""


@dataclass(frozen=True, slots=True)
class Drawing(Generic[Node]):
    """Where boxes stand, by their left upper corners, and the lines between them."""

    boxes: Mapping[Node, tuple[int, int]]
    lines: Sequence[str]
    width: int
    height: int


def layered(needs: Mapping[Node, Iterable[Node]]) -> Drawing[Node] | None:
    """Boxes for all that is named, each to the right of what it needs; None where they need each other."""
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError:
        return None
    level: dict[Node, int] = {}
    for node in order:
        level[node] = 1 + max((level[need] for need in needs.get(node, ())), default=-1)
    rows: list[list[Node]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for node in order:
        rows[level[node]].append(node)
    _untangle(rows, needs)
    tallest = max(map(len, rows), default=0)
    boxes = {
        node: (
            MARGIN + column * (WIDTH + ACROSS),
            MARGIN + (tallest - len(row)) * (HEIGHT + DOWN) // 2 + place * (HEIGHT + DOWN),
        )
        for column, row in enumerate(rows)
        for place, node in enumerate(row)
    }
    lines = [_line(boxes[need], boxes[node]) for node in order for need in needs.get(node, ())]
    width = 2 * MARGIN + len(rows) * (WIDTH + ACROSS) - ACROSS
    return Drawing(boxes, lines, max(width, 0), 2 * MARGIN + tallest * (HEIGHT + DOWN) - DOWN)


def _untangle(rows: list[list[Node]], needs: Mapping[Node, Iterable[Node]]) -> None:
    """Order each column by where those stand that its boxes are joined to, from left to right and back."""
    left = {node: list(needs.get(node, ())) for row in rows for node in row}
    right: dict[Node, list[Node]] = {node: [] for node in left}
    for node, needed in left.items():
        for need in needed:
            right[need].append(node)
    for sweep in range(SWEEPS):
        joined = left if sweep % 2 == 0 else right
        for row in rows if sweep % 2 == 0 else reversed(rows):
            place = {
                node: (index + 0.5) / len(column) for column in rows for index, node in enumerate(column)
            }
            row.sort(key=lambda node: _middle([place[other] for other in joined[node]], place[node]))


def _middle(places: list[float], own: float) -> float:
    return sum(places) / len(places) if places else own


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    """A curve from the right side of one box to the left side of another."""
    x, y = start[0] + WIDTH, start[1] + HEIGHT // 2
    to_x, to_y = end[0], end[1] + HEIGHT // 2
    bend = (to_x - x) // 2
    return f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"
