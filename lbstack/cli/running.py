"""What apply and destroy share: plan, ask, carry out, tell."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from lbstack import live
from lbstack.apply import Outcome, apply
from lbstack.cli.options import warn_of_doubts
from lbstack.errors import ConfigError, Exit, UsageError
from lbstack.kinds import KINDS
from lbstack.plan import guards, saved
from lbstack.plan.changes import Plan
from lbstack.render.json import diagnostics, plan_document
from lbstack.render.progress import event_lines, outcome_lines, refresh_bar
from lbstack.render.terminal import write
from lbstack.render.text import Line, note_lines, plan_lines
from lbstack.render.words import NO_CHANGES, summary, value
from lbstack.session import Settings, load_graph, make_plan, open_store, open_wire
from lbstack.state.model import State, bound, renamed
from lbstack.state.store import Store
from lbstack.work import Event

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def carry_out(settings: Settings, as_json: bool, no_color: bool, auto_approve: bool) -> int:
    """Plan (or read a saved plan), ask unless told not to, apply. Returns the exit code."""
    teller = _Teller(as_json, no_color)
    if saved.is_plan(settings.path):
        if settings.destroy or settings.targets or settings.variables or settings.var_files:
            raise UsageError(
                f"{settings.path} is a saved plan, which is carried out as it is",
                "leave --destroy, --target and --var out; secrets come from LBSTACK_VAR_NAME",
            )
        return _run_saved(settings, teller)
    if not auto_approve and not sys.stdin.isatty():
        raise ConfigError("nobody is there to say yes", "give --auto-approve, or apply a saved plan")
    graph = load_graph(settings)
    store = open_store(settings, graph.stack.name)
    with store.locked(settings.lock_timeout):
        state = store.load()
        warn_of_doubts(store.doubts)

        async def work() -> int:
            async with open_wire(settings) as wire:
                with refresh_bar() as show:
                    plan, pinned = await make_plan(settings, graph, state, wire, show)
                teller.plan(plan)
                guards.check(plan)
                if not (plan.empty or auto_approve or _yes(plan)):
                    click.echo("Apply cancelled. Nothing was changed.", err=True)
                    return Exit.ERROR
                return await _execute(settings, plan, pinned, store, wire, teller)

        return asyncio.run(work())


def _run_saved(settings: Settings, teller: _Teller) -> int:
    """Carry out exactly what was saved, or nothing."""
    document = saved.read_plan(settings.path)
    store = open_store(settings, document.plan.stack)
    with store.locked(settings.lock_timeout):
        state = store.load()
        plan = saved.bind(document, state, settings.where, settings.environ)

        async def work() -> int:
            async with open_wire(settings) as wire:
                await live.require_organization(wire, plan.pins.organization)
                teller.plan(plan)
                pinned = bound(renamed(state, plan.moves), plan.imports)
                return await _execute(settings, plan, pinned, store, wire, teller)

        return asyncio.run(work())


async def _execute(
    settings: Settings, plan: Plan, state: State, store: Store, wire: Any, teller: _Teller
) -> int:
    """Carry the plan out with its journal open, then fold the journal into the state."""
    state, journal = store.begin(replace(state, organization=plan.pins.organization or state.organization))
    stop = _Stop()
    try:
        with stop.listening():
            outcome = await apply(
                plan,
                state,
                journal,
                KINDS,
                wire,
                parallelism=settings.parallelism,
                emit=teller.event,
                stop=stop.asked,
            )
    finally:
        journal.close()
    # An apply that changed nothing leaves the serial, and with it the plans saved for it, alone.
    moved = outcome.done or outcome.failed or outcome.state != state
    store.save(replace(outcome.state, serial=state.serial + 1) if moved else state)
    teller.outcome(plan, outcome)
    return Exit.INTERRUPTED if outcome.stopped and not outcome.failed else outcome.exit


def _yes(plan: Plan) -> bool:
    click.echo(f"Do you want lbstack to do this? {summary(plan.counts())}", err=True)
    click.echo("  Only 'yes' will be accepted.\n\n  Enter a value: ", err=True, nl=False)
    # While it waits for a line the loop cannot hear Ctrl-C, so the signal itself must end the wait.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return sys.stdin.readline().strip() == "yes"
    finally:
        signal.signal(signal.SIGINT, before)


class _Stop:
    """The first Ctrl-C or SIGTERM lets what is in flight finish; the second ends at once."""

    def __init__(self) -> None:
        self._asked = False

    def asked(self) -> bool:
        return self._asked

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the first signal for as long as the block runs."""
        loop = asyncio.get_running_loop()
        for name in SIGNALS:
            loop.add_signal_handler(name, self._ask, loop)
        try:
            yield
        finally:
            self._let_go(loop)

    def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asked = True
        click.echo("Stopping: no further step starts, what is in flight is finished first.", err=True)
        self._let_go(loop)

    @staticmethod
    def _let_go(loop: asyncio.AbstractEventLoop) -> None:
        for name in SIGNALS:
            loop.remove_signal_handler(name)


class _Teller:
    """Tells an apply as text, or as one JSON event a line."""

    def __init__(self, as_json: bool, no_color: bool) -> None:
        self.as_json = as_json
        self.no_color = no_color

    def plan(self, plan: Plan) -> None:
        if self.as_json:
            self._emit(
                "planned_changes",
                NO_CHANGES if plan.empty else summary(plan.counts()),
                plan=plan_document(plan),
                changes=plan.counts(),
            )
        elif not plan.empty:
            self._write([*plan_lines(plan), ("", "plain")])
        else:
            self._write([*note_lines(plan.notes), (NO_CHANGES, "bold")])

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
        again = f"lbstack {'destroy' if plan.destroy else 'apply'} {shlex.join(_place_words())}".strip()
        lines = list(outcome_lines(outcome, again))
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
                skipped=[str(s.address) for s in outcome.skipped],
            )
            return
        outputs_lines: list[Line] = [
            (f"{name} = {value(item)}", "plain") for name, item in outcome.state.outputs.items()
        ]
        if outputs_lines:
            self._write([("", "plain"), ("Outputs:", "bold"), ("", "plain"), *outputs_lines, ("", "plain")])
        else:
            self._write([("", "plain")])
        self._write(lines)

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
            sys.stdout.write(json.dumps(record) + "\n")
            sys.stdout.flush()


def _place_words() -> list[str]:
    """The words of this command line that matter to its repetition."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    return words[1:] + [
        word for word in sys.argv[1:] if word.lstrip("-") == "sandbox" and word.startswith("-")
    ]
