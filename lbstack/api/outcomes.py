"""What an answer means. For a mutation there are three outcomes, and only evidence decides between them.

===  ====================================================================  ============  ================
row  what came back                                                        outcome       raised
===  ====================================================================  ============  ================
 1   nothing was sent: no connection, no TLS, no way through a proxy       not executed  Unreachable
 2   the mutation's field with an id, whatever errors stand beside it      committed     (errors are told)
 3   the mutation's field with a value, and no errors                      committed
 4   429, or "You have exceeded" below 500; no data                        not executed  Throttled
 5   below 500: an error without a path, no data, and a code of those      not executed  NotExecuted,
     that stop a document before it runs, or refuse it                                   AuthError
 6   below 500: an error at the mutation's field or above it, and a code   not executed  NotExecuted,
     that refuses, or an inner status of 400, 409, 422 or 426                            AuthError, NotFound
 7   below 500: an error below the mutation's field: the mutation ran,     committed     Committed
     what failed was to tell of it
 8   several errors that do not all prove the same                         unknown       OutcomeUnknown
 9   any other error; null without an error; 500 and more; any status      unknown       OutcomeUnknown
     without the service's own words; a redirect; what is no GraphQL
10   broken off, too late, too large, cut short                            unknown       OutcomeUnknown
===  ====================================================================  ============  ================

REST has no paths, so there a status below 500 with the service's own words (a ``message``) refuses, and
one without them proves nothing: a proxy has words of its own. Rows 1, 4, 9 and 10 are the same.

Only rows 1 and 4 are sent again by the wire. API reference 5.5 lists the codes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

from lbstack.api.answers import (
    EXCEEDED,
    Answer,
    code_of,
    graphql_of,
    inner_status,
    message_of,
    wait_of,
    words_of,
)
from lbstack.api.decoding import decoded
from lbstack.api.http import Received
from lbstack.errors import (
    AuthError,
    Committed,
    NotExecuted,
    NotFound,
    OutcomeUnknown,
    ServiceError,
    StackError,
)
from lbstack.redaction import redacted

COMPLEXITY = "Query complexity limit exceeded"

BEFORE = {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}
"""Refused before any resolver ran."""

REFUSED = {
    "RESOURCE_CONFLICT", "MALFORMED_REQUEST", "OPERATION_NOT_ALLOWED", "BAD_USER_INPUT", "RESOURCE_NOT_FOUND",
    "AUTHENTICATION_ERROR", "AUTHORIZATION_ERROR",
}  # fmt: skip
"""Refused by the resolver of the field that the error's path names."""

REFUSED_STATUS = {400, 409, 422, 426}
NO_REFUSAL = {408, 425, 499}
"""Statuses below 500 that tell of a lost connection, not of a refusal."""


class Transient(ServiceError):
    """A read that failed for a reason that may pass."""


class Unreachable(NotExecuted):
    """No connection was made, so nothing was sent: trying again is safe."""


class Throttled(NotExecuted):
    """The service asks to slow down; `after` are the seconds it names, if it does."""

    def __init__(self, after: float | None = None) -> None:
        super().__init__("the service is throttling this key", "429", "try again in a minute")
        self.after = after


class TooComplex(NotExecuted):
    """The document is too large for the service; a smaller one may pass."""


# -- mutations ------------------------------------------------------------------------------------


def of_mutation(received: Received, document: str) -> Answer:
    """The answer to a mutation that was committed; raises what any other outcome means."""
    path = mutated(document)
    answer = graphql_of(received)
    if answer is None:
        raise _without_graphql(received, OutcomeUnknown)
    node = _at(answer.data, path)
    if _told(node, alone=not answer.errors):
        return answer
    if received.status == 429 or (node is None and _exceeded(answer.errors, path)):
        raise Throttled(wait_of(received))
    if received.status >= 500 or not answer.errors:
        raise _unknown(received, answer.errors)
    verdicts = {_verdict(error, path, answer.data) for error in answer.errors}
    if verdicts == {NotExecuted}:
        raise _one(answer.errors[0], NotExecuted)
    if verdicts == {Committed}:
        raise Committed(
            f"it was done, but the service failed to tell of it: {message_of(answer.errors[0])}",
            code_of(answer.errors[0]),
        )
    raise _unknown(received, answer.errors)


@functools.cache
def mutated(document: str) -> tuple[str, ...]:
    """Where in the data a document's mutation answers: the path to its innermost field with arguments.

    Some mutations stand below the object that they change (API reference 1.3: ``project``, ``ontology``).
    """
    body = document
    if "(" in body.partition("{")[0]:
        body = _past_parentheses(body)
    path: list[str] = []
    while found := re.match(r"[^{]*\{\s*(\w+)\s*\(", body):
        path.append(found[1])
        body = _past_parentheses(body)
    return tuple(path) or tuple(re.findall(r"\{\s*(\w+)", body)[:1])


def _past_parentheses(text: str) -> str:
    """What follows the first parentheses of a text, which may hold others."""
    depth = 0
    for found in re.finditer(r"[()]", text):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return text[found.end() :]
    return ""


def _at(data: dict[str, Any] | None, path: Sequence[str]) -> Any:
    node: Any = data
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _told(node: Any, *, alone: bool) -> bool:
    """Whether the mutation's field came back: with an id, or, beside no error, with anything at all."""
    id = node.get("id") if isinstance(node, dict) else None
    if id is None:
        return alone and node is not None
    return isinstance(id, str) and id != ""


def _verdict(error: dict[str, Any], path: tuple[str, ...], data: Any) -> type[ServiceError]:
    """What one error proves: that nothing ran, that it ran, or nothing."""
    at, code = error.get("path"), code_of(error)
    if at is None:
        return NotExecuted if data is None and code in BEFORE | REFUSED else OutcomeUnknown
    if not isinstance(at, list) or not at or tuple(at[: len(path)]) != path[: len(at)]:
        return OutcomeUnknown
    if len(at) > len(path):
        return OutcomeUnknown if code in BEFORE else Committed
    refused = code in BEFORE | REFUSED or inner_status(error) in REFUSED_STATUS
    return NotExecuted if refused else OutcomeUnknown


def _exceeded(errors: list[dict[str, Any]], path: tuple[str, ...]) -> bool:
    """Whether the service refused because of its rate limit, and nothing says that it ran all the same."""
    return bool(errors) and all(
        message_of(error).startswith(EXCEEDED)
        and not (isinstance(error.get("path"), list) and len(error["path"]) > len(path))
        for error in errors
    )


def _unknown(received: Received, errors: list[dict[str, Any]]) -> OutcomeUnknown:
    if errors:
        return OutcomeUnknown(message_of(errors[0]), code_of(errors[0]))
    if received.status != 200:
        return OutcomeUnknown(f"the service answered HTTP {received.status}", str(received.status))
    return OutcomeUnknown("the service answered without data and without an error")


# -- reads ----------------------------------------------------------------------------------------


def of_read(received: Received) -> Answer:
    """The answer to a query, whose errors are the caller's to judge; raises what is no answer to it."""
    answer = graphql_of(received)
    if received.status == 429 or (answer and answer.data is None and _exceeded(answer.errors, ())):
        raise Throttled(wait_of(received))
    if answer is None or received.status >= 500:
        raise _without_graphql(received, Transient)
    if received.status != 200:  # errors it may tell of; what it says of objects does not count
        if not answer.errors:
            raise _without_graphql(received, Transient)
        return Answer(None, answer.errors)
    return answer


def of_errors(errors: list[dict[str, Any]]) -> StackError:
    """The error that a failed read, or a document as a whole, means."""
    if not errors:
        return ServiceError("the service answered without data and without an error")
    return _one(errors[0], ServiceError)


# -- REST -----------------------------------------------------------------------------------------


def of_rest(received: Received, *, changes: bool) -> Any:
    """The JSON of a REST answer, None where it has no body; `changes` says what it was asked for."""
    lost = OutcomeUnknown if changes else Transient
    status, words = received.status, words_of(received)
    if status == 204:
        return None
    if 200 <= status < 300 and not (words or "").startswith(EXCEEDED):
        try:
            return decoded(received.body)
        except ValueError:
            raise lost("the service's REST answer is no JSON", "protocol") from None
    if words is None or status == 429 or status >= 500:
        raise _without_graphql(received, lost)
    if status in (401, 403):
        raise AuthError(
            f"the service refused the API key: {redacted(words)}", "set LABELBOX_API_KEY to a valid key"
        )
    if status == 404:
        raise NotFound(words, "404")
    if 400 <= status < 500 and status not in NO_REFUSAL:
        raise NotExecuted(f"the service refused: {words}", str(status))
    raise _without_graphql(received, lost)


def _without_graphql(received: Received, lost: type[ServiceError]) -> StackError:
    """The error of an answer that is not in the service's own words."""
    status, reading = received.status, lost is Transient
    if status == 429 or (status < 500 and (words_of(received) or "").startswith(EXCEEDED)):
        return Throttled(wait_of(received))
    if reading and status in (401, 403):
        return AuthError(
            f"the service refused the API key: HTTP {status}", "set LABELBOX_API_KEY to a valid key"
        )
    if 300 <= status < 400:
        kind = ServiceError if reading else lost
        return kind(
            f"the endpoint redirects elsewhere (HTTP {status})", str(status), "check LABELBOX_ENDPOINT"
        )
    if reading and 400 <= status < 500 and status not in {404, *NO_REFUSAL}:
        return ServiceError(f"the service refused: HTTP {status}", str(status))
    if status == 200:
        return lost("the service's answer is no GraphQL", "protocol")
    return lost(f"the service answered HTTP {status}", str(status))


def _one(error: dict[str, Any], otherwise: type[ServiceError]) -> StackError:
    code, message = code_of(error), message_of(error)
    if code == "AUTHENTICATION_ERROR":
        return AuthError("the service does not accept the API key", "set LABELBOX_API_KEY to a valid key")
    if code == "AUTHORIZATION_ERROR":
        return AuthError(f"the API key may not do this: {message}", "use a key with a sufficient role")
    if code == "RESOURCE_NOT_FOUND":
        return NotFound(message, code)
    if message == COMPLEXITY:
        return TooComplex(message, code)
    return otherwise(f"the service refused: {message}" if otherwise is NotExecuted else message, code)
