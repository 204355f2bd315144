"""The digest of what a plan would do: what somebody approved, held against what another plan would do.

An operation is one change of one object, as it was shown: its address, its action, the object's id, each
field before and after, what it holds and would lose. Its digest is of that alone: not of the time, of the
order, of how often the state was written, or of a reason in words. Of a secret it tells only that it is
set, so that whoever has a digest cannot try guesses out.

| a digest that was approved | lets another plan go ahead |
| --- | --- |
| ``1.`` and one part an operation | that does the same, or a part of it |
| ``1=`` and one for all (over `LISTED` operations) | that does exactly the same |
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbstack.errors import Problem, StateError, UsageError
from lbstack.plan.changes import Action, Change, Plan
from lbstack.values import Digest, Secret, Unknown

LISTED = 400
"""As many operations a digest lists one by one: it still fits into a comment and a command line."""

SIZE = 12
"""Bytes of an operation's digest."""

SENSITIVE = "(sensitive)"

AGAIN = "plan again, and have the new plan approved"


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved: operations, or all of them together as `whole`."""

    whole: str
    parts: frozenset[bytes] | None = None

    def allows(self, plan: Plan) -> bool:
        """Whether a plan does the same, or a part of it."""
        if self.parts is None:
            return digest(plan) == self.whole
        return {*operations(plan).values()} <= self.parts

    def beyond(self, plan: Plan) -> list[str]:
        """What a plan would do that was not approved; all of it, where that cannot be told apart."""
        return [name for name, part in operations(plan).items() if part not in (self.parts or ())]


def require_approved(plan: Plan, digest: Approved) -> None:
    """Refuse a plan that would do anything but what was approved, and say what."""
    if digest.allows(plan):
        return
    if digest.parts is None:
        raise StateError("what would be done is not exactly what was approved", AGAIN)
    raise StateError([Problem(f"to {name} was not approved", AGAIN) for name in digest.beyond(plan)])


def digest(plan: Plan) -> str:
    """The digest of a plan, as text."""
    parts = sorted(operations(plan).values())
    if len(parts) > LISTED:
        return "1=" + hashlib.sha256(b"".join(parts)).hexdigest()
    return "1." + base64.urlsafe_b64encode(b"".join(parts)).decode().rstrip("=")


def approved(text: str) -> Approved:
    """A digest read back. Raises `UsageError` where it is none."""
    text = text.strip()
    if text.startswith("1=") and len(text) == 66:
        return Approved(text)
    body = text.removeprefix("1.")
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b"?"
    if not text.startswith("1.") or len(raw) % SIZE:
        raise UsageError("--approved is no digest of a plan", "give the digest that the approved plan told")
    return Approved(text, frozenset(raw[at : at + SIZE] for at in range(0, len(raw), SIZE)))


def operations(plan: Plan) -> dict[str, bytes]:
    """The digest of each operation, by what it is in words."""
    told: dict[str, Any] = {}
    for change in plan.changes:
        if change.action is not Action.NOOP or change.importing:
            told[f"{change.action} {change.address}"] = _operation(change)
    for old in plan.deposed:
        told[f"{'forget' if old.forgets else 'destroy'} {old.address} ({old.id})"] = [old.id, old.forgets]
    for before, after in plan.moves:
        told[f"move {before} to {after}"] = []
    return {name: _hashed([plan.stack, name, what]) for name, what in told.items()}


def _operation(change: Change) -> dict[str, Any]:
    if change.fields:
        lines = [[_plain(line.path), _plain(line.before), _plain(line.after)] for line in change.fields]
        differing: Any = sorted(lines, key=repr)
    else:
        differing = _plain(change.after)
    return {
        "id": change.id,
        "fields": differing,
        "contents": change.contents,
        "forgets": change.forgets,
        "importing": change.importing,
    }


def _plain(value: Any) -> Any:
    """A value as JSON can tell it; of secrets, that there is one."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, (Digest, Secret)):
        return {"$": SENSITIVE}
    if isinstance(value, Unknown):
        return {"$": f"known after apply: {value.ref}"}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else {"$": repr(value)}


def _hashed(told: Any) -> bytes:
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).digest()[:SIZE]
