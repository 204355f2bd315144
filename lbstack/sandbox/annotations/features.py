"""The features that annotations may bear: what a project's ontology shows, found by id or by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lbstack.sandbox.context import Context
from lbstack.sandbox.ontologies import storage, tree
from lbstack.sandbox.ontologies.shape import Node


@dataclass(frozen=True)
class Level:
    """Features that stand side by side: an ontology's roots, a tool's questions, a question's options."""

    by_id: Mapping[str, Node]
    by_name: Mapping[str, tuple[Node, ...]]


def level(nodes: Iterable[Node]) -> Level:
    """Arrange features for look-up; names need not be unique (API reference 3.3)."""
    by_id: dict[str, Node] = {}
    by_name: dict[str, tuple[Node, ...]] = {}
    for node in nodes:
        by_id[node["featureSchemaId"]] = node
        for name in names(node):
            by_name[name] = (*by_name.get(name, ()), node)
    return Level(by_id, by_name)


def roots(context: Context, ontology_id: str | None) -> Level:
    """The root features that an ontology shows; what is archived cannot be annotated any more."""
    if ontology_id is None:
        return level(())
    members = storage.members(context, ontology_id)
    return level(tree.visible(member.node) for member in members if not member.archived)


def names(node: Node) -> set[str]:
    """What an annotation may call a feature: a question by its name or its text, an option by either."""
    told = [node.get(key) for key in ("name", "instructions", "label")]
    if "tool" not in node and "type" not in node:
        told.append(node["value"])
    return {str(name) for name in told if name is not None}


def title(node: Node) -> str:
    """The name by which a feature is shown."""
    told = node.get("name")
    return str(node["label"] if told is None else told)


def machine_name(node: Node) -> str:
    """The name a program reads: an option's value, else the title in lower case without spaces."""
    if "tool" not in node and "type" not in node:
        return str(node["value"])
    return title(node).lower().replace(" ", "_")


def identity(node: Node, feature_id: str) -> dict[str, Any]:
    """The head of every annotation and of every answer."""
    return {
        "feature_id": feature_id,
        "feature_schema_id": node["featureSchemaId"],
        "name": title(node),
        "value": machine_name(node),
    }
