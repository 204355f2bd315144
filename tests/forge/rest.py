"""What the stand-ins of both forges share: routes, pages of lists, strict bodies, who asks."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.remote.misbehaving import Answer, Asked, Server

NOW = "2026-03-02T09:00:00Z"
DATE = "Mon, 02 Mar 2026 09:00:00 GMT"


@dataclass(frozen=True)
class Who:
    """Whom a token stands for, and what it may do."""

    login: str
    rights: frozenset[str] = frozenset()
    app: bool = False


class Refusal(Exception):
    def __init__(self, status: int, data: Any, headers: Mapping[str, str] | None = None) -> None:
        self.answer = said(status, data, headers)


def said(status: int, data: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    body = b"" if data is None else json.dumps(data).encode()
    return Answer(status, body, {"content-type": "application/json", "date": DATE, **(headers or {})})


@dataclass(frozen=True)
class Call:
    """One request, as its route takes it."""

    who: Who
    query: dict[str, str]
    body: dict[str, Any]
    url: str

    def only(self, *fields: str, required: Sequence[str] = ()) -> dict[str, Any]:
        """The body, which has these fields, all of them text or lists of text, and no others."""
        unknown, missing = self.body.keys() - set(fields), set(required) - self.body.keys()
        odd = [k for k, v in self.body.items() if not isinstance(v, str) and not _texts(v)]
        if unknown or missing or odd:
            raise Refusal(422, {"message": f"unknown {unknown}, missing {missing}, odd {odd}"})
        return self.body

    def asks(self, *names: str) -> dict[str, str]:
        """The query, which has no other names than these."""
        unknown = self.query.keys() - {*names, "page", "per_page"}
        if unknown:
            raise Refusal(422, {"message": f"unknown parameters {unknown}"})
        return self.query

    def page(self, items: Sequence[Any], largest: int = 100) -> Answer:
        """One page of a list, and where the next one is."""
        size, number = min(int(self.query.get("per_page", 30)), largest), int(self.query.get("page", 1))
        last = max(1, -(-len(items) // size))

        def link(to: int, rel: str) -> str:
            return f'<{self.url}?{urlencode({**self.query, "page": to})}>; rel="{rel}"'

        links = [link(number - 1, "prev")] if number > 1 else []
        links += [link(number + 1, "next"), link(last, "last")] if number < last else []
        return said(
            200, list(items[(number - 1) * size : number * size]), {"link": ", ".join(links)} if links else {}
        )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


Route = tuple[str, re.Pattern[str], Callable[..., Answer]]


@dataclass
class Api:
    """A REST API on loopback."""

    prefix: str
    tokens: dict[str, Who] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._guard = threading.RLock()
        self._next = 1000
        self.server = Server(self._serve)

    @property
    def url(self) -> str:
        return self.server.url + self.prefix

    def on(self, method: str, pattern: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
        def add(handler: Callable[..., Answer]) -> Callable[..., Answer]:
            self.routes.append((method, re.compile(self.prefix + pattern), handler))
            return handler

        return add

    def number(self) -> int:
        self._next += 1
        return self._next

    def authenticate(self, asked: Asked) -> Who:
        raise NotImplementedError

    def _serve(self, asked: Asked) -> Answer:
        with self._guard:
            try:
                return self._answer(asked)
            except Refusal as refusal:
                return refusal.answer

    def _answer(self, asked: Asked) -> Answer:
        parts = urlsplit(asked.path)
        if not asked.headers.get("user-agent"):
            return said(403, {"message": "Request forbidden by administrative rules"})
        who = self.authenticate(asked)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        if len({name for name, _ in query}) != len(query):
            return said(400, {"message": "a parameter twice"})
        body: Any = {}
        if asked.body:
            if asked.headers.get("content-type") != "application/json":
                return said(415, {"message": "not JSON"})
            body = json.loads(asked.body)
        if not isinstance(body, dict) or (asked.body and asked.method in ("GET", "DELETE")):
            return said(400, {"message": "Problems parsing JSON"})
        call = Call(who, dict(query), body, self.server.url + parts.path)
        for method, pattern, handler in self.routes:
            if method == asked.method and (found := pattern.fullmatch(parts.path)):
                return handler(call, *(int(group) if group.isdigit() else group for group in found.groups()))
        return said(404, {"message": "Not Found"})

    @contextmanager
    def running(self) -> Iterator[Any]:
        with self.server.running():
            yield self
