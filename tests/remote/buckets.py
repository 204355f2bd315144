"""A real S3 server (moto), and one in front of it that misbehaves."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests import loopback
from tests.remote.misbehaving import Answer, Asked, Server

BUCKET = "states"
PASSED = ("content-type", "etag", "last-modified", "x-amz-version-id")
CONFLICT = Answer(
    409, b"<Error><Code>ConditionalRequestConflict</Code></Error>", {"content-type": "application/xml"}
)
DENIED = Answer(
    403, b"<Error><Code>AccessDenied</Code></Error>", {"content-type": "application/xml"}
)  # fmt: skip
EXPIRED = Answer(
    400,
    b"<Error><Code>ExpiredToken</Code><Message>AKIDEXAMPLE has expired</Message></Error>",
    {"content-type": "application/xml"},
)


@dataclass
class Bucket:
    """Where states can lie, and what is needed to get there."""

    server: Server
    environ: dict[str, str]

    def url(self, key: str = "team/state.json") -> str:
        return f"s3://{BUCKET}/{key}"


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

        def forward(asked: Asked) -> Answer:
            kept = ("content-type", "if-match", "if-none-match", "authorization", "x-amz-date")
            headers = {name: asked.headers[name] for name in kept if name in asked.headers}
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
            )


@contextmanager
def surrounded(environ: dict[str, str]) -> Iterator[None]:
    """The process's own environment, from which the library of the stores takes credentials."""
    before = {name: os.environ.get(name) for name in environ}
    os.environ.update(environ)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
