"""The words in which the service and the stack speak of people, shared by this kind's modules."""

from __future__ import annotations

from typing import Any

from lbstack.kinds.contract import Fields
from lbstack.values import Address

PERSON = "id email orgRole { id name }"
INVITE = "id inviteeEmail organizationRoleName projectInvites { projectId projectRoleName }"

ADMIN = "ADMIN"
"""The organisation role that may do everything, whatever its spelling in capitals."""
NONE = "NONE"
"""The organisation role of people who have roles on projects only (API reference 1.5)."""
INVITATION = "invitation"
"""In memory: the id of the invitation that the stack sent."""
INVITATIONS = "open invitations"
"""What the list of them is called when it cannot be read."""
INVITED_AT = "invited_at"
"""In memory: when the stack sent its invitation, in seconds since 1970 by the service's clock."""
LAG = 1.0
"""Seconds until an invitation shows in its list (API reference 6.6)."""
GRACE = 15.0
"""Seconds for which a list that lacks an invitation of ours proves nothing."""

INVITED, JOINED = "invited", "member"
"""What a member's status may be."""


def just_sent(id: str | None, memory: Fields, now: float | None) -> bool:
    """Whether this is the id of an invitation of ours so young that lists need not show it yet. `now` is the
    service's time; where it does not tell it, nothing counts as young."""
    then = memory.get(INVITED_AT) if id == memory.get(INVITATION) else None
    return now is not None and isinstance(then, (int, float)) and abs(now - then) < GRACE


def spelled(role: dict[str, Any] | str | None) -> str:
    """A role's name as the stack spells it: ``Team Manager`` is TEAM_MANAGER."""
    name = role["name"] if isinstance(role, dict) else role or NONE
    return name.upper().replace(" ", "_").replace("-", "_")


def is_for(invite: dict[str, Any], email: str) -> bool:
    """Whether an invitation is for this address; people do not differ by the case of theirs."""
    return bool(invite["inviteeEmail"].lower() == email.lower())


def promised(invite: dict[str, Any]) -> dict[str, str]:
    """The roles on projects that an invitation promises, by project id."""
    return {each["projectId"]: spelled(each["projectRoleName"]) for each in invite["projectInvites"]}


def excludes(address: Address, role: str) -> tuple[str, str]:
    """What is wrong with roles on projects beside a role in the organisation, and what to do."""
    return f"{address.key} has the organisation role {role}, so no roles on projects", "add role: NONE to it"
