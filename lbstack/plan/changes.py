"""What a plan is: a frozen value that says what would change, and why.

The reason is for people; nothing decides by it. `Change.want` keeps references and secrets as
they were written, so that apply needs the plan and state alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lbstack.errors import Problem
from lbstack.recover import Orphan
from lbstack.values import NOTHING, Address, Allowed, Source


class Action(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    FORGET = "forget"
    MISSING = "missing"
    NOOP = "no-op"


SYMBOLS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "-/+",
    Action.DELETE: "-",
    Action.FORGET: ".",
    Action.MISSING: "!",
    Action.NOOP: " ",
}


@dataclass(frozen=True, slots=True)
class Absent:
    """Stands for "not there" beside a value that may be None."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One line of an update: the path to a value, the value before and after.

    `path` is the field's name, then keys of maps. `moved` marks a changed order, where before
    and after are lists of keys. `note` says why, where the values do not.
    """

    path: tuple[Any, ...]
    before: Any
    after: Any
    replaces: bool = False
    moved: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One resource's part of the plan. `before` and `after` are whole; `fields` is what differs.

    With `importing`, an existing object comes under this address. Where a replacement `forgets`, the old
    object stays in the workspace, for nothing can destroy it. `needs` are the addresses it
    will depend on, `needed` those it depended on when last applied. `contents` is how many of what it
    `holds` (labels, say) the object has, for what ends it ends them too. `unverified` are the secrets of an
    object that stays of which nobody knows whether it has them.
    """

    address: Address
    action: Action
    reason: str = ""
    id: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    fields: tuple[FieldChange, ...] = ()
    want: Mapping[str, Any] | None = None
    needs: tuple[Address, ...] = ()
    needed: tuple[Address, ...] = ()
    memory: Mapping[str, Any] = field(default_factory=dict)
    contents: int = 0
    holds: str = ""
    protected: bool = False
    importing: bool = False
    forgets: bool = False
    source: Source | None = None
    unverified: tuple[str, ...] = ()

    @property
    def symbol(self) -> str:
        """The sign that a plan shows before it."""
        return "+/." if self.forgets else SYMBOLS[self.action]

    @property
    def changed(self) -> set[str]:
        """Names of the fields that differ."""
        return {str(change.path[0]) for change in self.fields}


@dataclass(frozen=True, slots=True)
class OutputChange:
    """An output before and after; ABSENT where there is none."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Deposed:
    """An object that was replaced and is not yet destroyed, or forgotten where nothing can destroy it."""

    address: Address
    id: str
    attributes: Mapping[str, Any]
    needs: tuple[Address, ...] = ()
    forgets: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a guard refuses a plan, and what would have to be `allowed` for it not to; None: nothing would.

    With `destroy`, another command is there for what the plan would do.
    """

    problem: Problem
    allowed: Allowed | None = None
    destroy: bool = False


@dataclass(frozen=True, slots=True)
class Pins:
    """What a plan was made against; a saved plan is carried out only against the same, and once.

    `digest` tells what the stack says, `files` is of its files at `path`, byte by byte; `nonce` is of this
    one saved plan.
    """

    organization: str
    endpoint: str
    lineage: str
    serial: int
    digest: str = ""
    path: str = ""
    files: str = ""
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole plan. `recovered` are objects that an apply made without hearing of it, by address; `orphans`
    those that were made twice or too late and belong to none. `names` tells ids that state knows by their
    addresses, for readers.

    `waiting` is who will follow when what an address awaits is there. With `problems` or `refusals` it is
    refused: it tells what is, and cannot be carried out. `seen` are the fingerprints of what was read.
    """

    stack: str
    pins: Pins
    changes: tuple[Change, ...]
    outputs: tuple[OutputChange, ...] = ()
    deposed: tuple[Deposed, ...] = ()
    drift: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    names: Mapping[str, Address] = field(default_factory=dict)
    moves: tuple[tuple[Address, Address], ...] = ()
    imports: tuple[tuple[Address, str], ...] = ()
    output_wants: Mapping[str, Any] = field(default_factory=dict)
    destroy: bool = False
    recovered: tuple[tuple[Address, str], ...] = ()
    orphans: tuple[Orphan, ...] = ()
    waiting: Mapping[Address, tuple[Address, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    allowed: Allowed = NOTHING
    seen: Mapping[Address, str] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()

    @property
    def actions(self) -> tuple[Change, ...]:
        """The changes that do something, or tell of something that keeps the plan from being done."""
        return tuple(c for c in self.changes if c.action is not Action.NOOP or c.importing)

    @property
    def empty(self) -> bool:
        """Whether apply would change nothing, in the workspace or in the outputs."""
        return not (self.actions or self.outputs or self.deposed)

    def counts(self) -> dict[str, int]:
        """How many are to import, add, change, destroy and forget; a replacement adds and destroys, or
        adds and forgets."""
        tally = dict.fromkeys(("import", "add", "change", "destroy", "forget"), 0)
        for change in self.changes:
            for part in ("add", "forget") if change.forgets else COUNTED.get(change.action, ()):
                tally[part] += 1
            tally["import"] += change.importing
        for old in self.deposed:
            tally["forget" if old.forgets else "destroy"] += 1
        return tally


def counted(number: int, plural: str) -> str:
    """How many of something there are: ``1 row``, ``3 rows``."""
    return f"{number} {plural if number != 1 else plural.removesuffix('s')}"


COUNTED = {
    Action.CREATE: ("add",),
    Action.UPDATE: ("change",),
    Action.REPLACE: ("add", "destroy"),
    Action.DELETE: ("destroy",),
    Action.FORGET: ("forget",),
}
