"""A state that is damaged has a way out that loses nothing it need not; whole states move in and out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lbstack.errors import ConfigError, StateError
from lbstack.state.fold import result_record
from lbstack.state.model import Entry
from lbstack.state.restoring import listed, pulled, push, restore
from lbstack.values import Address
from tests.test_state_store import ENTRY, A, B, cut_off, first_format, save, store

C = Address("thing", "c")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with a state that was saved three times."""
    for resources in (
        {A: ENTRY},
        {A: ENTRY, B: Entry("id-b")},
        {A: ENTRY, B: Entry("id-b"), C: Entry("id-c")},
    ):
        save(tmp_path, resources)
    return tmp_path


@pytest.mark.parametrize("damage", ["missing", "empty", "torn", "older"])
def test_the_last_state_comes_back_whatever_happened_to_it(kept: Path, damage: str) -> None:
    path, before = store(kept).path, store(kept).path.read_bytes()
    older = store(kept).kept()[1].read()
    cut_off(kept, result_record(B, None))
    match damage:
        case "missing":
            path.unlink()
        case other:
            path.write_bytes({"empty": b"", "torn": before[:200], "older": older}[other])
    with pytest.raises(StateError, match="lbstack state restore"):
        store(kept).load()
    done = restore(store(kept))
    assert done is not None and done.whole
    assert path.read_bytes() == before
    assert set(store(kept).load().resources) == {A, C}


def test_what_was_damaged_is_kept_for_a_look(kept: Path) -> None:
    store(kept).path.write_text("what is this?")
    done = restore(store(kept))
    assert done is not None
    assert [path.read_text() for path in done.aside] == ["what is this?"]


def test_an_intact_state_is_left_alone(kept: Path) -> None:
    before = store(kept).path.read_bytes()
    assert restore(store(kept)) is None
    assert restore(store(kept), 3) is None
    assert store(kept).path.read_bytes() == before


def test_of_a_damaged_journal_is_taken_what_comes_before_the_damage(kept: Path) -> None:
    journal = cut_off(kept, result_record(B, None), result_record(A, None))
    for path in (journal, journal.with_name("state.json.journal.twin")):
        path.write_bytes(path.read_bytes().replace(b'"thing.a"', b'"thing.x"'))
    with pytest.raises(
        StateError, match="to take what is before that, and keep the rest for a look: lbstack state restore"
    ):
        store(kept).load()
    done = restore(store(kept))
    assert done is not None and (done.records, done.whole) == (1, False)
    assert set(store(kept).load().resources) == {A, C}
    assert len(done.aside) == 2


def test_when_the_last_copy_is_damaged_too_the_one_before_is_taken(kept: Path) -> None:
    cut_off(kept, result_record(A, None))
    store(kept).path.write_text("{")
    store(kept).kept()[0].path.write_text("{")
    done = restore(store(kept))
    assert done is not None and (done.origin, done.whole, done.records) == (2, False, 1)
    state = store(kept).load()
    assert set(state.resources) == {B}  # the journal tells that A went
    assert state.serial == 4  # so that nothing that was planned before fits it


def test_where_nothing_intact_is_kept_that_is_told(kept: Path) -> None:
    store(kept).path.write_text("{")
    for each in store(kept).kept():
        each.path.write_text("{")
    with pytest.raises(StateError, match="no intact snapshot is kept; put back an intact copy"):
        restore(store(kept))
    assert [bool(each.trouble) for each in listed(store(kept))] == [True] * 4


def test_an_older_state_is_taken_when_it_is_asked_for_by_its_serial(kept: Path) -> None:
    cut_off(kept, {"intent": "create", "address": "thing.d", "id": None}, result_record(A, None))
    done = restore(store(kept), 1)
    assert done is not None and done.origin == 1
    state = store(kept).load()
    assert set(state.resources) == {A}
    assert state.serial == 5
    assert [str(intent.address) for intent in state.pending] == ["thing.d"]  # what was sent stays known
    assert restore(store(kept), 4) is not None  # and so does the state that it took the place of
    assert set(store(kept).load().resources) == {B, C}
    with pytest.raises(ConfigError, match="no snapshot with the serial 77 is kept"):
        restore(store(kept), 77)


def test_a_state_of_the_first_format_comes_back_from_its_copy(tmp_path: Path) -> None:
    first_format(tmp_path, {A: ENTRY}, result_record(B, Entry("id-b")))
    store(tmp_path).path.write_text("")
    assert restore(store(tmp_path)) is not None
    assert set(store(tmp_path).load().resources) == {A, B}


# -- pull and push --------------------------------------------------------------------------------


def test_what_is_pulled_can_be_pushed_elsewhere(kept: Path, tmp_path: Path) -> None:
    cut_off(kept, result_record(B, None))
    raw = pulled(store(kept))
    assert json.loads(raw)["format"] == 2
    elsewhere = store(tmp_path / "elsewhere")
    push(elsewhere, raw, "FILE")
    assert store(tmp_path / "elsewhere").load().resources == store(kept).load().resources
    assert push(store(tmp_path / "elsewhere"), raw, "FILE").serial == 4  # again: nothing happens
    assert len(elsewhere.kept()) == 1


def test_what_is_not_newer_or_of_another_lineage_is_pushed_only_by_force(kept: Path, tmp_path: Path) -> None:
    older = store(kept).kept()[1].read()
    save(tmp_path / "other", {B: Entry("other")})
    for _ in range(5):
        save(tmp_path / "other", {B: Entry("other")})
    foreign = pulled(store(tmp_path / "other"))
    for raw, words in (
        (older, "FILE has serial 2, and the state here has 3"),
        (foreign, "of another lineage"),
    ):
        with pytest.raises(StateError, match=words):
            push(store(kept), raw, "FILE")
        assert len(store(kept).load().resources) == 3
    assert push(store(kept), older, "FILE", force=True).serial == 4
    assert len(store(kept).load().resources) == 2
    push(store(kept), foreign, "FILE", force=True)
    assert store(kept).load().resources == {B: Entry("other")}
    assert restore(store(kept), 4) is not None  # what it took the place of is kept


def test_of_two_states_with_one_serial_none_is_called_older(kept: Path, tmp_path: Path) -> None:
    fork = store(tmp_path / "fork")
    push(fork, pulled(store(kept)), "FILE")
    fork.save(replace(fork.load(), resources={B: Entry("other")}))
    raw = pulled(fork)
    with pytest.raises(StateError) as refused:
        push(store(kept), raw, "FILE")
    assert str(refused.value) == (
        "FILE has serial 3, as the state here has, and says something else; pull what is here and begin"
        " from there; --force puts the other one here all the same"
    )
    assert len(store(kept).load().resources) == 3
    assert push(store(kept), raw, "FILE", force=True).serial == 4


def test_a_state_that_is_wrong_is_not_pushed(kept: Path) -> None:
    text = pulled(store(kept)).decode()
    before = store(kept).path.read_bytes()
    for other, stack, words in (
        (text.replace("id-b", "id-x"), "s", "its checksum does not fit"),
        (text, "t", "belongs to stack s, not t"),
        ("", "s", "FILE is empty"),
    ):
        with pytest.raises(StateError, match=words):
            push(store(kept, stack), other.encode(), "FILE", force=True)
    assert store(kept).path.read_bytes() == before


def test_a_damaged_state_is_pushed_over_only_by_force(kept: Path) -> None:
    raw = pulled(store(kept))
    store(kept).path.write_text("")
    with pytest.raises(
        StateError, match=r"is damaged or missing; to take .*: lbstack state restore; or give --force"
    ):
        push(store(kept), raw, "FILE")
    push(store(kept), raw, "FILE", force=True)
    assert len(store(kept).load().resources) == 3
