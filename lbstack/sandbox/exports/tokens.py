"""Tokens that open masks and nothing else (API reference 1.11, S3).

The URLs of the older export carry one, so that whoever holds the file sees its masks, for thirty days. It
has the form of a JWT, signed with a secret of the organization.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import NotAuthenticatedError
from lbstack.sandbox.kinds.session import authenticate
from lbstack.sandbox.roles import BY_ID
from lbstack.sandbox.store import Row, Store

TABLES = ("CREATE TABLE IF NOT EXISTS mask_secrets (organizationId TEXT PRIMARY KEY, secret TEXT NOT NULL)",)

_SECONDS = 30 * 24 * 3600
_HEADER = {"alg": "HS256", "typ": "JWT"}


def prepare(context: Context) -> None:
    """See to it that the organization has a secret, in the transaction that is open."""
    secret = context.new_id() + context.new_id()
    sql = "INSERT OR IGNORE INTO mask_secrets (organizationId, secret) VALUES (?, ?)"
    context.store.run(sql, [context.organization_id, secret])


def issue(context: Context, time: str) -> str:
    """Return a token for the caller, good from ``time`` on. The secret must be there."""
    begin = _seconds(time)
    claims = {"userId": context.user["id"], "organizationId": context.organization_id}
    body = ".".join(_part(each) for each in (_HEADER, {**claims, "iat": begin, "exp": begin + _SECONDS}))
    return f"{body}.{_signature(context.store, context.organization_id, body)}"


def caller(
    store: Store, token: str | None, base: str, conditions: Conditions, host: str | None = None
) -> Context:
    """Return the context of whoever holds a token of this kind, or an API key; refuse others."""
    user = _holder(store, token) if token else None
    if user is None:
        return authenticate(store, token, base, conditions, host)
    role = BY_ID[user["orgRoleId"]]
    return Context(store, user, role.name, frozenset(role.permissions), base, conditions)


def _holder(store: Store, token: str) -> Row | None:
    body, _, signature = token.rpartition(".")
    claims = _claims(body.rpartition(".")[2])
    organization, user, end = (claims.get(key) for key in ("organizationId", "userId", "exp"))
    if not isinstance(organization, str) or not isinstance(user, str) or not isinstance(end, int):
        return None
    right = _signature(store, organization, body)
    if not right or not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")):
        return None
    if end <= _seconds(store.mint.now()):
        raise NotAuthenticatedError("Invalid API key")
    sql = "SELECT * FROM users WHERE id = ? AND organizationId = ? AND deleted = 0"
    return store.row(sql, [user, organization])


def _claims(part: str) -> dict[str, Any]:
    try:
        told = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _signature(store: Store, organization: str, body: str) -> str:
    secret = store.value("SELECT secret FROM mask_secrets WHERE organizationId = ?", [organization])
    if secret is None:
        return ""
    digest = hmac.new(secret.encode(), body.encode("utf-8", "replace"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _part(value: dict[str, Any]) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())
