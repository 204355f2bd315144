"""A client of an application in this process: it is asked where the test runs, in no other thread."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import Any

import httpx2

_HERE = threading.local()


def _loop() -> asyncio.AbstractEventLoop:
    """The loop of this thread, which stays: to make one takes longer than most requests."""
    if not hasattr(_HERE, "loop"):
        _HERE.loop = asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = _HERE.loop
    return loop


class Client:
    """Sends requests to an ASGI application; what it raises is raised here."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="http://testserver", trust_env=False
        )
        self.get = functools.partial(self.request, "GET")
        self.head = functools.partial(self.request, "HEAD")
        self.post = functools.partial(self.request, "POST")

    def request(self, method: str, url: str, **what: Any) -> httpx2.Response:
        return _loop().run_until_complete(self._client.request(method, url, **what))
