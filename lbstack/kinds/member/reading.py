"""How members are read: a few lists for all of them, whatever their number.

API reference 1.5, 4 (pages), 6.5 (who is listed among the members of a project).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from lbstack.errors import Problem
from lbstack.kinds.contract import (
    Ask,
    Fields,
    Findings,
    Live,
    Reading,
    ReadProblems,
    Reply,
    Search,
    Sighting,
    Tracked,
)
from lbstack.kinds.marks import seconds
from lbstack.kinds.member.words import (
    INVITATION,
    INVITATIONS,
    INVITE,
    INVITED,
    JOINED,
    NONE,
    PERSON,
    excludes,
    just_sent,
    promised,
    spelled,
)
from lbstack.kinds.reading import PAGE, by_id_ask, onward, together, until_short
from lbstack.values import Address, Ref

Roles = dict[tuple[str, str], str]
"""Role names by project id and user id."""


def read(tracked: Sequence[Tracked]) -> Reading:
    """Everybody, every open invitation, and the members of projects that were remembered: lists only.

    Whom no list shows is read by id. An invitation has no read by id, and lists are behind (API reference
    6.6): until they must have caught up, one that was sent is taken to be open, and then it is looked for in
    a second list before it counts as gone.
    """
    known = Counter(id for item in tracked if item.id for id in item.known.get("projects") or {})
    roles, (everybody, members), (invites, now) = yield from together(
        _all_roles(), _people_of(known), _open_invites()
    )
    by_email = {user["email"].lower(): user for user in everybody}
    people = by_email | {user["id"]: user for user in everybody}
    problems = [*_same_address(tracked), *_unknown_roles(tracked, roles), *_unfit(tracked, by_email)]
    if problems:
        raise ReadProblems(problems)
    on_projects = {
        (project, member["user"]["id"]): spelled(member["role"])
        for project, listed in members.items()
        for member in listed or ()
        if member["accessFrom"] != "ORGANIZATION"  # whoever has an organisation role is listed, too
    }
    open_ones = _by_key(invites)
    found: dict[Address, Live | None] = {}
    rest = []
    for item in tracked:
        keys = [item.id, item.address.key.lower()] if item.id else []
        if user := _first(keys, people):
            found[item.address] = _joined(item, user, on_projects)
        elif item.id not in open_ones and just_sent(item.id, item.memory, now):
            found[item.address] = _still_invited(item)
        elif invite := _first(keys, open_ones):
            found[item.address] = _invited(invite)
        elif item.id:
            rest.append(item)
    found |= yield from _looked_for(rest, on_projects)
    return Findings(
        found,
        {
            "roles": {user["id"]: spelled(user["orgRole"]) for user in everybody},
            "ids": {
                item.address.key: by_email[item.address.key.lower()]["id"]
                for item in tracked
                if item.address.key.lower() in by_email
            },
        },
    )


def _first(keys: list[str], among: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    return next((among[key] for key in keys if key in among), None)


def _all_roles() -> Generator[list[Ask], list[Reply], list[str]]:
    (reply,) = yield [Ask("roles { id name }", cost=20)]
    return [spelled(role) for role in reply.data]


def _people_of(
    known: Mapping[str, int],
) -> Generator[list[Ask], list[Reply], tuple[list[Any], dict[str, list[Any] | None]]]:
    """Everybody, and the members of projects: as many as are `known`, and whoever reaches every project."""
    everybody = (yield from until_short({"": _people_page}, list, "members"))[""] or []
    everywhere = sum(spelled(user["orgRole"]) != NONE for user in everybody)
    members = yield from until_short(
        {id: _members_page(id) for id in known},
        lambda data: data["members"],
        "members of a project",
        expected={id: count + everywhere for id, count in known.items()},
    )
    return everybody, members


def all_people() -> Search:
    """Everybody who is in the organisation, by e-mail address."""

    def page(skip: int, first: int) -> Ask:
        text = f"users(skip: $skip, first: {first}) {{ id email createdAt }}"
        return Ask(text, {"skip": ("Int!", skip)}, first)

    found = yield from until_short({"": page}, list, what="users")
    return [
        Sighting(
            user["id"], user["email"], None, {"email": user["email"].lower()}, seconds(user["createdAt"])
        )
        for user in found[""] or []
    ]


def _people_page(skip: int, first: int) -> Ask:
    return Ask(f"users(skip: $skip, first: {first}) {{ {PERSON} }}", {"skip": ("Int!", skip)}, first)


def _members_page(project: str) -> Callable[[int, int], Ask]:
    def page(skip: int, first: int) -> Ask:
        members = f"members(skip: $skip, first: {first}) {{ id user {{ id }} role {{ id name }} accessFrom }}"
        text = f"project(where: {{id: $id}}) {{ id {members} }}"
        return Ask(text, {"id": ("ID!", project), "skip": ("Int!", skip)}, 1 + first)

    return page


def _by_key(invites: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Invitations by id, and by the address: who accepts, or is invited anew, has another id."""
    oldest = {invite["inviteeEmail"].lower(): invite for invite in reversed(invites)}
    return oldest | {invite["id"]: invite for invite in invites}


def all_invites(selection: str = INVITE) -> Generator[list[Ask], list[Reply], list[dict[str, Any]]]:
    """Every open invitation of the organisation."""
    invites, _ = yield from _open_invites(selection)
    return invites


def _open_invites(
    selection: str = INVITE, later: bool = False
) -> Generator[list[Ask], list[Reply], tuple[list[dict[str, Any]], float | None]]:
    """Every open invitation of the organisation, and the service's time."""
    text = (
        f"organization {{ id invites(from: $from, first: {PAGE}) {{ nodes {{ {selection} }} nextCursor }} }}"
    )
    found: list[dict[str, Any]] = []
    cursor, followed = None, set[str]()
    while True:
        (reply,) = yield [Ask(text, {"from": ("ID", cursor)}, PAGE, later=later and cursor is None)]
        page = reply.data["invites"]
        found += page["nodes"]
        cursor = onward(followed, page["nextCursor"], INVITATIONS)
        if not cursor or not page["nodes"]:
            return found, reply.now


def _looked_for(
    items: list[Tracked], on_projects: Roles
) -> Generator[list[Ask], list[Reply], dict[Address, Live | None]]:
    """Whom no list shows: by id, and whom the stack invited in a second list of invitations."""
    found = yield from _by_id(items, on_projects)
    lost = [item for item in items if found[item.address] is None and item.id == item.memory.get(INVITATION)]
    if lost:
        invites, _ = yield from _open_invites(later=True)
        open_ones = _by_key(invites)
        for item in lost:
            if invite := _first([item.id or "", item.address.key.lower()], open_ones):
                found[item.address] = _invited(invite)
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


def _joined(item: Tracked, user: dict[str, Any], on_projects: Roles) -> Live:
    """Somebody in the organisation; of the roles on projects, those that were remembered."""
    mine = {id: on_projects.get((id, user["id"])) for id in item.known.get("projects") or {}}
    projects = {id: role for id, role in mine.items() if role}
    return Live(user["id"], {"role": spelled(user["orgRole"]), "projects": projects, "status": JOINED})


def _invited(invite: dict[str, Any]) -> Live:
    role = spelled(invite["organizationRoleName"])
    return Live(invite["id"], {"role": role, "projects": promised(invite), "status": INVITED})


def _still_invited(item: Tracked) -> Live:
    """Somebody whose invitation no list shows yet, as they were invited."""
    role, projects = item.known.get("role", NONE), dict(item.known.get("projects") or {})
    return Live(item.id or "", {"role": role, "projects": projects, "status": INVITED})


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
    cure = f"roles are {', '.join(roles)}"
    return [
        Problem(f"the workspace has no role {role}", cure, address=item.address, path=path)
        for item in tracked
        for path, role in _roles_in(item.want or {})
        if role not in roles
    ]


def _roles_in(want: Fields) -> list[tuple[tuple[str, ...], str]]:
    """Every role and where it is written."""
    projects = want.get("projects", {}).items()
    named = [(("projects", p.address.key if isinstance(p, Ref) else str(p)), role) for p, role in projects]
    return [(("role",), want.get("role", NONE)), *named]


def _unfit(tracked: Sequence[Tracked], by_email: dict[str, dict[str, Any]]) -> list[Problem]:
    """Who is to get roles on projects, but has a role in the organisation."""
    problems = []
    for item in tracked:
        want, user = item.want or {}, by_email.get(item.address.key.lower())
        role = spelled(user["orgRole"]) if user else NONE
        if want.get("projects") and "role" not in want and role != NONE:
            problems.append(Problem(*excludes(item.address, role), address=item.address))
    return problems
