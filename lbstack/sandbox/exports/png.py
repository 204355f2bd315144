"""PNG images, read and written: as much of it as masks need.

Read are images of every colour type and depth whose rows follow one another; interlaced ones are not.
Whole rows are treated as numbers where that is possible, so that large masks do not take long.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CONTENT_TYPE = "image/png"
MOST_PIXELS = 100_000_000
_MOST_BYTES = 200_000_000  # unpacked

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


class UnreadableError(Exception):
    """Bytes that are no PNG image, or none of the sort that is read here."""


@dataclass(frozen=True)
class Image:
    """An image's header, its palette (three bytes a colour) and its rows, still packed."""

    width: int
    height: int
    depth: int
    color_type: int
    palette: bytes
    data: bytes

    @property
    def channels(self) -> int:
        """How many samples a pixel has."""
        return _CHANNELS[self.color_type]

    @property
    def row_bytes(self) -> int:
        """How long a row is."""
        return (self.width * self.channels * self.depth + 7) // 8


def read(content: bytes) -> Image:
    """Return the image that ``content`` is. Raises UnreadableError."""
    if not content.startswith(SIGNATURE):
        raise UnreadableError("no PNG image")
    header, palette, packed = b"", b"", []
    for kind, body in _chunks(content):
        if kind == b"IHDR":
            header = body
        elif kind == b"PLTE":
            palette = body
        elif kind == b"IDAT":
            packed.append(body)
    if len(header) != 13:
        raise UnreadableError("no header")
    width, height, depth, color_type, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    known = depth in _DEPTHS.get(color_type, ()) and not (compression or filtering or interlace)
    if not known or not 0 < width * height <= MOST_PIXELS:
        raise UnreadableError("an image of another sort")
    image = Image(width, height, depth, color_type, palette, b"")
    size = (image.row_bytes + 1) * height
    if size > _MOST_BYTES:
        raise UnreadableError("too large an image")
    try:
        data = zlib.decompressobj().decompress(b"".join(packed), size)
    except zlib.error:
        raise UnreadableError("damaged data") from None
    if len(data) != size:
        raise UnreadableError("incomplete data")
    return Image(width, height, depth, color_type, palette, data)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        at += length + 12


def rows(image: Image) -> Iterator[bytes]:
    """Return the rows as they are without the filters. Raises UnreadableError."""
    size = image.row_bytes
    step = max(1, image.channels * image.depth // 8)
    before = bytes(size)
    low, high = (int.from_bytes(bytes([part]) * size, "little") for part in (0x7F, 0x80))
    for start in range(0, len(image.data), size + 1):
        kind, row = image.data[start], image.data[start + 1 : start + 1 + size]
        if kind == 1:
            row = _summed(row, step, low, high)
        elif kind == 2:
            row = _added(row, before, low, high)
        elif kind in (3, 4):
            row = _predicted(row, before, step, kind)
        elif kind != 0:
            raise UnreadableError("an unknown filter")
        yield row
        before = row


def _added(row: bytes, before: bytes, low: int, high: int) -> bytes:
    """Add two rows byte by byte; carries stay within their byte."""
    a, b = int.from_bytes(row, "little"), int.from_bytes(before, "little")
    return _lanes(a, b, low, high).to_bytes(len(row), "little")


def _lanes(a: int, b: int, low: int, high: int) -> int:
    return ((a & low) + (b & low)) ^ ((a ^ b) & high)


def _summed(row: bytes, step: int, low: int, high: int) -> bytes:
    """Add to every byte all those before it that are a multiple of ``step`` away, doubling the stride."""
    total, every = int.from_bytes(row, "little"), low | high
    while step < len(row):
        total = _lanes(total, (total << (8 * step)) & every, low, high)
        step *= 2
    return total.to_bytes(len(row), "little")


def _predicted(row: bytes, before: bytes, step: int, kind: int) -> bytes:
    """Undo the filters Average (3) and Paeth (4), which look at what was just undone."""
    here = bytearray(row)
    for place, value in enumerate(row):
        left = here[place - step] if place >= step else 0
        up = before[place]
        if kind == 3:
            guess = (left + up) // 2
        else:
            corner = before[place - step] if place >= step else 0
            guess = _paeth(left, up, corner)
        here[place] = (value + guess) & 0xFF
    return bytes(here)


def _paeth(left: int, up: int, corner: int) -> int:
    by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner


def where_color(image: Image, color: tuple[int, int, int]) -> Iterator[bytes]:
    """Return rows of one byte a pixel: 255 where the image has ``color``, else 0."""
    if image.color_type in (2, 6):
        return _where_rgb(image, color)
    return _where_gray(image, color)


def _where_rgb(image: Image, color: tuple[int, int, int]) -> Iterator[bytes]:
    width = image.depth // 8
    step = image.channels * width
    tables = [_only(part) for part in color]
    for row in rows(image):
        found = (1 << (8 * image.width)) - 1
        for channel, table in enumerate(tables):
            found &= int.from_bytes(row[channel * width :: step].translate(table), "little")
        yield found.to_bytes(image.width, "little")


def _where_gray(image: Image, color: tuple[int, int, int]) -> Iterator[bytes]:
    """Gray, with or without alpha, or an index into the palette."""
    if image.color_type == 3:
        colors = [tuple(image.palette[at : at + 3]) for at in range(0, len(image.palette) - 2, 3)]
        table = _only(*(place for place, each in enumerate(colors) if each == color))
    elif len(set(color)) > 1:
        table = bytes(256)
    else:
        most = (1 << min(image.depth, 8)) - 1
        table = _only(*(value for value in range(most + 1) if value * 255 // most == color[0]))
    step = max(1, image.channels * image.depth // 8)
    for row in rows(image):
        samples = row[::step] if image.depth >= 8 else _unpacked(row, image.depth)
        yield samples.translate(table)[: image.width]


def _unpacked(row: bytes, depth: int) -> bytes:
    mask, shifts = (1 << depth) - 1, range(8 - depth, -1, -depth)
    return bytes((byte >> shift) & mask for byte in row for shift in shifts)


def _only(*values: int) -> bytes:
    """A table that maps these bytes to 255 and all others to 0."""
    return bytes(255 if value in values else 0 for value in range(256))


def write(width: int, height: int, gray: Iterable[bytes]) -> bytes:
    """Return a PNG image of rows of one byte a pixel."""
    packer = zlib.compressobj(6)
    packed = b"".join(packer.compress(b"\0" + row) for row in gray) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
