"""Station 3: what the service has, for every resource a stack or its state names. Reads only.

Kinds say what they want to read; here the asks of all kinds travel together, as aliases in few
documents. Every document also asks who is asking and in which organisation, so that an answer
from elsewhere, or for somebody else, never passes as "the object is gone".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from lbstack.errors import AuthError, Exit, Problem, ServiceError, StackError, StateError
from lbstack.kinds.contract import Ask, Fields, Findings, Kind, Live, ReadProblems, Reply, Tracked
from lbstack.values import Address

DOCUMENT_COST = 4000
"""About how many objects one document may ask for."""

CANARY = "user { id email } organization { id name }"
TOO_COMPLEX = "Query complexity limit exceeded"
PLACEHOLDER = re.compile(r"\$(\w+)")


R = TypeVar("R")


class Reader(Protocol):
    """The wire, as far as reading goes. `Answer` has `data` and `errors` as they came."""

    async def read(self, document: str, variables: dict[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The workspace as it was read: who read it, where, and each resource (None: proven gone)."""

    organization: str = ""
    user: str = ""
    resources: Mapping[Address, Live | None] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    facts: Mapping[str, Fields] = field(default_factory=dict)
    """What else each kind has read, for its guard."""


class Identity:
    """Who the service says we are; the same in every answer, or the answer counts for nothing."""

    def __init__(self, organization: str = "") -> None:
        self.organization = organization
        self.user = ""

    def check(self, data: dict[str, Any] | None) -> None:
        """Refuse an answer that does not say who and where, or says another than before."""
        user, organization = (_id(data, "user"), _id(data, "organization"))
        if not user or not organization:
            raise ServiceError(
                "the service did not say which organisation answered",
                "identity",
                "nothing was concluded from it",
            )
        if self.organization and organization != self.organization:
            raise StateError(
                f"the API key belongs to organisation {organization}, the state to {self.organization}",
                "use the key of that organisation, or name another state with --state",
            )
        if self.user and user != self.user:
            raise AuthError(f"the service answered as user {user}, before as {self.user}", "try again")
        self.organization, self.user = organization, user


def _id(data: dict[str, Any] | None, root: str) -> str:
    node = (data or {}).get(root)
    return node["id"] if isinstance(node, dict) and isinstance(node.get("id"), str) else ""


async def read(
    tracked: Mapping[str, Sequence[Tracked]],
    kinds: Mapping[str, Kind],
    wire: Reader,
    *,
    organization: str = "",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Snapshot:
    """Read every tracked resource, grouped by kind. `organization` is what state is pinned to.

    Raises whatever kept a single address from being known: a plan from half a view is no plan.
    """
    readings = {name: kinds[name].read(items) for name, items in tracked.items() if items}
    problems: list[Problem] = []
    results, identity = await gather(
        readings, wire, organization=organization, on_progress=on_progress, problems=problems
    )
    found: dict[Address, Live | None] = {}
    facts: dict[str, Fields] = {}
    for name, some in results.items():
        told = some if isinstance(some, Findings) else Findings(some)
        found.update(told.resources)
        facts[name] = told.facts
    return Snapshot(identity.organization, identity.user, found, tuple(problems), facts)


async def gather(
    readings: Mapping[str, Generator[list[Ask], list[Reply], R]],
    wire: Reader,
    *,
    organization: str = "",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    problems: list[Problem] | None = None,
) -> tuple[dict[str, R], Identity]:
    """Carry readings out side by side, and say who read. What contradicts the stack joins `problems`."""
    identity = Identity(organization)
    results: dict[str, R] = {}
    pending: dict[str, list[Ask]] = {}
    for name, reading in readings.items():
        _advance(name, reading, None, pending, results, problems)
    first = True
    while pending or first:
        asks = [ask for batch in pending.values() for ask in batch]
        replies = iter(await _send(asks, wire, identity, on_progress))
        first, waiting, pending = False, pending, {}
        for name, batch in waiting.items():
            _advance(name, readings[name], [next(replies) for _ in batch], pending, results, problems)
    return results, identity


async def require_organization(wire: Reader, organization: str) -> None:
    """Refuse to go on when the key belongs to another organisation than a plan was made for."""
    await _ask([], wire, Identity(organization))


def _advance(
    name: str,
    reading: Generator[list[Ask], list[Reply], R],
    replies: list[Reply] | None,
    pending: dict[str, list[Ask]],
    results: dict[str, R],
    problems: list[Problem] | None,
) -> None:
    """Let one kind go on until it asks for more or is done."""
    try:
        pending[name] = next(reading) if replies is None else reading.send(replies)
    except StopIteration as stop:
        results[name] = stop.value
    except ReadProblems as error:
        if problems is None:
            raise ServiceError(str(error)) from None
        problems.extend(error.problems)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServiceError(
            f"the service's answer about {name}s has an unexpected shape: {type(error).__name__} at {error}",
            "shape",
            "nothing was concluded from it",
        ) from error


# -- packing --------------------------------------------------------------------------------------


def pack(asks: Sequence[Ask], limit: int = DOCUMENT_COST) -> list[list[int]]:
    """Which asks share a document: in order, up to `limit` objects each."""
    groups: list[list[int]] = []
    room = 0
    for index, ask in enumerate(asks):
        if not groups or ask.cost > room:
            groups.append([])
            room = limit
        groups[-1].append(index)
        room -= ask.cost
    return groups or [[]]


def document(asks: Iterable[Ask]) -> tuple[str, dict[str, Any]]:
    """One query for several asks: aliases ``a0, a1, …``, every value as a variable."""
    roots, declared, variables = [], [], {}
    for index, ask in enumerate(asks):
        alias = f"a{index}"
        for name, (kind, value) in ask.variables.items():
            variables[f"{alias}_{name}"] = value
            declared.append(f"${alias}_{name}: {kind}")
        roots.append(f"{alias}: {_renamed(ask.text, alias)}")
    head = f"({', '.join(declared)})" if declared else ""
    return f"query Refresh{head} {{ {CANARY} " + " ".join(roots) + " }", variables


def _renamed(text: str, alias: str) -> str:
    return PLACEHOLDER.sub(lambda match: f"${alias}_{match[1]}", text)


async def _send(
    asks: list[Ask], wire: Reader, identity: Identity, on_progress: Callable[[int, int], None]
) -> list[Reply]:
    groups = pack(asks)
    replies: dict[int, Reply] = {}

    async def send(group: list[int]) -> None:
        answers = await _ask([asks[index] for index in group], wire, identity)
        replies.update(zip(group, answers, strict=True))
        on_progress(len(replies), len(asks))

    # The first alone, so that a wrong key or organisation is told before anything else is read.
    if not identity.user:
        await send(groups.pop(0))
    async with asyncio.TaskGroup() as tasks:
        for group in groups:
            tasks.create_task(send(group))
    return [replies[index] for index in range(len(asks))]


async def _ask(asks: list[Ask], wire: Reader, identity: Identity) -> list[Reply]:
    """One document; halved for as long as the service finds it too complex."""
    text, variables = document(asks)
    answer = await wire.read(text, variables)
    if any(error.get("message") == TOO_COMPLEX for error in answer.errors):
        if len(asks) == 1:
            return [Reply(too_complex=True)]
        half = len(asks) // 2
        return [*await _ask(asks[:half], wire, identity), *await _ask(asks[half:], wire, identity)]
    by_alias = _errors_by_alias(answer.errors)
    identity.check(answer.data)
    return [_reply(answer.data, f"a{index}", by_alias.get(f"a{index}", [])) for index in range(len(asks))]


def _errors_by_alias(errors: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Errors by the alias they touch; one that touches none, or the canary, fails the whole read."""
    by_alias: dict[str, list[dict[str, Any]]] = {}
    for error in errors:
        path = error.get("path")
        root = path[0] if isinstance(path, list) and path else ""
        if not (isinstance(root, str) and re.fullmatch(r"a\d+", root)):
            raise _failure(error)
        by_alias.setdefault(root, []).append(error)
    return by_alias


def _reply(data: dict[str, Any] | None, alias: str, errors: list[dict[str, Any]]) -> Reply:
    """Gone only on RESOURCE_NOT_FOUND at exactly this alias and nothing else; any other error fails."""
    if not errors:
        value = (data or {}).get(alias)
        if value is None:
            raise ServiceError(
                "the service answered null without an error", "null", "nothing was concluded from it"
            )
        return Reply(value)
    if len(errors) == 1 and errors[0].get("path") == [alias] and _code(errors[0]) == "RESOURCE_NOT_FOUND":
        return Reply(gone=True)
    raise _failure(errors[0])


def _code(error: dict[str, Any]) -> str:
    extensions = error.get("extensions")
    return str(extensions.get("code", "")) if isinstance(extensions, dict) else ""


def _failure(error: dict[str, Any]) -> StackError:
    code, message = _code(error), " ".join(str(error.get("message", "")).split())
    if code in ("AUTHENTICATION_ERROR", "AUTHORIZATION_ERROR"):
        return AuthError(f"the service refused the API key: {message}", "set LABELBOX_API_KEY to a valid key")
    failure = ServiceError(f"reading the workspace failed: {message}", code)
    failure.exit = Exit.ERROR
    return failure
