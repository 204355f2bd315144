"""Files of a state that are damaged in every way: told, or without effect; and a way out that works.

A damage befalls one file of a state at a time: the state, a kept copy, the journal, its twin. What is
loaded then is what was remembered, or a refusal that says what to do; never an older or an empty state.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbstack.errors import Exit, StateError
from lbstack.state.fold import outputs_record, result_record
from lbstack.state.model import Entry, State
from lbstack.state.restoring import restore
from lbstack.state.store import Store
from lbstack.values import Address, Digest
from tests.reliability.sizes import size

FILES = ("state.json", "state.json.journal", "state.json.journal.twin", "newest copy", "older copy")


def thing(number: int) -> Address:
    return Address("thing", f"t{number}")


def entry(number: int, version: int) -> Entry:
    fields = {
        "name": f"Ding {number} “ä”",
        "n": number * 1.5,
        "version": version,
        "secret": Digest("ab" * 32),
    }
    return Entry(f"id-{number}", fields, {"seen": version}, (thing(0),) if number else ())


class Kept:
    """A state with a history and a journal, and what must come of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for version in range(4):
            store = self.store
            state = replace(store.load(), organization="o")
            state, journal = store.begin(state, nonce=f"plan-{version}")
            journal.close()
            self.older = self.bytes_of("state.json")
            resources = {thing(number): entry(number, version) for number in range(version + 4)}
            store.save(replace(state, resources=resources, serial=state.serial + 1))
        store = self.store
        _, journal = store.begin(store.load(), nonce="cut off")
        for number in range(6, 9):
            journal.add({"intent": "create", "address": str(thing(number)), "marker": f"{number:032x}"})
            journal.add(result_record(thing(number), entry(number, 9)))
        journal.add(result_record(thing(1), None))
        journal.add(outputs_record({"all": "well"}))
        journal.close()
        self.whole = self.store.load()
        assert self.whole.markers and self.whole.spent and self.whole.outputs  # of everything there is some
        self.files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    @property
    def store(self) -> Store:
        return Store(self.folder / "state.json", "s", "e")

    def path(self, name: str) -> Path:
        if "copy" not in name:
            return self.folder / name
        return self.store.kept()[0 if name == "newest copy" else 1].path

    def whole_bytes(self, name: str) -> bytes:
        return self.files[self.path(name)]

    def bytes_of(self, name: str) -> bytes:
        path = self.path(name)
        return path.read_bytes() if path.exists() else b""

    @contextmanager
    def damaged(self, name: str, data: bytes | None) -> Iterator[None]:
        """One file holds something else, or is gone (None), as long as the block runs."""
        path = self.path(name)
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)
        try:
            yield
        finally:
            self.back()

    def back(self) -> None:
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in self.files:
                path.unlink()
        for path, data in self.files.items():
            if not path.exists() or path.read_bytes() != data:
                path.write_bytes(data)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "work")


def flip(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data.rstrip(b"\0")))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data.rstrip(b"\0")))]


def zero(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data.rstrip(b"\0")))
    return (data[:at] + bytes(min(chance.choice((1, 16, 512, 4096)), len(data) - at)) + data[at + 512 :])[
        : len(data)
    ]


def cut_out(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data.rstrip(b"\0")))
    return data[:at] + data[at + chance.randrange(1, 300) :]


def garble(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data.rstrip(b"\0")))
    return data[:at] + chance.randbytes(chance.randrange(1, 64)) + data[at:]


def line_out(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    del lines[chance.randrange(max(1, len(lines) - 1))]
    return b"\n".join(lines)


def lines_swapped(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


DAMAGES = (flip, truncate, zero, cut_out, garble, line_out, lines_swapped)


def outcome(kept: Kept, name: str) -> str:
    """``told``, ``harmless``, or what went wrong; and whether the way out works."""
    try:
        state = kept.store.load()
    except StateError as error:
        if error.exit != Exit.STATE or not any(problem.detail for problem in error.problems):
            return f"no way out is told: {error}"
        return way_out(kept, name)
    return "harmless" if state == kept.whole else f"passed for {state}"


def way_out(kept: Kept, name: str) -> str:
    """``state restore`` brings back all that was remembered, since one copy of everything is intact."""
    done = restore(kept.store)
    if done is None:
        return "nothing was restored"
    state = kept.store.load()
    lost = known(kept.whole) - known(state)
    return f"restore lost {lost}" if lost else "told"


def known(state: State) -> set[Any]:
    ids = {(address, each.id) for address, each in state.resources.items()}
    return ids | {intent.marker for intent in (*state.pending, *state.markers)} | {*state.spent}


@pytest.mark.reliability
def test_damage(kept: Kept, report: Callable[..., None], seeds: Callable[[int], list[int]]) -> None:
    """One file is damaged: 0 older, empty or made-up states; everything is had again."""
    tally: Counter[str] = Counter()
    wrong = []
    for seed in seeds(size(2_000, 20_000)):
        chance = random.Random(seed)
        name, damage = chance.choice(FILES), chance.choice(DAMAGES)
        with kept.damaged(name, damage(kept.whole_bytes(name), chance)):
            found = outcome(kept, name)
        tally[found if found in ("told", "harmless") else "wrong"] += 1
        if found not in ("told", "harmless"):
            wrong.append((seed, name, damage.__name__, found[:300]))
    report(n=tally.total(), told=tally["told"], harmless=tally["harmless"], wrong=tally["wrong"])
    assert wrong == []


WHOLE: dict[str, Callable[[Kept, bytes], bytes | None]] = {
    "missing": lambda kept, data: None,
    "0 bytes": lambda kept, data: b"",
    "zeros": lambda kept, data: bytes(len(data)),
    "an older one": lambda kept, data: kept.older,
    "twice": lambda kept, data: data + data,
    "of another program": lambda kept, data: b'{"version": 4, "terraform_version": "1.9"}',
}


@pytest.mark.reliability
def test_whole_files_lost_or_replaced(kept: Kept, report: Callable[..., None]) -> None:
    wrong, tally = [], Counter[str]()
    for name in FILES:
        for what, change in WHOLE.items():
            with kept.damaged(name, change(kept, kept.whole_bytes(name))):
                found = outcome(kept, name)
            tally[found] += 1
            if found not in ("told", "harmless") or (name == "state.json" and found != "told"):
                wrong.append((name, what, found))
    report(n=tally.total(), told=tally["told"], harmless=tally["harmless"])
    assert wrong == []


@pytest.mark.reliability
def test_copies_swapped_among_each_other_and_with_the_state(kept: Kept, report: Callable[..., None]) -> None:
    """Every pair of snapshots changes places: never is an older one taken for the state."""
    paths = [kept.folder / "state.json", *(each.path for each in kept.store.kept())]
    pairs = [(one, other) for at, one in enumerate(paths) for other in paths[at + 1 :]]
    wrong = []
    for one, other in pairs:
        one.write_bytes(kept.files[other])
        other.write_bytes(kept.files[one])
        found = outcome(kept, "state.json")
        if found not in ("told", "harmless"):
            wrong.append((one.name, other.name, found))
        kept.back()
    report(n=len(pairs), wrong=len(wrong))
    assert wrong == []


@pytest.mark.reliability
def test_restore_succeeds_as_long_as_one_copy_is_intact(
    kept: Kept, report: Callable[..., None], seeds: Callable[[int], list[int]]
) -> None:
    """Everything is damaged at once but one kept snapshot: restore brings that back."""
    tried = 0
    copies = kept.store.kept()
    held = {each: set(each.snapshot(b"").state.resources) for each in copies}
    for seed in seeds(size(100, 1_000)):
        chance = random.Random(seed)
        intact = chance.choice(copies)
        for path in kept.files:
            if path != intact.path and not path.name.endswith((".key", ".lock")):
                path.write_bytes(truncate(kept.files[path].rstrip(), chance))  # more than the end of a line
        done = restore(kept.store)
        assert done is not None, seed
        state = kept.store.load()
        assert done.origin == intact.serial, seed
        assert held[intact] - {thing(1)} <= set(state.resources), seed  # the journal may tell that one went
        tried += 1
        shutil.rmtree(kept.folder / "state.json.kept")
        (kept.folder / "state.json.kept").mkdir(0o700)
        kept.back()
    report(n=tried, restored=tried)
