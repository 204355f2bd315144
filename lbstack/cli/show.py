"""``lbstack show``: what is remembered of a stack, or what a saved plan says."""

from __future__ import annotations

import click

from lbstack.cli import options
from lbstack.errors import Exit
from lbstack.session import Settings, dumps, load_graph, open_store


@click.command("show")
@options.stack_argument
@options.variables
@options.place
@options.output
@options.with_settings
def command(settings: Settings, as_json: bool, no_color: bool) -> int:
    """Show the state of a stack, or STACK itself when it is a saved plan."""
    from lbstack.plan import saved
    from lbstack.render.terminal import write
    from lbstack.render.text import attribute_lines, plan_lines

    if saved.is_plan(settings.path):
        plan = saved.read_plan(settings.path).plan
        if as_json:
            from lbstack.render.json import plan_document

            click.echo(dumps(plan_document(plan)))
        else:
            write(plan_lines(plan, settings.of(plan.pins.path).command("gc")), no_color)
        return Exit.OK
    state = open_store(settings, load_graph(settings, require_values=False).stack.name).load()
    if as_json:
        from lbstack.render.json import state_document

        click.echo(dumps(state_document(state)))
        return Exit.OK
    names = state.addresses()
    for address, entry in state.resources.items():
        write([*attribute_lines(address, entry.id, entry.attributes, names), ("", "plain")], no_color)
    if not state.resources:
        click.echo("The state is empty: nothing was applied yet.")
    return Exit.OK
