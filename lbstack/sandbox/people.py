"""What happens to people, whoever causes it: they join, change roles, leave (API reference 1.5).

Organization roles and project roles exclude each other: only somebody whose organization role is
``None`` has roles on single projects.
"""

from __future__ import annotations

import re

from lbstack.sandbox.errors import NotAllowedError
from lbstack.sandbox.roles import ADMIN, BY_ID, NONE
from lbstack.sandbox.store import Row, Store

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_EMAIL_LENGTH = 320


def is_email(text: str) -> bool:
    """Say whether ``text`` can be an e-mail address."""
    return len(text) <= _EMAIL_LENGTH and _EMAIL.fullmatch(text) is not None


def member_by_email(store: Store, organization: str, email: str) -> Row | None:
    """Return the member with this address; people do not differ by the case of their address."""
    sql = "SELECT * FROM users WHERE organizationId = ? AND deleted = 0 AND lower(email) = lower(?)"
    return store.row(sql, [organization, email])


def pending_invites(store: Store, organization: str, email: str) -> list[Row]:
    """Return the open invites of an address, oldest first."""
    sql = "SELECT * FROM invites WHERE organizationId = ? AND lower(inviteeEmail) = lower(?) ORDER BY rowid"
    return store.rows(sql, [organization, email])


def known_anywhere(store: Store, email: str) -> bool:
    """Say whether an address is, or was, anybody's in any organization, or is invited to one."""
    sql = """SELECT EXISTS (SELECT 1 FROM users WHERE lower(email) = lower(?))
        OR EXISTS (SELECT 1 FROM invites WHERE lower(inviteeEmail) = lower(?))"""
    return bool(store.value(sql, [email, email]))


def join(store: Store, organization: str, email: str, role: str, now: str) -> str:
    """Make ``email`` a member in an organization role; who was removed returns as the same user."""
    sql = "SELECT id FROM users WHERE organizationId = ? AND deleted = 1 AND lower(email) = lower(?)"
    former = store.value(sql, [organization, email])
    if former is not None:
        back = {"deleted": 0, "orgRoleId": role, "updatedAt": now}
        store.update("users", former, back)
        return str(former)
    ident = store.mint.cuid()
    name = re.sub(r"[._+-]+", " ", email.partition("@")[0]).title()
    row = {
        "id": ident, "organizationId": organization, "email": email, "name": name, "nickname": name,
        "timezone": "UTC", "orgRoleId": role, "createdAt": now, "updatedAt": now,
    }  # fmt: skip
    store.insert("users", row)
    return ident


def put_on_project(store: Store, user: Row, project: str, role: str, now: str) -> str | None:
    """Give ``user`` a role on a project, or take it with the role None; return the membership's id.

    Refuses somebody with an organization role, who is on every project already.
    """
    if user["orgRoleId"] != NONE:
        role_name = BY_ID[user["orgRoleId"]].name
        raise NotAllowedError(f"User {user['id']} has the organization role {role_name}, so no project roles")
    where = [user["id"], project]
    found = store.value("SELECT id FROM project_memberships WHERE userId = ? AND projectId = ?", where)
    if role == NONE:
        store.run("DELETE FROM project_memberships WHERE userId = ? AND projectId = ?", where)
        return found and str(found)
    if found is not None:
        store.update("project_memberships", found, {"roleId": role, "updatedAt": now})
        return str(found)
    ident = store.mint.cuid()
    row = {"id": ident, "userId": user["id"], "projectId": project, "roleId": role}
    store.insert("project_memberships", {**row, "createdAt": now, "updatedAt": now})
    return ident


def leave_projects(store: Store, user: str) -> None:
    """Take every project role from a user."""
    store.run("DELETE FROM project_memberships WHERE userId = ?", [user])


def keep_an_admin(store: Store, user: Row) -> None:
    """Refuse when ``user`` is the last Admin, who can neither be removed nor demoted."""
    sql = "SELECT count(*) FROM users WHERE organizationId = ? AND deleted = 0 AND orgRoleId = ? AND id <> ?"
    others = store.value(sql, [user["organizationId"], ADMIN, user["id"]])
    if user["orgRoleId"] == ADMIN and not others:
        raise NotAllowedError("The last Admin of an organization cannot be removed or demoted")


def seats(store: Store, organization: str) -> tuple[int, int]:
    """Return how many seats are used, by members and by open invites, and how many there are."""
    members = "SELECT count(*) FROM users WHERE organizationId = ? AND deleted = 0"
    invited = "SELECT count(*) FROM invites WHERE organizationId = ?"
    used = store.value(members, [organization]) + store.value(invited, [organization])
    return int(used), int(store.value("SELECT seats FROM organizations WHERE id = ?", [organization]))
