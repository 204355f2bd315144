"""Who asks, and where: users, the organization, roles (API reference 1.5 and 5.2)."""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

from datetime import datetime
from typing import Any

from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.context import Context, Info
from lbstack.sandbox.contract import Kind, Resolver
from lbstack.sandbox.errors import NotAuthenticatedError, NotFoundError
from lbstack.sandbox.kinds.api_key import admits
from lbstack.sandbox.listing import PAGING, page_sql
from lbstack.sandbox.roles import BY_ID, BY_NAME, PERMISSIONS
from lbstack.sandbox.store import Row, Store
from lbstack.sandbox.tables import EVERYBODY, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS organizations (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL,
        seats INTEGER NOT NULL DEFAULT 10000)""",
    "CREATE TABLE IF NOT EXISTS roles (id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS users (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL REFERENCES organizations (id),
        email TEXT NOT NULL, name TEXT, nickname TEXT, picture TEXT, timezone TEXT,
        orgRoleId TEXT NOT NULL REFERENCES roles (id), isViewer INTEGER NOT NULL DEFAULT 0,
        isExternalUser INTEGER NOT NULL DEFAULT 0, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL,
        lastLoginAt TEXT, deleted INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS users_email ON users (organizationId, email)",
    "CREATE INDEX IF NOT EXISTS users_anywhere ON users (lower(email))",
)

SDL = f"""
enum PermissionFlag {{ {" ".join(PERMISSIONS)} }}
type Role {{
  id: ID!
  name: String!
  description: String
  permissions: [PermissionFlag!]!
  organizationId: ID
}}
type User {{
  id: ID!
  email: String!
  name: String
  nickname: String
  picture: String
  timezone: String
  intercomHash: String
  isViewer: Boolean!
  isExternalUser: Boolean!
  createdAt: DateTime!
  updatedAt: DateTime!
  lastLoginAt: DateTime
  deleted: Boolean!
  role: String
  orgRole: Role
  organization: Organization!
}}
type Organization {{
  id: ID!
  name: String!
  createdAt: DateTime!
  updatedAt: DateTime!
  users(where: UserWhereInput, {PAGING}): [User!]!
}}
input WhereUniqueIdInput {{ id: ID! }}
{USERS.where_sdl()}
extend type Query {{
  user(where: WhereUniqueIdInput): User
  users(where: UserWhereInput, {PAGING}): [User!]
  organization: Organization
  roles({PAGING}): [Role!]
  organizationRole(userId: ID): Role
}}
"""


def authenticate(
    store: Store, token: str | None, base: str, conditions: Conditions, host: str | None = None
) -> Context:
    """Return the context of a key's owner; refuse a key that is missing, unknown, revoked, expired, or
    not to be used from ``host``.

    A key may carry a role of its own; else it acts in its owner's role at the time of asking.
    """
    key = token and store.row("SELECT * FROM api_keys WHERE jwt = ? AND revoked = 0", [token])
    expires = key and key["expiresAt"]
    expired = expires and datetime.fromisoformat(expires).timestamp() <= store.mint.seconds()
    user = key and store.row("SELECT * FROM users WHERE id = ? AND deleted = 0", [key["userId"]])
    if not key or not user or expired or not admits(key, host) or not conditions.key_works():
        raise NotAuthenticatedError("Invalid API key")
    role = BY_ID[key["roleId"] or user["orgRoleId"]]
    if conditions.role:
        role = BY_NAME[conditions.role]
    if conditions.org:
        sql = "SELECT * FROM users WHERE organizationId = ? AND deleted = 0 ORDER BY rowid LIMIT 1"
        user = store.row(sql, [conditions.org]) or user
    return Context(store, user, role.name, frozenset(role.permissions), base, conditions)


def _user(_: Any, info: Info, where: Row | None = None) -> Row:
    context = info.context
    return context.user if where is None else context.find(USERS, where["id"])


def _users(
    _: Any, info: Info, where: Any = None, skip: int | None = None, first: int | None = None
) -> list[Row]:
    context = info.context
    return context.page(USERS, where, skip, first, among=EVERYBODY)


def the_organization(_: Any, info: Info) -> Row | None:
    """Resolve ``organization`` anywhere: there is only the caller's."""
    context = info.context
    return context.organization()


def _roles(_: Any, info: Info, skip: int | None = None, first: int | None = None) -> list[Row]:
    context = info.context
    rows = context.store.rows(f"SELECT * FROM roles ORDER BY rowid{page_sql(skip, first)}")
    return [role_row(row["id"]) for row in rows]


def _organization_role(_: Any, info: Info, userId: str | None = None) -> Row:  # noqa: N803
    context = info.context
    if userId is None:
        told = context.conditions.role
        return role_row(BY_NAME[told].id if told else context.user["orgRoleId"])
    return role_row(context.find(USERS, userId)["orgRoleId"])


def role_row(ident: str) -> Row:
    """Return the row of the role ``ident``, refusing an unknown one with RESOURCE_NOT_FOUND."""
    role = BY_ID.get(ident)
    if role is None:
        raise NotFoundError(f"Role not found: {ident}")
    return {
        "id": role.id, "name": role.name, "description": role.description,
        "permissions": role.permissions, "organizationId": None,
    }  # fmt: skip


RESOLVERS: dict[str, dict[str, Resolver]] = {
    "Query": {
        "user": _user,
        "users": _users,
        "organization": the_organization,
        "roles": _roles,
        "organizationRole": _organization_role,
    },
    "User": {
        "intercomHash": lambda *_: None,
        "role": lambda user, _: BY_ID[user["orgRoleId"]].name,
        "orgRole": lambda user, _: role_row(user["orgRoleId"]),
        "organization": the_organization,
    },
    "Organization": {"users": _users},
}

KIND = Kind("session", SDL, TABLES, RESOLVERS)
