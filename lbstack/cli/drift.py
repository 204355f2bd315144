"""``lbstack drift``: what another hand changed. Never writes to Labelbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from lbstack.cli import options
from lbstack.connect import open_wire
from lbstack.errors import Exit
from lbstack.session import Settings, dumps, load_graph, make_plan, open_store, unless_begun

if TYPE_CHECKING:
    from lbstack.plan.changes import Plan


@click.command("drift")
@options.stack_argument
@options.variables
@options.place
@options.working
@options.output
@options.with_settings
def command(settings: Settings, as_json: bool, no_color: bool) -> int:
    """Show what changed outside lbstack since the last apply. Exit 2 when something did."""
    from lbstack.render.progress import refresh_bar
    from lbstack.render.terminal import write
    from lbstack.render.text import drift_lines

    graph = load_graph(settings)
    store = open_store(settings, graph.stack.name)
    state = store.load()

    async def work() -> Plan:
        with refresh_bar() as show, unless_begun(store):
            async with open_wire(settings) as wire:
                return (await make_plan(settings, graph, state, wire, show, refuse=False))[0]

    plan = asyncio.run(work())
    if as_json:
        from lbstack.render.json import plan_document

        document = plan_document(plan)
        kept = ("format_version", "lbstack_version", "stack", "organization", "endpoint", "resource_drift")
        click.echo(dumps({"drifted": bool(plan.drift), **{key: document[key] for key in kept}}))
    else:
        write(drift_lines(plan), no_color)
    return Exit.CHANGES if plan.drift else Exit.OK
