"""Whether what a plan was made from is still so: one number for each object that was read.

It is taken of the live fields as their kind tells them, in one spelling: sorted where order means
nothing. What an object holds (rows, labels) is no part of it, for people go on working: that is counted
where it matters, right before something ends. Only whether it holds anything is, where a field can be
changed until it does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lbstack.errors import Problem
from lbstack.kinds.contract import Kind, Live
from lbstack.kinds.fields import Immutable, Keyed, Unordered
from lbstack.live import Snapshot
from lbstack.plan.changes import Plan
from lbstack.values import Address

GONE = ""
"""The fingerprint of what is not there."""


def seen_in(snapshot: Snapshot, kinds: Mapping[str, Kind]) -> dict[Address, str]:
    """The fingerprint of everything that was read."""
    return {address: fingerprint(kinds[address.kind], live) for address, live in snapshot.resources.items()}


def fingerprint(kind: Kind, live: Live | None) -> str:
    """SHA-256, hex, of one object as it was read; empty where it is proven gone."""
    if live is None:
        return GONE
    fields = {name: _spelled(kind, name, value) for name, value in sorted(live.attributes.items())}
    roles = [kind.role(name, Immutable) for name in kind.roles]
    used = live.contents > 0 and any(role and role.once_used for role in roles)
    told = {"id": live.id, "fields": fields, "used": used}
    return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()


def _spelled(kind: Kind, name: str, value: Any) -> Any:
    if kind.role(name, Unordered) and isinstance(value, (list, tuple)):
        return sorted(value, key=repr)
    ordered = kind.role(name, Keyed) or name not in kind.roles  # a kind's own notes stand as they are
    return value if ordered or not isinstance(value, Mapping) else dict(sorted(value.items()))


def moved(plan: Plan, snapshot: Snapshot, kinds: Mapping[str, Kind], cure: str) -> list[Problem]:
    """What is not as it was when the plan was made, all of it."""
    now = seen_in(snapshot, kinds)
    problems = []
    for address, before in plan.seen.items():
        if now.get(address, GONE) != before:
            what = "was changed" if before and now.get(address) else "has gone" if before else "has come back"
            problems.append(Problem(f"{address} {what} since the plan was made", cure, address=address))
    return problems
