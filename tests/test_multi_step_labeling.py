"""The two-step example, end to end: the command serves a sandbox and applies the stack, Labelbox's own SDK labels, and
what is damaged arrives in step 2. Nothing in it is made up for the test but the receiver that fails at first.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import io
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from lbstack.sandbox.events import newest
from lbstack.sandbox.seed import open_store
from tests import loopback
from tests.nursery import Nursery, bare

STACKS = Path(__file__).parent.parent / "stacks"
STACK, FOLDER = STACKS / "multi-step-labeling.yaml", STACKS / "multi-step-labeling"
SECRET = "only-for-tests"
PATIENCE = 15.0  # seconds before a test gives up
NOBODY = "http://127.0.0.1:9"

ROWS = """query ($id: ID!) { dataset(where: {id: $id}) { dataRows(first: 100) { id rowData globalKey } } }"""
FIND = """query { datasets(where: {deleted: false}, first: 100) { id name }
  projects(where: {deleted: false}, first: 100) { id name } }"""
NEW_ROW = """mutation ($d: ID!, $url: String!, $key: String!) {
  createDataRow(data: {rowData: $url, globalKey: $key, dataset: {connect: {id: $d}}}) { id } }"""
NEW_LABEL = """mutation ($p: ID!, $r: ID!, $label: String!) {
  createLabel(data: {label: $label, project: {connect: {id: $p}}, dataRow: {connect: {id: $r}}}) { id } }"""

spec = importlib.util.spec_from_file_location("receiver", FOLDER / "receiver.py")
assert spec is not None and spec.loader is not None
receiver = importlib.util.module_from_spec(spec)
sys.modules["receiver"] = receiver
spec.loader.exec_module(receiver)


def until(good: Callable[[], Any]) -> Any:
    """Wait until something holds, and return what it is."""
    deadline = time.monotonic() + PATIENCE
    while not (found := good()):
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
    return found


def local(relay: str) -> list[str]:
    return ["--var", f"relay={relay}", "--var", "relay_is_local=true"]


class Example:
    """A served sandbox with the stack applied to it."""

    def __init__(self, nursery: Nursery, folder: Path, env: dict[str, str]) -> None:
        self.nursery, self.folder, self.env = nursery, folder, env
        self.apply(NOBODY)
        self.step_2 = self.lbstack("output", str(STACK), "step_2_dataset", "--raw").strip()
        found = self.graphql(FIND)
        self.teeth = next(each["id"] for each in found["datasets"] if each["name"] == "teeth-dev")
        self.step_1 = next(each["id"] for each in found["projects"] if "step 1" in each["name"])
        self.settings = receiver.Settings(
            SECRET.encode(), self.step_2, env["LABELBOX_API_KEY"], env["LABELBOX_ENDPOINT"]
        )

    def lbstack(self, *words: str) -> str:
        done = self.nursery.run(words, self.folder, self.env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, relay: str) -> None:
        self.lbstack("apply", str(STACK), "--auto-approve", *local(relay))

    def graphql(self, document: str, **variables: Any) -> Any:
        answer = loopback.post(
            self.env["LABELBOX_ENDPOINT"],
            headers={"Authorization": f"Bearer {self.env['LABELBOX_API_KEY']}"},
            json={"query": document, "variables": variables},
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def label(self, key: str, says: str) -> None:
        """Label a new tooth as the legacy editor does."""
        url = f"https://example.com/{key}.png"
        row = self.graphql(NEW_ROW, d=self.teeth, url=url, key=key)["createDataRow"]["id"]
        label = json.dumps({receiver.QUESTION: says})
        self.graphql(NEW_LABEL, p=self.step_1, r=row, label=label)

    def moved(self) -> list[str]:
        """The names of the teeth that are in step 2."""
        rows = self.graphql(ROWS, id=self.step_2)["dataset"]["dataRows"]
        return sorted(Path(row["rowData"]).stem for row in rows)

    def deliveries(self) -> list[list[str]]:
        """What the command shows of the deliveries: id, event, url, attempts, what became of it."""
        return [
            line.split("  ") for line in self.lbstack("sandbox", "deliveries", "--last", "100").splitlines()
        ]

    def settled(self, url: str) -> list[list[str]]:
        """Wait until nothing waits to be sent to ``url``, and return what was."""

        store = open_store(self.folder / ".lbstack")
        try:
            until(lambda: [row["status"] for row in newest(store, 100) if row["url"].startswith(url)] != [])
            until(lambda: store.value("SELECT count(*) FROM deliveries WHERE nextAttempt IS NOT NULL") == 0)
        finally:
            store.close()
        return [each for each in self.deliveries() if each[2].startswith(url)]


@pytest.fixture(scope="module")
def example(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    folder, env = tmp_path_factory.mktemp("example"), bare()
    words = ("sandbox", "serve", "--port", "0")
    with nursery.saying(words, folder, env, apart=True) as (serving, said):
        endpoint, key = (said.readline().strip() for _ in range(2))
        told = {"LABELBOX_ENDPOINT": endpoint, "LABELBOX_API_KEY": key, "LBSTACK_VAR_webhook_secret": SECRET}
        yield Example(nursery, folder, {**env, **told})
        serving.signal(signal.SIGTERM)
        assert serving.wait(30) == 0


@pytest.fixture(scope="module")
def relay(example: Example) -> Iterator[str]:
    """The receiver as it is run, with the webhook pointed to it; yields where it listens."""
    told = {"WEBHOOK_SECRET": SECRET, "STEP_2_DATASET": example.step_2, "PORT": "0"}
    command = [sys.executable, str(FOLDER / "receiver.py")]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**example.env, **told}, text=True, **streams) as listening:
        assert listening.stdout is not None
        url = listening.stdout.readline().split()[-1].removesuffix(receiver.PATH)
        try:
            example.apply(url)
            yield url
        finally:
            listening.terminate()
            listening.wait(timeout=30)


def readme(language: str) -> list[str]:
    """The blocks of the example's README in one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", (FOLDER / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )


def test_what_the_sdk_labels_damaged_arrives_in_step_2_and_nothing_else(example: Example, relay: str) -> None:
    pytest.importorskip("labelbox")
    (labeling,) = readme("python")
    command = [sys.executable, "-c", labeling]
    done = subprocess.run(
        command, env=example.env, cwd=example.folder, text=True, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    until(lambda: len(example.deliveries()) == 2)
    sent = example.settled(relay)
    assert [(event, attempts, became) for _, event, _, attempts, became in sent] == [
        ("LABEL_CREATED", "1", "DELIVERED: 200")
    ] * 2
    assert example.moved() == ["tooth-1"]
    assert example.lbstack("plan", str(STACK), "--detailed-exitcode", *local(relay))


def test_a_tampered_delivery_is_refused(example: Example, relay: str) -> None:
    before = example.moved()
    body = json.dumps(
        {"label": json.dumps({receiver.QUESTION: "yes"}), "dataRow": {"rowData": "https://x/forged.png"}}
    )
    signature = "sha1=" + hmac.new(SECRET.encode(), body.encode(), hashlib.sha1).hexdigest()
    headers = {"X-Labelbox-Event": "LABEL_CREATED", "X-Labelbox-Id": "forged", "X-Hub-Signature": signature}
    forged = loopback.post(relay + receiver.PATH, content=body.replace("forged", "Forged"), headers=headers)
    assert forged.status_code == 403
    assert example.moved() == before
    assert loopback.post(relay + receiver.PATH, content=body, headers=headers).status_code == 200
    assert example.moved() == sorted([*before, "forged"])


@contextmanager
def listening(application: Any) -> Iterator[str]:
    """Serve a WSGI application in a thread; yields its URL."""

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_receiver_that_fails_at_first_gets_it_by_a_retry(example: Example) -> None:
    before, seen = example.moved(), []
    moving = receiver.Receiver(example.settings)

    def failing(environ: Any, start_response: Any) -> Any:
        """Moves the tooth and breaks before it says so, then works."""
        seen.append(environ["HTTP_X_LABELBOX_ID"])
        if len(seen) > 1:
            return receiver.Receiver(example.settings)(environ, start_response)
        list(moving(environ, lambda *_: None))
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return [b""]

    with listening(failing) as url:
        example.apply(url)
        example.label("retried", "yes")
        ((ident, event, _, attempts, became),) = example.settled(url)
    assert (event, attempts, became) == ("LABEL_CREATED", "2", "DELIVERED: 200")
    assert seen == [ident, ident]
    assert example.moved() == sorted([*before, "retried"])


def event(example: Example, body: Any, secret: str = SECRET, **more: str) -> dict[str, Any]:
    """The WSGI environment of a signed event."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = "sha1=" + hmac.new(secret.encode(), raw, hashlib.sha1).hexdigest()
    told = {"REQUEST_METHOD": "POST", "PATH_INFO": receiver.PATH, "CONTENT_LENGTH": str(len(raw))}
    told |= {"HTTP_X_HUB_SIGNATURE": signature, "HTTP_X_LABELBOX_EVENT": "LABEL_CREATED"}
    return {**told, "wsgi.input": io.BytesIO(raw), **more}


def said(application: Any, environ: dict[str, Any]) -> tuple[int, str]:
    """Status and text that a receiver answers with."""
    statuses: list[str] = []
    body = b"".join(application(environ, lambda status, headers: statuses.append(status)))
    return int(statuses[0].split()[0]), body.decode().strip()


def tooth(name: str, says: Any = "yes", **row: Any) -> dict[str, Any]:
    label = json.dumps({receiver.QUESTION: says})
    return {"label": label, "dataRow": {"rowData": f"https://example.com/{name}.png", **row}}


def test_what_is_delivered_twice_is_added_once(example: Example) -> None:
    before = example.moved()
    for _ in range(2):  # the second one remembers nothing
        moving = receiver.Receiver(example.settings)
        for ident in ("one", "one", "two"):
            status, text = said(moving, event(example, tooth("twice", id="a-row"), HTTP_X_LABELBOX_ID=ident))
            assert (status, text.split(":")[0]) == (200, "in step 2")
        assert said(moving, event(example, tooth("nameless")))[0] == 200
    assert example.moved() == sorted([*before, "nameless", "twice"])


@pytest.mark.parametrize(
    ("signature", "status"),
    [("", 403), ("sha1=", 403), ("sha1=" + "0" * 40, 403), ("sha1=ÿ\udc80", 403), ("md5=x", 403)],
)
def test_what_the_secret_did_not_sign_is_refused(example: Example, signature: str, status: int) -> None:
    moving = receiver.Receiver(example.settings)
    assert said(moving, event(example, tooth("x"), HTTP_X_HUB_SIGNATURE=signature))[0] == status
    assert said(moving, event(example, tooth("x"), secret="another"))[0] == status


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 100_000, b"\xff", [], None, 1, {}, {"label": 1, "dataRow": {}}, {"label": "{", "dataRow": {}},
     {"label": "[" * 100_000, "dataRow": {}}, {"label": "{}", "dataRow": None}, {"label": "{}", "dataRow": {"rowData": 1}}],
    ids=range(13),
)  # fmt: skip
def test_what_can_never_become_right_is_not_asked_for_again(example: Example, body: Any) -> None:
    assert said(receiver.Receiver(example.settings), event(example, body))[0] == 400


@pytest.mark.parametrize("says", ["no", "Yes", None, True, {"value": "yes"}, ["yes"]])
def test_only_yes_is_damaged(says: Any) -> None:
    assert receiver.damaged(tooth("x", says)) is None


def test_a_deleted_label_moves_nothing(example: Example) -> None:
    environ = event(example, tooth("deleted"), HTTP_X_LABELBOX_EVENT="LABEL_DELETED")
    assert said(receiver.Receiver(example.settings), environ) == (200, "no further action needed")


@pytest.mark.parametrize(
    "answer", [{"answer": {"value": "yes"}}, {"radio_answer": {"name": "yes"}}, {"answer": {"name": "yes"}}]
)
@pytest.mark.parametrize("name", ["name", "value", "title"])
def test_answers_are_found_among_classifications_too(name: str, answer: Any) -> None:
    others = ["x", {"name": "other"}, {"name": receiver.QUESTION + "?", "answer": {"value": "no"}}]
    label = {"classifications": [*others, {name: receiver.QUESTION, **answer}]}
    assert receiver.answer(label, receiver.QUESTION) == "yes"
    assert receiver.answer({"classifications": others}, receiver.QUESTION) is None


def test_what_labelbox_does_not_take_is_asked_for_again(example: Example) -> None:
    for change in ({"endpoint": NOBODY}, {"key": "wrong"}, {"dataset": "cmissing000000000000000000"}):
        settings = receiver.Settings(**{**vars(example.settings), **change})
        assert said(receiver.Receiver(settings), event(example, tooth("lost")))[0] == 502
    assert "lost" not in example.moved()


def test_other_requests_are_told_what_is_wrong(example: Example) -> None:
    moving = receiver.Receiver(example.settings)
    for changes, status in [
        ({"PATH_INFO": "/"}, 200), ({"PATH_INFO": "/x"}, 404), ({"REQUEST_METHOD": "GET"}, 405),
        ({"CONTENT_LENGTH": ""}, 411), ({"CONTENT_LENGTH": "-1"}, 413), ({"CONTENT_LENGTH": "10000001"}, 413),
    ]:  # fmt: skip
        assert said(moving, event(example, tooth("x"), **changes))[0] == status


@pytest.mark.parametrize("name", ["WEBHOOK_SECRET", "STEP_2_DATASET", "LABELBOX_API_KEY"])
def test_a_setting_that_is_missing_is_named_and_none_is_shown(name: str) -> None:
    environ = {"WEBHOOK_SECRET": "hidden-1", "STEP_2_DATASET": "d", "LABELBOX_API_KEY": "hidden-2"}
    assert "hidden" not in repr(receiver.Settings.of(environ))
    with pytest.raises(SystemExit, match=name):
        receiver.Settings.of({**environ, name: ""})
    with pytest.raises(SystemExit, match="LABELBOX_ENDPOINT"):
        receiver.Settings.of({**environ, "LABELBOX_ENDPOINT": "file:///etc/passwd"})
