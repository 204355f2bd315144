"""Decides what an IAM policy document says about one request: allowed, denied, or cannot tell.

The subset of AWS's evaluation logic that a delegated-access role needs: an explicit Deny beats any
Allow, what nothing allows is denied, AWS principals (account id, account root, exact ARN, ``*``),
wildcards in actions and resources, and StringEquals / StringLike on ``sts:ExternalId``. Whatever lies
outside that subset is answered UNKNOWN and never ALLOWED, so a caller can be too strict but not too lax.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

EXTERNAL_ID_KEY = "sts:externalid"
_KNOWN_ELEMENTS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
    "Condition",
}  # fmt: skip


class Verdict(enum.Enum):
    """What a policy says about a request."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "cannot tell"


class _Match(enum.IntEnum):
    """Kleene's three values, ordered so that ``min`` is *and* and ``max`` is *or*."""

    NO = 0
    UNKNOWN = 1
    YES = 2


@dataclass(frozen=True)
class Request:
    """One call as IAM sees it.

    ``account`` and ``arn`` are the caller's; an ``arn`` of None is somebody in that account, of whom no
    more is known. ``external_id`` is None when the caller sends none. ``resource`` is None for a trust
    policy, which has no Resource element.
    """

    action: str
    account: str
    arn: str | None = None
    external_id: str | None = None
    resource: str | None = None


def evaluate(policy: Document, request: Request, *, trust: bool) -> Verdict:
    """Say whether ``policy`` lets ``request`` through; ``trust`` ones name principals, others resources."""
    denies = allows = _Match.NO
    for statement in _as_list(policy.get("Statement", [])):
        match = _statement(statement, request, trust)
        if statement.get("Effect") == "Deny":
            denies = max(denies, match)
        else:
            allows = max(allows, match)
    if denies is _Match.YES or allows is _Match.NO:
        return Verdict.DENIED
    if denies is _Match.NO and allows is _Match.YES:
        return Verdict.ALLOWED
    return Verdict.UNKNOWN


def external_ids(policy: Document) -> set[str]:
    """Every external id the policy's conditions mention, wildcards as they are written."""
    found: set[str] = set()
    for statement in _as_list(policy.get("Statement", [])):
        for keys in statement.get("Condition", {}).values():
            for key, values in keys.items():
                if key.lower() == EXTERNAL_ID_KEY:
                    found.update(str(value) for value in _as_list(values))
    return found


def check_document(policy: object, *, trust: bool) -> None:
    """Raise ValueError, with what is wrong, unless ``policy`` has the form AWS demands of a role's."""
    statements = policy.get("Statement") if isinstance(policy, Mapping) else None
    if not isinstance(statements, Mapping | list) or not statements:
        raise ValueError("a policy document is a JSON object with a Statement")
    for number, statement in enumerate(_as_list(statements), start=1):
        problem = _statement_problem(statement, trust)
        if problem:
            raise ValueError(f"statement {number}: {problem}")


def _statement_problem(statement: object, trust: bool) -> str | None:
    if not isinstance(statement, Mapping):
        return "a statement is a JSON object"
    unknown = sorted(set(statement) - _KNOWN_ELEMENTS)
    if unknown:
        return f"unknown element {unknown[0]}"
    if statement.get("Effect") not in ("Allow", "Deny"):
        return "Effect must be Allow or Deny"
    if ("Action" in statement) == ("NotAction" in statement):
        return "exactly one of Action and NotAction is needed"
    if ("Principal" in statement or "NotPrincipal" in statement) != trust:
        return "a trust policy names a Principal" if trust else "a permissions policy has no Principal"
    if ("Resource" in statement or "NotResource" in statement) == trust:
        return "a trust policy has no Resource" if trust else "a permissions policy names a Resource"
    condition = statement.get("Condition", {})
    if not isinstance(condition, Mapping) or not all(
        isinstance(keys, Mapping) for keys in condition.values()
    ):
        return "a Condition maps operators to keys"
    return None


def _statement(statement: Document, request: Request, trust: bool) -> _Match:
    parts = [_action(statement, request.action), _condition(statement.get("Condition", {}), request)]
    parts.append(_principal(statement, request) if trust else _resource(statement, request.resource or ""))
    return min(parts)


def _principal(statement: Document, request: Request) -> _Match:
    if "NotPrincipal" in statement or "Principal" not in statement:
        return _Match.UNKNOWN
    principal = statement["Principal"]
    if principal == "*":
        return _Match.YES
    if not isinstance(principal, Mapping):
        return _Match.UNKNOWN
    # Service, Federated and CanonicalUser principals are never an AWS account's caller.
    return _any(_aws_principal(str(name), request) for name in _as_list(principal.get("AWS", [])))


def _aws_principal(name: str, request: Request) -> _Match:
    if name in ("*", request.account, f"arn:aws:iam::{request.account}:root"):
        return _Match.YES
    if name == request.arn:
        return _Match.YES
    if "*" in name or "?" in name:
        return _Match.UNKNOWN  # AWS takes no partial wildcard in a principal
    if request.arn is None and name.startswith("arn:") and f"::{request.account}:" in name:
        return _Match.UNKNOWN  # one identity of the right account, but is it the one that calls?
    return _Match.NO


def _action(statement: Document, action: str) -> _Match:
    if "NotAction" in statement or "Action" not in statement:
        return _Match.UNKNOWN
    patterns = _as_list(statement["Action"])
    return _any(_like(action.lower(), str(pattern).lower()) for pattern in patterns)


def _resource(statement: Document, resource: str) -> _Match:
    if "NotResource" in statement or "Resource" not in statement:
        return _Match.UNKNOWN
    return _any(_like(resource, str(pattern)) for pattern in _as_list(statement["Resource"]))


def _condition(condition: Document, request: Request) -> _Match:
    result = _Match.YES
    for operator, keys in condition.items():
        for key, values in keys.items():
            result = min(result, _one_condition(operator, key, _as_list(values), request))
    return result


def _one_condition(operator: str, key: str, values: list[Any], request: Request) -> _Match:
    if key.lower() != EXTERNAL_ID_KEY or operator not in ("StringEquals", "StringLike"):
        return _Match.UNKNOWN
    given = request.external_id
    if given is None:
        return _Match.NO  # a key that the request does not carry matches neither operator
    if operator == "StringLike":
        return _any(_like(given, str(value)) for value in values)
    return _any(_equal(given, str(value)) for value in values)


def _equal(text: str, value: str) -> _Match:
    if "${" in value:
        return _Match.UNKNOWN  # a policy variable: its value is not known here
    return _Match.YES if text == value else _Match.NO


def _like(text: str, pattern: str) -> _Match:
    """Match ``*`` (any run of characters, also across ``/``) and ``?`` (one character), case-sensitively."""
    if "${" in pattern:
        return _Match.UNKNOWN
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return _Match.YES if re.fullmatch(expression, text, re.DOTALL) else _Match.NO


def _any(matches: Iterable[_Match]) -> _Match:
    return max(matches, default=_Match.NO)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
