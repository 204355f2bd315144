"""Members, their roles, and invites (API reference 1.5, 6.1, 6.2, 6.5)."""

from __future__ import annotations

from typing import Any

import pytest
from documents import project
from workspace import Workspace

from lbstack.sandbox import world
from lbstack.sandbox.roles import ADMIN, BY_NAME, NONE

LABELER, REVIEWER = BY_NAME["Labeler"].id, BY_NAME["Reviewer"].id
ADD = """mutation ($emails: [String!]!, $role: ID!, $roles: [ProjectMembershipsInput!]) {
  addMembersToOrganization(data: {emails: $emails, orgRoleId: $role, projectRoles: $roles}) {
    newUserId existingUserEmail existingUserInviteSent } }"""
SET = """mutation ($userId: ID!, $roleId: ID!, $projectId: ID!) {
  setProjectMembership(data: {userId: $userId, roleId: $roleId, projectId: $projectId}) {
    id user { email } project { name } role { name } } }"""
ROLE = """mutation ($userId: ID!, $roleId: ID!) {
  setOrganizationRole(data: {userId: $userId, roleId: $roleId}) { id name } }"""
REMOVE = "mutation ($userId: ID!) { updateUser(where: {id: $userId}, data: {deleted: true}) { id deleted } }"
MEMBERS = """query ($p: ID!) { project(where: {id: $p}) {
  members(skip: 0, first: 100) { id user { email } role { id name } accessFrom } } }"""
TAKE = """mutation ($p: ID!, $u: [ID!]!) {
  deleteProjectMemberships(where: {projectId: $p, userIds: $u}) { success errorMessage } }"""
ME = "{ user { id email orgRole { name } organization { id } } }"


def add(box: Workspace, email: str, role: str = NONE, roles: Any = ()) -> str:
    (result,) = box.ask(ADD, emails=[email], role=role, roles=list(roles))
    return str(result["newUserId"])


def on_project(box: Workspace, p: str) -> list[tuple[str, str, str]]:
    found = box.ask(MEMBERS, p=p)["members"]
    return [(each["user"]["email"], each["role"]["name"], each["accessFrom"]) for each in found]


def test_a_fresh_workspace_has_one_admin_and_the_vendors_roles(box: Workspace) -> None:
    me = box.ask(ME)
    assert box.ask("{ users { email } }") == [{"email": me["email"]}]
    ids = {role["name"]: role["id"] for role in box.ask("{ roles { id name permissions description } }")}
    assert ids["Admin"] == "cjlvi91a41aab0714677xp87h"
    assert ids["Team Manager"] == "cjlvi919q1aa80714b7z3xuku"
    assert ids["None"] == "cjmb6xy80f5vz0780u3mw2rj4"
    assert ids["Reviewer"] == "cjlvi919b1aa50714k75euii5"
    assert ids["Labeler"] == "cjlvi914y1aa20714372uvzjv"
    assert [role["name"] for role in box.ask("{ roles(first: 1, skip: 1) { name } }")] == ["Team Manager"]
    assert "MANAGE_INTEGRATIONS" in box.ask("{ organizationRole { permissions } }")["permissions"]


def test_members_are_added_without_an_invite(box: Workspace) -> None:
    result = box.ask(ADD, emails=["A@x.io", "admin@sandbox.example"], role=LABELER, roles=[])
    assert result[0]["newUserId"]
    assert result[1] == {
        "newUserId": None,
        "existingUserEmail": "admin@sandbox.example",
        "existingUserInviteSent": False,
    }
    assert [user["email"] for user in box.ask("{ users { email } }")] == ["admin@sandbox.example", "A@x.io"]


def test_the_email_filter_is_exact_and_minds_the_case(box: Workspace) -> None:
    add(box, "A@x.io")
    query = "query ($e: String!) { users(where: {email: $e}) { email } }"
    assert box.ask(query, e="A@x.io") == [{"email": "A@x.io"}]
    assert box.ask(query, e="a@x.io") == []
    assert box.ask(query, e="A@x.i") == []


@pytest.mark.parametrize("email", ["", "a", "a@b", "a b@c.de", "x" * 320 + "@a.io"])
def test_what_is_no_address_is_refused(box: Workspace, email: str) -> None:
    assert box.refused(ADD, emails=[email], role=LABELER, roles=[])[0] == "MALFORMED_REQUEST"


def test_organization_members_are_on_every_project(box: Workspace) -> None:
    p = project(box)
    add(box, "l@x.io", LABELER)
    add(box, "n@x.io")
    assert on_project(box, p) == [
        ("admin@sandbox.example", "Admin", "ORGANIZATION"),
        ("l@x.io", "Labeler", "ORGANIZATION"),
    ]


def test_a_project_role_is_given_changed_and_taken(box: Workspace) -> None:
    p, user = project(box), add(box, "n@x.io")
    made = box.ask(SET, userId=user, roleId=LABELER, projectId=p)
    assert made["user"] == {"email": "n@x.io"}
    assert made["role"] == {"name": "Labeler"}
    assert ("n@x.io", "Labeler", "PROJECT") in on_project(box, p)
    assert box.ask(SET, userId=user, roleId=REVIEWER, projectId=p)["id"] == made["id"]
    assert ("n@x.io", "Reviewer", "PROJECT") in on_project(box, p)
    assert box.ask("query ($u: ID!) { user(where: {id: $u}) { projects { id } } }", u=user) == {
        "projects": [{"id": p}]
    }
    box.ask(SET, userId=user, roleId=NONE, projectId=p)
    assert len(on_project(box, p)) == 1


def test_a_project_role_needs_the_organization_role_none(box: Workspace) -> None:
    p, user = project(box), add(box, "l@x.io", LABELER)
    assert box.refused(SET, userId=user, roleId=REVIEWER, projectId=p)[0] == "OPERATION_NOT_ALLOWED"
    roles = [{"projectId": p, "roleId": REVIEWER}]
    assert box.refused(ADD, emails=["m@x.io"], role=LABELER, roles=roles)[0] == "MALFORMED_REQUEST"


def test_an_organization_role_replaces_the_project_roles(box: Workspace) -> None:
    p = project(box)
    user = add(box, "n@x.io", NONE, [{"projectId": p, "roleId": REVIEWER}])
    box.ask(ROLE, userId=user, roleId=LABELER)
    assert ("n@x.io", "Labeler", "ORGANIZATION") in on_project(box, p)
    box.ask(ROLE, userId=user, roleId=NONE)
    assert len(on_project(box, p)) == 1


def test_somebody_is_put_on_a_project_by_address(box: Workspace) -> None:
    query = """mutation ($e: String!, $p: ID!, $r: ID!) {
      addUserToProject(data: {email: $e, projectId: $p, roleId: $r}) { user { email } role { name } } }"""
    p = project(box)
    assert box.refused(query, e="n@x.io", p=p, r=LABELER)[0] == "RESOURCE_NOT_FOUND"
    add(box, "n@x.io")
    assert box.ask(query, e="n@x.io", p=p, r=LABELER)["role"] == {"name": "Labeler"}


def test_unknown_users_projects_and_roles_are_not_found(box: Workspace) -> None:
    p, user = project(box), add(box, "n@x.io")
    good = {"userId": user, "roleId": LABELER, "projectId": p}
    for key in good:
        assert box.refused(SET, **{**good, key: "no"})[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(ROLE, userId=user, roleId="no")[0] == "RESOURCE_NOT_FOUND"
    theirs = box.stranger().ask(ME)["id"]
    assert box.refused(ROLE, userId=theirs, roleId=LABELER)[0] == "RESOURCE_NOT_FOUND"


def test_project_memberships_are_deleted_all_or_none(box: Workspace) -> None:
    p = project(box)
    one, two = (add(box, f"{n}@x.io", NONE, [{"projectId": p, "roleId": LABELER}]) for n in "ab")
    refused = box.ask(TAKE, p=p, u=[one, "stranger"])
    assert refused["success"] is False
    assert "stranger" in refused["errorMessage"]
    assert len(on_project(box, p)) == 3
    assert box.ask(TAKE, p=p, u=[one, two]) == {"success": True, "errorMessage": None}
    assert len(on_project(box, p)) == 1


def test_a_removed_member_is_gone_from_everywhere_and_returns_as_the_same_user(box: Workspace) -> None:
    p = project(box)
    user = add(box, "n@x.io", NONE, [{"projectId": p, "roleId": LABELER}])
    key = world.create_key(box.store, "None", "n@x.io")
    assert box.ask(REMOVE, userId=user) == {"id": user, "deleted": True}
    assert len(box.ask("{ users { id } }")) == 1
    assert len(on_project(box, p)) == 1
    assert box.refused(REMOVE, userId=user)[0] == "RESOURCE_NOT_FOUND"
    assert box.client.post(f"/graphql?token={key}", json={"query": ME}).status_code == 401
    assert add(box, "n@x.io") == user
    assert len(on_project(box, p)) == 1


def test_the_last_admin_can_neither_go_nor_step_down(box: Workspace) -> None:
    me = box.ask(ME)["id"]
    assert box.refused(REMOVE, userId=me)[0] == "OPERATION_NOT_ALLOWED"
    assert box.refused(ROLE, userId=me, roleId=LABELER)[0] == "OPERATION_NOT_ALLOWED"
    other = add(box, "second@x.io", ADMIN)
    assert box.ask(ROLE, userId=other, roleId=LABELER)["id"] == other
    box.ask(ROLE, userId=other, roleId=ADMIN)
    assert box.ask(REMOVE, userId=me)["deleted"] is True


CREATE = """mutation ($data: [CreateInviteInput!]) { createInvites(data: $data) {
  invite { id createdAt organizationRoleName inviteeEmail inviter { email } } } }"""
INVITE = """mutation ($data: InviteMembersInput!) {
  inviteMembers(data: $data) { results { email status reason inviteId } } }"""
INVITES = """query ($from: ID, $first: PageSize) { organization { id invites(from: $from, first: $first) {
  nodes { id inviteeEmail organizationRoleName projectInvites { id projectRoleName projectId } }
  nextCursor } } }"""
CANCEL = "mutation ($where: WhereUniqueIdInput!) { cancelInvite(where: $where) { id } }"


def invite(box: Workspace, email: str, role: str = LABELER, projects: Any = (), **more: Any) -> Any:
    me = box.ask(ME)
    data = {"inviterId": me["id"], "organizationId": me["organization"]["id"], "inviteeEmail": email}
    data |= {"organizationRoleId": role, "projects": list(projects), "userGroupIds": [], **more}
    return box.ask(CREATE, data=[data])[0]["invite"]


def listed(box: Workspace) -> Any:
    box.wait(1)
    return box.ask(INVITES)["invites"]["nodes"]


def pending(box: Workspace) -> list[str]:
    return [each["inviteeEmail"] for each in listed(box)]


def verdicts(box: Workspace, *emails: str, role: str = LABELER, projects: Any = ()) -> list[str]:
    data = {
        "emails": list(emails),
        "workspaceWide": not projects,
        "roleId": role,
        "projectIds": list(projects),
    }
    return [each["status"] for each in box.ask(INVITE, data={**data, "groupIds": []})["results"]]


def test_several_invites_may_be_open_for_one_address(box: Workspace) -> None:
    one, two = invite(box, "N@x.io"), invite(box, "N@x.io", REVIEWER)
    assert len({each["id"] for each in listed(box)}) == 2
    assert (one["id"], two["id"] in [each["id"] for each in listed(box)]) == ("invited", True)
    assert (one["inviteeEmail"], one["organizationRoleName"]) == ("N@x.io", "Labeler")
    assert pending(box) == ["N@x.io", "N@x.io"]


def test_an_invite_is_listed_when_the_list_has_caught_up(box: Workspace) -> None:
    p = project(box)
    of_project = "query ($p: ID!) { project(where: {id: $p}) { invites { nodes { inviteeEmail } } } }"
    lists = [(INVITES, {}), (of_project, {"p": p})]
    invite(box, "n@x.io", NONE, [{"projectId": p, "projectRoleId": REVIEWER}])
    assert [box.ask(text, **more)["invites"]["nodes"] for text, more in lists] == [[], []]
    box.wait(1)
    assert [len(box.ask(text, **more)["invites"]["nodes"]) for text, more in lists] == [1, 1]


def test_whom_the_service_never_saw_is_answered_without_the_id(box: Workspace) -> None:
    assert invite(box, "new@x.io")["id"] == "invited"
    (found,) = listed(box)
    assert box.ask(CANCEL, where={"id": found["id"]})["id"] == found["id"]
    assert box.refused(CANCEL, where={"id": "invited"})[0] == "RESOURCE_NOT_FOUND"
    add(box.stranger(), "elsewhere@x.io")
    was = add(box, "was@x.io")
    box.ask(REMOVE, userId=was)
    for email in ("Elsewhere@x.io", "WAS@x.io"):
        told = invite(box, email)["id"]
        assert told == listed(box)[-1]["id"]


def test_who_is_a_member_already_gets_no_invite(box: Workspace) -> None:
    assert invite(box, "admin@sandbox.example") is None
    assert pending(box) == []


def test_an_invite_to_projects_names_their_roles(box: Workspace) -> None:
    p = project(box)
    invite(box, "n@x.io", NONE, [{"projectId": p, "projectRoleId": REVIEWER}])
    invite(box, "m@x.io")
    (found, _) = listed(box)
    assert found["organizationRoleName"] == "None"
    assert [(each["projectId"], each["projectRoleName"]) for each in found["projectInvites"]] == [
        (p, "Reviewer")
    ]
    of_project = (
        "query ($p: ID!) { project(where: {id: $p}) { id invites { nodes { inviteeEmail } nextCursor } } }"
    )
    assert box.ask(of_project, p=p)["invites"]["nodes"] == [{"inviteeEmail": "n@x.io"}]


def test_invites_are_listed_by_cursor(box: Workspace) -> None:
    for number in range(3):
        invite(box, f"{number}@x.io")
    box.wait(1)
    first = box.ask(INVITES, first=2)["invites"]
    assert [each["inviteeEmail"] for each in first["nodes"]] == ["0@x.io", "1@x.io"]
    last = box.ask(INVITES, first=2, **{"from": first["nextCursor"]})["invites"]
    assert [each["inviteeEmail"] for each in last["nodes"]] == ["2@x.io"]
    assert last["nextCursor"] is None
    assert box.refused(INVITES, **{"from": "no"})[0] == "MALFORMED_REQUEST"


def test_an_invite_of_many_gives_each_its_verdict(box: Workspace) -> None:
    assert verdicts(box, "N@x.io", "n@X.io", "bad", "admin@sandbox.example") == [
        "INVITED",
        "DUPLICATE",
        "INVALID_EMAIL",
        "ALREADY_MEMBER",
    ]
    assert verdicts(box, "n@x.io") == ["ALREADY_INVITED"]
    assert pending(box) == ["N@x.io"]


def test_an_invite_to_a_project_adds_who_is_a_member_without_organization_role(box: Workspace) -> None:
    p = project(box)
    add(box, "n@x.io")
    assert verdicts(box, "n@x.io", "admin@sandbox.example", projects=[p]) == ["ADDED", "ALREADY_MEMBER"]
    assert verdicts(box, "n@x.io", projects=[p]) == ["ALREADY_MEMBER"]


def test_seats_are_limited_and_counted(box: Workspace) -> None:
    org = box.ask(ME)["organization"]["id"]
    box.store.run("UPDATE organizations SET seats = 2")
    assert verdicts(box, "a@x.io", "b@x.io") == ["INVITED", "SEAT_LIMIT"]
    limit = "query ($o: ID!) { invitesLimit(where: {id: $o}) { used limit remaining } }"
    assert box.ask(limit, o=org) == {"used": 2, "limit": 2, "remaining": 0}
    assert box.refused(ADD, emails=["c@x.io"], role=LABELER, roles=[])[0] == "RESOURCE_CONFLICT"


@pytest.mark.parametrize(
    "data",
    [
        {"emails": []},
        {"emails": [f"{n}@x.io" for n in range(101)]},
        {"workspaceWide": False},
        {"projectIds": ["x"]},
        {"roleId": NONE},
    ],
)
def test_an_invite_that_makes_no_sense_is_refused_as_a_whole(box: Workspace, data: Any) -> None:
    good = {"emails": ["a@x.io"], "workspaceWide": True, "roleId": LABELER, "projectIds": [], "groupIds": []}
    assert box.refused(INVITE, data={**good, **data})[0] == "MALFORMED_REQUEST"
    assert pending(box) == []


def test_a_cancelled_invite_is_gone(box: Workspace) -> None:
    invite(box, "n@x.io")
    ident = listed(box)[0]["id"]
    assert box.ask(CANCEL, where={"id": ident}) == {"id": ident}
    assert pending(box) == []
    assert box.refused(CANCEL, where={"id": ident})[0] == "RESOURCE_NOT_FOUND"


def test_an_accepted_invite_makes_a_member_with_its_roles(box: Workspace) -> None:
    p = project(box)
    for role in (LABELER, REVIEWER):
        invite(box, "N@x.io", NONE, [{"projectId": p, "projectRoleId": role}])
    user = world.accept_invite(box.store, "n@x.io")
    assert pending(box) == []
    assert ("N@x.io", "Reviewer", "PROJECT") in on_project(box, p)
    read = "query ($u: ID!) { user(where: {id: $u}) { email orgRole { name } } }"
    assert box.ask(read, u=user) == {"email": "N@x.io", "orgRole": {"name": "None"}}
    with pytest.raises(ValueError, match="no invite"):
        world.accept_invite(box.store, "n@x.io")
