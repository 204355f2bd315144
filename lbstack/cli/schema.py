"""``lbstack schema``: what editors need to check a stack while it is written, and programs to read a plan."""

from __future__ import annotations

import click

from lbstack.errors import Exit
from lbstack.session import dumps


@click.command("schema")
@click.option("--plan", "of_plan", is_flag=True, help="That of the document that plan --json prints.")
def command(of_plan: bool) -> int:
    """Print the JSON Schema of stack files."""
    if of_plan:
        from lbstack.render.json import plan_schema

        click.echo(dumps(plan_schema()))
        return Exit.OK
    from lbstack.stack.schema import json_schema

    click.echo(dumps(json_schema()))
    return Exit.OK
