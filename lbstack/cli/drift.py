"""``lbstack drift``: what another hand changed. Never writes to Labelbox."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbstack.cli import accepting, annotating, options
from lbstack.cli.accepting import Accepted, Seen
from lbstack.cli.again import Again
from lbstack.cli.faces import Faces, asked
from lbstack.connect import open_wire
from lbstack.errors import Exit, UsageError
from lbstack.session import Settings, dumps, load_graph, make_plan, open_store, unless_begun
from lbstack.values import Address

if TYPE_CHECKING:
    from lbstack.graph import Graph
    from lbstack.live import Snapshot
    from lbstack.plan.changes import Plan
    from lbstack.plan.drift import DriftReport
    from lbstack.render.drift_markdown import WaysOut
    from lbstack.state.model import State


@click.command("drift")
@options.stack_argument
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@options.variables
@options.place
@options.working
@options.output
@asked("markdown", "html", "junit", "sarif")
@annotating.option
@click.option(
    "--unmanaged", is_flag=True, help="List what is in the workspace and in no state of this stack."
)
@click.option("--accept", is_flag=True, help="Edit the stack so that it says what is live.")
@options.with_settings
def command(
    settings: Settings,
    addresses: tuple[str, ...],
    as_json: bool,
    no_color: bool,
    faces: Faces,
    annotations: str | None,
    unmanaged: bool,
    accept: bool,
) -> int:
    """Show what changed outside lbstack since the last apply. Exit 2 when something did.

    With --accept, the stack's files are edited in place so that they say what is live: all that drifted,
    or the addresses that are named.
    """
    from lbstack.render.findings import of_drift

    settings, wanted = _named(settings, addresses, accept)
    faces.require_places(settings)
    with annotating.annotating(annotations):
        files = accepting.read_files(settings) if accept else {}
        look = asyncio.run(look_at(settings, load_graph(settings), files, unmanaged))
        done = accepting.accepted(settings, look.seen, look.plan, look.report, wanted) if accept else None
    report = replace(done.report if done and done.report else look.report, unmanaged=look.report.unmanaged)
    told = accepting.difference(look.seen, done) if done else []
    if done:
        accepting.write(look.seen, done)
    _print(look, report, done, told, as_json, no_color)
    _draw(faces, report, settings)
    annotating.annotate(of_drift(report), annotations)
    return Exit.CHANGES if report.wrong else Exit.OK


def _named(
    settings: Settings, addresses: tuple[str, ...], accept: bool
) -> tuple[Settings, tuple[Address, ...]]:
    """The stack, and the addresses that are to be taken over: what names no file may be one of these."""
    words = list(addresses)
    if accept and not settings.path.exists() and "." in str(settings.path):
        words.insert(0, str(settings.path))
        settings = replace(settings, path=Path())
    if words and not accept:
        raise UsageError(f"{words[0]} is one word too many", "give --accept to take it over into the stack")
    try:
        return settings, tuple(Address.parse(word) for word in words)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _print(
    look: Look, report: DriftReport, done: Accepted | None, told: list[str], as_json: bool, no_color: bool
) -> None:
    """The result on stdout; what could not be taken over on stderr."""
    from lbstack.render.drift import drift_lines
    from lbstack.render.drift_json import drift_document
    from lbstack.render.json import diagnostics
    from lbstack.render.terminal import write
    from lbstack.render.words import safe, sentence

    problems = done.problems if done else []
    if as_json:
        document = drift_document(report, look.plan.drift)
        if done:
            document["accepted"] = {
                "addresses": [str(address) for address in done.addresses],
                "files": [*done.texts],
                "refused": diagnostics(problems),
            }
        click.echo(dumps(document))
        return
    for problem in problems:
        click.echo(sentence(str(problem)), err=True)
    styles = {"+": "add", "-": "destroy", "@": "note"}
    write([(safe(line), styles.get(line[:1], "plain")) for line in told], no_color)
    if done:
        files = ", ".join(safe(file) for file in done.texts) or "nothing"
        write([("", "plain"), (f"Edited {files}; taken over: {len(done.addresses)}.", "bold")], no_color)
    write(drift_lines(report), no_color)


def _draw(faces: Faces, report: DriftReport, settings: Settings) -> None:
    """Write the faces that were asked for."""

    def markdown() -> str:
        from lbstack.render.drift_markdown import drift_markdown

        return drift_markdown(report, ways_out(settings), faces.max_bytes)

    def html() -> str:
        from lbstack.render.drift_html import drift_html

        return drift_html(report, ways_out(settings))

    def junit() -> str:
        from lbstack.render.junit import drift_junit

        return drift_junit(report)

    def as_sarif() -> str:
        from lbstack.render.findings import of_drift
        from lbstack.render.sarif import sarif

        return sarif(annotating.from_root(of_drift(report)))

    faces.write({"markdown": markdown, "html": html, "junit": junit, "sarif": as_sarif})


def ways_out(settings: Settings) -> WaysOut:
    """The two commands that end a drift, as they are pasted into a shell."""
    from lbstack.render.drift_markdown import WaysOut

    accept = Again(settings, verb="drift", words=("--accept",))
    return WaysOut(accept.command, Again(settings, verb="apply").command)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the workspace tells."""

    plan: Plan
    report: DriftReport
    seen: Seen


async def look_at(
    settings: Settings, graph: Graph, files: Mapping[str, bytes], everything: bool = False
) -> Look:
    """Read the workspace, and compare it with the stack and with what was last applied; where that is asked
    for, `everything` else that is there is told, too."""
    from lbstack import rebuild
    from lbstack.kinds import KINDS
    from lbstack.plan.drift import report
    from lbstack.plan.unmanaged import unmanaged
    from lbstack.render.progress import refresh_bar
    from lbstack.stack import ignore

    store = open_store(settings, graph.stack.name)
    state = store.load()
    read: list[tuple[State, Snapshot]] = []
    with refresh_bar() as show, unless_begun(store):
        async with open_wire(settings) as wire:
            plan, _ = await make_plan(
                settings, graph, state, wire, show, refuse=False, on_read=lambda *both: read.append(both)
            )
            seen = await rebuild.census(KINDS, wire, read[0][1].organization) if everything else None
    ((known, snapshot),) = read
    told = report(graph, known, snapshot, KINDS, made=plan, targets=settings.targets)
    if seen is not None:
        told = replace(told, unmanaged=unmanaged(seen, [known], KINDS, ignore.read(settings.path).has))
    return Look(plan, told, Seen(files, graph, known, snapshot))
