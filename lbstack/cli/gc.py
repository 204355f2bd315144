"""``lbstack gc``: removes objects that this stack's creates made twice, or long after they were given up."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import Any

import click

from lbstack.cli import options
from lbstack.cli.again import Again
from lbstack.cli.running import execute, yes
from lbstack.cli.telling import Teller
from lbstack.connect import open_wire
from lbstack.errors import ConfigError, Exit, GuardError, Problem
from lbstack.kinds import KINDS
from lbstack.plan.changes import Deposed, Pins, Plan
from lbstack.recover import Orphan, reread
from lbstack.render.terminal import watched
from lbstack.session import Settings, find_lost, load_graph, open_store
from lbstack.state.model import Entry, State


@click.command("gc")
@options.stack_argument
@options.place
@options.working
@options.output
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@options.with_settings
def command(settings: Settings, as_json: bool, no_color: bool, auto_approve: bool) -> int:
    """Remove objects that bear a marker of this stack and belong to none of its addresses.

    What holds data rows or labels is refused: look at it in Labelbox first.
    """
    teller = Teller(as_json, no_color, Again(settings, auto_approve))
    if not auto_approve and not watched(sys.stdin):
        raise ConfigError("nobody is there to say yes", "give --auto-approve")
    store = open_store(settings, load_graph(settings, require_values=False).stack.name)
    with store.locked(settings.lock_timeout):
        state = store.load()

        async def work() -> int:
            async with open_wire(settings) as wire:
                found, verdict = await find_lost(settings, state, wire, refuse=False)
                plan = _plan(
                    found, [await _look(orphan, found, wire, settings) for orphan in verdict.orphans]
                )
                teller.plan(plan)
                if plan.empty:
                    return Exit.OK
                if not (auto_approve or yes(plan)):
                    click.echo("Nothing was changed.", err=True)
                    return Exit.ERROR
                # What can be destroyed is watched for until it is gone; what stays has been told.
                told = {orphan.address for orphan in plan.deposed if orphan.forgets}
                rest = tuple(intent for intent in found.markers if intent.address not in told)
                return await execute(settings, plan, replace(found, markers=rest), store, wire, teller)

        return asyncio.run(work())


async def _look(orphan: Orphan, state: State, wire: Any, settings: Settings) -> Deposed:
    """The orphan as it is now, which holds nothing that anybody could miss."""
    kind, address = KINDS[orphan.address.kind], orphan.address
    live = await reread(
        kind, address, orphan.id, Entry(orphan.id), wire, state, settings.settle, settings.words
    )
    if live and live.contents:
        what = f"{orphan.id} ({orphan.name}), made twice for {address}, holds {live.contents} rows or labels"
        raise GuardError(Problem(what, "move what it holds, then delete it in Labelbox", address=address))
    return Deposed(address, orphan.id, live.attributes if live else {}, forgets=not kind.deletable)


def _plan(state: State, orphans: list[Deposed]) -> Plan:
    pins = Pins(state.organization, state.endpoint, state.lineage, state.serial)
    return Plan(state.stack, pins, (), deposed=tuple(orphans), names=state.addresses())
