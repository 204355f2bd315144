"""Ontologies as trees that compare: maps keyed by natural key, in order, defaults filled, without ids.

What a stack wants and what the service has take the same form here (API reference 3.3, last
paragraph). What a wish leaves unwritten and the service may fill (`OPTIONAL`) is not managed: it is
left out of the live tree where the wish leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lbstack.kinds.ontology.words import PROMPT_TYPES, Raw, natural_key, nested, nested_under

Tree = dict[str, dict[str, Any]]
"""Parts by natural key, in order; nested parts under ``classifications`` and ``options``."""

OPTIONAL = (
    "color", "uiMode", "isLikertScale", "minCharacters", "maxCharacters", "attributes", "constraints",
    "variants", "title", "value",
)  # fmt: skip
"""Of an option the value is never optional; of a tool it is part of a definition, as the title is."""
MAPS = ("classifications", "options", "attributes", "constraints", "variants", "actions")
"""What holds parts by key: their order counts, that of a part's own attributes does not."""


def wished(nodes: Iterable[Raw], ends: Mapping[str, str] | None = None) -> Tree:
    """The tree of what a stack writes; `ends` tells the ends of constraints as natural keys."""
    return _tree(pair(nodes, {}), None, {}, ends or {}, root=True)


def told(nodes: Iterable[Raw], wish: Tree | None = None, renames: Mapping[str, Any] | None = None) -> Tree:
    """The tree of live root features, in the words of a wish: renamed ones stand under their new keys."""
    found = pair(ordered(nodes), renames or {})
    ends = {raw["featureSchemaId"]: key for key, raw in found.items() if raw.get("featureSchemaId")}
    return _tree(found, wish, renames or {}, ends, root=True)


def ordered(nodes: Iterable[Raw]) -> list[Raw]:
    """Relationships last: the service may answer them in a list of their own, so their place among
    other tools says nothing."""
    return sorted(nodes, key=lambda node: node.get("tool") == "edge")


def pair(nodes: Iterable[Raw], renames: Mapping[str, Any]) -> dict[str, Raw]:
    """Live siblings by the key that they have in the wish, in live order.

    Names are not unique in the service: a second one of the same key is marked, so that it shows.
    """
    keyed: dict[str, Raw] = {}
    for node in nodes:
        key, number = natural_key(node), 2
        while key in keyed:
            key, number = f"{natural_key(node)} (duplicate {number})", number + 1
        keyed[key] = node
    new = _renamed(keyed, {key: inner[""] for key, inner in renames.items() if key and "" in inner})
    return {new.get(key, key): node for key, node in keyed.items()}


def _renamed(live: Mapping[str, Raw], olds: Mapping[str, str]) -> dict[str, str]:
    """New keys by old ones, for the renames that are still to be done.

    One is, when the live siblings have the old key and not the new one; the new one may also be
    about to be renamed itself (a: b, b: c).
    """
    claims: dict[str, str] = {}
    grown = True
    while grown:
        grown = False
        for new, old in olds.items():
            if old in live and old not in claims and (new not in live or new in claims):
                claims[old] = new
                grown = True
    return claims


def _tree(
    found: Mapping[str, Raw],
    wish: Mapping[str, Any] | None,
    renames: Mapping[str, Any],
    ends: Mapping[str, str],
    root: bool,
) -> Tree:
    out: Tree = {}
    for key, node in found.items():
        mine = (wish or {}).get(key)
        part = _attributes(node, ends, root)
        if mine is not None:
            part = _as_managed(part, mine)
        inner = nested_under(node)
        below = renames.get(key, {})
        children = _tree(pair(nested(node), below), mine and mine.get(inner, {}), below, ends, root=False)
        out[key] = part | ({inner: children} if children else {})
    return out


def _as_managed(part: dict[str, Any], wish: Mapping[str, Any]) -> dict[str, Any]:
    """A live part without what the wish does not manage; what it wants empty and is absent, is empty."""
    empty: dict[str, Any] = {name: {} for name in OPTIONAL if name not in part and wish.get(name) == {}}
    return {name: value for name, value in part.items() if name not in OPTIONAL or name in wish} | empty


def _attributes(node: Raw, ends: Mapping[str, str], root: bool) -> dict[str, Any]:
    if "tool" in node:
        out = {"tool": node["tool"], "name": node["name"], "required": bool(node.get("required"))}
    elif "type" in node:
        required = node.get("required")
        out = {
            "type": node["type"],
            "name": node["name"],
            "instructions": node.get("instructions") or node["name"],
            "required": node["type"] in PROMPT_TYPES if required is None else required,
        }
        if root and node["type"] not in PROMPT_TYPES:
            out["scope"] = node.get("scope") or "global"
    else:
        label = node.get("label")
        out = {"value": str(node["value"]), "label": str(node["value"] if label is None else label)}
    for name in OPTIONAL[:5]:
        if node.get(name) is not None:
            out[name] = node[name]
    if node.get("attributes") is not None:
        pairs = {each["attributeName"]: each.get("attributeValue") for each in node["attributes"]}
        out["attributes"] = dict(sorted(pairs.items()))
    return out | _definition(node, ends)


def _definition(node: Raw, ends: Mapping[str, str]) -> dict[str, Any]:
    written = node.get("definition")
    if written is None:
        return {}
    if node.get("tool") != "edge":
        variants = {each["name"]: _variant(each) for each in written.get("variants") or []}
        plain = {name: written[name] for name in ("title", "value") if written.get(name) is not None}
        return {**plain, "variants": variants}
    pairs = [tuple(ends.get(end, end) for end in each) for each in written.get("constraints") or []]
    return {"constraints": {f"{a} -> {b}": {"source": a, "target": b} for a, b in sorted(pairs)}}


def _variant(raw: Raw) -> dict[str, Any]:
    actions = dict.fromkeys(raw.get("actions") or [], True)
    return {"id": raw.get("id"), "name": raw["name"], "actions": actions}


def same(have: Any, want: Any) -> bool:
    """Whether two parts are equal, the order of their nested parts included."""
    if have != want:
        return False
    if not isinstance(have, Mapping):
        return True
    return all(
        (name not in MAPS or list(have[name]) == list(want[name])) and same(have[name], want[name])
        for name in want
    )
