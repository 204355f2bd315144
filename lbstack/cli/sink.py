"""The one way out: standard output and standard error without any known secret.

The streams themselves are replaced, once, below everything that prints: commands, progress bars, JSON,
libraries, warnings, tracebacks. So nothing has to remember to redact, and nothing can forget it. What is
searched are bytes as they leave, so that a secret is found whatever pieces it was written in.
"""

from __future__ import annotations

import io
import re
import sys
import threading
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from lbstack.redaction import HIDDEN, LONG, count, spellings


def install() -> None:
    """Put the sink before both streams; they keep their encodings, and text that these lack is escaped:
    it must not end an apply."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream.buffer, Sink):
            stream.flush()
            sink = Sink(stream.buffer, stream.encoding)
            sink.replaced = stream  # which nobody else may hold, and which closes what is below when it goes
            setattr(
                sys,
                name,
                io.TextIOWrapper(
                    sink,
                    encoding=stream.encoding,
                    errors="backslashreplace",
                    line_buffering=stream.line_buffering,
                    write_through=stream.write_through,
                ),
            )


def finish() -> None:
    """Let out what was kept back, since nothing follows."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        below = getattr(stream, "buffer", None)
        if isinstance(below, Sink):
            below.finish()


class Sink(io.BufferedIOBase):
    """A stream of bytes that passes on what it is given, known secrets hidden.

    The end of what was written is kept back as long as it may be the beginning of a secret; the end of a
    line hardly ever is.
    """

    replaced: io.TextIOWrapper | None = None

    def __init__(self, inner: BinaryIO, encoding: str) -> None:
        self._inner = inner
        self._encoding = encoding
        self._kept = b""
        self._hidden = HIDDEN.encode(encoding, "backslashreplace")
        self._lock = threading.RLock()
        self._known = 0
        self._needles: list[bytes] = []
        self._longest = 0
        self._pattern: re.Pattern[bytes] | None = None
        self._inside: frozenset[int] = frozenset()

    def write(self, data: Any) -> int:
        """Pass on everything but secrets, and what may become one."""
        with self._lock:  # a progress bar has a thread of its own
            self._learn()
            self._pass_on(self._kept + bytes(data))
        return len(data)

    def _learn(self) -> None:
        if self._known == count():
            return
        self._known = count()
        self._needles = sorted(text.encode(self._encoding, "backslashreplace") for text in spellings(LONG))
        self._longest = max(map(len, self._needles), default=0)
        self._pattern = None
        self._inside = frozenset().union(*(needle[:-1] for needle in self._needles))

    def _found(self, data: bytes) -> Iterator[re.Match[bytes]]:
        """Secrets in the data, at each place the longest. Mostly there is none, and to look for each takes
        less time than to make the pattern of all."""
        if not any(needle in data for needle in self._needles):
            return iter(())
        if self._pattern is None:
            longest = sorted(self._needles, key=len, reverse=True)
            self._pattern = re.compile(b"|".join(map(re.escape, longest)))
        return self._pattern.finditer(data)

    def _pass_on(self, data: bytes) -> None:
        if not self._needles:
            self._kept = b""
            self._inner.write(data)
            return
        ready, place, end = [], 0, len(data) - self._unfinished(data)
        for found in self._found(data):
            if found.start() >= end:
                break
            ready += [data[place : found.start()], self._hidden]
            place = found.end()
        if place > end:  # what looked unfinished belonged to a whole one
            end = len(data) - self._unfinished(data[place:])
        ready.append(data[place:end])
        self._kept = data[end:]
        self._inner.write(b"".join(ready))

    def _unfinished(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a secret."""
        if not data or data[-1] not in self._inside:
            return 0
        for length in range(min(len(data), self._longest - 1), 0, -1):
            end = data[-length:]
            # In their order those that begin so follow each other, after the one that is no longer.
            place = bisect_right(self._needles, end)
            if place < len(self._needles) and self._needles[place].startswith(end):
                return length
        return 0

    def finish(self) -> None:
        """Nothing follows: what was kept back is let out, unless it shows much of a secret."""
        with self._lock:
            kept, self._kept = self._kept, b""
            self._inner.write(self._hidden if len(kept) >= LONG else kept)
        self._inner.flush()

    def flush(self) -> None:
        self._inner.flush()

    def close(self) -> None:
        """The stream below is not ours to close."""
        with suppress(OSError, ValueError):
            self.finish()
            super().close()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._inner.isatty()

    def fileno(self) -> int:
        return self._inner.fileno()

    @property
    def name(self) -> Any:
        """The name of the stream below."""
        return getattr(self._inner, "name", None)
