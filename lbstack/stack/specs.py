"""Looking into specs: the models inside them, and where a secret may stand."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel

from lbstack.values import Secret


def parts_of(annotation: Any) -> list[Any]:
    """The classes that a type is made of, models not entered."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation]
    return [part for inner in get_args(annotation) for part in parts_of(inner)]


def models_in(annotation: Any, seen: dict[type[BaseModel], None] | None = None) -> list[type[BaseModel]]:
    """The models that a type is made of, those inside them included; each once, outermost first."""
    seen = {} if seen is None else seen
    for part in parts_of(annotation):
        if issubclass(part, BaseModel) and part not in seen:
            seen[part] = None
            for info in part.model_fields.values():
                models_in(info.annotation, seen)
    return list(seen)


def takes_secret(annotation: Any) -> bool:
    """Whether a type has a place for a secret, models inside it included."""
    inner = [info.annotation for model in models_in(annotation) for info in model.model_fields.values()]
    return any(issubclass(part, Secret) for whole in [annotation, *inner] for part in parts_of(whole))


def secrets_in(value: Any) -> list[Secret]:
    """Every secret inside a value."""
    if isinstance(value, Secret):
        return [value]
    if isinstance(value, dict):
        return [secret for pair in value.items() for item in pair for secret in secrets_in(item)]
    if isinstance(value, BaseModel):
        return [secret for _, item in value for secret in secrets_in(item)]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [secret for item in value for secret in secrets_in(item)]
    return []
