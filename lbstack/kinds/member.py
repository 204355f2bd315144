"""Members: people by their e-mail address, with a role in the organisation or roles on projects.

Who is not in the organisation is invited, and is the same member before and after accepting. API
reference 1.5 (operations; organisation and project roles exclude each other), 6.2 (leaving).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, Field

from lbstack.errors import NotFound, OutcomeUnknown, Problem, ServiceError, StackError
from lbstack.kinds.contract import (
    Ask,
    Fields,
    Kind,
    Listed,
    Live,
    Reading,
    ReadProblems,
    RefTo,
    Reply,
    Spec,
    Tracked,
    UpperCase,
    Work,
)
from lbstack.kinds.reading import PAGE, by_id_ask, together, until_short
from lbstack.values import Address, Ref

PERSON = "id email orgRole { id name }"
INVITE = "id inviteeEmail organizationRoleName projectInvites { projectId projectRoleName }"
MEMBERS = f"members(skip: $skip, first: {PAGE}) {{ id user {{ id }} role {{ id name }} accessFrom }}"

FIND = f"""query FindMember($email: String!, $lower: String!) {{
  user {{ id }}
  roles {{ id name }}
  written: users(where: {{email: $email}}, skip: 0, first: 100) {{ {PERSON} }}
  lower: users(where: {{email: $lower}}, skip: 0, first: 100) {{ {PERSON} }}
}}"""
FIND_INVITES = f"""query FindInvites($from: ID) {{
  organization {{ id invites(from: $from, first: {PAGE}) {{ nodes {{ {INVITE} }} nextCursor }} }}
}}"""
FIND_EVERYBODY = f"""query FindEverybody($skip: Int!) {{
  users(skip: $skip, first: {PAGE}) {{ {PERSON} }}
}}"""
CREATE_INVITE = """mutation CreateInvite($data: [CreateInviteInput!]) {
  createInvites(data: $data) { invite { id } }
}"""
CANCEL_INVITE = (
    """mutation CancelInvite($where: WhereUniqueIdInput!) { cancelInvite(where: $where) { id } }"""
)
SET_ROLE = """mutation SetOrganizationRole($id: ID!, $role: ID!) {
  setOrganizationRole(data: {userId: $id, roleId: $role}) { id }
}"""
SET_PROJECT_ROLE = """mutation SetProjectRole($id: ID!, $role: ID!, $project: ID!) {
  setProjectMembership(data: {userId: $id, roleId: $role, projectId: $project}) { id }
}"""
LEAVE_PROJECT = """mutation LeaveProject($project: ID!, $ids: [ID!]!) {
  deleteProjectMemberships(where: {projectId: $project, userIds: $ids}) { success errorMessage }
}"""
LEAVE = (
    """mutation LeaveOrganization($id: ID!) { updateUser(where: {id: $id}, data: {deleted: true}) { id } }"""
)

NONE = "NONE"
"""The organisation role of people who have roles on projects only (API reference 1.5)."""
INVITED, JOINED = "invited", "member"
BROUGHT_BY = "joined"
"""Who brought a member in, in memory: the stack (``invited``), or somebody before it (``before``)."""
ROLE_BEFORE = "role_before"
"""The organisation role that somebody had before the stack gave another."""

Roles = dict[tuple[str, str], str]
"""Role names by project id and user id."""

EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
LAG = 1.0
"""Seconds until an invitation shows in its list (API reference 6.6)."""


class MemberSpec(Spec):
    """A person. Organisation role and project roles exclude each other."""

    role: Annotated[str, UpperCase] | None = Field(
        None, description="The role in the organisation, as the service names it, in any case"
    )
    projects: Annotated[
        dict[Annotated[str, RefTo("project")], Annotated[str, UpperCase]] | None, Listed()
    ] = Field(None, description="Roles on projects; only the listed ones are managed")


@dataclass(frozen=True)
class People:
    """What a step needs to know: the caller's id, role ids by name, the person if they are a member."""

    me: str
    roles: dict[str, str]
    user: dict[str, Any] | None

    def role(self, name: str) -> str:
        """The id of a role, by its name as the stack spells it."""
        if name not in self.roles:
            raise StackError(f"the workspace has no role {name}", f"roles are {', '.join(self.roles)}")
        return self.roles[name]


class Member(Kind):
    """Keyed by e-mail address in any case; invited, put on projects, and removed if the stack invited."""

    name, plural, Spec = "member", "members", MemberSpec
    computed = ("status",)

    def wanted(self, key: str, spec: BaseModel) -> Fields:
        want = super().wanted(key, spec)
        if not EMAIL.fullmatch(key) or len(key) > 320:
            raise ValueError("the key of a member is an e-mail address")
        if "role" in want:
            want["role"] = want["role"] or NONE
        if "projects" in want:
            want["projects"] = want["projects"] or {}
        if not want:
            raise ValueError("write a role, or projects with a role on each")
        if want.get("projects") and want.get("role", NONE) != NONE:
            raise ValueError(f"role: {want['role']} reaches every project; write role: NONE, or no projects")
        if NONE in want.get("projects", {}).values():
            raise ValueError("NONE is no role on a project; leave the project out")
        return want

    def check(self, key: str, want: Fields, find: Callable[[Ref], Fields | None]) -> list[tuple[str, str]]:
        # Keys that both have capitals are compared in `read`, which sees all members at once.
        if key == key.lower() or find(Ref(Address(self.name, key.lower()))) is None:
            return []
        return [(next(iter(want)), f"{key.lower()} is the same address")]

    def awaiting(self, attributes: Fields) -> str | None:
        return "the invitee's acceptance." if attributes.get("status") == INVITED else None

    def read(self, tracked: Sequence[Tracked]) -> Reading:
        known = dict.fromkeys(id for item in tracked if item.id for id in item.known.get("projects") or {})
        roles, everybody, invites, members = yield from together(
            _all_roles(),
            until_short({"": _people_page}, list),
            _all_invites(),
            until_short({id: _members_page(id) for id in known}, lambda data: data["members"]),
        )
        people = {user["id"]: user for user in everybody[""]}
        by_email = {user["email"].lower(): user for user in people.values()}
        problems = [*_same_address(tracked), *_unknown_roles(tracked, roles), *_unfit(tracked, by_email)]
        if problems:
            raise ReadProblems(problems)
        on_projects = {
            (project, member["user"]["id"]): _spelled(member["role"])
            for project, listed in members.items()
            for member in listed or ()
            if member["accessFrom"] != "ORGANIZATION"  # whoever has an organisation role is listed, too
        }
        found: dict[Address, Live | None] = {}
        rest = []
        for item in tracked:
            user = people.get(item.id or "") or by_email.get(item.address.key.lower())
            invite = _own_invite(item, invites)
            if item.id and (user or invite):
                found[item.address] = _joined(item, user, on_projects) if user else _invited(invite or {})
            elif item.id:
                rest.append(item)
        return {**found, **(yield from _by_id(rest, on_projects))}

    async def create(self, work: Work, want: Fields) -> Fields:
        people = await _look_up(work)
        if people.user is None:
            id = await _adopt_or_invite(work, people, want)
            if id:
                work.made(id, status=INVITED, **want)
                return {"status": INVITED}
            people = replace(people, user=await _search_everybody(work))
        await _take_over(work, people, want)
        return {"status": JOINED}

    async def update(self, work: Work, id: str, have: Fields, want: Fields, changed: set[str]) -> Fields:
        if have["status"] == INVITED:
            await _invite_anew(work, id, have, want)
            return {"status": INVITED}
        work.renamed(id)  # until now, state may know the invitation's id
        if work.memory.get(BROUGHT_BY) != INVITED and "role" in changed:
            work.memory.setdefault(ROLE_BEFORE, have["role"])
        await _set_roles(work, await _look_up(work), id, have, want)
        return {"status": JOINED}

    async def delete(self, work: Work, id: str, have: Fields) -> None:
        if have.get("status") == INVITED:
            with suppress(NotFound):
                await work.wire.mutate(CANCEL_INVITE, where={"id": id})
                return
        people = await _look_up(work)
        if have.get("status") == INVITED:  # accepted since the plan was made, or cancelled
            if people.user is None:
                raise NotFound("the invitation is gone")
            id = people.user["id"]
        if work.memory.get(BROUGHT_BY) != INVITED:
            await _give_back(work, people, id, have)
        elif id == people.me:
            raise StackError(
                f"{work.address} owns the API key in use, and would lock itself out", "use another key"
            )
        else:
            await work.wire.mutate(LEAVE, id=id)


def _spelled(role: dict[str, Any] | str | None) -> str:
    """A role's name as the stack spells it: ``Team Manager`` is TEAM_MANAGER."""
    name = role["name"] if isinstance(role, dict) else role or NONE
    return name.upper().replace(" ", "_").replace("-", "_")


# -- reading --------------------------------------------------------------------------------------


def _all_roles() -> Generator[list[Ask], list[Reply], list[str]]:
    (reply,) = yield [Ask("roles { id name }", cost=20)]
    return [_spelled(role) for role in reply.data]


def _people_page(skip: int) -> Ask:
    return Ask(f"users(skip: $skip, first: {PAGE}) {{ {PERSON} }}", {"skip": ("Int!", skip)}, PAGE)


def _members_page(project: str) -> Callable[[int], Ask]:
    text = f"project(where: {{id: $id}}) {{ id {MEMBERS} }}"
    return lambda skip: Ask(text, {"id": ("ID!", project), "skip": ("Int!", skip)}, PAGE)


def _all_invites() -> Generator[list[Ask], list[Reply], list[dict[str, Any]]]:
    text = f"organization {{ id invites(from: $from, first: {PAGE}) {{ nodes {{ {INVITE} }} nextCursor }} }}"
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        (reply,) = yield [Ask(text, {"from": ("ID", cursor)}, PAGE)]
        page = reply.data["invites"]
        found += page["nodes"]
        cursor = page["nextCursor"]
        if not cursor or not page["nodes"]:
            return found


def _by_id(
    items: list[Tracked], on_projects: Roles
) -> Generator[list[Ask], list[Reply], dict[Address, Live | None]]:
    """Whom no list shows. An invitation has no read by id: what is no user either is gone."""
    if not items:
        return {}
    replies = yield [by_id_ask("user", f"{PERSON} deleted", item.id or "") for item in items]
    return {
        item.address: None if reply.gone or reply.data["deleted"] else _joined(item, reply.data, on_projects)
        for item, reply in zip(items, replies, strict=True)
    }


def _own_invite(item: Tracked, invites: list[dict[str, Any]]) -> dict[str, Any] | None:
    mine = [invite for invite in invites if _is_for(invite, item.address.key)]
    return next((invite for invite in mine if invite["id"] == item.id), mine[0] if mine else None)


def _is_for(invite: dict[str, Any], email: str) -> bool:
    return bool(invite["inviteeEmail"].lower() == email.lower())


def _joined(item: Tracked, user: dict[str, Any], on_projects: Roles) -> Live:
    """Somebody in the organisation; of the roles on projects, those that were remembered."""
    mine = {id: on_projects.get((id, user["id"])) for id in item.known.get("projects") or {}}
    projects = {id: role for id, role in mine.items() if role}
    return Live(user["id"], {"role": _spelled(user["orgRole"]), "projects": projects, "status": JOINED})


def _invited(invite: dict[str, Any]) -> Live:
    role = _spelled(invite["organizationRoleName"])
    return Live(invite["id"], {"role": role, "projects": _promised(invite), "status": INVITED})


def _promised(invite: dict[str, Any]) -> dict[str, str]:
    return {each["projectId"]: _spelled(each["projectRoleName"]) for each in invite["projectInvites"]}


def _same_address(tracked: Sequence[Tracked]) -> list[Problem]:
    """Two members may not differ by capitals only: they are one person."""
    seen: dict[str, Tracked] = {}
    problems = []
    for item in sorted(tracked, key=lambda item: (item.want is not None, item.id is None)):
        other = seen.setdefault(item.address.key.lower(), item)
        if other is not item:
            cure = "remove one" if other.want is not None else f"add previously: {other.address.key}"
            problems.append(Problem(f"{item.address} is {other.address}", cure, address=item.address))
    return problems


def _unknown_roles(tracked: Sequence[Tracked], roles: list[str]) -> list[Problem]:
    return [
        Problem(f"the workspace has no role {role}", f"roles are {', '.join(roles)}", address=item.address)
        for item in tracked
        for role in _roles_in(item.want or {})
        if role not in roles
    ]


def _roles_in(want: Fields) -> list[str]:
    return list(dict.fromkeys([want.get("role", NONE), *want.get("projects", {}).values()]))


def _unfit(tracked: Sequence[Tracked], by_email: dict[str, dict[str, Any]]) -> list[Problem]:
    """Who is to get first roles on projects, but has a role in the organisation."""
    problems = []
    for item in tracked:
        want, user = item.want or {}, by_email.get(item.address.key.lower())
        role = _spelled(user["orgRole"]) if user else NONE
        if not item.id and want.get("projects") and "role" not in want and role != NONE:
            problems.append(Problem(*_excludes(item.address, role), address=item.address))
    return problems


def _excludes(address: Address, role: str) -> tuple[str, str]:
    return f"{address.key} has the organisation role {role}, so no roles on projects", "add role: NONE to it"


# -- changing -------------------------------------------------------------------------------------


async def _look_up(work: Work) -> People:
    """Find the person by e-mail address, in case, or as members' addresses mostly are, in lower case."""
    email = work.address.key
    found = await work.wire.query(FIND, email=email, lower=email.lower())
    users = [user for user in (*found["written"], *found["lower"]) if user["email"].lower() == email.lower()]
    roles = {_spelled(role): role["id"] for role in found["roles"]}
    return People(found["user"]["id"], roles, users[0] if users else None)


async def _invites_of(work: Work) -> list[dict[str, Any]]:
    """Every open invitation of the address, oldest first; several may exist (API reference 6.1)."""
    found, cursor = [], None
    while True:
        page = (await work.wire.query(FIND_INVITES, **{"from": cursor}))["organization"]["invites"]
        found += [invite for invite in page["nodes"] if _is_for(invite, work.address.key)]
        cursor = page["nextCursor"]
        if not cursor or not page["nodes"]:
            return found


async def _search_everybody(work: Work) -> dict[str, Any]:
    """The person whom the service did not invite because they are a member, under some spelling."""
    for skip in range(0, 1_000_000, PAGE):
        page = (await work.wire.query(FIND_EVERYBODY, skip=skip))["users"]
        for user in page:
            if user["email"].lower() == work.address.key.lower():
                return dict(user)
        if len(page) < PAGE:
            break
    raise ServiceError(f"the service neither invited {work.address.key} nor has them as a member", "invite")


async def _adopt_or_invite(work: Work, people: People, want: Fields) -> str | None:
    """The id of an invitation with these roles, somebody's or a new one; None for who is a member."""
    invites = await _invites_of(work)
    for invite in invites:
        if _spelled(invite["organizationRoleName"]) == want.get("role", NONE) and (
            "projects" not in want or _promised(invite) == want["projects"]
        ):
            work.memory[BROUGHT_BY] = "before"
            return str(invite["id"])
    for invite in invites:
        await work.wire.mutate(CANCEL_INVITE, where={"id": invite["id"]})
    work.memory[BROUGHT_BY] = INVITED
    return await _invite(work, people, want.get("role", NONE), want.get("projects", {}))


async def _invite(work: Work, people: People, role: str, projects: dict[str, str]) -> str | None:
    data = {
        "inviterId": people.me,
        "inviteeEmail": work.address.key,
        "organizationId": work.organization,
        "organizationRoleId": people.role(role),
        "projects": [{"projectId": id, "projectRoleId": people.role(name)} for id, name in projects.items()],
    }
    (answer,) = (await work.wire.mutate(CREATE_INVITE, data=[data]))["createInvites"]
    if answer["invite"] is None:
        return None
    id = str(answer["invite"]["id"])
    for _ in range(4):
        if id != "invited":  # what the service may say instead of an id (API reference 1.5)
            return id
        invites = await _invites_of(work)
        id = str(invites[-1]["id"]) if invites else await asyncio.sleep(LAG, id)
    raise OutcomeUnknown(f"{work.address.key} was invited, and the invitation shows in no list yet")


async def _invite_anew(work: Work, id: str, have: Fields, want: Fields) -> None:
    """An invitation cannot be changed: it is cancelled and sent again with other roles."""
    people = await _look_up(work)
    old = next((invite for invite in await _invites_of(work) if invite["id"] == id), None)
    if old is None:
        raise StackError(f"the invitation of {work.address.key} is no longer open", "run apply again")
    others = {p: role for p, role in _promised(old).items() if p not in (have["projects"] or {})}
    projects = {**others, **want["projects"]} if "projects" in want else _promised(old)
    role = want.get("role", NONE if projects else have["role"])
    await work.wire.mutate(CANCEL_INVITE, where={"id": id})
    work.memory[BROUGHT_BY] = INVITED
    new = await _invite(work, people, role, projects if role == NONE else {})
    if new is None:
        raise StackError(f"{work.address.key} has become a member meanwhile", "run apply again")
    work.renamed(new)


async def _take_over(work: Work, people: People, want: Fields) -> None:
    """Somebody was in the organisation before: remember as what, and give the wanted roles."""
    assert people.user is not None
    role = _spelled(people.user["orgRole"])
    if want.get("projects") and want.get("role", role) != NONE:
        raise StackError(*_excludes(work.address, role))
    work.memory[BROUGHT_BY] = "before"
    if want.get("role", role) != role:
        work.memory[ROLE_BEFORE] = role
    work.made(people.user["id"], status=JOINED)
    await _set_roles(work, people, people.user["id"], {"role": role, "projects": {}}, want)


async def _set_roles(work: Work, people: People, id: str, have: Fields, want: Fields) -> None:
    """First what goes, then the organisation role, then what needs it to be NONE."""
    mine = have["projects"]
    wished = want.get("projects", mine)
    for project in mine:
        if project not in wished:
            await _leave(work, project, id)
    if want.get("role", have["role"]) != have["role"]:
        await work.wire.mutate(SET_ROLE, id=id, role=people.role(want["role"]))
        work.did("role")
    for project, role in wished.items():
        if mine.get(project) != role:
            await work.wire.mutate(SET_PROJECT_ROLE, id=id, role=people.role(role), project=project)


async def _leave(work: Work, project: str, id: str) -> None:
    outcome = (await work.wire.mutate(LEAVE_PROJECT, project=project, ids=[id]))["deleteProjectMemberships"]
    if not outcome["success"]:
        raise ServiceError(
            f"{work.address.key} stays on project {project}: {outcome['errorMessage']}", "leave"
        )


async def _give_back(work: Work, people: People, id: str, have: Fields) -> None:
    """Who was here before keeps the organisation and loses what the stack gave."""
    for project in have.get("projects") or {}:
        with suppress(NotFound):  # the project is gone, and its members with it
            await _leave(work, project, id)
    before = work.memory.get(ROLE_BEFORE)
    if before and before != have.get("role") and before in people.roles:
        await work.wire.mutate(SET_ROLE, id=id, role=people.role(before))
