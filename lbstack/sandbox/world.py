"""What happens to a workspace without the API: people accept invites, keys are made in the settings page.

For tests, demos and the command line; none of it goes through GraphQL, as in the real service.
"""

from __future__ import annotations

from lbstack.sandbox import people
from lbstack.sandbox.kinds.invite import forget
from lbstack.sandbox.kinds.session import add_key
from lbstack.sandbox.roles import BY_NAME, NONE
from lbstack.sandbox.store import Store


def admin_key(store: Store) -> str:
    """Return the API key that the workspace came with."""
    return str(store.value("SELECT jwt FROM api_keys ORDER BY rowid LIMIT 1"))


def create_key(store: Store, role: str, email: str | None = None) -> str:
    """Make an API key that acts in ``role`` (a role's name) and return it.

    It belongs to the member ``email``, or to the first Admin. Raises ValueError for an unknown role or
    a stranger.
    """
    if role not in BY_NAME:
        raise ValueError(f"unknown role {role!r}: one of {', '.join(BY_NAME)}")
    with store.transaction():
        if email is None:
            user = store.value("SELECT userId FROM api_keys ORDER BY rowid LIMIT 1")
        else:
            user = (people.member_by_email(store, organization(store), email) or {}).get("id")
        if user is None:
            raise ValueError(f"{email} is not a member")
        return add_key(store, user, BY_NAME[role].id)


def accept_invite(store: Store, email: str) -> str:
    """Let ``email`` accept every invite that is open for it; return the new member's user id.

    The organization role is that of the newest invite; with the role None, the project roles of all of
    them hold. Raises ValueError when there is no invite.
    """
    with store.transaction():
        invites = people.pending_invites(store, organization(store), email)
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


def organization(store: Store) -> str:
    """Return the id of the workspace's organization."""
    return str(store.value("SELECT id FROM organizations ORDER BY rowid LIMIT 1"))


def _join_projects(store: Store, user: str, invite: str, now: str) -> None:
    member = {"id": user, "orgRoleId": NONE}
    sql = "SELECT projectId, projectRoleId FROM project_invites WHERE inviteId = ?"
    for row in store.rows(sql, [invite]):
        people.put_on_project(store, member, row["projectId"], row["projectRoleId"], now)
