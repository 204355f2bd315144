"""A served sandbox that can be told to misbehave, asked over real sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from lbstack.sandbox.server import Served, misbehaving
from tests import loopback

NEW = "mutation ($name: String!) { createDataset(data: {name: $name}) { id name } }"
LIST = "{ datasets(where: {deleted: false}) { id name } }"


class Box:
    """A client of the sandbox, and its control port."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.base = served.endpoint.removesuffix("/graphql")
        self.headers = {"authorization": f"Bearer {served.key}"}
        self.client = loopback.client(headers=self.headers, timeout=20)
        self.control = loopback.client(
            base_url=served.control, headers={"authorization": f"Bearer {served.token}"}, timeout=30
        )

    def post(self, query: str, run: str = "", **variables: Any) -> httpx2.Response:
        """One GraphQL request, each over a connection of its own."""
        body = {"query": query, "variables": variables}
        headers = {**self.headers, "x-lbstack-run": run, "connection": "close"}
        return self.client.post(self.served.endpoint, json=body, headers=headers)

    def create(self, name: str = "x", run: str = "") -> httpx2.Response:
        return self.post(NEW, run, name=name)

    def names(self) -> list[str]:
        """The datasets there really are, whatever is wrong with answers."""
        rows = self.tell("GET", "/snapshot")["datasets"]
        return sorted(row["name"] for row in rows if not row["deleted"])

    def tell(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.control.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, method: str, path: str, body: Any = None) -> str:
        """What the control port says to what cannot be meant."""
        answer = self.control.request(method, path, json=body)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["message"])

    def fault(self, at: str, *do: dict[str, Any], **match: Any) -> None:
        """Let this be the only thing that goes wrong."""
        self.tell("PUT", "/faults", [{"match": match, "at": at, "do": list(do)}])

    def outcomes(self) -> list[tuple[str, str]]:
        return [(entry["op"], entry["outcome"]) for entry in self.tell("GET", "/ledger")]

    def raw(self, query: str = LIST, **variables: Any) -> Raw:
        body = json.dumps({"query": query, "variables": variables}).encode()
        return Raw(self.served.endpoint, self.headers["authorization"], body)


class Raw:
    """One request over a plain socket, and everything that came back."""

    def __init__(self, url: str, authorization: str, body: bytes, *, sent: int | None = None) -> None:
        parts = urlsplit(url)
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: {authorization}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        self.received = b""
        self.end = ""
        self.sock = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)
        self.sock.sendall(head + body[:sent])

    def read(self) -> Raw:
        """Read until the connection ends, and say how: ``fin``, ``rst``, or ``open`` after a while."""
        try:
            while chunk := self.sock.recv(65_536):
                self.received += chunk
            self.end = "fin"
        except ConnectionResetError:
            self.end = "rst"
        finally:
            self.sock.close()
        return self

    @property
    def body(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[2]


@contextmanager
def controlled(data: Path | None = None, **more: Any) -> Iterator[Box]:
    with misbehaving(data, **more) as served:
        box = Box(served)
        try:
            yield box
        finally:
            box.client.close()
            box.control.close()
