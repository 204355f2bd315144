"""The JSON Schema for editors: draft 2020-12, strict about keys, tolerant of ``${…}``."""

from __future__ import annotations

from typing import Any

from lbstack.kinds import KINDS as REAL
from lbstack.stack.schema import json_schema
from tests.stack.made_up import KINDS


def objects(part: Any) -> list[dict[str, Any]]:
    """Every object type in a schema that names its properties."""
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    found = [one for value in inner for one in objects(value)]
    return [part, *found] if isinstance(part, dict) and isinstance(part.get("properties"), dict) else found


def references(part: Any) -> list[str]:
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    own = [part["$ref"]] if isinstance(part, dict) and isinstance(part.get("$ref"), str) else []
    return own + [ref for value in inner for ref in references(value)]


def test_it_knows_every_section_and_closes_every_mapping() -> None:
    for kinds in (KINDS, REAL):
        schema = json_schema(kinds)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        plurals = {kind.plural for kind in kinds.values()}
        assert set(schema["properties"]) == {
            "stack", "variables", "outputs", "moved", "removed", "imports", *plurals
        }  # fmt: skip
        assert all(one["additionalProperties"] is False for one in objects(schema))
        assert all(ref.removeprefix("#/$defs/") in schema["$defs"] for ref in references(schema))


def test_a_resource_has_its_fields_and_the_engine_words() -> None:
    spec = json_schema(KINDS)["$defs"]["ShelfSpec"]
    assert list(spec["properties"]) == ["name", "rows", "load", "open", "material", "lifecycle", "previously"]
    assert spec["required"] == ["name"]


def test_a_number_may_be_a_hole_and_an_enumeration_any_spelling() -> None:
    fields = json_schema(KINDS)["$defs"]["ShelfSpec"]["properties"]
    hole = {"type": "string", "pattern": r"\$\{[^}]+\}"}
    number, null = fields["rows"]["anyOf"]
    assert number == {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, hole]}
    assert null == {"type": "null"}
    words, _ = fields["material"]["anyOf"]
    offered, spelled, other = words["anyOf"]
    assert offered == {"type": "string", "enum": ["WOOD", "STEEL"]} and other == hole
    assert spelled == {"type": "string", "pattern": "^([Ww][Oo][Oo][Dd]|[Ss][Tt][Ee][Ee][Ll])$"}


def test_words_are_accepted_in_every_spelling_that_a_stack_may_use() -> None:
    import re

    def spellings(part: Any) -> list[tuple[list[str], re.Pattern[str]]]:
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        found = [one for value in inner for one in spellings(value)]
        match part:
            case {"anyOf": [{"enum": [str(), *_] as words}, {"pattern": pattern}, _]}:
                return [*found, (words, re.compile(pattern))]
        return found

    known = spellings(json_schema(REAL))
    assert len(known) > 5
    for words, pattern in known:
        for word in words:
            for spelled in (word, word.lower(), word.upper(), word.replace("_", "-"), word.replace("-", " ")):
                assert pattern.search(spelled), (word, spelled)
            assert not pattern.search(f"{word}x") and not pattern.search(f"x{word}")
