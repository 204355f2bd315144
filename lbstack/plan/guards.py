"""What a plan may not do without being told twice. A refusal names the way through."""

from __future__ import annotations

from lbstack.errors import GuardError, Problem
from lbstack.plan.changes import Action, Plan

ENDS = {Action.DELETE, Action.REPLACE}


def check(plan: Plan) -> None:
    """Refuse to destroy what is protected (``lifecycle: {prevent_destroy: true}``).

    Protection is remembered in state: removing a resource's block does not lift it.
    """
    problems = [
        Problem(
            f"{change.address} is protected, and this plan would {change.action} it",
            "to allow it, apply the stack once with prevent_destroy: false on it",
            change.source,
            change.address,
        )
        for change in plan.changes
        if change.protected and change.action in ENDS
    ]
    if problems:
        raise GuardError(problems)
