"""The form of ``normalized``: what is accepted, and the one canonical form it is stored and answered in.

API reference 3.1 and 3.2. Input may leave out or null what has a default; the canonical form spells it all
out. What is not understood is refused, never dropped in silence.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lbstack.sandbox.errors import MalformedError

Node = dict[str, Any]

LISTS = ("tools", "classifications", "relationships")
MAX_FEATURES = 4000  # API reference 5.7
_MAX_DEPTH = 100  # the sandbox's own: far beyond what an editor can show, well within a stack

RELATIONSHIP = "edge"
_REASONING_TOOLS = {"step-reasoning", "fact-checking"}
_TOOLS = _REASONING_TOOLS | {
    RELATIONSHIP, "polygon", "superpixel", "raster-segmentation", "point", "rectangle", "line",
    "named-entity",
    "message-single-selection", "message-multi-selection", "message-ranking", "marker", "prompt-issue",
}  # fmt: skip
_PROMPT_TYPES = {"prompt", "response-text", "response-checklist", "response-radio"}
WITH_OPTIONS = {"radio", "checklist", "dropdown", "response-radio", "response-checklist"}
_TYPES = _PROMPT_TYPES | WITH_OPTIONS | {"text", "group"}

_IDS = {"schemaNodeId", "featureSchemaId"}
_TOOL_KEYS = _IDS | {"tool", "name", "required", "color", "classifications", "attributes", "definition"}
_CLASSIFICATION_KEYS = _IDS | {
    "type", "name", "instructions", "required", "options", "attributes", "scope", "uiMode", "isLikertScale",
    "minCharacters", "maxCharacters",
}  # fmt: skip
_OPTION_KEYS = _IDS | {"label", "value", "options", "position"}


def parse(text: str) -> Any:
    """Read the JSON string that carries ``normalized`` on input."""
    try:
        value = json.loads(text)
        # What cannot be written again, half a surrogate pair or an infinity, must not be stored.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        return value
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"normalized is not valid JSON: {error}") from None


def ontology(raw: Any) -> dict[str, list[Node]]:
    """The canonical features of an ontology by list; relationship tools move to ``relationships``.

    The vendor's client writes them among the tools, and the service answers them in a list of their own
    (API reference 3.1).
    """
    body = _object(raw, "normalized", {*LISTS, "projectInstructions"})
    lists: dict[str, list[Node]] = {name: [] for name in LISTS}
    for name in LISTS:
        for number, item in enumerate(_list(body.get(name), f"normalized.{name}")):
            node = feature(item, f"normalized.{name}[{number}]")
            if (list_of(node) == "classifications") != (name == "classifications"):
                raise MalformedError(f"normalized.{name}[{number}] does not belong there")
            lists[list_of(node)].append(node)
    return lists


def feature(raw: Any, path: str = "normalized") -> Node:
    """The canonical form of one root feature, a tool or a classification."""
    if isinstance(raw, dict) and "tool" in raw and "type" not in raw:
        return _tool(raw, path)
    if isinstance(raw, dict) and "type" in raw and "tool" not in raw:
        return _classification(raw, path, nested=False)
    raise MalformedError(f"{path} must be an object with either tool or type")


def list_of(node: Node) -> str:
    """The list of an ontology that a root feature belongs to."""
    if "tool" not in node:
        return "classifications"
    return "relationships" if node["tool"] == RELATIONSHIP else "tools"


def _tool(raw: Node, path: str) -> Node:
    body = _object(raw, path, _TOOL_KEYS)
    tool = _one_of(body["tool"], _TOOLS, f"{path}.tool")
    node: Node = {
        "tool": tool,
        "name": _name(body.get("name"), f"{path}.name"),
        "required": _flag(body.get("required"), f"{path}.required"),
        "color": _optional(body.get("color"), str, f"{path}.color"),
        "attributes": _attributes(body.get("attributes"), f"{path}.attributes"),
        **_ids(body, path),
    }
    nested = _each(body.get("classifications"), f"{path}.classifications", _nested_classification)
    if tool not in _REASONING_TOOLS:
        node["classifications"] = nested
    elif nested:
        raise MalformedError(f"{path}: a {tool} tool has no classifications")
    if tool == "prompt-issue" and [child["type"] for child in nested] != ["checklist"]:
        raise MalformedError(f"{path}: a prompt-issue tool has exactly one checklist")
    definition = _definition(tool, body.get("definition"), f"{path}.definition")
    if definition is not None:
        node["definition"] = definition
    return node


def _definition(tool: str, raw: Any, path: str) -> Node | None:
    if tool == RELATIONSHIP:
        body = _object({} if raw is None else raw, path, {"constraints"})
        pairs = _list(body.get("constraints"), f"{path}.constraints")
        if not all(_is_pair(pair) for pair in pairs):
            raise MalformedError(f"{path}.constraints must be pairs of feature schema ids")
        return {"constraints": [list(pair) for pair in pairs]}
    if tool in _REASONING_TOOLS:
        body = _object(raw, path, {"variants", "version", "title", "value"})
        variants = _each(body.get("variants"), f"{path}.variants", _variant)
        if not variants or body.get("version", 1) != 1:
            raise MalformedError(f"{path} needs variants, and version 1")
        told: Node = {
            key: _optional(body[key], str, f"{path}.{key}") for key in ("title", "value") if key in body
        }
        return {"variants": variants, "version": 1, **told}
    if raw is not None:
        raise MalformedError(f"{path}: a {tool} tool has no definition")
    return None


def _variant(raw: Any, path: str) -> Node:
    body = _object(raw, path, {"id", "name", "actions"})
    ident, actions = (
        _optional(body.get("id"), int, f"{path}.id"),
        _list(body.get("actions"), f"{path}.actions"),
    )
    if ident is None or not all(isinstance(action, str) for action in actions):
        raise MalformedError(f"{path} needs an id, and actions that are texts")
    return {"id": ident, "name": _name(body.get("name"), f"{path}.name"), "actions": actions}


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(side, str) for side in pair)


def _nested_classification(raw: Any, path: str) -> Node:
    return _classification(raw, path, nested=True)


def _classification(raw: Any, path: str, *, nested: bool) -> Node:
    body = _object(raw, path, _CLASSIFICATION_KEYS)
    kind = _one_of(body.get("type"), _TYPES, f"{path}.type")
    name = _name(body.get("name"), f"{path}.name")
    options = _each(body.get("options"), f"{path}.options", _option)
    if kind in WITH_OPTIONS and not options:
        raise MalformedError(f"{path}: a {kind} classification needs at least one option")
    if kind not in WITH_OPTIONS and kind != "group" and options:
        raise MalformedError(f"{path}: a {kind} classification has no options")
    node: Node = {
        "type": kind,
        "name": name,
        "instructions": _optional(body.get("instructions"), str, f"{path}.instructions") or name,
        "required": _flag(body.get("required"), f"{path}.required", default=kind in _PROMPT_TYPES),
        "options": options,
        "attributes": _attributes(body.get("attributes"), f"{path}.attributes"),
        **_ids(body, path),
    }
    scope = _one_of(body.get("scope") or "global", {"global", "index"}, f"{path}.scope")
    if not nested and kind not in _PROMPT_TYPES:
        node["scope"] = scope
    return node | _presentation(body, kind, path)


def _presentation(body: Node, kind: str, path: str) -> Node:
    """The optional keys of a classification, each only where the reference knows it."""
    found: Node = {}
    if body.get("uiMode") is not None:
        found["uiMode"] = _one_of(body["uiMode"], {"hotkey", "searchable"}, f"{path}.uiMode")
    if body.get("isLikertScale") is not None:
        found["isLikertScale"] = _flag(body["isLikertScale"], f"{path}.isLikertScale")
    for key in ("minCharacters", "maxCharacters"):
        if body.get(key) is not None:
            found[key] = _optional(body[key], int, f"{path}.{key}")
    allowed = {"radio": {"uiMode", "isLikertScale"}, "checklist": {"uiMode"}}.get(kind, set())
    if kind in _PROMPT_TYPES:
        allowed = {"minCharacters", "maxCharacters"}
    for key in sorted(set(found) - allowed):
        raise MalformedError(f"{path}: a {kind} classification has no {key}")
    return found


def _option(raw: Any, path: str) -> Node:
    body = _object(raw, path, _OPTION_KEYS)
    value = _text_or_number(body.get("value"), f"{path}.value")
    label = body.get("label")
    node: Node = {
        "label": value if label is None else _text_or_number(label, f"{path}.label"),
        "value": value,
        "options": _each(body.get("options"), f"{path}.options", _nested_classification),
        **_ids(body, path),
    }
    if body.get("position") is not None:
        node["position"] = _optional(body["position"], int, f"{path}.position")
    return node


def _ids(body: Node, path: str) -> Node:
    return {
        key: _optional(body.get(key), str, f"{path}.{key}") or None
        for key in ("schemaNodeId", "featureSchemaId")
    }


def _attributes(raw: Any, path: str) -> list[Node] | None:
    if raw is None:
        return None
    return _each(raw, path, _attribute)


def _attribute(raw: Any, path: str) -> Node:
    body = _object(raw, path, {"attributeName", "attributeValue"})
    return {key: _name(body.get(key), f"{path}.{key}") for key in ("attributeName", "attributeValue")}


def _each(raw: Any, path: str, read: Callable[[Any, str], Node]) -> list[Node]:
    return [read(item, f"{path}[{number}]") for number, item in enumerate(_list(raw, path))]


def _object(raw: Any, path: str, keys: set[str]) -> Node:
    if not isinstance(raw, dict):
        raise MalformedError(f"{path} must be an object")
    if path.count("[") > _MAX_DEPTH:
        raise MalformedError(f"normalized is nested more than {_MAX_DEPTH} levels deep")
    for key in raw:
        if key not in keys:
            raise MalformedError(f"{path} has an unknown key {key!r}")
    return raw


def _list(raw: Any, path: str) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise MalformedError(f"{path} must be a list")
    return raw


def _name(raw: Any, path: str) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise MalformedError(f"{path} must be a text that is not empty")
    return raw


def _flag(raw: Any, path: str, default: bool = False) -> bool:
    if raw is None:
        return default
    if not isinstance(raw, bool):
        raise MalformedError(f"{path} must be true or false")
    return raw


def _one_of(raw: Any, known: set[str], path: str) -> str:
    if not isinstance(raw, str) or raw not in known:
        raise MalformedError(f"{path} {raw!r} is not one of {', '.join(sorted(known))}")
    return raw


def _optional(raw: Any, kind: type, path: str) -> Any:
    if raw is not None and (not isinstance(raw, kind) or isinstance(raw, bool)):
        raise MalformedError(f"{path} must be of type {kind.__name__}")
    return raw


def _text_or_number(raw: Any, path: str) -> str | int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    return _name(raw, path)
