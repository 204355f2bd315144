"""``lbstack gc``: removes objects that this stack's creates made twice, or long after they were given up."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import click

from lbstack.cli import options
from lbstack.cli.again import Again
from lbstack.cli.running import execute, yes
from lbstack.cli.telling import Teller
from lbstack.connect import open_wire
from lbstack.errors import ConfigError, Exit, GuardError, Problem, UsageError
from lbstack.kinds import KINDS
from lbstack.plan.changes import Deposed, Pins, Plan
from lbstack.recover import Orphan, reread
from lbstack.render.terminal import watched, write
from lbstack.render.words import safe
from lbstack.session import Settings, find_lost, load_graph, open_store
from lbstack.state.model import Entry, State

NOTHING = "There is nothing to remove."
ALL_STAYS = "Nothing is removed that was not named."


@click.command("gc")
@options.stack_argument
@options.place
@options.working
@options.output
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@click.option(
    "--also", multiple=True, metavar="ID", help="One that only looks like this stack's, too (again for more)."
)
@options.with_settings
def command(
    settings: Settings, as_json: bool, no_color: bool, auto_approve: bool, also: tuple[str, ...]
) -> int:
    """Remove objects that bear a marker of this stack and belong to none of its addresses.

    What may be somebody else's is left alone unless it is named with --also. What holds data rows or labels
    is refused: look at it in Labelbox first.
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
                chosen = _chosen(verdict.orphans, also)
                plan = _plan(found, [await _look(orphan, found, wire, settings) for orphan in chosen])
                if not as_json:
                    write([(line, "plain") for line in _named(chosen, verdict.orphans)], no_color)
                teller.plan(plan, ALL_STAYS if verdict.orphans else NOTHING)
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


def _chosen(orphans: Sequence[Orphan], also: Sequence[str]) -> list[Orphan]:
    """What is to go: what can only be this stack's, and what was named."""
    strange = [id for id in also if id not in {orphan.id for orphan in orphans}]
    if strange:
        raise UsageError(
            f"{', '.join(strange)} does not look like anything that this stack made twice",
            "name an id that plan lists",
        )
    return [orphan for orphan in orphans if orphan.sure or orphan.id in also]


def _named(chosen: Sequence[Orphan], orphans: Sequence[Orphan]) -> Iterator[str]:
    """Which objects go, by what people know them by, and which stay for want of a word."""
    for orphan in orphans:
        name = f"{safe(str(orphan.address))}: {safe(orphan.id)} ({safe(orphan.name)})"
        yield (
            f"  - {name}" if orphan in chosen else f"  ? {name} stays; to remove it, too: --also {orphan.id}"
        )
    if orphans:
        yield ""


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
