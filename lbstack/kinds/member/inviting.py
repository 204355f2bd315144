"""Finding people by their address, and inviting who is not in the organisation.

API reference 1.5 (invitations), 6.1 (several may be open for one address).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lbstack.errors import NotFound, OutcomeUnknown, ServiceError, StackError
from lbstack.kinds.contract import Fields, Work
from lbstack.kinds.member.words import (
    GRACE,
    INVITATION,
    INVITATIONS,
    INVITE,
    INVITED,
    INVITED_AT,
    LAG,
    NONE,
    PERSON,
    is_for,
    just_sent,
    promised,
    spelled,
)
from lbstack.kinds.reading import MOST_PAGES, PAGE, endless, onward

FIND = f"""query FindMember($email: String!, $lower: String!) {{
  user {{ id }}
  roles {{ id name }}
  written: users(where: {{email: $email}}, skip: 0, first: 100) {{ {PERSON} }}
  lower: users(where: {{email: $lower}}, skip: 0, first: 100) {{ {PERSON} }}
}}"""
FIND_INVITES = f"""query FindInvites($from: ID) {{
  organization {{ id invites(from: $from, first: {PAGE}) {{
    nodes {{ {INVITE} inviter {{ id }} }} nextCursor
  }} }}
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

BROUGHT_BY = "joined"
"""In memory: who brought a member in, the stack (``invited``), or somebody before it (``before``)."""
OUTDATED = "outdated"
"""In memory: invitations that another one has taken the place of, and that are still to be cancelled."""
SENDING = "sending"
"""In memory: an invitation that is sent in the place of another, until its id is known: what it promises,
whose it is, since when, and which were open before."""
ROLE_BEFORE = "role_before"
"""In memory: the organisation role that somebody had before the stack gave another."""
PAUSES = (0, LAG, LAG, LAG)
"""Seconds before each look for an invitation that must be there."""


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


async def look_up(work: Work) -> People:
    """Find the person by e-mail address, in case, or as members' addresses mostly are, in lower case."""
    email = work.address.key
    found = await work.wire.query(FIND, email=email, lower=email.lower())
    users = [user for user in (*found["written"], *found["lower"]) if user["email"].lower() == email.lower()]
    roles = {spelled(role): role["id"] for role in found["roles"]}
    return People(found["user"]["id"], roles, users[0] if users else None)


async def invites_of(work: Work) -> list[dict[str, Any]]:
    """Every open invitation of the address, oldest first; several may exist (API reference 6.1)."""
    return [invite for invite in await _all_invites(work) if is_for(invite, work.address.key)]


async def _all_invites(work: Work) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor, followed = None, set[str]()
    while True:
        page = (await work.wire.query(FIND_INVITES, **{"from": cursor}))["organization"]["invites"]
        found += page["nodes"]
        cursor = onward(followed, page["nextCursor"], INVITATIONS)
        if not cursor or not page["nodes"]:
            return found


async def everybody(work: Work) -> list[dict[str, Any]]:
    """Who is in the organisation now."""
    found: list[dict[str, Any]] = []
    while len(found) < MOST_PAGES * PAGE:
        page = (await work.wire.query(FIND_EVERYBODY, skip=len(found)))["users"]
        found += page
        if len(page) < PAGE:
            return found
    raise endless("members")


async def search_everybody(work: Work) -> dict[str, Any]:
    """The person whom the service did not invite because they are a member, under some spelling."""
    for user in await everybody(work):
        if user["email"].lower() == work.address.key.lower():
            return user
    raise ServiceError(f"the service neither invited {work.address.key} nor has them as a member", "invite")


async def adopt_or_invite(work: Work, people: People, want: Fields) -> str | None:
    """The id of an invitation with these roles, somebody's or a new one; None for who is a member."""
    role, projects = _wished(want)
    everybodys = await work.once("invites", lambda: _all_invites(work))
    invites = [invite for invite in everybodys if is_for(invite, work.address.key)]
    for invite in invites:
        fits = "projects" not in want or projects.items() <= promised(invite).items()
        if fits and spelled(invite["organizationRoleName"]) == role:
            # One of ours whose answer was lost is ours all the same.
            lost = work.repeated and (invite["inviter"] or {}).get("id") == people.me
            own = lost or invite["id"] == work.memory.get(INVITATION)
            work.memory[BROUGHT_BY] = INVITED if own else "before"
            return str(invite["id"])
    if role == NONE:  # what others promised beside it is not the stack's to take away
        projects = {p: r for invite in invites for p, r in promised(invite).items()} | projects
    for invite in invites:
        await work.wire.mutate_experimental(CANCEL_INVITE, where={"id": invite["id"]})
    return await _invite(work, people, role, projects)


async def invite_anew(work: Work, id: str, have: Fields, want: Fields) -> None:
    """An invitation cannot be changed: it is cancelled and sent again with other roles."""
    people = await look_up(work)
    old = None if people.user else await _open_one(work, id)
    if old is None:
        raise StackError(f"the invitation of {work.address.key} is no longer open", "run apply again")
    role, projects = _wished({"role": spelled(old["organizationRoleName"]), **want})
    if "projects" not in want and role == NONE:
        projects = promised(old)
    elif role == NONE:
        managed = have["projects"] or {}
        projects = {**{p: r for p, r in promised(old).items() if p not in managed}, **projects}
    await _find_sent(work)
    new = await _in_its_place(work, people, id, role, projects)
    # First the new one is remembered: an apply that is cut off here must not take the member for gone.
    work.memory[OUTDATED] = [one for one in dict.fromkeys([*_outdated(work), id]) if one != new]
    work.memory.pop(SENDING, None)
    work.renamed(new, *want)
    await _cancel_outdated(work)


async def _in_its_place(work: Work, people: People, id: str, role: str, projects: dict[str, str]) -> str:
    """The invitation that takes the place of one: an open one that promises just this, or else a new one.

    That it is sent is remembered before it is: the next apply may want something else, and must find it.
    """
    invites = await invites_of(work)
    for invite in invites:
        if spelled(invite["organizationRoleName"]) == role and promised(invite) == projects:
            if invite["id"] in _outdated(work):  # it is ours, of an apply that was cut off
                work.memory.update({BROUGHT_BY: INVITED, INVITATION: invite["id"]})
            return str(invite["id"])
    work.memory[SENDING] = {
        "role": role,
        "projects": projects,
        "by": people.me,
        "at": work.wire.server_now(),
        "open": [invite["id"] for invite in invites],
    }
    work.renamed(id)  # what changes is in doubt from here on, whatever becomes of this apply
    await work.noted()
    try:
        new = await _invite(work, people, role, projects)
    except OutcomeUnknown:
        raise
    except StackError:  # none was sent
        work.memory.pop(SENDING)
        raise
    if new is None:
        work.memory.pop(SENDING)
        raise StackError(f"{work.address.key} has become a member meanwhile", "run apply again")
    return new


async def withdraw_others(work: Work) -> None:
    """Cancel what was sent for the member beside what is remembered, and never ended."""
    await _find_sent(work)
    if SENDING in work.memory or OUTDATED in work.memory:
        work.memory[OUTDATED] = _outdated(work)
        work.memory.pop(SENDING, None)
        work.did()
        await _cancel_outdated(work)


async def _find_sent(work: Work) -> None:
    """Note as outdated what an apply that was cut off has sent and was never told of. While it may yet come,
    it is waited for; where nobody waits, it stays unknown."""
    sent = work.memory.get(SENDING)
    if sent is None:
        return
    waited, pauses = 0.0, iter(PAUSES)
    while True:
        found = [str(invite["id"]) for invite in await invites_of(work) if _may_be(invite, sent)]
        if found:
            work.memory[OUTDATED] = list(dict.fromkeys([*_outdated(work), *found]))
            return
        now, then = work.wire.server_now(), sent["at"]
        age = now - then if now is not None and then is not None else 0.0
        left = (work.settle or 0.0) - max(waited, age)
        if work.settle is None and age < GRACE:
            key = work.address.key
            raise OutcomeUnknown(
                f"whether another invitation was sent to {key} is not known yet", "look", "run apply again"
            )
        if left <= 0:
            return
        if not waited:
            work.say(f"another invitation may have been sent; waiting up to {left:.0f}s for it")
        pause = min(next(pauses, LAG) or 0.1, left)
        await asyncio.sleep(pause)
        waited += pause


def _may_be(invite: dict[str, Any], sent: dict[str, Any]) -> bool:
    """Whether an invitation is the one that was sent: new since then, of the same user, and promising the
    same."""
    return (
        invite["id"] not in sent["open"]
        and (invite["inviter"] or {}).get("id") == sent["by"]
        and spelled(invite["organizationRoleName"]) == sent["role"]
        and promised(invite) == sent["projects"]
    )


def _outdated(work: Work) -> list[str]:
    return list(work.memory.get(OUTDATED, []))


async def _cancel_outdated(work: Work) -> None:
    """One that could not be cancelled is still noted for the next apply."""
    while work.memory[OUTDATED]:
        with suppress(NotFound):
            await work.wire.mutate_experimental(CANCEL_INVITE, where={"id": work.memory[OUTDATED][0]})
        del work.memory[OUTDATED][0]
    del work.memory[OUTDATED]


def _wished(want: Fields) -> tuple[str, dict[str, str]]:
    """The organisation role and the project roles of an invitation; who has the latter has no former."""
    projects = dict(want.get("projects") or {})
    return NONE if projects else str(want.get("role", NONE)), projects


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
    id = answer["invite"]["id"]
    if id == "invited":  # what the service may say instead of an id (API reference 1.5)
        id = await _newest(work)
    work.memory.update({BROUGHT_BY: INVITED, INVITATION: id, INVITED_AT: work.wire.server_now()})
    return str(id)


async def _open_one(work: Work, id: str) -> dict[str, Any] | None:
    """The open invitation with this id; one that was just sent may take a while to show."""
    for pause in PAUSES if just_sent(id, work.memory, work.wire.server_now()) else PAUSES[:1]:
        await asyncio.sleep(pause)
        found = next((invite for invite in await invites_of(work) if invite["id"] == id), None)
        if found:
            return found
    return None


async def _newest(work: Work) -> str:
    """The id of the invitation that was just sent, as soon as its list shows it."""
    for pause in PAUSES:
        await asyncio.sleep(pause)
        invites = await invites_of(work)
        if invites:
            return str(invites[-1]["id"])
    raise OutcomeUnknown(f"{work.address.key} was invited, and no list shows the invitation yet")
