"""What an answer means: the service's error codes and statuses as our errors.

For a mutation the outcome is one of three: committed (there is data), certainly not executed,
or unknown. API reference 5.5 lists the codes.
"""

from __future__ import annotations

from typing import Any

from lbstack.errors import AuthError, NotExecuted, NotFound, OutcomeUnknown, ServiceError, StackError
from lbstack.redaction import redacted

COMPLEXITY = "Query complexity limit exceeded"

NEVER_RAN = {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}
"""Refused before any resolver ran."""

REFUSED = {"RESOURCE_CONFLICT", "MALFORMED_REQUEST", "OPERATION_NOT_ALLOWED", "BAD_USER_INPUT"}
"""Refused by the resolver of a root field, when the error's path is that field."""

REFUSED_STATUS = {400, 409, 422, 426}


class Transient(ServiceError):
    """A read that failed for a reason that may pass."""


class Throttled(NotExecuted):
    """The service asks to slow down; `after` are the seconds it names, if it does."""

    def __init__(self, after: float | None = None) -> None:
        super().__init__("the service is throttling this key", "429", "try again in a minute")
        self.after = after


class TooComplex(NotExecuted):
    """The document is too large for the service; a smaller one may pass."""


def code_of(error: dict[str, Any]) -> str:
    """The ``extensions.code`` of a GraphQL error of any shape."""
    extensions = error.get("extensions")
    return str(extensions.get("code", "")) if isinstance(extensions, dict) else ""


def message_of(error: dict[str, Any]) -> str:
    """Its message, as one line."""
    return redacted(" ".join(str(error.get("message", "no message")).split()))


def of_errors(errors: list[dict[str, Any]]) -> StackError:
    """The error that a failed read, or a document as a whole, means."""
    if not errors:
        return ServiceError("the service answered without data and without an error")
    return _one(errors[0], ServiceError)


def of_mutation(errors: list[dict[str, Any]], data: dict[str, Any] | None) -> StackError:
    """The error that a failed mutation means. Without proof the outcome is unknown."""
    if not errors:
        return OutcomeUnknown("the service answered without data and without an error")
    error = errors[0]
    path = error.get("path")
    at_root = not isinstance(path, list) or len(path) <= 2  # a nested mutation fails one level down
    settled = code_of(error) in NEVER_RAN or (at_root and _refused(error))
    return _one(error, NotExecuted if settled else OutcomeUnknown)


def _refused(error: dict[str, Any]) -> bool:
    if code_of(error) in REFUSED:
        return True
    extensions = error.get("extensions")
    exception = extensions.get("exception") if isinstance(extensions, dict) else None
    return isinstance(exception, dict) and exception.get("status") in REFUSED_STATUS


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
    if message.startswith("You have exceeded"):
        return Throttled()
    return otherwise(f"the service refused: {message}" if otherwise is NotExecuted else message, code)


def of_rest(status: int, message: str, *, changes: bool) -> StackError:
    """The error that an HTTP status means; `changes` says whether the request was to change something."""
    text = message or f"HTTP {status}"
    if status in (401, 403):
        return AuthError(f"the service refused the API key: {text}", "set LABELBOX_API_KEY to a valid key")
    if status == 404 and message:  # the service's own words; a proxy has others, and proves nothing
        return NotFound(text, "404")
    if 300 <= status < 400:
        return NotExecuted(
            f"the endpoint redirects elsewhere (HTTP {status})", str(status), "check LABELBOX_ENDPOINT"
        )
    if 400 <= status < 500 and status not in (404, 408, 425, 499):
        return NotExecuted(f"the service refused: {text}", str(status))
    if changes:
        return OutcomeUnknown(f"the service answered {text}", str(status))
    return Transient(f"the service answered {text}", str(status))
