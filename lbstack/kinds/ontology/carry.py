"""Edits carried out: which request each one is (API reference 1.4 and 5.3), and what is told of it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lbstack.errors import NotExecuted, NotFound, ServiceError
from lbstack.kinds.contract import Work
from lbstack.kinds.ontology.edit import Add, Change, Edit, Move, Remove, content
from lbstack.kinds.ontology.tree import Tree
from lbstack.kinds.ontology.words import Raw, nested

UPSERT_FEATURE = """mutation CreateFeature($data: UpsertRootSchemaNodeInput!) {
  upsertRootSchemaNode(data: $data) { id normalized }
}"""
ID = re.compile(r"[A-Za-z0-9-]{20,36}")


def path_of(*steps: str) -> str:
    """A REST path; ids are checked, so that no answer of a service can lead a request elsewhere."""
    for step in steps[1::2]:
        if not ID.fullmatch(step):
            raise ServiceError(f"{step!r} is no id of this service", "shape", "nothing was sent")
    return "/" + "/".join(steps)


def document(tools: Tree, classifications: Tree) -> str:
    """A whole ontology as the JSON string it is created from.

    Constraints name features that have no ids yet: random placeholders stand for them, which the
    service replaces (API reference 3.3).
    """
    constraints = [pair for part in tools.values() for pair in part.get("constraints", {}).values()]
    sides = {end for pair in constraints for end in pair.values()}
    ids = {key: str(uuid.uuid4()) for key in tools if key in sides}
    body = {
        "tools": [bound(content(part), ids) | _placeholder(ids.get(key)) for key, part in tools.items()],
        "classifications": [content(part) for part in classifications.values()],
    }
    return json.dumps(body)


def _placeholder(id: str | None) -> Raw:
    return {"featureSchemaId": id} if id else {}


def bound(node: Raw, ids: Mapping[str, str]) -> Raw:
    """A feature whose constraints name ids instead of natural keys."""
    if node.get("tool") != "edge" or not node.get("definition"):
        return node
    pairs = [[ids.get(end, end) for end in pair] for pair in node["definition"].get("constraints") or []]
    return node | {"definition": {**node["definition"], "constraints": pairs}}


async def carry_out(work: Work, id: str, planned: Sequence[Edit], live: Mapping[str, Raw]) -> None:
    """Make the edits in their order. `live` are the root features by the keys that the edits use."""
    ids = {key: str(node["featureSchemaId"]) for key, node in live.items()}
    dropped: list[tuple[str, str]] = []
    for edit in planned:
        if isinstance(edit, Add):
            ids[edit.key] = await _add(work, id, edit, ids)
        elif isinstance(edit, Change):
            await _put(work, edit.id, bound(edit.content, ids))
            dropped += edit.dropped
        elif isinstance(edit, Move):
            await _place(work, id, edit.id, edit.position)
        else:
            await _remove(work, id, edit)
    if dropped:
        await _tell_dropped(work, id, dropped)


async def _add(work: Work, id: str, edit: Add, ids: Mapping[str, str]) -> str:
    """Make a feature, or bring an archived one back, and put it at its position."""
    node = bound(edit.content, ids)
    if edit.back is None:
        answer = await work.wire.mutate(UPSERT_FEATURE, data={"normalized": json.dumps(node)})
        feature = str(answer["upsertRootSchemaNode"]["normalized"]["featureSchemaId"])
    else:
        feature = edit.back
        await work.wire.rest("PATCH", path_of("ontologies", id, "feature-schemas", feature) + "/unarchive")
        await _put(work, feature, node)
    await _place(work, id, feature, edit.position)
    if edit.back is not None:
        work.say(f"brought back {edit.key} (was archived)")
    return feature


async def _put(work: Work, feature: str, node: Raw) -> None:
    await work.wire.rest("PUT", path_of("feature-schemas", feature), {"normalized": json.dumps(node)})


async def _place(work: Work, id: str, feature: str, position: int) -> None:
    path = path_of("ontologies", id, "feature-schemas", feature)
    await work.wire.rest("POST", path, {"position": position})


async def _remove(work: Work, id: str, edit: Remove) -> None:
    """The service archives a feature that has labels and deletes one that has none (API reference 3.3)."""
    answer = await work.wire.rest("DELETE", path_of("ontologies", id, "feature-schemas", edit.id))
    kept = isinstance(answer, dict) and answer.get("archived")
    if not kept:
        await drop_unused(work, edit.id)
    work.say(f"archived {edit.key}: it has labels" if kept else f"deleted {edit.key}")


async def drop_unused(work: Work, feature: str) -> None:
    """Delete a feature that an ontology held, unless others hold it or labels use it.

    Which of them do is the service's to judge: it refuses then, and the feature is left (API reference 5.3).
    """
    try:
        await work.wire.rest("DELETE", path_of("feature-schemas", feature))
    except (NotFound, NotExecuted) as refusal:
        if not refusal.code.startswith("4"):
            raise


async def _tell_dropped(work: Work, id: str, dropped: Sequence[tuple[str, str]]) -> None:
    """Say what became of nested parts that were left out: the REST view still shows what is archived."""
    view: dict[str, Any] = (await work.wire.rest("GET", path_of("ontologies", id)))["featureSchemaNodes"]
    kept: set[str] = set()

    def walk(nodes: Iterable[Raw]) -> None:
        for node in nodes:
            kept.add(str(node.get("featureSchemaId")))
            walk(nested(node))

    for nodes in view.values():
        walk(nodes or [])
    for feature, path in dropped:
        work.say(f"archived {path}: it has labels" if feature in kept else f"deleted {path}")
