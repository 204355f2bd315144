"""``lbstack force-unlock``: free a remote state whose holder is dead."""

from __future__ import annotations

import click

from lbstack.cli import options
from lbstack.errors import Exit
from lbstack.session import Settings, load_graph, open_store


@click.command("force-unlock")
@click.argument("id")
@options.stack_argument
@options.place
@options.with_settings
def command(settings: Settings, id: str) -> int:
    """Free the remote state of a stack, or of that of a saved plan, that is held by the run with this ID.

    Do so only when that run is dead for sure. One that lives, or is only paused, stops before its next
    step, and says so; what it had in flight is found by the next apply.
    """
    from lbstack.plan import saved
    from lbstack.state.remote import RemoteStore

    if saved.is_plan(settings.path):
        stack = saved.read_plan(settings.path).plan.stack
    else:
        stack = load_graph(settings, require_values=False).stack.name
    store = open_store(settings, stack)
    if not isinstance(store, RemoteStore):
        click.echo("The lock of a state on this machine ends with the process that holds it.", err=True)
        return Exit.ERROR
    store.unlock(id)
    click.echo(f"{store.where} is free. The next apply finds out what that run had in flight.")
    return Exit.OK
