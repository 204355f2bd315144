"""State on this machine: one JSON file a stack and endpoint, its journal, its lock, its key.

Beside ``PATH`` lie ``PATH.backup`` (the same once more: an older one would make things twice),
``PATH.journal`` (what an apply has done since), ``PATH.lock`` (held by the kernel while applying) and
``PATH.key`` (for secrets' digests).
"""

from __future__ import annotations

import getpass
import glob
import json
import os
import re
import secrets
import socket
import uuid
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from lbstack.errors import LockedError, StateError
from lbstack.state.files import Journal, make_folder, read_journal, write_whole
from lbstack.state.intents import Ledger
from lbstack.state.model import (
    RESTORE,
    Entry,
    State,
    check,
    entry_from_json,
    entry_to_json,
    from_json,
    mapping,
    state_from_json,
    state_to_json,
    to_json,
)
from lbstack.values import Address, Intent

GLANCE = 0.2
"""Seconds that an apply waits for the lock in any case: who looks whether it is held has it for a moment."""
HEAD = 4096
"""Bytes of a state file in which its lineage and serial surely stand."""


def default_path(folder: Path, stack: str, endpoint: str) -> Path:
    """Where a stack's state lies: one file a stack and endpoint, so that two never meet."""
    url = urlsplit(endpoint)
    place = f"{url.netloc}{url.path.removesuffix('/graphql')}" if url.netloc else endpoint
    return folder / f"{stack}@{re.sub(r'[^A-Za-z0-9.-]+', '-', place).strip('-')}.json"


def states_of(folder: Path, organizations: Container[str]) -> Iterator[Path]:
    """The states in a folder that are pinned to some organizations, and all that lies beside them."""
    for path in sorted(folder.glob("*@*.json")):
        with suppress(OSError), path.open("rb") as file:
            found = re.search(r'"organization": "([^"]+)"', file.read(HEAD).decode(errors="replace"))
            if found and found[1] in organizations:
                yield from sorted(folder.glob(f"{glob.escape(path.name)}*"))


class Store:
    """The state file of one stack in one workspace."""

    def __init__(self, path: Path, stack: str, endpoint: str) -> None:
        self.path = path
        self.stack = stack
        self.endpoint = endpoint
        self._loaded: State | None = None

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)

    @property
    def exists(self) -> bool:
        """Whether anything was ever saved here."""
        return self.path.exists()

    def load(self) -> State:
        """The state with its journal folded in. One that was never saved is fresh; any other
        trouble (empty, torn, foreign, newer) is an error, never an empty state."""
        self._loaded = self._load()
        return self._loaded

    def _load(self) -> State:
        if not self.exists:
            if self._beside(".journal").exists():
                raise StateError(f"{self.path} is missing, but its journal is there", self._cure())
            if self._kept() is not None:
                raise StateError(
                    f"{self.path} is missing, but its copy is there",
                    f"{self._cure()}; or move that away to begin anew",
                )
            return State(self.stack, "", self.endpoint, key=self._key() or secrets.token_bytes(32))
        try:
            raw = self.path.read_bytes()
            data = json.loads(raw)
        except OSError as error:
            raise StateError(
                f"{self.path} cannot be read: {error.strerror}", "mend its permissions"
            ) from None
        except (ValueError, RecursionError):
            what = "is empty" if not raw else "is no JSON"
            raise StateError(f"{self.path} {what}", self._cure()) from None
        state = state_from_json(data, self._key() or b"", str(self.path), self._cure())
        self._require_own(state)
        self._require_newest(state)
        return self._fold(state)

    def _cure(self) -> str:
        """What to do about a state that is damaged: the copy beside it is as new as it was."""
        if self._kept() is None:
            return RESTORE
        return f"put back {self._beside('.backup').name}"

    def _kept(self) -> tuple[str, int] | None:
        """Lineage and serial of the copy beside the state; None where there is none to rely on."""
        try:
            with self._beside(".backup").open("rb") as file:
                head = file.read(HEAD).decode(errors="replace")
        except OSError:
            return None
        lineage, serial = re.search(r'"lineage": "([^"]+)"', head), re.search(r'"serial": (\d+)', head)
        return (lineage[1], int(serial[1])) if lineage and serial else None

    def _require_newest(self, state: State) -> None:
        """Refuse a state that is older than its copy: what was made since would be made again."""
        kept = self._kept()
        if kept and kept[0] == state.lineage and kept[1] > state.serial:
            raise StateError(
                f"{self.path} is older (serial {state.serial}) than its copy (serial {kept[1]}): what was"
                " done since is not in it, and would be done again",
                f"{self._cure()}; or move that away, if this older one is meant",
            )

    def _require_own(self, state: State) -> None:
        if state.stack != self.stack:
            raise StateError(
                f"{self.path} belongs to stack {state.stack}, not {self.stack}", "name another with --state"
            )
        if state.endpoint != self.endpoint:
            raise StateError(
                f"{self.path} belongs to {state.endpoint}, not {self.endpoint}", "name another with --state"
            )
        if not state.key:
            if any(_holds_digest(entry_to_json(entry)) for entry in state.resources.values()):
                raise StateError(
                    f"{self._beside('.key')} is missing, and secrets cannot be compared without it",
                    "put it back from where the state came from",
                )
            object.__setattr__(state, "key", secrets.token_bytes(32))

    def _key(self) -> bytes | None:
        try:
            return bytes.fromhex(self._beside(".key").read_text().strip())
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise  # the path that was named is wrong, the key is not
        except (OSError, ValueError) as error:
            raise StateError(f"{self._beside('.key')} cannot be read: {error}", "put it back") from None

    def _fold(self, state: State) -> State:
        """What an apply did before it was cut off is part of the state."""
        journal = self._beside(".journal")
        if not journal.exists():
            return state
        resources = dict(state.resources)  # one copy for all records, not one for each
        folded = replace(state, resources=resources)
        ledger = Ledger(state)
        for record in read_journal(journal):
            with _sound(journal):
                serial = _whole(record.get("serial", state.serial))
                if record.get("lineage") not in (None, state.lineage) or serial > state.serial:
                    raise StateError(f"{journal} belongs to another state than {self.path}", "move it away")
                if serial < state.serial:
                    return state  # the apply ended between saving the state and removing its journal
                folded = fold_record(folded, resources, record)
                ledger.fold(record)
        check(folded, str(journal))
        return replace(ledger.told(folded), serial=state.serial + 1)

    @contextmanager
    def locked(self, timeout: float = 0.0) -> Iterator[None]:
        """Hold the state against other applies; the kernel lets go when the process dies."""
        make_folder(self.path.parent)
        lock = self._lock()
        note = self._beside(".lock.info")
        try:
            lock.acquire(timeout=max(timeout, GLANCE), poll_interval=GLANCE / 4)
        except Timeout:
            holder = ""
            with suppress(OSError):
                holder = f" by {note.read_text().strip()}"
            raise LockedError(
                f"the state {self.path} is locked{holder}", "wait for that apply, or give --lock-timeout 5m"
            ) from None
        try:
            with suppress(OSError):
                write_whole(note, f"process {os.getpid()} of {_user()} on {socket.gethostname()}".encode())
            yield
        finally:
            with suppress(OSError):
                note.unlink()
            lock.release()

    def held(self) -> bool:
        """Whether an apply is at work on this state now."""
        if not self.path.parent.is_dir():
            return False
        lock = self._lock()
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    def _lock(self) -> FileLock:
        return FileLock(str(self._beside(".lock")), mode=0o600)

    def keep_key(self, state: State) -> None:
        """Make the key of the digests durable, so that what was digested with it can be compared."""
        kept = self._key()
        if kept is None:
            write_whole(self._beside(".key"), state.key.hex().encode())
        elif kept != state.key:
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
        if self._beside(".journal").exists() or state != self._loaded:
            self.save(state)
        journal = Journal(self._beside(".journal"))
        journal.add({"lineage": state.lineage, "serial": state.serial} | ({"nonce": nonce} if nonce else {}))
        return state, journal

    def save(self, state: State) -> None:
        """Write the whole state and a copy of it, and let the journal go: it is folded in."""
        check(state, str(self.path))
        text = json.dumps(state_to_json(state), indent=1).encode() + b"\n"
        write_whole(self.path, text)
        write_whole(self._beside(".backup"), text)
        with suppress(FileNotFoundError):
            self._beside(".journal").unlink()


def result_record(address: Address, entry: Entry | None) -> dict[str, Any]:
    """A journal line: what is now remembered of a resource."""
    return {"resource": str(address), "entry": None if entry is None else entry_to_json(entry)}


def outputs_record(outputs: dict[str, Any]) -> dict[str, Any]:
    """A journal line: the outputs as they are now."""
    return {"outputs": to_json(outputs)}


@contextmanager
def _sound(journal: Path) -> Iterator[None]:
    """A record that is not of the shape it was written in is damage."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise StateError(f"{journal} is damaged", "move it away to go on without it") from None


def _whole(number: Any) -> int:
    if type(number) is not int:
        raise TypeError("serial")
    return number


def fold_record(state: State, resources: dict[Address, Entry], record: dict[str, Any]) -> State:
    """The state after one journal line; its `resources` are changed in place. Lines that only announce
    something change nothing."""
    if "resource" in record:
        entry, address = record["entry"], Address.parse(record["resource"])
        if entry is None:
            resources.pop(address, None)
        else:
            resources[address] = entry_from_json(entry)
    elif "outputs" in record:
        return replace(state, outputs=from_json(mapping(record["outputs"])))
    return state


def _holds_digest(value: Any) -> bool:
    if isinstance(value, dict):
        return "$digest" in value or any(_holds_digest(item) for item in value.values())
    return isinstance(value, list) and any(_holds_digest(item) for item in value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
