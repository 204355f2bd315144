"""Webhook deliveries, really sent (API reference 5.8)."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from documents import labelled
from receivers import PATIENCE, Receiver, receiving
from workspace import Workspace

from lbstack.sandbox import deliveries, events, hosts, posting
from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.context import Context
from lbstack.sandbox.deliveries import Sender
from lbstack.sandbox.kinds.session import authenticate
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.server import running
from lbstack.sandbox.store import Row, Store
from lbstack.sandbox.world import add_organization, admin_key

SECRET = "the-words-that-nobody-may-see"
BODY = {"project": {"id": "p"}, "label": '{"a": "yes"}', "dataRow": {"rowData": "https://a.example/ü.jpg"}}
LABEL_EVENTS = ("LABEL_CREATED", "LABEL_UPDATED", "LABEL_DELETED")


@pytest.fixture
def store() -> Iterator[Store]:
    store = open_store()
    yield store
    store.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(deliveries, "_GLANCE_SECONDS", 0.01)


def caller(store: Store, key: str | None = None) -> Context:
    return authenticate(store, key or admin_key(store), "http://127.0.0.1", Conditions())


def hook(
    store: Store, url: str, *, topics: Any = LABEL_EVENTS, project: str | None = None, **row: Any
) -> str:
    ident, context = store.mint.cuid(), caller(store)
    base = {
        "id": ident, "organizationId": context.organization_id, "createdById": context.user["id"],
        "projectId": project, "url": url, "secret": SECRET, "topics": json.dumps(topics),
        "status": "ACTIVE", "createdAt": context.now(), "updatedAt": context.now(),
    }  # fmt: skip
    store.insert("webhooks", {**base, **row})
    return ident


def tell(
    store: Store, event: str = "LABEL_CREATED", project: str = "p", key: str | None = None, **body: Any
) -> None:
    context = caller(store, key)
    with context.writing("test", {}):
        events.tell(context, event, project, {**BODY, **body})


def told(store: Store) -> list[Row]:
    return store.rows("SELECT * FROM deliveries ORDER BY place")


def until(store: Store, good: Callable[[list[Row]], bool]) -> list[Row]:
    """Wait until the deliveries are as they should be, and return them."""
    deadline = time.monotonic() + PATIENCE
    while not good(told(store)):
        assert time.monotonic() < deadline, told(store)
        threading.Event().wait(0.01)
    return told(store)


def ended(store: Store) -> list[Row]:
    """Wait until nothing is left to be tried, and return the deliveries."""
    return until(store, lambda rows: all(row["nextAttempt"] is None for row in rows))


def attempts(store: Store) -> list[Row]:
    return store.rows("SELECT * FROM notifications ORDER BY place")


def test_what_arrives_is_what_was_signed(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url + "/step1?x=1")
    with running(store):
        tell(store)
        (got,) = receiver.wait(1)
        ended(store)
    (row,) = told(store)
    assert json.loads(got.body) == BODY
    assert got.path == "/step1?x=1"
    digest = hmac.new(SECRET.encode(), got.body, hashlib.sha1).hexdigest()
    assert got.headers["x-hub-signature"] == f"sha1={digest}"
    assert got.headers["x-labelbox-event"] == "LABEL_CREATED"
    assert got.headers["x-labelbox-id"] == row["id"]
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == receiver.url.removeprefix("http://")
    assert (row["status"], row["attempts"]) == ("DELIVERED", 1)
    (attempt,) = attempts(store)
    assert (attempt["deliveryId"], attempt["responseCode"], attempt["responseBody"]) == (row["id"], 200, "ok")
    assert json.loads(attempt["requestHeaders"])["X-Labelbox-Id"] == row["id"]


def test_only_who_listens_is_told(store: Store) -> None:
    wide, mine = hook(store, "http://127.0.0.1:1"), hook(store, "http://127.0.0.1:1", project="p")
    hook(store, "http://127.0.0.1:1", project="other")
    hook(store, "http://127.0.0.1:1", topics=["LABEL_DELETED"])
    hook(store, "http://127.0.0.1:1", status="INACTIVE")
    hook(store, "http://127.0.0.1:1", status="REVOKED")
    tell(store)
    assert [row["webhookId"] for row in told(store)] == [wide, mine]
    key = add_organization(store, "Other")
    theirs = hook(store, "http://127.0.0.1:1", organizationId=caller(store, key).organization_id)
    tell(store, key=key)
    assert [row["webhookId"] for row in told(store)] == [wide, mine, theirs]


def test_nobody_is_told_of_what_was_rolled_back(store: Store) -> None:
    hook(store, "http://127.0.0.1:1")
    context = caller(store)
    with pytest.raises(ZeroDivisionError), context.writing("test", {}):
        events.tell(context, "LABEL_CREATED", "p", BODY)
        raise ZeroDivisionError
    assert told(store) == []


def test_what_becomes_of_a_label_is_told(box: Workspace) -> None:
    hook(box.store, "http://127.0.0.1:1")
    p, row, label = labelled(box, question="no")
    update = (
        "mutation ($id: ID!, $label: String!) { updateLabel(where: {id: $id}, data: {label: $label}) { id } }"
    )
    box.ask(update, id=label, label=json.dumps({"question": "yes"}))
    box.ask("mutation ($id: ID!) { deleteLabels(labelIds: [$id]) { id } }", id=label)
    assert [each["event"] for each in told(box.store)] == list(LABEL_EVENTS)
    bodies = [json.loads(each["body"]) for each in told(box.store)]
    assert [json.loads(body["label"])["question"] for body in bodies] == ["no", "yes", "yes"]
    for body in bodies:
        assert (body["id"], body["project"]["id"], body["dataRow"]["id"]) == (label, p, row)
        assert body["dataRow"]["rowData"] == "https://a.example/1.jpg"


def test_it_does_not_look_at_every_webhook_or_delivery(store: Store) -> None:
    asked = {"organization": "o", "project": "p", "event": "e"}
    statements = [(events._WHO, asked), (deliveries._WAITING, [0.0]), (deliveries._NEXT, ["w", 0.0])]
    for sql, params in statements:
        plan = [row["detail"] for row in store.rows(f"EXPLAIN QUERY PLAN {sql}", params)]
        scanned = [
            line
            for line in plan
            if line.startswith("SCAN") and line.split()[1] in ("webhooks", "d", "deliveries")
        ]
        assert scanned == [], plan


def test_what_an_embedded_sandbox_left_is_sent_by_the_next_that_is_served(
    store: Store, receiver: Receiver
) -> None:
    hook(store, receiver.url)
    for number in range(30):
        tell(store, number=number)
    assert receiver.got == []
    with running(store):
        got = receiver.wait(30)
        ended(store)
    assert [json.loads(each.body)["number"] for each in got] == list(range(30))


@pytest.mark.usefixtures("hurried")
def test_a_receiver_that_fails_is_asked_again_with_the_same_id_and_body(
    store: Store, receiver: Receiver
) -> None:
    hook(store, receiver.url)
    receiver.answers = [503, 429, 0, 500]
    with running(store):
        tell(store)
        got = receiver.wait(5)
        (row,) = ended(store)
    assert len({(each.headers["x-labelbox-id"], each.body) for each in got}) == 1
    assert (row["status"], row["attempts"]) == ("DELIVERED", 5)
    assert [each["responseCode"] for each in attempts(store)] == [503, 429, None, 500, 200]
    assert "RemoteProtocolError" in attempts(store)[2]["error"]


@pytest.mark.usefixtures("hurried")
def test_it_gives_up_in_the_end(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url)
    receiver.answers = [500] * 20
    with running(store):
        tell(store)
        (row,) = ended(store)
    assert (row["status"], row["attempts"], len(receiver.got)) == (
        "FAILED",
        deliveries.ATTEMPTS,
        deliveries.ATTEMPTS,
    )


@pytest.mark.usefixtures("hurried")
def test_nobody_listening_is_a_failure_that_may_pass(store: Store) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    hook(store, f"http://127.0.0.1:{port}")
    with running(store):
        tell(store)
        (row,) = ended(store)
    assert (row["status"], row["attempts"]) == ("FAILED", deliveries.ATTEMPTS)
    assert {each["responseCode"] for each in attempts(store)} == {None}


@pytest.mark.parametrize("status", [301, 307, 400, 403, 404])
def test_other_answers_are_final_and_no_redirect_is_followed(
    store: Store, receiver: Receiver, status: int
) -> None:
    hook(store, receiver.url)
    receiver.answers, receiver.headers = [status], {"location": receiver.url + "/elsewhere"}
    with running(store):
        tell(store)
        (row,) = ended(store)
    assert (row["status"], row["attempts"]) == ("FAILED", 1)
    assert [each.path for each in receiver.got] == ["/"]


def test_waits_grow_and_a_receiver_may_ask_for_longer_ones(store: Store) -> None:
    hook(store, "http://127.0.0.1:1")
    tell(store)
    row, again = told(store)[0] | {"url": "http://127.0.0.1:1"}, posting.Answer(503, again=True)
    waits = []
    for attempt in range(1, deliveries.ATTEMPTS):
        before = time.time()
        deliveries.settle(store, {**row, "attempts": attempt}, {}, again)
        waits.append(round(told(store)[0]["nextAttempt"] - before))
    assert waits == [1, 2, 4, 8, 16, 32, 64]
    before = time.time()
    deliveries.settle(store, {**row, "attempts": 1}, {}, posting.Answer(429, again=True, wait=30.0))
    assert told(store)[0]["nextAttempt"] >= before + 30


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("", 0), ("7", 7), ("-7", 0), ("soon", 0), ("9" * 400, 600), ("Fri, 31 Dec 2999 23:59:59 GMT", 600), ("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("Fri, 31 Dec 2999 23:59:59", 0)],
)  # fmt: skip
def test_retry_after_is_understood_and_bounded(header: str | None, seconds: float) -> None:
    assert posting._retry_after(header) == seconds


def test_a_slow_receiver_holds_up_nobody_but_itself(store: Store, receiver: Receiver) -> None:
    with receiving() as slow:
        slow.open.clear()
        hook(store, slow.url)
        hook(store, receiver.url)
        with running(store):
            for number in range(3):
                tell(store, number=number)
            assert len(receiver.wait(3)) == 3
            assert len(slow.wait(1)) == 1
            slow.open.set()
            numbers = [json.loads(each.body)["number"] for each in slow.wait(3)]
            ended(store)
    assert numbers == [0, 1, 2]


def test_an_event_that_fails_lets_the_later_ones_pass(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url)
    receiver.answers = [500]
    tell(store, number=0)
    tell(store, number=1)
    with running(store):
        got = receiver.wait(3)
        ended(store)
    assert [json.loads(each.body)["number"] for each in got] == [0, 1, 0]


def test_what_waits_for_a_webhook_that_is_switched_off_is_dropped(store: Store, receiver: Receiver) -> None:
    ident = hook(store, receiver.url)
    receiver.answers = [503]
    with running(store):
        tell(store)
        receiver.wait(1)
        store.run("UPDATE webhooks SET status = 'INACTIVE' WHERE id = ?", [ident])
        (row,) = ended(store)
    assert (row["status"], row["attempts"], len(receiver.got)) == ("DROPPED", 1, 1)


def test_a_restart_goes_on_where_it_was(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url)
    receiver.answers = [503]
    with running(store):
        tell(store)
        until(store, lambda rows: rows[0]["attempts"] == 1 and len(attempts(store)) == 1)
    assert told(store)[0]["status"] == "PENDING"
    with running(store):
        first, second = receiver.wait(2)
        (row,) = ended(store)
    assert first == second
    assert (row["status"], row["attempts"]) == ("DELIVERED", 2)


def test_a_receiver_that_does_not_answer_does_not_hold_up_the_end(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "_GRACE_SECONDS", 0.01)
    hook(store, receiver.url)
    receiver.open.clear()
    with running(store):
        tell(store)
        receiver.wait(1)
    (row,) = told(store)
    assert (row["status"], row["attempts"]) == ("PENDING", 1)
    assert row["nextAttempt"] <= time.time()
    assert attempts(store)[0]["error"] == "The sandbox was stopped"


def test_what_is_being_sent_is_nobody_elses_until_its_lease_is_over(store: Store) -> None:
    webhook = hook(store, "http://127.0.0.1:1")
    tell(store)
    mine = deliveries.claim(store, webhook)
    assert mine is not None
    assert deliveries.claim(store, webhook) is None
    assert deliveries.waiting(store) == []
    store.run("UPDATE deliveries SET nextAttempt = nextAttempt - 30")
    assert deliveries.waiting(store) == [webhook]
    again = deliveries.claim(store, webhook)
    assert again is not None
    assert (again["id"], again["attempts"]) == (mine["id"], 2)


def test_a_last_attempt_that_nobody_told_of_was_the_last(store: Store) -> None:
    webhook = hook(store, "http://127.0.0.1:1")
    tell(store)
    store.run("UPDATE deliveries SET attempts = ?", [deliveries.ATTEMPTS])
    assert deliveries.claim(store, webhook) is None
    (row,) = told(store)
    assert (row["status"], row["attempts"], row["nextAttempt"]) == ("FAILED", deliveries.ATTEMPTS, None)


@pytest.mark.usefixtures("hurried")
def test_what_nobody_foresaw_is_recorded_and_tried_again(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError(SECRET)

    with monkeypatch.context() as patch:
        patch.setattr(hosts, "addresses", broken)
        hook(store, receiver.url)
        with running(store):
            tell(store)
            until(store, lambda _: bool(attempts(store)))
            patch.undo()
            (row,) = ended(store)
    assert row["status"] == "DELIVERED"
    assert attempts(store)[0]["error"] == "The sandbox could not send it"


def test_two_sandboxes_on_one_workspace_send_everything_once(store: Store, receiver: Receiver) -> None:
    for _ in range(5):
        hook(store, receiver.url)
    with running(store), running(store):
        for number in range(10):
            tell(store, number=number)
        receiver.wait(50)
        ended(store)
    assert len({each.headers["x-labelbox-id"] for each in receiver.got}) == len(receiver.got) == 50


def test_an_endless_answer_counts_by_its_code(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "_BODY_SECONDS", 0.05)
    receiver.headers = {"content-length": "1000000000"}
    hook(store, receiver.url)
    with running(store):
        tell(store)
        (row,) = ended(store)
    assert row["status"] == "DELIVERED"


def test_no_answer_in_time_is_a_failure_that_may_pass(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "ATTEMPT_SECONDS", 0.05)
    receiver.open.clear()
    hook(store, receiver.url)
    with running(store):
        tell(store)
        until(store, lambda _: bool(attempts(store)))
        receiver.open.set()
    (attempt,) = attempts(store)
    assert (attempt["responseCode"], attempt["error"]) == (None, "No answer within 0.05 seconds")
    assert told(store)[0]["status"] == "PENDING"


ELSEWHERE = [
    "https://relay.example.com/x", "http://10.0.0.1/", "http://169.254.169.254/", "http://0.0.0.0:1/", "http://[::]:1/",
    "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://[::ffff:10.0.0.1]/",
    "http://127.0.0.1.example.com/", "http://127.0.0.1@relay.example.com/", "http://localhost.example.com/",
    "http://[fe80::1]/", "http://a\u0000b/", "http://" + "a" * 300 + "/", "http://127.0.0.1:99999/", "ftp://127.0.0.1/",
]  # fmt: skip


@pytest.mark.parametrize("url", ELSEWHERE)
def test_no_other_machine_is_posted_to_or_asked_for(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: asked.append(args) or [])
    hook(store, url)
    tell(store)
    sender = Sender(store, Conditions())
    sender.start()
    (row,) = ended(store)
    sender.stop()
    assert (row["status"], row["attempts"], asked) == ("FAILED", 1, [])
    assert attempts(store)[0]["responseCode"] is None


def resolver(*addresses: str) -> Callable[..., Any]:
    def resolve(host: str, port: None, **_: Any) -> list[Any]:
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in each], socket.SOCK_STREAM, 6, "", (each, 0)) for each in addresses]

    return resolve


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "255.255.255.255", "ff02::1", "64:ff9b::a9fe:a9fe"])  # fmt: skip
def test_one_address_that_is_not_allowed_forbids_the_host(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver("93.184.216.34", address))
    with pytest.raises(hosts.ForbiddenHostError):
        hosts.addresses("relay.example.com", outbound=True)
    monkeypatch.setattr(socket, "getaddrinfo", resolver("93.184.216.34", "10.0.0.1", "127.0.0.1"))
    assert hosts.addresses("relay.example.com", outbound=True) == ["93.184.216.34", "10.0.0.1", "127.0.0.1"]


def test_localhost_must_be_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver("127.0.0.1", "10.0.0.1"))
    with pytest.raises(hosts.ForbiddenHostError):
        hosts.addresses("localhost", outbound=False)


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = receiver.url.rpartition(":")[2]
    genuine, asked = socket.getaddrinfo, []

    def rebinding(host: str, *args: Any, **more: Any) -> Any:
        if host != "relay.example.com":
            return genuine(host, *args, **more)
        asked.append(host)
        return resolver(*["::1", "127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"])(host, None)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    hook(store, f"http://relay.example.com:{port}/x")
    tell(store)
    sender = Sender(store, Conditions(outbound=True))
    sender.start()
    (row,) = ended(store)
    sender.stop()
    (got,) = receiver.wait(1)  # nobody listens at ::1: the next checked address was taken
    assert (row["status"], asked) == ("DELIVERED", ["relay.example.com"])
    assert got.headers["host"] == f"relay.example.com:{port}"


@pytest.mark.usefixtures("hurried")
def test_secrets_are_in_no_log_and_in_no_notification(
    store: Store, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hook(store, receiver.url.replace("//", "//name:pass-word@"))
    hook(store, "http://name:pass-word@relay.example.com/")
    receiver.answers = [500, 0]
    with running(store):
        tell(store)
        receiver.wait(3)
        ended(store)
    assert receiver.got[0].headers["authorization"].startswith("Basic ")
    kept = json.dumps(attempts(store)) + json.dumps(events.newest(store, 10)) + caplog.text
    assert SECRET not in kept
    assert "pass-word" not in kept


def test_the_newest_deliveries_are_listed_with_their_last_answer(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url)
    with running(store):
        tell(store)
        ended(store)
    tell(store, "LABEL_DELETED")
    tell(store, "LABEL_UPDATED")
    listed = events.newest(store, 2)
    assert [row["event"] for row in listed] == ["LABEL_DELETED", "LABEL_UPDATED"]
    assert (listed[0]["attempts"], listed[0]["responseCode"], listed[0]["status"]) == (0, None, "PENDING")
    first = events.newest(store, 3)[0]
    assert (first["url"], first["attempts"], first["responseCode"]) == (receiver.url, 1, 200)
