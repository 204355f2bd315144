"""The service's own scalars (API reference 2.1 and section 4)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError, GraphQLScalarType, IntValueNode, StringValueNode, ValueNode
from graphql.utilities import value_from_ast_untyped
from starlette.datastructures import UploadFile

from lbstack.sandbox.errors import MalformedError, malformed_if
from lbstack.sandbox.ids import print_time
from lbstack.sandbox.listing import PAGE_SIZE

SDL = "scalar DateTime\nscalar Json\nscalar PageSize\nscalar UInt64\nscalar Upload\n"

_UINT64 = re.compile(r"[0-9]{1,20}")
_MOST_UINT64 = 2**64 - 1
_MOST_KEPT = 1_000_000  # characters of one Json value


def parse_time(value: Any) -> str:
    """Return an ISO 8601 time with zone, fraction or none, in the one form times are stored in."""
    if not isinstance(value, str):
        raise GraphQLError("DateTime cannot represent a value that is not a string")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return print_time(moment.astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        problem = f"DateTime cannot represent an invalid ISO-8601 date-time string: {value}"
        raise GraphQLError(problem) from None


def parse_page_size(value: Any) -> int:
    """Return a page size between 0 and the maximum."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise GraphQLError("PageSize must be an integer")
    if not 0 <= value <= PAGE_SIZE:
        raise GraphQLError(f"PageSize must be between 0 and {PAGE_SIZE}, not {value}")
    return value


def parse_uint64(value: Any) -> int:
    """Return a number of 64 bits without a sign; clients send it as a string (API reference 1.11)."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _UINT64.fullmatch(value):
        number = int(value)
    else:
        raise GraphQLError("UInt64 must be an integer or a string of digits")
    if not 0 <= number <= _MOST_UINT64:
        raise GraphQLError(f"UInt64 must be between 0 and {_MOST_UINT64}, not {number}")
    return number


def _time_literal(node: ValueNode) -> str:
    return parse_time(node.value if isinstance(node, StringValueNode) else None)


def _page_size_literal(node: ValueNode) -> int:
    return parse_page_size(int(node.value) if isinstance(node, IntValueNode) else None)


def _uint64_literal(node: ValueNode) -> int:
    return parse_uint64(node.value if isinstance(node, IntValueNode | StringValueNode) else None)


def parse_upload(value: Any) -> UploadFile:
    """Return the part of a multipart request that a variable stands for."""
    if not isinstance(value, UploadFile):
        raise GraphQLError("Upload must be a part of a multipart request")
    return value


def _upload_literal(node: ValueNode) -> UploadFile:
    return parse_upload(None)


def _same(value: Any) -> Any:
    return value


def kept(value: Any, name: str) -> str:
    """Return the text that a Json value is kept as; refuse one that could not be written again."""
    try:
        text = json.dumps(value, allow_nan=False)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair
    except (TypeError, ValueError, RecursionError):
        raise MalformedError(f"{name} is not valid JSON") from None
    malformed_if(len(text) > _MOST_KEPT, f"{name} is too large")
    return text


def install(types: dict[str, Any]) -> None:
    """Give the scalars of a built schema their behaviour."""
    for name, parse, literal in (
        ("DateTime", parse_time, _time_literal),
        ("PageSize", parse_page_size, _page_size_literal),
        ("UInt64", parse_uint64, _uint64_literal),
        ("Json", _same, value_from_ast_untyped),
        ("Upload", parse_upload, _upload_literal),
    ):
        scalar: GraphQLScalarType = types[name]
        setattr(scalar, "coerce_output_value", _same)  # noqa: B010 - a method slot, for mypy
        setattr(scalar, "coerce_input_value", parse)  # noqa: B010
        setattr(scalar, "coerce_input_literal", literal)  # noqa: B010
