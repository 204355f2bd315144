"""Clients of what is served on this machine.

Nothing is encrypted there, so that no authority need be trusted: to load all that a machine trusts, as
every new client does otherwise, takes longer than most tests.
"""

from __future__ import annotations

import functools
import ssl
from typing import Any

import httpx2

_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def client(**settings: Any) -> httpx2.Client:
    """A client that keeps its connections."""
    return httpx2.Client(verify=_NOBODY, trust_env=False, **settings)


def request(method: str, url: str, **what: Any) -> httpx2.Response:
    """One request, over a connection of its own."""
    return httpx2.request(method, url, verify=_NOBODY, trust_env=False, **what)


get = functools.partial(request, "GET")
post = functools.partial(request, "POST")
