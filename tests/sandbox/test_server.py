"""The sandbox on a port: who can reach it, how it starts and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from lbstack.sandbox.seed import open_store
from lbstack.sandbox.server import running, serve
from tests import loopback

SERVE = """if True:
    import sys, pathlib
    from lbstack.sandbox.server import serve
    def ready(endpoint, key):
        print(endpoint, key, sep="\\n", flush=True)
    serve(data=pathlib.Path(sys.argv[1]), on_ready=ready)
    print("ended", flush=True)
"""


def ask(endpoint: str, key: str, query: str) -> httpx2.Response:
    headers = {"authorization": f"Bearer {key}"}
    return loopback.post(endpoint, json={"query": query}, headers=headers)


def test_it_serves_until_it_is_told_to_stop_and_keeps_what_was_written(tmp_path: Path) -> None:
    keys = []
    for expected, number in enumerate((signal.SIGINT, signal.SIGTERM), 1):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        assert process.stdout is not None
        endpoint, key = (process.stdout.readline().strip() for _ in range(2))
        assert endpoint.startswith("http://127.0.0.1:")
        assert endpoint.endswith("/graphql")
        answer = ask(endpoint, key, 'mutation { createDataset(data: {name: "x"}) { id } }')
        assert answer.status_code == 200
        assert len(answer.headers.get_list("date")) == 1
        found = ask(endpoint, key, "{ datasets { id } }").json()["data"]["datasets"]
        assert len(found) == expected
        process.send_signal(number)
        assert process.stdout.read() == "ended\n"
        assert process.wait(timeout=10) == 0
        keys.append(key)
    assert keys[0] == keys[1]
    assert open_store(tmp_path).value("SELECT count(*) FROM datasets") == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com"])
def test_addresses_that_others_can_reach_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match="not a loopback address"):
        serve(host=host)


def test_it_runs_in_a_thread_for_the_length_of_a_block() -> None:
    with running() as (endpoint, key):
        assert ask(endpoint, key, "{ user { id } }").status_code == 200
    with pytest.raises(httpx2.ConnectError):
        ask(endpoint, key, "{ user { id } }")
