"""The service's refusals. Every one carries ``extensions.code`` (API reference 5.5)."""

from __future__ import annotations

from typing import Any


class ServiceError(Exception):
    """A refusal with one of the service's error codes; graphql-core copies ``extensions`` to the answer."""

    code = "INTERNAL_SERVER_ERROR"

    def __init__(self, message: str, **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions = {"code": self.code, **extensions}


class NotAuthenticatedError(ServiceError):
    """No key, or none that is known, in force and unexpired."""

    code = "AUTHENTICATION_ERROR"


class NotAuthorizedError(ServiceError):
    """The key is good but its role may not do this."""

    code = "AUTHORIZATION_ERROR"


class NotFoundError(ServiceError):
    """No such object, or one that is deleted, foreign, or hidden from this key."""

    code = "RESOURCE_NOT_FOUND"


class ConflictError(ServiceError):
    """Something that must be unique exists already."""

    code = "RESOURCE_CONFLICT"


class MalformedError(ServiceError):
    """A value the schema lets through and the service does not."""

    code = "MALFORMED_REQUEST"


class NotAllowedError(ServiceError):
    """Something that can never be done to this object."""

    code = "OPERATION_NOT_ALLOWED"


class BadInputError(ServiceError):
    """A request that cannot be executed as it stands, for instance variables of the wrong type."""

    code = "BAD_USER_INPUT"


def malformed_if(wrong: bool, message: str) -> None:
    """Refuse with MALFORMED_REQUEST when ``wrong``."""
    if wrong:
        raise MalformedError(message)
