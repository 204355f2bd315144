"""``lbstack validate``: a stack, checked without asking anybody."""

from __future__ import annotations

import click

from lbstack.cli import options
from lbstack.errors import ConfigError, Exit, Problem
from lbstack.session import Settings, dumps, load_graph


@click.command("validate")
@options.stack_argument
@options.variables
@options.output
@options.with_settings
def command(settings: Settings, as_json: bool, no_color: bool) -> int:
    """Check a stack offline. Variables need no values."""
    problems: list[Problem] = []
    warnings: tuple[Problem, ...] = ()
    count = 0
    try:
        graph = load_graph(settings, require_values=False)
        count, warnings = len(graph.order), graph.warnings
    except ConfigError as error:
        if not as_json:
            raise
        problems = error.problems
    if as_json:
        from lbstack.render.json import diagnostics

        document = {
            "format_version": "1.0",
            "valid": not problems,
            "error_count": len(problems),
            "warning_count": len(warnings),
            "diagnostics": [*diagnostics(problems), *diagnostics(warnings, "warning")],
        }
        click.echo(dumps(document))
    else:
        options.warn(warnings)
        click.echo(f"The stack is valid: {count} resource{'' if count == 1 else 's'}.")
    return Exit.ERROR if problems else Exit.OK
