"""``lbstack validate``: a stack, checked without asking anybody."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lbstack.cli import annotating, options
from lbstack.cli.faces import Faces, asked
from lbstack.errors import ConfigError, Exit, Problem
from lbstack.session import Settings, dumps, load_graph
from lbstack.values import Address


@click.command("validate")
@options.stack_argument
@options.variables
@options.output
@asked("junit", "sarif")
@annotating.option
@options.with_settings
def command(settings: Settings, as_json: bool, no_color: bool, faces: Faces, annotations: str | None) -> int:
    """Check a stack offline. Variables need no values."""
    faces.require_places(settings)
    try:
        graph = load_graph(settings, require_values=False)
    except ConfigError as error:
        _tell(settings, faces, annotations, error.problems, (), ())
        if not as_json:
            raise
        click.echo(dumps(_document(error.problems, ())))
        return Exit.ERROR
    _tell(settings, faces, annotations, (), graph.warnings, graph.order)
    if as_json:
        click.echo(dumps(_document((), graph.warnings)))
    else:
        options.warn(graph.warnings)
        count = len(graph.order)
        click.echo(f"The stack is valid: {count} resource{'' if count == 1 else 's'}.")
    return Exit.OK


def _document(problems: Sequence[Problem], warnings: Sequence[Problem]) -> dict[str, object]:
    from lbstack.render.json import diagnostics

    return {
        "format_version": "1.0",
        "valid": not problems,
        "error_count": len(problems),
        "warning_count": len(warnings),
        "diagnostics": [*diagnostics(problems), *diagnostics(warnings, "warning")],
    }


def _tell(
    settings: Settings,
    faces: Faces,
    annotations: str | None,
    problems: Sequence[Problem],
    warnings: Sequence[Problem],
    good: Sequence[Address],
) -> None:
    """Findings for those who list them, and shown where they are annotated."""
    if not (faces.files or annotating.wanted(annotations)):
        return
    from lbstack.render.findings import of_problems

    found = [*of_problems(problems), *of_problems(warnings, "unwise", error=False)]

    def junit() -> str:
        from lbstack.render.junit import problems_junit

        return problems_junit(f"stack {settings.path}", found, good)

    def as_sarif() -> str:
        from lbstack.render.sarif import sarif

        return sarif(annotating.from_root(found))

    faces.write({"junit": junit, "sarif": as_sarif})
    annotating.annotate(found, annotations)
