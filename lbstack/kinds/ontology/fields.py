"""Types of the fields of an ontology's parts, and how faults are told: all at once, each at its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from lbstack.kinds.ontology.words import CLASSIFICATION_TYPES, TOOL_TYPES
from lbstack.values import Template

MediaType = Literal[
    "AUDIO", "CONVERSATIONAL", "DICOM", "HTML", "IMAGE", "JSON", "LLM", "LLM_PROMPT_CREATION",
    "LLM_PROMPT_RESPONSE_CREATION", "PDF", "POINT_CLOUD", "TEXT", "TMS_GEO", "TMS_SIMPLE", "VIDEO",
]  # fmt: skip
"""API reference 2.2, those of older clients included."""

Loc = tuple[str | int, ...]
Fault = tuple[Loc, str]


def refuse(faults: Sequence[Fault], what: str = "ontology") -> None:
    """Raise all faults at once, each at its place below the value that is being validated."""
    if faults:
        lines = [InitErrorDetails(type=_said(said), loc=loc, input=None) for loc, said in faults]
        raise ValidationError.from_exception_data(what, lines, hide_input=True)


def _said(text: str) -> PydanticCustomError:
    return PydanticCustomError("ontology", "{said}", {"said": text})


def _name(value: Any) -> str:
    """A natural key: features are matched by it, so it must be known before anything is applied."""
    if isinstance(value, Template):
        raise PydanticCustomError("name", "should be plain text: a feature is matched by its name")
    if not isinstance(value, str) or not value.strip():
        raise PydanticCustomError("name", "should be text that is not empty")
    return value


def _text_or_number(value: Any) -> str:
    """Values and labels may be numbers in Labelbox's JSON; compared as text (API reference 3.1)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value
    raise PydanticCustomError("option", "should be text or a whole number; quote what is neither")


def word(known: Sequence[str], **also: str) -> BeforeValidator:
    """One of the service's words, in any case; `also` are other names for some."""

    def check(value: Any) -> Any:
        spelt = value.lower().replace("_", "-").replace(" ", "-") if isinstance(value, str) else value
        spelt = also.get(spelt, spelt) if isinstance(spelt, str) else spelt
        if spelt not in known:
            raise PydanticCustomError("word", "should be one of {known}", {"known": ", ".join(known)})
        return spelt

    return BeforeValidator(check)


Name = Annotated[str, BeforeValidator(_name), Field(min_length=1)]
OptionText = Annotated[str, BeforeValidator(_text_or_number), Field(min_length=1)]
Color = Annotated[str, Field(min_length=1, description="Any CSS colour; absent = not managed")]
ToolType = Annotated[
    str,
    word(TOOL_TYPES, relationship="edge"),
    Field(json_schema_extra={"enum": [*TOOL_TYPES, "relationship"]}),
]
ClassificationType = Annotated[
    str, word(CLASSIFICATION_TYPES), Field(json_schema_extra={"enum": [*CLASSIFICATION_TYPES]})
]
