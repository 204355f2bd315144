"""What an apply on a remote state writes down as it goes.

| moment | here, in the journal | there, in the document |
| --- | --- | --- |
| `add` | durable before it returns | - |
| `before` a create whose intent is not there as it is sent | the intent | now, or it is not sent |
| `before` any step, if this process did not run for `ASLEEP` | - | now, or it is not sent |
| `before` any other create | - | if the last write is older than `FRESH`: is the state still ours? |
| `before` any other step | - | the same, after `FENCE` |
| `checkpoint`, as steps end | - | every `STEPS` steps, or after `FENCE` |

Of a create that bears its marker it is enough that the marker is there, as it is since the first write;
what bears none is found again by what it was sent with. Writes that come together become one.

Whoever sleeps may be overtaken meanwhile, and does not feel how long it was. So a heart beats while the
apply runs, and who wakes up sees from its last beat that time is missing.

A write that is lost to another run ends the log, for good. One that fails for other reasons is tried again
at the next occasion; when none has succeeded for `OVERDUE`, that ends the log too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lbstack.errors import AuthError, StackError
from lbstack.kinds import KINDS
from lbstack.state.cell import Claim, Lost, Trouble
from lbstack.state.intents import Ledger, intent_record
from lbstack.state.journal import Journal
from lbstack.state.model import State
from lbstack.state.remote_document import Document, encode
from lbstack.values import Address, Intent

FENCE = 10.0
FRESH = 3.0
STEPS = 20
BEAT = 0.1
ASLEEP = 0.5
"""Seconds without a beat after which the state may be another's by now."""
OVERDUE = 30.0
"""Seconds by which a write may be late before nothing more is begun."""

Write = Callable[[Document, bytes], object]


def now() -> float:
    """Seconds on a clock that goes on while the machine sleeps, and that nobody sets."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def announcing(state: State, sending: Mapping[Address, Intent], unsent: Mapping[Address, Intent]) -> State:
    """A state in which creates are open that its apply is about to send, or will."""
    ledger = Ledger(state)
    for intent in (*unsent.values(), *sending.values()):
        ledger.announce(intent)
    return ledger.told(state)


class RemoteLog:
    """The log of one apply, whose `first` document is there; `number` makes a document the next write,
    `write` puts it there or raises."""

    def __init__(
        self,
        journal: Journal,
        claim: Claim,
        intents: Sequence[Intent],
        first: Document,
        number: Callable[[Document], Document],
        write: Write,
    ) -> None:
        self.claim = claim
        self._journal, self._number, self._write = journal, number, write
        self._unsent = {intent.address: intent for intent in intents}
        self._sending: dict[Address, Intent] = {}
        self._durable = {intent.marker: intent for intent in intents}
        self._lines = 1
        self._document = first
        self._steps = 0
        self._mark = 1  # up to this line of the journal all is told in what was written
        self._written = self._beaten = now()
        self._slept = False
        self._heart: asyncio.Task[None] | None = None
        self._guard = asyncio.Lock()
        self._ended: StackError | None = None
        self._closed = False

    @property
    def path(self) -> Any:
        """Where the journal lies."""
        return self._journal.path

    @property
    def trouble(self) -> OSError | None:
        """What ended the journal on this machine."""
        return self._journal.trouble

    @property
    def lost(self) -> bool:
        """Whether there was a record that no disk took."""
        return self._journal.lost

    def add(self, record: dict[str, Any]) -> None:
        """Append one record here and wait until the disk has it."""
        self._journal.add(record)
        self._lines += 1
        if record.get("unknown") is False:
            self._sending.pop(Address.parse(record["failed"]), None)

    async def before(self, state: State, intent: Intent | None = None) -> None:
        """Called before each step is sent. Raises if the state is not ours any more, if that has not been
        known for too long, or not since this process slept, or if the next run could not know of the
        create."""
        self._live()
        if intent is not None:
            self.add(intent_record(intent))
            self._unsent.pop(intent.address, None)
            self._sending[intent.address] = intent
        self._tell(state)
        old = FENCE if intent is None else FRESH
        await self._bring(
            lambda: self._lacks(intent) or self.beat() or self._age() > old,
            must=lambda: self._lacks(intent) or self.beat(),
        )
        await self._bring(self.beat, must=self.beat)  # it may have slept while it wrote

    async def share(self, state: State) -> None:
        """Called where the next run must know what is known by now. Raises if it could not."""
        self._tell(state)
        mark = self._lines
        await self._bring(lambda: self._mark < mark, must=lambda: self._mark < mark)

    async def checkpoint(self, state: State) -> None:
        """Called as steps end."""
        self._steps += 1
        self._tell(state)
        with suppress(StackError):  # the step is done all the same; the next one is not begun
            await self._bring(lambda: self._steps >= STEPS or self._age() > FENCE, must=lambda: False)

    def document(self) -> Document:
        """What is known by now, as a document."""
        return self._document

    def close(self) -> None:
        """Close the journal, once; it stays for the next run on this machine."""
        if not self._closed:
            self._closed = True
            if self._heart is not None and not self._heart.get_loop().is_closed():
                self._heart.cancel()
            self._journal.close()

    def _live(self) -> None:
        """Let the heart beat from the first step on."""
        self.beat()
        if self._heart is None or self._heart.done():
            self._heart = asyncio.create_task(self._beating())

    async def _beating(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            self.beat()

    def beat(self) -> bool:
        """Called while the process runs: whether it slept since the state was last seen to be ours."""
        time = now()
        self._slept = self._slept or time - self._beaten > ASLEEP
        self._beaten = time
        return self._slept

    def _tell(self, state: State) -> None:
        """Take down what is known now, all of one moment: the state of an apply changes in place."""
        told = {intent.marker for intent in (*state.pending, *state.markers)}
        self._sending = {a: intent for a, intent in self._sending.items() if intent.marker not in told}
        frozen = announcing(replace(state, resources=dict(state.resources)), self._sending, self._unsent)
        self._document = replace(self._document, state=frozen, mark=self._lines)

    def _lacks(self, intent: Intent | None) -> bool:
        """Whether a create that is about to be sent could not be found by the next run."""
        if intent is None:
            return False
        if KINDS[intent.address.kind].marks:
            return intent.marker not in self._durable
        return self._durable.get(intent.marker) != intent

    def _age(self) -> float:
        return now() - self._written

    async def _bring(self, needed: Callable[[], bool], must: Callable[[], bool]) -> None:
        """Write what is known now, if that is still needed when it is our turn."""
        async with self._guard:
            if self._ended is not None:
                raise self._ended
            if not needed():
                return
            claim = replace(self.claim, beats=self._document.lock.beats + 1 if self._document.lock else 1)
            self._document = document = self._number(replace(self._document, lock=claim))
            pending, steps = document.state.pending, self._steps
            data = encode(document)  # here, for nothing may change meanwhile
            slept, self._slept = self.beat(), False  # a sleep from here on is another one
            try:
                await asyncio.to_thread(self._write, document, data)
            except Lost as lost:
                self._ended = lost
                raise
            except (Trouble, AuthError) as error:
                self._slept = self._slept or slept
                if self._age() > FENCE + OVERDUE:
                    self._ended = error
                if must() or self._ended:
                    raise
            else:
                self._written, self._durable = now(), {intent.marker: intent for intent in pending}
                self._steps -= steps
                self._mark = document.mark
