"""Many applies of one stack at once, and a holder that sleeps while it is overtaken: one works at a time,
the others are told so, and nobody overwrites anybody."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from lbstack.sandbox.people import join
from lbstack.sandbox.roles import ADMIN
from lbstack.sandbox.world import create_key
from tests.reliability.bench import Bench, a_bench
from tests.reliability.children import Child
from tests.reliability.places import PLACES, REMOTE, Place, state_in
from tests.reliability.sizes import size
from tests.remote.buckets import s3_server
from tests.remote.misbehaving import LOSE, Answer, Fault

pytestmark = pytest.mark.reliability

STACK = """\
stack: signs
variables:
  run: {}
datasets:
  one: {name: One, description: "by ${var.run}"}
  two: {name: Two, description: "by ${var.run}"}
  three: {name: Three, description: "by ${var.run}"}
"""
NAMES = ("One", "Two", "Three")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with a_bench(tmp_path) as made:
        made.write(STACK)
        yield made


@dataclass(frozen=True)
class Person:
    """Somebody who applies, so that the ledger tells whose a mutation was."""

    key: str
    id: str


def people(bench: Bench, count: int) -> list[Person]:
    """So many admins of the workspace."""
    found, organization = [], str(bench.store.value("SELECT id FROM organizations"))
    for number in range(count):
        email = f"admin-{number}@example.com"
        with bench.store.transaction():
            id = join(bench.store, organization, email, ADMIN, "2026-01-01T00:00:00.000Z")
        found.append(Person(create_key(bench.store, "Admin", email), id))
    return found


def start(bench: Bench, run: str, who: Person, *words: str, folder: Path | None = None) -> Child:
    """Begin the apply of one run; each has its own output, however many there are."""
    command = ["apply", "stack.yaml", "--auto-approve", "--var", f"run={run}", *words]
    env = {**bench.env, "LABELBOX_API_KEY": who.key}
    return bench.children.start(command, folder or bench.folder, env, name=run)


def turns(bench: Bench, after: int) -> list[str]:
    """Whose mutations were executed; anybody as often as he came on: twice, if another was in between."""
    return [actor for actor, _ in groupby(entry["actor"] for entry in bench.ledger(after))]


def descriptions(bench: Bench) -> dict[str, str]:
    rows = bench.store.rows("SELECT name, description FROM datasets WHERE deleted = 0")
    assert len(rows) == len(NAMES), rows
    return {row["name"]: row["description"].split("[")[0].strip() for row in rows}


def judged(bench: Bench, place: Place, codes: dict[str, int], runs: dict[str, str], after: int) -> list[str]:
    """What must hold when all have ended, whoever was first: `runs` says whose was which, `codes` how it
    ended. Returns the runs that worked, in their order."""
    ran = [runs[actor] for actor in turns(bench, after)]
    assert set(codes.values()) <= {0, 3}, codes
    assert len(ran) == len(set(ran)), f"runs were at work at the same time: {ran}"
    assert sorted(ran) == sorted(run for run, code in codes.items() if code == 0)
    assert ran, "nobody worked"
    assert set(descriptions(bench).values()) == {f"by {ran[-1]}"}
    store = place.store("signs")
    state = store.load()
    assert not store.held() and not state.pending
    known = {entry.id for entry in state.resources.values()}
    assert known == {row["id"] for row in bench.store.rows("SELECT id FROM datasets WHERE deleted = 0")}
    result = bench.command("plan", "stack.yaml", "--detailed-exitcode", "--var", f"run={ran[-1]}")
    assert result.returncode == 0, result.stdout + result.stderr
    return ran


def one_round(bench: Bench, place: Place, number: int, persons: list[Person], *patience: str) -> list[str]:
    """All of them apply at once; every other waits for the lock as long as `patience` says."""
    after = bench.seq()
    runs = {person.id: f"run-{number}-{one}" for one, person in enumerate(persons)}
    children = {
        runs[person.id]: start(bench, runs[person.id], person, *(patience if one % 2 else ()))
        for one, person in enumerate(persons)
    }
    codes = {run: child.wait() for run, child in children.items()}
    if place.server is not None:
        place.server.faults = []
    for run, child in children.items():
        if codes[run] not in (0, 3):
            raise AssertionError(f"{run}: {codes[run]}\n{child.err.read_text()}")
        if codes[run] == 3:
            assert re.search("locked|another apply", child.err.read_text())
    return judged(bench, place, codes, runs, after)


@pytest.mark.parametrize("where", PLACES)
def test_of_many_applies_at_once_one_works_and_the_others_say_so(
    bench: Bench, s3: str, where: str, report: Callable[..., None]
) -> None:
    rounds = size(10, rarely(where, 50))
    many = size(50 if where == "local" else 10, 50)
    persons, won = people(bench, many), 0
    with state_in(where, bench, s3) as place:
        for number in range(rounds):
            won += len(one_round(bench, place, number, persons, "--lock-timeout", "1s"))
    report(
        name=f"applies at once, {where}", n=rounds * many, rounds=rounds, won=won, lost=rounds * many - won
    )


@pytest.mark.parametrize("where", REMOTE)
def test_a_store_that_stumbles_under_many_applies_lets_no_two_of_them_work(
    bench: Bench, s3: str, where: str, report: Callable[..., None]
) -> None:
    rounds, many = size(1, rarely(where, 20)), size(6, 50)
    persons, won, hit = people(bench, many), 0, 0
    with state_in(where, bench, s3) as place:
        assert place.server is not None
        for number in range(rounds):
            faults = place.server.faults = stumbling(random.Random(number), place)
            won += len(one_round(bench, place, number, persons))
            hit += sum(fault.times == 0 for fault in faults)
    assert hit
    report(name=f"applies at once, a {where} that stumbles", n=rounds * many, won=won, stumbled=hit)


def rarely(where: str, rounds: int) -> int:
    """In buckets that differ from Amazon's by their words alone, fewer rounds."""
    return rounds // 5 if where in ("google", "azure") else rounds


def stumbling(dice: random.Random, place: Place) -> list[Fault]:
    """Lost answers, conflicts and failures, among the first requests that come."""
    own = place.bucket.words.refused if place.bucket else Answer(500)
    kinds: list[Any] = [LOSE, LOSE, Answer(503), lambda asked, serve: serve(asked) and own]
    kinds += [place.bucket.words.conflict] * 2 if place.bucket else []
    faults = [Fault(place.write, kind, first=dice.randrange(6)) for kind in kinds]
    return [*faults, Fault("GET", Answer(503), first=dice.randrange(12)), Fault("DELETE", LOSE)]


@pytest.mark.parametrize("machine", ["here", "elsewhere"])
@pytest.mark.parametrize("where", REMOTE)
def test_a_holder_that_sleeps_while_it_is_overtaken_does_nothing_when_it_wakes(
    bench: Bench, s3: str, where: str, machine: str, report: Callable[..., None]
) -> None:
    """If only for a second, and whether its journal is at hand to those who overtake it."""
    folder = bench.folder / "bed" if machine == "elsewhere" else bench.folder
    folder.mkdir(exist_ok=True)
    (folder / "stack.yaml").write_text(STACK)
    rounds, steps, late = size(1, rarely(where, 10)), 0, 0
    sleeper, other = people(bench, 2)
    with state_in(where, bench, s3) as place:
        for number in range(rounds):
            bench.fault("before_exec", {"delay_ms": 400}, type="mutation")
            after = bench.seq()
            child = start(bench, f"run-{number}-sleeper", sleeper, "--parallelism", "1", folder=folder)
            until(lambda after=after: bench.seq() > after)  # type: ignore[misc]
            os.kill(child.pid, signal.SIGSTOP)
            bench.behave()
            locked = start(bench, f"run-{number}-locked", other)
            assert locked.wait() == 3
            id = re.search(r"ID ([0-9a-f-]{36})", locked.err.read_text())
            assert id
            bench.done("force-unlock", id[1], "stack.yaml")
            overtaker = start(bench, f"run-{number}-other", other)
            assert overtaker.wait() == 0, overtaker.err.read_text()
            seq, before = bench.seq(), place.store("signs").load()
            time.sleep(1)  # what is shorter is no sleep
            os.kill(child.pid, signal.SIGCONT)
            assert child.wait() == 7, child.err.read_text()
            assert re.search("another run|taken from this run", child.err.read_text())
            for journal in re.findall(r"\S+\.journal", child.err.read_text()):
                assert (folder / journal).exists()
            (log,) = (folder / ".lbstack").glob("signs@*.log")
            assert 7 in [json.loads(line).get("exit") for line in log.read_text().splitlines()]
            # What was in flight when it fell asleep may arrive late; nothing is begun after it woke.
            woken = [entry for entry in bench.ledger(seq) if entry["actor"] == sleeper.id]
            assert len(woken) <= 1
            steps, late = steps + len(bench.ledger(after)), late + len(woken)
            assert place.store("signs").load() == before and not place.store("signs").held()
            told_and_removed(bench, place)
            again = start(bench, f"run-{number}-other", other)
            assert again.wait() == 0, again.err.read_text()
            assert set(descriptions(bench).values()) == {f"by run-{number}-other"}
    report(name=f"sleepers overtaken, {where}, {machine}", n=rounds, mutations=steps, late=late)


def told_and_removed(bench: Bench, place: Place) -> None:
    """What came too late to be found stands in the next plan by its id, and goes by the command named there."""
    known = {entry.id for entry in place.store("signs").load().resources.values()}
    lives = {row["id"] for row in bench.store.rows("SELECT id FROM datasets WHERE deleted = 0")}
    plan = bench.command("plan", "stack.yaml", "--var", "run=x")
    for id in lives - known:
        assert id in plan.stdout + plan.stderr
    if lives - known:
        bench.done("gc", "stack.yaml", "--auto-approve")
    assert len(bench.store.rows("SELECT id FROM datasets WHERE deleted = 0")) == len(NAMES)


def until(what: Callable[[], bool], patience: float = 60.0) -> None:
    ends = time.monotonic() + patience
    while not what():
        assert time.monotonic() < ends, "it does not come to that"
        time.sleep(0.02)


@pytest.mark.parametrize(("where", "verb"), [("local", "plan"), ("forge", "plan"), ("forge", "apply")])
def test_who_read_the_state_before_another_began_it_is_not_told_that_it_is_lost(
    bench: Bench, s3: str, where: str, verb: str
) -> None:
    words = [verb, "stack.yaml", "--var", "run=late", *(["--auto-approve"] if verb == "apply" else [])]
    with state_in(where, bench, s3):
        bench.fault("accept", {"barrier": "reading"}, type="query", max=1)
        late = bench.start(*words)
        assert bench.reached("reading")
        bench.done("apply", "stack.yaml", "--auto-approve", "--var", "run=early")
        bench.tell("POST", "/barrier/reading/release")
        assert late.wait() == 3, late.result()
        assert "another apply has begun this stack meanwhile" in late.err.read_text()
    assert set(descriptions(bench).values()) == {"by early"}
