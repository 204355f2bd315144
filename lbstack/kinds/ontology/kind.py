"""Ontologies: how they are read, created, edited piece by piece, and deleted.

API reference 1.4 and 5.3 (operations), 3 (the JSON), 6.2 (deletion), 6.3 (what may change). Feature
schemas are shared by ontologies: a change in place reaches all that hold the feature, also those that
lbstack does not manage (3.1). A feature leaves the workspace with the last ontology that held it, unless
labels use it; one that was made and could not be placed stays behind unused.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from lbstack.errors import NotFound
from lbstack.kinds.contract import Ask, Fields, Kind, Live, Reading, Reply, Search, Tracked, Work
from lbstack.kinds.marks import SEARCHED, marked, marker_of_name, sighting, unmarked, updated
from lbstack.kinds.ontology.carry import carry_out, document, drop_unused, path_of
from lbstack.kinds.ontology.edit import adds_something, archived, edits
from lbstack.kinds.ontology.spec import OntologySpec, ends, raw, renames
from lbstack.kinds.ontology.tree import Tree, ordered, pair, told, wished
from lbstack.kinds.ontology.words import Raw
from lbstack.kinds.ontology.written import place, written, written_key
from lbstack.kinds.reading import PAGE, WORTH_LISTING, by_id_ask, listed_then_by_id, onward, settle
from lbstack.values import Address

CREATE = """mutation CreateOntology($data: UpsertOntologyInput!) {
  upsertOntology(data: $data) { id }
}"""
RENAME = """mutation RenameOntology($id: ID!, $name: String!) {
  ontology(where: {id: $id}) { update(data: {name: $name}) { id name } }
}"""
READ = """query ReadOntology($id: ID!) { ontology(where: {id: $id}) { id normalized } }"""
SELECTION = "id name mediaType updatedAt normalized"

NODES = "_nodes"
"""Live features with their ids, by the list in which the service answers them."""
PREVIOUSLY = "_previously"
"""Old natural keys that a wish names, by field (`spec.renames`); no part of what is compared."""
LEFT = "left"
"""In memory: the features of ontologies that are being deleted, by the ontology's id."""
LISTS = {"tools": ("tools", "relationships"), "classifications": ("classifications",)}


class Ontology(Kind):
    """Edited by feature; replaced when the media type changes; deleted only while no project uses it."""

    name, plural, Spec = "ontology", "ontologies", OntologySpec

    def wanted(self, key: str, spec: Any) -> Fields:
        want = super().wanted(key, spec)
        parts = {"tools": [*spec.tools, *spec.relationships], "classifications": spec.classifications}
        if want.pop("relationships", None) is not None:
            want["tools"] = []
        known = ends(spec.tools)
        old: dict[str, Any] = {}
        for name in parts:
            if name in want:
                want[name] = wished(ordered(raw(part) for part in parts[name]), known)
                old |= {name: renames(parts[name])} if renames(parts[name]) else {}
        return want | ({PREVIOUSLY: old} if old else {})

    def align(self, want: Fields, have: Fields) -> Fields:
        if NODES not in have:
            return have
        out = dict(have)
        for name, lists in LISTS.items():
            if name in want:
                old = want.get(PREVIOUSLY, {}).get(name, {})
                out[name] = told(_flat(have[NODES], lists), want[name] or {}, old)
        return out | ({PREVIOUSLY: want[PREVIOUSLY]} if PREVIOUSLY in want else {})

    def place(self, path: Sequence[Any], body: Any, names: Mapping[str, Address]) -> tuple[str | int, ...]:
        return place(path, body)

    def written(self, fields: Fields, body: Any) -> Fields:
        return written(fields, body)

    def part_key(self, part: Any) -> str | None:
        return written_key(part) or None

    def read(self, tracked: Sequence[Tracked]) -> Reading:
        ids = [item.id for item in tracked if item.id]
        found: dict[str, Any] = yield from _listed(ids)
        rest = [item for item in tracked if item.id not in found]
        found |= yield from listed_then_by_id(rest, None, list, _by_id)
        return settle(tracked, found, _live)

    def natural(self, key: str, want: Fields) -> Fields:
        return {"name": want["name"], "media_type": want.get("media_type")}

    def search(self, since: str | None, lost: bool) -> Search:
        nodes = yield from _named("" if lost else SEARCHED)
        return [sighting(node, marker_of_name(node["name"]), _natural(node)) for node in nodes]

    async def create(self, work: Work, want: Fields) -> Fields:
        data = {
            "name": marked(want["name"], work.marker),
            "normalized": document(want.get("tools", {}), want.get("classifications", {})),
            "mediaType": want.get("media_type"),
        }
        id = (await work.wire.mutate(CREATE, data=data))["upsertOntology"]["id"]
        work.made(id, **{name: value for name, value in want.items() if name != "name"})
        await work.wire.mutate(RENAME, id=id, name=want["name"])
        return {}

    async def update(self, work: Work, id: str, have: Fields, want: Fields, changed: set[str]) -> Fields:
        if "name" in changed:
            await work.wire.mutate(RENAME, id=id, name=want["name"])
            work.did("name")
        nodes = have.get(NODES)
        for name in [each for each in LISTS if each in changed]:
            if nodes is None:
                answer = await work.wire.query(READ, id=id)
                nodes = _nodes(answer["ontology"]["normalized"])
            old = want.get(PREVIOUSLY, {}).get(name, {})
            await _edit(work, id, name, nodes, want[name], old)
            work.did(name)
        return {}

    def leaves(self, id: str, memory: Fields) -> bool:
        return id in memory.get(LEFT, {})

    async def delete(self, work: Work, id: str, have: Fields) -> None:
        left = work.memory.setdefault(LEFT, {})
        if id not in left:
            view = (await work.wire.rest("GET", path_of("ontologies", id)))["featureSchemaNodes"]
            left[id] = [str(node["featureSchemaId"]) for nodes in view.values() for node in nodes or []]
            await work.noted()  # once the ontology is gone, nothing else tells what it held
        with suppress(NotFound):
            await work.wire.rest("DELETE", path_of("ontologies", id))
        for feature in left[id]:
            await drop_unused(work, feature)
        del left[id]


async def _edit(
    work: Work, id: str, name: str, nodes: dict[str, list[Raw]], want: Tree, old: dict[str, Any]
) -> None:
    """Edit tools or classifications; what is archived is looked at only when a part is to be made."""
    lists = [nodes[each] for each in LISTS[name]]
    planned = edits(lists, want, old)
    if adds_something(planned):
        view = (await work.wire.rest("GET", path_of("ontologies", id)))["featureSchemaNodes"]
        stored = archived(node for each in LISTS[name] for node in view.get(each) or [])
        planned = edits(lists, want, old, stored)
    await carry_out(work, id, planned, pair(ordered(_flat(nodes, LISTS[name])), old))


# -- reading ---------------------------------------------------------------------------------------


def _by_id(id: str) -> Ask:
    return by_id_ask("ontology", SELECTION, id)


def _page(after: str | None) -> Ask:
    variables = {
        "filter": ("OntologyFilter", {"status": "ALL"}),
        "after": ("String", after),
        "first": ("PageSize", PAGE),
    }
    where = "where: {filter: $filter}, after: $after, first: $first"
    return Ask(f"ontologies({where}) {{ nodes {{ {SELECTION} }} nextCursor }}", variables, PAGE)


def _listed(ids: Sequence[str]) -> Generator[list[Ask], list[Reply], dict[str, Any]]:
    """What the pages show of many ids; a cursor leads to the next page, so each is a round.

    As many pages as the ids could fill: in a workspace of others the rest is cheaper to read by id.
    """
    found: dict[str, Any] = {}
    if len(ids) < WORTH_LISTING:
        return found
    wanted, after, followed = set(ids), None, set[str]()
    for _ in range(0, len(ids), PAGE):
        (reply,) = yield [_page(after)]
        if reply.too_complex or not reply.data["nodes"]:
            break
        found |= {node["id"]: node for node in reply.data["nodes"] if node["id"] in wanted}
        after = onward(followed, reply.data["nextCursor"], "ontologies")
        if not after or len(found) == len(wanted):
            break
    return found


def _named(search: str) -> Generator[list[Ask], list[Reply], list[dict[str, Any]]]:
    """All ontologies whose name holds a text; a cursor leads to the next page. A search lags behind, a list
    without one does not (API reference 6.6)."""
    found: list[dict[str, Any]] = []
    text = (
        "ontologies(where: {filter: $filter, search: $search}, after: $after, first: $first)"
        " { nodes { id name mediaType createdAt createdBy { id } } nextCursor }"
    )
    after, followed = None, set[str]()
    while True:
        told = {
            "filter": ("OntologyFilter", {"status": "ALL"}),
            "search": ("String", search or None),
            "after": ("String", after),
            "first": ("PageSize", PAGE),
        }
        (reply,) = yield [Ask(text, told, PAGE)]
        found += reply.data["nodes"]
        after = onward(followed, reply.data["nextCursor"], "ontologies")
        if not after:
            return found


def _natural(node: dict[str, Any]) -> Fields:
    return {"name": unmarked(node["name"]), "media_type": node["mediaType"]}


def _live(node: dict[str, Any]) -> Live:
    nodes = _nodes(node["normalized"])
    fields = {name: told(_flat(nodes, lists)) for name, lists in LISTS.items()}
    told_of = {"name": node["name"], "media_type": node["mediaType"], **fields, NODES: nodes}
    return Live(node["id"], told_of, updated=updated(node))


def _nodes(normalized: Any) -> dict[str, list[Raw]]:
    """The root features by list. A relationship that is answered in two lists counts once."""
    body = json.loads(normalized) if isinstance(normalized, str) else normalized
    nodes: dict[str, list[Raw]] = {}
    seen: set[str] = set()
    for name in ("tools", "relationships", "classifications"):
        nodes[name] = [node for node in body.get(name) or [] if node["featureSchemaId"] not in seen]
        seen |= {node["featureSchemaId"] for node in nodes[name]}
    return nodes


def _flat(nodes: dict[str, list[Raw]], lists: Sequence[str]) -> list[Raw]:
    return [node for name in lists for node in nodes[name]]
