"""Servers of the tests that can be told to go wrong: what, at which request, and how often."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

LOSE = "lose"
"""Do what was asked, and never answer."""


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]


def name_of(asked: Asked) -> str:
    """The path that was asked for, however it was spelled."""
    return unquote(asked.path.partition("?")[0])


@dataclass
class Fault:
    """What happens to the next `times` requests of a method whose path ends so; `first` of them go well.

    `do` is `LOSE`, an answer given instead of asking, or a function of the request and of what answers it.
    """

    method: str
    do: str | Answer | Callable[[Asked, Callable[[Asked], Answer]], Answer | None]
    times: int = 1
    first: int = 0
    ending: str = ""


class Server:
    """A server on loopback whose `serve` answers, and its faults."""

    def __init__(self, serve: Callable[[Asked], Answer]) -> None:
        self._serve = serve
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self._guard = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer is one packet, which nobody waits for

            def handle_any(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                asked = Asked(
                    self.command,
                    self.path,
                    self.rfile.read(length),
                    {name.lower(): value for name, value in self.headers.items()},
                )
                answer = outer.answer(asked)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status not in (204, 304) and "content-length" not in answer.headers:
                    self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_LOCK = do_UNLOCK = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                """A client that was killed is part of the story."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, asked: Asked) -> Answer | None:
        with self._guard:
            self.asked.append(asked)
            fault = next((f for f in self.faults if self._meets(f, asked)), None)
        if fault is None:
            return self._serve(asked)
        if fault.do == LOSE:
            self._serve(asked)
            return None
        if isinstance(fault.do, Answer):
            return fault.do
        assert not isinstance(fault.do, str)
        return fault.do(asked, self._serve)

    @staticmethod
    def _meets(fault: Fault, asked: Asked) -> bool:
        """Whether this request is hit; what it counts down is held by the caller's lock."""
        if asked.method != fault.method or not name_of(asked).endswith(fault.ending):
            return False
        if fault.first or not fault.times:
            fault.first = max(0, fault.first - 1)
            return False
        fault.times -= 1
        return True

    def count(self, method: str, ending: str = "") -> int:
        return sum(asked.method == method and name_of(asked).endswith(ending) for asked in self.asked)

    @contextmanager
    def running(self) -> Iterator[Server]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
