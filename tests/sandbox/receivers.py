"""Somebody who listens to webhooks: an HTTP server that says what it got and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 20.0  # seconds before a test gives up; none of them takes so long when things are well


@dataclass(frozen=True)
class Got:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """What arrived at one port. ``answers`` are statuses for the next requests, 200 when it is empty.

    A status of 0 closes the connection without an answer. While ``open`` is cleared nobody is answered.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.got: list[Got] = []
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        self.open = threading.Event()
        self.open.set()
        self._changed = threading.Condition()

    def take(self, got: Got) -> int:
        with self._changed:
            self.got.append(got)
            status = self.answers.pop(0) if self.answers else 200
            self._changed.notify_all()
        assert self.open.wait(PATIENCE)
        return status

    def wait(self, count: int) -> list[Got]:
        """Wait until ``count`` requests have arrived, and return all that did."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.got) >= count, PATIENCE), self.got
            return list(self.got)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.take(Got(self.path, headers, body))
            if status:
                self.send_response(status)
                for name, value in {"content-length": "2", **receiver.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"ok")

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.open.set()
        server.shutdown()
        server.server_close()
        thread.join()
