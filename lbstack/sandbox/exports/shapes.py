"""Masks drawn from what was annotated otherwise: boxes, polygons, points, cuboids (API reference 1.11, S3).

The older export names a mask for each of them. A mask is as large as the asset; where its size is not
known, just large enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from lbstack.sandbox.exports import png

Point = tuple[float, float]
Shape = Sequence[Point]

_MOST_CROSSINGS = 5_000_000
_CORNERS = ("top_left", "top_right", "bottom_right", "bottom_left")


class UndrawableError(Exception):
    """A shape that has no area to draw, or one too large."""


def mask(kept: dict[str, Any], size: tuple[int, int] | None) -> bytes:
    """Return the PNG image of an object's mask, white on black. Raises UndrawableError."""
    shapes = outlines(kept)
    if not shapes:
        raise UndrawableError
    width, height = size or _extent(shapes)
    if not 0 < width * height <= png.MOST_PIXELS:
        raise UndrawableError
    return png.write(width, height, _rows(shapes, width, height))


def outlines(kept: dict[str, Any]) -> list[Shape]:
    """Return the outlines that an object's mask fills."""
    if "bounding_box" in kept:
        box = kept["bounding_box"]
        left, top = float(box["left"]), float(box["top"])
        right, bottom = left + box["width"], top + box["height"]
        return [[(left, top), (right, top), (right, bottom), (left, bottom)]]
    if "polygon" in kept:
        return [[(float(point["x"]), float(point["y"])) for point in kept["polygon"]]]
    if "point" in kept:
        x, y = math.floor(kept["point"]["x"]), math.floor(kept["point"]["y"])
        return [[(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)]]
    return _cuboid(kept.get("cuboid") or {})


def _cuboid(kept: dict[str, Any]) -> list[Shape]:
    """The six faces, as far as they were told."""
    faces = [
        [(float(kept[face][corner]["x"]), float(kept[face][corner]["y"])) for corner in _CORNERS]
        for face in ("front", "back")
        if face in kept
    ]
    if len(faces) < 2:
        return list(faces)
    front, back = faces
    sides = [[front[place], front[(place + 1) % 4], back[(place + 1) % 4], back[place]] for place in range(4)]
    return [*faces, *sides]


def _extent(shapes: Sequence[Shape]) -> tuple[int, int]:
    points = [point for shape in shapes for point in shape]
    return (
        max(1, math.ceil(max(x for x, _ in points))),
        max(1, math.ceil(max(y for _, y in points))),
    )


def _rows(shapes: Sequence[Shape], width: int, height: int) -> Iterator[bytes]:
    """Fill every shape by the even-odd rule; a pixel belongs to it when its middle does."""
    crossings = [_crossings(shape, height) for shape in shapes]
    empty = bytes(width)
    for y in range(height):
        row: bytearray | None = None
        for found in crossings:
            xs = sorted(found.get(y, ()))
            for start, end in zip(xs[::2], xs[1::2], strict=False):
                first, last = (min(width, max(0, math.ceil(x - 0.5))) for x in (start, end))
                if last > first:
                    row = row or bytearray(width)
                    row[first:last] = b"\xff" * (last - first)
        yield bytes(row) if row else empty


def _crossings(shape: Shape, height: int) -> dict[int, list[float]]:
    """Return where the edges of a shape cross the middle of each row."""
    found: dict[int, list[float]] = {}
    count = 0
    for (x0, y0), (x1, y1) in zip(shape, [*shape[1:], shape[0]], strict=True):
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        first, last = max(0, math.ceil(y0 - 0.5)), min(height, math.ceil(y1 - 0.5))
        count += max(0, last - first)
        if count > _MOST_CROSSINGS:
            raise UndrawableError
        for y in range(first, last):
            found.setdefault(y, []).append(x0 + (y + 0.5 - y0) * (x1 - x0) / (y1 - y0))
    return found
