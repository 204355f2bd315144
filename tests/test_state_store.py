"""State on disk: what is wrong with it is told, with a way out, and never passes as an empty state."""

from __future__ import annotations

import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbstack.errors import Exit, LockedError, StateError
from lbstack.state.model import DeposedObject, Entry, State, check, renamed
from lbstack.state.store import Store, result_record
from lbstack.values import Address, Digest, Secret

A, B = Address("thing", "a"), Address("thing", "b")
ENTRY = Entry("id-a", {"name": "A", "parts": {"x": {"size": 1}}}, needs=(B,), protected=True)


def store(folder: Path, stack: str = "s", endpoint: str = "e") -> Store:
    return Store(folder / "home" / "state.json", stack, endpoint)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with the state of one apply that remembers one resource."""
    save(tmp_path, {A: ENTRY})
    return tmp_path


def save(folder: Path, resources: dict[Address, Entry]) -> State:
    here = store(folder)
    state, journal = here.begin(replace(here.load(), organization="o"))
    journal.close()
    state = replace(state, resources=resources, serial=state.serial + 1)
    here.save(state)
    return state


def cut_off(folder: Path, *records: dict[str, Any]) -> Path:
    """An apply that wrote these records and never came to its end; the path of its journal."""
    here = store(folder)
    _, journal = here.begin(here.load())
    for record in records:
        journal.add(record)
    journal.close()
    return journal.path


def test_what_was_never_saved_is_fresh(tmp_path: Path) -> None:
    state = store(tmp_path).load()
    assert (state.resources, state.serial, state.lineage) == ({}, 0, "")
    assert not (tmp_path / "home").exists()


def test_what_was_saved_is_read_back(kept: Path) -> None:
    state = store(kept).load()
    assert state.resources == {A: ENTRY}
    assert (state.organization, state.serial) == ("o", 1)
    assert list(state.resources[A].attributes["parts"]) == ["x"]


def test_an_entry_of_every_sort_is_read_back(tmp_path: Path) -> None:
    old = DeposedObject("id-old", {"secret": Digest("aa")}, (B,))
    entry = Entry(None, {}, {"note": [1]}, (B,), (old,), ("name",))
    state = save(tmp_path, {A: entry})
    assert store(tmp_path).load() == state


def test_files_are_for_their_owner_only_and_the_state_is_kept_twice(kept: Path) -> None:
    save(kept, {})
    home = kept / "home"
    assert {path.name for path in home.iterdir()} == {"state.json", "state.json.backup", "state.json.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {0o600}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (home / "state.json.backup").read_bytes() == (home / "state.json").read_bytes()


def test_the_way_out_of_a_damaged_state_loses_nothing(kept: Path) -> None:
    path = store(kept).path
    path.write_text("")
    with pytest.raises(StateError, match=r"put back state\.json\.backup"):
        store(kept).load()
    path.write_bytes(path.with_name("state.json.backup").read_bytes())
    assert store(kept).load().resources == {A: ENTRY}


def test_no_copy_is_named_that_is_not_there(kept: Path) -> None:
    path = store(kept).path
    path.with_name("state.json.backup").unlink()
    path.write_text("")
    with pytest.raises(StateError) as caught:
        store(kept).load()
    assert "backup" not in str(caught.value)


def test_a_state_that_is_older_than_its_copy_is_refused(kept: Path) -> None:
    old = store(kept).path.read_bytes()
    save(kept, {A: ENTRY, B: Entry("id-b")})
    store(kept).path.write_bytes(old)
    with pytest.raises(StateError, match=r"is older \(serial 1\) than its copy \(serial 2\)"):
        store(kept).load()


def test_a_state_that_is_gone_while_its_copy_is_there_is_refused(kept: Path) -> None:
    store(kept).path.unlink()
    with pytest.raises(StateError, match=r"is missing, but its copy is there; put back state\.json\.backup"):
        store(kept).load()


@pytest.mark.parametrize("name", ["state.json", "state.json.journal"])
def test_nesting_without_end_is_damage(kept: Path, name: str) -> None:
    cut_off(kept)
    (kept / "home" / name).write_text("[" * 100_000 + "\n\n")
    with pytest.raises(StateError):
        store(kept).load()


WRONG = {
    "is empty": "",
    "is no JSON": '{"format": 1, "stack"',
    "is no state of lbstack, or damaged: it has no 'stack'; put back state.json.backup": '{"format": 1}',
    "is no state of lbstack, or damaged; put back state.json.backup": "[]",
    "is no state of lbstack, or damaged: it has no 'format'": '{"version": 4, "terraform_version": "1.9"}',
    "has format 99, and this lbstack knows 1; upgrade lbstack": '{"format": 99}',
}


@pytest.mark.parametrize(("words", "text"), WRONG.items(), ids=WRONG)
def test_a_file_that_is_no_whole_state_is_refused(kept: Path, words: str, text: str) -> None:
    store(kept).path.write_text(text)
    with pytest.raises(StateError) as caught:
        store(kept).load()
    assert words in str(caught.value)
    assert caught.value.exit == Exit.STATE


@pytest.mark.parametrize("at", [1, 100, 300, -2])
def test_a_torn_file_is_refused(kept: Path, at: int) -> None:
    path = store(kept).path
    path.write_bytes(path.read_bytes()[:at])
    with pytest.raises(StateError, match=r"put back state\.json\.backup"):
        store(kept).load()


@pytest.mark.parametrize(
    ("other", "words"),
    [(("t", "e"), "belongs to stack s, not t"), (("s", "f"), "belongs to e, not f")],
)
def test_the_state_of_another_stack_or_endpoint_is_refused(
    kept: Path, other: tuple[str, str], words: str
) -> None:
    with pytest.raises(StateError, match=words):
        store(kept, *other).load()


def test_a_state_that_is_gone_while_its_journal_is_there_is_refused(kept: Path) -> None:
    cut_off(kept)
    store(kept).path.unlink()
    with pytest.raises(StateError, match="is missing, but its journal is there"):
        store(kept).load()


def test_what_an_apply_did_before_it_was_cut_off_is_part_of_the_state(kept: Path) -> None:
    cut_off(kept, {"intent": "create", "address": "thing.b"}, result_record(B, Entry("id-b")))
    assert store(kept).load().resources == {A: ENTRY, B: Entry("id-b")}
    cut_off(kept, result_record(A, None))
    assert store(kept).load().resources == {B: Entry("id-b")}


def test_a_torn_last_line_never_became_durable(kept: Path) -> None:
    journal = cut_off(kept, result_record(B, Entry("id-b")), result_record(A, None))
    journal.write_bytes(journal.read_bytes()[:-9])
    assert store(kept).load().resources == {A: ENTRY, B: Entry("id-b")}


def test_a_line_damaged_amid_the_journal_is_refused(kept: Path) -> None:
    journal = cut_off(kept, result_record(B, Entry("id-b")), result_record(A, None))
    journal.write_bytes(journal.read_bytes().replace(b'"id-b"', b'"id-b', 1))
    with pytest.raises(StateError, match=r"journal:2: the journal of the last apply is damaged"):
        store(kept).load()


def test_a_record_that_says_nothing_sensible_is_refused(kept: Path) -> None:
    cut_off(kept, {"resource": "thing.b", "entry": {"id": 7}})
    with pytest.raises(StateError, match="journal is damaged"):
        store(kept).load()


def test_a_journal_that_breaks_the_rules_of_state_is_refused(kept: Path) -> None:
    cut_off(kept, result_record(B, Entry("id-a")))
    with pytest.raises(StateError, match=r"thing\.b and thing\.a share the id id-a"):
        store(kept).load()


def test_a_journal_of_another_state_is_refused(kept: Path) -> None:
    journal = cut_off(kept)
    journal.write_bytes(b'{"lineage":"another","serial":1}\n')
    with pytest.raises(StateError, match="belongs to another state"):
        store(kept).load()


def test_a_journal_left_beside_the_state_it_was_folded_into_changes_nothing(kept: Path) -> None:
    journal = cut_off(kept, result_record(B, Entry("id-b")))
    left = journal.read_bytes()
    here = store(kept)
    folded = here.load()
    here.save(folded)
    journal.write_bytes(left)
    assert store(kept).load().resources == folded.resources


def test_moved_resources_are_on_disk_before_an_apply_begins(kept: Path) -> None:
    here = store(kept)
    _, journal = here.begin(renamed(here.load(), [(A, B)]))
    journal.add(result_record(B, replace(ENTRY, attributes={"name": "changed"})))
    journal.close()
    assert set(store(kept).load().resources) == {B}


def test_digests_need_the_key_they_were_made_with(kept: Path) -> None:
    state = store(kept).load()
    key = kept / "home" / "state.json.key"
    assert store(kept).load().digest(A, Secret("x")) == state.digest(A, Secret("x"))
    key.unlink()
    assert store(kept).load().resources == {A: ENTRY}  # nothing was ever digested
    save(kept, {A: replace(ENTRY, attributes={"token": state.digest(A, Secret("x"))})})
    key.unlink()
    with pytest.raises(StateError, match="secrets cannot be compared without it"):
        store(kept).load()


def test_a_digest_deep_inside_a_deposed_object_needs_the_key_too(kept: Path) -> None:
    old = DeposedObject("id-old", {"settings": [{"token": Digest("aa")}]})
    save(kept, {A: replace(ENTRY, deposed=(old,))})
    (kept / "home" / "state.json.key").unlink()
    with pytest.raises(StateError, match="secrets cannot be compared without it"):
        store(kept).load()


HOLD = """
import sys
from pathlib import Path
from lbstack.state.store import Store
with Store(Path(sys.argv[1]), "s", "e").locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_that_another_process_holds_names_the_holder(kept: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(store(kept).path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        words = rf"is locked by process {other.pid} of "
        with pytest.raises(LockedError, match=words) as caught, store(kept).locked():
            pass
        assert caught.value.exit == Exit.LOCKED
        other.kill()
    with store(kept).locked():
        pass


RULES = {
    "share the id x": {A: Entry("x"), B: Entry("x")},
    "share the id y": {A: Entry("x", deposed=(DeposedObject("y"),)), B: Entry("y")},
    "neither an id nor anything deposed": {A: Entry(None)},
}


@pytest.mark.parametrize(("words", "resources"), RULES.items(), ids=RULES)
def test_a_state_that_breaks_its_rules_is_refused(words: str, resources: dict[Address, Entry]) -> None:
    with pytest.raises(StateError, match=words):
        check(State("s", "l", "e", resources=resources), "here")


@pytest.mark.parametrize(
    "record",
    [
        {"resource": 5, "entry": None},
        {"resource": 5},
        {"serial": "x"},
        {"serial": True},
        {"lineage": 5},
        {"outputs": 5},
        {"outputs": {"a": {"$digest": 5}}},
        {"intent": "create", "address": 5},
        {"intent": "create"},
        {"failed": 5, "unknown": False},
    ],
    ids=str,
)
def test_a_record_of_a_wrong_shape_is_damage(kept: Path, record: dict[str, Any]) -> None:
    journal = cut_off(kept, record)
    with pytest.raises(StateError) as caught:
        store(kept).load()
    assert str(journal) in str(caught.value)


def test_whether_an_apply_is_at_work_can_be_asked(kept: Path) -> None:
    here = store(kept)
    assert not here.held()
    with here.locked():
        assert store(kept).held()
    assert not here.held()
    cut_off(kept, {"intent": "create", "address": "thing.b", "id": None})
    assert not store(kept).held()
