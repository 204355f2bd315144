"""``lbstack output``: the outputs of the last apply, for people and for scripts."""

from __future__ import annotations

import json
import sys

import click

from lbstack.cli import options
from lbstack.errors import ConfigError, Exit, UsageError, typed
from lbstack.session import Settings, dumps, load_graph, open_store


@click.command("output")
@options.stack_argument
@click.argument("name", required=False)
@options.variables
@options.place
@options.output
@click.option("--raw", is_flag=True, help="The bare text of one output.")
@options.with_settings
def command(settings: Settings, name: str | None, as_json: bool, no_color: bool, raw: bool) -> int:
    """Print the outputs of a stack, or one of them."""
    from lbstack.render.words import document, safe, value

    if raw and as_json:
        raise UsageError("--raw and --json exclude each other")

    # Terraform's ``output NAME`` has no stack: a word that names no file is taken as the output's name.
    if name is None and not settings.path.exists():
        from dataclasses import replace
        from pathlib import Path

        name, settings = str(settings.path), replace(settings, path=Path())
    if raw and name is None:
        raise UsageError(
            "--raw prints one output",
            f"name it: {typed('output', str(settings.path), 'NAME', '--raw', *settings.place)}",
        )
    outputs = open_store(settings, load_graph(settings, require_values=False).stack.name).load().outputs
    if name is not None and name not in outputs:
        raise ConfigError(f"there is no output {name!r} in the state", f"see: {settings.command('output')}")
    if name is not None:
        item = outputs[name]
        bare = raw and isinstance(item, str)
        if bare and sys.stdout.isatty():  # a person's screen, not a script
            item = "\n".join(safe(line) for line in item.split("\n"))
        click.echo(item if bare else document(json.dumps(item)))
    elif as_json:
        click.echo(dumps({key: {"value": item, "sensitive": False} for key, item in outputs.items()}))
    else:
        for key, item in outputs.items():
            click.echo(f"{safe(key)} = {value(item)}")
    return Exit.OK
