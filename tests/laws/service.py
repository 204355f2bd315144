"""A strict made-up service: it holds objects, refuses whatever is not in order, and can be cut off.

It speaks a language of three mutations (``create``, ``update``, ``delete``) and answers the
documents that `lbstack.live` sends. Ids are counted, so that nothing needs a mask.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lbstack.errors import NotFound, ServiceError

FIXED = {"shape", "home"}
"""Fields that no update may name."""

ASKED = re.compile(r"(a\d+): \w+\(id: \$(\w+)\)")


LISTED = re.compile(r"(a\d+): made\(kind: \$(\w+)\)")


class Death(BaseException):
    """The process is killed: nothing after this moment happens."""


@dataclass
class Fate:
    """Counts the moments of an apply (before and after each mutation and each record) and ends it at one.

    A `Death` is for good: whatever still runs can do nothing. An OSError passes.
    """

    at: int = 0
    error: type[BaseException] = Death
    moment: int = 0

    def pass_by(self) -> None:
        self.moment += 1
        over = self.moment > self.at > 0 and self.error is not OSError
        if self.moment == self.at or over:
            raise self.error(f"at moment {self.at}")


@dataclass
class Answer:
    """What a read brings, as the wire hands it on."""

    data: dict[str, Any] | None
    errors: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Service:
    """Objects by id: ``{"kind", "address", "fields", "secret"}``. What it refused is in `refusals`."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    done: list[tuple[str, str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    """Addresses of which it does nothing but fail."""
    rambling: set[str] = field(default_factory=set)
    """Addresses about which it answers nonsense and does nothing."""
    fate: Fate = field(default_factory=Fate)

    # -- what a kind may send ---------------------------------------------------------------------

    async def mutate(self, document: str, **variables: Any) -> dict[str, Any]:
        """One mutation, with a pause on either side in which other steps go on."""
        self.fate.pass_by()
        await asyncio.sleep(0)
        if variables["address"] in self.failing:
            raise ServiceError(f"{variables['address']} is out of order")
        if variables["address"] in self.rambling:
            return {}
        answer = {"create": self._create, "update": self._update, "delete": self._delete}[document](
            **variables
        )
        self.done.append((document, variables["address"]))
        self.fate.pass_by()
        await asyncio.sleep(0)
        return answer

    async def query(self, document: str, **variables: Any) -> dict[str, Any]:
        raise NotImplementedError

    async def rest(self, method: str, path: str, body: Any = None) -> Any:
        raise NotImplementedError

    def _create(self, kind: str, address: str, marker: str, fields: dict[str, Any]) -> dict[str, Any]:
        self._require_references(address, fields)
        id = f"{kind}-{len(self.made) + 1}"
        self.made.append(id)
        self.objects[id] = {"kind": kind, "address": address, "marker": marker, "fields": dict(fields)}
        return {"id": id, "stamp": f"stamp of {id}"}

    def _update(self, id: str, address: str, fields: dict[str, Any]) -> dict[str, Any]:
        if id not in self.objects:
            self._refuse(f"{address}: there is no {id}")
        now = self.objects[id]["fields"]
        if FIXED & set(fields):
            self._refuse(f"{address}: {', '.join(FIXED & set(fields))} of {id} cannot change")
        self._require_references(address, fields)
        now.update(fields)
        return {"id": id}

    def _delete(self, id: str, address: str) -> dict[str, Any]:
        if id not in self.objects:
            raise NotFound(f"there is no {id}")
        users = [other for other, held in self.objects.items() if id in set(mentioned(held["fields"]))]
        if users:
            self._refuse(f"{address}: {id} is still used by {', '.join(users)}")
        del self.objects[id]
        return {}

    def _require_references(self, address: str, fields: dict[str, Any]) -> None:
        for id in mentioned(fields):
            if id not in self.objects:
                self._refuse(f"{address}: refers to {id}, which is not there")

    def _refuse(self, why: str) -> None:
        self.refusals.append(why)
        raise ServiceError(why)

    # -- what the reader of the workspace sends -----------------------------------------------------

    def server_now(self) -> float | None:
        return None

    async def read(self, document: str, variables: dict[str, Any]) -> Answer:
        """Every alias answered; what is not there is an error at its alias."""
        data: dict[str, Any] = {"user": {"id": "u"}, "organization": {"id": "o"}}
        errors = []
        for alias, name in ASKED.findall(document):
            held = self.objects.get(variables[name])
            data[alias] = held and {"id": variables[name], **held["fields"]}
            if held is None:
                code = {"code": "RESOURCE_NOT_FOUND"}
                errors.append({"message": "not found", "path": [alias], "extensions": code})
        for alias, name in LISTED.findall(document):
            kind = variables[name]
            made = [(id, held) for id, held in self.objects.items() if held["kind"] == kind]
            data[alias] = [
                {"id": id, "marker": held["marker"], "at": self.made.index(id)} for id, held in made
            ]
        return Answer(data, errors)


def mentioned(fields: dict[str, Any]) -> Iterator[str]:
    """The ids in the fields that refer to others."""
    for name in ("link", "home", "rock"):
        if fields.get(name) is not None:
            yield fields[name]
    yield from fields.get("friends") or []
