"""The commands with their state in a bucket or behind a forge."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from lbstack.cli.main import run
from lbstack.session import Settings, open_store
from lbstack.state.remote import RemoteStore
from tests.remote.buckets import Bucket, surrounded
from tests.remote.clouds import CLOUDS, cloud
from tests.remote.forge import PASSWORD, Forge, forge
from tests.remote.misbehaving import Answer, Fault

STACK = """\
stack: signs
datasets:
  signs: {name: Street signs, description: Photos}
outputs:
  dataset: ${dataset.signs.id}
"""
SECRETIVE = """\
stack: signs
variables:
  hook: {secret: true}
datasets:
  signs: {name: Street signs, description: Photos}
webhooks:
  told: {url: "https://relay.example.com/told", topics: [LABEL_CREATED], secret: "${var.hook}"}
outputs:
  dataset: ${dataset.signs.id}
"""
"""What is remembered of a secret costs a third of a second each time: for the tests that are about one."""
WORD = "whsec-only-for-these-tests"
PLACES = (*CLOUDS, "forge")
in_each_place = pytest.mark.parametrize("desk", PLACES, indirect=True)


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Desk:
    """A folder with a stack, a sandbox inside the process, and a state that lies elsewhere."""

    def __init__(self, folder: Path, made: Bucket | Forge, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self.server, self.url, self._capfd = folder, made.server, made.url(), capfd
        self.secrets, self.write, self.expired = (PASSWORD,), "POST", Answer(401)
        if isinstance(made, Bucket):
            self.secrets, self.write, self.expired = made.secrets, "PUT", made.words.expired
        self.said = ""

    def __call__(self, *words: str) -> Done:
        code = run([*words, "--sandbox"])
        out, err = self._capfd.readouterr()
        self.said += out + err
        return Done(code, out, err)

    def done(self, *words: str) -> str:
        result = self(*words)
        assert result.code == 0, result
        return result.out

    def says(self, text: str) -> None:
        """The stack says this from now on."""
        (self.folder / "stack.yaml").write_text(text)

    def store(self) -> RemoteStore:
        store = open_store(Settings(sandbox=True), "signs")
        assert isinstance(store, RemoteStore)
        return store

    def writes(self) -> int:
        return self.server.count(self.write, self.url.rpartition("/")[2])


@pytest.fixture(params=[*(pytest.param(name, marks=pytest.mark.slow) for name in CLOUDS), "forge"])
def desk(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    s3: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LBSTACK_VAR_hook", WORD)
    (tmp_path / "stack.yaml").write_text(STACK)
    with ExitStack() as things:
        made = things.enter_context(forge() if request.param == "forge" else cloud(request.param, s3))
        things.enter_context(surrounded({**made.environ, "LBSTACK_STATE": made.url()}))
        yield Desk(tmp_path, made, capfd)


@in_each_place
def test_the_commands_work_with_a_state_elsewhere_and_leave_nothing_of_it_here(desk: Desk) -> None:
    assert "1 to add" in desk.done("plan", "stack.yaml")
    assert desk.writes() == 0
    desk.done("apply", "stack.yaml", "--auto-approve")
    id = desk.done("output", "stack.yaml", "dataset", "--raw").strip()
    assert "No changes." in desk.done("plan", "stack.yaml", "--detailed-exitcode")
    assert desk.done("state", "list", "stack.yaml").split() == ["dataset.signs"]
    assert id in desk.done("show", "stack.yaml") and id in desk.done(
        "state", "show", "dataset.signs", "stack.yaml"
    )
    assert "No drift" in desk.done("drift", "stack.yaml")
    desk.done("plan", "stack.yaml", "--destroy", "--out", "gone.json")
    desk.done("apply", "gone.json")
    assert desk("apply", "gone.json").code == 7
    desk.done("apply", "stack.yaml", "--auto-approve")
    desk.done("destroy", "stack.yaml", "--auto-approve")
    assert desk.done("state", "list", "stack.yaml") == ""
    left = {path.name for path in (desk.folder / ".lbstack").iterdir()}
    assert {name for name in left if name.startswith("signs@")} == {"signs@sandbox.json.log"}


def test_what_only_looks_writes_nothing_and_takes_no_lock(desk: Desk) -> None:
    desk.done("apply", "stack.yaml", "--auto-approve")
    before, asked = desk.writes(), len(desk.server.asked)
    for words in (["plan"], ["drift"], ["output"], ["show"], ["state", "list"]):
        desk.done(*words, "stack.yaml")
    assert desk.writes() == before
    assert {each.method for each in desk.server.asked[asked:]} == {"GET"}


def test_no_secret_is_kept_or_said(desk: Desk) -> None:
    desk.says(SECRETIVE)
    desk.done("apply", "stack.yaml", "--auto-approve")
    desk.done("plan", "stack.yaml")
    kept = desk.store()._cell.get().data or b""
    for secret in (WORD, *desk.secrets):
        assert secret.encode() not in kept and secret not in desk.said


def test_another_secret_is_noticed_on_another_machine(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.says(SECRETIVE)
    desk.done("apply", "stack.yaml", "--auto-approve")
    assert "No changes." in desk.done("plan", "stack.yaml")
    monkeypatch.setenv("LBSTACK_VAR_hook", "whsec-another-for-these-tests")
    assert "webhook.told must be replaced" in desk.done("plan", "stack.yaml")


@in_each_place
def test_a_state_that_is_held_is_told_with_the_way_to_free_it(desk: Desk) -> None:
    desk.done("apply", "stack.yaml", "--auto-approve")
    dead = desk.store()
    _, log = dead.begin(dead.load())
    log.close()
    for words in (["apply", "stack.yaml", "--auto-approve"], ["state", "rm", "dataset.signs", "stack.yaml"]):
        refused = desk(*words)
        assert refused.code == 3
        assert (
            log.claim.id in refused.err
            and f"lbstack force-unlock {log.claim.id} stack.yaml --sandbox" in refused.err
        )
    assert desk("plan", "stack.yaml").code == 0
    assert desk("force-unlock", "another-id", "stack.yaml").code == 3
    assert "is free" in desk.done("force-unlock", log.claim.id, "stack.yaml")
    desk.done("apply", "stack.yaml", "--auto-approve")
    assert desk("force-unlock", log.claim.id, "stack.yaml").code == 1


def test_a_local_state_needs_no_force(desk: Desk) -> None:
    refused = desk("force-unlock", "x", "stack.yaml", "--state", "here.json")
    assert refused.code == 1 and "ends with the process" in refused.err


def test_one_who_may_wait_plans_again_when_another_was_faster(desk: Desk) -> None:
    desk.done("apply", "stack.yaml", "--auto-approve")
    desk.says(STACK.replace("Photos", "Pictures"))
    raced: list[int] = []

    def overtake(asked: object, serve: object) -> Answer:
        desk.server.faults = []
        raced.append(1)
        other = desk.store()
        other.save(other.load())
        return serve(asked)  # type: ignore[operator,no-any-return]

    ending = desk.url.rpartition("/")[2] if desk.write == "PUT" else "lock"
    desk.server.faults = [Fault(desk.write, overtake, ending=ending)]
    refused = desk("apply", "stack.yaml", "--auto-approve")
    assert refused.code == 3 and "another apply" in refused.err and raced
    desk.server.faults = [Fault(desk.write, overtake, ending=ending)]
    desk.done("apply", "stack.yaml", "--auto-approve", "--lock-timeout", "30s")
    assert len(raced) == 2


def test_a_store_that_fails_at_the_end_ends_with_where_the_journal_is(desk: Desk) -> None:
    desk.says(STACK.partition("outputs:")[0])
    desk.done("apply", "stack.yaml", "--auto-approve")
    desk.done("destroy", "stack.yaml", "--auto-approve")
    ending = desk.url.rpartition("/")[2]
    desk.server.faults = [Fault(desk.write, desk.expired, times=99, first=1, ending=ending)]
    failed = desk("apply", "stack.yaml", "--auto-approve")
    assert failed.code == 6, failed
    path = failed.err.strip().rpartition(": ")[2]
    assert path.endswith(".journal") and (desk.folder / path).exists()
    id = re.search(r"force-unlock ([0-9a-f-]{36})", failed.err)
    assert id
    # All was begun, and what is to be run stands in its order.
    assert "nothing more was begun" not in failed.out
    first, then = [line.strip() for line in failed.out.splitlines()[-2:]]
    assert first == f"lbstack force-unlock {id[1]} stack.yaml --sandbox"
    assert then == "lbstack apply stack.yaml --sandbox --auto-approve"
    desk.server.faults = []
    desk.done("force-unlock", id[1], "stack.yaml")
    assert "No changes." in desk.done("plan", "stack.yaml", "--detailed-exitcode")
    desk.done("apply", "stack.yaml", "--auto-approve")
    assert desk.store().load().resources.keys() and not list(desk.folder.rglob("*.journal"))


def test_a_state_moves_from_a_machine_to_a_place_for_all_with_what_it_knows_of_secrets(desk: Desk) -> None:
    desk.says(SECRETIVE)
    here = ".lbstack/signs@sandbox.json"
    desk.done("apply", "stack.yaml", "--auto-approve", "--state", here)
    pulled = desk.done("state", "pull", "stack.yaml", "--state", here)
    (desk.folder / "pulled.json").write_text(pulled)
    refused = desk("state", "push", "pulled.json", "stack.yaml")
    assert refused.code == 1 and "key is not beside it" in refused.err
    assert desk.writes() == 0
    desk.done("state", "push", here, "stack.yaml")
    assert "No changes." in desk.done("plan", "stack.yaml")
    fast = (desk.folder / here).read_text()
    kept = (desk.store()._cell.get().data or b"").decode()
    digests = re.findall(r'"\$digest": "([0-9a-f]{64})"', fast)
    assert digests and not any(digest in kept for digest in digests)


def test_a_state_that_was_pulled_can_be_put_back(desk: Desk) -> None:
    desk.says(SECRETIVE)
    desk.done("apply", "stack.yaml", "--auto-approve")
    (desk.folder / "pulled.json").write_text(desk.done("state", "pull", "stack.yaml"))
    desk.done("state", "rm", "webhook.told", "stack.yaml")
    assert desk("state", "push", "pulled.json", "stack.yaml").code == 7
    desk.done("state", "push", "pulled.json", "stack.yaml", "--force")
    assert "No changes." in desk.done("plan", "stack.yaml")
    assert "its bucket or forge" in desk("state", "restore").err


def test_a_state_that_was_lost_is_bound_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.says(SECRETIVE)
    desk.done("apply", "stack.yaml", "--auto-approve")
    id = desk.done("output", "stack.yaml", "dataset", "--raw").strip()
    elsewhere = f"{desk.url}-again"
    monkeypatch.setenv("LBSTACK_STATE", elsewhere)
    assert desk("plan", "stack.yaml").code == 7
    assert f"dataset.signs: {id}" in desk.done("state", "rebuild", "stack.yaml")
    desk.done("apply", "stack.yaml", "--auto-approve")
    assert "No changes." in desk.done("plan", "stack.yaml", "--detailed-exitcode")


def test_json_stays_json(desk: Desk) -> None:
    out = desk.done("apply", "stack.yaml", "--auto-approve", "--json")
    assert all(json.loads(line) for line in out.splitlines())


def test_without_the_part_for_object_stores_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "obstore", None)
    (tmp_path / "stack.yaml").write_text("stack: signs\n")
    assert run(["plan", "stack.yaml", "--sandbox", "--state", "s3://bucket/key"]) == 64
    assert "pip install 'lbstack[remote]'" in capfd.readouterr().err
