"""How an ontology is written, beside how it is compared: lists of parts, in Labelbox's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lbstack.kinds.ontology.words import PROMPT_TYPES, natural_key


def written_key(part: Any) -> str:
    """The natural key of a part as somebody wrote it: words in any case, an option as mere text."""
    if not isinstance(part, Mapping):
        return str(part)
    told = dict(part)
    for word in ("tool", "type"):
        if isinstance(told.get(word), str):
            spelt = told[word].lower().replace("_", "-").replace(" ", "-")
            told[word] = "edge" if spelt == "relationship" else spelt
    try:
        return natural_key(told)
    except KeyError:
        return ""


def place(path: Sequence[Any], body: Any) -> tuple[str | int, ...]:
    """Where a compared path was written: parts by their number in their list. As far as it was."""
    found: list[str | int] = [path[0]]
    there = body.get(path[0]) if isinstance(body, Mapping) else None
    for depth, step in enumerate(path[1:], 1):
        if isinstance(there, list) and depth % 2:
            keys = [written_key(part) for part in there]
            if step not in keys and depth == 1 and isinstance(body.get("relationships"), list):
                found, there = ["relationships"], body["relationships"]
                keys = [written_key(part) for part in there]
            if step not in keys:
                return (path[0],) if depth == 1 else tuple(found)
            found.append(keys.index(step))
            there = there[keys.index(step)]
        elif isinstance(there, Mapping) and str(step) in there:
            found.append(str(step))
            there = there[step]
        else:
            break
    return tuple(found)


def written(fields: Mapping[str, Any], body: Any) -> dict[str, Any]:
    """Compared fields as lists of parts, defaults left out; relationships where the body has them."""
    out = {name: value for name, value in fields.items() if name in ("name", "media_type")}
    if "classifications" in fields:
        out["classifications"] = [
            _classification(part) for part in (fields["classifications"] or {}).values()
        ]
    if "tools" in fields:
        tools = fields["tools"] or {}
        told = [_tool(part, tools) for part in tools.values()]
        apart = isinstance(body, Mapping) and isinstance(body.get("relationships"), list)
        mixed = [written_key(part) for part in body.get("tools") or []] if apart else []
        out["tools"] = [part for part in told if not apart or _stays(part, mixed)]
        if apart:
            out["relationships"] = [part for part in told if not _stays(part, mixed)]
            if not out["tools"] and "tools" not in body:
                del out["tools"]
    return out


def _stays(part: Mapping[str, Any], mixed: Sequence[str]) -> bool:
    """Whether a tool is written among the tools, and not among the relationships."""
    return part["tool"] != "edge" or written_key(part) in mixed


def _tool(part: Mapping[str, Any], tools: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"tool": part["tool"], "name": part["name"]}
    out |= {name: part[name] for name in ("color",) if name in part}
    out |= {"required": True} if part.get("required") else {}
    if part.get("classifications"):
        out["classifications"] = [_classification(each) for each in part["classifications"].values()]
    return out | _attributes(part) | _definition(part, tools)


def _classification(part: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"type": part["type"], "name": part["name"]}
    if part.get("instructions", part["name"]) != part["name"]:
        out["instructions"] = part["instructions"]
    if part.get("required", False) != (part["type"] in PROMPT_TYPES):
        out["required"] = part.get("required", False)
    if part.get("scope", "global") != "global":
        out["scope"] = part["scope"]
    plain = ("uiMode", "isLikertScale", "minCharacters", "maxCharacters")
    out |= {name: part[name] for name in plain if name in part}
    if part.get("options"):
        inner = _option if part["type"] != "group" else _nested
        out["options"] = [inner(each) for each in part["options"].values()]
    return out | _attributes(part)


def _nested(part: Mapping[str, Any]) -> Any:
    return _classification(part) if "type" in part else _option(part)


def _option(part: Mapping[str, Any]) -> Any:
    """An option: mere text where its label and its value are one."""
    out: dict[str, Any] = {"value": part["value"]}
    if part.get("label", part["value"]) != part["value"]:
        out["label"] = part["label"]
    if part.get("options"):
        out["options"] = [_nested(each) for each in part["options"].values()]
    return out if len(out) > 1 else part["value"]


def _attributes(part: Mapping[str, Any]) -> dict[str, Any]:
    if "attributes" not in part:
        return {}
    pairs = part["attributes"].items()
    return {"attributes": [{"attributeName": name, "attributeValue": value} for name, value in pairs]}


def _definition(part: Mapping[str, Any], tools: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in a definition: its pairs by the names of tools, where a name is of one tool alone."""
    out: dict[str, Any] = {name: part[name] for name in ("title", "value") if name in part}
    if "variants" in part:
        out["variants"] = [
            {"id": each["id"], "name": each["name"], "actions": list(each["actions"])}
            for each in part["variants"].values()
        ]
    if "constraints" in part:
        names = [tool["name"] for tool in tools.values() if tool.get("tool") != "edge"]

        def end(key: str) -> str:
            name = str(tools.get(key, {}).get("name", key))
            return name if names.count(name) == 1 else key

        pairs = part["constraints"].values()
        out["constraints"] = [[end(pair["source"]), end(pair["target"])] for pair in pairs]
    return {"definition": out} if out else {}
