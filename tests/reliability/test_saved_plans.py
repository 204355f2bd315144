"""A saved plan is a promise: carried out once, of what it was made from, or refused with nothing sent.

Each trial saves a plan, lets something happen, and applies it with the real command against a served
sandbox, whose ledger says what was executed. Refused is: exit 7, nothing executed, nobody holds the lock.
"""

from __future__ import annotations

import json
import os
import pty
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbstack.sandbox.world import accept_invite
from lbstack.session import Settings, open_store
from tests.reliability.bench import Bench, a_bench
from tests.reliability.conftest import Report
from tests.reliability.converged import state_store
from tests.reliability.sizes import size
from tests.reliability.story import ADDRESSES, FIRST, SECOND

pytestmark = pytest.mark.reliability

PLAN = ("plan", "stack.yaml", "--out", "p.json", "--allow-mass-change")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The story applied, everybody who was invited in, and a plan of its second version saved."""
    with a_bench(tmp_path_factory.mktemp("plans")) as bench:
        bench.done("apply", "stack.yaml", "--auto-approve")
        for email in ("ann@example.com", "bob@example.com"):
            accept_invite(bench.store, email)
        bench.done("apply", "stack.yaml", "--auto-approve")
        bench.write(SECOND)
        bench.done(*PLAN)
        yield bench


@pytest.fixture
def bench(whole: Bench) -> Iterator[Bench]:
    moment = whole.keep()
    yield whole
    whole.back(moment)


def refused(
    bench: Bench, *more: str, code: int | None = 7, plan: str = "p.json"
) -> subprocess.CompletedProcess[str]:
    before, state = bench.seq(), bench.state.read_bytes()
    result = bench.command("apply", plan, *more)
    if code is None:
        assert result.returncode not in (0, 70), result.stdout + result.stderr
    else:
        assert result.returncode == code, f"{result.returncode}\n{result.stdout}{result.stderr}"
    assert "Traceback" not in result.stderr and "mistake of its own" not in result.stderr
    assert bench.ledger(before) == []
    assert bench.state.read_bytes() == state
    assert not state_store(bench).held()
    return result


def id_of(bench: Bench, address: str) -> str:
    known = {str(a): entry.id for a, entry in state_store(bench).load().resources.items()}
    return str(known[address])


# -- once -------------------------------------------------------------------------------------------


def test_a_plan_is_carried_out_once(bench: Bench, report: Report) -> None:
    shutil.copy(bench.folder / "p.json", bench.folder / "copy.json")
    bench.done("apply", "p.json")
    for plan in ("p.json", "copy.json"):
        assert "carried out already" in refused(bench, plan=plan).stderr
    report(n=2, refused=2)


def test_a_first_plan_is_carried_out_once(bench: Bench, report: Report) -> None:
    bench.write("stack: newcomer\ndatasets: {first: {name: First}}\n")
    place = ("--state", "fresh.json")
    bench.done("plan", "stack.yaml", "--out", "first.json", *place)
    bench.done("apply", "first.json", *place)
    before = bench.seq()
    result = bench.command("apply", "first.json", *place)
    assert result.returncode == 7, result.stderr
    assert bench.ledger(before) == []
    report(n=1, refused=1)


def test_a_plan_of_nothing_is_carried_out_once_and_spoils_no_other(bench: Bench, report: Report) -> None:
    bench.write(FIRST)
    for name in ("a.json", "b.json"):
        bench.done("plan", "stack.yaml", "--out", name)
    bench.done("apply", "a.json")
    refused(bench, plan="a.json")
    bench.done("apply", "b.json")
    refused(bench, plan="b.json")
    report(n=2, refused=2)


# -- of what it was made from -------------------------------------------------------------------------


def test_the_state_has_moved_on(bench: Bench, report: Report) -> None:
    bench.write(SECOND.replace("description: X-rays", "description: Else"))
    bench.done("apply", "stack.yaml", "--auto-approve", "--target", "dataset.teeth")
    bench.write(SECOND)
    assert "the state has moved on" in refused(bench).stderr
    bench.done("state", "rm", "webhook.told")
    refused(bench)
    report(n=2, refused=2)


def edited(bench: Bench) -> Iterator[None]:
    for text in (FIRST, SECOND + "# a word\n", SECOND.replace("Crack", "Crank"), "stack: story\n", "", "{"):
        bench.write(text)
        yield
    (bench.folder / "stack.yaml").unlink()
    (bench.folder / "stack.yaml").mkdir()
    yield


def test_the_stack_was_edited(bench: Bench, report: Report) -> None:
    tried = 0
    for _ in edited(bench):
        assert "was edited since" in refused(bench).stderr
        tried += 1
    shutil.rmtree(bench.folder / "stack.yaml")  # in another place than it was made in, nothing can be said
    bench.done("apply", "p.json")
    report(n=tried, refused=tried)


def test_another_place(bench: Bench, report: Report) -> None:
    refused(bench, "--endpoint", bench.served.endpoint.replace("127.0.0.1", "localhost"))
    refused(bench, "--sandbox")
    before = bench.seq()
    for elsewhere in ("other.json", "state.json"):
        if elsewhere == "state.json":  # of another lineage, with the same ids
            data = json.loads(bench.state.read_text())
            settings = Settings(state=str(bench.state), endpoint=bench.served.endpoint, environ={})
            store = open_store(settings, "story")
            state = store.load()
            object.__setattr__(state, "lineage", "00000000-0000-4000-8000-000000000000")
            store.save(state)
            assert json.loads(bench.state.read_text())["lineage"] != data["lineage"]
        assert bench.command("apply", "p.json", "--state", elsewhere).returncode == 7
    assert bench.ledger(before) == []
    report(n=4, refused=4)


def test_another_organization(bench: Bench, report: Report) -> None:
    bench.tell("POST", "/world", {"org": "other"})
    try:
        refused(bench)
    finally:
        bench.behave()
    report(n=1, refused=1)


# -- and of nothing that moved ------------------------------------------------------------------------

DRIFTS = {
    "integration.bucket": [
        ("iam_integrations", "name", "By hand"),
        ("iam_integrations", "readContainerUrl", "https://teeth.blob.core.windows.net/other"),
        ("iam_integrations", "tenantId", "22222222-2222-3333-4444-555555555555"),
        ("iam_integrations", "valid", 0),
    ],
    "dataset.teeth": [
        ("datasets", "name", "By hand"),
        ("datasets", "description", "By hand"),
        ("datasets", "signerId", None),
        ("datasets", "deleted", 1),
    ],
    "ontology.damage": [("ontologies", "name", "By hand"), ("ontologies", "deleted", 1)],
    "project.step": [
        ("projects", "name", "By hand"),
        ("projects", "description", "By hand"),
        ("projects", "allowedMediaType", "TEXT"),
        ("projects", "autoAuditNumberOfLabels", 7),
        ("projects", "autoAuditPercentage", 0.5),
        ("projects", "ontologyId", None),
        ("projects", "deleted", 1),
    ],
    "member.ann@example.com": [("users", "deleted", 1)],
    "member.bob@example.com": [("users", "deleted", 1), ("users", "orgRoleId", "Reviewer")],
    "webhook.told": [
        ("webhooks", "url", "https://elsewhere.example.com/"),
        ("webhooks", "topics", '["LABEL_DELETED"]'),
        ("webhooks", "status", "INACTIVE"),
    ],
}
"""What another hand may do to each planned field, in the tables of the sandbox."""


@pytest.mark.parametrize("address", ADDRESSES)
def test_something_has_moved(bench: Bench, address: str, report: Report) -> None:
    id = id_of(bench, address)
    moment = bench.keep()
    for table, column, value in DRIFTS[address]:
        if column == "orgRoleId":
            value = bench.store.value("SELECT id FROM roles WHERE name = ?", [value])
        sql = f"UPDATE {table} SET {column} = ? WHERE id = ?"
        assert bench.store.run(sql, [value, id]) == 1
        result = refused(bench)
        assert address in result.stderr and "since the plan was made" in result.stderr
        bench.back(moment)
    report(name=f"moved {address}", n=len(DRIFTS[address]), refused=len(DRIFTS[address]))


RELATIONS: dict[str, Callable[[Bench], int]] = {
    "project.step": lambda bench: bench.store.run(
        "DELETE FROM project_datasets WHERE projectId = ?", [id_of(bench, "project.step")]
    ),
    "member.ann@example.com": lambda bench: bench.store.run(
        "DELETE FROM project_memberships WHERE userId = ?", [id_of(bench, "member.ann@example.com")]
    ),
    "ontology.damage": lambda bench: bench.store.run(
        "UPDATE feature_schemas SET definition = replace(definition, 'Crack', 'By hand')", []
    ),
}


@pytest.mark.parametrize("address", RELATIONS)
def test_what_it_is_connected_to_has_moved(bench: Bench, address: str, report: Report) -> None:
    assert RELATIONS[address](bench) >= 1
    assert address in refused(bench).stderr
    report(name=f"connection of {address}", n=1, refused=1)


@pytest.mark.parametrize("address", ADDRESSES)
def test_something_moves_while_a_person_thinks(bench: Bench, address: str, report: Report) -> None:
    """Asked, somebody takes their time; what they then say yes to is no longer what they were shown."""
    before, state = bench.seq(), bench.state.read_bytes()
    parent, child = pty.openpty()
    words = ("apply", "stack.yaml", "--allow-mass-change")
    process = bench.whole(*words, stdin=child)
    os.close(child)
    try:
        assert process.stdout and process.stderr
        while not process.stderr.readline().startswith("  Only 'yes'"):
            assert process.poll() is None
        table, column, value = DRIFTS[address][0]
        sql = f"UPDATE {table} SET {column} = ? WHERE id = ?"
        assert bench.store.run(sql, [value, id_of(bench, address)]) == 1
        os.write(parent, b"yes\n")
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        os.close(parent)
    assert process.returncode == 7, errors
    assert address in errors and "since the plan was made" in errors
    assert bench.ledger(before) == [] and bench.state.read_bytes() == state
    assert not state_store(bench).held()
    report(name=f"asked, and moved {address}", n=1, refused=1)


# -- exactly as it was written ------------------------------------------------------------------------


def test_flipped_bits(whole: Bench, report: Report, seeds: Callable[[int], list[int]]) -> None:
    """Every flip is refused where plans are read; some of them by the command, with its lock and ledger."""
    from lbstack.errors import StateError
    from lbstack.plan.saved import is_plan, read_plan

    intact = (whole.folder / "p.json").read_bytes()
    spoiled = whole.folder / "spoiled.json"
    rng, count, by_command = random.Random(seeds(1)[0]), 10_000, size(20, 200)
    try:
        for trial in range(count):
            place = rng.randrange(len(intact) * 8)
            data = bytearray(intact)
            data[place // 8] ^= 1 << place % 8
            spoiled.write_bytes(data)
            if is_plan(spoiled):
                with pytest.raises(StateError):
                    read_plan(spoiled)
            if trial < by_command:
                refused(whole, plan="spoiled.json", code=7 if is_plan(spoiled) else None)
    finally:
        spoiled.unlink()
    report(n=count, refused=count, by_command=by_command)


def test_cut_and_grown(whole: Bench, report: Report) -> None:
    intact = (whole.folder / "p.json").read_bytes()
    spoiled = whole.folder / "spoiled.json"
    cut = [intact[: len(intact) * part // 20] for part in range(20)]
    grown = [intact + b" ", intact + b"\n", intact + intact, b"\xef\xbb\xbf" + intact, intact[:-1]]
    old = [intact.replace(b'{"lbstack_plan":3', b'{"lbstack_plan":%d' % n, 1) for n in (1, 2, 4)]
    try:
        for data in (*cut, *grown, *old):
            spoiled.write_bytes(data)
            refused(whole, plan="spoiled.json", code=None)
    finally:
        spoiled.unlink()
    n = len(cut) + len(grown) + len(old)
    report(n=n, refused=n)


def test_an_intact_one_is_carried_out(bench: Bench, report: Report) -> None:
    """The one that every refusal is compared with."""
    bench.done("apply", "p.json")
    bench.done("plan", "stack.yaml", "--detailed-exitcode")
    report(n=1, refused=0)


def test_what_was_allowed_is_in_the_plan(bench: Bench, report: Report) -> None:
    path: Path = bench.folder / "p.json"
    assert '"mass_change":true' in path.read_text()
    refused(bench, "--allow-mass-change", code=64)
    report(n=1, refused=1)
