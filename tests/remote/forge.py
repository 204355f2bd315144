"""A small host of the Terraform HTTP state protocol, as strict as GitLab: every field of a lock must be
there, a write needs the lock's ID, no serial may come twice."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.remote.misbehaving import Answer, Asked, Server

FIELDS = {"ID", "Operation", "Info", "Who", "Version", "Created", "Path"}
USER, PASSWORD = "gitlab-ci-token", "password-of-the-forge"


class Forge:
    """States by their path."""

    def __init__(self) -> None:
        self.states: dict[str, list[bytes]] = {}
        self.locks: dict[str, dict[str, Any]] = {}
        self.tells_holder = True
        self.minds_locks = True
        self.minds_ids = True
        self._guard = threading.Lock()
        self.server = Server(self._serve)

    @property
    def environ(self) -> dict[str, str]:
        return {"TF_HTTP_USERNAME": USER, "TF_HTTP_PASSWORD": PASSWORD}

    def url(self, name: str = "signs") -> str:
        return f"{self.server.url}/projects/1/terraform/state/{name}"

    def versions(self, name: str = "signs") -> list[bytes]:
        return self.states.get(f"/projects/1/terraform/state/{name}", [])

    def _serve(self, asked: Asked) -> Answer:
        right = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {right}":
            return Answer(401)
        parts = urlsplit(asked.path)
        ids = parse_qs(parts.query).get("ID")
        with self._guard:
            if parts.path.endswith("/lock"):
                return self._lock(asked, parts.path.removesuffix("/lock"), ids)
            return self._state(asked, parts.path, ids)

    def _lock(self, asked: Asked, name: str, ids: list[str] | None) -> Answer:
        info = json.loads(asked.body or b"{}")
        held = self.locks.get(name)
        if asked.method == "POST":
            if not set(info) >= FIELDS or not all(isinstance(info[field], str) for field in FIELDS):
                return Answer(400)
            if held and self.minds_locks:
                return Answer(409, json.dumps(held).encode() if self.tells_holder else b"")
            self.locks[name] = info
            return Answer(200, json.dumps(info).encode())
        if asked.method == "DELETE":
            if not held or held["ID"] != (ids[0] if ids else info.get("ID")):
                return Answer(409)
            del self.locks[name]
            return Answer(200)
        return Answer(405)

    def _state(self, asked: Asked, name: str, ids: list[str] | None) -> Answer:
        versions = self.states.setdefault(name, [])
        if asked.method == "GET":
            return Answer(200, versions[-1]) if versions else Answer(204)
        if asked.method == "POST":
            held = self.locks.get(name, {}).get("ID")
            if self.minds_ids and held != (ids[0] if ids else None):
                return Answer(409)
            serial = json.loads(asked.body)["serial"]
            if any(json.loads(old)["serial"] == serial for old in versions) and self.minds_ids:
                return Answer(422)
            versions.append(asked.body)
            return Answer(200)
        if asked.method == "DELETE":
            versions.clear()
            return Answer(200)
        return Answer(405)


@contextmanager
def forge() -> Iterator[Forge]:
    made = Forge()
    with made.server.running():
        yield made
