"""A state that was lost, made again from what the workspace holds: what the stack names is bound to it.

| what is seen of an address | it is bound |
| --- | --- |
| one object bears its ownership tag | to that |
| several do | to none; they are listed |
| none, and its natural key fits one object that nobody else's tag claims | to that |
| it fits several | to none; they are listed |
| nothing | to none; the next apply would make it |

Nothing is guessed, and nothing is written to the workspace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lbstack.asking import Reader
from lbstack.errors import StateError, typed
from lbstack.graph import Graph
from lbstack.kinds.contract import Fields, Kind, Sighting
from lbstack.live import gather
from lbstack.stack.model import Resource
from lbstack.values import Address, Ref, Template


class Unclaimed(StateError):
    """Objects of a stack exist, and no state that knows them was found."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What was concluded of one address: an id and by what it was told, or the candidates."""

    address: Address
    id: str | None = None
    by: str = ""
    candidates: tuple[Sighting, ...] = ()


async def sightings(
    names: Iterable[str], kinds: Mapping[str, Kind], wire: Reader, passes: int = 2
) -> tuple[dict[str, list[Sighting]], str]:
    """All that lives of some kinds, and the organisation that it lives in. Two passes, their union: pages of
    a list shift while others write."""
    seen: dict[str, dict[str, Sighting]] = {name: {} for name in names}
    organization = ""
    for _ in range(passes if seen else 0):
        readings = {name: kinds[name].search(None, True) for name in seen}
        results, identity = await gather(readings, wire, organization=organization)
        organization = identity.organization
        for name, found in results.items():
            seen[name].update((sighting.id, sighting) for sighting in found)
    return {name: list(found.values()) for name, found in seen.items()}, organization


async def census(kinds: Mapping[str, Kind], wire: Reader, organization: str) -> dict[str, list[Sighting]]:
    """All that lives of all kinds, whoever made it."""
    found, _ = await gather(
        {name: kind.census() for name, kind in kinds.items()}, wire, organization=organization
    )
    return {name: list({each.id: each for each in some}.values()) for name, some in found.items()}


def claimed(stack: str, seen: Mapping[str, Sequence[Sighting]]) -> list[Sighting]:
    """Objects whose ownership tag names this stack."""
    owned = (sighting for found in seen.values() for sighting in found)
    return [sighting for sighting in owned if (sighting.owner or "").startswith(f"{stack}/")]


async def require_unclaimed(
    graph: Graph, kinds: Mapping[str, Kind], wire: Reader, words: Sequence[str], values: Sequence[str]
) -> None:
    """Refuse to begin anew where objects of this very stack exist: their state is somewhere, or was lost.
    `words` are the stack and the options as a command names them, `values` those of variables."""
    tagged = {address.kind for address in graph.stack.resources if kinds[address.kind].tags}
    seen, _ = await sightings(sorted(tagged), kinds, wire, passes=1)
    owned = claimed(graph.stack.name, seen)
    if owned:
        told = ", ".join(f"{one.id} ({(one.owner or '').partition('/')[2]})" for one in owned[:3])
        more = f" and {len(owned) - 3} more" if len(owned) > 3 else ""
        raise Unclaimed(
            f"there is no state of stack {graph.stack.name} here, but what it made is: {told}{more}",
            f"name its state with --state; if that is lost: {typed('state rebuild', *words, *values)};"
            f" for another copy of the stack: {typed('state new', *words)}",
        )


def bind(graph: Graph, kinds: Mapping[str, Kind], seen: Mapping[str, Sequence[Sighting]]) -> list[Binding]:
    """What each address of a stack is to be bound to, dependencies first. Pure."""
    binding = _Binding(graph, kinds, seen)
    return [binding.of(graph.stack.resources[address]) for address in graph.order]


@dataclass
class _Binding:
    """A state while it is being rebuilt."""

    graph: Graph
    kinds: Mapping[str, Kind]
    seen: Mapping[str, Sequence[Sighting]]
    ids: dict[Address, str] = field(default_factory=dict)

    def of(self, resource: Resource) -> Binding:
        """What one resource is bound to; everything it needs has been looked at."""
        address = resource.address
        there = self.seen.get(address.kind, ())
        owners = {f"{self.graph.stack.name}/{name}" for name in (address, *self._former(resource))}
        own = [sighting for sighting in there if sighting.owner in owners]
        by = "its ownership tag" if own else "its natural key"
        found = own or self._fitting(resource, there)
        taken = set(self.ids.values())
        free = [sighting for sighting in found if sighting.id not in taken]
        if len(free) != 1:
            return Binding(address, candidates=tuple(free))
        self.ids[address] = free[0].id
        return Binding(address, free[0].id, by)

    def _former(self, resource: Resource) -> list[Address]:
        """Addresses that the resource had before: its tag may still name one of them."""
        kind = resource.address.kind
        names = [Address(kind, resource.previously)] if resource.previously else []
        return names + [moved.from_ for moved in self.graph.stack.moved if moved.to == resource.address]

    def _fitting(self, resource: Resource, there: Sequence[Sighting]) -> list[Sighting]:
        """What bears nobody's tag and has the resource's natural key."""
        try:
            want: Fields = {name: self._resolved(value) for name, value in resource.fields.items()}
            natural = self.kinds[resource.address.kind].natural(resource.address.key, want)
        except LookupError:
            return []  # what it refers to is not there, or not known by what is bound so far
        if not natural:
            return []
        return [one for one in there if one.owner is None and one.natural == natural]

    def _resolved(self, value: Any) -> Any:
        """A wish with references to ids resolved. Raises LookupError where one is not known."""
        if isinstance(value, Ref):
            if value.attribute != "id":
                raise LookupError(value.attribute)
            return self.ids[value.address]
        if isinstance(value, Template):
            return "".join(part if isinstance(part, str) else self._resolved(part) for part in value.parts)
        if isinstance(value, Mapping):
            return {self._resolved(key): self._resolved(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._resolved(item) for item in value]
        return value
