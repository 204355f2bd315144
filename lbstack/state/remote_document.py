"""What a remote cell holds: one document with the lock, the open creates and the snapshot, so that they move
together or not at all.

``{"version", "serial", "lineage", "lbstack": {…}}``: the outer names are those by which hosts of Terraform's
states tell versions apart (GitLab refuses a serial that it has seen, so `serial` counts writes, not applies).
`version` is higher than any that Terraform knows: it refuses such a state, and would else take it for empty.

Inside stand `format`, `write` (which makes each document differ from all others), `run` (whose apply wrote
last), `after` (the write from which that run went on, so that whoever made it knows that it was there),
`mark` (up to which line of that run's own journal it is told here), `lock` (who holds the state), `forced`
(that the lock was taken from that run, which may live all the same), `proven` (that the cell minds conditions
was tried), `key` (for secrets' digests), `state`, and `sha256` over all of it.

The key lies beside what it digests, for a runner's disk does not outlive its job. So whoever can read the
document can try guesses, and each must cost: digests here are stretched with scrypt (`State.stretched`).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, replace
from typing import Any

from lbstack.errors import StateError
from lbstack.state.cell import Claim
from lbstack.state.model import State, mapping, state_from_json, state_to_json

VERSION = 1000
FORMAT = 1
CURE = "put back an earlier version of it, as the bucket or the forge keeps them"


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a cell. `writes` counts how often it was written, and `write` is no other's."""

    state: State
    writes: int = 0
    write: str = ""
    run: str = ""
    after: str = ""
    mark: int = 0
    lock: Claim | None = None
    forced: bool = False
    proven: bool = True

    def numbered(self, before: Document | None) -> Document:
        """The same as the write that comes after another."""
        return replace(self, writes=before.writes + 1 if before else 1, write=secrets.token_hex(8))

    def freed(self) -> Document:
        """The same, taken from who holds it, and held by nobody."""
        return replace(self, lock=None, forced=True)


def encode(document: Document) -> bytes:
    """A document as bytes; it was `numbered`, so that they are like no other's."""
    state, lock = document.state, document.lock
    body = {
        "format": FORMAT,
        "write": document.write,
        "run": document.run,
        "after": document.after,
        "mark": document.mark,
        "lock": None if lock is None else _claim_to_json(lock),
        **({"forced": True} if document.forced else {}),
        "proven": document.proven,
        "key": state.key.hex(),
        "state": state_to_json(state),
    }
    outer = {
        "version": VERSION,
        "serial": document.writes,
        "lineage": state.lineage,
        "lbstack": {"sha256": _checksum(body), **body},
    }
    return json.dumps(outer, separators=(",", ":")).encode() + b"\n"


def decode(raw: bytes, where: str) -> Document:
    """A document read back. Anything that is none, or was written by a newer lbstack, is a `StateError`."""
    try:
        outer = json.loads(raw)
    except (ValueError, RecursionError):
        raise StateError(f"{where} {'is no JSON' if raw.strip() else 'is empty'}", CURE) from None
    try:
        body = mapping(mapping(outer)["lbstack"])
    except (KeyError, TypeError):
        raise StateError(f"{where} is no state of lbstack", "name another with --state") from None
    if type(body.get("format")) is not int or body["format"] > FORMAT:
        raise StateError(
            f"{where} has format {body.get('format')!r}, and this lbstack knows {FORMAT}", "upgrade lbstack"
        )
    if body.pop("sha256", None) != _checksum(body):
        raise StateError(f"{where} is damaged: its checksum does not fit", CURE)
    try:
        lock = body["lock"]
        return Document(
            state_from_json(mapping(body["state"]), bytes.fromhex(body["key"]), where, CURE),
            int(outer["serial"]),
            str(body["write"]),
            str(body["run"]),
            str(body.get("after", "")),
            int(body["mark"]),
            None if lock is None else _claim_from_json(mapping(lock)),
            bool(body.get("forced", False)),
            bool(body["proven"]),
        )
    except (KeyError, TypeError, ValueError):
        raise StateError(f"{where} is damaged", CURE) from None


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, separators=(",", ":")).encode()).hexdigest()


def _claim_to_json(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.id,
        "who": claim.who,
        "operation": claim.operation,
        "since": claim.since,
        "beats": claim.beats,
    }


def _claim_from_json(data: dict[str, Any]) -> Claim:
    id, who, operation, since = (str(data[name]) for name in ("id", "who", "operation", "since"))
    return Claim(id, who, operation, since, int(data["beats"]))
