"""What a field may be: roles that the engine obeys, types that carry references and secrets.

Roles stand beside the field they speak of, as ``Annotated[str, RefTo("…"), Immutable()]``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError, core_schema

from lbstack.values import Address, Ref, Secret, Template, Unset

# -- roles ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Immutable:
    """The service cannot change this field: another value replaces the object.

    With `once_used` it can, until the object holds labels or rows. With `parts`, of a mapping only
    the parts of these names cannot be changed.
    """

    once_used: bool = False
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class WriteOnly:
    """The service never tells this field: it is compared with what state remembers."""


@dataclass(frozen=True)
class Unordered:
    """A list whose order means nothing: it is compared as a set."""


@dataclass(frozen=True)
class Keyed:
    """A list that becomes a map of named parts in an order that means something.

    Inside a part, every mapping-valued attribute is such a map again.
    """


@dataclass(frozen=True)
class Listed:
    """A mapping of which only the written keys, and those written before, are managed."""


@dataclass(frozen=True)
class RefTo:
    """The key of another resource of a kind; becomes a `Ref` to that resource's id.

    With `waits`, the field is left alone while that resource is awaiting something (`Kind.awaiting`).
    """

    kind: str
    waits: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return core_schema.no_info_plain_validator_function(
            self._validate, serialization=core_schema.to_string_ser_schema()
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "description": f"The key of a resource of kind {self.kind}"}

    def _validate(self, value: Any) -> Any:
        if isinstance(value, Template) and len(value.parts) == 1:
            value = value.parts[0]
        if isinstance(value, Ref):
            if value.address.kind == self.kind and value.attribute == "id":
                return value
            raise PydanticCustomError("reference", f"names no {self.kind}; write the key of one")
        if isinstance(value, str) and value:
            return Ref(Address(self.kind, value.removeprefix(f"{self.kind}.")))
        raise PydanticCustomError("reference", f"should be the key of a resource of kind {self.kind}")


Role = Immutable | WriteOnly | Unordered | Keyed | Listed | RefTo


# -- types for spec fields ----------------------------------------------------------------------


def _or_later(value: Any, handler: Callable[[Any], Any]) -> Any:
    """Let a text with references through: it is checked by the service once it is known."""
    return value if isinstance(value, (Template, Ref)) else handler(value)


def _to_secret(value: Any) -> Any:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str) and value:
        return Secret(value)
    raise PydanticCustomError("secret", "should be a non-empty string, best a ${var.NAME} with secret: true")


class _SecretSchema:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return core_schema.no_info_plain_validator_function(_to_secret)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "writeOnly": True}


Text = Annotated[str, WrapValidator(_or_later)]
SecretText = Annotated[Secret, _SecretSchema()]


def _upper(value: Any) -> Any:
    return value.upper().replace(" ", "_").replace("-", "_") if isinstance(value, str) else value


UpperCase = BeforeValidator(_upper)
"""Labelbox's own spelling of an enum value, accepted in any case."""


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


LowerCase = BeforeValidator(_lower)


def _distinct(value: list[Any]) -> list[Any]:
    seen = set()
    for item in value:
        if item in seen:
            name = item.address.key if isinstance(item, Ref) else item
            raise PydanticCustomError("distinct", "names {name} twice", {"name": str(name)})
        seen.add(item)
    return value


Distinct = AfterValidator(_distinct)
"""A list in which nothing may stand twice."""


class Spec(BaseModel):
    """What may be written of one resource. A field that is absent is not managed."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, defer_build=True, frozen=True, arbitrary_types_allowed=True
    )


def holds_unset(value: Any) -> bool:
    """Whether a value is, or holds, a variable that has no value yet."""
    if isinstance(value, dict):
        return any(holds_unset(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_unset(item) for item in value)
    return isinstance(value, Unset)


def metadata(info: Any) -> list[Any]:
    """Annotations of a field, those inside ``X | None`` and ``list[X]`` included."""
    found = list(info.metadata)

    def walk(annotation: Any) -> None:
        found.extend(getattr(annotation, "__metadata__", ()))
        if get_args(annotation) and getattr(annotation, "__origin__", None) is not Literal:
            for inner in get_args(annotation):
                walk(inner)

    walk(info.annotation)
    return found
