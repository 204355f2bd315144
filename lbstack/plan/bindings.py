"""Which objects that state knows, or that exist, a stack means by its addresses: moves and imports."""

from __future__ import annotations

from lbstack.errors import ConfigError, Problem
from lbstack.graph import Graph
from lbstack.kinds import KINDS
from lbstack.state.model import State
from lbstack.values import Address


def moves_of(graph: Graph, state: State) -> tuple[tuple[Address, Address], ...]:
    """Addresses that changed: ``previously:`` and ``moved:``, as far as state knows the old one."""
    known = {_same_object(address): address for address in state.resources}

    def remembered(address: Address) -> Address:
        return address if address in state.resources else known.get(_same_object(address), address)

    wanted = [
        (remembered(Address(address.kind, resource.previously)), address)
        for address, resource in graph.stack.resources.items()
        if resource.previously
    ]
    wanted += [(remembered(item.from_), item.to) for item in graph.stack.moved]
    last = dict(wanted)
    found = []
    for old in [old for old, _ in wanted if old in state.resources]:
        new = old
        for _ in wanted:  # a chain ends, or goes round no longer than it is
            new = last.get(new, new)
        if new not in state.resources:
            found.append((old, new))
    return tuple(found)


def _same_object(address: Address) -> Address:
    """The address in the one spelling in which its kind tells objects apart by their keys."""
    identity = KINDS[address.kind].identity(address.key) if address.kind in KINDS else None
    return address if identity is None else Address(address.kind, identity)


def imports_of(graph: Graph, state: State) -> tuple[tuple[Address, str], ...]:
    """Existing objects that ``imports:`` brings under addresses which state does not know yet."""
    owners = state.addresses()
    new = [item for item in graph.stack.imports if item.address not in state.resources]
    taken = [
        Problem(f"{item.id} is {owners[item.id]} already", "use moved: to give it another key", item.source)
        for item in new
        if item.id in owners and owners[item.id].kind == item.address.kind
    ]
    if taken:
        raise ConfigError(taken)
    return tuple((item.address, item.id) for item in new)
