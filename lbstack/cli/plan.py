"""``lbstack plan``: what apply would do."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbstack.cli import annotating, options
from lbstack.cli import faces as drawn
from lbstack.cli.again import Again, require_allowed
from lbstack.cli.reporting import lines, of_system, report
from lbstack.connect import open_wire
from lbstack.errors import Exit, StackError, UsageError, typed
from lbstack.render.words import safe
from lbstack.session import Settings, dumps, load_graph, make_plan, open_store, state_to_plan, unless_begun
from lbstack.values import NOTHING

if TYPE_CHECKING:
    from lbstack.cli.many import Planned
    from lbstack.plan.changes import Plan
    from lbstack.session import AnyStore
    from lbstack.state.model import State


UNDER_WAY = "Note: an apply of this stack is under way; this plan is about what it has done so far."


@click.command("plan")
@options.stack_argument
@options.variables
@options.place
@options.working
@options.allowing
@options.output
@drawn.asked(*drawn.OF_PLAN)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Save the plan for apply; with --all a folder.",
)
@click.option("--destroy", is_flag=True, help="Plan a teardown of everything in state.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@click.option("--all", "every", is_flag=True, help="Plan every stack under STACK, a folder.")
@click.option("--changed-since", metavar="REV", help="With --all: only stacks touched since a git revision.")
@annotating.option
@options.with_settings
def command(
    settings: Settings,
    as_json: bool,
    no_color: bool,
    out: Path | None,
    destroy: bool,
    detailed_exitcode: bool,
    every: bool,
    changed_since: str | None,
    annotations: str | None,
    faces: drawn.Faces,
) -> int:
    """Show what apply would do. Changes nothing."""
    settings = replace(settings, destroy=destroy)
    asked = Asked(as_json, no_color, detailed_exitcode, out, faces)
    with annotating.annotating(annotations):
        if every:
            return _all(settings, asked, changed_since, annotations)
        if changed_since is not None:
            raise UsageError("--changed-since chooses among many stacks", "give --all with it")
        return _one(settings, asked)


@dataclass(frozen=True)
class Asked:
    """How a plan is to be told, and where to."""

    as_json: bool
    no_color: bool
    detailed: bool
    out: Path | None
    faces: drawn.Faces

    def words(self) -> tuple[str, ...]:
        """The options, as they are said again in a command."""
        judged = ("--detailed-exitcode",) if self.detailed else ()
        return (*judged, *(("--out", str(self.out)) if self.out else ()), *self.faces.words())


def _one(settings: Settings, asked: Asked) -> int:
    """The plan of one stack."""
    from lbstack.render.progress import refresh_bar

    out, faces = asked.out, asked.faces
    faces.require_places(settings, out)
    files = _files(settings, out) if out else ""
    graph = load_graph(settings, require_values=not settings.destroy)
    options.warn(graph.warnings)
    store = open_store(settings, graph.stack.name)
    if out:
        _require_elsewhere(out, store)
    state, under_way = state_to_plan(store)
    if under_way:
        click.echo(UNDER_WAY, err=True)

    async def work() -> tuple[Plan, State]:
        with refresh_bar() as show, unless_begun(store):
            async with open_wire(settings) as wire:
                return await make_plan(settings, graph, state, wire, show)

    plan, state = asyncio.run(work())
    show_plan(plan, asked.as_json, asked.no_color, settings.command("gc"))
    drawn.write_plan(faces, plan, settings.command("gc"))
    require_allowed(plan, Again(settings, verb="plan", words=asked.words()))
    if out:
        _save(settings, out, replace(plan, pins=replace(plan.pins, files=files)), state, store)
    return Exit.CHANGES if asked.detailed and not plan.empty else Exit.OK


def show_plan(plan: Plan, as_json: bool, no_color: bool, gc: str = "lbstack gc") -> None:
    """Print a plan, for people or for programs."""
    if as_json:
        from lbstack.render.json import plan_document

        click.echo(dumps(plan_document(plan)))
    else:
        from lbstack.render.terminal import write
        from lbstack.render.text import plan_lines

        write(plan_lines(plan, gc), no_color)


def _all(settings: Settings, asked: Asked, since: str | None, annotations: str | None) -> int:
    """The plans of every stack under a folder; what is written is a folder of files, too."""
    from lbstack.cli import many
    from lbstack.cli.choosing import chosen as choose
    from lbstack.render.terminal import write

    if settings.destroy or settings.targets or settings.allowed != NOTHING:
        raise UsageError(
            "--all plans whole stacks",
            "leave --destroy, --target, --recreate and --allow-… to plans of one stack",
        )
    out, faces = asked.out, asked.faces
    faces.require_folders(**({"out": out} if out else {}))
    chosen = choose(settings, since)
    planned = many.plan_all(settings, chosen)
    if asked.as_json:
        click.echo(dumps(many.document(planned)))
    else:
        write(many.lines(planned), asked.no_color)
    failed = [trouble for each in planned for trouble in _written(each, planned, asked)]
    # All at once: of one step a forge shows so many.
    refused = [each.error for each in planned if each.error]
    found = [finding for error in refused for finding in annotating.of(error)]
    annotating.annotate([*found, *chosen.told], annotations)
    return max([many.code(planned, asked.detailed), *(int(trouble.exit) for trouble in failed)])


def _written(each: Planned, planned: Sequence[Planned], asked: Asked) -> Iterator[StackError]:
    """Write what was asked for of one of the `planned`, tell what keeps it from being planned or written, and
    what of an earlier run is left in its place. What cannot be written is given on, and stops no other."""
    mine = asked.faces.of_stack(each.name)
    out = asked.out / f"{each.name}.json" if asked.out else None
    if each.error:
        click.echo(f"{safe(each.name)} ({safe(str(each.path))}):", err=True)
        report(each.error)
        if each.plan:
            click.echo(f"To plan it by itself: {safe(each.settings.command('plan'))}", err=True)
        if out and out.is_file():
            click.echo(f"Warning: {safe(str(out))} is of an earlier run.", err=True)
    for write in (partial(_write_faces, each, planned, mine), partial(_write_plan, each, out)):
        try:
            write()
        except (StackError, OSError) as error:
            trouble = of_system(error) if isinstance(error, OSError) else error
            report(trouble)
            yield trouble


def _write_faces(each: Planned, planned: Sequence[Planned], mine: drawn.Faces) -> None:
    mine.require_places(each.settings)
    if each.plan:
        drawn.write_plan(mine, each.plan, each.settings.command("gc"))
        return
    # Stacks of one name are planned none of them, and share a page.
    failed = [other for other in planned if other.name == each.name and other.error]
    told = [line for other in failed if other.error for line in lines(other.error)]
    drawn.write_failure(mine, each.name, max(int(other.exit) for other in failed), told)


def _write_plan(each: Planned, out: Path | None) -> None:
    if out and each.plan and each.state and each.store and not each.error:
        _require_elsewhere(out, each.store)
        _require_free(out)
        pinned = replace(each.plan, pins=replace(each.plan.pins, files=each.files))
        _save(each.settings, out, pinned, each.state, each.store)


def _require_elsewhere(out: Path, store: AnyStore) -> None:
    """A plan that lies where the state is to be would be taken for it."""
    home = getattr(store, "path", None)
    if home is not None and out.resolve() == home.resolve():
        raise UsageError(f"--out {out} is where the state is kept", "name another file")


def _save(settings: Settings, out: Path, plan: Plan, state: State, store: AnyStore) -> None:
    """Save a plan for one apply, of the stack where it lies now."""
    from lbstack.plan.saved import write_plan

    state = store.start(state)
    path = str(settings.path.resolve())
    pins = replace(plan.pins, lineage=state.lineage, path=path, nonce=secrets.token_hex(16))
    write_plan(out, replace(plan, pins=pins), state)
    command = typed("apply", str(out), *settings.place)
    click.echo(f"Saved the plan to {out}; carry it out with: {command}", err=True)


def _files(settings: Settings, out: Path) -> str:
    """The digest of the stack's files as they are before they are read, once it is sure that there is room
    for a plan."""
    from lbstack.plan.saved import require_place
    from lbstack.stack.files import digest_of_files

    _require_free(out)
    require_place(out)
    with suppress(OSError, UsageError):  # what cannot be read is told by who reads it
        return digest_of_files(settings.path)
    return ""


def _require_free(out: Path) -> None:
    """A plan may take the place of an older one, and of nothing else."""
    from lbstack.plan.saved import is_plan

    if out.is_dir():
        raise UsageError(f"--out {out} is a folder", "name a file in it")
    if out.exists() and not is_plan(out):
        raise UsageError(f"--out {out} exists and is no saved plan", "name another file")
