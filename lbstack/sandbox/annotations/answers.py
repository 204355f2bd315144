"""The answers to questions, nested to any depth, checked against the ontology (API reference 1.10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lbstack.sandbox.annotations import features, values
from lbstack.sandbox.annotations.values import RejectedError, Told, invalid
from lbstack.sandbox.ontologies import tree
from lbstack.sandbox.ontologies.shape import WITH_OPTIONS, Node

_MOST_TEXT = 1_000_000
_MANY = {"checklist", "response-checklist", "dropdown"}
_ONE = {"radio", "response-radio", "dropdown"}

NewId = Callable[[], str]


def pick(level: features.Level, told: Told, what: str) -> Node:
    """The feature that ``schemaId`` or ``name`` means; both may be told if they mean the same."""
    ident, name = told.get("schemaId"), told.get("name")
    if ident is None and name is None:
        raise invalid(f"{what} needs a name or a schemaId")
    if ident is not None:
        node = level.by_id.get(values.text(ident, "schemaId"))
        if node is None:
            raise RejectedError("FeatureSchemaNotFound", f"No feature of the ontology here has id {ident}")
        if name is not None and name not in features.names(node):
            raise invalid(f"schemaId {ident} is not the feature named {name!r}")
        return node
    found = level.by_name.get(values.text(name, "name"), ())
    if not found:
        raise RejectedError("FeatureSchemaNotFound", f"No feature of the ontology here is named {name!r}")
    return next((node for node in found if _fits(node, told)), found[0])


def _fits(node: Node, told: Told) -> bool:
    """Of several features of one name, those that could have the value that is told."""
    if "tool" in node:
        return "answer" not in told
    if "type" not in node:
        return True
    answer = told.get("answer")
    if isinstance(answer, str):
        return node["type"] in ("text", "prompt", "response-text")
    return node["type"] in (_ONE if isinstance(answer, dict) else _MANY)


def nested(node: Node, raw: Any, new_id: NewId) -> list[Told]:
    """The answers below an object or an option."""
    if raw is None or raw == []:
        return []
    level = features.level(tree.children(node))
    found, answered = [], set()
    for each in values.items(raw, "classifications"):
        told = values.obj(each, "classifications")
        question = pick(level, told, "A nested classification")
        if question["featureSchemaId"] in answered:
            raise invalid(f"{features.title(question)!r} is answered twice")
        answered.add(question["featureSchemaId"])
        found.append(classification(question, told, new_id))
    return found


def classification(node: Node, told: Told, new_id: NewId) -> Told:
    """A question and what is answered to it."""
    if "type" not in node:
        raise invalid(f"{features.title(node)!r} is no classification")
    if "answer" not in told and "answers" not in told:
        raise invalid(f"{features.title(node)!r} needs an answer")
    answer = told["answer"] if "answer" in told else told["answers"]
    head = features.identity(node, new_id())
    if told.get("frames") is not None:
        head["frames"] = values.frames(told["frames"])
    if told.get("messageId") is not None:
        head["message_id"] = values.text(told["messageId"], "messageId")
    return head | _answered(node, answer, new_id)


def _answered(node: Node, answer: Any, new_id: NewId) -> Told:
    kind = node["type"]
    if kind == "group":
        raise invalid(f"{features.title(node)!r} is a group and has no answer")
    if kind in WITH_OPTIONS:
        return _chosen(node, answer, new_id)
    if isinstance(answer, list):
        return {"text_answers": [_timed_text(node, each, new_id) for each in values.items(answer, "answer")]}
    return {"text_answer": {"content": _content(node, answer)}}


def _chosen(node: Node, answer: Any, new_id: NewId) -> Told:
    kind, options = node["type"], features.level(node["options"])
    if kind in _ONE and isinstance(answer, dict):
        return {"radio_answer": _option(options, answer, new_id)}
    if not isinstance(answer, list):
        raise invalid(f"answer of {features.title(node)!r} must be {_shape(kind)}")
    chosen = [_option(options, values.obj(each, "answer"), new_id) for each in values.items(answer, "answer")]
    if len({each["feature_schema_id"] for each in chosen}) < len(chosen):
        raise invalid(f"{features.title(node)!r} has the same answer twice")
    if kind in _MANY:
        return {"checklist_answers": chosen}
    if not all("frames" in each for each in chosen):
        raise invalid(f"answer of {features.title(node)!r} must be {_shape(kind)}")
    return {"radio_answers": chosen}


def _shape(kind: str) -> str:
    return "an object with name or schemaId" if kind in _ONE else "a list of objects with name or schemaId"


def _option(options: features.Level, told: Told, new_id: NewId) -> Told:
    node = pick(options, told, "An answer")
    head = features.identity(node, new_id())
    if told.get("frames") is not None:
        head["frames"] = values.frames(told["frames"])
    return head | {"classifications": nested(node, told.get("classifications"), new_id)}


def _timed_text(node: Node, raw: Any, new_id: NewId) -> Told:
    told = values.obj(raw, "answer")
    content = _content(node, told.get("value"))
    below = nested(node, told.get("classifications"), new_id)
    return {"content": content, "frames": values.frames(told.get("frames")), "classifications": below}


def _content(node: Node, answer: Any) -> str:
    if not isinstance(answer, str):
        raise invalid(f"answer of {features.title(node)!r} must be a text")
    least, most = node.get("minCharacters") or 0, node.get("maxCharacters")
    if not least <= len(answer) <= min(_MOST_TEXT, _MOST_TEXT if most is None else most):
        raise invalid(f"answer of {features.title(node)!r} is too short or too long")
    return answer
