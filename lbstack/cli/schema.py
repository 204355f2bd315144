"""``lbstack schema``: what editors need to check a stack while it is written, and programs to read a plan."""

from __future__ import annotations

import click

from lbstack.errors import Exit, UsageError
from lbstack.session import dumps


@click.command("schema")
@click.option("--plan", "of_plan", is_flag=True, help="That of the document that plan --json prints.")
@click.option("--all", "every", is_flag=True, help="With --plan: of the list that plan --all --json prints.")
@click.option("--drift", "of_drift", is_flag=True, help="That of the document that drift --json prints.")
def command(of_plan: bool, every: bool, of_drift: bool) -> int:
    """Print the JSON Schema of stack files."""
    if every and not of_plan:
        raise UsageError("--all is about the schema of plans", "give --plan with it")
    if of_plan or of_drift:
        from lbstack.render.json import schema

        click.echo(dumps(schema("plans" if every else "plan" if of_plan else "drift")))
        return Exit.OK
    from lbstack.stack.schema import json_schema

    click.echo(dumps(json_schema()))
    return Exit.OK
