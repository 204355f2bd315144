"""``lbstack schema``: what editors need to check a stack while it is written."""

from __future__ import annotations

import click

from lbstack.errors import Exit
from lbstack.session import dumps


@click.command("schema")
def command() -> int:
    """Print the JSON Schema of stack files."""
    from lbstack.stack.schema import json_schema

    click.echo(dumps(json_schema()))
    return Exit.OK
