"""Over real sockets: where the key goes, how far a request got, and how much of an answer is taken."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import ssl
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lbstack.api import http as over
from lbstack.api.outcomes import Unreachable
from lbstack.api.rate import UNLIMITED, Limiter
from lbstack.api.wire import ApiWire
from lbstack.errors import NotExecuted, OutcomeUnknown, ServiceError, StackError, UsageError
from tests.api.sockets import Server, certificate, http

READ, WRITE = "query { a { id } }", "mutation { a { id } }"
PROXIES = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def asked(url: str, *works: Callable[[ApiWire], Any]) -> list[Any]:
    """What each piece of work gives, or what it raises, over one wire."""

    async def no_sleep(seconds: float) -> None:
        await asyncio.sleep(0)

    async def run() -> list[Any]:
        async with ApiWire(url, "the-key", limiter=Limiter(UNLIMITED, sleep=no_sleep)) as wire:
            told: list[Any] = []
            for work in works:
                try:
                    told.append(await work(wire))
                except StackError as error:
                    told.append(error)
            return told

    return asyncio.run(run())


def read(wire: ApiWire) -> Any:
    return wire.query(READ)


def write(wire: ApiWire) -> Any:
    return wire.mutate(WRITE)


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


# -- where the key goes ---------------------------------------------------------------------------


def test_redirects_are_not_followed() -> None:
    with Server(http()).running() as other:
        for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
            answer = http(b"", status, f"Location: {other.url()}")
            with Server(answer).running() as server:
                reading, writing = asked(server.url(), read, write)
                assert type(reading) is ServiceError
                assert type(writing) is OutcomeUnknown
                assert len(server.requests) == 2
        assert other.connections == []


def test_netrc_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text(
        "machine 127.0.0.1 login somebody password else\ndefault login a password b\n"
    )
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with Server(http()).running() as server:
        asked(server.url(), read, write)
        for request in server.requests:
            assert request.lower().count(b"authorization: ") == 1
            assert b"authorization: bearer the-key" in request.lower()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_what_is_not_encrypted_goes_through_no_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(http()).running() as proxy, Server(http()).running() as server:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert asked(server.url(), read, write) == [{"a": {"id": "1"}}] * 2
        assert proxy.connections == []


def test_a_proxy_sees_nothing_of_what_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(http(b"", "403 Forbidden")).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        (writing,) = asked("https://labelbox.example/graphql", write)
        assert type(writing) is Unreachable  # it let nobody through, so nothing was sent
        assert proxy.requests
        assert all(request.startswith(b"CONNECT labelbox.example:443 ") for request in proxy.requests)
        assert not any(b"the-key" in request for request in proxy.requests)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "gopher://127.0.0.1", "://"])
def test_a_proxy_that_cannot_be_used_is_told(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(UsageError, match="environment"):
        ApiWire("https://labelbox.example/graphql", "the-key")


def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with Server(http(), tls=context).running() as server:
        (writing,) = asked(server.url("https"), write)
        assert type(writing) is Unreachable
        assert "certificate" in str(writing)
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        assert asked(server.url("https"), read, write) == [{"a": {"id": "1"}}] * 2


def test_nothing_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Server(http(b'{"data": {"a": {"id": "an-answer"}}}')).running() as server:
        asked(server.url(), lambda wire: wire.mutate(WRITE, secret="hunter2"))
    told = caplog.text + "".join(str(record.args) for record in caplog.records)
    assert caplog.records
    assert not [word for word in ("the-key", "hunter2", "an-answer") if word in told]


# -- how far a request got ------------------------------------------------------------------------


def test_a_mutation_has_a_connection_of_its_own_and_reads_share_one() -> None:
    with Server(http()).running() as server:
        asked(server.url(), read, read, write, write, lambda wire: wire.rest("DELETE", "/x"), read)
        assert sorted(len(requests) for requests in server.connections) == [1, 1, 1, 3]


def test_a_connection_that_died_idle_costs_a_read_another_try() -> None:
    with Server(http(), b"", http()).running() as server:
        assert asked(server.url(), read, read) == [{"a": {"id": "1"}}] * 2


def test_where_nobody_listens_nothing_was_sent_and_it_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/graphql"
        reading, writing = asked(url, read, write)
    for told in (reading, writing):
        assert isinstance(told, NotExecuted)
        assert "cannot be reached" in str(told)


@pytest.mark.parametrize(
    "answer",
    [b"", reset, b"HTTP/1.1 200 OK\r\nContent-Le", b"no HTTP at all\r\n\r\n", http()[:-5], http(b"")[:-2]],
    ids=["fin", "rst", "half a head", "no HTTP", "half a body", "no end of the head"],
)
def test_what_is_broken_off_is_unknown_and_not_sent_again(answer: Any) -> None:
    def ended(client: socket.socket) -> None:
        client.sendall(answer)
        client.close()

    with Server(ended if isinstance(answer, bytes) and answer else answer).running() as server:
        (writing,) = asked(server.url(), write)
        assert type(writing) is OutcomeUnknown
        assert len(server.requests) == 1


# -- how much of an answer is taken ---------------------------------------------------------------


def gzipped(size: int) -> bytes:
    body = gzip.compress(b'{"data": {"a": {"id": "' + b"x" * size + b'"}}}', 1)
    return http(body, "200 OK", "Content-Encoding: gzip")


def test_an_answer_may_be_packed() -> None:
    with Server(gzipped(3)).running() as server:
        assert asked(server.url(), write) == [{"a": {"id": "xxx"}}]


@pytest.mark.parametrize("packed", [True, False])
def test_an_answer_that_is_too_large_is_not_taken(packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over, "LARGEST", 2**20)
    answer = gzipped(2**23) if packed else http(b"x" * 2**23)
    with Server(answer).running() as server:
        (writing,) = asked(server.url(), write)
        assert type(writing) is OutcomeUnknown
        assert "larger than 1 MB" in str(writing)


def test_what_cannot_be_unpacked_is_unknown() -> None:
    with Server(http(b"\x1f\x8b\x08\x00nonsense", "200 OK", "Content-Encoding: gzip")).running() as server:
        (writing,) = asked(server.url(), write)
        assert type(writing) is OutcomeUnknown


def test_an_answer_that_drips_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over, "DEADLINE", 0.3)

    def drip(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            client.sendall(b" ")
            time.sleep(0.05)

    with Server(drip).running() as server:
        (writing,) = asked(server.url(), write)
        assert type(writing) is OutcomeUnknown
        assert "in time" in str(writing)
