"""The power goes at every moment of an apply: what was acknowledged is there, and nobody must repair."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbstack.errors import StackError
from lbstack.state.model import State
from lbstack.state.store import Store
from tests.memory import MEMORY
from tests.reliability import story
from tests.reliability.bench import APPLY, Bench, a_bench
from tests.reliability.converged import state_store
from tests.reliability.killing import STRACE
from tests.reliability.powercut import Call, Disk, laid_out, record

pytestmark = pytest.mark.skipif(not STRACE, reason="the calls of an apply are recorded with strace")


class Recording:
    """An apply as the calls it made, and the disk before it."""

    def __init__(self, bench: Bench) -> None:
        self.root, self.endpoint = bench.folder, bench.served.endpoint
        self.before = {str(p): p.read_bytes() for p in bench.folder.rglob("*") if p.is_file()}
        self.calls = record(bench, APPLY)

    def disk(self) -> Disk:
        return Disk.of(self.root, self.before)

    def load(self, files: dict[str, bytes], goes_on: bool = False) -> Any:
        """What the next run finds, or why it does not; if it `goes_on`, it can save that again, too."""
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            there = Path(folder, "work")
            laid_out(files, self.root, there)
            try:
                store = Store(there / "state.json", "story", self.endpoint)
                state = store.load()
                if not goes_on:
                    return told(state)
                again, journal = store.begin(state)
                journal.close()
                store.save(replace(again, serial=again.serial + 1))
                assert told(Store(there / "state.json", "story", self.endpoint).load())[1:] == told(state)[1:]
            except StackError as error:
                return str(error)
            return told(state)


def told(state: State) -> Any:
    """What counts of a state. A fresh one gets a key and a lineage each time."""
    return (state.serial, state.resources, state.outputs, state.pending, state.markers, state.spent)


def violations(recording: Recording, calls: list[Call], enough: int = 1_000) -> tuple[int, list[str]]:
    """How many states of the disk were tried, and what is wrong with them, until that is `enough`.

    As long as the power stays the state moves along a line. A disk after a power cut must come to a place
    on that line: not before what was acknowledged, not after what was begun.
    """
    disk = recording.disk()
    line = [recording.load(disk.whole())]
    acknowledged, seen, wrong = 0, {}, []
    for number, call in enumerate(calls):
        disk.do(call)
        now = recording.load(disk.whole(), goes_on=True)
        if now != line[-1]:
            line.append(now)
        if call.name in ("sync", "ignored sync") and call.path.endswith(("state.json.journal", "/work")):
            acknowledged = len(line) - 1
        for files in disk.crashed():
            key = frozenset(files.items())
            if key not in seen:
                seen[key] = recording.load(files, goes_on=len(seen) % 4 == 0)
            if seen[key] not in line[acknowledged:]:
                where = "before what was acknowledged" if seen[key] in line else str(seen[key])[:200]
                wrong.append(f"after call {number} ({call.name} {Path(call.path).name}): {where}")
        if len(wrong) >= enough:
            break
    return len(seen), wrong


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Recording]]:
    """A first apply; one that updates, replaces and deletes; one that goes on from one that was cut off."""
    with a_bench(tmp_path_factory.mktemp("power")) as bench:
        first = Recording(bench)
        bench.write(story.SECOND)
        second = Recording(bench)
        store = state_store(bench)
        _, journal = store.begin(store.load(), nonce="spent by the one that was cut off")
        journal.close()
        bench.write(story.FIRST)
        yield {"first": first, "second": second, "third": Recording(bench)}


@pytest.mark.reliability
@pytest.mark.parametrize("which", ["first", "second", "third"])
def test_power_cuts(which: str, recordings: dict[str, Recording], report: Callable[..., None]) -> None:
    recording = recordings[which]
    count, wrong = violations(recording, recording.calls)
    report(name=f"power_cuts[{which}]", n=count, calls=len(recording.calls), lost_or_unreadable=len(wrong))
    assert wrong == []
    assert count >= 200


SPOILED: dict[str, Callable[[Call], bool]] = {
    "no fsync of the journal": lambda call: call.name == "sync" and call.path.endswith(".journal"),
    "no fsync of the state": lambda call: call.name == "sync" and "/.state.json." in call.path,
    "no fsync of the folder": lambda call: call.name == "sync" and call.path.endswith("/work"),
}


@pytest.mark.reliability
@pytest.mark.parametrize("which", SPOILED)
def test_power_cuts_are_noticed(
    which: str, recordings: dict[str, Recording], report: Callable[..., None]
) -> None:
    """Where a store does not wait for its disk, the battery says so."""
    recording = recordings["second"]
    calls = [replace(call, name="ignored sync") if SPOILED[which](call) else call for call in recording.calls]
    assert calls != recording.calls
    count, wrong = violations(recording, calls, enough=1)
    report(name=f"power_cuts_are_noticed[{which}]", n=count, by=wrong[0] if wrong else "nobody")
    assert wrong
