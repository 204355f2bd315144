"""Which edits bring a live ontology to a wish, as a pure function: the service has no whole update.

The order is the safe one: what exists is changed in place, then parts are added and moved from the
first position to the last, relationships after the tools they name, and what goes is removed last. So
an apply that dies half-way has taken nothing away that it had not first put the rest in order for.

Feature schemas are shared: a change in place reaches every ontology that holds the feature (API
reference 3.1). Adding, moving and removing concern this ontology alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbstack.kinds.ontology.tree import Tree, ordered, pair, same, told
from lbstack.kinds.ontology.words import IDS, REASONING_TOOLS, Raw, natural_key, nested, nested_under

Archive = Mapping[str, Mapping[str, Raw]]
"""Archived parts by natural key, by the feature schema id of what held them (``""``: the ontology)."""


@dataclass(frozen=True, slots=True)
class Add:
    """Put a feature at a position of its list: a new one, or an archived one that is brought back.

    `content` is its JSON; ends of constraints stand in it as natural keys. `back` is the id of the
    archived feature, whose ids the content then has.
    """

    key: str
    content: Raw
    position: int
    back: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Change a feature in place; `content` has the ids of all that stays in it.

    `dropped` are the nested parts that it leaves out, as (id, path of natural keys).
    """

    key: str
    id: str
    content: Raw
    dropped: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """Put a feature that is there at another position: its index in its list once it stands there."""

    key: str
    id: str
    position: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a feature out of the ontology."""

    key: str
    id: str


Edit = Add | Change | Move | Remove


def edits(
    lists: Sequence[Sequence[Raw]],
    want: Tree,
    renames: Mapping[str, Any] | None = None,
    archive: Archive | None = None,
) -> list[Edit]:
    """The edits from live root features to a wish, in the order in which they are to be made.

    `lists` are the lists in which the service keeps positions: one of classifications, or tools and
    relationships (a new relationship goes to the last). `archive` is what could be brought back.
    """
    names, stored = renames or {}, archive or {}
    flat = [node for nodes in lists for node in nodes]
    live = pair(ordered(flat), names)
    have = told(flat, want, names)
    changes = [
        _change(key, live[key], part, names.get(key, {}), stored)
        for key, part in want.items()
        if key in live and not same(have[key], part)
    ]
    place = {node["featureSchemaId"]: number for number, nodes in enumerate(lists) for node in nodes}
    arranged: list[Edit] = []
    for number, nodes in enumerate(lists):
        mine = [
            key
            for key, part in want.items()
            if (place[live[key]["featureSchemaId"]] if key in live else _home(part, len(lists))) == number
        ]
        arranged += _arrange([node["featureSchemaId"] for node in nodes], mine, live, want, stored)
    return [
        *(change for change in changes if not _is_edge(change.content)),
        *arranged,
        *(change for change in changes if _is_edge(change.content)),
        *(Remove(key, node["featureSchemaId"]) for key, node in reversed(live.items()) if key not in want),
    ]


def _is_edge(node: Mapping[str, Any]) -> bool:
    return node.get("tool") == "edge"


def _home(part: Mapping[str, Any], count: int) -> int:
    """The list that a new feature goes to (API reference 3.1: relationships are answered apart)."""
    return count - 1 if _is_edge(part) else 0


def _arrange(
    order: list[str], mine: list[str], live: Mapping[str, Raw], want: Tree, archive: Archive
) -> Iterator[Add | Move]:
    """Additions and as few moves as can be, from the first wanted part to the last.

    Each position follows the wanted predecessor in the list as it will be then; parts that are
    yet to be removed may stand between, and disturb nobody's order.
    """
    ids = {key: live[key]["featureSchemaId"] for key in mine if key in live}
    current = list(order)
    place = {id: index for index, id in enumerate(order)}
    still = set(longest_run([(key, place[id]) for key, id in ids.items()]))
    before: str | None = None
    for key in mine:
        id = ids.get(key, f"new {key}")
        if key not in still:
            if key in ids:
                current.remove(id)
            position = 0 if before is None else current.index(before) + 1
            current.insert(position, id)
            yield Move(key, id, position) if key in ids else _add(key, want[key], position, archive)
        before = id


def longest_run(placed: Sequence[tuple[str, int]]) -> list[str]:
    """The most keys that can stay where they are: a longest increasing subsequence of positions."""
    tails: list[int] = []
    chains: list[list[str]] = []
    for key, place in placed:
        at = bisect_left(tails, place)
        chain = [*(chains[at - 1] if at else []), key]
        tails[at : at + 1], chains[at : at + 1] = [place], [chain]
    return chains[-1] if chains else []


# -- contents -------------------------------------------------------------------------------------


def _add(key: str, part: Mapping[str, Any], position: int, archive: Archive) -> Add:
    old = archive.get("", {}).get(key)
    if old is None:
        return Add(key, content(part), position)
    return Add(key, content(part, old, {}, archive), position, back=old["featureSchemaId"])


def _change(
    key: str, live: Raw, part: Mapping[str, Any], renames: Mapping[str, Any], archive: Archive
) -> Change:
    whole = content(part, live, renames, archive)
    kept = set(_ids(whole))
    return Change(key, live["featureSchemaId"], whole, tuple(_dropped(live, kept, (key,))))


def _ids(node: Raw) -> Iterator[str]:
    if node.get("featureSchemaId"):
        yield node["featureSchemaId"]
    for child in nested(node):
        yield from _ids(child)


def _dropped(node: Raw, kept: set[str], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for child in nested(node):
        at = (*path, natural_key(child))
        if child["featureSchemaId"] in kept:
            yield from _dropped(child, kept, at)
        else:
            yield child["featureSchemaId"], " / ".join(at)


def content(
    part: Mapping[str, Any],
    live: Raw | None = None,
    renames: Mapping[str, Any] | None = None,
    archive: Archive | None = None,
) -> Raw:
    """The JSON of a part as it is wanted. What is not managed, and every id that stays, is `live`'s."""
    below, stored, inner = renames or {}, archive or {}, nested_under(part)
    have = live or {}
    out: Raw = dict.fromkeys(IDS) | {k: v for k, v in have.items() if k not in ("archived", inner)}
    out |= _written(part, have)
    children = pair(nested(have), below)
    again = stored.get(have.get("featureSchemaId") or "none", {})
    if part.get("tool") not in REASONING_TOOLS:
        out[inner] = [
            content(child, children.get(key) or again.get(key), below.get(key), stored)
            for key, child in part.get(inner, {}).items()
        ]
    return out


def _written(part: Mapping[str, Any], live: Raw) -> Raw:
    """The attributes of a tree's part in the service's spelling (the way back from `tree`)."""
    out = {name: value for name, value in part.items() if not isinstance(value, Mapping)}
    for name in ("value", "label"):
        # Numbers compare as text, and stay numbers where the service has them as such.
        if name in out and name in live and str(live[name]) == out[name]:
            out[name] = live[name]
    if "attributes" in part:
        out["attributes"] = [{"attributeName": k, "attributeValue": v} for k, v in part["attributes"].items()]
    if "constraints" in part:
        pairs = [[each["source"], each["target"]] for each in part["constraints"].values()]
        out["definition"] = {"constraints": pairs}
    if "variants" in part:
        plain = {name: out.pop(name) for name in ("title", "value") if name in out}
        variants = [{**each, "actions": list(each["actions"])} for each in part["variants"].values()]
        old = live.get("definition") or {}
        out["definition"] = {**old, **plain, "version": 1, "variants": variants}
    return out


def archived(view: Iterable[Raw]) -> dict[str, dict[str, Raw]]:
    """What could be brought back, from the lists of the REST view (API reference 5.3)."""
    found: dict[str, dict[str, Raw]] = {}

    def walk(nodes: Iterable[Raw], holder: str) -> None:
        for node in nodes:
            if node.get("archived") and node.get("featureSchemaId") and ("name" in node or "value" in node):
                found.setdefault(holder, {}).setdefault(natural_key(node), node)
            walk(nested(node), node.get("featureSchemaId") or "none")

    walk(view, "")
    return found


def adds_something(planned: Iterable[Edit]) -> bool:
    """Whether a part is to be made that might lie archived."""
    return any(
        isinstance(edit, Add) or (isinstance(edit, Change) and None in _all_ids(edit.content))
        for edit in planned
    )


def _all_ids(node: Raw) -> list[str | None]:
    return [node.get("featureSchemaId"), *(id for child in nested(node) for id in _all_ids(child))]
