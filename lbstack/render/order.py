"""In which order a face tells of changes: what may hurt comes first, and is the last to be left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lbstack.plan.changes import Action, Change, Plan
from lbstack.values import Address

RANKS = {
    Action.MISSING: 0,
    Action.DELETE: 1,
    Action.REPLACE: 2,
    Action.FORGET: 3,
    Action.UPDATE: 4,
    Action.CREATE: 5,
    Action.NOOP: 6,
}
WORDS = {
    Action.MISSING: "missing",
    Action.DELETE: "destroy",
    Action.REPLACE: "replace",
    Action.FORGET: "forget",
    Action.UPDATE: "update",
    Action.CREATE: "create",
    Action.NOOP: "import",
}
"""What becomes of a resource that a plan tells of, in one word."""


def by_weight(plan: Plan) -> list[Change]:
    """What a plan does or tells, in the order in which people must know of it."""
    refused = {refusal.problem.address for refusal in plan.refusals}
    return sorted(plan.actions, key=lambda change: rank(change, change.address in refused))


def rank(change: Change, refused: bool = False) -> tuple[bool, int]:
    """Where a change stands among others; those that a guard names come first."""
    return (not refused, RANKS[change.action])


def tally(changes: Iterable[Change]) -> dict[str, int]:
    """How many of each, in words, what hurts first."""
    found = dict.fromkeys(WORDS.values(), 0)
    for change in changes:
        found[WORDS[change.action]] += 1
    return {word: count for word, count in found.items() if count}


def by_kind(plan: Plan) -> Mapping[str, Mapping[str, int]]:
    """How many of each kind become what; what was deposed is destroyed, or forgotten, too."""
    table: dict[str, dict[str, int]] = {}
    for change in plan.actions:
        row = table.setdefault(change.address.kind, {})
        row[WORDS[change.action]] = row.get(WORDS[change.action], 0) + 1
    for old in plan.deposed:
        word = WORDS[Action.FORGET if old.forgets else Action.DELETE]
        row = table.setdefault(old.address.kind, {})
        row[word] = row.get(word, 0) + 1
    return table


def edges(plan: Plan, shown: Iterable[Address]) -> list[tuple[Address, Address]]:
    """Who depends on whom among those that are shown: as it will be, or, of what ends, as it was."""
    nodes = set(shown)
    return [
        (change.address, need)
        for change in plan.changes
        if change.address in nodes
        for need in dict.fromkeys(change.needed if change.action in ENDING else change.needs)
        if need in nodes and need != change.address
    ]


ENDING = (Action.DELETE, Action.FORGET)
