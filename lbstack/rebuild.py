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

from lbstack.asking import Identity, Reader
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
) -> tuple[dict[str, list[Sighting]], Identity]:
    """All that lives of some kinds, and who has seen it, in which organisation. Two passes, their union:
    pages of a list shift while others write."""
    seen: dict[str, dict[str, Sighting]] = {name: {} for name in names}
    identity = Identity()
    for _ in range(passes if seen else 0):
        readings = {name: kinds[name].search(None, True) for name in seen}
        results, identity = await gather(readings, wire, organization=identity.organization)
        for name, found in results.items():
            seen[name].update((sighting.id, sighting) for sighting in found)
    return {name: list(found.values()) for name, found in seen.items()}, identity


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
    """Refuse to begin anew where objects of this very stack exist, or seem to: their state is somewhere, or
    was lost. What `imports:` names is told already. `words` are the stack and the options as a command names
    them, `values` those of variables."""
    named = {address.kind for address in graph.stack.resources if not kinds[address.kind].looks_first}
    seen, identity = await sightings(sorted(named), kinds, wire, passes=1)
    told = {item.id for item in graph.stack.imports}
    owned = [one for one in claimed(graph.stack.name, seen) if one.id not in told]
    ways = (
        f"name its state with --state; if that is lost: {typed('state rebuild', *words, *values)};"
        f" for another copy of the stack: {typed('state new', *words)}"
    )
    if owned:
        names = _told([f"{one.id} ({(one.owner or '').partition('/')[2]})" for one in owned])
        what = f"there is no state of stack {graph.stack.name} here, but what it made is: {names}"
        raise Unclaimed(what, ways)
    if alike := likely(graph, kinds, seen, identity.user):
        names = _told([f"{one.id} ({address})" for address, one in alike])
        raise Unclaimed(
            f"there is no state of stack {graph.stack.name} here, and what it seems to have made is: {names}",
            f"{ways}, too, if these are none of its own; to manage them from now on: imports:",
        )


def _told(names: Sequence[str]) -> str:
    """Some of the names, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


def likely(
    graph: Graph, kinds: Mapping[str, Kind], seen: Mapping[str, Sequence[Sighting]], user: str
) -> list[tuple[Address, Sighting]]:
    """What a stack without a state may have made of the kinds that bear no ownership tag: what a rebuild
    would bind or list, as far as nobody else is known to have made it. Pure."""
    there = {(kind, one.id): one for kind, found in seen.items() for one in found}
    brought = {item.address: item.id for item in graph.stack.imports}
    found = []
    for binding in bind(graph, kinds, seen, brought):
        address = binding.address
        if address in brought or kinds[address.kind].tags:
            continue
        some = [there[address.kind, binding.id]] if binding.id else binding.candidates
        found += [(address, one) for one in some if one.creator in ("", user)]
    return found


def bind(
    graph: Graph,
    kinds: Mapping[str, Kind],
    seen: Mapping[str, Sequence[Sighting]],
    told: Mapping[Address, str] | None = None,
) -> list[Binding]:
    """What each address of a stack is to be bound to, dependencies first; of some it is `told`. Pure."""
    binding = _Binding(graph, kinds, seen, dict(told or {}))
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
        if address in self.ids:
            return Binding(address, self.ids[address], "imports:")
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
