"""A proxy before a served sandbox that hands requests on and loses answers, as a bad network does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests import loopback

ANSWERS: dict[str, tuple[int, bytes]] = {
    "a 502": (502, b"<html>Bad Gateway</html>"),
    "garbage": (200, b"\x00garbage"),
    "a web page": (200, b"<html>Sign in</html>"),
    "a list": (200, b"[]"),
    "null": (200, b'{"data": null}'),
    "a null root": (200, b'{"data": {"createDataset": null}}'),
}
"""What comes back instead of the answer; ``nothing`` closes the connection."""


@contextmanager
def losing(endpoint: str, operation: str, answer: str, once: bool = False) -> Iterator[str]:
    """The endpoint of a proxy that carries every request out, but loses the answers to one operation.

    With ``nothing, unsent`` that operation does not even arrive; `once`: only the first one is lost.
    """
    left = [1 if once else sys.maxsize]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: self.headers[name] for name in ("Authorization", "Content-Type")}
            base = endpoint.removesuffix("/graphql")
            lost = operation.encode() in body and left[0] > 0
            left[0] -= lost
            if not (lost and answer.endswith("unsent")):
                real = loopback.post(base + self.path, content=body, headers=headers)
            if lost and answer.startswith("nothing"):
                self.close_connection = True
                return
            status, content = ANSWERS[answer] if lost else (real.status_code, real.content)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/graphql"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
