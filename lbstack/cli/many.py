"""``lbstack plan --all``: every stack under a folder, side by side within one rate limit."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbstack.cli import options
from lbstack.cli.choosing import Chosen
from lbstack.cli.reporting import of_system
from lbstack.connect import open_wire
from lbstack.errors import Exit, GuardError, Problem, StackError, UsageError
from lbstack.plan import guards
from lbstack.plan.changes import Plan, Refusal
from lbstack.plan.digest import digest
from lbstack.render.json import diagnostics
from lbstack.render.text import Line, plan_lines
from lbstack.render.words import safe, summary
from lbstack.session import STACK, Settings, load_graph, make_plan, open_store, state_to_plan, unless_begun
from lbstack.stack.discovery import by_name
from lbstack.stack.files import digest_of_files
from lbstack.stack.sections import NAME

if TYPE_CHECKING:
    from lbstack.api.wire import ApiWire
    from lbstack.graph import Graph
    from lbstack.session import AnyStore
    from lbstack.state.model import State

AT_ONCE = 8
"""Stacks that are read at the same time: their requests share one limit all the same."""


@dataclass(frozen=True)
class Planned:
    """One stack and its plan, or why there is none. `label` is its name as far as it can be told without
    loading it, `files` the digest of its files before they were read."""

    path: Path
    settings: Settings
    label: str
    files: str = ""
    graph: Graph | None = None
    store: AnyStore | None = None
    plan: Plan | None = None
    state: State | None = None
    error: StackError | None = None

    @property
    def name(self) -> str:
        return self.graph.stack.name if self.graph else self.label

    @property
    def exit(self) -> Exit:
        if self.error:
            return self.error.exit
        return Exit.CHANGES if self.plan and not self.plan.empty else Exit.OK


Names = Mapping[str, Sequence[Path]]
"""Which stacks bear which name."""


def plan_all(settings: Settings, chosen: Chosen) -> list[Planned]:
    """The plans of the stacks that were chosen, in the order of their paths; a stack that fails stops no
    other. Raises what is wrong with the command itself."""
    found, names = chosen.found, by_name(chosen.found)
    _require_states(settings, found)
    loaded = [_unlike(_loaded(settings, path, _label(path, found[path])), names) for path in chosen.mine]
    _require_declared(settings, loaded)
    return asyncio.run(_plans(settings, loaded, chosen.taken)) if loaded else []


def _require_states(settings: Settings, found: Collection[Path]) -> None:
    """One state is of one stack."""
    named = settings.state_path
    if named and STACK not in named and len(found) > 1:
        option = f"--state {named}" if settings.state else f"LBSTACK_STATE={named}"
        raise UsageError(
            f"{option} is one state, and these are {len(found)} stacks",
            f"put {STACK} into it, which stands for a stack's name",
        )


def _loaded(settings: Settings, path: Path, label: str) -> Planned:
    """One stack as it is written."""
    mine = replace(settings, path=path, shared=True)
    try:
        files = digest_of_files(path)
        graph = load_graph(mine)
        options.warn(graph.warnings)
        return Planned(path, mine, label, files, graph, open_store(mine, graph.stack.name))
    except (StackError, OSError) as error:
        return Planned(path, mine, label, error=_told(error))


def _told(error: StackError | OSError) -> StackError:
    """An error in words: what the system refuses of one stack stops no other, either."""
    return of_system(error) if isinstance(error, OSError) else error


def _require_declared(settings: Settings, loaded: Sequence[Planned]) -> None:
    """A variable that no stack declares is a slip."""
    graphs = [each.graph for each in loaded if each.graph]
    taken = {name for graph in graphs for name in graph.stack.variables}
    wrong = [name for name in settings.variables if name not in taken]
    if wrong and len(graphs) == len(loaded) > 0:
        raise UsageError(
            f"no stack declares the variable {', '.join(wrong)}", "declare it, or leave --var out"
        )


def _unlike(each: Planned, names: Names) -> Planned:
    """Two stacks of one name would share a state: whose it is, nobody knows, so neither is planned."""
    twin = _twin(each.path, each.name, names) if each.graph else None
    return replace(each, error=StackError(twin)) if twin else each


def _twin(path: Path, name: str, names: Names) -> Problem | None:
    """What is wrong where another stack bears the name as well."""
    others = [other for other in names.get(name, ()) if other != path]
    if not others:
        return None
    what = f"{path}: stack {name} is the name of {', '.join(map(str, others))}, too"
    return Problem(what, "give one of them another name: stack: NAME")


async def _plans(
    settings: Settings, loaded: Sequence[Planned], taken: Mapping[Path, Problem]
) -> list[Planned]:
    room = asyncio.Semaphore(AT_ONCE)
    if not any(each.error is None for each in loaded):
        return list(loaded)
    async with open_wire(settings) as wire:

        async def one(each: Planned) -> Planned:
            async with room:
                return await _planned(each, wire, taken.get(each.path))

        return list(await asyncio.gather(*(one(each) for each in loaded)))


async def _planned(each: Planned, wire: ApiWire, taken: Problem | None) -> Planned:
    """One stack with its plan; where it has another's name, nothing of that one may end."""
    if each.error or each.graph is None or each.store is None:
        return each
    try:
        state, _ = await asyncio.to_thread(state_to_plan, each.store)
        with unless_begun(each.store):
            made, state = await make_plan(each.settings, each.graph, state, wire)
    except (StackError, OSError) as error:
        return replace(each, error=_told(error))
    if taken and any(change.action in guards.GOES for change in made.changes):
        made = replace(made, refusals=(Refusal(taken), *made.refusals))
    try:
        guards.check(made)
    except GuardError as refusal:
        return replace(each, plan=made, state=state, error=refusal)
    return replace(each, plan=made, state=state)


# -- which there are, without planning them ------------------------------------------------------------


def listed(chosen: Chosen, also: Iterable[str] = ()) -> list[dict[str, str]]:
    """The stacks that were chosen, and those of these names, as a CI service makes a matrix of them. A stack
    that is broken is listed, too: its own job tells."""
    names = by_name(chosen.found)
    mine = {*chosen.mine, *(path for name in also for path in names.get(name, ()))}
    told = [(path, name) for path, name in chosen.found.items() if path in mine]
    # Of one name and one state: no job may have it, since none sees the other.
    if wrong := [twin for path, name in told if NAME.match(name) and (twin := _twin(path, name, names))]:
        raise StackError(wrong)
    return [{"stack": _label(path, name), "path": str(path)} for path, name in told]


def _label(path: Path, name: str) -> str:
    """What jobs and files are named after: the stack's name; where that is none, its path as far as it is
    plain, and what tells it from others."""
    if NAME.match(name):
        return name
    plain = "-".join(re.findall(r"[A-Za-z0-9]+", str(path)))[-50:].lstrip("-")
    return f"{plain}-{sha256(os.fsencode(path)).hexdigest()[:8]}".lstrip("-")


# -- how it is told ------------------------------------------------------------------------------------


def lines(planned: Sequence[Planned]) -> Iterator[Line]:
    """The plans that change something, one after another, then one line for all of them."""
    for each in planned:
        yield (f"# {safe(each.name)} ({safe(str(each.path))})", "bold")
        if each.plan:
            yield from plan_lines(each.plan, each.settings.command("gc"))
        elif each.error:
            yield ("Not planned; see the errors.", "destroy")
        yield ("", "plain")
    yield (told(planned), "bold")
    if refused := [each.plan for each in planned if each.plan and each.error]:
        counts = summary(_sum(refused)).removeprefix("Plan: ")
        yield (f"Of what is refused nothing can be done, and it is not counted below: {counts}", "bold")
    yield (summary(_sum([each.plan for each in planned if each.plan and not each.error])), "bold")


def told(planned: Sequence[Planned]) -> str:
    """How many stacks there are, and how many have changes."""
    refused = sum(bool(each.error and each.plan) for each in planned)
    failed = sum(each.error is not None for each in planned) - refused
    changing = sum(each.error is None and each.exit is Exit.CHANGES for each in planned)
    parts = [f"{changing} with changes", f"{len(planned) - changing - failed - refused} without"]
    parts += [f"{refused} refused"] if refused else []
    parts += [f"{failed} failed"] if failed else []
    return f"{len(planned)} {'stack' if len(planned) == 1 else 'stacks'}: {', '.join(parts)}."


def _sum(plans: Iterable[Plan]) -> dict[str, int]:
    total = dict.fromkeys(("import", "add", "change", "destroy", "forget"), 0)
    for plan in plans:
        for name, count in plan.counts().items():
            total[name] += count
    return total


def document(planned: Sequence[Planned]) -> list[dict[str, Any]]:
    """What a CI service makes a matrix of: one object a stack."""
    return [
        {
            "stack": each.name,
            "path": str(each.path),
            "changes": each.plan is not None and not each.plan.empty,
            "refused": each.plan is not None and each.error is not None,
            "summary": each.plan.counts() if each.plan else None,
            "digest": digest(each.plan) if each.plan else None,
            "exit_code": int(each.exit),
            "diagnostics": diagnostics(each.error.problems) if each.error else [],
        }
        for each in planned
    ]


def code(planned: Sequence[Planned], detailed: bool) -> int:
    """The exit code of the worst; changes count where they were asked for."""
    failed = [int(each.exit) for each in planned if each.error]
    if failed:
        return max(failed)
    return Exit.CHANGES if detailed and any(each.exit is Exit.CHANGES for each in planned) else Exit.OK
