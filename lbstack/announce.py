"""What is written down of a plan before anything of it is sent, so that the next run knows of it
whatever becomes of this one."""

from __future__ import annotations

from dataclasses import replace
from secrets import token_hex

from lbstack.plan.changes import Action, Plan
from lbstack.plan.schedule import schedule
from lbstack.state.model import State
from lbstack.values import Intent, visible


def announced(plan: Plan, actor: str = "", since: float | None = None) -> list[Intent]:
    """An intent with a fresh marker for every create of a plan; `since` is the service's time by now."""
    creates = [step for step in schedule(plan) if step.verb == "create"]
    return [
        Intent(step.address, token_hex(16), actor=actor, since=since, replaced=visible(step.attributes))
        for step in creates
    ]


def condemned(plan: Plan, state: State) -> State:
    """The state in which what a plan destroys says so: were the apply cut off, the next run knows who did."""
    ends = {change.address for change in plan.changes if change.action is Action.DELETE}
    known = state.resources.items()
    marked = {address: replace(entry, ending=True) for address, entry in known if address in ends}
    return replace(state, resources={**state.resources, **marked}) if marked else state
