"""A remote state: one document that is free, held, overtaken, freed by hand, or taken up again."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbstack.errors import AuthError, LockedError, StackError, StateError, UsageError
from lbstack.state import remote_log
from lbstack.state.cell import Lost, Trouble
from lbstack.state.journal import encode
from lbstack.state.model import Entry, State
from lbstack.state.remote import RemoteStore
from lbstack.state.remote_document import decode
from lbstack.state.remote_open import open_cell
from lbstack.values import Address, Digest, Intent, Secret
from tests.remote.buckets import CREATE, LONG_AGO, MATCH, Bucket
from tests.remote.clouds import CLOUDS, EACH, cloud
from tests.remote.forge import forge
from tests.remote.misbehaving import LOSE, Answer, Asked, Fault, Server

A, B, C = (Address("dataset", key) for key in "abc")
HOOK = Address("webhook", "w")
ENTRY = Entry("id-a", {"name": "A", "secret": Digest("aa")})


def no_pause(_: float) -> None:
    """Attempts follow each other at once."""


class Place:
    """A state somewhere else, and runs on machines that have a folder each."""

    def __init__(
        self, folder: Path, url: str, environ: dict[str, str], server: Server, bucket: Bucket | None = None
    ) -> None:
        self.folder, self.url, self.environ, self.server, self.bucket = folder, url, environ, server, bucket
        self.write = "PUT" if bucket else "POST"

    def store(self, machine: str = "here") -> RemoteStore:
        beside = self.folder / machine / "signs.json"
        cell = open_cell(self.url, self.environ)
        if hasattr(cell, "_pause"):
            cell._pause = no_pause
        return RemoteStore(cell, "signs", "sandbox", beside, f"me@{machine}", pause=no_pause)

    def state(self) -> State:
        return self.store("anywhere").load()

    def journals(self, machine: str = "here") -> list[Path]:
        return sorted((self.folder / machine).glob("*.journal"))

    def break_down(self, *answers: Answer, times: int = 999) -> None:
        """Let nothing be answered but this."""
        self.server.faults = [
            Fault(method, answer, times) for answer in answers for method in ("GET", "PUT", "POST", "DELETE")
        ]


@pytest.fixture(params=[*EACH, "forge"])
def place(request: pytest.FixtureRequest, tmp_path: Path, s3: str) -> Iterator[Place]:
    if request.param == "forge":
        with forge() as host:
            yield Place(tmp_path, host.url(), host.environ, host.server)
    else:
        with cloud(request.param, s3) as made:
            yield Place(tmp_path, made.url(), made.environ, made.server, made)


in_each_place = pytest.mark.parametrize("place", [*CLOUDS, "forge"], indirect=True)


def intent(address: Address, marker: str = "", **more: Any) -> Intent:
    return Intent(address, marker or f"marker of {address}", **more)


def begun(store: RemoteStore, *intents: Intent) -> tuple[State, remote_log.RemoteLog]:
    return store.begin(replace(store.load(), organization="o"), intents)


def saved(place: Place, resources: dict[Address, Entry] | None = None, machine: str = "here") -> State:
    """An apply that came to its end."""
    store = place.store(machine)
    with store.locked():
        state, log = begun(store)
        log.close()
        state = replace(state, resources=resources or {A: ENTRY}, serial=state.serial + 1)
        store.save(state)
    return state


def run(work: Any) -> None:
    asyncio.run(work)


# -- what is kept ----------------------------------------------------------------------------------


def test_what_was_never_saved_is_fresh_and_looking_leaves_nothing(place: Place) -> None:
    store = place.store()
    state = store.load()
    assert (state.resources, state.serial, state.lineage, store.exists) == ({}, 0, "", False)
    assert not store.held()
    assert place.server.count(place.write) == 0


def test_what_was_saved_is_read_back_on_any_machine_with_the_key_of_its_digests(place: Place) -> None:
    state = saved(place)
    assert place.state() == state
    assert (state.serial, state.epoch) == (1, 1)
    word = Secret("guessable")
    assert place.state().digest(HOOK, word) == state.digest(HOOK, word)


def test_a_digest_beside_its_key_is_no_plain_one(place: Place) -> None:
    import hashlib
    import hmac

    state = saved(place)
    fast = hmac.new(state.key, b"webhook\0guessable", hashlib.sha256).hexdigest()
    assert state.digest(HOOK, Secret("guessable")).hex != fast


def test_a_host_of_terraform_states_finds_what_it_needs_and_terraform_refuses_it(place: Place) -> None:
    saved(place)
    first = json.loads(place.store()._cell.get().data or b"")
    saved(place)
    second = json.loads(place.store()._cell.get().data or b"")
    assert first["serial"] < second["serial"]
    assert first["lineage"] == second["lineage"] == place.state().lineage
    assert first["version"] > 4
    assert not {"resources", "outputs", "ID", "id", "name"} & set(first)


def test_reading_takes_no_lock_and_writes_nothing(place: Place) -> None:
    saved(place)
    before = place.server.count(place.write)
    place.store().load()
    assert place.store().exists and not place.store().held()
    assert place.server.count(place.write) == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda raw: b"", "is empty|"),
        (lambda raw: raw[:-40], "is no JSON"),
        (lambda raw: raw.replace(b'"id-a"', b'"id-x"'), "its checksum does not fit"),
        (lambda raw: b'{"version": 4, "serial": 1}', "is no state of lbstack"),
        (lambda raw: raw.replace(b'"format":1', b'"format":2'), "upgrade lbstack"),
    ],
    ids=["empty", "torn", "changed", "of terraform", "newer"],
)
def test_a_damaged_state_is_an_error_and_never_an_empty_one(
    place: Place, damage: Callable[[bytes], bytes], said: str
) -> None:
    saved(place)
    raw = place.store()._cell.get().data or b""
    if not damage(raw) and place.write == "POST":
        pytest.skip("a forge has no empty states")
    place.server.faults = [Fault("GET", Answer(200, damage(raw), _headers(place)), times=9)]
    with pytest.raises(StateError, match=said):
        place.store().load()


def _headers(place: Place) -> dict[str, str]:
    return {"last-modified": LONG_AGO, "etag": '"x"'} if place.bucket else {}


@pytest.mark.parametrize(("stack", "endpoint"), [("other", "sandbox"), ("signs", "https://elsewhere")])
def test_a_state_of_another_stack_or_endpoint_is_refused(place: Place, stack: str, endpoint: str) -> None:
    saved(place)
    store = RemoteStore(open_cell(place.url, place.environ), stack, endpoint, place.folder / "x", "me")
    with pytest.raises(StateError, match="belongs to"):
        store.load()


# -- one at a time ---------------------------------------------------------------------------------


@in_each_place
def test_the_first_write_holds_the_state_and_tells_what_may_be_made(place: Place) -> None:
    store = place.store()
    with store.locked():
        begun(store, intent(A))
        seen = place.state()
        assert [known.marker for known in seen.pending] == ["marker of dataset.a"]
        assert seen.epoch == 1 and place.store().held()
        said = r"locked by me@here \(apply since .*, ID [0-9a-f-]{36}"
        with pytest.raises(LockedError, match=said), place.store("there").locked():
            pass


def test_a_plan_that_is_carried_out_is_spent_with_the_first_write(place: Place) -> None:
    store = place.store()
    with store.locked():
        store.begin(store.load(), (), "nonce-1")
        assert place.state().spent == ("nonce-1",)


def test_of_two_who_begin_at_once_one_works(place: Place) -> None:
    saved(place)
    one, other = place.store("one"), place.store("other")
    with one.locked(), other.locked():
        state = other.load()
        begun(one)
        with pytest.raises(LockedError):
            other.begin(state)
    assert place.state().epoch == 2 and not place.store().held()


@in_each_place
def test_who_read_before_another_wrote_does_not_begin(place: Place) -> None:
    saved(place)
    late = place.store("late")
    with late.locked():
        state = late.load()
        saved(place, {A: ENTRY, B: Entry("id-b")})
        with pytest.raises(LockedError, match="run this again"):
            late.begin(state)
    assert not place.store().held()
    assert place.state().resources.keys() == {A, B}
    assert place.journals("late") == []


def test_who_read_before_another_began_is_told_who_works(place: Place) -> None:
    saved(place)
    late, store = place.store("late"), place.store()
    with late.locked():
        state = late.load()
        with store.locked():
            begun(store)
            with pytest.raises(LockedError, match=r"locked by me@here .*force-unlock"):
                late.begin(state)


@in_each_place
def test_who_reads_what_another_has_begun_since_it_looked_writes_nothing_over_it(place: Place) -> None:
    saved(place)
    late, holder = place.store("late"), place.store()
    with late.locked():  # nobody holds it yet
        state, log = begun(holder, intent(B))
        seen = late.load()
        for write in (late.begin, late.save):
            with pytest.raises(LockedError, match=rf"locked by me@here .*{log.claim.id}"):
                write(seen)
    assert place.store().held()
    log.close()
    holder.save(replace(state, resources={B: Entry("id-b")}, serial=state.serial + 1))
    assert place.state().resources.keys() == {B} and not place.store().held()
    assert place.journals("late") == []


def test_a_lock_is_waited_for(place: Place) -> None:
    holder, waiter = place.store(), place.store("there")
    with holder.locked():
        state, log = begun(holder)
        log.close()
        looks: list[float] = []

        def pause(seconds: float) -> None:
            looks.append(seconds)
            if len(looks) == 3:
                holder.save(replace(state, serial=1))

        waiter._pause = pause
        with waiter.locked(60):
            assert waiter.load().serial == 1
    assert len(looks) == 3


def test_what_is_not_saved_is_let_go_with_what_is_in_flight_open(place: Place) -> None:
    store = place.store()
    with pytest.raises(KeyboardInterrupt), store.locked():
        _, log = begun(store, intent(A), intent(B))
        run(log.before(replace(_state(log), actor="u"), intent(A, actor="u")))
        raise KeyboardInterrupt
    assert not place.store().held()
    assert {known.address for known in place.state().pending} == {A, B}


def _state(log: remote_log.RemoteLog) -> State:
    return replace(log.document().state, pending=())


@in_each_place
@pytest.mark.parametrize("do", [LOSE, "500", "412"])
def test_a_first_write_whose_answer_is_lost_is_known_as_ours(place: Place, do: str) -> None:
    saved(place)
    if do == "412" and place.write == "POST":
        pytest.skip("a forge knows no such answer")
    fault: Any = do if do == LOSE else lambda asked, serve: serve(asked) and Answer(int(do))
    place.server.faults = [Fault(place.write, fault, ending=place.url.rpartition("/")[2])]
    saved(place, {B: Entry("id-b")})
    assert place.server.faults[0].times == 0
    assert place.state().resources.keys() == {B} and not place.store().held()


def test_a_last_write_and_a_freeing_whose_answers_are_lost_leave_no_lock(place: Place) -> None:
    store = place.store()
    with store.locked():
        state, log = begun(store)
        log.close()
        place.server.faults = [Fault(place.write, LOSE), Fault("DELETE", LOSE)]
        store.save(replace(state, serial=1))
    saved(place, {B: Entry("id-b")})
    assert not place.store().held()


@in_each_place
def test_a_last_write_whose_answer_is_lost_is_known_though_another_run_has_begun_since(place: Place) -> None:
    """Who waits for the lock begins the moment it is free, before the first looks what became of its write."""
    if place.write == "POST":
        pytest.skip("a forge keeps its own lock until the first is told")
    store = place.store()
    with store.locked():
        state, log = begun(store)
        log.close()

        def overtaken(asked: Asked, serve: Callable[[Asked], Answer]) -> Answer:
            serve(asked)
            begun(place.store("there"), intent(B))
            return Answer(503)

        place.server.faults = [Fault(place.write, overtaken)]
        store.save(replace(state, serial=1, resources={A: Entry("id-a")}))
    assert place.server.faults[0].times == 0
    assert place.state().resources.keys() == {A}
    assert not place.journals(), "what was saved needs none"


@in_each_place
def test_a_last_write_that_never_came_is_lost_when_another_run_has_begun(place: Place) -> None:
    if place.write == "POST":
        pytest.skip("a forge keeps its own lock until the first is told")
    store = place.store()
    with pytest.raises(Lost), store.locked():
        state, log = begun(store)
        log.close()
        place.store("there").unlock(log.claim.id)
        begun(place.store("there"), intent(B))
        store.save(replace(state, serial=1, resources={A: Entry("id-a")}))
    assert place.state().resources == {}


# -- holders that are dead, paused or cut off --------------------------------------------------------


@in_each_place
def test_a_dead_holder_is_freed_by_its_id_and_by_no_other(place: Place) -> None:
    dead = place.store()
    _, log = begun(dead, intent(A))
    with pytest.raises(LockedError, match=log.claim.id):
        place.store("there").unlock("another-id")
    place.store("there").unlock(log.claim.id)
    assert not place.store().held()
    assert [known.address for known in place.state().pending] == [A]
    with pytest.raises(StackError, match="is not locked"):
        place.store().unlock(log.claim.id)


def test_a_paused_holder_that_was_overtaken_starts_nothing_more_and_overwrites_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(remote_log, "now", lambda: clock[0])
    paused = place.store()
    state, log = begun(paused, intent(A), intent(B))
    run(log.before(state, intent(A)))
    place.store("there").unlock(log.claim.id)
    saved(place, {C: Entry("id-c")}, "there")
    clock[0] += remote_log.FENCE + 1
    for step in (B, C):
        with pytest.raises(Lost, match="another run"):
            run(log.before(state, intent(step)))
    run(log.checkpoint(state))
    with pytest.raises(Lost) as caught:
        paused.save(replace(state, resources={A: ENTRY}, serial=1))
    assert str(caught.value).endswith(str(log.path)) and log.path.exists()
    assert place.state().resources.keys() == {C}
    assert not place.store().held()


def pass_by(clock: list[float], log: remote_log.RemoteLog, seconds: float) -> None:
    """Let time pass in which the process runs."""
    for _ in range(round(seconds / remote_log.BEAT)):
        clock[0] += remote_log.BEAT
        log.beat()


def test_who_slept_shortly_asks_whose_the_state_is_before_anything_more_is_sent(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(remote_log, "now", lambda: clock[0])
    state, log = begun(place.store(), intent(A), intent(B))
    written = place.server.count(place.write)
    pass_by(clock, log, remote_log.FRESH - 1)
    run(log.before(state, intent(A)))
    assert place.server.count(place.write) == written
    clock[0] += remote_log.ASLEEP * 1.1
    log.beat()  # the heart may be the first to wake, or the step
    run(log.before(state, intent(B)))
    run(log.before(state))
    assert place.server.count(place.write) == written + 1
    place.store("there").unlock(log.claim.id)
    clock[0] += remote_log.ASLEEP * 1.1
    for _ in range(2):
        with pytest.raises(Lost):
            run(log.before(state))


def test_who_slept_and_cannot_ask_sends_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(remote_log, "now", lambda: clock[0])
    state, log = begun(place.store(), intent(A))
    clock[0] += remote_log.ASLEEP * 1.1
    place.break_down(Answer(503))
    for _ in range(2):
        with pytest.raises(Trouble):
            run(log.before(state))
    place.server.faults = []
    run(log.before(state))


def test_who_slept_while_it_asked_asks_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(remote_log, "now", lambda: clock[0])
    state, log = begun(place.store(), intent(A))
    ending = place.url.rpartition("/")[2]

    def sleepily(asked: Any, serve: Any) -> Answer:
        answer: Answer = serve(asked)
        clock[0] += remote_log.ASLEEP * 1.1
        return answer

    clock[0] += remote_log.ASLEEP * 1.1
    written = place.server.count(place.write)
    place.server.faults = [Fault(place.write, sleepily, ending=ending)]
    run(log.before(state))
    assert place.server.count(place.write) == written + 2


def test_a_holder_that_writes_often_enough_does_not_ask_before_each_step(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(remote_log, "now", lambda: clock[0])
    store = place.store()
    intents = [intent(Address("dataset", str(number))) for number in range(remote_log.STEPS)]
    state, log = begun(store, *intents)
    written = place.server.count(place.write)
    for each in intents[:-1]:
        run(log.before(state, each))
        run(log.checkpoint(state))
    assert place.server.count(place.write) == written
    run(log.checkpoint(state))
    assert place.server.count(place.write) == written + 1
    pass_by(clock, log, remote_log.FRESH + 1)
    run(log.before(state))  # nothing is made by this one
    assert place.server.count(place.write) == written + 1
    run(log.before(state, intents[-1]))
    assert place.server.count(place.write) == written + 2
    pass_by(clock, log, remote_log.FENCE + 1)
    run(log.before(state))
    assert place.server.count(place.write) == written + 3


def test_a_create_without_a_marker_is_told_before_it_is_sent(place: Place) -> None:
    state, log = begun(place.store(), intent(HOOK))
    full = intent(HOOK, actor="me", since=5.0, natural={"url": "https://x"})
    run(log.before(state, full))
    assert place.state().pending == (full,)


def test_a_create_that_is_sent_anew_is_told_before_it_is_sent(place: Place) -> None:
    state, log = begun(place.store(), intent(A))
    run(log.before(state, intent(A)))
    run(log.before(replace(state, markers=(intent(A),)), intent(A, "another marker")))
    seen = place.state()
    assert [known.marker for known in seen.pending] == ["another marker"]
    assert [known.marker for known in seen.markers] == [intent(A).marker]


def test_creates_that_come_together_are_told_in_few_writes(place: Place) -> None:
    hooks = [Address("webhook", str(number)) for number in range(10)]
    state, log = begun(place.store(), *(intent(hook) for hook in hooks))
    before = place.server.count(place.write)

    async def all_at_once() -> None:
        await asyncio.gather(*(log.before(state, intent(hook, since=1.0)) for hook in hooks))

    run(all_at_once())
    assert {known.since for known in place.state().pending} == {1.0}
    assert place.server.count(place.write) - before <= 2


def test_what_was_cut_off_is_taken_up_where_its_journal_lies(place: Place) -> None:
    cut = place.store()
    state, log = begun(cut, intent(A), intent(B), intent(C))
    run(log.before(state, intent(A)))
    log.add({"resource": str(A), "entry": {"id": "id-a", "attributes": {}}})
    run(log.before(replace(state, resources={A: Entry("id-a")}), intent(B)))
    place.store("there").unlock(log.claim.id)
    # Elsewhere all that is known is what was announced; here, what was sent and what came of it.
    assert {known.address for known in place.state().pending} == {A, B, C}
    here = place.store().load()
    assert here.resources == {A: Entry("id-a")}
    assert [known.address for known in here.pending] == [B]
    # It lives, though its lock was taken from it, and may send what it had not sent when that was read.
    assert {(known.address, known.id) for known in here.markers} == {(A, "id-a"), (C, None)}
    log.close()
    dead = place.store().load()
    assert [(known.address, known.id) for known in dead.markers] == [(A, "id-a")]
    again = place.store()
    with again.locked():
        after, log = begun(again)
        log.close()
        again.save(replace(after, serial=after.serial + 1))
    assert place.state().resources == {A: Entry("id-a")}
    assert place.journals() == []


def test_what_was_written_there_is_not_taken_up_twice(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(remote_log, "now", lambda: clock[0])
    state, log = begun(place.store(), intent(A), intent(B))
    run(log.before(state, intent(A)))
    log.add({"resource": str(A), "entry": {"id": "id-a", "attributes": {}}})
    made = replace(state, resources={A: Entry("id-a")}, markers=(replace(intent(A), id="id-a"),))
    pass_by(clock, log, remote_log.FENCE + 1)
    run(log.checkpoint(made))
    log.add({"resource": str(A), "entry": {"id": "id-a", "attributes": {"name": "A"}}})
    here = place.store().load()
    assert here.resources == {A: Entry("id-a", {"name": "A"})}
    assert here.pending == () and [known.id for known in here.markers] == ["id-a"]


def test_a_journal_of_a_run_that_was_overtaken_is_not_taken_up(place: Place) -> None:
    _, log = begun(place.store())
    log.add({"resource": str(A), "entry": {"id": "id-a", "attributes": {}}})
    store = place.store("there")
    store.unlock(log.claim.id)
    with store.locked():
        state, other = begun(store)
        other.close()
        store.save(replace(state, resources={B: Entry("id-b")}, serial=1))
    assert place.store().load().resources == {B: Entry("id-b")}


def test_the_journal_of_a_run_that_lives_stays_until_it_is_old(place: Place) -> None:
    _, overtaken = begun(place.store(), intent(A))
    place.store().unlock(overtaken.claim.id)
    saved(place)
    assert place.journals() == [overtaken.path]
    foreign = overtaken.path.with_name("signs.json.x.journal")
    foreign.write_bytes(encode(0, {"lineage": "of another state", "run": "x"}))
    for path in (overtaken.path, foreign):
        os.utime(path, (0, 0))
    saved(place)
    assert place.journals() == [foreign]


# -- stores that fail ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", ["down", "expired"])
def test_steps_stop_when_nothing_could_be_written_for_too_long_and_the_journal_is_named_last(
    place: Place, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = place.bucket.words.expired if place.bucket else Answer(401)
    answer = expired if fails == "expired" else Answer(503)
    clock = [0.0]
    monkeypatch.setattr(remote_log, "now", lambda: clock[0])
    store = place.store()
    with pytest.raises((Trouble, AuthError)) as caught, store.locked():
        state, log = begun(store, intent(A))
        run(log.before(state, intent(A)))
        place.break_down(answer)
        pass_by(clock, log, remote_log.FENCE + 1)
        run(log.before(state))  # a write is due, and it may yet succeed
        run(log.checkpoint(state))
        pass_by(clock, log, remote_log.OVERDUE)
        with pytest.raises((Trouble, AuthError)):
            run(log.before(state))
        place.server.faults = []
        with pytest.raises((Trouble, AuthError)):
            run(log.before(state))
        place.break_down(answer)
        log.add({"resource": str(A), "entry": {"id": "id-a", "attributes": {}}})
        store.save(replace(state, resources={A: Entry("id-a")}))
    assert str(caught.value).endswith(str(log.path))
    place.server.faults = []
    place.store().unlock(log.claim.id)
    assert place.store().load().resources == {A: Entry("id-a")}


def test_a_create_that_the_next_run_could_not_know_of_is_not_sent(place: Place) -> None:
    state, log = begun(place.store())
    place.break_down(Answer(503))
    with pytest.raises(Trouble):
        run(log.before(state, intent(A)))


@in_each_place
def test_a_store_that_minds_no_conditions_takes_no_state(place: Place) -> None:
    if place.bucket:
        place.bucket.ignored.update((CREATE, MATCH))
    else:
        ending = place.url.rpartition("/")[2]
        place.server.faults = [Fault(place.write, _whoever_holds_the_lock, times=999, ending=ending)]
    store = place.store()
    for _ in range(2):
        with store.locked(), pytest.raises(StateError, match="could overwrite each other"):
            begun(store)
        assert place.store()._cell.get().data is None  # nor anything else
    place.server.faults = []
    if place.bucket:
        place.bucket.ignored.clear()
    assert not place.store().exists and not place.store().held()
    saved(place)
    assert place.state().resources == {A: ENTRY}


def _whoever_holds_the_lock(asked: Any, serve: Any) -> Answer:
    answer: Answer = serve(asked)
    return Answer(200) if answer.status == 409 else answer


def test_that_the_store_minds_conditions_is_tried_once(place: Place) -> None:
    saved(place)
    first = place.server.count(place.write)
    saved(place)
    assert place.server.count(place.write) - first < first


def test_an_address_of_no_known_sort_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="ftp://"):
        open_cell("ftp://host/state", {})


def test_what_is_written_outside_of_an_apply_ends_the_journals_of_others(place: Place) -> None:
    _, log = begun(place.store(), intent(A))
    log.add({"resource": str(A), "entry": {"id": "id-a", "attributes": {}}})
    place.store().unlock(log.claim.id)
    store = place.store()
    with store.locked():
        state = store.load()
        assert state.resources == {A: Entry("id-a")}
        store.save(replace(state, resources={}, serial=state.serial + 1))
    assert place.store().load().resources == {}
    assert decode(place.store()._cell.get().data or b"", "x").lock is None
