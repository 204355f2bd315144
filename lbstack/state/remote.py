"""State that lies elsewhere, with the interface of a `Store`: one document that moves by compare-and-swap.

| moment | what is written |
| --- | --- |
| plan, output, show, drift | nothing, and no lock is taken: one document is read |
| `begin`, the first write of an apply | lock, epoch + 1, every create to come, the plan's nonce |
| `before` and `checkpoint` (`remote_log`) | what is known by then; it shows that the state is still ours |
| `save`, the last | serial + 1, what stays unknown, and the lock is free: all at once |
| `unlock`, by ``lbstack force-unlock`` | the lock is free; whoever held it loses at its next write |

The lock keeps people apart, the compare-and-swap keeps states apart: a holder that was paused and overtaken
cannot write, and stops. What an apply did since the last write stands in a journal on this machine; the next
run here folds it in by itself, as long as no other run has begun since (`run` in the document says which).
"""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lbstack.errors import LockedError, StackError, StateError, typed
from lbstack.state.cell import Cell, Claim, Held, Lost, Pause, Version, read, swap
from lbstack.state.files import remove
from lbstack.state.journal import Journal
from lbstack.state.model import State, check
from lbstack.state.remote_document import Document, decode, encode
from lbstack.state.remote_journals import folded, journals, leave, tidy
from lbstack.state.remote_log import RemoteLog, announcing
from lbstack.values import Intent

POLL = 1.0
"""Seconds between looks whether a lock that is waited for is free."""


class RemoteStore:
    """The state of one stack in one workspace, in a cell. `beside` is where journals of this machine lie:
    a path that they are named after. `who` tells others who holds the lock, and `words` are what a command
    needs to come here again."""

    def __init__(
        self,
        cell: Cell,
        stack: str,
        endpoint: str,
        beside: Path,
        who: str,
        words: Sequence[str] = (),
        pause: Pause = time.sleep,
    ) -> None:
        self.where = cell.where
        self.stack = stack
        self.endpoint = endpoint
        self._cell, self._beside, self._who, self._pause = cell, beside, who, pause
        self._words = words
        self._document: Document | None = None
        self._version: Version | None = None
        self._guard = threading.Lock()
        self._log: RemoteLog | None = None

    # -- reading ----------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether anything was ever saved here."""
        return self._look() is not None

    def _look(self) -> Document | None:
        """Read the document, from which the next write goes on."""
        found = read(self._cell, self._pause)
        self._version, self._document = found.version, None
        if found.data is not None:
            self._document = decode(found.data, self.where)
        return self._document if self._document and self._document.proven else None

    def load(self) -> State:
        """The state, with what an apply did here and could not write. One that was never saved is fresh;
        any other trouble is an error, never an empty state."""
        document = self._look()
        if document is None:
            return State(self.stack, "", self.endpoint, key=secrets.token_bytes(32), stretched=True)
        self.require_own(document.state, self.where)
        return folded(document, self._beside)

    def require_own(self, state: State, where: str) -> None:
        """Refuse a state of another stack or endpoint."""
        for name, theirs, ours in (
            ("stack ", state.stack, self.stack),
            ("", state.endpoint, self.endpoint),
        ):
            if theirs != ours:
                raise StateError(
                    f"{where} belongs to {name}{theirs}, not {ours}", "name another with --state"
                )

    @property
    def log(self) -> Path:
        """Where the applies of this machine are written down."""
        return self._beside.with_name(f"{self._beside.name}.log")

    # -- one at a time ----------------------------------------------------------------------------

    @contextmanager
    def locked(self, timeout: float = 0.0) -> Iterator[None]:
        """Wait until nobody holds the state. The lock is taken with the first write (`begin`); what is left
        of it is freed at the end, whatever happens."""
        until = time.monotonic() + timeout
        while holder := self._holder():
            left = until - time.monotonic()
            if left <= 0:
                raise self._locked(holder)
            self._pause(min(POLL, left))
        try:
            yield
        finally:
            if self._log is not None:
                self._release(self._log)

    def _holder(self) -> Claim | None:
        self._look()
        return self._document.lock if self._document else None

    def held(self) -> bool:
        """Whether an apply is at work on this state now, or was cut off."""
        return self._holder() is not None

    def _release(self, log: RemoteLog) -> None:
        """Let go of a state that was not saved: what is in flight is pending in it. One attempt, since
        the process is about to end; if it fails the lock stays, and tells its ID."""
        self._log = None
        with suppress(StackError, OSError):
            self._write(replace(log.document(), lock=None), pause=_no_time)
            self._cell.leave(log.claim.id)
        log.close()

    def _locked(self, holder: Claim | None) -> LockedError:
        if holder is None:
            return LockedError(
                f"{self.where} is locked; its host does not say by whom",
                "wait for that apply, or give --lock-timeout 5m",
            )
        since = f" since {holder.since}" if holder.since else ""
        alive = f"; it gave {holder.beats} signs of life since then" if holder.beats else ""
        return LockedError(
            f"{self.where} is locked by {holder.who} ({holder.operation}{since}, ID {holder.id}{alive})",
            "wait for it, as with --lock-timeout 5m; if that run is dead for sure:"
            f" {self._freeing(holder.id)}",
        )

    def _freeing(self, id: str) -> str:
        """The command that frees the state of a run."""
        return typed("force-unlock", id, *self._words)

    def unlock(self, id: str) -> None:
        """Free the state of a holder that is dead. If it is alive after all, its next write fails."""
        document = self._look_again()
        held = document.lock if document else None
        if held is not None and held.id != id:
            raise self._locked(held)
        version, freed = self._version, self._cell.leave(id)
        if document is not None and held is not None:
            with self._entered(self._claim("force-unlock")):
                self._require_unmoved(version)
                self._write(document.freed())
        elif not freed:
            raise StackError(f"{self.where} is not locked", "nothing needs to be done")

    def _look_again(self) -> Document | None:
        self._look()
        return self._document

    @contextmanager
    def _entered(self, claim: Claim, *, stay: bool = False) -> Iterator[None]:
        """Hold the lock that the cell's own host keeps, if it keeps one: for a write, or if that goes well
        for as long as the run lasts (`stay`)."""
        self._enter(claim)
        try:
            yield
        except BaseException:
            self._cell.leave(claim.id)
            raise
        if not stay:
            self._cell.leave(claim.id)

    def _enter(self, claim: Claim) -> None:
        for last in (False, True):
            try:
                self._cell.enter(claim)
                return
            except Held as held:
                document = self._look_again()
                ended = document and held.by and document.run == held.by.id and document.lock is None
                if last or not ended or held.by is None:
                    raise self._locked(held.by or (document.lock if document else None)) from None
                # That run saved its end, and only the answer to its unlocking was lost.
                self._cell.leave(held.by.id)

    # -- writing ----------------------------------------------------------------------------------

    def start(self, state: State) -> State:
        """A fresh state gets its lineage and is kept from now on, so that plans may be bound to it."""
        if state.lineage:
            return state
        state = replace(state, lineage=str(uuid.uuid4()))
        self.save(state)
        return state

    def begin(self, state: State, intents: Sequence[Intent] = (), nonce: str = "") -> tuple[State, RemoteLog]:
        """The first write of an apply. From then on the next run, wherever it is, knows what may exist."""
        claim = self._claim("apply")
        spent = (*state.spent, nonce) if nonce else state.spent
        lineage = state.lineage or str(uuid.uuid4())
        state = replace(state, lineage=lineage, epoch=state.epoch + 1, spent=spent)
        check(state, self.where)
        before, version = self._document, self._version
        after = before.write if before else ""
        first = Document(state, run=claim.id, after=after, mark=1, lock=claim)
        try:
            with self._entered(claim, stay=True):
                journal = self._open_journal(state, claim, intents)
                try:
                    self._require_free(version)
                    self._prove(state)
                    announced = announcing(state, {}, {intent.address: intent for intent in intents})
                    self._write(replace(first, state=announced))
                except BaseException:
                    journal.discard()
                    raise
        except Lost:
            raise self._overtaken() from None
        self._log = RemoteLog(journal, claim, intents, first, self.numbered, self._write)
        leave(self._beside, before)
        tidy(self._beside, journal.path, lineage)
        return state, self._log

    def _claim(self, operation: str) -> Claim:
        return Claim(str(uuid.uuid4()), self._who, operation, _now())

    def _open_journal(self, state: State, claim: Claim, intents: Sequence[Intent]) -> Journal:
        announced = [intent.marker for intent in intents]
        facts = {"lineage": state.lineage, "run": claim.id, "announced": announced}
        return Journal(*journals(self._beside, claim.id), facts)

    def _require_unmoved(self, version: Version | None) -> None:
        """What is held now must be what was read: to enter may have meant to look again."""
        if self._version != version:
            raise Lost(f"{self.where} was written by another run meanwhile", "run this again")

    def _require_free(self, version: Version | None) -> None:
        """What was read must be nobody's, too: since `locked` looked, another may have begun."""
        self._require_unmoved(version)
        if self._document is not None and self._document.lock is not None:
            raise self._locked(self._document.lock)

    def _overtaken(self) -> LockedError:
        holder = None
        with suppress(StackError):
            holder = self._holder()
        if holder:
            return self._locked(holder)
        return LockedError(f"{self.where} was moved by another apply meanwhile", "run this again")

    def save(self, state: State) -> None:
        """The last write of an apply, which also frees the lock; or one of its own."""
        check(state, self.where)
        log, self._log = self._log, None
        if log is None:
            self._save_alone(state)
            return
        last = self.numbered(replace(log.document(), state=state, lock=None))
        try:
            self._write(last, encode(last))
        except StackError as error:
            if not (isinstance(error, Lost) and self._went_on_from(last)):
                log.close()
                raise _kept(error, log, self._freeing(log.claim.id)) from None
        log.close()
        remove(*journals(self._beside, log.claim.id))
        with suppress(StackError):  # the next run frees what the host still holds for a run that ended
            self._cell.leave(log.claim.id)

    def _went_on_from(self, last: Document) -> bool:
        """Whether who has written since began from this write of ours: then only its answer was lost."""
        with suppress(StackError):
            now = self._look_again()
            return now is not None and now.after == last.write
        return False

    def _save_alone(self, state: State) -> None:
        """A write outside of an apply. It counts as a run of its own: journals of others end with it."""
        claim, before, version = self._claim("save"), self._document, self._version
        with self._entered(claim):
            self._require_free(version)
            self._prove(state)
            self._write(Document(state, run=claim.id, after=before.write if before else ""))
        leave(self._beside, before)

    def _prove(self, state: State) -> None:
        """Before the first state is written here: show that the cell keeps what it is not told to replace."""
        if self._document is not None and self._document.proven:
            return
        document = Document(replace(state, resources={}, pending=(), markers=(), outputs={}), proven=False)
        data = self._write(document)
        assert self._version is not None
        try:
            self._cell.prove(data, self._version)
        except StateError:  # nothing will be kept here, so nothing stays; least of all a key of digests
            with suppress(StackError):
                self._cell.drop(data)
            raise

    def _write(self, document: Document, data: bytes | None = None, pause: Pause | None = None) -> bytes:
        """Put a document in the place of the last one that we know, one at a time."""
        with self._guard:
            if data is None:
                document = self.numbered(document)
                data = encode(document)
            self._version = swap(self._cell, data, self._version, pause or self._pause)
            self._document = document
        return data

    def numbered(self, document: Document) -> Document:
        """The document as the next write."""
        return document.numbered(self._document)


def _kept(error: StackError, log: RemoteLog, freeing: str) -> StackError:
    """The error of a last write that failed, and last where its content is kept."""
    what, then = error.problems[0].summary, error.problems[0].detail
    if isinstance(error, Lost):
        then += ": the next apply finds what this one had in flight"
        if log.path.exists():  # whoever was overtaken finds it tidied up
            then += f". What it did is written here, for a look: {log.path}"
        return type(error)(what, then)
    then += (
        f", after: {freeing}. What was done is kept here, where the next run on"
        f" this machine takes it up by itself: {log.path}"
    )
    kept = type(error)(what, then)
    kept.before = freeing
    return kept


def _now() -> str:
    """For people; nothing is decided by it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _no_time(_: float) -> None:
    raise StackError("there is no time left")
