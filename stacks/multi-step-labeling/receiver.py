"""Moves what step 1 found damaged to step 2: listens to step 1's webhook, adds to step 2's dataset.

A WSGI application in the standard library; ``python receiver.py`` serves it, and so does any WSGI server
(``receiver:application()``). It is told by its environment:

``WEBHOOK_SECRET``     the webhook's secret: what it did not sign is refused
``STEP_2_DATASET``     the id of the dataset that step 2 labels
``LABELBOX_API_KEY``   a key that may add data rows
``LABELBOX_ENDPOINT``  the GraphQL URL, Labelbox's own when it is absent
``HOST``, ``PORT``     where ``python receiver.py`` listens, 127.0.0.1 and 5000 when they are absent

Labelbox delivers at least once. A data row of step 2 has a global key made of the dataset and the row of
step 1, and such a key exists once in a workspace: whatever arrives twice, after whatever restart, adds one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

PATH = "/step1_to_step2"
QUESTION, DAMAGED = "image_contain_tooth_damage?", "yes"
EVENTS = ("LABEL_CREATED", "LABEL_UPDATED")
MOST_BYTES = 10_000_000
MOST_REMEMBERED = 10_000  # deliveries
SECONDS = 10.0

ADD = """mutation AddToStep2($rowData: String!, $externalId: String, $globalKey: String!, $datasetId: ID!) {
  createDataRow(data: {
    rowData: $rowData, externalId: $externalId, globalKey: $globalKey, dataset: {connect: {id: $datasetId}}
  }) { id }
}"""


@dataclass(frozen=True)
class Settings:
    """Where step 2 is, and what step 1's webhook signs with."""

    secret: bytes = field(repr=False)
    dataset: str
    key: str = field(repr=False)
    endpoint: str = "https://api.labelbox.com/graphql"

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Settings:
        """Read them from the environment; an absent one ends the program, by its name."""
        names = ("WEBHOOK_SECRET", "STEP_2_DATASET", "LABELBOX_API_KEY")
        missing = [name for name in names if not environ.get(name)]
        if missing:
            sys.exit(f"not set: {', '.join(missing)}")
        secret, dataset, key = (environ[name] for name in names)
        endpoint = environ.get("LABELBOX_ENDPOINT") or cls.endpoint
        if not endpoint.startswith(("http://", "https://")):
            sys.exit("LABELBOX_ENDPOINT is not a http(s) URL")
        return cls(secret.encode(), dataset, key, endpoint)


class Refused(Exception):
    """A request that is answered with a status and nothing else."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def check(secret: bytes, body: bytes, signature: str) -> None:
    """Refuse a body that the secret did not sign. Bytes are compared, in a time that tells nothing."""
    if not secret:  # an empty one is everybody's
        raise Refused(HTTPStatus.FORBIDDEN, "there is no secret to check by")
    expected = b"sha1=" + hmac.digest(secret, body, "sha1").hex().encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "backslashreplace")):
        raise Refused(HTTPStatus.FORBIDDEN, "the signature is wrong")


def answer(label: Any, question: str) -> str | None:
    """Return what a label says to a radio question, or None when it says nothing.

    Understood are a label that maps questions to answers, and one with a list of classifications.
    """
    if not isinstance(label, dict):
        return None
    if isinstance(label.get(question), str):
        return str(label[question])
    listed = label.get("classifications")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and question in (each.get("value"), each.get("name"), each.get("title")):
            said = each.get("radio_answer") or each.get("answer")
            if isinstance(said, dict):
                said = said.get("value") or said.get("name")
            return said if isinstance(said, str) else None
    return None


def damaged(payload: Any) -> dict[str, str | None] | None:
    """Return the data row that is to be moved, or None when the label does not say that it is damaged."""
    try:
        says = answer(json.loads(payload["label"]), QUESTION)
        row = payload["dataRow"]
        told = {key: row.get(key) for key in ("id", "rowData", "externalId")}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Refused(HTTPStatus.BAD_REQUEST, "not a label's event") from None
    if not isinstance(told["rowData"], str):
        raise Refused(HTTPStatus.BAD_REQUEST, "the data row has no rowData")
    return told if says == DAMAGED else None


def add(settings: Settings, row: Mapping[str, str | None]) -> str:
    """Add a data row to step 2's dataset, once; return its id, or "there already".

    Refuses with 502 when Labelbox does not take it, so that the delivery is repeated.
    """
    of = row["id"] or hashlib.sha256(str(row["rowData"]).encode("utf-8", "surrogatepass")).hexdigest()
    variables = {
        "rowData": row["rowData"],
        "externalId": row["externalId"],
        "globalKey": f"{settings.dataset}:{of}",
        "datasetId": settings.dataset,
    }
    said = ask(settings, ADD, variables)
    if "Duplicate global key" in json.dumps(said.get("errors")):
        return "there already"
    try:
        return str(said["data"]["createDataRow"]["id"])
    except (KeyError, TypeError):
        raise Refused(HTTPStatus.BAD_GATEWAY, "Labelbox did not take the data row") from None


def ask(settings: Settings, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Send a GraphQL document and return the answer."""
    request = urllib.request.Request(  # noqa: S310 - Settings lets http(s) alone through
        settings.endpoint,
        json.dumps({"query": document, "variables": variables}).encode(),
        {"Authorization": f"Bearer {settings.key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310
            said = json.loads(response.read())
    except (OSError, ValueError):  # not reached, refused, or no JSON
        raise Refused(HTTPStatus.BAD_GATEWAY, "Labelbox did not answer") from None
    if not isinstance(said, dict):
        raise Refused(HTTPStatus.BAD_GATEWAY, "Labelbox did not answer")
    return said


class Receiver:
    """The WSGI application. It remembers the deliveries it has seen to, to be quick about repeated ones."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._seen: OrderedDict[str, str] = OrderedDict()

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            status, text = HTTPStatus.OK, self.answer(environ)
        except Refused as refused:
            status, text = refused.status, str(refused)
        body = f"{text}\n".encode()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def answer(self, environ: Mapping[str, Any]) -> str:
        """Return what is said to a request; raises Refused."""
        if environ.get("PATH_INFO", "/") == "/":
            return "listening"
        if environ["PATH_INFO"] != PATH:
            raise Refused(HTTPStatus.NOT_FOUND, "nothing is here")
        if environ["REQUEST_METHOD"] != "POST":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "events are posted")
        body = self._body(environ)
        check(self.settings.secret, body, environ.get("HTTP_X_HUB_SIGNATURE", ""))
        delivery = environ.get("HTTP_X_LABELBOX_ID", "")
        if delivery in self._seen:
            return self._seen[delivery]
        said = self._move(environ.get("HTTP_X_LABELBOX_EVENT", ""), body)
        if delivery:
            self._seen[delivery] = said
            while len(self._seen) > MOST_REMEMBERED:
                self._seen.popitem(last=False)
        return said

    def _body(self, environ: Mapping[str, Any]) -> bytes:
        try:
            length = int(environ.get("CONTENT_LENGTH") or "")
        except ValueError:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "how long is it?") from None
        if not 0 <= length <= MOST_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long")
        try:
            body: bytes = environ["wsgi.input"].read(length)
        except OSError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "it did not all arrive") from None
        return body

    def _move(self, event: str, body: bytes) -> str:
        if event not in EVENTS:
            return "no further action needed"
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            raise Refused(HTTPStatus.BAD_REQUEST, "not JSON") from None
        row = damaged(payload)
        return "no further action needed" if row is None else f"in step 2: {add(self.settings, row)}"


def application() -> Receiver:
    """Return the application that the environment describes."""
    return Receiver(Settings.of(os.environ))


class _Server(ThreadingMixIn, WSGIServer):
    """Answers several deliveries at once."""

    daemon_threads = True


class _Handler(WSGIRequestHandler):
    """Gives up on who does not go on speaking, and says what it answered."""

    timeout = SECONDS


def main() -> None:
    """Serve until it is stopped; the first line says where."""
    host, port = os.environ.get("HOST") or "127.0.0.1", int(os.environ.get("PORT") or 5000)
    with make_server(host, port, application(), _Server, _Handler) as server:
        print(f"listening on http://{host}:{server.server_port}{PATH}", flush=True)  # noqa: T201
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
