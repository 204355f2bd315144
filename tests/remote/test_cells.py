"""A cell moves by compare-and-swap, whatever becomes of the answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from lbstack.errors import AuthError, StackError, StateError, UsageError
from lbstack.state import cell as cells
from lbstack.state.cell import Claim, Held, Lost, Trouble, read, swap
from lbstack.state.remote_http import HttpCell
from lbstack.state.remote_objects import ObjectCell
from tests.remote.buckets import CREATE, MATCH, Bucket
from tests.remote.clouds import CLOUDS
from tests.remote.forge import Forge
from tests.remote.misbehaving import LOSE, Answer, Asked, Fault

of_each_cloud = pytest.mark.parametrize("bucket", CLOUDS, indirect=True)
ME, OTHER = Claim("id-of-mine", "me@here"), Claim("id-of-another", "other@there")


def no_pause(_: float) -> None:
    """Attempts follow each other at once."""


def content(word: str, serial: int = 1) -> bytes:
    return json.dumps({"word": word, "serial": serial}).encode()


def objects(bucket: Bucket) -> ObjectCell:
    return ObjectCell(bucket.url(), bucket.environ)


def behind(host: Forge, claim: Claim | None = ME) -> HttpCell:
    made = HttpCell(host.url(), host.environ, no_pause)
    if claim:
        made.enter(claim)
    return made


# -- object stores -----------------------------------------------------------------------------


@of_each_cloud
def test_what_was_put_is_read_and_moves_only_from_what_it_is(bucket: Bucket) -> None:
    cell = objects(bucket)
    assert read(cell).data is None
    first = swap(cell, content("one"), None)
    second = swap(cell, content("two"), first)
    assert (read(cell).data, read(cell).version) == (content("two"), second)
    for expected in (None, first):
        with pytest.raises(Lost, match="was written by another run meanwhile"):
            swap(cell, content("three"), expected, no_pause)
    assert read(cell).data == content("two")


Fate = Callable[[Bucket], Fault]
FATES: dict[str, Fate] = {
    "lost answer": lambda _: Fault("PUT", LOSE),
    "conflicts": lambda bucket: Fault("PUT", bucket.words.conflict, times=5),
    "503 storm": lambda _: Fault("PUT", Answer(503), times=5),
    "500 on own write": lambda _: Fault("PUT", lambda asked, serve: serve(asked) and Answer(500)),
    "own write refused": lambda bucket: Fault(
        "PUT", lambda asked, serve: serve(asked) and bucket.words.refused
    ),
    "conflict on own write": lambda bucket: Fault(
        "PUT", lambda asked, serve: serve(asked) and bucket.words.conflict
    ),
}


@of_each_cloud
@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("begun", [False, True], ids=["created", "moved"])
def test_a_write_is_certain_whatever_becomes_of_its_answer(bucket: Bucket, fate: str, begun: bool) -> None:
    cell = objects(bucket)
    before = swap(cell, content("zero"), None) if begun else None
    bucket.server.faults = [FATES[fate](bucket)]
    version = swap(cell, content("one"), before, no_pause)
    assert (read(cell).data, read(cell).version) == (content("one"), version)
    assert bucket.server.faults[0].times == 0


def test_a_write_whose_answer_and_look_are_lost_is_not_made_twice_nor_given_up(bucket: Bucket) -> None:
    cell = objects(bucket)
    bucket.server.faults = [Fault("PUT", LOSE), Fault("GET", Answer(503), times=2)]
    assert swap(cell, content("one"), None, no_pause) == read(cell).version


def test_a_look_that_is_behind_does_not_count_as_the_loss_of_a_write(bucket: Bucket) -> None:
    cell = objects(bucket)
    first = swap(cell, content("one"), None)
    second = swap(cell, content("two"), first)
    bucket.server.faults = [Fault("PUT", LOSE), Fault("GET", bucket.stale(content("one"), first))]
    assert swap(cell, content("three"), second, no_pause) == read(cell).version
    assert read(cell).data == content("three")
    assert [fault.times for fault in bucket.server.faults] == [0, 0]


def test_who_is_overtaken_while_the_answer_is_lost_has_lost(bucket: Bucket) -> None:
    cell, other = objects(bucket), objects(bucket)
    first = swap(cell, content("one"), None)

    def overtake(asked: Asked, serve: Callable[[Asked], Answer]) -> Answer | None:
        swap(other, content("theirs"), first)
        serve(asked)
        return None

    bucket.server.faults = [Fault("PUT", overtake)]
    with pytest.raises(Lost):
        swap(cell, content("mine"), first, no_pause)
    assert read(cell).data == content("theirs")


def test_a_store_that_is_down_is_trouble_not_an_empty_state(bucket: Bucket) -> None:
    cell = objects(bucket)
    bucket.server.faults = [Fault("GET", Answer(500), times=99), Fault("PUT", Answer(500), times=99)]
    for attempt in (lambda: read(cell, no_pause), lambda: swap(cell, b"x", None, no_pause)):
        with pytest.raises(Trouble, match="500"):
            attempt()


@of_each_cloud
def test_a_bucket_that_does_not_exist_is_no_empty_state(bucket: Bucket) -> None:
    with pytest.raises(Trouble, match="no bucket of that name"):
        read(ObjectCell(f"{bucket.scheme}://nowhere/state.json", bucket.environ), no_pause)


@of_each_cloud
@pytest.mark.parametrize("answer", ["denied", "expired"])
def test_credentials_that_are_wrong_or_expired_are_told_without_showing_any(
    bucket: Bucket, answer: str
) -> None:
    cell, said = objects(bucket), getattr(bucket.words, answer)
    bucket.server.faults = [Fault("GET", said), Fault("PUT", said)]
    for attempt in (lambda: read(cell), lambda: swap(cell, b"x", None)):
        with pytest.raises(AuthError) as caught:
            attempt()
        assert "AKIDEXAMPLE" not in str(caught.value) and bucket.words.keys in str(caught.value)


@of_each_cloud
@pytest.mark.parametrize("ignored", [CREATE, MATCH])
def test_a_store_that_ignores_conditions_is_found_out_and_not_harmed(bucket: Bucket, ignored: str) -> None:
    cell = objects(bucket)
    bucket.ignored.add(ignored)
    version = swap(cell, content("one"), None)
    with pytest.raises(StateError, match="conditions of writes are ignored"):
        cell.prove(content("one"), version)
    assert read(cell).data == content("one")


@of_each_cloud
def test_a_store_that_minds_conditions_is_proven_even_when_it_stumbles(bucket: Bucket) -> None:
    cell = objects(bucket)
    version = swap(cell, content("one"), None)
    bucket.server.faults = [Fault("PUT", Answer(503)), Fault("PUT", bucket.words.conflict)]
    cell.prove(content("one"), version)
    assert (read(cell).data, read(cell).version) == (content("one"), version)


def test_of_many_who_count_at_once_nobody_is_overwritten(bucket: Bucket) -> None:
    workers, rounds = 4, 5
    swap(objects(bucket), b"0", None)

    def count() -> None:
        cell, done = objects(bucket), 0
        while done < rounds:
            found = cell.get()
            assert found.data is not None
            number = int(found.data.split()[0]) + 1
            try:
                # Whose write it was is part of what is written, as in a state.
                swap(cell, f"{number} {threading.get_ident()}".encode(), found.version, no_pause)
            except Lost:
                continue
            done += 1

    threads = [threading.Thread(target=count) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = read(objects(bucket)).data
    assert data is not None and data.split()[0] == str(workers * rounds).encode()


@of_each_cloud
def test_the_buckets_of_these_tests_overwrite_what_is_put_without_a_condition(bucket: Bucket) -> None:
    cell = objects(bucket)
    swap(cell, content("one"), None)
    cell._obstore.put(cell._store, cell._key, content("two"), use_multipart=False)
    assert read(cell).data == content("two")


@pytest.mark.parametrize("bucket", CLOUDS[1:], indirect=True)
def test_the_buckets_of_these_tests_let_in_whoever_has_the_key(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AuthError, match=bucket.words.keys):
        read(objects(bucket))


@pytest.mark.parametrize(
    "url", ["s3://bucket", "s3:///key", "s3://user:word@bucket/key", "s3://bucket/key?sig=word"]
)
def test_an_address_that_names_no_object_is_wrong_usage_and_shows_no_secret(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        ObjectCell(url, {})
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/key", "AWS_ENDPOINT_URL"),
        ("s3://bucket/key", "AWS_ENDPOINT_URL_S3"),
        ("gs://bucket/key", "GOOGLE_BASE_URL"),
        ("az://bucket/key", "AZURE_STORAGE_ENDPOINT"),
        ("az://bucket/key", "AZURE_ENDPOINT"),
    ],
)
@pytest.mark.parametrize("host", ["store.example.com", "127.0.0.1.example.com"])
def test_an_endpoint_elsewhere_must_be_encrypted(url: str, name: str, host: str) -> None:
    """Whatever else may be reached without."""
    here = {"AWS_ENDPOINT": "http://127.0.0.1:1", "AZURE_STORAGE_ENDPOINT": "http://[::1]:1"}
    with pytest.raises(UsageError, match=f"{name} is not encrypted"):
        ObjectCell(url, {**here, name: f"http://{host}"})


# -- the Terraform HTTP state protocol -----------------------------------------------------------


def test_a_forge_keeps_what_is_written_under_the_lock(host: Forge) -> None:
    cell = behind(host)
    assert read(cell).data is None
    first = swap(cell, content("one", 1), None)
    second = swap(cell, content("two", 2), first)
    assert (read(cell).data, read(cell).version) == (content("two", 2), second)
    with pytest.raises(Lost):
        swap(cell, content("three", 3), first, no_pause)
    cell.leave(ME.id)
    assert host.locks == {}


@pytest.mark.parametrize("tells", [True, False], ids=["told", "not told"])
def test_a_lock_that_is_held_says_by_whom_if_the_host_does(host: Forge, tells: bool) -> None:
    behind(host, OTHER)
    host.tells_holder = tells
    with pytest.raises(Held) as caught:
        behind(host, ME)
    assert (caught.value.by.id if caught.value.by else None) == (OTHER.id if tells else None)


@pytest.mark.parametrize("tells", [True, False], ids=["told", "not told"])
def test_a_lock_whose_answer_was_lost_is_known_as_ours(host: Forge, tells: bool) -> None:
    host.tells_holder = tells
    host.server.faults = [Fault("POST", LOSE, ending="/lock")]
    swap(behind(host), content("one"), None)
    assert [lock["ID"] for lock in host.locks.values()] == [ME.id]


def test_a_lock_of_another_is_not_freed_by_looking_whether_it_is_ours(host: Forge) -> None:
    behind(host, OTHER)
    host.tells_holder = False
    host.server.faults = [Fault("POST", Answer(502), ending="/lock")]
    with pytest.raises(Held):
        behind(host, ME)
    assert [lock["ID"] for lock in host.locks.values()] == [OTHER.id]


@pytest.mark.parametrize(
    "fault",
    [LOSE, Answer(502), lambda asked, serve: serve(asked) and Answer(500)],
    ids=["lost", "502", "500 after the write"],
)
def test_a_write_to_a_forge_is_certain_whatever_becomes_of_its_answer(host: Forge, fault: object) -> None:
    cell = behind(host)
    host.server.faults = [Fault("POST", fault, ending="/signs")]  # type: ignore[arg-type]
    assert swap(cell, content("one"), None, no_pause) == read(cell).version
    assert host.versions() == [content("one")]
    assert host.server.faults[0].times == 0


def test_who_lost_the_lock_writes_nothing_more(host: Forge) -> None:
    cell = behind(host)
    first = swap(cell, content("one", 1), None)
    behind(host, None).leave(ME.id)
    with pytest.raises(Lost, match=r"lock .* was taken from this run"):
        swap(cell, content("two", 2), first, no_pause)
    swap(behind(host, OTHER), content("theirs", 2), first)
    with pytest.raises(Lost):
        swap(cell, content("two", 3), first, no_pause)
    assert host.versions()[-1] == content("theirs", 2)


def test_freeing_a_lock_survives_a_lost_answer_and_spares_that_of_another(host: Forge) -> None:
    cell = behind(host)
    host.server.faults = [Fault("DELETE", LOSE, ending="/lock")]
    cell.leave(ME.id)
    behind(host, OTHER)
    cell.leave(ME.id)
    assert [lock["ID"] for lock in host.locks.values()] == [OTHER.id]


@pytest.mark.parametrize(
    ("loose", "said"),
    [("minds_locks", "can be locked twice"), ("minds_ids", "by whoever does not hold the lock")],
)
def test_a_host_that_does_not_mind_locks_is_found_out(host: Forge, loose: str, said: str) -> None:
    cell = behind(host)
    version = swap(cell, content("one"), None)
    cell.prove(content("one"), version)
    setattr(host, loose, False)
    with pytest.raises(StateError, match=said):
        cell.prove(content("one"), version)
    assert host.versions()[-1] == content("one")


def test_a_wrong_password_is_told_without_showing_it(host: Forge) -> None:
    cell = HttpCell(host.url(), {"TF_HTTP_USERNAME": "x", "TF_HTTP_PASSWORD": "another-word"}, no_pause)
    with pytest.raises(AuthError) as caught:
        read(cell)
    assert "another-word" not in str(caught.value) and "TF_HTTP_PASSWORD" in str(caught.value)


def test_a_redirect_is_not_followed(host: Forge) -> None:
    host.server.faults = [Fault("GET", Answer(307, headers={"location": f"{host.server.url}/x"}), times=99)]
    with pytest.raises(Trouble, match="307"):
        read(behind(host, None), no_pause)
    assert not any(asked.path == "/x" for asked in host.server.asked)


def test_a_host_without_locks_is_refused(host: Forge) -> None:
    host.server.faults = [Fault("POST", Answer(404), ending="/lock")]
    with pytest.raises(StackError, match="takes no lock"):
        behind(host)


def test_the_lock_may_lie_elsewhere(host: Forge) -> None:
    environ = {**host.environ, "TF_HTTP_LOCK_ADDRESS": f"{host.url('other')}/lock"}
    HttpCell(host.url(), environ, no_pause).enter(ME)
    assert list(host.locks) == ["/projects/1/terraform/state/other"]


@pytest.mark.parametrize(
    "url",
    [
        "http://forge.example.com/x",
        "http://127.0.0.1.example.com/x",
        "https://user:word@forge/x",
        "https://forge/x?token=word",
        "https:///x",
    ],
)
def test_an_address_that_would_leak_is_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        HttpCell(url, {})
    assert "word" not in str(caught.value).replace("password", "").replace("PASSWORD", "")


def test_pauses_are_bounded() -> None:
    slept: list[float] = []
    assert list(cells.patiently(slept.append)) == list(range(len(cells.PAUSES) + 1))
    assert all(half / 2 <= seconds <= half for seconds, half in zip(slept, cells.PAUSES, strict=True))


def test_a_host_that_can_be_locked_twice_is_left_without_a_lock(host: Forge) -> None:
    cell = behind(host)
    version = swap(cell, content("one"), None)
    host.minds_locks = False
    with pytest.raises(StateError, match="can be locked twice"):
        cell.prove(content("one"), version)
    assert not host.locks


@of_each_cloud
def test_only_what_is_still_there_is_dropped(bucket: Bucket, host: Forge) -> None:
    for cell in (objects(bucket), behind(host)):
        swap(cell, content("one"), None)
        cell.drop(content("another"))
        assert read(cell).data == content("one")
        cell.drop(content("one"))
        assert read(cell).data is None
