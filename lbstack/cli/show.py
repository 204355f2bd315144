"""``lbstack show``: what is remembered of a stack, or what a saved plan says."""

from __future__ import annotations

import click

from lbstack.cli import faces as drawn
from lbstack.cli import options
from lbstack.cli.plan import show_plan
from lbstack.errors import Exit
from lbstack.session import Settings, dumps, load_graph, open_store


@click.command("show")
@options.stack_argument
@options.variables
@options.place
@options.output
@drawn.asked(*drawn.OF_PLAN)
@options.with_settings
def command(settings: Settings, as_json: bool, no_color: bool, faces: drawn.Faces) -> int:
    """Show the state of a stack, or STACK itself when it is a saved plan."""
    from lbstack.plan import saved
    from lbstack.render.terminal import write
    from lbstack.render.text import attribute_lines

    if saved.is_plan(settings.path):
        faces.require_places(settings)
        plan = saved.read_plan(settings.path).plan
        gc = settings.of(plan.pins.path).command("gc")
        show_plan(plan, as_json, no_color, gc)
        drawn.write_plan(faces, plan, gc)
        return Exit.OK
    faces.require_none("this is no saved one", "name a file that plan --out wrote")
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
