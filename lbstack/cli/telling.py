"""How an apply is told: as text for people, or as one JSON event a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click

from lbstack.apply import Outcome
from lbstack.cli.again import Again
from lbstack.plan.changes import Plan
from lbstack.render.json import diagnostics, plan_document
from lbstack.render.progress import event_lines, outcome_lines
from lbstack.render.terminal import write
from lbstack.render.text import Line, note_lines, orphan_lines, plan_lines
from lbstack.render.words import NO_CHANGES, document, safe, summary, value
from lbstack.values import Intent
from lbstack.work import Event


class Teller:
    """Tells an apply as text, or as one JSON event a line."""

    def __init__(self, as_json: bool, no_color: bool, again: Again) -> None:
        self.as_json = as_json
        self.no_color = no_color
        self.again = again
        self.gc = again.settings.command("gc")

    def plan(self, plan: Plan, nothing: str = NO_CHANGES) -> None:
        """What is to be done; `nothing` says that nothing is."""
        if self.as_json:
            self._emit(
                "planned_changes",
                nothing if plan.empty else summary(plan.counts()),
                plan=plan_document(plan),
                changes=plan.counts(),
            )
        elif not plan.empty:
            self._write([*plan_lines(plan, self.gc), ("", "plain")])
        else:
            warned = orphan_lines(plan.orphans, self.gc)
            self._write([*warned, *note_lines(plan.notes), (nothing, "bold")])

    def waits(self, intents: Sequence[Intent], seconds: float) -> None:
        """Nothing goes on before it is known what became of these."""
        names = ", ".join(dict.fromkeys(str(intent.address) for intent in intents))
        text = f"Waiting up to {seconds:.0f}s to see whether an earlier apply made {names}"
        if self.as_json:
            self._emit("recovery_wait", text)
        else:
            with suppress(OSError):
                click.echo(safe(text), err=True)

    def event(self, event: Event) -> None:
        if not self.as_json:
            self._write(event_lines(event))
            return
        names = {
            "start": "apply_start",
            "still": "apply_progress",
            "said": "apply_message",
            "done": "apply_complete",
            "failed": "apply_errored",
            "skipped": "apply_skipped",
        }
        hook = {
            "resource": {
                "addr": str(event.step.address),
                "resource_type": event.step.address.kind,
                "resource_key": event.step.address.key,
            },
            "action": "delete" if event.step.verb == "destroy" else event.step.verb,
            "elapsed_seconds": round(event.seconds, 3),
            "id_key": "id",
            "id_value": event.id,
        }
        more = {"diagnostics": diagnostics(event.problems)} if event.problems else {}
        line = next((text for text, _ in event_lines(event)), "")
        self._emit(names[event.type], line, hook=hook, level="error" if event.problems else "info", **more)

    def outcome(self, plan: Plan, outcome: Outcome) -> None:
        lines = list(outcome_lines(outcome, self.again.command, self.again.first))
        lines += orphan_lines(outcome.orphans, self.gc)
        if self.as_json:
            changes = {**outcome.counts(), "operation": "destroy" if plan.destroy else "apply"}
            outputs = {name: {"value": item} for name, item in outcome.state.outputs.items()}
            self._emit("outputs", f"Outputs: {len(outputs)}", outputs=outputs)
            text = next(text for text, _ in lines if text)
            self._emit(
                "change_summary",
                text,
                changes=changes,
                failed=[str(s.address) for s in outcome.failed],
                unknown=[str(s.address) for s in outcome.unknown],
                skipped=[str(s.address) for s in outcome.skipped],
                notes=list(outcome.notes),
            )
            return
        outputs_lines: list[Line] = [
            (f"{name} = {value(item)}", "plain") for name, item in outcome.state.outputs.items()
        ]
        if outputs_lines:
            self._write([("", "plain"), ("Outputs:", "bold"), ("", "plain"), *outputs_lines, ("", "plain")])
        else:
            self._write([("", "plain")])
        self._write([*note_lines(outcome.notes), *lines])

    def _write(self, lines: Any) -> None:
        # The state path never depends on whether anybody still reads (``lbstack apply | head``).
        with suppress(OSError):
            write(lines, self.no_color)

    def _emit(self, type: str, message: str, level: str = "info", **more: Any) -> None:
        record = {
            "@level": level,
            "@message": message,
            "@module": "lbstack",
            "@timestamp": datetime.now(UTC).isoformat(),
            "type": type,
            **more,
        }
        with suppress(OSError):
            sys.stdout.write(document(json.dumps(record)) + "\n")
            sys.stdout.flush()
