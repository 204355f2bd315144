"""What may be written of an ontology, in the words of Labelbox's own ontology JSON (API reference 3.1).

JSON copied from Labelbox can be pasted in: ids and nulls are accepted and mean nothing, keys may be
in camelCase. Every rule here can be told offline, and each problem stands where it was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from lbstack.kinds.fields import Immutable, Keyed, Spec, Text, UpperCase
from lbstack.kinds.ontology.fields import (
    ClassificationType,
    Color,
    Fault,
    Loc,
    MediaType,
    Name,
    OptionText,
    ToolType,
    refuse,
    word,
)
from lbstack.kinds.ontology.words import (
    MAX_FEATURES,
    PROMPT_TYPES,
    REASONING_TOOLS,
    WITH_OPTIONS,
    natural_key,
)


class Part(Spec):
    """What every piece of an ontology has: ids that mean nothing here, and an old name."""

    feature_schema_id: str | None = Field(None, alias="featureSchemaId", description="Accepted and ignored")
    schema_node_id: str | None = Field(None, alias="schemaNodeId", description="Accepted and ignored")
    previously: OptionText | None = Field(None, description="The name it had before, to keep its ids")

    model_config = ConfigDict(validate_by_alias=True, validate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _nulls_mean_nothing(cls, value: Any) -> Any:
        known = {name for key, info in cls.model_fields.items() for name in (key, info.alias)}
        if isinstance(value, dict):
            return {k: v for k, v in value.items() if v is not None or k not in known}
        return value


T = TypeVar("T", bound=Part)


def _siblings(parts: list[T]) -> list[T]:
    """Refuse a natural key that occurs twice among siblings, and an old name claimed twice."""
    seen: set[str] = set()
    claimed: set[str] = set()
    faults: list[Fault] = []
    for index, part in enumerate(parts):
        key = key_of(part)
        if key in seen:
            faults.append(((index,), f"{key!r} is written twice here; names tell features apart"))
        seen.add(key)
        old = former_key(part)
        if old is not None and old in claimed:
            faults.append(((index, "previously"), f"another one here was {old!r} before, too"))
        if old == key:
            faults.append(((index, "previously"), "is the name that it still has"))
        claimed |= {old} if old is not None else set()
    refuse(faults)
    return parts


class Attribute(Spec):
    """A free pair on a feature (beta in Labelbox)."""

    attribute_name: Name = Field(alias="attributeName")
    attribute_value: Text = Field(alias="attributeValue")

    model_config = ConfigDict(validate_by_alias=True, validate_by_name=True)


class Variant(Spec):
    """One judgement of a step-reasoning or fact-checking tool."""

    id: int
    name: Name
    actions: list[str] = Field([])


class Definition(Spec):
    """What special tools hold beside their name (API reference 3.1)."""

    constraints: list[tuple[Name, Name]] | None = Field(
        None, description="For a relationship: pairs of tool names, source and target"
    )
    variants: list[Variant] | None = None
    version: Literal[1] | None = None
    title: Text | None = None
    value: Text | None = None


class Option(Part):
    """A choice, which may open further classifications."""

    value: OptionText
    label: OptionText | None = Field(None, description="Shown to labelers; the value if absent")
    options: Annotated[list[Classification], AfterValidator(_siblings)] = Field([])
    position: int | None = Field(None, description="Accepted and ignored: the order of the list counts")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"value": value}


class Classification(Part):
    """A question to the labeler: about the whole asset, or about what it is nested in."""

    type: ClassificationType
    name: Name
    instructions: Text | None = Field(None, description="Shown to labelers; the name if absent")
    required: StrictBool | None = None
    options: Annotated[list[Option], AfterValidator(_siblings)] = Field([])
    scope: Annotated[str, word(("global", "index"))] | None = None
    ui_mode: Annotated[str, word(("hotkey", "searchable"))] | None = Field(None, alias="uiMode")
    is_likert_scale: StrictBool | None = Field(None, alias="isLikertScale")
    min_characters: int | None = Field(None, alias="minCharacters")
    max_characters: int | None = Field(None, alias="maxCharacters")
    attributes: list[Attribute] | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Classification:
        kind, faults = self.type, list[Fault]()
        if kind in WITH_OPTIONS and not self.options:
            faults.append(((), f"a {kind} classification needs at least one option"))
        if kind not in WITH_OPTIONS and kind != "group" and self.options:
            faults.append((("options",), f"a {kind} classification has no options"))
        allowed = {
            "ui_mode": kind in ("radio", "checklist"),
            "is_likert_scale": kind == "radio",
            "min_characters": kind in PROMPT_TYPES,
            "max_characters": kind in PROMPT_TYPES,
            "scope": kind not in PROMPT_TYPES,
        }
        for name, fits in allowed.items():
            if not fits and getattr(self, name) is not None:
                spelt = type(self).model_fields[name].alias or name
                faults.append(((spelt,), f"a {kind} classification has no {spelt}"))
        refuse([*faults, *_scoped(self.options)])
        return self


class Tool(Part):
    """Something a labeler draws or marks, with questions about it."""

    tool: ToolType
    name: Name
    color: Color | None = None
    required: StrictBool | None = None
    classifications: Annotated[list[Classification], AfterValidator(_siblings)] = Field([])
    attributes: list[Attribute] | None = None
    definition: Definition | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Tool:
        faults = _scoped_here(self.classifications, ("classifications",))
        written = {} if self.definition is None else raw(self.definition)
        if self.tool in REASONING_TOOLS:
            if self.classifications:
                faults.append((("classifications",), f"a {self.tool} tool has no classifications"))
            if not written.get("variants"):
                faults.append((("definition",), f"a {self.tool} tool needs a definition with variants"))
        elif written.keys() - ({"constraints"} if self.tool == "edge" else set()):
            faults.append((("definition",), f"a {self.tool} tool has no such definition"))
        if self.tool == "prompt-issue" and [c.type for c in self.classifications] != ["checklist"]:
            faults.append((("classifications",), "a prompt-issue tool has exactly one checklist"))
        refuse(faults)
        return self


def _scoped(options: Sequence[Option]) -> list[Fault]:
    return [
        fault
        for index, option in enumerate(options)
        for fault in _scoped_here(option.options, ("options", index, "options"))
    ]


def _scoped_here(nested: Sequence[Classification], loc: Loc) -> list[Fault]:
    said = "only a top-level classification has a scope"
    return [((*loc, i, "scope"), said) for i, each in enumerate(nested) if each.scope is not None]


# -- the whole ---------------------------------------------------------------------------------


def _none(value: Any) -> Any:
    return [] if value is None else value


class OntologySpec(Spec):
    """The classes that labelers use: tools and classifications, with options, nested to any depth."""

    name: Text = Field(description="Shown in Labelbox; names need not be unique")
    media_type: Annotated[MediaType, UpperCase, Immutable()] | None = Field(
        None, description="The kind of asset; another one replaces the ontology"
    )
    tools: Annotated[list[Tool], BeforeValidator(_none), AfterValidator(_siblings), Keyed()] = Field(
        [], description="In the words of Labelbox's ontology JSON; null or [] says none"
    )
    classifications: Annotated[
        list[Classification], BeforeValidator(_none), AfterValidator(_siblings), Keyed()
    ] = Field([], description="In the words of Labelbox's ontology JSON; null or [] says none")
    relationships: Annotated[list[Tool], BeforeValidator(_none)] = Field(
        [], description="Tools of type edge, where pasted JSON lists them apart"
    )

    @model_validator(mode="after")
    def _holds_together(self) -> OntologySpec:
        faults = [
            *_relationships(self),
            *_one_prompt(self.classifications),
            *((("relationships", i, "tool"), "only tools of type edge stand here")
              for i, tool in enumerate(self.relationships) if tool.tool != "edge"),
        ]  # fmt: skip
        total = sum(_size(part) for part in (*self.tools, *self.relationships, *self.classifications))
        if total > MAX_FEATURES:
            faults.append(((), f"holds {total} features; Labelbox takes {MAX_FEATURES} (API reference 5.7)"))
        refuse(faults)
        return self


def edges(spec: OntologySpec) -> Iterator[tuple[Loc, Tool]]:
    """The relationship tools with their places."""
    for field in ("tools", "relationships"):
        for index, tool in enumerate(getattr(spec, field)):
            if tool.tool == "edge":
                yield (field, index), tool


def ends(tools: Sequence[Tool]) -> dict[str, str]:
    """What a constraint may say for a tool: its natural key, its name if no other has it, its pasted id."""
    plain = [tool for tool in tools if tool.tool != "edge"]
    names = Counter(tool.name for tool in plain)
    known = {tool.name: key_of(tool) for tool in plain if names[tool.name] == 1}
    known |= {tool.feature_schema_id: key_of(tool) for tool in plain if tool.feature_schema_id}
    return known | {key_of(tool): key_of(tool) for tool in plain}


def _relationships(spec: OntologySpec) -> Iterator[Fault]:
    known = ends(spec.tools)
    seen = {key_of(tool) for tool in spec.tools}
    for loc, tool in edges(spec):
        if loc[0] == "relationships" and key_of(tool) in seen:
            yield loc, f"{key_of(tool)!r} is written twice; names tell features apart"
        seen.add(key_of(tool))
        for number, pair in enumerate((tool.definition and tool.definition.constraints) or []):
            for side, end in enumerate(pair):
                if end not in known:
                    same = [key_of(t) for t in spec.tools if t.name == end and t.tool != "edge"]
                    said = f"{end!r} names no tool of this ontology"
                    if same:
                        said = f"{end!r} names several tools; write one of: {', '.join(same)}"
                    yield (*loc, "definition", "constraints", number, side), said


def _one_prompt(classifications: Sequence[Classification]) -> Iterator[Fault]:
    prompts = [i for i, each in enumerate(classifications) if each.type == "prompt"]
    for index in prompts[1:]:
        yield ("classifications", index), "an ontology has at most one prompt"


def _size(part: Part) -> int:
    nested = [*getattr(part, "classifications", []), *getattr(part, "options", [])]
    return 1 + sum(_size(each) for each in nested)


# -- spec to JSON ----------------------------------------------------------------------------------


def raw(part: Spec) -> dict[str, Any]:
    """A piece as Labelbox's JSON, only what was written; without ids and old names."""
    out: dict[str, Any] = {}
    for name, info in type(part).model_fields.items():
        value = getattr(part, name)
        if value is None or name in Part.model_fields or (isinstance(part, Option) and name == "position"):
            continue
        if isinstance(value, list):
            value = [raw(item) if isinstance(item, Spec) else item for item in value]
        out[info.alias or name] = raw(value) if isinstance(value, Spec) else value
    return out


def key_of(part: Part) -> str:
    """The natural key of a piece (`words.natural_key`)."""
    return natural_key({name: getattr(part, name, None) for name in ("tool", "type", "name", "value")})


def former_key(part: Part) -> str | None:
    """The natural key that a piece had before, if it says so."""
    if part.previously is None:
        return None
    return key_of(part.model_copy(update={"value" if isinstance(part, Option) else "name": part.previously}))


def renames(parts: Sequence[Part]) -> dict[str, Any]:
    """Old natural keys by new ones: ``{key: {"": old key, nested key: {…}}}``, only where there are any."""
    found: dict[str, Any] = {}
    for part in parts:
        old = former_key(part)
        inner = renames([*getattr(part, "classifications", []), *getattr(part, "options", [])])
        if old is not None or inner:
            found[key_of(part)] = ({"": old} if old is not None else {}) | inner
    return found
