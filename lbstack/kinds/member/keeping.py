"""Nobody locks themselves out: who owns the key keeps their role, and somebody stays Admin.

Both are judged twice: in the plan by what was read with it, and right before a role is taken by what is
there then. Only who is Admin already counts as one who stays: whoever is to become one may not become it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from lbstack.errors import GuardError, Problem
from lbstack.kinds.contract import Fields, Planned, Work
from lbstack.kinds.member.inviting import BROUGHT_BY, ROLE_BEFORE, People, everybody
from lbstack.kinds.member.words import ADMIN, INVITED, NONE, spelled
from lbstack.values import Address

ANOTHER = "let somebody else be Admin first, in an apply of its own"
OWN_KEY = "use the key of another Admin"


def lockouts(planned: Sequence[Planned], facts: Fields, user: str) -> list[Problem]:
    """What of a plan would take the owner of the key their role, or the organisation its last Admin."""
    roles: dict[str, str] = facts.get("roles", {})
    loses = {}
    for each in planned:
        id = facts.get("ids", {}).get(each.address.key) if each.action == "create" else each.id
        then = _role_after(each, roles.get(id or "", NONE))
        if id in roles and then != roles[id]:
            loses[id] = each.address, then
    problems = [told for id, (address, then) in loses.items() for told in _own(address, id, user, then)]
    admins = {id for id, role in roles.items() if role == ADMIN}
    losing = [id for id, (_, then) in loses.items() if id in admins and then != ADMIN]
    if losing and admins <= {*losing}:
        problems += [_last(loses[id][0]) for id in losing]
    return problems


def _role_after(each: Planned, now: str) -> str | None:
    """The role in the organisation that somebody would have; None for who leaves it."""
    if each.action == "delete":
        if each.before.get("status") == INVITED:
            return now
        return None if each.memory.get(BROUGHT_BY) == INVITED else each.memory.get(ROLE_BEFORE, now)
    return str(each.after.get("role", now))


def _own(address: Address, id: str, user: str, then: str | None) -> Iterable[Problem]:
    if id == user and then != ADMIN:
        what = "would leave the organisation" if then is None else f"would become {then} in it"
        yield Problem(f"{address} owns the API key in use, and {what}", OWN_KEY, address=address)


def _last(address: Address) -> Problem:
    return Problem(f"{address} is the last Admin of the organisation", ANOTHER, address=address)


@asynccontextmanager
async def kept(work: Work, people: People, id: str, role: str, then: str | None) -> AsyncIterator[None]:
    """Around what takes a role: refuses what must not be, and lets one Admin at a time lose theirs."""
    if role == then:
        yield
        return
    problems = [*_own(work.address, id, people.me, then)]
    if role != ADMIN:
        _require_none(problems)
        yield
        return
    async with await work.once("turn", _turn):
        others = [user["id"] for user in await everybody(work) if spelled(user["orgRole"]) == ADMIN]
        if {*others} <= {id}:
            problems.append(_last(work.address))
        _require_none(problems)
        yield


def _require_none(problems: list[Problem]) -> None:
    if problems:
        raise GuardError(problems)


async def _turn() -> asyncio.Lock:
    return asyncio.Lock()
