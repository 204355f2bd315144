"""What a kind is: a spec whose fields declare their roles, and how it is read and changed.

The engine knows kinds only through this module. A kind describes its reads as `Ask`s, which
travel together with those of all other kinds; it sees the world through `Work` (`changing`), which
knows no kind. Fields cross the border as plain mappings in the spec's own words (*fields*): what a stack
wants, what the service has and what state remembers all have this one shape.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, get_args

from pydantic import BaseModel

from lbstack.errors import Problem
from lbstack.kinds.changing import Fields as Fields
from lbstack.kinds.changing import Wire as Wire
from lbstack.kinds.changing import Work as Work
from lbstack.kinds.fields import Role, Spec, metadata
from lbstack.values import Address, Ref, key_of

# -- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """One root field of a read, as text with ``$name`` placeholders.

    `variables` maps a placeholder to its GraphQL type and value; `cost` is about how many objects
    the answer may hold, by which reads are packed into documents. What is to be looked at `later` is a
    second look at what the first did not show.
    """

    text: str
    variables: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    cost: int = 1
    later: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one `Ask`: its data, or proof that the object is gone, or *too complex*; and the
    service's time `now`, in seconds since 1970 (None: it did not say)."""

    data: Any = None
    gone: bool = False
    too_complex: bool = False
    now: float | None = None


@dataclass(frozen=True, slots=True)
class Tracked:
    """One resource to read: its id where state knows one, what the stack wants of it (unresolved),
    and the attributes and notes (`known`, `memory`) that were remembered of it."""

    address: Address
    id: str | None
    want: Fields | None = None
    memory: Fields = field(default_factory=dict)
    known: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Live:
    """A resource as the service has it, in spec words.

    `contents` counts what it is used for, `stake` those of what its kind `holds` that end with it.
    `updated` is when it was last changed, by the service's clock in seconds since 1970 (None: it did not
    say), `owner` what its ownership tag says, if it bears one; neither is part of what is compared.
    """

    id: str
    attributes: Fields
    contents: int = 0
    stake: int = 0
    updated: float | None = field(default=None, compare=False)
    owner: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Sighting:
    """An object in the workspace that a create may have made.

    `marker` is the one that it bears, `natural` its natural key as `Kind.natural` tells it; `created` is the
    service's time, in seconds since 1970, `creator` a user's id ("": not told), `owner` what its ownership
    tag says, if it bears one. `memory` is what the kind remembers of it once it is taken over.
    """

    id: str
    name: str
    marker: str | None
    natural: Fields
    created: float
    creator: str = ""
    owner: str | None = None
    memory: Fields = field(default_factory=dict)

    def __post_init__(self) -> None:
        for told in (self.id, self.name, self.creator):
            if not isinstance(told, str):
                raise ValueError(f"{told!r} instead of a text")


Search = Generator[list[Ask], list[Reply], list[Sighting]]
"""A kind's search for what creates may have made: asks and replies as in a `Reading`."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a read found, with `facts` about the workspace that the kind's own guard needs (`Kind.guard`)."""

    resources: dict[Address, Live | None]
    facts: Fields = field(default_factory=dict)


Reading = Generator[list[Ask], list[Reply], dict[Address, Live | None] | Findings]
"""A kind's read: yields asks, is sent the replies in the same order, returns what it found.

An address maps to None only on proof that its object is gone; one that is left out was not read.
"""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan would do to one resource, as far as a kind's guard must know.

    `action` is create, update, replace or delete; `before` is empty where nothing is there yet.
    """

    address: Address
    action: str
    id: str | None
    before: Fields
    after: Fields
    memory: Fields


class Kind:
    """One kind of resource. Subclasses stand one to a file and are listed in the registry."""

    name: ClassVar[str]
    plural: ClassVar[str]
    Spec: ClassVar[type[Spec]]
    computed: ClassVar[tuple[str, ...]] = ()
    """Attributes that only the service sets, beside ``id``."""
    deletable: ClassVar[bool] = True
    """Whether the service can delete it; if not, destroying forgets it."""
    marks: ClassVar[bool] = True
    """Whether what it makes bears the marker of its create."""
    tags: ClassVar[bool] = False
    """Whether what it makes bears its owner's name for good."""
    looks_first: ClassVar[bool] = False
    """Whether `create` itself looks for what an earlier one made, by a natural key that nothing shares."""
    kept: ClassVar[str] = ""
    """For what cannot be deleted: what becomes of it, told in the plan."""
    holds: ClassVar[str] = ""
    """What of people's work ends with an object (rows, labels), in the plural; `count` tells how many."""
    lost: ClassVar[str] = ""
    """What another object in the place of one that is gone does not bring back, as a phrase."""

    @cached_property
    def roles(self) -> dict[str, tuple[Role, ...]]:
        """The roles of each field of the spec."""
        return {
            name: tuple(m for m in metadata(info) if isinstance(m, get_args(Role)))
            for name, info in self.Spec.model_fields.items()
        }

    def role(self, name: str, role: type[Any]) -> Any:
        """The role of a field, or None."""
        return next((r for r in self.roles.get(name, ()) if isinstance(r, role)), None)

    def identity(self, key: str) -> str | None:
        """What the key itself says of which object is meant, in one spelling; None where a key is only a
        name in the stack. A resource cannot get a key that means another object."""
        return None

    def wanted(self, key: str, spec: BaseModel) -> Fields:
        """The fields that a spec manages, normalised. Only what was written, plus what that implies.

        Raises ValueError with every reason, an argument each, why these fields do not go together.
        """
        return {
            name: getattr(spec, name) for name in type(spec).model_fields if name in spec.model_fields_set
        }

    def check(self, key: str, want: Fields, find: Callable[[Ref], Fields | None]) -> list[tuple[str, str]]:
        """What is wrong with a resource beside others of its stack, as (field, summary), offline.

        `find` gives the wanted fields of a referenced resource. Fields that are wrong by themselves, or
        not known yet, are left out of both: what is not there is not judged.
        """
        return []

    def unwise(self, want: Fields) -> list[tuple[str, str]]:
        """What of a resource is allowed and yet a risk, as (field, summary), offline."""
        return []

    def sets(self, want: Fields) -> tuple[str, ...]:
        """Which of the computed attributes an object with these fields has."""
        return self.computed

    def align(self, want: Fields, have: Fields) -> Fields:
        """The live fields, told in the words of this wish (as when a part was renamed)."""
        return have

    def place(self, path: Sequence[Any], body: Any, names: Mapping[str, Address]) -> tuple[str | int, ...]:
        """Where in its `body`, as it is written, what is compared at a path stands; as far as it does.

        `names` are the addresses of known ids, for resources are written by their keys.
        """
        steps = tuple(key_of(step, names) for step in path)
        there = body.get(steps[0]) if isinstance(body, Mapping) else None
        if isinstance(there, list) and len(steps) == 2:
            told = [str(item).rpartition(".")[2].rstrip("}").lower() for item in there]
            said = [str(item).lower() for item in there]
            mine = str(steps[1]).lower()
            found = [spelled.index(mine) for spelled in (said, told) if mine in spelled]
            return (steps[0], *found[:1])
        return steps

    def written(self, fields: Fields, body: Any) -> Fields:
        """Compared fields as somebody would write them in a `body` like this one; ids stand for keys."""
        return {name: value for name, value in fields.items() if name in self.Spec.model_fields}

    def part_key(self, part: Any) -> str | None:
        """What tells a written part of a list from its siblings; None where nothing does."""
        return part if isinstance(part, str) else None

    def awaiting(self, attributes: Fields) -> str | None:
        """What a person must still do before others can rely on it, as a phrase; None if nothing."""
        return None

    def guard(self, planned: Sequence[Planned], facts: Fields, user: str) -> list[Problem]:
        """What of a plan may not be done, whatever is allowed, because nobody could undo it afterwards.

        `facts` are those of the read, `user` is whose key it was. What is refused here must hold when the
        plan is carried out, too: the step itself then raises `GuardError`.
        """
        return []

    def read(self, tracked: Sequence[Tracked]) -> Reading:
        """How to read these resources."""
        raise NotImplementedError

    def natural(self, key: str, want: Fields) -> Fields:
        """What of a resolved wish tells its object from others, besides a marker. Holds no secret."""
        return {}

    def search(self, since: str | None, lost: bool) -> Search:
        """How to find what creates made since a time (ISO 8601; None: ever) and nobody heard of: all that
        bears a marker, and if something is `lost` also what could be meant by a natural key."""
        return []
        yield

    def census(self) -> Search:
        """How to find all that lives of the kind, whoever made it."""
        return self.search(None, True)

    async def count(self, work: Work, id: str) -> int:
        """How many of what it `holds` an object has now."""
        return 0

    async def create(self, work: Work, want: Fields) -> Fields:
        """Make it; call `work.made` as soon as it exists. Returns attributes the service set."""
        raise NotImplementedError

    async def update(self, work: Work, id: str, have: Fields, want: Fields, changed: set[str]) -> Fields:
        """Bring the changed fields to what is wanted. Returns attributes the service set."""
        raise NotImplementedError

    def leaves(self, id: str, memory: Fields) -> bool:
        """Whether an object that is gone leaves things behind that `delete` still has to clear away."""
        return False

    async def delete(self, work: Work, id: str, have: Fields) -> None:
        """Retire it, where it is `deletable`. `NotFound` means that somebody else did."""
        raise NotImplementedError


class ReadProblems(Exception):
    """Raised by a read when the workspace contradicts the stack: a role that does not exist, say."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(str(problems))
