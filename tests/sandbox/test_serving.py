"""How the sandbox is served: who waits for whom, odd clients, where it listens, data it cannot read."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx2
import pytest
from controlling import LIST, NEW, Raw
from workspace import Workspace

from lbstack.sandbox.seed import open_store
from lbstack.sandbox.server import running
from lbstack.sandbox.turns import Turns
from tests import loopback
from tests.nursery import Nursery, bare


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/graphql", "/_gql"])
def test_only_posts_are_answered(box: Workspace, method: str, path: str) -> None:
    answer = box.client.request(method, path, headers=box.headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "gzip, gzip", "nonsense"])
def test_a_body_that_is_not_sent_as_it_is_is_refused(box: Workspace, coding: str) -> None:
    head = {**box.headers, "content-encoding": coding, "content-type": "application/json"}
    answer = box.client.post("/graphql", content=b"\x1f\x8b\x00", headers=head)
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_json_is_utf_8(box: Workspace) -> None:
    for charset, status in (("utf-8", 200), ('"UTF-8"', 200), ("latin-1", 415)):
        head = {**box.headers, "content-type": f"application/json; charset={charset}"}
        body = b'{"query": "{ user { id } }"}'
        assert box.client.post("/graphql", content=body, headers=head).status_code == status


def test_slow_clients_hold_nobody_up_nor_the_end(tmp_path: Path) -> None:
    with running(tmp_path) as (endpoint, key):
        head = f"Bearer {key}"
        halves = [Raw(endpoint, head, b'{"query": "{ user { id } }"}', sent=5) for _ in range(40)]
        hosts = httpx2.URL(endpoint)
        bare = [socket.create_connection((hosts.host, hosts.port or 0)) for _ in range(40)]
        for each in bare:
            each.sendall(b"POST /graphql HTT")
        body = {"query": NEW, "variables": {"name": "x"}}
        assert loopback.post(endpoint, json=body, headers={"authorization": head}).status_code == 200
        for half in halves[:20]:
            half.sock.close()
        assert (
            loopback.post(endpoint, json={"query": LIST}, headers={"authorization": head}).status_code == 200
        )
        for open_one in [*(half.sock for half in halves), *bare]:
            open_one.close()
    assert open_store(tmp_path).value("SELECT count(*) FROM datasets") == 1


def test_a_lock_goes_to_whoever_has_waited_longest() -> None:
    turns, order = Turns(), []
    started = [threading.Event() for _ in range(10)]

    def take(number: int) -> None:
        started[number].set()
        with turns, turns:
            order.append(number)

    threads = []
    with turns:
        for number in range(10):
            thread = threading.Thread(target=take, args=(number,))
            thread.start()
            threads.append(thread)
            while len(turns._queue) <= number:
                started[number].wait()
    for thread in threads:
        thread.join()
    assert order == list(range(10))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com"])
def test_serving_to_others_must_be_forced(nursery: Nursery, tmp_path: Path, host: str) -> None:
    done = nursery.run(["sandbox", "serve", "--host", host], tmp_path, bare())
    assert done.returncode == 64
    assert "not a loopback address" in done.stderr
    assert "no place for real data" in done.stderr
    assert "--allow-remote" in done.stderr


def test_it_prints_endpoint_and_key_and_then_the_control_port(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lbstack", "sandbox", "serve", "--port", "0", "--faults", "--data", "d"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    assert process.stderr is not None
    endpoint, key, control, token = (process.stdout.readline().strip() for _ in range(4))
    assert endpoint.startswith("http://127.0.0.1:")
    assert control.startswith("control http://127.0.0.1:")
    assert token.startswith("token ")
    address, opens = control.split()[1], {"authorization": f"Bearer {token.split()[1]}"}
    assert loopback.get(f"{address}/ledger", headers=opens).json() == []
    asked = loopback.post(endpoint, json={"query": LIST}, headers={"authorization": f"Bearer {key}"})
    assert asked.json() == {"data": {"datasets": []}}
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert "no place for real data" in process.stderr.read()


@pytest.mark.parametrize("spoilt", ["format", "bytes"])
def test_data_that_cannot_be_read_is_an_error_with_a_way_out(
    nursery: Nursery, tmp_path: Path, spoilt: str
) -> None:
    data = tmp_path / ".lbstack"
    store = open_store(data)
    file = store.path
    assert file is not None
    store.run("PRAGMA user_version = 99")
    store.close()
    if spoilt == "bytes":
        file.write_bytes(b"no database " * 1000)
    (tmp_path / "s.yaml").write_text("stack: s\ndatasets:\n  a: {name: a}\n")
    for words in (
        ("sandbox", "serve", "--port", "0"),
        ("sandbox", "aws", "list"),
        ("plan", "s.yaml", "--sandbox"),
    ):
        done = nursery.run(words, tmp_path, bare())
        assert done.returncode == 7, done.stderr
        assert "lbstack sandbox reset" in done.stderr
        assert "Traceback" not in done.stderr
    assert nursery.run(["sandbox", "reset", "--auto-approve"], tmp_path, bare()).returncode == 0
    assert nursery.run(["sandbox", "aws", "list"], tmp_path, bare()).returncode == 0
