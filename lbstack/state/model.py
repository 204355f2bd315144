"""State: what lbstack remembers of a stack in one workspace, and what must hold of it.

As JSON: ``stack, lineage, serial, organization, endpoint, resources, outputs``, beside what its file says
of itself (`snapshot`). A secret is remembered as a keyed digest (``{"$digest": hex}``), never as itself.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from lbstack.errors import StateError
from lbstack.values import Address, Digest, Intent, Secret


@dataclass(frozen=True, slots=True)
class DeposedObject:
    """A replaced object that still awaits its destruction, and what it was made to depend on."""

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One remembered resource.

    `id` is None between the retirement of nothing and the creation of a replacement: an entry
    without an id must have something deposed. `unfinished` names fields that a broken step left
    in doubt; `memory` is the kind's own. `ending` says that an apply was to destroy it, and has not told
    how that went: once it is gone, that was us. `unverified` names secrets that the object had when it was
    bound: they are remembered as wished, and nobody knows.
    """

    id: str | None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[Address, ...] = ()
    deposed: tuple[DeposedObject, ...] = ()
    unfinished: tuple[str, ...] = ()
    protected: bool = False
    ending: bool = False
    unverified: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """Everything remembered of one stack in one workspace. A value: changing it makes another."""

    stack: str
    lineage: str
    endpoint: str
    organization: str = ""
    serial: int = 0
    resources: Mapping[Address, Entry] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    key: bytes = b""
    pending: tuple[Intent, ...] = ()
    """Creates whose answer was lost, or whose apply was cut off. What they make may exist, unknown."""
    markers: tuple[Intent, ...] = ()
    """Ended creates whose marker may still turn up: made once more by somebody who repeats requests, or
    carried out long after they were given up (those have no `id`)."""
    spent: tuple[str, ...] = ()
    """Nonces of the saved plans that were carried out: each is once."""
    actor: str = ""
    """The id of the user who last wrote here."""
    permissions: tuple[str, ...] = ()
    """What that user could do."""
    epoch: int = 0
    """Counts the applies that held this state; a remote state's writes carry it."""

    stretched: bool = False
    """Whether digests cost whoever tries guesses out, as they must where their key lies beside them."""

    def with_entry(self, address: Address, entry: Entry | None) -> State:
        """The state after one resource changed, or went."""
        resources = dict(self.resources)
        if entry is None:
            resources.pop(address, None)
        else:
            resources[address] = entry
        return replace(self, resources=resources)

    def digest(self, address: Address, secret: Secret) -> Digest:
        """The keyed digest by which a secret is compared (HMAC-SHA-256 over kind and value).

        The key of the resource is no part of it: a resource may get another one."""
        text = f"{address.kind}\0{secret.reveal()}".encode()
        digest = hmac.new(self.key, text, hashlib.sha256).hexdigest()
        return Digest(stretch(digest, self.key) if self.stretched else digest)

    def addresses(self) -> dict[str, Address]:
        """Whose id is whose."""
        return {entry.id: address for address, entry in self.resources.items() if entry.id}


@lru_cache(maxsize=4096)
def stretch(digest: str, key: bytes) -> str:
    """A keyed digest made expensive: who has it and the key pays 32 MB and a third of a second a guess."""
    made = hashlib.scrypt(bytes.fromhex(digest), salt=key, n=2**15, r=8, p=3, maxmem=2**26, dklen=32)
    return made.hex()


def same(one: Any, other: Any) -> bool:
    """Equal, and with mappings in the same order: the order of an object's parts is remembered too."""
    if one != other:
        return False
    if isinstance(one, Entry):
        return same(one.attributes, other.attributes)
    if isinstance(one, Mapping):
        return all(a == b and same(one[a], other[b]) for a, b in zip(one, other, strict=True))
    return True


def renamed(state: State, moves: Iterable[tuple[Address, Address]]) -> State:
    """The state with resources under other addresses; their ids and everything else stay."""
    table = dict(moves)
    if not table:
        return state
    resources = {
        table.get(address, address): replace(
            entry,
            needs=tuple(table.get(n, n) for n in entry.needs),
            deposed=tuple(
                replace(old, needs=tuple(table.get(n, n) for n in old.needs)) for old in entry.deposed
            ),
        )
        for address, entry in state.resources.items()
    }

    def moved(intents: tuple[Intent, ...]) -> tuple[Intent, ...]:
        return tuple(replace(each, address=table.get(each.address, each.address)) for each in intents)

    return replace(state, resources=resources, pending=moved(state.pending), markers=moved(state.markers))


def bound(state: State, imports: Iterable[tuple[Address, str]]) -> State:
    """The state with existing objects under addresses that it did not know; nothing else is known
    of them yet."""
    found = {address: Entry(id) for address, id in imports if address not in state.resources}
    if not found:
        return state
    pending = tuple(intent for intent in state.pending if intent.address not in found)
    # Whatever else came of such a create is watched for.
    ended = (replace(i, id=found[i.address].id) for i in state.pending if i.address in found)
    markers = (*state.markers, *ended)
    return replace(state, resources={**state.resources, **found}, pending=pending, markers=markers)


def check(state: State, where: str, cure: str = "") -> None:
    """Refuse a state that breaks its own rules.

    1. No id belongs to two resources of one kind. 2. What has no id has something deposed.
    3. The serial counts up from zero. 4. Lineage and endpoint are there.
    """
    seen: dict[tuple[str, str], Address] = {}
    for address, entry in state.resources.items():
        if entry.id is None and not entry.deposed:
            raise StateError(f"{where}: {address} has neither an id nor anything deposed", cure or RESTORE)
        for id in [entry.id, *(item.id for item in entry.deposed)]:
            if id and seen.setdefault((address.kind, id), address) != address:
                raise StateError(
                    f"{where}: {address} and {seen[address.kind, id]} share the id {id}", cure or RESTORE
                )
    if state.serial < 0 or not state.lineage or not state.endpoint:
        raise StateError(f"{where}: serial, lineage or endpoint is missing", cure or RESTORE)


RESTORE = "put back an intact copy"


# -- as JSON --------------------------------------------------------------------------------------


def to_json(value: Any) -> Any:
    """A remembered value as plain JSON."""
    if isinstance(value, Digest):
        return {"$digest": value.hex}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def from_json(value: Any) -> Any:
    """The inverse of `to_json`."""
    if isinstance(value, dict):
        if set(value) == {"$digest"}:
            return Digest(_text(value["$digest"]))
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return value


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """An entry as JSON; what is empty is left out."""
    data: dict[str, Any] = {"id": entry.id, "attributes": to_json(entry.attributes)}
    if entry.memory:
        data["memory"] = to_json(entry.memory)
    if entry.needs:
        data["needs"] = [str(address) for address in entry.needs]
    if entry.deposed:
        data["deposed"] = [_deposed_to_json(item) for item in entry.deposed]
    if entry.unfinished:
        data["unfinished"] = list(entry.unfinished)
    if entry.protected:
        data["protected"] = True
    if entry.ending:
        data["ending"] = True
    if entry.unverified:
        data["unverified"] = list(entry.unverified)
    return data


def _deposed_to_json(item: DeposedObject) -> dict[str, Any]:
    data: dict[str, Any] = {"id": item.id, "attributes": to_json(item.attributes)}
    return data | ({"needs": [str(address) for address in item.needs]} if item.needs else {})


def intent_to_json(intent: Intent) -> dict[str, Any]:
    """An intent as JSON; what is empty is left out."""
    data = {
        "address": str(intent.address),
        "marker": intent.marker,
        "attempt": intent.attempt,
        "actor": intent.actor,
        "since": intent.since,
        "natural": to_json(intent.natural),
        "secrets": to_json(intent.secrets),
        "id": intent.id,
        "replaced": to_json(intent.replaced),
    }
    return {name: value for name, value in data.items() if value or name in ("address", "marker")}


def intent_from_json(data: dict[str, Any]) -> Intent:
    """An intent read back. Raises KeyError, TypeError or ValueError on anything else."""
    since, id = data.get("since"), data.get("id")
    return Intent(
        Address.parse(data["address"]),
        _text(data.get("marker", "")),
        int(data.get("attempt", 1)),
        _text(data.get("actor", "")),
        None if since is None else float(since),
        from_json(mapping(data.get("natural", {}))),
        from_json(mapping(data.get("secrets", {}))),
        None if id is None else _text(id),
        from_json(mapping(data.get("replaced", {}))),
    )


def _addresses(texts: Iterable[str]) -> tuple[Address, ...]:
    return tuple(Address.parse(text) for text in texts)


def entry_from_json(data: dict[str, Any]) -> Entry:
    """An entry read back. Raises KeyError, TypeError or ValueError on anything else."""
    id = data["id"]
    if not (id is None or isinstance(id, str)):
        raise TypeError("id")
    return Entry(
        id,
        from_json(mapping(data["attributes"])),
        from_json(mapping(data.get("memory", {}))),
        _addresses(data.get("needs", [])),
        tuple(
            DeposedObject(str(d["id"]), from_json(mapping(d["attributes"])), _addresses(d.get("needs", [])))
            for d in data.get("deposed", [])
        ),
        tuple(str(name) for name in data.get("unfinished", [])),
        bool(data.get("protected", False)),
        bool(data.get("ending", False)),
        tuple(str(name) for name in data.get("unverified", [])),
    )


def state_to_json(state: State) -> dict[str, Any]:
    """The whole state; the key of the digests is kept elsewhere."""
    data = {
        "stack": state.stack,
        "lineage": state.lineage,
        "serial": state.serial,
        "organization": state.organization,
        "endpoint": state.endpoint,
        "resources": {str(address): entry_to_json(entry) for address, entry in state.resources.items()},
        "outputs": to_json(state.outputs),
    }
    more = {
        "pending": [intent_to_json(intent) for intent in state.pending],
        "markers": [intent_to_json(intent) for intent in state.markers],
        "spent": list(state.spent),
        "actor": state.actor,
        "permissions": list(state.permissions),
        "epoch": state.epoch,
        "digests": "scrypt" if state.stretched else "",
    }
    return data | {name: value for name, value in more.items() if value}


def state_from_json(data: Any, key: bytes, where: str, cure: str = "") -> State:
    """A state read back, its rules checked. Anything wrong is a `StateError` with a way out: `cure`."""
    cure = cure or RESTORE
    try:
        state = State(
            stack=str(data["stack"]),
            lineage=str(data["lineage"]),
            endpoint=str(data["endpoint"]),
            organization=str(data["organization"]),
            serial=int(data["serial"]),
            resources={Address.parse(k): entry_from_json(v) for k, v in mapping(data["resources"]).items()},
            outputs=from_json(mapping(data["outputs"])),
            key=key,
            pending=tuple(
                [intent_from_json(mapping(item)) for item in data.get("pending", [])]
                + [Intent(address, "") for address in _addresses(data.get("doubts", []))]
            ),
            markers=tuple(intent_from_json(mapping(item)) for item in data.get("markers", [])),
            spent=tuple(_text(nonce) for nonce in data.get("spent", [])),
            actor=_text(data.get("actor", "")),
            permissions=tuple(_text(name) for name in data.get("permissions", [])),
            epoch=int(data.get("epoch", 0)),
            stretched=data.get("digests") == "scrypt",
        )
    except KeyError as error:
        raise StateError(f"{where} is no state of lbstack, or damaged: it has no {error}", cure) from None
    except (TypeError, ValueError, AttributeError, RecursionError):
        raise StateError(f"{where} is no state of lbstack, or damaged", cure) from None
    check(state, where, cure)
    return state


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text belongs")
    return value


def mapping(value: Any) -> dict[str, Any]:
    """The value, which must be a mapping."""
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__} where a mapping belongs")
    return value
