"""The parts of an answer, whatever its shape: GraphQL, the service's own words below it, how long to wait."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lbstack.api.clock import seconds_of
from lbstack.api.decoding import decoded
from lbstack.api.http import Received
from lbstack.redaction import redacted

EXCEEDED = "You have exceeded"
"""How the service's words begin when there were too many requests."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What GraphQL answered: data, which may be partial, and errors as they came."""

    data: dict[str, Any] | None
    errors: list[dict[str, Any]] = field(default_factory=list)


def code_of(error: dict[str, Any]) -> str:
    """The ``extensions.code`` of a GraphQL error of any shape."""
    extensions = error.get("extensions")
    return str(extensions.get("code", "")) if isinstance(extensions, dict) else ""


def inner_status(error: dict[str, Any]) -> Any:
    """The status that the service wraps into an INTERNAL_SERVER_ERROR when the mistake is the client's."""
    extensions = error.get("extensions")
    exception = extensions.get("exception") if isinstance(extensions, dict) else None
    return exception.get("status") if isinstance(exception, dict) else None


def message_of(error: dict[str, Any]) -> str:
    """Its message, as one line."""
    return redacted(" ".join(str(error.get("message", "no message")).split()))


def graphql_of(received: Received) -> Answer | None:
    """The body, if it has the shape of a GraphQL answer with anything in it."""
    try:
        body = decoded(received.body)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    data, errors = body.get("data"), body.get("errors") or []
    if not (data is None or isinstance(data, dict)):
        return None
    if not (isinstance(errors, list) and all(isinstance(error, dict) for error in errors)):
        return None
    return Answer(data, errors) if errors or data is not None else None


def words_of(received: Received) -> str | None:
    """The ``message`` of an answer that says nothing else: how the service speaks below GraphQL."""
    try:
        body = decoded(received.body)
    except ValueError:
        return None
    told = body.get("message") if isinstance(body, dict) else None
    return told if isinstance(told, str) and told and not body.get("data") else None


def wait_of(received: Received) -> float | None:
    """Seconds of a ``Retry-After``, which may also be a date by the service's own clock."""
    told = received.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", told, re.ASCII):
        return float(told)
    until, now = seconds_of(told), seconds_of(received.headers.get("date", ""))
    return None if until is None or now is None else max(0.0, until - now)
