"""State on this machine: one JSON file a stack and endpoint, and what belongs to it.

Beside ``PATH`` lie ``PATH.kept/`` (the last snapshots, a copy of this one among them), ``PATH.journal`` and
``PATH.journal.twin`` (what an apply has done since; the twin on another disk, if there is one),
``PATH.lock`` (held by the kernel while applying), ``PATH.key`` (for secrets' digests) and ``PATH.log`` (a
line when an apply begins, and when it ends).

A snapshot is saved in this order, each step durable before the next: the state, its copy, the end of the
journal. So after a power cut the state is the newest of all, and a journal that belongs to an older one
was folded into it.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lbstack.errors import StateError, typed
from lbstack.state.files import make_folder, read_own, remove, sweep, touched, write_whole
from lbstack.state.fold import fold
from lbstack.state.journal import Journal, Record, read_first_format, read_journal
from lbstack.state.kept import NAMES, Kept, keep, kept
from lbstack.state.lock import held, locked
from lbstack.state.model import RESTORE, State, check, entry_to_json
from lbstack.state.places import require_safe
from lbstack.state.snapshot import HEAD, Head, Snapshot, decode, encode, peek
from lbstack.values import Intent


class Store:
    """The state file of one stack in one workspace.

    `second` is where the twin of the journal lies, if not beside the state; `network` says that the state
    may lie on a file system of the network; `words` are what a command needs to come here again.
    """

    def __init__(
        self,
        path: Path,
        stack: str,
        endpoint: str,
        *,
        second: Path | None = None,
        network: bool = False,
        words: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.stack = stack
        self.endpoint = endpoint
        self._second = second
        self._network = network
        self.words = words
        self._loaded: State | None = None
        self._generation: int | None = None

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)

    @property
    def journals(self) -> list[Path]:
        """The files that hold the lines of a journal, the first of them first."""
        beside = [self._beside(".journal"), self._beside(".journal.twin")]
        return [*beside, self._second] if self._second else beside

    @property
    def log(self) -> Path:
        """Where applies are written down."""
        return self._beside(".log")

    @property
    def exists(self) -> bool:
        """Whether anything was ever saved here."""
        return self.path.exists()

    # -- reading ----------------------------------------------------------------------------------

    def load(self) -> State:
        """The state with its journal folded in. One that was never saved is fresh; any other
        trouble (missing, empty, torn, foreign, older, newer) is an error, never an empty state."""
        self._loaded = self._load()
        return self._loaded

    def _load(self) -> State:
        snapshot = self.snapshot()
        self._generation = snapshot.generation if snapshot else 0
        if snapshot is None:
            return State(self.stack, "", self.endpoint, key=self.key() or secrets.token_bytes(32))
        records, where = self.records(snapshot), str(self.journals[0])
        return fold(snapshot.state, records, where, self.salvage) if records else snapshot.state

    def snapshot(self) -> Snapshot | None:
        """The state as it was saved last, without its journal; None if it never was."""
        raw = read_own(self.path)
        if raw is None:
            self._require_fresh()
            return None
        snapshot = decode(raw, self.key() or b"", str(self.path), self.cure())
        self._require_newest(snapshot, raw)
        return replace(snapshot, state=self.ours(snapshot.state, str(self.path)))

    def _require_fresh(self) -> None:
        left = [
            path for path in (*self.journals, self._beside(".backup"), self._beside(".kept")) if path.exists()
        ]
        if left:
            raise StateError(
                f"{self.path} is missing, but {left[-1].name} is there",
                f"{self.cure()}; or move that away to begin anew",
            )

    def cure(self) -> str:
        """What to do about a state that is damaged."""
        return f"to take the last one that is kept: {self.restoring()}" if self.kept() else RESTORE

    @property
    def salvage(self) -> str:
        """What to do about a journal that is damaged."""
        return f"to take what is before that, and keep the rest for a look: {self.restoring()}"

    def restoring(self, *words: str) -> str:
        """The command that puts a kept snapshot back."""
        return typed("state restore", *words, *self.words)

    def kept(self) -> list[Kept]:
        """The kept snapshots, the newest first; of format 1 there was one."""
        backup = self._beside(".backup")
        head = peek(read_own(backup, HEAD) or b"")
        return [*kept(self._beside(".kept")), *([Kept(backup, head.serial, 0)] if head else [])]

    def _require_newest(self, snapshot: Snapshot, raw: bytes) -> None:
        """Refuse a state that is not the one that was saved last: what was made since would be made again."""
        if snapshot.format == 1:
            self._require_newest_of_format_1(snapshot.state)
        newest = next(iter(self.kept()), None)
        if newest is None or newest.read() == raw:
            return
        if newest.generation > snapshot.generation:
            raise StateError(
                f"{self.path} is older (serial {snapshot.state.serial}) than what was saved last (serial"
                f" {newest.serial}): what was done since is not in it, and would be done again",
                f"{self.cure()}; if this older one is meant: {self.restoring(str(snapshot.state.serial))}",
            )
        try:
            copy = newest.snapshot(b"")
        except StateError:  # the copy is damaged, the state is not
            return
        follows = newest.generation < snapshot.generation - 1 or snapshot.previous == copy.sha256
        if copy.state.lineage != snapshot.state.lineage or not (follows or copy.sha256 == snapshot.sha256):
            raise StateError(
                f"{self.path} is not the state that was saved here last, nor what came of it", self.cure()
            )

    def _require_newest_of_format_1(self, state: State) -> None:
        """In format 1 the one copy beside the state was as new as it."""
        head = peek(read_own(self._beside(".backup"), HEAD) or b"")
        if head and head.lineage == state.lineage and head.serial > state.serial:
            raise StateError(
                f"{self.path} is older (serial {state.serial}) than its copy (serial {head.serial}): what was"
                " done since is not in it, and would be done again",
                f"{self.cure()}; or move that away, if this older one is meant",
            )

    def ours(self, state: State, where: str) -> State:
        """The state with the key of its digests. Refuses one of another stack or endpoint."""
        cure = "name another with --state"
        if state.stack != self.stack:
            raise StateError(f"{where} belongs to stack {state.stack}, not {self.stack}", cure)
        if state.endpoint != self.endpoint:
            raise StateError(f"{where} belongs to {state.endpoint}, not {self.endpoint}", cure)
        key = self.key()
        if key is None and any(_holds_digest(entry_to_json(entry)) for entry in state.resources.values()):
            raise StateError(
                f"{self._beside('.key')} is missing, and secrets cannot be compared without it",
                "put it back from where the state came from",
            )
        return replace(state, key=key or secrets.token_bytes(32))

    def key(self) -> bytes | None:
        """The key of the digests; None if there is none yet."""
        path = self._beside(".key")
        raw = read_own(path)
        try:
            return None if raw is None else bytes.fromhex(raw.decode().strip())
        except ValueError as error:
            raise StateError(f"{path} cannot be read: {error}", "put it back") from None

    def records(self, snapshot: Snapshot) -> list[Record]:
        """What the journal says was done since a snapshot: nothing, if it was folded into that already."""
        first = self.journals[0]
        if snapshot.format == 1:
            head, *records = read_first_format(first) or [{}]
            number, done = snapshot.state.serial, head.get("serial", snapshot.state.serial)
        else:
            head, *records = read_journal(self.journals, snapshot.generation, self.salvage) or [{}]
            number, done = snapshot.generation, head.get("generation", snapshot.generation)
        ours = type(done) is int and done <= number and head.get("lineage") in (None, snapshot.state.lineage)
        if not ours or (done == number and head.get("sha256", snapshot.sha256) != snapshot.sha256):
            raise StateError(f"{first} belongs to another state than {self.path}", "move it away")
        return records if done == number else []

    # -- one at a time ----------------------------------------------------------------------------

    @contextmanager
    def locked(self, timeout: float = 0.0) -> Iterator[None]:
        """Hold the state against other applies; the kernel lets go when the process dies."""
        make_folder(self.path.parent)
        require_safe(self.path.parent, self._network)
        with locked(self._beside(".lock"), self.path, timeout):
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Remove what killed applies left half written."""
        with suppress(OSError):
            now = touched(self._beside(".lock"))
            sweep(self.path.parent, rf"{re.escape(self.path.name)}(\.key)?", now)
            sweep(self._beside(".kept"), NAMES, now)

    def held(self) -> bool:
        """Whether an apply is at work on this state now."""
        return held(self._beside(".lock"))

    # -- writing ----------------------------------------------------------------------------------

    def keep_key(self, state: State) -> None:
        """Make the key of the digests durable, so that what was digested with it can be compared."""
        known = self.key()
        if known is None:
            write_whole(self._beside(".key"), state.key.hex().encode())
        elif known != state.key:
            raise StateError(f"{self._beside('.key')} was made by another run meanwhile", "run this again")

    def start(self, state: State) -> State:
        """A fresh state gets its lineage and lies on disk from now on, so that plans may be bound to it."""
        self.keep_key(state)
        if state.lineage:
            return state
        state = replace(state, lineage=str(uuid.uuid4()))
        self.save(state)
        return state

    def begin(self, state: State, intents: Sequence[Intent] = (), nonce: str = "") -> tuple[State, Journal]:
        """Open the journal of an apply. What it continues must lie on disk: a state that is fresh, or
        not as it was loaded (resources have moved), is saved first.

        `intents` are the creates to come: here each is durable when its turn comes, in the journal that
        the next run reads, and one that was never announced was never sent."""
        state = self.start(state)
        head = self._head()
        if head is None or not head.sha256 or state != self._loaded or any(p.exists() for p in self.journals):
            head = self.save(state)
        facts = {"lineage": head.lineage, "generation": head.generation, "sha256": head.sha256}
        journal = self._journal(facts)
        if nonce:
            journal.add({"nonce": nonce})
        return state, journal

    def _journal(self, facts: Record) -> Journal:
        first, *twins = self.journals
        while True:
            twin = twins.pop()
            try:
                return Journal(first, twin, facts)
            except OSError:  # the other disk does not take it
                if not twins:
                    raise

    def save(self, state: State) -> Head:
        """Write the whole state and a copy of it, and let the journal go: it is folded in."""
        check(state, str(self.path))
        before = self._head()
        if self._generation not in (None, before.generation if before else 0):
            raise StateError(f"{self.path} was saved by another run meanwhile", "run this again")
        generation = max([before.generation if before else 0, *(each.generation for each in self.kept())]) + 1
        raw, digest = encode(state, generation, before.sha256 if before else "")
        write_whole(self.path, raw)
        self._loaded, self._generation = state, generation
        keep(self._beside(".kept"), raw, state.serial, generation)
        remove(*self.journals, self._beside(".backup"))
        return Head(state.lineage, state.serial, generation, digest)

    def _head(self) -> Head | None:
        """What the state's file says of itself."""
        return peek(read_own(self.path, HEAD) or b"")


def _holds_digest(value: Any) -> bool:
    if isinstance(value, dict):
        return "$digest" in value or any(_holds_digest(item) for item in value.values())
    return isinstance(value, list) and any(_holds_digest(item) for item in value)
