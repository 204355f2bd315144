"""Types of fields that only some kinds have."""

from __future__ import annotations

from typing import Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from lbstack.values import Ref


def _distinct(value: list[Any]) -> list[Any]:
    for index, item in enumerate(value):
        if item in value[:index]:
            name = item.address.key if isinstance(item, Ref) else item
            raise PydanticCustomError("distinct", "names {name} twice", {"name": str(name)})
    return value


Distinct = AfterValidator(_distinct)
"""A list in which nothing may stand twice."""
