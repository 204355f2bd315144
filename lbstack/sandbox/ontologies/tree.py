"""Feature schemas as trees: identity, comparison, editing in place, and the views that are answered.

A root feature holds its nested classifications and options. Each node carries a ``featureSchemaId`` and a
``schemaNodeId`` (API reference 3.1, "Terminology"); a nested node that was removed while labels use it
stays in the tree with ``archived: true`` and is seen by the REST view alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lbstack.sandbox.errors import MalformedError
from lbstack.sandbox.ontologies.shape import WITH_OPTIONS, Node


def nodes(root: Node) -> Iterator[Node]:
    """The feature itself, then everything nested in it, depth first."""
    yield root
    for child in children(root):
        yield from nodes(child)


def children(node: Node) -> list[Node]:
    """The nested classifications of a tool or an option, the options of a classification."""
    found: list[Node] = node.get(child_key(node), [])
    return found


def child_key(node: Node) -> str:
    """The key under which a node holds what is nested in it."""
    return "classifications" if "tool" in node else "options"


def ids(root: Node) -> set[str]:
    """The feature schema ids of a feature and all that is nested in it."""
    return {node["featureSchemaId"] for node in nodes(root)}


def kind_of(node: Node) -> str:
    """What must never change in a feature's life: the tool, the classification type, being an option."""
    return str(node.get("tool") or node.get("type") or "option")


def number(root: Node, fresh: Callable[[], str], known: dict[str, Node] | None = None) -> dict[str, str]:
    """Give every node its ids, in place; answer which placeholder became which feature schema id.

    ``known`` are the nodes that a given id may refer to: they keep their identity, of the same kind only.
    Any other id is a placeholder and replaced (API reference 3.3).
    """
    known = known or {}
    replaced: dict[str, str] = {}
    seen: set[str] = set()
    for node in nodes(root):
        given = node["featureSchemaId"]
        if given is not None and given in seen:
            raise MalformedError(f"featureSchemaId {given} is used twice")
        seen.add(given)
        match = known.get(given)
        if match is None:
            node["featureSchemaId"], node["schemaNodeId"] = fresh(), fresh()
            if given is not None:
                replaced[given] = node["featureSchemaId"]
        elif kind_of(match) != kind_of(node):
            raise MalformedError(
                f"feature schema {given} is a {kind_of(match)} and cannot become a {kind_of(node)}"
            )
        else:
            node["schemaNodeId"] = match["schemaNodeId"]
    return replaced


def edit(before: Node, after: Node, fresh: Callable[[], str], used: Callable[[str], bool]) -> Node:
    """Put ``after`` in the place of ``before``: given ids are kept, the rest is new.

    What ``after`` leaves out is dropped, unless labels use it (``used``, by feature schema id): then it
    stays, archived.
    """
    known = {node["featureSchemaId"]: node for node in nodes(before)}
    after["featureSchemaId"] = before["featureSchemaId"]
    number(after, fresh, known)
    kept = {node["featureSchemaId"]: node for node in nodes(after)}
    for old in known.values():
        here = kept.get(old["featureSchemaId"])
        if here is None:
            continue
        for child in children(old):
            if child["featureSchemaId"] not in kept and any(used(name) for name in ids(child)):
                here[child_key(here)].append(_without(child, set(kept)) | {"archived": True})
    return after


def remove(root: Node, feature_id: str) -> Node:
    """A copy of ``root`` without a nested feature; the last option of a classification is refused."""
    pruned = _without(root, {feature_id})
    for node in nodes(visible(pruned)):
        if node.get("type") in WITH_OPTIONS and not node["options"]:
            raise MalformedError(f"feature schema {feature_id} is the last option of {node['name']!r}")
    return pruned


def visible(node: Node) -> Node:
    """A copy of a feature as ``normalized`` shows it: nothing archived, no archive marks."""
    copy = {key: value for key, value in node.items() if key != "archived"}
    if child_key(node) in node:
        copy[child_key(node)] = [visible(child) for child in children(node) if not child.get("archived")]
    return copy


def marked(node: Node, archived: bool) -> Node:
    """A copy of a feature as the REST view shows it: every node says whether it is archived."""
    archived = archived or bool(node.get("archived"))
    copy = node | {"archived": archived}
    if child_key(node) in node:
        copy[child_key(node)] = [marked(child, archived) for child in children(node)]
    return copy


def content(node: Node) -> Any:
    """A feature without its ids, for comparison (API reference 3.3)."""
    bare = {
        key: value
        for key, value in node.items()
        if key not in ("featureSchemaId", "schemaNodeId", "position")
    }
    if child_key(node) in node:
        bare[child_key(node)] = [content(child) for child in children(node)]
    return bare


def _without(node: Node, gone: set[str]) -> Node:
    copy = dict(node)
    if child_key(node) in node:
        copy[child_key(node)] = [
            _without(child, gone) for child in children(node) if child["featureSchemaId"] not in gone
        ]
    return copy
