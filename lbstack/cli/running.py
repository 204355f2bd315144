"""What apply and destroy share: plan, ask, carry out, tell."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from lbstack import asking
from lbstack.announce import announced, condemned
from lbstack.apply import apply
from lbstack.cli.again import Again, require_allowed
from lbstack.cli.logged import Logged
from lbstack.cli.options import warn
from lbstack.cli.telling import Teller
from lbstack.connect import open_wire
from lbstack.errors import ConfigError, Exit, LockedError, StackError, StateError, UsageError
from lbstack.graph import Graph
from lbstack.kinds import KINDS
from lbstack.plan import saved
from lbstack.plan.changes import Plan
from lbstack.plan.digest import Approved, require_approved
from lbstack.recover import Patience
from lbstack.render.progress import refresh_bar
from lbstack.render.terminal import watched
from lbstack.render.words import summary
from lbstack.session import (
    Settings,
    find_lost,
    load_graph,
    make_plan,
    open_store,
    require_kinds,
    require_unmoved,
    unless_begun,
)
from lbstack.state.model import State, bound, renamed
from lbstack.values import NOTHING

if TYPE_CHECKING:
    from lbstack.api.wire import ApiWire
    from lbstack.session import AnyStore

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def carry_out(
    settings: Settings, as_json: bool, no_color: bool, auto_approve: bool, approved: Approved | None = None
) -> int:
    """Plan (or read a saved plan), ask unless it is to go ahead or was `approved`, apply. The exit code."""
    words = ("--approved", approved.whole) if approved else ()
    if saved.is_plan(settings.path):
        said = (settings.destroy, settings.targets, settings.variables, settings.var_files)
        if any(said) or settings.allowed != NOTHING:
            raise UsageError(
                f"{settings.path} is a saved plan, which is carried out as it is",
                "leave --destroy, --target, --var and --allow-… out; secrets come from LBSTACK_VAR_NAME",
            )
        document = saved.read_plan(settings.path)
        settings = settings.of(document.plan.pins.path)
        teller = Teller(as_json, no_color, Again(settings, auto_approve, words=words))
        return _patiently(settings, lambda left: _run_saved(settings, document, teller, left, approved))
    teller = Teller(as_json, no_color, Again(settings, auto_approve, words=words))
    # A teardown needs no values: what is destroyed is in state.
    graph = load_graph(settings, require_values=not settings.destroy)
    warn(graph.warnings)
    if not (auto_approve or approved or watched(sys.stdin)):
        raise ConfigError("nobody is there to say yes", "give --auto-approve, or apply a saved plan")
    store = open_store(settings, graph.stack.name)
    return _patiently(
        settings, lambda left: _run_stack(settings, graph, store, teller, auto_approve, left, approved)
    )


def _patiently(settings: Settings, attempt: Callable[[float], int]) -> int:
    """From the beginning again when another apply was faster, for as long as the lock may be waited for."""
    until = time.monotonic() + settings.lock_timeout
    while True:
        try:
            return attempt(max(0.0, until - time.monotonic()))
        except LockedError:
            if time.monotonic() >= until:
                raise


def _patience(settings: Settings, wire: ApiWire) -> Patience:
    """How long what was lost is waited for; counted from now."""
    return Patience(settings.settle, wire.server_now, waits=settings.waits)


def _run_stack(
    settings: Settings,
    graph: Graph,
    store: AnyStore,
    teller: Teller,
    auto_approve: bool,
    wait: float,
    approved: Approved | None,
) -> int:
    """Plan, ask, apply, with the state held meanwhile. What was `approved` is not asked about again."""
    asks = not (auto_approve or approved)
    with store.locked(wait):
        state = store.load()

        async def work() -> int:
            async with open_wire(settings) as wire:
                with refresh_bar() as show, unless_begun(store):
                    patience = _patience(settings, wire)
                    plan, pinned = await make_plan(
                        settings, graph, state, wire, show, patience=patience, on_wait=teller.waits
                    )
                teller.plan(plan)
                if approved:
                    require_approved(plan, approved)
                require_allowed(plan, teller.again)
                if asks and not (plan.empty or yes(plan)):
                    click.echo("Apply cancelled. Nothing was changed.", err=True)
                    return Exit.ERROR
                if asks and not plan.empty:  # while it was asked, others went on
                    cure = "run this again, and look at the new plan"
                    pinned = await require_unmoved(settings, plan, pinned, wire, cure)
                return await execute(settings, plan, pinned, store, wire, teller)

        return asyncio.run(work())


def _run_saved(
    settings: Settings, document: saved.Saved, teller: Teller, wait: float, approved: Approved | None
) -> int:
    """Carry out exactly what was saved, or nothing."""
    require_kinds(document.plan)
    if approved:
        require_approved(document.plan, approved)
    saved.require_endpoint(document, settings.where)
    saved.require_same_stack(document)
    store = open_store(settings, document.plan.stack)
    with store.locked(wait):
        state = store.load()
        plan = saved.bind(document, state, settings.where, settings.environ)

        async def work() -> int:
            async with open_wire(settings) as wire:
                await asking.require_organization(wire, plan.pins.organization)
                found, verdict = await find_lost(
                    settings, renamed(state, plan.moves), wire, _patience(settings, wire), teller.waits
                )
                saved.require_same_found(document, verdict)
                pinned = bound(found, plan.imports)
                pinned = await require_unmoved(settings, plan, pinned, wire, saved.AGAIN)
                teller.plan(plan)
                return await execute(settings, plan, pinned, store, wire, teller)

        return asyncio.run(work())


async def execute(
    settings: Settings, plan: Plan, state: State, store: AnyStore, wire: Any, teller: Teller
) -> int:
    """Carry the plan out with its journal open, then fold the journal into the state."""
    intents = announced(plan, state.actor, wire.server_now())
    nonce = plan.pins.nonce
    state = replace(
        condemned(plan, state),
        organization=plan.pins.organization or state.organization,
        spent=(*state.spent, *([nonce] if nonce else [])),
    )
    state, journal = store.begin(state, intents, nonce)
    logged, stop = Logged(store, plan, state, wire), _Stop()
    try:
        logged.begins()
        with stop.listening():
            outcome = await apply(
                plan,
                state,
                journal,
                KINDS,
                wire,
                intents=intents,
                patience=_patience(settings, wire),
                parallelism=settings.parallelism,
                emit=teller.event,
                stop=stop.asked,
                words=settings.words,
            )
    finally:
        journal.close()
    # An apply that changed nothing leaves the serial, and with it the plans saved for it, alone.
    moved = outcome.done or outcome.failed or outcome.state != state
    outcome.kept = "nowhere" if journal.lost else "journal"
    try:
        if not isinstance(outcome.halted, StateError):  # else the state has got another owner meanwhile
            store.save(replace(outcome.state, serial=state.serial + 1) if moved else state)
            outcome.kept = "state"
    except (OSError, StackError) as trouble:  # the journal stays, and the next run goes on from it
        outcome.halted = outcome.halted or trouble
    code = Exit.INTERRUPTED if outcome.stopped and not outcome.failed else outcome.exit
    halted = outcome.halted
    logged.ended(outcome, code if halted is None else getattr(halted, "exit", Exit.ERROR))
    teller.outcome(plan, outcome)
    if halted is not None:
        raise halted
    return code


def yes(plan: Plan) -> bool:
    """Whether a person says yes, and nothing else, to a plan."""
    # The counts again: whatever stands above, this is what is agreed to.
    click.echo(f"{summary(plan.counts())}\nDo you want lbstack to do this?", err=True)
    click.echo("  Only 'yes' will be accepted.\n\n  Enter a value: ", err=True, nl=False)
    # While it waits for a line the loop cannot hear Ctrl-C, so the signal itself must end the wait.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answer = sys.stdin.readline()
        if not answer.endswith("\n"):  # the end of the input leaves the cursor in the line
            click.echo(err=True)
        return answer.strip() == "yes"
    except KeyboardInterrupt:
        click.echo("\nNothing was changed.", err=True)
        raise
    finally:
        signal.signal(signal.SIGINT, before)


class _Stop:
    """The first Ctrl-C, SIGTERM or lost terminal lets what is in flight finish; the second ends at once.

    A signal that was to be ignored when the command began (``nohup``) stays so.
    """

    def __init__(self) -> None:
        self._asked = False
        self._heard = [name for name in SIGNALS if signal.getsignal(name) is not signal.SIG_IGN]

    def asked(self) -> bool:
        return self._asked

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the first signal for as long as the block runs."""
        loop = asyncio.get_running_loop()
        for name in self._heard:
            loop.add_signal_handler(name, self._ask, loop, name)
        try:
            yield
        finally:
            self._let_go(loop)

    def _ask(self, loop: asyncio.AbstractEventLoop, name: signal.Signals) -> None:
        again, self._asked = self._asked, True
        self._let_go(loop)  # before anybody can read that it was heard, and send the second
        if again:  # it came before the first was heard
            signal.raise_signal(name)
        click.echo("Stopping: no further step starts, what is in flight is finished first.", err=True)

    def _let_go(self, loop: asyncio.AbstractEventLoop) -> None:
        for name in self._heard:
            loop.remove_signal_handler(name)
