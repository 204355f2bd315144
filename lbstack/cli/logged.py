"""Writes down that an apply begins, and how it ended: two lines in the log beside the state."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Any

import click

from lbstack.apply import Outcome
from lbstack.errors import StackError
from lbstack.plan.changes import Plan
from lbstack.plan.digest import digest
from lbstack.state.audit import note
from lbstack.state.model import State

if TYPE_CHECKING:
    from lbstack.session import AnyStore


class Logged:
    """One apply, as the log tells it. A plan that changes nothing is not worth a line."""

    def __init__(self, store: AnyStore, plan: Plan, state: State, wire: Any) -> None:
        self._path, self._wire, self._worth = store.log, wire, not plan.empty
        self._facts = {
            "apply": token_hex(8),
            "actor": state.actor,
            "organization": state.organization,
            "lineage": state.lineage,
            "serial": state.serial,
            "plan": digest(plan),
        }

    def begins(self) -> None:
        """Before anything is sent; where that cannot be written down, nothing is."""
        self._note({**self._facts, "begins": True})

    def ended(self, outcome: Outcome, code: int) -> None:
        """After all is done and saved: a log that fails now is no reason to call it undone."""
        ends = {"done": outcome.done, "failed": outcome.failed, "skipped": outcome.skipped}
        steps = [
            {"verb": step.verb, "address": str(step.address), "id": self._id(outcome, step), "end": end}
            for end, steps in ends.items()
            for step in steps
        ]
        unknown = [str(step.address) for step in outcome.unknown]
        line = {"apply": self._facts["apply"], "exit": int(code), "steps": steps, "unknown": unknown}
        try:
            self._note(line)
        except (OSError, StackError) as trouble:
            click.echo(f"Warning: {trouble}: the log of applies does not tell how this one ended.", err=True)

    @staticmethod
    def _id(outcome: Outcome, step: Any) -> str | None:
        entry = None if step.tears else outcome.state.resources.get(step.address)
        return entry.id if entry else step.id

    def _note(self, line: dict[str, Any]) -> None:
        if self._worth:
            now = self._wire.server_now()
            note(self._path, {**line, "at": None if now is None else round(now, 3)})
