"""``lbstack state rebuild|new``: a state that was lost is made again, or another one is begun."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from lbstack.cli import options
from lbstack.errors import ConfigError, Exit, StateError, typed
from lbstack.session import Settings, load_graph, open_store
from lbstack.values import Address, Intent

if TYPE_CHECKING:
    from lbstack.graph import Graph
    from lbstack.rebuild import Binding
    from lbstack.state.model import State


@click.command("rebuild")
@options.stack_argument
@options.variables
@options.place
@options.lock_timeout
@options.with_settings
def rebuild(settings: Settings) -> int:
    """Bind what the stack names to what is in Labelbox, where the state was lost. Changes nothing there.

    By ownership tag first, then by natural key when exactly one object fits; others are listed, never
    guessed. Exit 1 when some are left to be told apart.
    """
    from lbstack.state import remote, remote_whole, restoring
    from lbstack.state.places import recorded_beside
    from lbstack.state.store import Store

    graph = load_graph(settings)
    store = open_store(settings, graph.stack.name)
    with store.locked(settings.lock_timeout):
        _require_lost(store)
        others = recorded_beside(store.path) if isinstance(store, Store) else {}
        bindings, organization, theirs = asyncio.run(_look(settings, graph, others))
        state = _state(graph, settings, bindings, organization)
        for line in _lines(bindings, theirs, others):
            click.echo(line)
        if isinstance(store, remote.RemoteStore):
            kept = remote_whole.rebuilt(store, state)
        else:
            kept = restoring.rebuilt(store, state)
    found = len(kept.resources)
    plan = typed("plan", *settings.words, *settings.values)
    click.echo(f"The state has {found} of {len(bindings)} resources now. See what differs: {plan}")
    return Exit.ERROR if any(binding.candidates for binding in bindings) else Exit.OK


@click.command("new")
@options.stack_argument
@options.place
@options.lock_timeout
@options.with_settings
def new(settings: Settings) -> int:
    """Begin an empty state for another copy of a stack whose objects exist in the workspace."""
    store = open_store(settings, load_graph(settings, require_values=False).stack.name)
    with store.locked(settings.lock_timeout):
        state = store.load()
        if state.lineage:
            raise ConfigError("there is a state already", "name another with --state")
        store.start(state)
    click.echo("An empty state was begun.")
    return Exit.OK


def _require_lost(store: Any) -> None:
    """Refuse to rebuild what is intact: what it knows is more than what can be found out."""
    try:
        state = store.load()
    except StateError:
        return
    if state.resources:
        raise ConfigError(
            f"the state is intact and has {len(state.resources)} resources", "there is nothing to rebuild"
        )


async def _look(
    settings: Settings, graph: Graph, others: Mapping[str, str]
) -> tuple[Sequence[Binding], str, dict[Address, str]]:
    """What each address is bound to, the organisation, and what would be bound were it not another's: what
    the `others` record, and no tag gives to this stack."""
    from lbstack.connect import open_wire
    from lbstack.kinds import KINDS
    from lbstack.rebuild import bind, sightings

    async with open_wire(settings) as wire:
        names = dict.fromkeys(address.kind for address in graph.order)
        seen, identity = await sightings(names, KINDS, wire)
    mine = f"{graph.stack.name}/"
    free = {
        kind: [one for one in found if one.id not in others or (one.owner or "").startswith(mine)]
        for kind, found in seen.items()
    }
    bindings = bind(graph, KINDS, free)
    bound = {binding.id for binding in bindings}
    theirs = {
        each.address: each.id
        for each in bind(graph, KINDS, seen)
        if each.id in others and each.id is not None and each.id not in bound
    }
    return bindings, identity.organization, theirs


def _state(graph: Graph, settings: Settings, bindings: Sequence[Binding], organization: str) -> State:
    from lbstack.state.model import Entry, State

    resources = {binding.address: Entry(binding.id) for binding in bindings if binding.id}
    # What may be one of several is there: nothing is made in its place before somebody has told which it is.
    unclear = tuple(Intent(binding.address, "") for binding in bindings if binding.candidates)
    lineage, name = str(uuid.uuid4()), graph.stack.name
    return State(name, lineage, settings.where, organization, resources=resources, pending=unclear)


def _lines(
    bindings: Sequence[Binding], theirs: Mapping[Address, str], others: Mapping[str, str]
) -> Iterator[str]:
    """What became of each address."""
    from lbstack.render.words import safe

    for binding in bindings:
        name = safe(str(binding.address))
        if binding.id:
            yield f"{name}: {safe(binding.id)}, by {binding.by}"
        elif binding.candidates:
            yield f"{name}: not bound, for these fit; bring the right one in with imports:"
            for one in binding.candidates:
                yield f"    {safe(one.id)}  {safe(one.name)}"
        elif id := theirs.get(binding.address):
            yield f"{name}: not bound, for stack {safe(others[id])} records {safe(id)}"
        else:
            yield f"{name}: nothing was found; the next apply would make it"
