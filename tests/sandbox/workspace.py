"""A sandbox of its own for each test, asked over its ASGI application."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from inside import Client

from lbstack.sandbox import world
from lbstack.sandbox.app import create_app
from lbstack.sandbox.kinds.api_key import add_key
from lbstack.sandbox.people import join
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.store import DATABASE_NAME, Store


@functools.cache
def _new() -> bytes:
    """A fresh workspace's file: to copy it takes a fifth of the time that making its tables does."""
    with tempfile.TemporaryDirectory() as name:
        open_store(Path(name)).close()
        return (Path(name) / DATABASE_NAME).read_bytes()


class Workspace:
    """One organization as one API key sees it."""

    folder: tempfile.TemporaryDirectory[str]  # goes with the last of what uses it

    def __init__(self, client: Client, store: Store, key: str) -> None:
        self.client = client
        self.store = store
        self.headers = {"authorization": f"Bearer {key}"}

    @classmethod
    def fresh(cls) -> Workspace:
        folder = tempfile.TemporaryDirectory(prefix="workspace-")
        (Path(folder.name) / DATABASE_NAME).write_bytes(_new())
        store = open_store(Path(folder.name))
        made = cls(Client(create_app(store)), store, world.admin_key(store))
        made.folder = folder
        return made

    def stranger(self) -> Workspace:
        """The same service, asked by the Admin of another organization."""
        return Workspace(self.client, self.store, world.add_organization(self.store, "Other"))

    def as_role(self, role: str) -> Workspace:
        """The same organization, asked by somebody in another role."""
        organization = self.store.value("SELECT id FROM organizations ORDER BY rowid")
        user = join(self.store, organization, "somebody@sandbox.example", role, self.store.mint.now())
        return Workspace(self.client, self.store, add_key(self.store, user, None))

    def wait(self, seconds: float = 3.0) -> None:
        """Let time pass for the service, for instance until its search has caught up."""
        self.store.mint.advanced += seconds

    def ask(self, document: str, **variables: Any) -> Any:
        """Return the value of the document's one root field; an error fails the test."""
        body = self._post(document, variables)
        assert "errors" not in body, body
        return next(iter(body["data"].values()))

    def refused(self, document: str, **variables: Any) -> tuple[str, str]:
        """Return the code and the message of the one error that the document meets."""
        (error,) = self._post(document, variables)["errors"]
        return error["extensions"]["code"], error["message"]

    def rest(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and JSON body of a REST call; the path is relative to ``/api/v1``."""
        answer = self.client.request(method, f"/api/v1{path}", json=body, headers=self.headers)
        return answer.status_code, answer.json() if answer.content else None

    def _post(self, document: str, variables: dict[str, Any]) -> Any:
        body = {"query": document, "variables": variables}
        answer = self.client.post("/graphql", json=body, headers=self.headers)
        assert answer.status_code < 500, answer.text
        return json.loads(answer.text)
