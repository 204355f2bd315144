"""Whole states on their way into a remote place and out of it.

Out comes the document as it is, with the key of its digests. In goes such a document, or the file of a state
on a machine: its digests are then stretched, as they must be where their key lies beside them, and for that
the key must lie beside the file (``FILE.key``), as it does where lbstack keeps it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lbstack.errors import ConfigError, StateError
from lbstack.state import snapshot
from lbstack.state.model import Entry, State, stretch
from lbstack.state.remote import RemoteStore
from lbstack.state.remote_document import Document, decode, encode
from lbstack.state.restoring import require_successor
from lbstack.values import Digest, Intent

NOTHING = "nothing was changed"


def pulled(store: RemoteStore) -> bytes:
    """The state with what was done on this machine and could not be written, as a document."""
    state = store.load()
    if not state.lineage:
        raise ConfigError(f"{store.where} was never saved", "apply first")
    return encode(Document(state).numbered(None))


def push(store: RemoteStore, raw: bytes, where: str, key: bytes | None, force: bool = False) -> State:
    """Make a state from elsewhere the state here. To be called with the state held. One of another lineage,
    or not newer than what is here, is refused unless somebody insists."""
    current = store.load()
    pushed = _read(raw, where, key, force)
    store.require_own(pushed, where)
    if not pushed.lineage:
        raise StateError(f"{where} has no lineage: nothing was ever applied with it", NOTHING)
    if current.lineage:
        if pushed == current:
            return current
        if not force:
            require_successor(pushed, current, where)
        serial = max(pushed.serial, current.serial + 1)
        pushed = replace(pushed, serial=serial, epoch=max(pushed.epoch, current.epoch))
    store.save(pushed)
    return pushed


def rebuilt(store: RemoteStore, state: State) -> State:
    """Make a state that was bound anew the state here, where there is none. To be called with the
    state held."""
    state = replace(state, key=store.load().key, stretched=True, serial=state.serial + 1)
    store.save(state)
    return state


def _read(raw: bytes, where: str, key: bytes | None, force: bool) -> State:
    """A state out of a document, or out of the file of a state on a machine."""
    try:
        remote = "lbstack" in json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        remote = False  # what is wrong with it is told below
    if remote:
        return decode(raw, where).state
    state = snapshot.decode(raw, key or b"", where, NOTHING).state
    made = key or secrets.token_bytes(32)
    stretched = _stretched(replace(state, key=made))
    if key is None and not force and replace(stretched, stretched=False, key=state.key) != state:
        raise ConfigError(
            f"{where} holds digests of secrets, and their key is not beside it",
            f"push the state file itself, with {where}.key beside it; --force goes on without, and what has"
            " a secret is then planned as changed",
        )
    return stretched


def _stretched(state: State) -> State:
    """The state with every digest made expensive to try guesses on."""
    key = state.key

    def intents(those: tuple[Intent, ...]) -> tuple[Intent, ...]:
        return tuple(
            replace(each, secrets=_walk(each.secrets, key), replaced=_walk(each.replaced, key))
            for each in those
        )

    return replace(
        state,
        resources={address: _entry(entry, key) for address, entry in state.resources.items()},
        pending=intents(state.pending),
        markers=intents(state.markers),
        stretched=True,
    )


def _entry(entry: Entry, key: bytes) -> Entry:
    deposed = tuple(replace(old, attributes=_walk(old.attributes, key)) for old in entry.deposed)
    known, memory = _walk(entry.attributes, key), _walk(entry.memory, key)
    return replace(entry, attributes=known, memory=memory, deposed=deposed)


def _walk(value: Any, key: bytes) -> Any:
    if isinstance(value, Digest):
        return Digest(stretch(value.hex, key))
    if isinstance(value, Mapping):
        return {name: _walk(item, key) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_walk(item, key) for item in value)
    return value
