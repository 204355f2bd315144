"""State on disk: what is wrong with it is told, with a way out, and never passes as an empty state."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbstack.errors import Exit, LockedError, StateError
from lbstack.state.files import STALE
from lbstack.state.fold import result_record
from lbstack.state.journal import ROOM, encode
from lbstack.state.model import DeposedObject, Entry, State, check, renamed, state_to_json
from lbstack.state.places import file_system
from lbstack.state.store import Store
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


def first_format(
    folder: Path, resources: dict[Address, Entry], *records: dict[str, Any], serial: int = 1
) -> Path:
    """A state, its copy and perhaps a journal as the first lbstack wrote them; the path of the journal."""
    path = store(folder).path
    path.parent.mkdir(exist_ok=True)
    told = {"format": 1, **state_to_json(State("s", "l", "e", "o", serial, resources))}
    for name in ("state.json", "state.json.backup"):
        path.with_name(name).write_text(json.dumps(told, indent=1) + "\n")
    journal = path.with_name("state.json.journal")
    if records:
        lines = [{"lineage": "l", "serial": serial}, *records]
        journal.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    return journal


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
    assert {path.name for path in home.iterdir()} == {"state.json", "state.json.kept", "state.json.key"}
    cut_off(kept, result_record(B, None))
    files = [path for path in home.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = [home, home / "state.json.kept"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert store(kept).kept()[0].read() == (home / "state.json").read_bytes()


def test_ten_serials_are_kept_and_of_each_the_newest(kept: Path) -> None:
    for _ in range(12):
        here = store(kept)
        here.save(replace(here.load(), outputs={"which": "first"}))
        save(kept, {A: ENTRY})
    found = store(kept).kept()
    assert [each.serial for each in found] == list(range(13, 3, -1))
    generations = [each.generation for each in found]
    assert generations == sorted(generations, reverse=True)
    assert found[1].snapshot(b"").state.outputs == {"which": "first"}


@pytest.mark.parametrize("text", ["", "no state", "{}"])
def test_the_way_out_of_a_damaged_state_is_told(kept: Path, text: str) -> None:
    store(kept).path.write_text(text)
    with pytest.raises(StateError, match=r"to take the last one that is kept: lbstack state restore"):
        store(kept).load()


def test_no_copy_is_named_that_is_not_there(kept: Path) -> None:
    path = store(kept).path
    shutil.rmtree(path.with_name("state.json.kept"))
    path.write_text("")
    with pytest.raises(StateError) as caught:
        store(kept).load()
    assert "restore" not in str(caught.value)


def test_a_state_that_is_older_than_the_last_one_saved_is_refused(kept: Path) -> None:
    old = store(kept).path.read_bytes()
    save(kept, {A: ENTRY, B: Entry("id-b")})
    store(kept).path.write_bytes(old)
    with pytest.raises(StateError, match=r"is older \(serial 1\) than what was saved last \(serial 2\)"):
        store(kept).load()


def test_a_state_that_is_not_what_came_of_the_last_one_saved_is_refused(kept: Path, tmp_path: Path) -> None:
    save(tmp_path / "other", {A: Entry("other")})
    here = store(kept).path
    here.write_bytes(store(tmp_path / "other").path.read_bytes())
    with pytest.raises(StateError, match="is not the state that was saved here last, nor what came of it"):
        store(kept).load()


def test_a_state_that_is_gone_while_copies_of_it_are_there_is_refused(kept: Path) -> None:
    store(kept).path.unlink()
    with pytest.raises(
        StateError, match=r"is missing, but state\.json\.kept is there; to take .* lbstack state restore"
    ):
        store(kept).load()


def test_a_damaged_copy_does_no_harm(kept: Path) -> None:
    store(kept).kept()[0].path.write_text("{")
    assert save(kept, {B: Entry("id-b")}).resources == {B: Entry("id-b")}


@pytest.mark.parametrize("name", ["state.json", "state.json.journal"])
def test_nesting_without_end_is_damage(kept: Path, name: str) -> None:
    cut_off(kept)
    (kept / "home" / name).write_bytes(encode(1, {}).replace(b"{}", b"[" * 100_000) + b"\n\n")
    (kept / "home" / "state.json.journal.twin").unlink()
    with pytest.raises(StateError):
        store(kept).load()


WRONG = {
    "is empty": "",
    "is no JSON": '{"format": 1, "stack"',
    "is no state of lbstack, or damaged: it has no 'stack'; to take the last one that is kept: lbstack state restore": '{"format": 1}',
    "is no state of lbstack, or damaged; to take the last one that is kept: lbstack state restore": "[]",
    "is damaged: its checksum does not fit; to take the last one that is kept: lbstack state restore": '{"format": 2, "sha256": ""}',
    "is no state of lbstack, or damaged: it has no 'format'": '{"version": 4, "terraform_version": "1.9"}',
    "has format 99, and this lbstack knows 2 and before; upgrade lbstack": '{"format": 99}',
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
    with pytest.raises(StateError, match=r"lbstack state restore"):
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
    with pytest.raises(StateError, match=r"is missing, but state\.json\.kept is there"):
        store(kept).load()
    shutil.rmtree(kept / "home" / "state.json.kept")
    with pytest.raises(StateError, match=r"is missing, but state\.json\.journal\.twin is there"):
        store(kept).load()


def test_what_an_apply_did_before_it_was_cut_off_is_part_of_the_state(kept: Path) -> None:
    cut_off(kept, {"intent": "create", "address": "thing.b"}, result_record(B, Entry("id-b")))
    assert store(kept).load().resources == {A: ENTRY, B: Entry("id-b")}
    cut_off(kept, result_record(A, None))
    assert store(kept).load().resources == {B: Entry("id-b")}


@pytest.mark.parametrize("end", [b"", b"\0" * 5, b"\0" * 5 + b"\n"], ids=["short", "zeros", "hole"])
def test_a_torn_last_line_never_became_durable(kept: Path, end: bytes) -> None:
    journal = cut_off(kept, result_record(B, Entry("id-b")), result_record(A, None))
    torn = journal.read_bytes().rstrip(b"\0")[:-9] + end
    journal.write_bytes(torn)
    journal.with_name("state.json.journal.twin").write_bytes(torn)
    assert store(kept).load().resources == {A: ENTRY, B: Entry("id-b")}


def harm(raw: bytes) -> bytes:
    return raw.replace(b'"id-b"', b'"id-c"', 1)


@pytest.mark.parametrize("change", [harm, lambda raw: b""], ids=["damaged", "emptied"])
def test_what_one_of_the_two_journals_lacks_the_other_has(
    kept: Path, change: Callable[[bytes], bytes]
) -> None:
    journal = cut_off(kept, result_record(B, Entry("id-b")), result_record(A, None))
    for path in (journal, journal.with_name("state.json.journal.twin")):
        raw = path.read_bytes()
        path.write_bytes(change(raw))
        assert store(kept).load().resources == {B: Entry("id-b")}
        path.write_bytes(raw)
        path.rename(kept / "aside")
        assert store(kept).load().resources == {B: Entry("id-b")}
        (kept / "aside").rename(path)


@pytest.mark.parametrize(
    "records",
    [[result_record(B, Entry("id-b")), result_record(A, None)], [result_record(B, Entry("id-b"))]],
    ids=["amid", "last"],
)
def test_a_line_that_is_damaged_in_both_journals_is_refused(
    kept: Path, records: list[dict[str, Any]]
) -> None:
    journal = cut_off(kept, *records)
    for path in (journal, journal.with_name("state.json.journal.twin")):
        path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(StateError, match=r"journal: line 2 of the journal of the last apply is damaged"):
        store(kept).load()


def test_journals_that_contradict_each_other_are_refused(kept: Path) -> None:
    journal = cut_off(kept, result_record(B, Entry("id-b")))
    mine = journal.read_bytes()
    store(kept).save(store(kept).load())
    cut_off(kept, result_record(B, Entry("id-x")))
    head, *_ = journal.read_bytes().split(b"\n")
    journal.write_bytes(head + b"\n" + mine.split(b"\n", 1)[1])
    with pytest.raises(StateError, match="is not the twin of"):
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
    journal.with_name("state.json.journal.twin").unlink()
    for head in (
        {"lineage": "another"},
        {"generation": 99},
        {"generation": 2, "sha256": "0"},
        {"generation": "x"},
    ):
        journal.write_bytes(encode(0, head))
        with pytest.raises(StateError, match="belongs to another state"):
            store(kept).load()


def test_a_journal_of_the_first_format_of_another_state_is_refused(tmp_path: Path) -> None:
    journal = first_format(tmp_path, {A: ENTRY})
    journal.write_bytes(b'{"lineage":"another","serial":1}\n')
    with pytest.raises(StateError, match="belongs to another state"):
        store(tmp_path).load()


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


# -- formats, forward and back --------------------------------------------------------------------


def test_a_state_of_the_first_format_is_read_and_written_anew_with_nothing_lost(tmp_path: Path) -> None:
    old = DeposedObject("id-old", {"n": 1}, (B,))
    entry = Entry(None, {"x": [1.5, None, {"ä": True}]}, {"note": [1]}, (B,), (old,), ("name",), True)
    first_format(tmp_path, {A: entry, B: ENTRY}, result_record(B, None))
    read = store(tmp_path).load()
    assert (read.resources, read.serial) == ({A: entry}, 2)
    save(tmp_path, dict(read.resources))
    again = store(tmp_path).load()
    assert again == replace(read, serial=3, key=again.key)
    home = tmp_path / "home"
    assert json.loads((home / "state.json").read_bytes())["format"] == 2
    assert not (home / "state.json.backup").exists() and not (home / "state.json.journal").exists()


def test_an_older_state_of_the_first_format_is_refused_as_it_was_then(tmp_path: Path) -> None:
    first_format(tmp_path, {A: ENTRY}, serial=1)
    older = store(tmp_path).path.read_bytes()
    first_format(tmp_path, {A: ENTRY, B: Entry("id-b")}, serial=2)
    store(tmp_path).path.write_bytes(older)
    with pytest.raises(StateError, match=r"is older \(serial 1\) than its copy \(serial 2\)"):
        store(tmp_path).load()


def test_a_state_of_the_first_format_cannot_take_the_place_of_one_that_came_after(tmp_path: Path) -> None:
    first_format(tmp_path, {A: ENTRY})
    older = store(tmp_path).path.read_bytes()
    save(tmp_path, {A: ENTRY})
    store(tmp_path).path.write_bytes(older)
    with pytest.raises(StateError, match="is older"):
        store(tmp_path).load()


def test_a_newer_format_is_refused_and_nothing_is_written(kept: Path) -> None:
    path = store(kept).path
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "format": 3, "future": True}))
    before = {each: each.read_bytes() for each in (kept / "home").rglob("*") if each.is_file()}
    with pytest.raises(
        StateError, match="has format 3, and this lbstack knows 2 and before; upgrade lbstack"
    ):
        store(kept).load()
    assert {each: each.read_bytes() for each in (kept / "home").rglob("*") if each.is_file()} == before


@pytest.mark.parametrize("strip", [False, True])
def test_a_state_that_says_it_is_older_than_it_is_is_damaged(kept: Path, strip: bool) -> None:
    path = store(kept).path
    document = {**json.loads(path.read_bytes()), "format": 1}
    if strip:
        del document["sha256"]
    path.write_text(json.dumps(document))
    with pytest.raises(StateError):
        store(kept).load()


def test_layout_means_nothing_and_content_everything(kept: Path) -> None:
    path = store(kept).path
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document, indent=4))
    assert store(kept).load().resources == {A: ENTRY}
    document["resources"]["thing.a"]["attributes"]["name"] = "B"
    path.write_text(json.dumps(document, indent=4))
    with pytest.raises(StateError, match="its checksum does not fit"):
        store(kept).load()


# -- whose files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ".key", ".journal", ".lock"])
def test_links_are_not_followed(kept: Path, name: str) -> None:
    cut_off(kept)
    with store(kept).locked():
        pass
    path = kept / "home" / f"state.json{name}"
    path.rename(kept / "elsewhere")
    path.symlink_to(kept / "elsewhere")
    with pytest.raises(StateError, match=f"state.json{name} is a symbolic link"), store(kept).locked():
        store(kept).load()


def test_what_is_no_file_is_refused(kept: Path) -> None:
    store(kept).path.unlink()
    os.mkfifo(store(kept).path)
    with pytest.raises(StateError, match="is no regular file"):
        store(kept).load()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_state_of_another_user_is_refused(kept: Path) -> None:
    os.chown(store(kept).path, 12345, -1)
    with pytest.raises(StateError, match="belongs to user 12345, and this runs as user 0"):
        store(kept).load()


def test_a_folder_that_everybody_may_write_to_is_refused(kept: Path) -> None:
    (kept / "home").chmod(0o777)
    with pytest.raises(StateError, match="may be written to by everybody"), store(kept).locked():
        pass
    (kept / "home").chmod(0o1777)
    with store(kept).locked():
        pass


LINUX = """\
22 27 0:21 / /proc rw,nosuid - proc proc rw
27 1 253:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
28 27 0:40 / /mnt/team\\040share rw - nfs4 server:/export rw
29 27 0:41 / /mnt rw - cifs //server/mnt rw
30 29 253:1 /sub /mnt/disk rw - xfs /dev/vdb rw
"""
MACOS = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
//me@server/team on /Volumes/team share (smbfs, nodev, nosuid, mounted by me)
"""


@pytest.mark.parametrize(
    ("folder", "mounts", "name"),
    [
        ("/home/me/.lbstack", LINUX, "ext4"),
        ("/mnt/team share/x", LINUX, "nfs4"),
        ("/mnt/team", LINUX, "cifs"),
        ("/mnt/disk/x", LINUX, "xfs"),
        ("/Volumes/team share/x", MACOS, "smbfs"),
        ("/Volumes/team", MACOS, "apfs"),
        ("/anywhere", "", ""),
    ],
)
def test_the_file_system_of_a_folder_is_told(folder: str, mounts: str, name: str) -> None:
    assert file_system(Path(folder), mounts) == name


# -- a disk that fails ----------------------------------------------------------------------------


def test_room_is_reserved_before_anything_is_sent(kept: Path) -> None:
    journal = cut_off(kept)
    twin = journal.with_name("state.json.journal.twin")
    assert [path.stat().st_size for path in (journal, twin)] == [ROOM, ROOM]
    assert min(path.stat().st_blocks * 512 for path in (journal, twin)) >= ROOM


def test_a_journal_grows_when_what_it_holds_is_large(kept: Path) -> None:
    entries = {Address("thing", f"n{n}"): Entry(f"id-{n}", {"text": "x" * 100_000}) for n in range(9)}
    cut_off(kept, *(result_record(address, entry) for address, entry in entries.items()))
    assert store(kept).load().resources == {A: ENTRY, **entries}


def test_the_twin_may_lie_on_another_disk(kept: Path, tmp_path: Path) -> None:
    here = Store(store(kept).path, "s", "e", second=tmp_path / "second" / "twin")
    _, journal = here.begin(here.load())
    journal.add(result_record(B, Entry("id-b")))
    journal.close()
    here.path.with_name("state.json.journal").unlink()
    assert set(here.load().resources) == {A, B}
    here.save(here.load())
    assert not (tmp_path / "second" / "twin").exists()


def test_a_twin_left_behind_by_an_older_apply_is_no_obstacle(kept: Path, tmp_path: Path) -> None:
    elsewhere = Store(store(kept).path, "s", "e", second=tmp_path / "twin")
    elsewhere.begin(elsewhere.load())[1].close()
    save(kept, {A: ENTRY})
    cut_off(kept, result_record(B, Entry("id-b")))
    assert set(elsewhere.load().resources) == {A, B}


def test_a_state_that_another_run_saved_meanwhile_is_not_overwritten(kept: Path) -> None:
    mine = store(kept)
    state = mine.load()
    save(kept, {B: Entry("id-b")})
    with pytest.raises(StateError, match="was saved by another run meanwhile"):
        mine.save(replace(state, serial=9))


def test_what_killed_writers_left_is_swept_and_nothing_else(kept: Path) -> None:
    """Only with the lock, only what bears the name of such a file, and only what is old enough that nobody
    can be at work on it."""
    here, copies, old = kept / "home", kept / "home" / "state.json.kept", time.time() - 2 * STALE
    swept = [
        here / ".state.json.abcd_123.tmp",
        here / ".state.json.key.abcd_123.tmp",
        copies / ".1.2.json.abcd_123.tmp",
    ]
    stays = [
        here / ".other.json.abcd_123.tmp",
        here / ".state.json.original",
        here / "state.json.abcd_123.tmp",
        here / ".state.json.journal.abcd_123.tmp",
    ]
    fresh, link = here / ".state.json.abcd_124.tmp", here / ".state.json.abcd_125.tmp"
    for path in (*swept, *stays, fresh):
        path.write_text("half a st")
    for path in (*swept, *stays):
        os.utime(path, (old, old))
    link.symlink_to(stays[0])
    os.utime(link, (old, old), follow_symlinks=False)
    store(kept).load()
    assert all(path.exists() for path in swept)
    with store(kept).locked():
        assert not any(path.exists() for path in swept)
    assert all(path.exists() for path in (*stays, fresh, link))


def test_a_killed_writer_leaves_a_name_that_is_swept(kept: Path) -> None:
    here = kept / "home"
    before = {*here.iterdir()}
    write = "import os, sys; from pathlib import Path; from lbstack.state import files; files.sync = lambda _: os._exit(9)"
    write += "; files.write_whole(Path(sys.argv[1]), b'half')"
    assert (
        subprocess.run([sys.executable, "-c", write, str(here / "state.json")], check=False).returncode == 9
    )
    (left,) = {*here.iterdir()} - before
    os.utime(left, (0, 0))
    with store(kept).locked():
        assert not left.exists()
