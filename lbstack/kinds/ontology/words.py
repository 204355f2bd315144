"""The words of Labelbox's ontology JSON, and the natural key of a feature (API reference 2.2, 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Raw = dict[str, Any]
"""A feature, nested classification or option in Labelbox's own JSON (`normalized`)."""

TOOL_TYPES = (
    "polygon", "superpixel", "raster-segmentation", "point", "rectangle", "line", "named-entity", "edge",
    "message-single-selection", "message-multi-selection", "message-ranking", "marker", "step-reasoning",
    "fact-checking", "prompt-issue",
)  # fmt: skip
REASONING_TOOLS = ("step-reasoning", "fact-checking")
"""Tools with variants in their definition and without classifications."""

CLASSIFICATION_TYPES = (
    "text", "checklist", "radio", "group", "dropdown", "prompt", "response-text", "response-checklist",
    "response-radio",
)  # fmt: skip
PROMPT_TYPES = ("prompt", "response-text", "response-checklist", "response-radio")
WITH_OPTIONS = ("radio", "checklist", "dropdown", "response-radio", "response-checklist")

MAX_FEATURES = 4000
"""Features of one ontology, nested ones and options counted (API reference 5.7)."""

IDS = ("featureSchemaId", "schemaNodeId")


def natural_key(node: Mapping[str, Any]) -> str:
    """What tells a feature from its siblings: its type and name (``polygon Damage``); an option's value.

    Types hold no spaces, so the key determines both, and a changed type is another feature.
    """
    kind = node.get("tool") or node.get("type")
    return f"{kind} {node['name']}" if kind else str(node["value"])


def nested_under(node: Mapping[str, Any]) -> str:
    """The key under which a node holds what is nested in it."""
    return "classifications" if "tool" in node else "options"


def nested(node: Mapping[str, Any]) -> list[Raw]:
    """The nested classifications of a tool or an option, the options of a classification."""
    return list(node.get(nested_under(node)) or [])
