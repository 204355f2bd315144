"""A state as a file: format 2, with a checksum, a count of snapshots, and the checksum of the one before.

``{"format": 2, "sha256": …, "generation": …, "prev_sha256": …, "stack": …, …}``: what follows is the state
itself (`model`), a resource a line. `sha256` is taken over the document without it, as compact JSON in the
order in which it stands, so that layout means nothing and content everything. `generation` counts the
snapshots of a state and never goes back, `serial` what a user sees of that.

Format 1 had the state alone; it is read, and written no more.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from lbstack.errors import StateError
from lbstack.state.model import State, state_from_json, state_to_json

FORMAT = 2
HEAD = 4096
"""Bytes of a snapshot in which all that is not the state itself surely stands, and its lineage and serial."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state with what its file says of itself; in format 1 that was nothing."""

    state: State
    format: int = 1
    generation: int = 0
    sha256: str = ""
    previous: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """What the first bytes of a snapshot say, unchecked: enough to tell which is newer."""

    lineage: str
    serial: int
    generation: int
    sha256: str


def encode(state: State, generation: int, previous: str) -> tuple[bytes, str]:
    """The text of a snapshot, and its checksum."""
    body = {"generation": generation, "prev_sha256": previous, **state_to_json(state)}
    digest = _checksum({"format": FORMAT, **body})
    return _text({"format": FORMAT, "sha256": digest, **body}), digest


def _checksum(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, separators=(",", ":")).encode()).hexdigest()


def _text(document: dict[str, Any]) -> bytes:
    """JSON with a line for each part, and one for each resource: quick to write, and to compare by eye."""
    parts = []
    for name, value in document.items():
        text = json.dumps(value)
        if isinstance(value, dict) and value:
            inner = ",\n".join(f"  {json.dumps(key)}: {json.dumps(item)}" for key, item in value.items())
            text = f"{{\n{inner}\n }}"
        parts.append(f" {json.dumps(name)}: {text}")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def decode(raw: bytes, key: bytes, where: str, cure: str) -> Snapshot:
    """A snapshot read back, its checksum and its rules checked. What is anything else, or was written by a
    newer lbstack, is a `StateError` with a way out: `cure`."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise StateError(f"{where} {'is no JSON' if raw.strip() else 'is empty'}", cure) from None
    if not isinstance(data, dict):
        raise StateError(f"{where} is no state of lbstack, or damaged", cure)
    format = data.get("format")
    if type(format) is not int or not 1 <= format <= FORMAT:
        _refuse_format(data, where, cure)
    if format == 1 and "sha256" not in data:
        return Snapshot(state_from_json(data, key, where, cure))
    digest = data.pop("sha256", None)
    if format == 1 or digest != _checksum(data):
        raise StateError(f"{where} is damaged: its checksum does not fit", cure)
    state = state_from_json(data, key, where, cure)
    return Snapshot(state, FORMAT, int(data["generation"]), digest, str(data["prev_sha256"]))


def _refuse_format(data: dict[str, Any], where: str, cure: str) -> None:
    if "format" not in data:
        raise StateError(f"{where} is no state of lbstack, or damaged: it has no 'format'", cure)
    raise StateError(
        f"{where} has format {data['format']!r}, and this lbstack knows {FORMAT} and before",
        f"upgrade lbstack; if it never was newer, {cure}",
    )


def peek(raw: bytes) -> Head | None:
    """What the beginning of a snapshot says of it; None where that cannot be told."""
    text = raw[:HEAD].decode(errors="replace")
    lineage, serial = re.search(r'"lineage": "([^"]+)"', text), re.search(r'"serial": (\d+)', text)
    if not lineage or not serial:
        return None
    count, sha = re.search(r'"generation": (\d+)', text), re.search(r'"sha256": "([0-9a-f]{64})"', text)
    return Head(lineage[1], int(serial[1]), int(count[1]) if count else 0, sha[1] if sha else "")
