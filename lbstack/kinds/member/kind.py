"""Members: people by their e-mail address, with a role in the organisation or roles on projects.

Who is not in the organisation is invited, and is the same member before and after accepting. API
reference 1.5 (operations; organisation and project roles exclude each other), 6.2 (leaving).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, Field

from lbstack.errors import NotFound, Problem, ServiceError, StackError
from lbstack.kinds.contract import Fields, Kind, Planned, Reading, Search, Sighting, Tracked, Work
from lbstack.kinds.fields import Listed, RefTo, Spec, UpperCase
from lbstack.kinds.marks import seconds
from lbstack.kinds.member.inviting import (
    BROUGHT_BY,
    CANCEL_INVITE,
    OUTDATED,
    ROLE_BEFORE,
    SENDING,
    People,
    adopt_or_invite,
    invite_anew,
    look_up,
    search_everybody,
    withdraw_others,
)
from lbstack.kinds.member.keeping import kept, lockouts
from lbstack.kinds.member.reading import all_invites, all_people, read
from lbstack.kinds.member.words import (
    INVITATION,
    INVITE,
    INVITED,
    INVITED_AT,
    JOINED,
    NONE,
    excludes,
    spelled,
)
from lbstack.values import Address, Ref

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

EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


class MemberSpec(Spec):
    """A person. Organisation role and project roles exclude each other."""

    role: Annotated[str, UpperCase] | None = Field(
        None, description="The role in the organisation, as the service names it, in any case"
    )
    projects: Annotated[
        dict[Annotated[str, RefTo("project")], Annotated[str, UpperCase]] | None, Listed()
    ] = Field(None, description="Roles on projects; only the listed ones are managed")


class Member(Kind):
    """Keyed by e-mail address in any case; invited, put on projects, and removed if the stack invited."""

    name, plural, Spec = "member", "members", MemberSpec
    computed = ("status",)
    marks = False
    looks_first = True

    def identity(self, key: str) -> str | None:
        return key.lower()

    def wanted(self, key: str, spec: BaseModel) -> Fields:
        want = super().wanted(key, spec)
        if "role" in want:
            want["role"] = want["role"] or NONE
        if "projects" in want:
            want["projects"] = want["projects"] or {}
        if not want:
            raise ValueError("write a role, or projects with a role on each")
        return want

    def check(self, key: str, want: Fields, find: Callable[[Ref], Fields | None]) -> list[tuple[str, str]]:
        found = []
        if not EMAIL.fullmatch(key) or len(key) > 320:
            found.append(("", "the key of a member is an e-mail address"))
        # Keys that both have capitals are compared in `read`, which sees all members at once.
        elif key != key.lower() and find(Ref(Address(self.name, key.lower()))) is not None:
            found.append(("", f"{key.lower()} is the same address"))
        role, projects = want.get("role") or NONE, want.get("projects") or {}
        if projects and role != NONE:
            told = f"role: {role} reaches every project; write role: NONE, or no projects"
            found.append(("role", told))
        if NONE in projects.values():
            found.append(("projects", "NONE is no role on a project; leave the project out"))
        return found

    def natural(self, key: str, want: Fields) -> Fields:
        return {"email": key.lower()}

    def search(self, since: str | None, lost: bool) -> Search:
        invites = yield from all_invites(f"{INVITE} createdAt inviter {{ id }}")
        return [
            Sighting(
                invite["id"],
                invite["inviteeEmail"],
                None,
                {"email": invite["inviteeEmail"].lower()},
                seconds(invite["createdAt"]),
                (invite["inviter"] or {}).get("id", ""),
                memory={BROUGHT_BY: INVITED, INVITATION: invite["id"]},
            )
            for invite in invites
        ]

    def census(self) -> Search:
        invited = yield from self.search(None, True)
        return [*invited, *(yield from all_people())]

    def awaiting(self, attributes: Fields) -> str | None:
        return "the invitee's acceptance." if attributes.get("status") == INVITED else None

    def guard(self, planned: Sequence[Planned], facts: Fields, user: str) -> list[Problem]:
        return lockouts(planned, facts, user)

    def read(self, tracked: Sequence[Tracked]) -> Reading:
        return (yield from read(tracked))

    async def create(self, work: Work, want: Fields) -> Fields:
        people = await look_up(work)
        if people.user is None:
            id = await adopt_or_invite(work, people, want)
            if id:
                work.made(id, status=INVITED, **want)
                return {"status": INVITED}
            people = replace(people, user=await search_everybody(work))
        await _take_over(work, people, want)
        return {"status": JOINED}

    async def update(self, work: Work, id: str, have: Fields, want: Fields, changed: set[str]) -> Fields:
        if have["status"] == INVITED:
            await invite_anew(work, id, have, want)
            return {"status": INVITED}
        work.renamed(id)  # until now, state may know the invitation's id
        if work.memory.get(BROUGHT_BY) != INVITED and "role" in changed:
            work.memory.setdefault(ROLE_BEFORE, have["role"])
        await _set_roles(work, await look_up(work), id, have, want)
        await withdraw_others(work)
        return {"status": JOINED}

    def leaves(self, id: str, memory: Fields) -> bool:
        return SENDING in memory or OUTDATED in memory

    async def delete(self, work: Work, id: str, have: Fields) -> None:
        await withdraw_others(work)
        if have.get("status") == INVITED:
            work.memory.pop(INVITED_AT, None)  # from here on that no list shows it is no question of its age
            work.did()
            with suppress(NotFound):
                await work.wire.mutate_experimental(CANCEL_INVITE, where={"id": id})
                return
        people = await look_up(work)
        if have.get("status") == INVITED:  # accepted since the plan was made, or cancelled
            if people.user is None:
                raise NotFound("the invitation is gone")
            id = people.user["id"]
        if work.memory.get(BROUGHT_BY) != INVITED:
            await _give_back(work, people, id, have)
        else:
            async with kept(work, people, id, _role_now(people, id, have), None):
                await work.wire.mutate(LEAVE, id=id)


async def _take_over(work: Work, people: People, want: Fields) -> None:
    """Somebody was in the organisation before: remember as what, and give the wanted roles."""
    assert people.user is not None
    role = spelled(people.user["orgRole"])
    if want.get("projects") and want.get("role", role) != NONE:
        raise StackError(*excludes(work.address, role))
    work.memory[BROUGHT_BY] = "before"
    if want.get("role", role) != role:
        work.memory[ROLE_BEFORE] = role
    work.made(people.user["id"], status=JOINED)
    await _set_roles(work, people, people.user["id"], {"role": role, "projects": {}}, want)


async def _set_roles(work: Work, people: People, id: str, have: Fields, want: Fields) -> None:
    """First what goes, then the organisation role, then what needs it to be NONE."""
    mine: dict[str, str] = have["projects"]
    wished = want.get("projects", mine)
    for project in mine:
        if project not in wished:
            await _leave(work, project, id)
    if want.get("role", have["role"]) != have["role"]:
        async with kept(work, people, id, _role_now(people, id, have), want["role"]):
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
        async with kept(work, people, id, _role_now(people, id, have), before):
            await work.wire.mutate(SET_ROLE, id=id, role=people.role(before))


def _role_now(people: People, id: str, have: Fields) -> str:
    """The role in the organisation at this moment, as far as it is known."""
    person = people.user
    return spelled(person["orgRole"]) if person and person["id"] == id else str(have.get("role", NONE))
