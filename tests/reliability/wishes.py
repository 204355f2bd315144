"""Random stacks of all kinds, and random edits of them, from a die: the same throws, the same stack."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from tests.reliability.story import CONTAINER, TENANT

Wish = dict[str, dict[str, Any]]
"""Bodies by address, as they would be written; what they refer to stands before them."""

PLURALS = {
    "integration": "integrations", "dataset": "datasets", "ontology": "ontologies", "project": "projects",
    "member": "members", "webhook": "webhooks",
}  # fmt: skip


def wish(dice: random.Random, most: int) -> Wish:
    """A stack of up to so many resources."""
    made: Wish = {}
    for number in range(dice.randint(2, most)):
        _add(dice, made, number)
    return made


def edited(dice: random.Random, before: Wish) -> Wish:
    """The stack after somebody changed, added and removed some of it."""
    made = {address: dict(body) for address, body in before.items()}
    for address in list(made):
        chance = dice.random()
        if chance < 0.15:
            del made[address]
        elif chance < 0.4 and address in made:
            made[address] = _body(dice, address.partition(".")[0], made, address) | _fixed(made[address])
    _mend(made)
    _add(dice, made, dice.randint(100, 999))
    return made


def _fixed(body: dict[str, Any]) -> dict[str, Any]:
    """What another object would be made for, or an end to what holds: kept by an edit, mostly."""
    return {name: body[name] for name in ("media_type", "provider") if name in body}


def stack_text(made: Wish) -> str:
    """The stack as a file."""
    lists: dict[str, dict[str, Any]] = {}
    for address, body in made.items():
        kind, _, key = address.partition(".")
        lists.setdefault(PLURALS[kind], {})[key] = body
    return json.dumps({"stack": "life", "variables": {"hook": {"secret": True}}, **lists})


def _add(dice: random.Random, made: Wish, number: int) -> None:
    kind = dice.choice([*PLURALS, "dataset", "project", "webhook"])
    key = f"m{number}@example.com" if kind == "member" else f"{kind[0]}{number}"
    if f"{kind}.{key}" not in made:
        made[f"{kind}.{key}"] = _body(dice, kind, made, f"{kind}.{key}")


def _body(dice: random.Random, kind: str, made: Wish, address: str) -> dict[str, Any]:
    name = f"{address.partition('.')[2]} {dice.choice('abc')}"
    body: dict[str, Any] = {}
    if kind == "integration":
        body = {"provider": "azure", "name": name, "read_container_url": CONTAINER, "tenant_id": TENANT}
    elif kind == "dataset":
        body = {
            "name": name,
            "description": dice.choice("xy"),
            "integration": _one(dice, made, "integration"),
        }
    elif kind == "ontology":
        tools = [{"tool": "polygon", "name": each} for each in dice.sample("PQR", dice.randint(0, 2))]
        body = {"name": name, "media_type": "IMAGE", "tools": tools, "classifications": []}
    elif kind == "project":
        body = {
            "name": name, "description": dice.choice("xy"), "media_type": "IMAGE",
            "quality": {"mode": dice.choice(["benchmark", "consensus"])},
            "ontology": _one(dice, made, "ontology"), "datasets": _some(dice, made, "dataset"),
        }  # fmt: skip
    elif kind == "member":
        projects = dict.fromkeys(_some(dice, made, "project"), dice.choice(["LABELER", "REVIEWER"]))
        body = {"projects": projects} if projects else {"role": "LABELER"}
    else:
        topics = dice.sample(["LABEL_CREATED", "LABEL_UPDATED", "LABEL_DELETED"], dice.randint(1, 3))
        url = f"https://relay.example.com/{address}"
        body = {"url": url, "topics": topics, "project": _one(dice, made, "project"), "secret": "${var.hook}"}
    return body


def _keys(made: Wish, kind: str) -> list[str]:
    return [address.partition(".")[2] for address in made if address.startswith(f"{kind}.")]


def _one(dice: random.Random, made: Wish, kind: str) -> str | None:
    return dice.choice([None, *_keys(made, kind)])


def _some(dice: random.Random, made: Wish, kind: str) -> list[str]:
    keys = _keys(made, kind)
    return dice.sample(keys, dice.randint(0, min(2, len(keys))))


def _mend(made: Wish) -> None:
    """Let go of what is no longer in the stack."""
    for body in made.values():
        for kind, name in (("integration", "integration"), ("ontology", "ontology"), ("project", "project")):
            if name in body and body[name] not in _keys(made, kind):
                body[name] = None
        if "datasets" in body:
            body["datasets"] = [key for key in body["datasets"] if key in _keys(made, "dataset")]
        if "projects" in body:
            left = {key: role for key, role in body["projects"].items() if key in _keys(made, "project")}
            body.pop("projects")
            body.update({"projects": left} if left else {"role": "LABELER"})


def addresses(made: Wish) -> Iterator[str]:
    yield from made
