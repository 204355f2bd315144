"""A journal folded into the state it goes on from: what an apply did before it was cut off.

| line | changes |
| --- | --- |
| ``resource``, ``entry`` | what is remembered of a resource (null: nothing any more) |
| ``outputs`` | the outputs, all of them |
| ``intent``, ``failed``, ``retired``, ``nonce`` | the creates that are open or ended (`intents`) |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from lbstack.errors import StateError
from lbstack.state.intents import Ledger
from lbstack.state.model import (
    Entry,
    State,
    check,
    entry_from_json,
    entry_to_json,
    from_json,
    mapping,
    to_json,
)
from lbstack.values import Address

Record = dict[str, Any]


def result_record(address: Address, entry: Entry | None) -> Record:
    """A journal line: what is now remembered of a resource."""
    return {"resource": str(address), "entry": None if entry is None else entry_to_json(entry)}


def outputs_record(outputs: dict[str, Any]) -> Record:
    """A journal line: the outputs as they are now."""
    return {"outputs": to_json(outputs)}


def fold(begun: State, records: Iterable[Record], where: str, cure: str = "move it away") -> State:
    """The state after a journal. Lines that are not of the shape they were written in are damage, and `cure`
    is the way out."""
    folding = _Folding(begun)
    for record in records:
        with _sound(where, cure):
            for word, take in TABLE.items():
                if word in record:
                    take(folding, record)
            folding.ledger.fold(record)
    state = replace(begun, resources=folding.resources, outputs=folding.outputs, serial=begun.serial + 1)
    check(state, where)
    return folding.ledger.told(state)


@dataclass
class _Folding:
    """The parts of a state that a journal changes, changed in place."""

    begun: State
    resources: dict[Address, Entry] = field(init=False)
    outputs: Any = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.resources = dict(self.begun.resources)
        self.outputs = self.begun.outputs
        self.ledger = Ledger(self.begun)


def _resource(folding: _Folding, record: Record) -> None:
    entry, address = record["entry"], Address.parse(record["resource"])
    if entry is None:
        folding.resources.pop(address, None)
    else:
        folding.resources[address] = entry_from_json(entry)


def _outputs(folding: _Folding, record: Record) -> None:
    folding.outputs = from_json(mapping(record["outputs"]))


TABLE: dict[str, Callable[[_Folding, Record], None]] = {"resource": _resource, "outputs": _outputs}


@contextmanager
def _sound(where: str, cure: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise StateError(f"{where} is damaged", cure) from None
