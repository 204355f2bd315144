"""API keys: who may speak, in which role, until when, from where (API reference 1.5, 5.2 and 5.5).

A key is a JWT that is shown once, when it is made. It acts in a role of its own, or in its owner's.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from lbstack.sandbox import people
from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import NotAuthorizedError, NotFoundError, malformed_if
from lbstack.sandbox.ids import print_time
from lbstack.sandbox.roles import BY_ID, BY_NAME, MANAGE_MEMBERS, NONE, Role
from lbstack.sandbox.store import Row, Store

TABLES = (
    """CREATE TABLE IF NOT EXISTS api_keys (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, userId TEXT NOT NULL REFERENCES users (id),
        name TEXT NOT NULL, jwt TEXT NOT NULL UNIQUE, roleId TEXT, createdByUserId TEXT,
        allowedIpCidrs TEXT NOT NULL DEFAULT '[]', createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL,
        expiresAt TEXT, revoked INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS api_keys_organization ON api_keys (organizationId, userId)",
)

_SHORTEST, _LONGEST = 60, 25 * 7 * 24 * 3600  # seconds: a minute to 25 weeks
_MOST_SECONDS = 100 * 365 * 24 * 3600
_MOST_RANGES = 50
_MOST_SHOWN = 1000
_NEVER = 2**31 - 1  # a key that never expires must say something that is a GraphQL Int

SDL = """
type ApiKey {
  id: ID!
  name: String!
  userId: ID!
  userEmail: String!
  createdByUserId: ID
  createdAt: DateTime!
  updatedAt: DateTime!
  revoked: Boolean!
  expiresAtEpoch: Int!
  allowedIpCidrs: [String!]! @listSize(assumedSize: 5)
}
type CreatedApiKey { id: ID!, jwt: String! }
input CreateApiKeyInput {
  name: String!
  targetUserEmailId: String!
  role: String
  validitySeconds: Int
  allowedIpCidrs: [String!]
}
input UpdateApiKeyInput { revoked: Boolean! }
extend type User { apiKeys: [ApiKey!]!, apiKeysOtherUsers: [ApiKey!]! }
extend type Mutation {
  createApiKey(data: CreateApiKeyInput!): CreatedApiKey
  updateApiKey(where: WhereUniqueIdInput!, data: UpdateApiKeyInput!): ApiKey
}
"""


def add_key(store: Store, user: str, role: str | None, name: str = "Sandbox", **more: Any) -> str:
    """Make an API key for a user, acting in ``role`` (an id) or in the user's own; return the key.

    It has the form of a JWT. A seeded store's keys are the same every time. ``more`` are further columns.
    """
    now, ident = store.mint.now(), more.pop("id", None) or store.mint.cuid()
    signature = ident * 2 if store.mint.seeded else secrets.token_urlsafe(32)
    organization = store.value("SELECT organizationId FROM users WHERE id = ?", [user])
    payload = {"userId": user, "apiKeyId": ident, "iat": int(datetime.fromisoformat(now).timestamp())}
    jwt = ".".join([_part({"alg": "HS256", "typ": "JWT"}), _part(payload), signature])
    row = {"id": ident, "organizationId": organization, "userId": user, "name": name, "roleId": role}
    store.insert("api_keys", {**row, "jwt": jwt, "createdAt": now, "updatedAt": now, **more})
    return jwt


def _part(value: dict[str, Any]) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def expiry(store: Store, seconds: float) -> str:
    """Return the time at which a key ends that is made now and holds for ``seconds``; ValueError when that
    is no time, or over as it is made."""
    if not 1 <= seconds <= _MOST_SECONDS:
        raise ValueError(f"a key holds for a second to a hundred years, not for {seconds:,.0f} seconds")
    moment = datetime.fromisoformat(store.mint.now()) + timedelta(seconds=seconds)
    return print_time(moment.astimezone(UTC).timestamp())


@mutation("createApiKey", MANAGE_MEMBERS)
def _create(_: Any, info: Info, data: Row) -> Row:
    """Make a key for a member. It may do no more than the key that makes it, and shows itself only here."""
    context = info.context
    malformed_if(not data["name"].strip(), "API key name must not be empty")
    user = people.member_by_email(context.store, context.organization_id, data["targetUserEmailId"])
    if user is None:
        raise NotFoundError(f"User not found: {data['targetUserEmailId']}")
    role = _role(context, data.get("role"), user)
    seconds = data.get("validitySeconds")
    wrong = seconds is not None and not _SHORTEST <= seconds <= _LONGEST
    malformed_if(wrong, f"validitySeconds must be between {_SHORTEST} and {_LONGEST}")
    more = {
        "id": context.new_id(),
        "createdByUserId": context.user["id"],
        "expiresAt": None if seconds is None else expiry(context.store, seconds),
        "allowedIpCidrs": json.dumps(_ranges(data.get("allowedIpCidrs") or [])),
    }
    context.touch(more["id"])
    jwt = add_key(context.store, user["id"], role.id, data["name"].strip(), **more)
    return {"id": more["id"], "jwt": jwt}


def _role(context: Context, name: str | None, user: Row) -> Role:
    role = BY_ID[user["orgRoleId"]] if name is None else BY_NAME.get(name)
    malformed_if(role is None or (name is not None and role.id == NONE), f"Invalid role: {name}")
    assert role is not None
    if not context.permissions.issuperset(role.permissions):
        raise NotAuthorizedError(f"Role {context.role} is not allowed to make a key of role {role.name}")
    return role


def _ranges(told: list[str]) -> list[str]:
    malformed_if(len(told) > _MOST_RANGES, f"At most {_MOST_RANGES} IP ranges are allowed")
    try:
        return [str(ipaddress.ip_network(each.strip())) for each in told]
    except ValueError as error:
        malformed_if(True, f"Invalid IP range: {error}")
        raise


@mutation("updateApiKey")
def _update(_: Any, info: Info, where: Row, data: Row) -> Row:
    """Revoke a key: one's own, or with the right to manage members anybody's."""
    context = info.context
    malformed_if(not data["revoked"], "An API key that was revoked cannot be restored")
    sql = "SELECT * FROM api_keys WHERE id = ? AND organizationId = ?"
    key = context.store.row(sql, [where["id"], context.organization_id])
    if key is None:
        raise NotFoundError(f"ApiKey not found: {where['id']}")
    if key["userId"] != context.user["id"]:
        context.require(MANAGE_MEMBERS)
    context.touch(key["id"])
    changed = {"revoked": 1, "updatedAt": context.now()}
    context.store.update("api_keys", key["id"], changed)
    return {**_shown(context, key), **changed}


def _own(user: Row, info: Info) -> list[Row]:
    """The caller's own keys; those of others are told to nobody but by ``apiKeysOtherUsers``."""
    context = info.context
    if user["id"] != context.user["id"]:
        return []
    return _keys(context, "userId = ?")


def _of_others(user: Row, info: Info) -> list[Row]:
    context = info.context
    if user["id"] != context.user["id"] or not context.may(MANAGE_MEMBERS):
        return []
    return _keys(context, "userId <> ?")


def _keys(context: Context, condition: str) -> list[Row]:
    sql = f"""SELECT * FROM api_keys WHERE organizationId = ? AND revoked = 0 AND {condition}
        ORDER BY rowid LIMIT {_MOST_SHOWN}"""  # noqa: S608 - the condition is one of the two above
    rows = context.store.rows(sql, [context.organization_id, context.user["id"]])
    return [_shown(context, row) for row in rows]


def _shown(context: Context, key: Row) -> Row:
    email = context.store.value("SELECT email FROM users WHERE id = ?", [key["userId"]])
    ends = key["expiresAt"] and int(datetime.fromisoformat(key["expiresAt"]).timestamp())
    told = {"userEmail": email, "expiresAtEpoch": min(ends or _NEVER, _NEVER)}
    return {**key, **told, "allowedIpCidrs": json.loads(key["allowedIpCidrs"])}


def admits(key: Row, host: str | None) -> bool:
    """Say whether a key may be used from the address ``host``; one without ranges may from anywhere."""
    ranges = json.loads(key["allowedIpCidrs"])
    if not ranges:
        return True
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return False  # nobody knows from where
    return any(address in ipaddress.ip_network(each) for each in ranges)


KIND = Kind(
    "api_key",
    SDL,
    TABLES,
    {
        "Mutation": {"createApiKey": _create, "updateApiKey": _update},
        "User": {"apiKeys": _own, "apiKeysOtherUsers": _of_others},
    },
)
