"""Labels that were written as JSON: what of it annotates the project's ontology (API reference 1.11).

``createLabel`` takes any JSON. Three forms are understood: the objects and classifications of the older
exports, those of the newer ones, and the legacy editor's, which maps questions to answers
(``{"image_contain_tooth_damage?": "yes"}``) and tools to geometries. What the ontology does not know, or
what does not fit it, is no annotation; the text itself is kept as it came.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lbstack.sandbox.annotations import features
from lbstack.sandbox.annotations.judge import Judge
from lbstack.sandbox.annotations.values import RejectedError, Told
from lbstack.sandbox.ontologies import tree
from lbstack.sandbox.ontologies.shape import WITH_OPTIONS, Node

_LISTS = ("objects", "classifications", "relationships")
_SAME = ("polygon", "line", "point", "cuboid", "location", "bbox", "segments", "page", "unit", "frames")
_LONGEST_ID = 50
_WHITE = [255, 255, 255]
_GEOMETRY = {"polygon": "polygon", "line": "line"}


def empty() -> Told:
    """The annotations of a label that has none."""
    return {name: [] for name in _LISTS}


def read(judge: Judge, body: Any) -> Told:
    """The annotations that a label's JSON tells, with the feature ids it tells."""
    found = empty()
    if not isinstance(body, dict):
        return found
    by_id: dict[str, Told] = {}
    for list_name in ("objects", "classifications"):
        for item in _dicts(body.get(list_name)):
            for where, made in _judged(judge, _line(judge.roots, item), _told_id(item)):
                found[where].append(made)
                by_id[made["feature_id"]] = made
    for item in _dicts(body.get("relationships")):
        related = _related(judge, item, by_id)
        if related:
            found["relationships"].append(related)
    for name, answer in body.items():
        if name not in _LISTS:
            for line in _flat(judge.roots, name, answer):
                for where, made in _judged(judge, line, None):
                    found[where].append(made)
    found["objects"] += found["relationships"]
    return found


def _judged(judge: Judge, line: Told | None, ident: str | None) -> list[tuple[str, Told]]:
    if line is None:
        return []
    try:
        where, made = judge.annotations(line)
    except RejectedError:
        return []
    if ident and len(made) == 1:
        made = [made[0] | {"feature_id": ident}]
    return [(where, each) for each in made]


def _related(judge: Judge, item: Told, by_id: dict[str, Told]) -> Told | None:
    node = _meant(judge.roots, item)
    kind = item.get("relationshipType", "unidirectional")
    data = item.get("data", item.get("unidirectional_relationship", item.get("bidirectional_relationship")))
    if "bidirectional_relationship" in item:
        kind = "bidirectional"
    if node is None or not isinstance(data, dict):
        return None
    told = {"schemaId": node["featureSchemaId"], "relationship": {**data, "type": kind}}
    try:
        made = judge.relationship(told, by_id)
    except RejectedError:
        return None
    return made | {"feature_id": _told_id(item) or made["feature_id"]}


def _told_id(item: Told) -> str | None:
    ident = item.get("featureId", item.get("feature_id"))
    return ident if isinstance(ident, str) and 0 < len(ident) <= _LONGEST_ID else None


def _dicts(raw: Any) -> list[Told]:
    return [each for each in raw if isinstance(each, dict)] if isinstance(raw, list) else []


def _meant(level: features.Level, item: Told) -> Node | None:
    """The feature an item is about: by id, else by the name that people or programs read."""
    ident = item.get("schemaId", item.get("feature_schema_id", item.get("featureSchemaId")))
    if isinstance(ident, str) and ident in level.by_id:
        return level.by_id[ident]
    for key in ("title", "name", "value"):
        found = _named(level, item.get(key))
        if found is not None:
            return found
    return None


def _named(level: features.Level, name: Any) -> Node | None:
    if not isinstance(name, str | int) or isinstance(name, bool):
        return None
    told = str(name)
    if told in level.by_name:
        return level.by_name[told][0]
    return next((node for node in level.by_id.values() if features.machine_name(node) == told), None)


def _line(level: features.Level, item: Told) -> Told | None:
    """An item of an export as a line of an import."""
    node = _meant(level, item)
    if node is None:
        return None
    line: Told = {"schemaId": node["featureSchemaId"]}
    line |= {key: item[key] for key in _SAME if item.get(key) is not None}
    for old, new in (("bounding_box", "bbox"), ("text_selections", "textSelections")):
        if item.get(old) is not None:
            line[new] = item[old]
    below = features.level(tree.children(node))
    line["classifications"] = _lines(below, item.get("classifications"))
    if "tool" not in node:
        answer = _answer(below, item)
        return None if answer is None else {**line, "answer": answer, "classifications": None}
    mask = _mask(item)
    if mask is not None and not {"bbox", "polygon", "line", "point", "cuboid"} & line.keys():
        line["mask"] = mask
    return line


def _lines(level: features.Level, raw: Any) -> list[Told]:
    lines = (_line(level, each) for each in _dicts(raw))
    return [line for line in lines if line is not None]


def _mask(item: Told) -> Told | None:
    """A mask: the older exports print a white image of one object under ``instanceURI``."""
    told = item.get("mask")
    if isinstance(told, dict):
        uri = told.get("uri", told.get("url", told.get("file", told.get("instanceURI"))))
        return {"instanceURI": uri, "colorRGB": told.get("color", told.get("colorRGB", _WHITE))}
    return {"instanceURI": item["instanceURI"], "colorRGB": _WHITE} if "instanceURI" in item else None


def _answer(options: features.Level, item: Told) -> Any:
    for key in ("answer", "answers", "radio_answer", "checklist_answers", "text_answer"):
        if item.get(key) is not None:
            raw = item[key]
            break
    else:
        return None
    if key == "text_answer":
        return raw.get("content") if isinstance(raw, dict) else None
    if isinstance(raw, dict):
        return _option(options, raw)
    if isinstance(raw, list):
        return [option for option in (_option(options, each) for each in _dicts(raw)) if option]
    return raw


def _option(options: features.Level, raw: Told) -> Told | None:
    node = _meant(options, raw)
    if node is None:
        return None
    below = _lines(features.level(tree.children(node)), raw.get("classifications"))
    return {"schemaId": node["featureSchemaId"], "classifications": below}


def _flat(level: features.Level, name: str, raw: Any) -> Iterable[Told]:
    """What the legacy editor wrote under a question's or a tool's name."""
    node = _named(level, name)
    if node is None:
        return
    head = {"schemaId": node["featureSchemaId"]}
    if "tool" in node:
        for item in _dicts(raw):
            geometry = item.get("geometry")
            if node["tool"] == "point":
                yield head | {"point": geometry}
            elif node["tool"] in _GEOMETRY:
                yield head | {_GEOMETRY[node["tool"]]: geometry}
            elif node["tool"] == "rectangle":
                yield head | {"bbox": _bounds(geometry)}
        return
    if node["type"] not in WITH_OPTIONS:
        yield head | {"answer": raw}
        return
    options = features.level(node["options"])
    told = [_named(options, each) for each in (raw if isinstance(raw, list) else [raw])]
    chosen = [{"schemaId": each["featureSchemaId"]} for each in told if each is not None]
    if chosen:
        yield head | {"answer": chosen[0] if node["type"] in ("radio", "response-radio") else chosen}


def _bounds(geometry: Any) -> Told | None:
    corners = _dicts(geometry)
    try:
        xs, ys = [float(each["x"]) for each in corners], [float(each["y"]) for each in corners]
        left, top = min(xs), min(ys)
        return {"left": left, "top": top, "width": max(xs) - left, "height": max(ys) - top}
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
