"""Workspaces with hundreds of objects of one kind, all of them known to a stack, and lists of them that lie.

One object of the kind is made by a real apply; the others are its copies, row by row in the workspace and
entry by entry in the state, which takes milliseconds instead of minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lbstack.sandbox.world import accept_invite
from lbstack.state.model import Entry
from lbstack.values import Address
from tests.reliability.between import Between, Exchange
from tests.reliability.faulty import Script
from tests.reliability.simulation import Life
from tests.reliability.story import CONTAINER, TENANT


@dataclass(frozen=True)
class Crowd:
    """What there is many of: the kind, its table, which column tells them apart, and their bodies."""

    kind: str
    table: str
    column: str
    body: Mapping[str, Any]
    joined: bool = False

    def key(self, n: int) -> str:
        return f"m{n}@example.com" if self.kind == "member" else f"x{n}"

    def written(self, n: int) -> tuple[str, dict[str, Any]]:
        """The address and the body of one of them, as in a stack."""
        own = {} if self.kind == "member" else {self.field: self.named(n)}
        return f"{self.kind}.{self.key(n)}", {**self.body, **own}

    @property
    def most(self) -> int:
        """As many as one stack file has room for."""
        return 10_000 if len(self.body) < 2 else 4_000

    @property
    def field(self) -> str:
        return "url" if self.kind == "webhook" else "name"

    def named(self, n: int) -> str:
        if self.kind == "member":
            return self.key(n)
        return f"https://relay.example.com/{n}" if self.kind == "webhook" else f"X {n}"


HOOK = {"topics": ["LABEL_CREATED"], "secret": "${var.hook}"}
AZURE = {"provider": "azure", "read_container_url": CONTAINER, "tenant_id": TENANT}
CROWDS: Mapping[str, Crowd] = {
    "integrations": Crowd("integration", "iam_integrations", "name", AZURE),
    "datasets": Crowd("dataset", "datasets", "name", {}),
    "ontologies": Crowd("ontology", "ontologies", "name", {"media_type": "IMAGE", "tools": []}),
    "projects": Crowd("project", "projects", "name", {"media_type": "IMAGE"}),
    "webhooks": Crowd("webhook", "webhooks", "url", HOOK),
    "invitations": Crowd("member", "invites", "inviteeEmail", {"role": "LABELER"}),
    "members": Crowd("member", "users", "email", {"role": "LABELER"}, joined=True),
    "members of a project": Crowd("member", "users", "email", {"projects": {"p": "REVIEWER"}}, joined=True),
}


def gather(life: Life, crowd: Crowd, count: int) -> None:
    """Let so many of a kind live in the workspace, known to the state and wanted by the stack."""
    life.wish = {"project.p": {"name": "P", "media_type": "IMAGE"}} if "projects" in crowd.body else {}
    first, body = crowd.written(0)
    life.wish[first] = body
    life.conditions.limits = {}
    life.rows.run("UPDATE organizations SET seats = 100000")
    assert life.apply(Script()) == 0, life.told
    if crowd.joined:
        accept_invite(life.rows, crowd.key(0))
        assert life.apply(Script()) == 0, life.told
    copied(life, crowd, range(1, count))


def copied(life: Life, crowd: Crowd, numbers: range) -> None:
    """Copies of the first one, by their numbers."""
    state, rows = life.store.load(), life.rows
    entry = state.resources[Address(crowd.kind, crowd.key(0))]
    row = rows.row(f"SELECT * FROM {crowd.table} WHERE id = ?", [entry.id])
    assert row
    entries, columns = dict(state.resources), ", ".join(f'"{name}"' for name in row)
    with rows.transaction():
        for n in numbers:
            id, address = rows.mint.cuid(), Address(crowd.kind, crowd.key(n))
            values = {**row, "id": id, crowd.column: crowd.named(n)}
            marks = ", ".join("?" * len(values))
            rows.run(f"INSERT INTO {crowd.table} ({columns}) VALUES ({marks})", [*values.values()])
            if "projects" in crowd.body:
                _member_too(life, str(entry.id), id)
            told = {} if crowd.kind == "member" else {crowd.field: crowd.named(n)}
            entries[address] = _like(entry, id, told)
            life.wish[str(address)] = crowd.written(n)[1]
    life.store.save(replace(state, resources=entries, serial=state.serial + 1))


def _like(entry: Entry, id: str, told: Mapping[str, Any]) -> Entry:
    memory = {name: id if value == entry.id else value for name, value in entry.memory.items()}
    return replace(entry, id=id, attributes={**entry.attributes, **told}, memory=memory)


def _member_too(life: Life, of: str, id: str) -> None:
    rows = life.rows
    for role in rows.rows("SELECT * FROM project_memberships WHERE userId = ?", [of]):
        rows.insert("project_memberships", {**role, "id": rows.mint.cuid(), "userId": id})


# -- lists that lie ------------------------------------------------------------------------------------

LIES = ("fails", "is empty", "is cut", "is the one before", "is turned round", "lost a row", "got a row")
LISTED = {"datasets", "projects", "users", "iamIntegrations", "ontologies", "webhooks", "invites", "members"}
_ALIAS = re.compile(r"\b(a\d+): (\w+)")


@dataclass
class Lying:
    """What stands before a workspace and spoils one page of its lists, once or whenever it is asked for.

    Pages are counted by where they begin, or from the first of a cursor. Whatever somebody else deletes or
    makes while pages are read shows as a row that slides out of a page, or as one that is told twice.
    """

    page: int
    lie: str
    once: bool
    told: int = 0
    _before: dict[str, list[Any]] = field(default_factory=dict)
    _led_to: dict[str, int] = field(default_factory=dict)

    def __call__(self, exchange: Exchange) -> Exchange:
        if exchange.status != 200 or not isinstance(exchange.answer().get("data"), dict):
            return exchange
        answer = exchange.answer()
        for found in pages_in(answer["data"], exchange.text, exchange.variables):
            number, before = self._number(found), self._before.get(found.key, [])
            self._before[found.key] = rows = found.rows
            if number != self.page or (self.once and self.told):
                continue
            self.told += 1
            if self.lie == "fails":
                return replace(exchange, status=503, body=b"<html>no</html>")
            found.holder[found.name] = _spoilt(self.lie, rows, before)
        return exchange.json(answer)

    def _number(self, found: Listed) -> int:
        if found.skip is not None:
            return found.skip // 100
        number = self._led_to[found.cursor] if found.cursor else 0
        if following := found.holder.get("nextCursor"):
            self._led_to[following] = number + 1
        return number


@dataclass(frozen=True)
class Listed:
    """One page in an answer: of which list, where it stands there, and where it begins."""

    key: str
    holder: dict[str, Any]
    name: str
    skip: int | None
    cursor: str | None

    @property
    def rows(self) -> list[Any]:
        return list(self.holder[self.name])


def _spoilt(lie: str, rows: list[Any], before: list[Any]) -> list[Any]:
    return {
        "is empty": [],
        "is cut": rows[: len(rows) // 3],
        "is the one before": before or rows,
        "is turned round": rows[::-1],
        "lost a row": rows[1:],
        "got a row": [*before[-1:], *rows[:-1]],
    }[lie]


def pages_in(data: dict[str, Any], text: str, variables: Mapping[str, Any]) -> Iterator[Listed]:
    """The pages in an answer."""
    roots = dict(_ALIAS.findall(text))
    for alias, value in data.items():
        own = {name.removeprefix(f"{alias}_"): told for name, told in variables.items()}
        root, where = roots.get(alias, alias), (own.get("skip"), own.get("after") or own.get("from"))
        if isinstance(value, list) and root in LISTED:
            yield Listed(root, data, alias, *where)
        elif isinstance(value, dict):
            for name in LISTED & value.keys():
                holder, inner = (value[name], "nodes") if name == "invites" else (value, name)
                yield Listed(f"{root} {own.get('id')} {name}", holder, inner, *where)
            if "nodes" in value:
                yield Listed(root, value, "nodes", *where)


def between(life: Life) -> Between:
    """What stands before the workspace of a life from now on."""
    stands = Between(life.app.app)
    life.app.app = stands  # type: ignore[assignment]
    return stands


def mutations(weather: Script) -> list[str]:
    """The names of the mutations that were sent in a weather."""
    found = [re.search(r"mutation (\w+)", json.loads(body).get("query", "")) for body in weather.sent if body]
    return [match[1] for match in found if match]
