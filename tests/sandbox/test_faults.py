"""What can go wrong, at each moment, over real sockets: what the client sees, and what the ledger says."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from controlling import LIST, NEW, Box, controlled

from lbstack.sandbox.faults.waits import Waits
from tests import loopback

OP = {"op": "createDataset"}
READS = {"type": "query"}


@pytest.fixture(scope="module")
def served() -> Iterator[Box]:
    with controlled() as box:
        yield box


@pytest.fixture
def box(served: Box) -> Box:
    served.tell("POST", "/reset", {})
    return served


# What a client sees of a create, whether it happened, and what the ledger says of it.
CUT_OFF = [
    ("accept", "rst", 0, []),
    ("accept", "fin", 0, []),
    ("after_headers", "rst", 0, []),
    ("before_exec", "fin", 0, []),
    ("before_commit", "rst", 0, []),
    ("before_commit", "fin", 0, []),
    ("after_commit", "rst", 1, ["lost"]),
    ("after_commit", "fin", 1, ["lost"]),
    ("mid_body", "rst", 1, ["lost"]),
    ("mid_body", "fin", 1, ["lost"]),
    ("after_body", "fin", 1, ["delivered"]),
]


@pytest.mark.parametrize(("at", "how", "made", "outcomes"), CUT_OFF)
def test_a_connection_ends_at_a_moment(box: Box, at: str, how: str, made: int, outcomes: list[str]) -> None:
    box.fault(at, {"close": how}, **OP)
    answer = box.raw(NEW, name="x").read()
    assert answer.end == how
    whole = {"after_body"}
    assert bool(answer.received) == (at in {"mid_body", *whole})
    if at in whole:
        assert json.loads(answer.body)["data"]["createDataset"]["name"] == "x"
    else:
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.body)
    assert len(box.names()) == made
    assert [outcome for _, outcome in box.outcomes()] == outcomes


class Complaints(logging.Handler):
    """What a server logs."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(self.format(record))


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    handler, logger = Complaints(), logging.getLogger("uvicorn.error")
    logger.addHandler(handler)
    yield handler.told
    logger.removeHandler(handler)


@pytest.mark.parametrize("how", ["rst", "fin"])
@pytest.mark.parametrize("at", ["before_exec", "after_commit"])
def test_nobody_complains_of_a_client_that_has_left_by_then(
    box: Box, complaints: list[str], at: str, how: str
) -> None:
    box.fault(at, {"barrier": f"{at}-{how}"}, {"close": how}, **OP)
    client = box.raw(NEW, name="x")
    assert box.tell("GET", f"/barrier/{at}-{how}?waiting=1&seconds=20")["waiting"] == 1
    client.sock.close()
    for _ in range(3):  # whoever is answered now comes after that
        box.tell("GET", "/requests")
    box.tell("POST", f"/barrier/{at}-{how}/release")
    while not (told := box.tell("GET", "/requests")[-1])["outcome"]:
        pass
    assert told["outcome"] == "lost"
    assert len(box.names()) == (at == "after_commit")
    assert complaints == []


@pytest.mark.parametrize("at", ["before_exec", "before_commit", "after_commit", "mid_body"])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 520])
def test_a_proxy_answers_in_the_services_place(box: Box, at: str, status: int) -> None:
    headers = {"Retry-After": "7"}
    box.fault(at, {"http": {"status": status, "body": "no", "headers": headers}}, **OP)
    answer = box.create()
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (status, "no", "7")
    assert len(box.names()) == (at in ("after_commit", "mid_body"))


def test_other_requests_are_left_alone(box: Box) -> None:
    box.fault("before_exec", {"http": {"status": 502}}, **OP, nth=2)
    assert [box.create(name).status_code for name in ("a", "b", "c")] == [200, 502, 200]
    assert box.post(LIST).status_code == 200
    (rule,) = box.tell("GET", "/faults")
    assert (rule["matched"], rule["hit"]) == (3, 1)


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({"every": 2}, "bd"),
        ({"max": 2}, "ab"),
        ({"p": 0}, ""),
        ({"p": 1}, "abcd"),
        ({"name_re": "^[bc]$"}, "bc"),
        ({"kind": "dataset", "type": "mutation"}, "abcd"),
        ({"kind": "project"}, ""),
        ({"run": "r1"}, "ac"),
        ({"op": "createDataset", "every": 2, "max": 1}, "b"),
    ],
)
def test_a_rule_counts_what_it_fits(box: Box, match: dict[str, Any], hit: str) -> None:
    box.fault("before_exec", {"http": {"status": 502}}, **match)
    runs = ["r1", "r2", "r1", "r2"]
    answers = [box.create(name, run).status_code for name, run in zip("abcd", runs, strict=True)]
    assert "".join(name for name, status in zip("abcd", answers, strict=True) if status == 502) == hit


def test_the_same_seed_hits_the_same_requests(box: Box) -> None:
    def hits(seed: int) -> list[int]:
        rule = {"seed": seed, "match": {"p": 0.5}, "at": "before_exec", "do": [{"http": {"status": 503}}]}
        box.tell("PUT", "/faults", [rule])
        return [box.post(LIST).status_code for _ in range(12)]

    assert hits(1) == hits(1)
    assert {200, 503} == set(hits(1)) == set(hits(2))
    assert hits(1) != hits(2)


@pytest.mark.parametrize("path", ["root", "nested", ["createDataset", "name"]])
@pytest.mark.parametrize("data", ["null", "keep", "null_root"])
def test_an_error_stands_where_it_is_told(box: Box, path: Any, data: str) -> None:
    error = {
        "code": "INTERNAL_SERVER_ERROR",
        "message": "no",
        "inner_status": 503,
        "path": path,
        "data": data,
    }
    box.fault("after_commit", {"gql_error": error}, **OP)
    body = box.post('mutation { first: createDataset(data: {name: "x"}) { key: id } }').json()
    wanted = {"root": ["first"], "nested": ["first", "key"]}.get(str(path), path)
    (told,) = body["errors"]
    assert told["path"] == wanted
    assert told["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "exception": {"status": 503}}
    assert {"null": body["data"] is None, "keep": bool(body["data"] and body["data"]["first"]),
            "null_root": body["data"] == {"first": None}}[data]  # fmt: skip
    assert box.names() == ["x"]
    assert box.outcomes() == [("createDataset", "delivered" if data == "keep" else "lost")]


def test_an_error_before_the_commit_undoes_it(box: Box) -> None:
    box.fault("before_commit", {"gql_error": {"code": "RESOURCE_CONFLICT"}}, **OP)
    body = box.create().json()
    assert body["data"] == {"createDataset": None}
    assert body["errors"][0]["extensions"]["code"] == "RESOURCE_CONFLICT"
    assert (box.names(), box.outcomes()) == ([], [])


def test_extensions_are_dropped_and_variables_told_back(box: Box) -> None:
    box.fault("mid_body", {"gql_error": {"code": "X"}}, {"drop_extensions": True})
    assert "extensions" not in box.post(LIST).json()["errors"][0]
    box.fault("before_exec", {"echo_variables": True}, **OP)
    answer = box.create("hunter2")
    assert "hunter2" in answer.json()["errors"][0]["message"]
    assert (answer.status_code, box.names()) == (400, [])


GARBAGE = {
    "html": lambda body: body.startswith(b"<html>"),
    "empty": lambda body: body == b"",
    "bom": lambda body: body.startswith(b"\xef\xbb\xbf{"),
    "bad_utf8": lambda body: b"\xff" in body,
    "nan": lambda body: b"NaN" in body,
    "deep:50000": lambda body: b"[" * 50_000 in body,
    "huge:2MiB": lambda body: len(body) > 2 * 2**20,
    "two_json": lambda body: body.count(b'{"data"') == 2,
    "bad_gzip": lambda body: body.startswith(b"\x1f\x8b"),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_what_it_says(box: Box, kind: str) -> None:
    box.fault("after_commit", {"garbage": kind}, **READS)
    head = {**box.headers, "accept-encoding": "identity"}
    with httpx2.stream("POST", box.served.endpoint, json={"query": LIST}, headers=head) as answer:
        body = b"".join(answer.iter_raw())
    assert GARBAGE[kind](body)
    assert answer.headers.get("content-encoding") == ("gzip" if kind == "bad_gzip" else None)


def test_a_length_can_be_wrong(box: Box) -> None:
    box.fault("after_commit", {"garbage": "wrong_length"}, **READS)
    answer = box.raw().read()
    head, _, body = answer.received.partition(b"\r\n\r\n")
    assert f"content-length: {len(body) - 5}".encode() in head


@pytest.mark.parametrize("size", [0, 1, 10])
def test_a_body_is_cut_short(box: Box, size: int) -> None:
    box.fault("mid_body", {"truncate_body": size}, **OP)
    answer = box.raw(NEW, name="x").read()
    assert (len(answer.body), answer.end) == (size, "fin")
    assert (box.names(), box.outcomes()) == (["x"], [("createDataset", "lost")])


def test_a_body_comes_in_pieces_and_is_whole(box: Box) -> None:
    box.fault("mid_body", {"chunk_ms": 1}, **OP)
    assert box.create("x").json()["data"]["createDataset"]["name"] == "x"
    assert box.outcomes() == [("createDataset", "delivered")]


def test_a_replayed_request_is_carried_out_again(box: Box) -> None:
    box.fault("before_exec", {"replay": 2}, **OP)
    assert box.create("x").status_code == 200
    assert box.names() == ["x"] * 3
    ledger = box.tell("GET", "/ledger")
    assert [entry["outcome"] for entry in ledger] == ["delivered", "replayed", "replayed"]
    assert len({entry["request"] for entry in ledger}) == 1
    assert ledger[0]["ids"] != ledger[1]["ids"]


def test_a_commit_comes_long_after_the_answer(box: Box) -> None:
    box.fault("before_exec", {"commit_after_ms": 300_000}, **OP)
    assert box.create("late").status_code == 504
    assert box.names() == []
    box.tell("POST", "/clock", {"advance_s": 299})
    assert box.outcomes() == []
    box.tell("POST", "/clock", {"advance_s": 2})
    wait_for(lambda: box.outcomes() == [("createDataset", "lost")])
    assert box.names() == ["late"]


def wait_for(done: Any) -> None:
    """Wait for what happens in another thread; only a failure lasts."""
    pause = threading.Event()
    for _ in range(2000):
        if done():
            return
        pause.wait(0.01)
    raise AssertionError("it never happened")


@pytest.mark.parametrize("at", ["before_exec", "before_commit", "after_commit", "mid_body"])
def test_who_waits_at_a_barrier_holds_nobody_up(box: Box, at: str) -> None:
    box.fault(at, {"barrier": "B1"}, **OP, name_re="waits")
    threads = [threading.Thread(target=box.create, args=(f"waits {n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    assert box.tell("GET", "/barrier/B1?waiting=20")["waiting"] == 20
    assert box.create("passes").status_code == 200
    committed = at in ("after_commit", "mid_body")
    assert len(box.names()) == 1 + 20 * committed
    assert box.tell("POST", "/barrier/B1/release") == {"released": 20}
    for thread in threads:
        thread.join()
    assert len(box.names()) == 21
    assert {outcome for _, outcome in box.outcomes()} == {"delivered"}


def test_a_hanging_request_ends_when_the_sandbox_behaves(box: Box) -> None:
    box.fault("after_commit", {"hang": True}, **OP)
    hanging = box.raw(NEW, name="x")
    wait_for(lambda: box.outcomes() == [("createDataset", "lost")])
    box.tell("DELETE", "/faults")
    assert hanging.read().received == b""


def test_a_client_that_left_has_lost_its_answer(box: Box) -> None:
    box.fault("after_commit", {"barrier": "B"}, **OP)
    leaving = box.raw(NEW, name="x")
    assert box.tell("GET", "/barrier/B?waiting=1")["waiting"] == 1
    leaving.sock.close()
    # The connection is seen to be gone before the request goes on: another one has been served since.
    assert box.post(LIST).status_code == 200
    box.tell("POST", "/barrier/B/release")
    wait_for(lambda: box.outcomes() == [("createDataset", "lost")])


def test_a_request_of_many_mutations_is_hit_where_it_is_told(box: Box) -> None:
    box.fault("before_commit", {"close": "rst"}, op="createProject")
    query = 'mutation { createDataset(data: {name: "a"}) { id } createProject(data: {name: "b"}) { id } }'
    assert box.raw(query).read().end == "rst"
    assert box.outcomes() == [("createDataset", "lost")]


def test_rest_is_hit_by_operation_and_by_path(box: Box) -> None:
    normalized = json.dumps({"tools": [], "classifications": []})
    query = 'mutation ($n: String!) { upsertOntology(data: {name: "o", normalized: $n}) { id } }'
    made = box.post(query, n=normalized).json()["data"]["upsertOntology"]["id"]
    path = f"/api/v1/ontologies/{made}"
    for match in (
        {"op": f"GET {path}"},
        {"op": "GET /api/v1/ontologies/{ontology_id}"},
        {"kind": "ontology"},
    ):
        box.fault("before_exec", {"http": {"status": 503}}, **match)
        assert box.client.get(box.base + path).status_code == 503
    box.fault("after_commit", {"http": {"status": 502}}, op="deleteOntology")
    assert box.client.delete(box.base + path).status_code == 502
    box.tell("DELETE", "/faults")
    assert box.client.get(box.base + path).status_code == 404
    assert box.outcomes()[-1] == ("deleteOntology", "lost")


def test_a_client_is_sent_a_signal_and_a_stranger_is_not(box: Box) -> None:
    script = "import sys; print('up', flush=True); sys.stdin.read()"
    client = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert client.stdout is not None
    assert client.stdout.readline() == "up\n"
    box.fault("after_commit", {"signal": {"pid_from": "X-Lbstack-Pid", "sig": "KILL"}}, **OP)
    for pid in ("1", "0", "-1", str(os.getpid()), str(os.getppid()), "nobody", ""):
        headers = {**box.headers, "x-lbstack-pid": pid}
        assert loopback.post(
            box.served.endpoint, json={"query": NEW, "variables": {"name": pid}}, headers=headers
        )
    assert client.poll() is None
    headers = {**box.headers, "x-lbstack-pid": str(client.pid)}
    loopback.post(box.served.endpoint, json={"query": NEW, "variables": {"name": "x"}}, headers=headers)
    assert client.wait(timeout=20) == -signal.SIGKILL


def test_a_sandbox_ends_though_somebody_hangs_and_somebody_waits() -> None:
    with controlled() as box:
        rules = [
            {"match": {"name_re": "^h"}, "at": "after_commit", "do": [{"hang": True}]},
            {"match": {"name_re": "^b"}, "at": "before_commit", "do": [{"barrier": "never"}]},
            {"match": {"name_re": "^l"}, "at": "before_exec", "do": [{"commit_after_ms": 3_000_000}]},
        ]
        box.tell("PUT", "/faults", rules)
        hanging, waiting = box.raw(NEW, name="h"), box.raw(NEW, name="b")
        assert box.create("l").status_code == 504
        assert box.tell("GET", "/barrier/never?waiting=1")["waiting"] == 1
        while box.outcomes() != [("createDataset", "lost")]:
            pass
    assert hanging.read().received == b""
    waiting.read()


def test_nobody_begins_to_wait_while_the_sandbox_ends() -> None:
    async def work() -> None:
        waits = Waits(lambda: 0.0)
        waits.end()
        await waits.forever()
        await waits.sleep(3600)
        await waits.barrier("never")
        assert await waits.crowd("never", 1, 3600) == 0

    asyncio.run(asyncio.wait_for(work(), 60))
