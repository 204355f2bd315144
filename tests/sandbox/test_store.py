"""What is kept: transactions, the ledger, restarts, two processes, counted ids."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from documents import NEW_DATASET, dataset, project
from inside import Client
from workspace import Workspace

from lbstack.sandbox import world
from lbstack.sandbox.app import create_app
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.store import Store


def on_disk(data: Path) -> Workspace:
    store = open_store(data)
    return Workspace(Client(create_app(store)), store, world.admin_key(store))


@pytest.mark.parametrize("name", ["folder", "folder/file.db"])
def test_a_restart_loses_nothing(tmp_path: Path, name: str) -> None:
    box = on_disk(tmp_path / name)
    made, ledger = dataset(box), box.store.ledger()
    box.store.close()
    again = on_disk(tmp_path / name)
    assert again.headers == box.headers
    assert again.ask("{ datasets { id } }") == [{"id": made}]
    assert again.store.ledger() == ledger


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    box = on_disk(tmp_path)
    assert box.store.path is not None
    assert stat.S_IMODE(box.store.path.stat().st_mode) == 0o600


def tables(store: Store) -> set[tuple[str, str]]:
    return {(row["name"], row["sql"]) for row in store.rows("SELECT name, sql FROM sqlite_master")}


def test_where_files_cannot_have_two_names_a_workspace_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = open_store(tmp_path / "copied")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    made = open_store(tmp_path / "made")
    assert tables(made) == tables(copied)
    assert made.value("PRAGMA user_version") == copied.value("PRAGMA user_version")
    assert {path.name for path in (tmp_path / "made").iterdir()} == {
        path.name for path in (tmp_path / "copied").iterdir()
    }
    for store in (made, copied):
        store.close()


def test_of_many_who_open_a_new_workspace_at_once_one_fills_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = [*pool.map(lambda _: open_store(tmp_path), range(8))]
    assert {store.value("SELECT count(*) FROM organizations") for store in stores} == {1}
    for store in stores:
        store.close()


def test_data_of_another_format_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.run("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(ValueError, match="another version"):
        open_store(tmp_path)


def test_two_processes_may_write_at_the_same_time(tmp_path: Path) -> None:
    box = on_disk(tmp_path)
    script = """if True:
        import sys, pathlib
        from lbstack.sandbox.seed import open_store
        from lbstack.sandbox import aws
        store = open_store(pathlib.Path(sys.argv[1]))
        for number in range(50):
            aws.put_bucket(store.conn, f"bucket-{number}")
    """
    other = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    mine = 0
    while other.poll() is None:
        dataset(box, f"d{mine}")
        mine += 1
        time.sleep(0.001)
    assert other.returncode == 0
    assert box.store.value("SELECT count(*) FROM cloud_buckets") == 50
    assert box.store.value("SELECT count(*) FROM datasets") == mine > 0
    assert len(open_store(tmp_path).ledger()) == mine


def test_the_ledger_tells_what_was_done_to_what_by_whom(box: Workspace) -> None:
    d, p = dataset(box), project(box)
    box.ask(
        "mutation ($p: ID!) { project(where: {id: $p}) { showPredictionsToLabelers(show: true) { id } } }",
        p=p,
    )
    entries = box.store.ledger()
    assert [entry["seq"] for entry in entries] == [1, 2, 3]
    assert [entry["op"] for entry in entries] == [
        "createDataset",
        "createProject",
        "project.showPredictionsToLabelers",
    ]
    assert [entry["ids"] for entry in entries] == [[d], [p], [p]]
    assert {entry["actor"] for entry in entries} == {box.ask("{ user { id } }")["id"]}


def test_the_ledger_digests_arguments_and_keeps_no_secret(box: Workspace) -> None:
    query = """mutation ($s: String!) { createWebhook(data: {
      topics: {set: [LABEL_CREATED]}, url: "https://a.example", secret: $s}) { id } }"""
    for secret in ("canary-1", "canary-1", "canary-2"):
        box.ask(query, s=secret)
    first, same, other = box.store.ledger()
    assert first["args"] == same["args"] != other["args"]
    assert "canary" not in str(box.store.ledger())


def test_what_was_refused_is_not_in_the_ledger_and_left_nothing_behind(box: Workspace) -> None:
    query = 'mutation { createDataset(data: {name: "x", projects: {connect: {id: "no"}}}) { id } }'
    box.refused(query)
    assert box.store.ledger() == []
    assert box.store.value("SELECT count(*) FROM datasets") == 0


def test_a_seed_makes_every_run_the_same() -> None:
    def run(seed: int) -> tuple[str, object, object]:
        app = create_app(seed=seed)
        store = app.state.sandbox.store
        box = Workspace(Client(app), store, world.admin_key(store))
        made = box.ask('mutation { createDataset(data: {name: "x"}) { id createdAt } }')
        return world.admin_key(store), made, store.ledger()

    assert run(0) == run(0)
    assert run(0) != run(1)
    made = run(0)[1]
    assert made == {"id": "c000000000000000000000005", "createdAt": "2024-01-01T00:00:03.000Z"}


def test_a_seeded_workspace_goes_on_counting_after_a_restart(tmp_path: Path) -> None:
    ids = set()
    for _ in range(2):
        store = open_store(tmp_path, seed=0)
        box = Workspace(Client(create_app(store)), store, world.admin_key(store))
        ids |= {box.ask(NEW_DATASET, name="x")["id"] for _ in range(2)}
        store.close()
    assert len(ids) == 4


def test_ten_thousand_objects_are_listed_page_by_page(box: Workspace) -> None:
    row = box.store.row("SELECT organizationId, createdById FROM datasets WHERE id = ?", [dataset(box)])
    with box.store.transaction():
        for number in range(9_999):
            times = {"createdAt": "2024-01-01T00:00:00.000Z", "updatedAt": "2024-01-01T00:00:00.000Z"}
            box.store.insert("datasets", {"id": f"d{number}", "name": "x", **times, **(row or {})})
    page = """query ($skip: Int) { datasets(where: {deleted: false}, skip: $skip, first: 100) {
      id name description rowCount createdAt updatedAt signer { id } } }"""
    found = [each["id"] for skip in range(0, 10_000, 100) for each in box.ask(page, skip=skip)]
    assert len(set(found)) == len(found) == 10_000
    assert box.ask(page, skip=10_000) == []


def test_what_is_written_after_another_process_came_and_went_is_seen_by_the_next(tmp_path: Path) -> None:
    script = """if True:
        import pathlib, sys
        from lbstack.sandbox.seed import open_store
        store = open_store(pathlib.Path(sys.argv[1]))
        print(store.value("SELECT count(*) FROM ledger"))
        store.close()
    """

    def visitor() -> int:
        command = [sys.executable, "-c", script, str(tmp_path)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    store = open_store(tmp_path)
    for count in range(1, 4):
        with ExitStack() as readers:  # a connection more each time
            for _ in range(count + 1):
                readers.enter_context(store.snapshot())
        with store.transaction():
            store.record("op", {}, [], "somebody", store.mint.now())
        assert visitor() == count
    store.close()
