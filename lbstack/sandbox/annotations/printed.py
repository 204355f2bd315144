"""Annotations as the older exports print them: what ``Label.label`` and webhooks tell (1.11, 5.8)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lbstack.sandbox.annotations import features
from lbstack.sandbox.annotations.values import Told

_SAME = (
    "polygon", "line", "point", "cuboid", "location", "text_selections", "segments", "page", "unit", "frames",
    "message_id", "message_evaluation_task",
)  # fmt: skip
_RELATIONS = ("unidirectional", "bidirectional")


def label(annotations: Told, roots: features.Level, base: str) -> str:
    """The stringified JSON of a label; masks lie at ``base``/masks/feature/ID."""
    related = [_relationship(each) for each in annotations["relationships"]]
    body = {
        "objects": [_object(each, roots, base) for each in objects(annotations)],
        "classifications": [_classification(each) for each in annotations["classifications"]],
        "relationships": related,
    }
    return json.dumps(body)


def objects(annotations: Told) -> list[Told]:
    """The objects without the relationships, which stand among them once more."""
    related = {each["feature_id"] for each in annotations["relationships"]}
    return [each for each in annotations["objects"] if each["feature_id"] not in related]


def count(annotations: Told) -> int:
    """How many annotations there are at the top of a label: objects, relationships and classifications."""
    return len(annotations["objects"]) + len(annotations["classifications"])


def used(annotations: Told) -> set[str]:
    """The feature schemas of all annotations, answers and nested answers."""
    return {each["feature_schema_id"] for each in _everything(annotations) if "feature_schema_id" in each}


def _everything(value: Any) -> Iterator[Told]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _everything(each)
    elif isinstance(value, list):
        for each in value:
            yield from _everything(each)


def flat(annotations: Told) -> Told:
    """The answers as the legacy editor wrote them: machine name of the question to that of the answer."""
    found: Told = {}
    for each in annotations["classifications"]:
        if "radio_answer" in each:
            found[each["value"]] = each["radio_answer"]["value"]
        elif "checklist_answers" in each:
            found[each["value"]] = [answer["value"] for answer in each["checklist_answers"]]
        elif "text_answer" in each:
            found[each["value"]] = each["text_answer"]["content"]
    return found


def _head(annotation: Told) -> Told:
    return {
        "featureId": annotation["feature_id"],
        "schemaId": annotation["feature_schema_id"],
        "title": annotation["name"],
        "value": annotation["value"],
    }


def _object(annotation: Told, roots: features.Level, base: str) -> Told:
    node = roots.by_id.get(annotation["feature_schema_id"], {})
    printed = _head(annotation) | {"color": node.get("color")}
    if "bounding_box" in annotation:
        printed["bbox"] = annotation["bounding_box"]
    printed |= {key: annotation[key] for key in _SAME if key in annotation}
    if "mask" in annotation:
        printed["instanceURI"] = f"{base}/masks/feature/{annotation['feature_id']}"
    below = [_classification(each) for each in annotation["classifications"]]
    return printed | ({"classifications": below} if below else {})


def _classification(annotation: Told) -> Told:
    printed = _head(annotation) | {
        key: annotation[key] for key in ("frames", "message_id") if key in annotation
    }
    if "radio_answer" in annotation:
        return printed | {"answer": _answer(annotation["radio_answer"])}
    if "text_answer" in annotation:
        return printed | {"answer": annotation["text_answer"]["content"]}
    if "text_answers" in annotation:
        return printed | {"answers": annotation["text_answers"]}
    answers: list[Told] = annotation.get("checklist_answers") or annotation.get("radio_answers") or []
    return printed | {"answers": [_answer(each) for each in answers]}


def _answer(answer: Told) -> Told:
    printed = _head(answer) | ({"frames": answer["frames"]} if "frames" in answer else {})
    below = [_classification(each) for each in answer["classifications"]]
    return printed | ({"classifications": below} if below else {})


def _relationship(annotation: Told) -> Told:
    kind = next(each for each in _RELATIONS if f"{each}_relationship" in annotation)
    data = annotation[f"{kind}_relationship"]
    printed = _head(annotation) | {"data": {"source": data["source"], "target": data["target"]}}
    return printed | {"relationshipType": kind, "version": 1}
