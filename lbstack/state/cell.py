"""One piece of remote data that moves by compare-and-swap, whoever holds it.

A cell offers single attempts (`get`, `put`); `read` and `swap` make them certain. What one attempt can
tell, and what follows:

====================  ===========================  ====================================================
an attempt ends in    which is known to mean       so
====================  ===========================  ====================================================
a version             the data is there            done
`Refused` (412, 409)  somebody was first, or our   look: our bytes: done; still what was expected: again;
                      own first try arrived        something else, twice in a row: `Lost`
`Trouble` (5xx, …)    nothing: the answer is lost  look, and decide as above
`AuthError`           nothing was written          told at once; it will not get better by itself
====================  ===========================  ====================================================

Every write carries bytes that no other write carries, so equal bytes are our own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from lbstack.errors import StackError, StateError

PAUSES = (0.1, 0.3, 0.6, 1.0, 2.0, 3.0, 4.0, 4.0)
"""Seconds between attempts, each shortened by chance so that those who met do not meet again."""


@dataclass(frozen=True, slots=True)
class Version:
    """Which of its contents a cell has, in the words of who holds it."""

    tag: str | None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in a cell; None and no version where nothing does."""

    data: bytes | None = None
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Who holds a state, or wants to: the `id` that frees it, words for people, and how many signs of life
    there were since."""

    id: str
    who: str
    operation: str = "apply"
    since: str = ""
    beats: int = 0


class Trouble(StackError):
    """Who holds the cell cannot be reached, or fails; whether a write arrived is not known."""

    def __init__(self, message: str, detail: str = "see to that, and run this again") -> None:
        super().__init__(message, detail)


class Refused(Exception):
    """The cell had another content than was expected."""


class Lost(StateError):
    """Somebody else has written: what we know is old, and nothing we do from here on may count."""


class Held(Exception):
    """Somebody else holds the lock that the holder of the cell keeps; `by` says who, if it told."""

    def __init__(self, by: Claim | None) -> None:
        self.by = by
        super().__init__(by)


class Cell(Protocol):
    """One attempt each; `where` is the address as people know it."""

    where: str

    def get(self) -> Found:
        """What is there. Raises `Trouble` or `AuthError`, never says "nothing" without proof."""
        ...

    def put(self, data: bytes, expected: Version | None) -> Version:
        """Write if the cell still is as `expected` (None: if nothing is there). Raises `Refused`,
        `Trouble` or `AuthError`."""
        ...

    def enter(self, claim: Claim) -> None:
        """Take the lock that the holder of the cell keeps beside it, if it does. Raises `Held`."""
        ...

    def leave(self, id: str) -> bool:
        """Free that lock, if it is this one; whether it was."""
        ...

    def prove(self, data: bytes, version: Version) -> None:
        """Show that what nobody may overwrite is not overwritten; `data` is what the cell holds, and
        all that is written, so that a cell which overwrites is not harmed. Raises `StateError`."""
        ...

    def drop(self, data: bytes) -> None:
        """Remove what the cell holds, if it is this: nothing that was ever used."""
        ...


Pause = Callable[[float], None]


def patiently(pause: Pause) -> Iterator[int]:
    """Numbers of attempts, with a pause before each but the first."""
    yield 0
    for number, seconds in enumerate(PAUSES, 1):
        pause(seconds * random.uniform(0.5, 1.0))  # noqa: S311 (no secret depends on it)
        yield number


def read(cell: Cell, pause: Pause = time.sleep) -> Found:
    """What the cell holds, asked again while the trouble may pass."""
    trouble: Trouble | None = None
    for _ in patiently(pause):
        try:
            return cell.get()
        except Trouble as error:
            trouble = error
    assert trouble is not None
    raise trouble


def swap(cell: Cell, data: bytes, expected: Version | None, pause: Pause = time.sleep) -> Version:
    """Put `data` where `expected` is. Returns its version, or raises: `Lost` when somebody else was
    first, `Trouble` when that cannot be told, `AuthError`."""
    trouble: Trouble | None = None
    foreign = 0
    for _ in patiently(pause):
        try:
            if not foreign:
                return cell.put(data, expected)
        except Refused:
            trouble = None
        except Trouble as error:
            trouble = error
        try:
            found = cell.get()
        except Trouble as error:
            trouble = trouble or error
            continue
        if found.data == data and found.version is not None:
            return found.version
        # An answer may be older than what was asked about: only what is seen twice is believed.
        foreign = foreign + 1 if found.version != expected else 0
        if foreign > 1:
            break
    if trouble is not None and not foreign:
        raise trouble
    raise Lost(f"{cell.where} was written by another run meanwhile", "run this again")


def refuses(attempt: Callable[[], object], pause: Pause = time.sleep) -> bool:
    """Whether a write that must be refused is; `attempt` raises `Refused` if so."""
    for _ in patiently(pause):
        try:
            attempt()
        except Refused:
            return True
        except Trouble:
            continue
        return False
    raise Trouble("it cannot be told whether conditions of writes are enforced: there is no answer")


def of_this_machine(host: str) -> bool:
    """Whether a host is this machine itself, so that what is sent there needs no encryption."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name, and `127.0.0.1.example.com` is one too


def unsafe(where: str, what: str) -> StateError:
    """The refusal to keep a state where two runs could overwrite each other."""
    return StateError(
        f"{where} {what}, so that two runs could overwrite each other",
        "keep the state in Amazon S3, Google Cloud Storage or Azure Blob Storage, in another store with"
        " conditional writes, or behind GitLab's or Gitea's Terraform state",
    )
