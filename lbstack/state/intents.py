"""The creates of an apply: announced, sent, ended, or in doubt.

| what is known of a create | where it stands | left by |
| --- | --- | --- |
| announced, no answer yet | pending | a crash, a lost answer |
| certainly refused | nowhere | - |
| made | markers, with its id | somebody may repeat the request |
| looked for in vain, and given up | markers, without an id | it may be carried out late |

The same table holds for the journal, which tells it to the next run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lbstack.state.model import State, intent_from_json, intent_to_json
from lbstack.values import Address, Intent

REMEMBERED = 500
"""Plans that are known to be spent: an older one is refused by its serial all the same."""


def intent_record(intent: Intent) -> dict[str, Any]:
    """A journal line: this create is about to be sent."""
    return {"intent": "create", **intent_to_json(intent)}


def retired_record(intent: Intent) -> dict[str, Any]:
    """A journal line: this create was looked for in vain, and is given up."""
    return {"retired": str(intent.address)}


class Ledger:
    """The creates that are open, one an address, and those that ended; the rest of a state is not its
    business."""

    def __init__(self, state: State) -> None:
        self._ids = {address: entry.id for address, entry in state.resources.items()}
        self.pending: dict[Address, Intent] = {intent.address: intent for intent in state.pending}
        self.markers: dict[tuple[Address, str, str | None], Intent] = {}
        self.spent = list(state.spent)
        for intent in state.markers:
            self._end(intent)

    def announce(self, intent: Intent) -> None:
        """It is about to be sent."""
        before = self.pending.get(intent.address)
        if before and before.marker != intent.marker:
            self.retire(intent.address)  # one that is still open may have had its effect all the same
        self.pending[intent.address] = intent

    def refused(self, address: Address) -> None:
        """It had no effect, certainly."""
        self.pending.pop(address, None)

    def made(self, address: Address, id: str) -> None:
        """It made this object."""
        if intent := self.pending.pop(address, None):
            self._end(replace(intent, id=id))

    def retire(self, address: Address) -> None:
        """It was looked for in vain, and is given up."""
        if intent := self.pending.pop(address, None):
            self._end(intent)

    def _end(self, intent: Intent) -> None:
        intent = replace(intent, replaced={})  # what it was to replace is deposed by now, or stays
        self.markers[intent.address, intent.marker, intent.id] = intent

    def fold(self, record: Mapping[str, Any]) -> None:
        """What one line of a journal says of creates. Raises KeyError, TypeError, ValueError on damage."""
        if record.get("intent") == "create":
            self.announce(intent_from_json({k: v for k, v in record.items() if k != "intent"}))
        elif record.get("unknown") is False:
            self.refused(Address.parse(record["failed"]))
        elif "retired" in record:
            self.retire(Address.parse(record["retired"]))
        elif "nonce" in record:
            self.spent.append(str(record["nonce"]))
        elif record.get("entry"):
            address, id = Address.parse(record["resource"]), record["entry"]["id"]
            if id and id != self._ids.get(address):
                self.made(address, id)

    def told(self, state: State) -> State:
        """A state with these creates."""
        return replace(
            state,
            pending=tuple(self.pending.values()),
            markers=tuple(self.markers.values()),
            spent=tuple(dict.fromkeys(self.spent))[-REMEMBERED:],
        )
