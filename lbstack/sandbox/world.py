"""What happens to a workspace without the API: people accept invites, keys are made in the settings page.

For tests, demos and the command line; none of it goes through GraphQL, as in the real service.
"""

from __future__ import annotations

import re
from typing import Any

from lbstack.sandbox import people
from lbstack.sandbox.kinds.api_key import add_key, expiry
from lbstack.sandbox.kinds.invite import forget
from lbstack.sandbox.roles import BY_ID, BY_NAME, NONE
from lbstack.sandbox.seed import found_organization
from lbstack.sandbox.store import Store


def admin_key(store: Store) -> str:
    """Return the API key that the workspace came with."""
    return str(store.value("SELECT jwt FROM api_keys ORDER BY rowid LIMIT 1"))


def add_organization(store: Store, name: str) -> str:
    """Make another organization, with an Admin of its own, and return that Admin's API key.

    Raises ValueError for a name that is empty or taken: the command line knows organizations by name.
    """
    if not name.strip():
        raise ValueError("an organization needs a name")
    with store.transaction():
        if store.value("SELECT 1 FROM organizations WHERE name = ?", [name]):
            raise ValueError(f"there is an organization named {name!r} already")
        host = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "organization"
        return found_organization(store, name, f"admin@{host}.example")


def organizations(store: Store) -> list[dict[str, Any]]:
    """Every organization: ``{id, name, members}``."""
    sql = """SELECT id, name, (SELECT count(*) FROM users WHERE organizationId = o.id AND deleted = 0) members
        FROM organizations o ORDER BY rowid"""
    return store.rows(sql)


def create_key(
    store: Store,
    role: str,
    email: str | None = None,
    organization_name: str | None = None,
    seconds: float | None = None,
) -> str:
    """Make an API key that acts in ``role`` (a role's name) and return it; it holds for ``seconds``.

    It belongs to the member ``email``, or to the organization's first member. Raises ValueError for an
    unknown role, organization or member.
    """
    known = {name.lower(): each for name, each in BY_NAME.items()}
    found = known.get(role.replace("_", " ").lower())
    if found is None:
        raise ValueError(f"unknown role {role!r}: one of {', '.join(BY_NAME)}")
    with store.transaction():
        place = organization(store, organization_name)
        if email is None:
            sql = "SELECT id FROM users WHERE organizationId = ? AND deleted = 0 ORDER BY rowid LIMIT 1"
            user = store.value(sql, [place])
        else:
            user = (people.member_by_email(store, place, email) or {}).get("id")
        if user is None:
            raise ValueError(f"{email} is not a member")
        ends = None if seconds is None else expiry(store, seconds)
        return add_key(store, user, found.id, expiresAt=ends)


def keys(store: Store) -> list[dict[str, Any]]:
    """Every API key without the key itself: ``{id, organization, email, role, expiresAt, revoked}``."""
    sql = """SELECT k.id, o.name organization, u.email, coalesce(k.roleId, u.orgRoleId) role, k.expiresAt,
            k.revoked FROM api_keys k JOIN users u ON u.id = k.userId
        JOIN organizations o ON o.id = k.organizationId ORDER BY k.rowid"""
    told = store.rows(sql)
    return [{**row, "role": BY_ID[row["role"]].name, "revoked": bool(row["revoked"])} for row in told]


def revoke_key(store: Store, ident: str) -> None:
    """Revoke the key with this id. Raises ValueError when there is none."""
    with store.transaction():
        if not store.run("UPDATE api_keys SET revoked = 1 WHERE id = ?", [ident]):
            raise ValueError(f"there is no key with the id {ident}")


def accept_invite(store: Store, email: str, organization_name: str | None = None) -> str:
    """Let ``email`` accept every invite that is open for it; return the new member's user id.

    The organization role is that of the newest invite; with the role None, the project roles of all of
    them hold. Raises ValueError when there is no invite.
    """
    with store.transaction():
        invites = people.pending_invites(store, organization(store, organization_name), email)
        if not invites:
            raise ValueError(f"no invite is open for {email}")
        now, newest = store.mint.now(), invites[-1]
        role = newest["organizationRoleId"]
        ident = people.join(store, newest["organizationId"], newest["inviteeEmail"], role, now)
        for invite in invites:
            if role == NONE:
                _join_projects(store, ident, invite["id"], now)
            forget(store, invite["id"])
        return ident


def organization(store: Store, name: str | None = None) -> str:
    """Return the id of the organization of that name, or of the first. ValueError when there is none."""
    if name is None:
        return str(store.value("SELECT id FROM organizations ORDER BY rowid LIMIT 1"))
    found = store.value("SELECT id FROM organizations WHERE name = ?", [name])
    if found is None:
        raise ValueError(f"there is no organization named {name!r}")
    return str(found)


def _join_projects(store: Store, user: str, invite: str, now: str) -> None:
    member = {"id": user, "orgRoleId": NONE}
    sql = "SELECT projectId, projectRoleId FROM project_invites WHERE inviteId = ?"
    for row in store.rows(sql, [invite]):
        people.put_on_project(store, member, row["projectId"], row["projectRoleId"], now)
