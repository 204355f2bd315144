"""One question to the service, and what its answer proves: the asks of several kinds in one document.

Unknown is not absent: an object is *gone* only if all of this holds, and whatever else comes back fails
the read, naming what was asked for.

* The answer is whole, and the only error that touches the object's alias is RESOURCE_NOT_FOUND at exactly it.
* The same answer says who asks and where, as before: one from elsewhere, or for somebody else, counts for
  nothing.
* It also says that whoever asks may do all that they could when the state was written: who may do less
  sees less.
* A second read, a while later, says the same (`live`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lbstack.errors import AuthError, Exit, ServiceError, StackError, StateError, typed
from lbstack.kinds.contract import Ask, Reply
from lbstack.values import Address

DOCUMENT_COST = 4000
"""About how many objects one document may ask for."""

CANARY = "user { id email } organization { id name } organizationRole { permissions }"
TOO_COMPLEX = "Query complexity limit exceeded"
PLACEHOLDER = re.compile(r"\$(\w+)")


NAMED = 10
"""Addresses that a failed read names, before it says how many more there are."""

AGAIN = 2.0
"""Seconds until a second read: a replica that lags has caught up."""


def again_after(settle: float) -> float:
    """Seconds until a second read, where a workspace shows all there is after `settle` seconds."""
    return min(AGAIN, settle * AGAIN / 75)


class Reader(Protocol):
    """The wire, as far as reading goes. `Answer` has `data` and `errors` as they came."""

    def server_now(self) -> float | None: ...

    async def read(self, document: str, variables: dict[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Absence:
    """What it takes to believe that something is gone: how long until it is read `again`, and what whoever
    asks could do before (`permissions`; none: not known). `words` are what a command needs to come to the
    state that knows it."""

    again: float = AGAIN
    permissions: frozenset[str] = frozenset()
    words: Sequence[str] = ()


class Identity:
    """Who the service says we are; the same in every answer, or the answer counts for nothing.

    `names` are the addresses of the ids that are asked for.
    """

    def __init__(
        self,
        organization: str = "",
        absence: Absence | None = None,
        names: Mapping[str, Address] | None = None,
    ) -> None:
        self.organization = organization
        self.user = ""
        self.permissions: tuple[str, ...] = ()
        self.absence = absence or Absence()
        self.names = names or {}

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
        self.permissions = _permissions(data)

    def require_sight(self, what: str = "") -> None:
        """Refuse to take for gone what may only be hidden from whoever may do less than before, as the last
        answer says. `what` begins the message, where it is not known by what was asked."""
        lost = self.absence.permissions - {*self.permissions}
        if lost:
            raise ServiceError(
                f"{what}it may be gone, or only hidden: this API key may do less than when the state was"
                " written",
                "invisible",
                f"use a key that may {', '.join(sorted(lost))}; if it is gone: "
                + typed("state rm", "ADDRESS", *self.absence.words),
            )


def _permissions(data: dict[str, Any] | None) -> tuple[str, ...]:
    role = (data or {}).get("organizationRole")
    told = role.get("permissions") if isinstance(role, dict) else None
    return tuple(sorted(name for name in told if isinstance(name, str))) if isinstance(told, list) else ()


def _id(data: dict[str, Any] | None, root: str) -> str:
    node = (data or {}).get(root)
    return node["id"] if isinstance(node, dict) and isinstance(node.get("id"), str) else ""


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


async def ask_all(asks: list[Ask], wire: Reader, identity: Identity) -> list[Reply]:
    """One document; halved for as long as the service finds it too complex."""
    text, variables = document(asks)
    with _naming(asks, identity):
        answer = await wire.read(text, variables)
    if any(error.get("message") == TOO_COMPLEX for error in answer.errors):
        if len(asks) == 1:
            return [Reply(too_complex=True)]
        half = len(asks) // 2
        return [*await ask_all(asks[:half], wire, identity), *await ask_all(asks[half:], wire, identity)]
    with _naming(asks, identity):
        by_alias = _errors_by_alias(answer.errors)
        identity.check(answer.data)
    replies = []
    for index, ask in enumerate(asks):
        with _naming([ask], identity):
            reply = _reply(answer.data, f"a{index}", by_alias.get(f"a{index}", []))
            if reply.gone:
                identity.require_sight()
        replies.append(replace(reply, now=wire.server_now()))
    return replies


@contextmanager
def _naming(asks: Sequence[Ask], identity: Identity) -> Iterator[None]:
    """Let a failed read say what was asked for: addresses where they are known, else fields."""
    try:
        yield
    except ServiceError as error:
        values = [value for ask in asks for _, value in ask.variables.values() if isinstance(value, str)]
        known = [str(identity.names[value]) for value in values if value in identity.names]
        about = listed(known or (ask.text.partition("(")[0].split()[0] for ask in asks))
        error.problems = [replace(item, summary=f"{about}{item.summary}") for item in error.problems]
        error.args = ("\n".join(str(item) for item in error.problems),)
        raise


def listed(names: Iterable[str]) -> str:
    """What a failure is about, as the beginning of its message: some names, and how many more."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"{', '.join(found[:NAMED])}{more}: " if found else ""


def _errors_by_alias(errors: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Errors by the alias they touch; one that touches none, or the canary, fails the whole read."""
    by_alias: dict[str, list[dict[str, Any]]] = {}
    for error in errors:
        path = error.get("path")
        root = path[0] if isinstance(path, list) and path else ""
        if root == "organizationRole" and _code(error) != "AUTHENTICATION_ERROR":
            continue  # what is not told of permissions counts as none
        if not (isinstance(root, str) and re.fullmatch(r"a\d+", root)):
            raise _failure(error)
        by_alias.setdefault(root, []).append(error)
    return by_alias


def _reply(data: dict[str, Any] | None, alias: str, errors: list[dict[str, Any]]) -> Reply:
    """Gone only on RESOURCE_NOT_FOUND at exactly this alias and nothing else; any other error fails."""
    value = (data or {}).get(alias)
    if not errors:
        if value is None:
            raise ServiceError(
                "the service answered null without an error", "null", "nothing was concluded from it"
            )
        return Reply(value)
    alone = value is None and len(errors) == 1
    if alone and errors[0].get("path") == [alias] and _code(errors[0]) == "RESOURCE_NOT_FOUND":
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


async def require_organization(wire: Reader, organization: str) -> None:
    """Refuse to go on when the key belongs to another organisation than a plan was made for."""
    await ask_all([], wire, Identity(organization))
