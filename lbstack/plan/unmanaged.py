"""What exists in a workspace and in no state, and how much of it is managed, kind by kind. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lbstack.kinds.contract import Kind, Sighting
from lbstack.state.model import State
from lbstack.values import Address


@dataclass(frozen=True, slots=True)
class Stray:
    """An object that nobody here manages; `owner` is the stack and address that its tag names."""

    kind: str
    id: str
    name: str
    created: float | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """What was found, and the coverage: how many are managed, of how many, in all and by kind.

    Another stack's objects are `others`: managed, though not here; they count as such. What is ignored
    counts nowhere.
    """

    objects: tuple[Stray, ...] = ()
    others: tuple[Stray, ...] = ()
    kinds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    ignored: int = 0

    @property
    def managed(self) -> int:
        """How many are managed, here or by another stack."""
        return sum(managed for managed, _ in self.kinds.values())

    @property
    def total(self) -> int:
        """How many there are that count."""
        return sum(total for _, total in self.kinds.values())


def unmanaged(
    seen: Mapping[str, Sequence[Sighting]],
    states: Sequence[State],
    kinds: Mapping[str, Kind],
    ignores: Callable[..., bool],
) -> Unmanaged:
    """Tell apart what was seen: managed in one of these states, another stack's, ignored, or nobody's.

    Where a key says which object is meant, that counts as well as its id.
    """
    known = {(address.kind, mark) for state in states for mark, address in _marks(state, kinds)}
    mine = {state.stack for state in states}
    objects, others, ignored = [], [], 0
    coverage: dict[str, tuple[int, int]] = {}
    for kind, found in seen.items():
        managed = total = 0
        for each in sorted(found, key=lambda sighting: (sighting.name, sighting.id)):
            stray = Stray(kind, each.id, each.name, each.created, each.owner or "")
            if (kind, each.id) in known or (kind, kinds[kind].identity(each.name)) in known:
                managed, total = managed + 1, total + 1
            elif ignores(f"{kind}.{each.name}", each.id):
                ignored += 1
            elif each.owner and each.owner.partition("/")[0] not in mine:
                others.append(stray)
                managed, total = managed + 1, total + 1
            else:
                objects.append(stray)
                total += 1
        coverage[kind] = (managed, total)
    return Unmanaged(tuple(objects), tuple(others), coverage, ignored)


def _marks(state: State, kinds: Mapping[str, Kind]) -> Iterable[tuple[str | None, Address]]:
    """What tells every object that a state knows, those that are still to be destroyed too."""
    for address, entry in state.resources.items():
        for id in (entry.id, *(old.id for old in entry.deposed)):
            if id is not None:
                yield id, address
        if (identity := kinds[address.kind].identity(address.key)) is not None:
            yield identity, address
