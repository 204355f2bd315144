"""The JSON Schema of a stack file, for editors: it helps while one writes; `load` decides.

Built from the kinds' specs. Any text or number may be a ``${…}`` instead, and Labelbox's own words are
accepted in any case: editors offer its spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from lbstack.kinds import KINDS
from lbstack.kinds.contract import Kind
from lbstack.stack.blocks import ImportBlock, MovedBlock, RemovedBlock
from lbstack.stack.bodies import EngineWords
from lbstack.stack.sections import NAME as STACK_NAME
from lbstack.stack.specs import models_in
from lbstack.stack.variables import NAME

JSON = dict[str, Any]
HOLE: JSON = {"type": "string", "pattern": r"\$\{[^}]+\}"}
"""A text with ``${…}`` in it."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kinds: Mapping[str, Kind] = KINDS) -> JSON:
    """The schema (draft 2020-12) of one stack file."""
    models: list[type[BaseModel]] = [kind.Spec for kind in kinds.values()]
    models += [EngineWords, MovedBlock, RemovedBlock, ImportBlock]
    refs, definitions = models_json_schema([(model, "validation") for model in models])
    shared = {name: _open(part) for name, part in definitions.get("$defs", {}).items()}
    words = shared.pop(_name(refs[EngineWords, "validation"]))["properties"]
    for kind in kinds.values():
        spec = shared[_name(refs[kind.Spec, "validation"])]
        spec["properties"] = {**spec.get("properties", {}), **words}
    for model in (inner for kind in kinds.values() for inner in models_in(kind.Spec)):
        if _has_short_form(model):
            shared[model.__name__] = {"anyOf": [shared[model.__name__], {"type": ["string", "number"]}]}
    sections = {
        kind.plural: {
            "description": (kind.Spec.__doc__ or "").strip().partition("\n")[0],
            **_named({"$ref": refs[kind.Spec, "validation"]["$ref"]}),
        }
        for kind in kinds.values()
    }
    return {
        "$schema": _DIALECT,
        "title": "lbstack stack",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "stack": {
                "description": "The stack's name; its state is kept under it",
                "type": "string",
                "pattern": _pattern(STACK_NAME.pattern),
            },
            "variables": {"description": "What ${var.NAME} stands for", **_named(_VARIABLE, NAME.pattern)},
            **sections,
            "outputs": {"description": "Values told to the outside", **_named({}, NAME.pattern)},
            "moved": _list("Resources that have a new address", refs[MovedBlock, "validation"]),
            "removed": _list("Resources that left the stack", refs[RemovedBlock, "validation"]),
            "imports": _list("Existing objects to take under management", refs[ImportBlock, "validation"]),
        },
        "$defs": shared,
    }


_VARIABLE: JSON = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "default": {"description": "The value if none is given; null is a value"},
        "secret": {
            "type": "boolean",
            "description": "Never shown, never written; only for fields that take it",
        },
        "description": {"type": "string"},
    },
}


def _open(part: Any) -> Any:
    """A part of a schema in which every text, number or choice may also be ``${…}``."""
    if isinstance(part, list):
        return [_open(item) for item in part]
    if not isinstance(part, dict):
        return part
    opened = {
        key: {name: _open(item) for name, item in value.items()} if key == "properties" else _kept(key, value)
        for key, value in part.items()
        if key != "title"
    }
    if opened.get("type") == "object" and "properties" in opened:
        opened.setdefault("additionalProperties", False)
    if "enum" in opened or "const" in opened:
        return _choice(opened)
    strict = opened.get("type") == "string" and any(
        word in opened for word in ("pattern", "format", "maxLength")
    )
    if strict or opened.get("type") in ("number", "integer", "boolean"):
        outside: JSON = {key: opened.pop(key) for key in ("description", "default") if key in opened}
        return {**outside, "anyOf": [opened, HOLE]}
    return opened


def _has_short_form(model: type[BaseModel]) -> bool:
    """Whether a word may stand for the mapping; pydantic's schema does not tell."""
    try:
        model.model_validate("word")
    except ValidationError:
        return False
    return True


def _kept(key: str, value: Any) -> Any:
    """Data stays as it is; what is a schema is opened."""
    return (
        value
        if key in ("default", "examples", "enum", "const", "required", "discriminator")
        else _open(value)
    )


def _choice(opened: JSON) -> JSON:
    """An enumeration to choose from, or the same in another spelling, or a variable."""
    outside: JSON = {key: opened.pop(key) for key in ("description", "default") if key in opened}
    if opened.get("type") != "string":
        return {**outside, **opened}
    words = [word for word in opened.get("enum", [opened.get("const")]) if isinstance(word, str)]
    spelled: JSON = {"type": "string", "pattern": f"^({'|'.join(map(_any_case, words))})$"}
    return {**outside, "anyOf": [opened, spelled, HOLE]}


def _any_case(word: str) -> str:
    """A pattern for a word in any case, its parts joined by a dash, an underscore or a blank."""
    return "".join(
        f"[{each.upper()}{each.lower()}]" if each.isalpha() else "[-_ ]" if each in "-_ " else re.escape(each)
        for each in word
    )


def _named(entry: JSON, pattern: str = r"^[^\s]{1,128}$") -> JSON:
    """A section: entries by name."""
    return {
        "type": ["object", "null"],
        "patternProperties": {_pattern(pattern): entry},
        "additionalProperties": False,
    }


def _list(description: str, ref: JSON) -> JSON:
    return {"description": description, "type": ["array", "null"], "items": {"$ref": ref["$ref"]}}


def _pattern(python: str) -> str:
    """A pattern of `re` as ECMA-262 writes it."""
    return "^" + python.removeprefix("^").removesuffix(r"\Z").removesuffix("$") + "$"


def _name(ref: JSON) -> str:
    return str(ref["$ref"]).rpartition("/")[2]
