"""``lbstack graph``: who depends on whom, as DOT or Mermaid text."""

from __future__ import annotations

import click

from lbstack.cli import options
from lbstack.errors import Exit
from lbstack.session import Settings, load_graph


@click.command("graph")
@options.stack_argument
@options.variables
@options.place
@click.option("--format", "form", type=click.Choice(["dot", "mermaid"]), default="dot", show_default=True)
@options.with_settings
def command(settings: Settings, form: str) -> int:
    """Print the dependency graph of a stack."""
    from lbstack.render.words import safe

    graph = load_graph(settings, require_values=False)
    number = {address: f"n{index}" for index, address in enumerate(graph.order)}
    name = {
        address: safe(str(address))
        .replace("\\", "\\\\")
        .replace('"', "#quot;" if form == "mermaid" else '\\"')
        for address in graph.order
    }
    if form == "mermaid":
        lines = ["flowchart LR", *(f'  {number[a]}["{name[a]}"]' for a in graph.order)]
        lines += [f"  {number[a]} --> {number[n]}" for a in graph.order for n in graph.needs.get(a, ())]
    else:
        lines = [
            "digraph {",
            '  rankdir = "LR"',
            *(f'  {number[a]} [label="{name[a]}"]' for a in graph.order),
        ]
        lines += [f"  {number[a]} -> {number[n]}" for a in graph.order for n in graph.needs.get(a, ())]
        lines.append("}")
    click.echo("\n".join(lines))
    return Exit.OK
