"""Buckets for states: what each holder of objects says and minds. S3 is a real server (moto) behind one that
misbehaves; Google's and Azure's, which nobody gives away, are in `google` and `azure`."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from lbstack.state.cell import Version
from tests import loopback
from tests.remote.misbehaving import Answer, Asked, Server

BUCKET = "states"
PREFIXES = ("AWS_", "AZURE_", "GOOGLE_")
PASSED = ("content-type", "etag", "last-modified", "x-amz-version-id")
LONG_AGO = "Thu, 01 Jan 2026 00:00:00 GMT"
CREATE, MATCH = "create", "match"
"""The conditions that a write may have: nothing is there, or what is there is this version."""


def xml(status: int, code: str, message: str = "") -> Answer:
    """An error, in the form that all of them share."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, body.encode(), {"content-type": "application/xml"})


CONFLICT = xml(409, "ConditionalRequestConflict")
DENIED = xml(403, "AccessDenied")
EXPIRED = xml(400, "ExpiredToken", "AKIDEXAMPLE has expired")


@dataclass(frozen=True)
class Words:
    """How a store refuses: two writes that met, a condition that does not hold, somebody who may not, or no
    longer may. `keys` are the variables that are to be checked then, `number` the header of a version."""

    conflict: Answer
    refused: Answer
    denied: Answer
    expired: Answer
    keys: str
    number: str = ""


AMAZON = Words(
    CONFLICT, xml(412, "PreconditionFailed"), DENIED, EXPIRED, "AWS_ACCESS_KEY_ID", "x-amz-version-id"
)


@dataclass
class Bucket:
    """Where states can lie, and what is needed to get there; `wrong` is what does not lead there.
    Conditions in `ignored` are not minded."""

    server: Server
    environ: dict[str, str]
    scheme: str = "s3"
    words: Words = AMAZON
    secrets: tuple[str, ...] = ("storage-secret-of-the-test",)
    ignored: set[str] = field(default_factory=set)
    wrong: dict[str, str] = field(default_factory=dict)

    def url(self, key: str = "team/state.json") -> str:
        return f"{self.scheme}://{BUCKET}/{key}"

    def stale(self, data: bytes, version: Version) -> Answer:
        """What was there once, as an answer to whoever reads."""
        headers = {"etag": version.tag or "", "last-modified": LONG_AGO}
        return Answer(200, data, headers | ({self.words.number: version.number} if version.number else {}))


class Cloud:
    """A small holder of objects, each with the number of the write that put it there. It does not mind the
    conditions in `ignored`, and notes in `unknown` what it was asked and does not know."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, int]] = {}
        self.ignored: set[str] = set()
        self.unknown: list[str] = []
        self._guard = threading.Lock()
        self._last = 0
        self.server = Server(self._serve)

    def _serve(self, asked: Asked) -> Answer:
        raise NotImplementedError


@contextmanager
def s3_server() -> Iterator[str]:
    """Moto's S3 on loopback; its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def bucket(s3: str) -> Iterator[Bucket]:
    """An empty bucket behind a server that can be told to misbehave."""
    with loopback.client(base_url=s3, timeout=30) as client:
        client.post("/moto-api/reset")
        assert client.put(f"/{BUCKET}").status_code == 200

        ignored: set[str] = set()
        one = threading.Lock()  # moto looks at a condition and then writes; of two at once both may
        conditions = {"if-none-match": CREATE, "if-match": MATCH}

        def forward(asked: Asked) -> Answer:
            kept = ("content-type", "if-match", "if-none-match", "authorization", "x-amz-date")
            kept = tuple(name for name in kept if conditions.get(name) not in ignored)
            headers = {name: asked.headers[name] for name in kept if name in asked.headers}
            with one if asked.method == "PUT" else nullcontext():
                got = client.request(asked.method, asked.path, content=asked.body, headers=headers)
            passed = {name: got.headers[name] for name in PASSED if name in got.headers}
            return Answer(got.status_code, got.content, passed)

        with Server(forward).running() as server:
            yield Bucket(
                server,
                {
                    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                    "AWS_SECRET_ACCESS_KEY": "storage-secret-of-the-test",
                    "AWS_REGION": "us-east-1",
                    "AWS_ENDPOINT_URL": server.url,
                },
                ignored=ignored,
            )


@contextmanager
def surrounded(environ: dict[str, str]) -> Iterator[None]:
    """The process's own environment, from which the library of the stores takes credentials: these alone."""
    ours = {name: value for name, value in os.environ.items() if name.startswith(PREFIXES) or name in environ}
    for name in ours:
        del os.environ[name]
    os.environ.update(environ)
    try:
        yield
    finally:
        for name in environ:
            os.environ.pop(name, None)
        os.environ.update(ours)
