"""The nouns every station shares: addresses, references, unknowns, secrets, positions.

Nothing here acts, and nothing here imports the rest of lbstack but the list of what is secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lbstack.redaction import HIDDEN, know
from lbstack.redaction import redacted as redacted  # for those who speak of values anyway


class Source(NamedTuple):
    """Where something was written: a file and a 1-based line and column."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Address(NamedTuple):
    """A resource's name in a stack: its kind, a dot, and its key (``KIND.KEY``)."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.key}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Split at the first dot, so that keys may hold dots (``KIND.a@example.com``)."""
        kind, dot, key = text.partition(".")
        if not (kind and dot and key):
            raise ValueError(f"{text!r} is no address; write KIND.KEY")
        return cls(kind, key)


@dataclass(frozen=True, slots=True)
class Ref:
    """An attribute of another resource, used as a value; known once that resource exists."""

    address: Address
    attribute: str = "id"

    def __str__(self) -> str:
        return f"${{{self.address}.{self.attribute}}}"


@dataclass(frozen=True, slots=True)
class Template:
    """Text with references in it: literal pieces and `Ref`s, in order."""

    parts: tuple[str | Ref, ...]

    def __str__(self) -> str:
        return "".join(str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Unset:
    """Stands for a variable without a value while a stack is only validated, never planned."""

    name: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that exists only after apply; `ref` says whose, where one resource alone decides it."""

    ref: Ref | None = None

    def __str__(self) -> str:
        return "(known after apply)"


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Allowed:
    """What was said to be meant, by name, of what no plan may do by mistake (``plan/guards.py``)."""

    recreate: tuple[Address, ...] = ()
    data_loss: tuple[Address, ...] = ()
    mass_change: bool = False

    def __or__(self, other: Allowed) -> Allowed:
        return Allowed(
            tuple(dict.fromkeys((*self.recreate, *other.recreate))),
            tuple(dict.fromkeys((*self.data_loss, *other.data_loss))),
            self.mass_change or other.mass_change,
        )


NOTHING = Allowed()


@dataclass(frozen=True, slots=True)
class Digest:
    """What is remembered of a secret: a keyed digest, hex. Two equal digests mean equal secrets."""

    hex: str

    def __str__(self) -> str:
        return HIDDEN


@dataclass(frozen=True, slots=True)
class Intent:
    """A create that was announced before it was sent.

    `marker` is random, 32 hex digits, and stands in what is made; `natural` is what else tells that
    object from others; `actor` is the id of the user who sends it; `since` the service's clock, in seconds
    since 1970, when it was announced (None: not known). `secrets` are keyed digests of what was sent and is
    never told again, by field. `replaced` is what its object takes the place of, as that was read. Once it
    is known what was made, that is `id`.
    """

    address: Address
    marker: str
    attempt: int = 1
    actor: str = ""
    since: float | None = None
    natural: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    replaced: Mapping[str, Any] = field(default_factory=dict)


def visible(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes without a kind's own notes (names that begin with an underscore)."""
    return {name: value for name, value in attributes.items() if not name.startswith("_")}


class Secret:
    """A value that lives in memory only. Printing, comparing and hashing it never show what it is.

    `variable` names where it came from, so that a saved plan can ask for it again.
    """

    __slots__ = ("_value", "variable")

    def __init__(self, value: str, variable: str | None = None) -> None:
        self._value = value
        self.variable = variable
        know(value)

    def reveal(self) -> str:
        """The secret itself; only the wire and the digest may ask."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self.variable))


def key_of(told: Any, names: Mapping[str, Address]) -> Any:
    """A compared value as it is written: a resource by its key, whether it is there yet or not. `names` are
    the addresses of known ids."""
    if isinstance(told, Unknown) and told.ref is not None:
        return told.ref.address.key
    return names[told].key if isinstance(told, str) and told in names else told


def refs_in(value: Any) -> list[Ref]:
    """Every reference inside a value, depth first, mapping keys included."""
    if isinstance(value, Ref):
        return [value]
    if isinstance(value, Template):
        return [part for part in value.parts if isinstance(part, Ref)]
    if isinstance(value, dict):
        return [ref for pair in value.items() for item in pair for ref in refs_in(item)]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [ref for item in value for ref in refs_in(item)]
    return []
