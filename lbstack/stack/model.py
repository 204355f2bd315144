"""What a stack says: resources with resolved fields, and what goes with them. Facts only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lbstack.kinds.contract import Fields
from lbstack.stack.tree import Item, locate
from lbstack.values import Address, Ref, Source


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How the engine treats a resource: may it be destroyed (None: as before), which fields are left to
    others."""

    prevent_destroy: bool | None = None
    ignore_changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource: its managed fields in the spec's words, references and secrets unresolved.

    `previously` is the key it had before. `partial` says that fields are left out: for
    variables without a value (when a stack is merely validated), or because something is wrong.
    """

    address: Address
    fields: Fields
    source: Source
    lifecycle: Lifecycle = Lifecycle()
    previously: str | None = None
    partial: bool = False
    written: Item | None = field(default=None, repr=False, compare=False)

    def where(self, *path: str | int) -> Source:
        """Where a field, or a part of one, was written; the resource's key if it was not."""
        return locate(self.written, path) if self.written else self.source


@dataclass(frozen=True, slots=True)
class Output:
    """A value told to the outside: plain data, with `Template`s where resources decide it."""

    name: str
    value: Any
    source: Source


@dataclass(frozen=True, slots=True)
class Moved:
    """A resource has a new address; it is the same object."""

    from_: Address
    to: Address
    source: Source


@dataclass(frozen=True, slots=True)
class Removed:
    """A resource left the stack: destroyed, or (by default) only forgotten."""

    address: Address
    destroy: bool
    source: Source


@dataclass(frozen=True, slots=True)
class Import:
    """An existing object comes under a resource of the stack; `from_stack` is the one that let go of it."""

    address: Address
    id: str
    source: Source
    from_stack: str | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack, valid by itself; references may still dangle.

    `resources` stand in file order. `digest` is the hex SHA-256 of what the stack says, variables
    resolved: the order of mappings, positions and the values of secrets do not enter it. `loose` are
    references in texts of which another part cannot be told, so that no field holds them. `variables` are
    the names of those that are declared.
    """

    name: str
    resources: dict[Address, Resource]
    outputs: dict[str, Output]
    moved: tuple[Moved, ...]
    removed: tuple[Removed, ...]
    imports: tuple[Import, ...]
    digest: str
    loose: tuple[tuple[Ref, Source], ...] = ()
    variables: tuple[str, ...] = ()
