"""Invites of people who are not members yet (API reference 1.5 and 6.1).

Lists are behind: they do not show an invite at once (6.6). Whom nobody on the whole service knew is
answered with the id ``invited`` (1.5), and has the id of the invite only in a list.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

from typing import Any

from lbstack.sandbox import people
from lbstack.sandbox.context import Context, Info, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import ConflictError, NotFoundError, malformed_if
from lbstack.sandbox.ids import print_time
from lbstack.sandbox.kinds.member import grantable
from lbstack.sandbox.listing import ALL, PAGE_SIZE, Clause, Table, both, cursor_clause, paging_pair
from lbstack.sandbox.roles import BY_ID, MANAGE_MEMBERS, NONE
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS, managers_only

TABLES = (
    """CREATE TABLE IF NOT EXISTS invites (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, inviterId TEXT NOT NULL,
        inviteeEmail TEXT NOT NULL, organizationRoleId TEXT NOT NULL, createdAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS invites_email ON invites (organizationId, lower(inviteeEmail))",
    "CREATE INDEX IF NOT EXISTS invites_anywhere ON invites (lower(inviteeEmail))",
    """CREATE TABLE IF NOT EXISTS project_invites (
        id TEXT PRIMARY KEY, inviteId TEXT NOT NULL REFERENCES invites (id) ON DELETE CASCADE,
        projectId TEXT NOT NULL, projectRoleId TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS project_invites_invite ON project_invites (inviteId)",
    "CREATE INDEX IF NOT EXISTS project_invites_project ON project_invites (projectId)",
)

INVITES = Table("invites", "Invite", visible=managers_only)
_MOST_PER_REQUEST = 100
_NEW_ADDRESS = "invited"

SDL = """
type ProjectInvite { id: ID!, projectId: ID!, projectRoleName: String! }
type Invite {
  id: ID!
  createdAt: DateTime!
  inviteeEmail: String!
  organizationRoleName: String!
  inviter: User
  projectInvites: [ProjectInvite!]! @listSize(assumedSize: 5)
}
type InvitePage { nodes: [Invite!]!, nextCursor: ID }
type CreatedInvite { invite: Invite }
enum InviteMemberStatus {
  INVITED ADDED ALREADY_MEMBER ALREADY_INVITED INVALID_EMAIL DUPLICATE SEAT_LIMIT NOT_ALLOWED FAILED
}
type InviteMemberResult { email: String!, status: InviteMemberStatus!, reason: String, inviteId: ID }
type InviteMembersResult { results: [InviteMemberResult!]! }
type InvitesLimit { used: Int!, limit: Int!, remaining: Int! }
input ProjectInviteInput { projectId: ID!, projectRoleId: ID! }
input UserGroupWithRoleInput { groupId: ID!, roleId: ID! }
input CreateInviteInput {
  inviterId: ID!
  inviteeEmail: String!
  organizationId: ID!
  organizationRoleId: ID!
  projects: [ProjectInviteInput!]
  userGroupIds: [ID!]
  userGroupWithRoleIds: [UserGroupWithRoleInput!]
}
input InviteMembersInput {
  emails: [String!]!
  workspaceWide: Boolean!
  roleId: ID!
  projectIds: [ID!]
  groupIds: [ID!]
}
extend type Query { invitesLimit(where: WhereUniqueIdInput!): InvitesLimit }
extend type Organization { invites(from: ID, first: PageSize): InvitePage }
extend type Project { invites(from: ID, first: PageSize): InvitePage }
extend type Mutation {
  createInvites(data: [CreateInviteInput!]): [CreatedInvite!]
  inviteMembers(data: InviteMembersInput!): InviteMembersResult
  cancelInvite(where: WhereUniqueIdInput!): Invite
}
"""


def _page(among: Clause, info: Info, from_: str | None, first: int | None) -> Row:
    context = info.context
    size = PAGE_SIZE if first is None else first
    mine = Clause("organizationId = ?", [context.organization_id])
    listed = both(among, _shown(context))
    clause = both(mine, managers_only(context), listed, cursor_clause(context, INVITES, from_))
    sql = f"SELECT * FROM invites WHERE {clause.sql} ORDER BY rowid LIMIT {size + 1}"
    nodes, cursor = paging_pair(context.store.rows(sql, clause.params), size)
    return {"nodes": nodes, "nextCursor": cursor}


def _shown(context: Context) -> Clause:
    """The invites that lists know of by now."""
    lag = context.conditions.invite_lag_ms / 1000
    then = print_time(context.store.mint.seconds() - lag)
    return Clause("createdAt <= ?", [then]) if lag > 0 else ALL


def _of_organization(_: Row, info: Info, from_: str | None = None, first: int | None = None) -> Row:
    return _page(ALL, info, from_, first)


def _of_project(project: Row, info: Info, from_: str | None = None, first: int | None = None) -> Row:
    invited = Clause("id IN (SELECT inviteId FROM project_invites WHERE projectId = ?)", [project["id"]])
    return _page(invited, info, from_, first)


def _project_invites(invite: Row, info: Info) -> list[Row]:
    sql = "SELECT id, projectId, projectRoleId FROM project_invites WHERE inviteId = ? ORDER BY rowid"
    context = info.context
    return [
        {**row, "projectRoleName": BY_ID[row["projectRoleId"]].name}
        for row in context.store.rows(sql, [invite["id"]])
    ]


def _limit(_: Any, info: Info, where: Row) -> Row:
    context = info.context
    _own_organization(context, where["id"])
    used, limit = people.seats(context.store, context.organization_id)
    return {"used": used, "limit": limit, "remaining": max(0, limit - used)}


@mutation("createInvites", MANAGE_MEMBERS)
def _create(_: Any, info: Info, data: list[Row] | None = None) -> list[Row]:
    """Invite, again if need be: several invites of one address may be open. A member gets none (null)."""
    context = info.context
    return [{"invite": _answered(context, each)} for each in data or ()]


def _answered(context: Context, data: Row) -> Row | None:
    known = people.known_anywhere(context.store, data["inviteeEmail"])
    invite = _invite(context, data)
    # The resolvers below it need the real id.
    return invite if invite is None or known else {**invite, "told": _NEW_ADDRESS}


def _invite(context: Context, data: Row) -> Row | None:
    _own_organization(context, data["organizationId"])
    context.find(USERS, data["inviterId"])
    email, role = data["inviteeEmail"], grantable(context, data["organizationRoleId"])["id"]
    malformed_if(not people.is_email(email), f"Invalid email: {email}")
    projects = data.get("projects") or []
    malformed_if(bool(projects) and role != NONE, "Project roles need the organization role None")
    _no_groups([*(data.get("userGroupIds") or ()), *(data.get("userGroupWithRoleIds") or ())])
    if people.member_by_email(context.store, context.organization_id, email) is not None:
        return None
    used, limit = people.seats(context.store, context.organization_id)
    if used >= limit:
        raise ConflictError(f"The organization has no seat left: {used} of {limit} are used")
    return _send(context, email, role, projects, data["inviterId"])


def _send(context: Context, email: str, role: str, projects: list[Row], inviter: str) -> Row:
    head = {"id": context.new_id(), "organizationId": context.organization_id, "inviterId": inviter}
    told = {"inviteeEmail": email, "organizationRoleId": role, "createdAt": context.now()}
    invite = context.insert(INVITES, {**head, **told})
    for each in projects:
        project, project_role = context.find(PROJECTS, each["projectId"]), each["projectRoleId"]
        malformed_if(project_role == NONE, "An invite to a project needs a project role")
        row = {"id": context.new_id(), "inviteId": invite["id"], "projectId": project["id"]}
        context.store.insert(
            "project_invites", {**row, "projectRoleId": grantable(context, project_role)["id"]}
        )
    return invite


@mutation("inviteMembers", MANAGE_MEMBERS)
def _invite_members(_: Any, info: Info, data: Row) -> Row:
    """Invite many; each address gets its own verdict, and one that was invited before no second invite."""
    context = info.context
    role, project_ids = data["roleId"], data.get("projectIds") or []
    grantable(context, role)
    _no_groups(data.get("groupIds") or [])
    malformed_if(not data["emails"], "emails must contain at least one address")
    malformed_if(len(data["emails"]) > _MOST_PER_REQUEST, f"At most {_MOST_PER_REQUEST} emails per request")
    malformed_if(role == NONE, "An invitation needs a role")
    malformed_if(data["workspaceWide"] == bool(project_ids), "Invite workspace-wide, or name projects")
    for project in project_ids:
        context.find(PROJECTS, project)
    seen: set[str] = set()
    return {"results": [_verdict(context, email, role, project_ids, seen) for email in data["emails"]]}


def _verdict(context: Context, typed: str, role: str, projects: list[str], seen: set[str]) -> Row:
    email = typed.strip()
    if not people.is_email(email):
        return _result(email, "INVALID_EMAIL")
    key = email.lower()
    if key in seen:
        return _result(key, "DUPLICATE")
    seen.add(key)
    member = people.member_by_email(context.store, context.organization_id, email)
    if member is not None:
        return _add_to_projects(context, member, role, projects)
    if people.pending_invites(context.store, context.organization_id, email):
        return _result(key, "ALREADY_INVITED")
    used, limit = people.seats(context.store, context.organization_id)
    if used >= limit:
        return _result(key, "SEAT_LIMIT")
    asked = [{"projectId": project, "projectRoleId": role} for project in projects]
    invite = _send(context, email, NONE if projects else role, asked, context.user["id"])
    return _result(key, "INVITED", invite["id"])


def _add_to_projects(context: Context, member: Row, role: str, projects: list[str]) -> Row:
    """Somebody who has only project roles is put on the projects at once; others have nothing to gain."""
    sql = "SELECT projectId FROM project_memberships WHERE userId = ?"
    on = {row["projectId"] for row in context.store.rows(sql, [member["id"]])}
    missing = [project for project in projects if project not in on]
    if member["orgRoleId"] != NONE or not missing:
        return _result(member["email"].lower(), "ALREADY_MEMBER")
    for project in missing:
        context.touch(people.put_on_project(context.store, member, project, role, context.now()))
    return _result(member["email"].lower(), "ADDED")


def _result(email: str, status: str, invite: str | None = None) -> Row:
    return {"email": email, "status": status, "reason": None, "inviteId": invite}


@mutation("cancelInvite", MANAGE_MEMBERS)
def _cancel(_: Any, info: Info, where: Row) -> Row:
    context = info.context
    invite = context.find(INVITES, where["id"])
    context.touch(invite["id"])
    forget(context.store, invite["id"])
    return invite


def forget(store: Any, invite: str) -> None:
    """Delete an invite that was cancelled or accepted."""
    store.run("DELETE FROM project_invites WHERE inviteId = ?", [invite])
    store.run("DELETE FROM invites WHERE id = ?", [invite])


def _own_organization(context: Context, ident: str) -> None:
    if ident != context.organization_id:
        raise NotFoundError(f"Organization not found: {ident}")


def _no_groups(groups: list[Any]) -> None:
    # User groups are out of the sandbox's scope: none exists, so none is found.
    if groups:
        raise NotFoundError("User group not found")


KIND = Kind(
    "invite",
    SDL,
    TABLES,
    {
        "Query": {"invitesLimit": _limit},
        "Mutation": {"createInvites": _create, "inviteMembers": _invite_members, "cancelInvite": _cancel},
        "Organization": {"invites": _of_organization},
        "Project": {"invites": _of_project},
        "Invite": {
            "id": lambda invite, _: invite.get("told", invite["id"]),
            "inviter": to_one(USERS, "inviterId"),
            "organizationRoleName": lambda invite, _: BY_ID[invite["organizationRoleId"]].name,
            "projectInvites": _project_invites,
        },
    },
)
