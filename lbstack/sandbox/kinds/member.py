"""Members: organization roles, project roles, leaving (API reference 1.5, 6.2, 6.5)."""

from __future__ import annotations

from typing import Any

from lbstack.sandbox import people
from lbstack.sandbox.context import Context, Info, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import ConflictError, NotAuthorizedError, NotFoundError, malformed_if
from lbstack.sandbox.kinds.session import role_row
from lbstack.sandbox.listing import PAGING, Clause, page_sql
from lbstack.sandbox.roles import ADMIN, MANAGE_MEMBERS, MANAGE_ROLES, NONE
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS project_memberships (
        id TEXT PRIMARY KEY, userId TEXT NOT NULL, projectId TEXT NOT NULL, roleId TEXT NOT NULL,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL, UNIQUE (projectId, userId))""",
    "CREATE INDEX IF NOT EXISTS project_memberships_user ON project_memberships (userId)",
)

SDL = f"""
type ProjectMember {{ id: ID!, user: User!, role: Role!, accessFrom: String! }}
type ProjectMembership {{ id: ID, user: User, project: Project, role: Role }}
type NewMember {{ newUserId: ID, existingUserEmail: String, existingUserInviteSent: Boolean }}
type MembershipsDeletion {{ success: Boolean!, errorMessage: String }}
input SetProjectMembershipInput {{ userId: ID!, roleId: ID!, projectId: ID! }}
input AddUserToProjectInput {{ email: String!, projectId: ID!, roleId: ID! }}
input ProjectMembershipsInput {{ projectId: ID!, roleId: ID! }}
input AddMembersInput {{
  emails: [String!]!
  orgRoleId: ID!
  projectRoles: [ProjectMembershipsInput!]
}}
input SetOrganizationRoleInput {{ userId: ID!, roleId: ID! }}
input DeleteProjectMembershipsInput {{ projectId: ID!, userIds: [ID!]! }}
input UserUpdateInput {{ deleted: Boolean! }}
extend type Project {{ members({PAGING}): [ProjectMember!] }}
extend type User {{ projects(where: ProjectWhereInput, {PAGING}): [Project!] }}
extend type Mutation {{
  setProjectMembership(data: SetProjectMembershipInput!): ProjectMembership
  addUserToProject(data: AddUserToProjectInput!): ProjectMembership
  addMembersToOrganization(data: AddMembersInput!): [NewMember!]
  setOrganizationRole(data: SetOrganizationRoleInput!): User
  deleteProjectMemberships(where: DeleteProjectMembershipsInput!): MembershipsDeletion
  updateUser(where: WhereUniqueIdInput!, data: UserUpdateInput!): User
}}
"""

# Everybody with an organization role is on every project (API reference 6.5).
_MEMBERS = """SELECT id, userId, roleId, accessFrom FROM (
    SELECT id, id AS userId, orgRoleId AS roleId, 'ORGANIZATION' AS accessFrom, rowid AS place FROM users
        WHERE organizationId = ? AND deleted = 0 AND orgRoleId <> ?
    UNION ALL
    SELECT m.id, m.userId, m.roleId, 'PROJECT', m.rowid FROM project_memberships m
        JOIN users u ON u.id = m.userId WHERE m.projectId = ? AND u.deleted = 0
) ORDER BY accessFrom, place"""


def _members(project: Row, info: Info, skip: int | None = None, first: int | None = None) -> list[Row]:
    context = info.context
    params = [context.organization_id, NONE, project["id"]]
    return context.store.rows(_MEMBERS + page_sql(skip, first), params)


def _projects(user: Row, info: Info, **page: Any) -> list[Row]:
    """The projects a person belongs to."""
    context = info.context
    if user["orgRoleId"] != NONE:
        return context.page(PROJECTS, **page)
    mine = "id IN (SELECT projectId FROM project_memberships WHERE userId = ?)"
    return context.page(PROJECTS, **page, among=Clause(mine, [user["id"]]))


def grantable(context: Context, role: str) -> Row:
    """Return a role the caller may give away: only who manages roles can make somebody an Admin."""
    row = role_row(role)
    if role == ADMIN and not context.may(MANAGE_ROLES):
        raise NotAuthorizedError(f"Role {context.role} is not allowed to grant the role Admin")
    return row


@mutation("setProjectMembership", MANAGE_MEMBERS)
def _set_membership(_: Any, info: Info, data: Row) -> Row:
    """Upsert a project role; the role None removes it (API reference 1.5)."""
    context = info.context
    return _put(context, context.find(USERS, data["userId"]), data)


@mutation("addUserToProject", MANAGE_MEMBERS)
def _add_to_project(_: Any, info: Info, data: Row) -> Row:
    context = info.context
    user = people.member_by_email(context.store, context.organization_id, data["email"])
    if user is None:
        raise NotFoundError(f"User not found: {data['email']}")
    return _put(context, user, data)


def _put(context: Context, user: Row, data: Row) -> Row:
    project, role = context.find(PROJECTS, data["projectId"]), grantable(context, data["roleId"])
    ident = people.put_on_project(context.store, user, project["id"], role["id"], context.now())
    for each in (user["id"], project["id"], ident):
        context.touch(each)
    return {"id": ident, "user": user, "project": project, "role": role}


@mutation("addMembersToOrganization", MANAGE_MEMBERS)
def _add_members(_: Any, info: Info, data: Row) -> list[Row]:
    """Make people members at once, without an invite to accept (API reference 1.5)."""
    context = info.context
    roles = data.get("projectRoles") or []
    role = grantable(context, data["orgRoleId"])["id"]
    malformed_if(bool(roles) and role != NONE, "Project roles need the organization role None")
    for email in data["emails"]:
        malformed_if(not people.is_email(email), f"Invalid email: {email}")
    return [_add_member(context, email, role, roles) for email in data["emails"]]


def _add_member(context: Context, email: str, role: str, roles: list[Row]) -> Row:
    store, organization = context.store, context.organization_id
    if people.member_by_email(store, organization, email) is not None:
        return {"newUserId": None, "existingUserEmail": email, "existingUserInviteSent": False}
    used, limit = people.seats(store, organization)
    if used >= limit:
        raise ConflictError(f"The organization has no seat left: {used} of {limit} are used")
    ident = people.join(store, organization, email, role, context.now())
    context.touch(ident)
    user = context.find(USERS, ident)
    for each in roles:
        _put(context, user, each)
    return {"newUserId": ident, "existingUserEmail": None, "existingUserInviteSent": None}


@mutation("setOrganizationRole", MANAGE_ROLES)
def _set_organization_role(_: Any, info: Info, data: Row) -> Row:
    context = info.context
    user, role = context.find(USERS, data["userId"]), role_row(data["roleId"])
    if role["id"] != ADMIN:
        people.keep_an_admin(context.store, user)
    if role["id"] != NONE:
        people.leave_projects(context.store, user["id"])
    return context.change(USERS, user["id"], {"orgRoleId": role["id"]})


@mutation("deleteProjectMemberships", MANAGE_MEMBERS)
def _delete_memberships(_: Any, info: Info, where: Row) -> Row:
    """Take people off a project: all of them, or none when one is not on it by a project role."""
    context = info.context
    project = context.find(PROJECTS, where["projectId"])
    sql = "SELECT id FROM project_memberships WHERE projectId = ? AND userId = ?"
    found = {user: context.store.value(sql, [project["id"], user]) for user in where["userIds"]}
    missing = [user for user, membership in found.items() if membership is None]
    if missing:
        return {"success": False, "errorMessage": f"Not members of the project: {', '.join(missing)}"}
    for user, membership in found.items():
        context.touch(user)
        context.store.run("DELETE FROM project_memberships WHERE id = ?", [membership])
    return {"success": True, "errorMessage": None}


@mutation("updateUser", MANAGE_MEMBERS)
def _remove(_: Any, info: Info, where: Row, data: Row) -> Row:
    """Remove a person from the organization; it takes a new invite to return (API reference 6.2)."""
    context = info.context
    malformed_if(not data["deleted"], "A user who was removed must be invited again")
    user = context.find(USERS, where["id"])
    if user["orgRoleId"] == ADMIN:
        context.require(MANAGE_ROLES)
    people.keep_an_admin(context.store, user)
    people.leave_projects(context.store, user["id"])
    return context.change(USERS, user["id"], {"deleted": 1})


KIND = Kind(
    "member",
    SDL,
    TABLES,
    {
        "Mutation": {
            "setProjectMembership": _set_membership,
            "addUserToProject": _add_to_project,
            "addMembersToOrganization": _add_members,
            "setOrganizationRole": _set_organization_role,
            "deleteProjectMemberships": _delete_memberships,
            "updateUser": _remove,
        },
        "Project": {"members": _members},
        "User": {"projects": _projects},
        "ProjectMember": {
            "user": to_one(USERS, "userId"),
            "role": lambda member, _: role_row(member["roleId"]),
        },
    },
)
