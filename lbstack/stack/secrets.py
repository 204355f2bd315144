"""Where a secret may stand: in a field whose type takes one, nowhere else."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel

from lbstack.values import Secret


def takes_secret(annotation: Any, seen: frozenset[type] = frozenset()) -> bool:
    """Whether a type has a place for a secret, models inside it included."""
    if isinstance(annotation, type):
        if issubclass(annotation, Secret):
            return True
        if issubclass(annotation, BaseModel) and annotation not in seen:
            inner = seen | {annotation}
            return any(takes_secret(info.annotation, inner) for info in annotation.model_fields.values())
    return any(takes_secret(part, seen) for part in get_args(annotation))


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
