"""``lbstack drift``: what another hand changed. Never writes to Labelbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from lbstack.cli import annotating, options
from lbstack.cli.again import Again
from lbstack.cli.faces import Faces, asked
from lbstack.connect import open_wire
from lbstack.errors import Exit
from lbstack.session import Settings, dumps, load_graph, make_plan, open_store, unless_begun

if TYPE_CHECKING:
    from lbstack.graph import Graph
    from lbstack.live import Snapshot
    from lbstack.plan.changes import Plan
    from lbstack.plan.drift import DriftReport
    from lbstack.render.drift_markdown import WaysOut
    from lbstack.state.model import State


@click.command("drift")
@options.stack_argument
@options.variables
@options.place
@options.working
@options.output
@asked("markdown", "junit", "sarif")
@annotating.option
@options.with_settings
def command(settings: Settings, as_json: bool, no_color: bool, faces: Faces, annotations: str | None) -> int:
    """Show what changed outside lbstack since the last apply. Exit 2 when something did."""
    from lbstack.render.drift import drift_lines
    from lbstack.render.drift_json import drift_document
    from lbstack.render.findings import of_drift
    from lbstack.render.terminal import write

    faces.require_places(settings)
    with annotating.annotating(annotations):
        plan, report = asyncio.run(look(settings, load_graph(settings)))
    _draw(faces, report, settings)
    annotating.annotate(of_drift(report), annotations)
    if as_json:
        click.echo(dumps(drift_document(report, plan.drift)))
    else:
        write(drift_lines(report), no_color)
    return Exit.CHANGES if report.wrong else Exit.OK


def _draw(faces: Faces, report: DriftReport, settings: Settings) -> None:
    """Write the faces that were asked for."""

    def markdown() -> str:
        from lbstack.render.drift_markdown import drift_markdown

        return drift_markdown(report, ways_out(settings), faces.max_bytes)

    def junit() -> str:
        from lbstack.render.junit import drift_junit

        return drift_junit(report)

    def as_sarif() -> str:
        from lbstack.render.findings import of_drift
        from lbstack.render.sarif import sarif

        return sarif(of_drift(report))

    faces.write({"markdown": markdown, "junit": junit, "sarif": as_sarif})


def ways_out(settings: Settings) -> WaysOut:
    """The two commands that end a drift, as they are pasted into a shell."""
    from lbstack.render.drift_markdown import WaysOut

    accept = Again(settings, verb="drift", words=("--accept",))
    return WaysOut(accept.command, Again(settings, verb="apply").command)


async def look(settings: Settings, graph: Graph) -> tuple[Plan, DriftReport]:
    """Read the workspace, and compare it with the stack and with what was last applied."""
    from lbstack.kinds import KINDS
    from lbstack.plan.drift import report
    from lbstack.render.progress import refresh_bar

    store = open_store(settings, graph.stack.name)
    state = store.load()
    read: list[tuple[State, Snapshot]] = []
    with refresh_bar() as show, unless_begun(store):
        async with open_wire(settings) as wire:
            plan, _ = await make_plan(
                settings, graph, state, wire, show, refuse=False, on_read=lambda *both: read.append(both)
            )
    ((known, snapshot),) = read
    return plan, report(graph, known, snapshot, KINDS, made=plan, targets=settings.targets)
