"""A state that lies elsewhere, in a cell of this process, and what happens to it there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lbstack.state.cell import Claim, Found, Refused, Version
from lbstack.state.remote import RemoteStore


class Kept:
    """A cell that minds what a write expects, and keeps no lock of its own."""

    where = "cell://life"

    def __init__(self) -> None:
        self.found = Found()

    def get(self) -> Found:
        return self.found

    def put(self, data: bytes, expected: Version | None) -> Version:
        if expected != self.found.version:
            raise Refused
        version = Version(str(int(expected.tag or 0) + 1 if expected else 1))
        self.found = Found(data, version)
        return version

    def enter(self, claim: Claim) -> None:
        """Anybody may come in: there is only the content to agree by."""

    def leave(self, id: str) -> bool:
        return False

    def drop(self, data: bytes) -> None:
        raise AssertionError("conditions are minded here")

    def prove(self, data: bytes, version: Version) -> None:
        """`put` is the proof."""


def at(cell: Kept, folder: Path) -> Callable[[], RemoteStore]:
    """How a machine, which has this folder, opens the state."""

    def opened() -> RemoteStore:
        words = ("stack.yaml",)
        return RemoteStore(cell, "life", "sandbox", folder / "life", folder.name, words, lambda _: None)

    return opened


def take_over(store: RemoteStore) -> None:
    """Free the state of whoever holds it, carry out an apply that changes nothing, and save its end."""
    document = store._look()
    assert document and document.lock
    store.unlock(document.lock.id)
    with store.locked():
        state, log = store.begin(store.load())
        log.close()
        store.save(replace(state, serial=state.serial + 1))
