"""What no plan may do by mistake: refused with exit 5 and nothing sent, whatever the kind; the override works.

Each trial runs the real command against a served sandbox, whose ledger says what was executed.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lbstack.sandbox.seed import ADMIN_EMAIL
from lbstack.sandbox.world import accept_invite
from tests.meanwhile import ADD_LABEL, ADD_ROW
from tests.reliability.bench import DESTROY, Bench, a_bench
from tests.reliability.conftest import Report
from tests.reliability.converged import state_store
from tests.reliability.story import ADDRESSES, FIRST

pytestmark = pytest.mark.reliability

APPLY = ("apply", "stack.yaml", "--auto-approve")
OTHERS = {f"other-{n}": {"name": f"Other {n}"} for n in range(24)}
"""Datasets beside the story, so that one resource of it is less than a fifth of them all."""

GONE = {
    "integration": "DELETE FROM iam_integrations WHERE id = ?",
    "dataset": "UPDATE datasets SET deleted = 1 WHERE id = ?",
    "ontology": "UPDATE ontologies SET deleted = 1 WHERE id = ?",
    "project": "UPDATE projects SET deleted = 1 WHERE id = ?",
    "member": "UPDATE users SET deleted = 1 WHERE id = ?",
    "webhook": "UPDATE webhooks SET status = 'INACTIVE' WHERE id = ?",
}
"""How an object goes by another hand, at once."""
SECTIONS = {
    "integration": "integrations", "dataset": "datasets", "ontology": "ontologies", "project": "projects",
    "member": "members", "webhook": "webhooks",
}  # fmt: skip

Stack = dict[str, Any]


def story(**others: Any) -> Stack:
    stack: Stack = yaml.safe_load(FIRST.replace("[yes, no]", "['yes', 'no']"))
    stack["datasets"] |= others
    return stack


def write(bench: Bench, stack: Stack) -> None:
    bench.write(json.dumps(stack, indent=1))


def body(stack: Stack, address: str) -> dict[str, Any]:
    kind, _, key = address.partition(".")
    found: dict[str, Any] = stack[SECTIONS[kind]][key]
    return found


def without(stack: Stack, *addresses: str) -> Stack:
    """The stack with some resources left out, and with them all that refers to them."""
    for address in addresses:
        kind, _, key = address.partition(".")
        stack[SECTIONS[kind]].pop(key, None)
        if kind == "project":
            stack["webhooks"], stack["outputs"] = {}, {}
            stack["members"].pop("ann@example.com", None)
        if kind == "integration":
            stack["datasets"]["teeth"].pop("integration", None)
        if kind in ("dataset", "ontology") and "step" in stack["projects"]:
            stack["projects"]["step"].pop({"dataset": "datasets", "ontology": "ontology"}[kind], None)
    return stack


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The story beside many datasets, applied, with everybody who was invited in the organisation."""
    with a_bench(tmp_path_factory.mktemp("guards")) as bench:
        write(bench, story(**OTHERS))
        bench.done(*APPLY)
        for email in ("ann@example.com", "bob@example.com"):
            accept_invite(bench.store, email)
        bench.done(*APPLY)
        yield bench


@pytest.fixture
def bench(whole: Bench) -> Iterator[Bench]:
    moment = whole.keep()
    yield whole
    whole.back(moment)


def id_of(bench: Bench, address: str) -> str:
    known = {str(a): entry.id for a, entry in state_store(bench).load().resources.items()}
    return str(known[address])


def lose(bench: Bench, *addresses: str) -> None:
    for address in addresses:
        sql = GONE[address.partition(".")[0]]
        assert bench.store.run(sql, [id_of(bench, address)]) == 1


def refused(bench: Bench, *words: str, code: int = 5) -> subprocess.CompletedProcess[str]:
    """A command that a guard refuses: nothing was sent, nothing is remembered otherwise, nothing is held."""
    before, state = bench.seq(), bench.state.read_bytes()
    result = bench.command(*words)
    assert result.returncode == code, f"{words}: {result.returncode}\n{result.stdout}{result.stderr}"
    assert bench.ledger(before) == []
    assert bench.state.read_bytes() == state
    assert not state_store(bench).held()
    return result


def override(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The command that a refusal ends with, as a shell takes it."""
    *_, told, command = result.stderr.splitlines()
    assert told == "If that is meant, run:", result.stderr
    words = shlex.split(command)
    assert words[0] == "lbstack"
    return words[1:]


def graphql(bench: Bench, document: str, **variables: Any) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {bench.served.key}"}
    answer = bench.control.post(
        bench.served.endpoint, headers=headers, json={"query": document, "variables": variables}
    ).json()
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data


def add_row(bench: Bench) -> str:
    dataset = id_of(bench, "dataset.teeth")
    row = graphql(bench, ADD_ROW, url="https://example.com/1.jpg", dataset=dataset)
    return str(row["createDataRow"]["id"])


def add_label(bench: Bench) -> None:
    label = json.dumps({"objects": [], "classifications": []})
    graphql(bench, ADD_LABEL, label=label, project=id_of(bench, "project.step"), row=add_row(bench))


# -- what is missing --------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_gone_blocks_until_it_is_named(bench: Bench, address: str, report: Report) -> None:
    lose(bench, address)
    for words in (("plan", "stack.yaml", "--out", "p.json"), APPLY):
        result = refused(bench, *words)
        assert f"! {address} is missing" in result.stdout
        assert f"+ {address} " not in result.stdout
        assert f"--recreate {address}" in " ".join(override(result))
    drift = refused(bench, "drift", "stack.yaml", code=2)
    assert f"! {address} is missing" in drift.stdout
    bench.done(*override(refused(bench, *APPLY)))
    bench.done("plan", "stack.yaml", "--detailed-exitcode")
    report(name=f"missing {address}", n=3, refused=3)


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_gone_may_be_forgotten(bench: Bench, address: str, report: Report) -> None:
    lose(bench, address)
    refused(bench, *APPLY)
    bench.done("state", "rm", address)
    bench.done(*APPLY)
    bench.done("plan", "stack.yaml", "--detailed-exitcode")
    report(name=f"forgotten {address}", n=1, refused=1)


def test_all_that_is_gone_is_told_at_once(bench: Bench, report: Report) -> None:
    lose(bench, *ADDRESSES)
    result = refused(bench, *APPLY)
    assert result.stderr.count("is missing") == len(ADDRESSES)
    assert override(result).count("--recreate") == len(ADDRESSES)
    some = [word for address in ADDRESSES[1:] for word in ("--recreate", address)]
    assert override(refused(bench, *APPLY, *some)).count(ADDRESSES[0]) == 1
    bench.done(*override(result))
    bench.done("plan", "stack.yaml", "--detailed-exitcode")
    report(n=2, refused=2)


def test_several_that_are_gone_are_not_forgotten_by_the_way(bench: Bench, report: Report) -> None:
    write(bench, without(story(**OTHERS), "dataset.other-1", "dataset.other-2"))
    lose(bench, "dataset.other-1", "dataset.other-2")
    result = refused(bench, *APPLY)
    assert "2 resources are gone" in result.stderr
    assert "--allow-mass-change" in override(result)
    bench.done(*override(result))
    report(n=1, refused=1)


def test_what_is_missing_keeps_no_teardown(bench: Bench, report: Report) -> None:
    lose(bench, "dataset.teeth", "webhook.told")
    bench.done(*DESTROY)
    report(n=1, refused=0)


# -- how many end -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5, 6, 24])
def test_more_than_five_is_many(bench: Bench, count: int, report: Report) -> None:
    write(bench, without(story(**OTHERS), *[f"dataset.other-{n}" for n in range(count)]))
    if count > 5:
        result = refused(bench, *APPLY)
        assert f"{count} of the 31 resources" in result.stderr
        refused(bench, "plan", "stack.yaml", "--out", "p.json")
        bench.done(*override(result))
    else:
        bench.done(*APPLY)
    bench.done("plan", "stack.yaml", "--detailed-exitcode")
    report(name=f"{count} of 31 end", n=2, refused=2 * (count > 5))


def test_two_of_few_are_many_and_what_is_replaced_counts(bench: Bench, report: Report) -> None:
    few = without(story(**OTHERS), *[f"dataset.other-{n}" for n in range(24)])
    write(bench, few)
    bench.done(*APPLY, "--allow-mass-change")
    few["projects"]["step"]["quality"] = {"mode": "consensus"}  # replaces the project, and its webhook
    write(bench, few)
    result = refused(bench, *APPLY)
    assert "2 of the 7 resources" in result.stderr
    bench.done(*override(result))
    bench.done("plan", "stack.yaml", "--detailed-exitcode")
    report(n=1, refused=1)


def test_an_emptied_stack_is_no_teardown(bench: Bench, report: Report) -> None:
    bench.write("stack: story\n")
    for words in (APPLY, (*APPLY, "--allow-mass-change"), ("plan", "stack.yaml")):
        result = refused(bench, *words)
        assert "the stack names no resource, and its state records 31" in result.stderr
    assert override(refused(bench, *APPLY))[0] == "destroy"
    bench.done(*override(refused(bench, *APPLY)))
    assert not state_store(bench).load().resources
    report(n=5, refused=5)


# -- what is protected, and what holds people's work --------------------------------------------------


@pytest.mark.parametrize("address", [a for a in ADDRESSES if not a.startswith("integration")])
def test_protection_is_remembered(bench: Bench, address: str, report: Report) -> None:
    stack = story(**OTHERS)
    body(stack, address)["lifecycle"] = {"prevent_destroy": True}
    write(bench, stack)
    bench.done(*APPLY)
    write(bench, without(story(**OTHERS), address))
    for words in (APPLY, (*APPLY, "--allow-mass-change"), DESTROY, ("plan", "stack.yaml", "--destroy")):
        result = refused(bench, *words)
        assert f"{address} is protected" in result.stderr
        assert "If that is meant" not in result.stderr
    report(name=f"protected {address}", n=4, refused=4)


@pytest.mark.parametrize(
    ("address", "end"),
    [
        ("dataset.teeth", "leaves"),
        ("dataset.teeth", "destroy"),
        ("project.step", "leaves"),
        ("project.step", "destroy"),
        ("project.step", "replaced"),
    ],
)
def test_peoples_work_is_not_lost_by_the_way(bench: Bench, address: str, end: str, report: Report) -> None:
    add_label(bench) if address == "project.step" else add_row(bench)
    stack = story(**OTHERS)
    if end == "leaves":
        stack = without(stack, address)
    elif end == "replaced":
        stack["projects"]["step"]["quality"] = {"mode": "consensus"}
    write(bench, stack)
    words = DESTROY if end == "destroy" else APPLY
    result = refused(bench, *words)
    told = "1 row" if address == "dataset.teeth" else "1 label"
    assert f"# {told} will be lost with it" in result.stdout
    assert f"{address} holds {told}" in result.stderr
    refused(bench, *words, "--allow-data-loss", "dataset.other-1")
    assert f"--allow-data-loss {address}" in " ".join(override(result))
    bench.done(*override(result))
    report(name=f"{address} {end}", n=2, refused=2)


@pytest.mark.parametrize("address", ["dataset.teeth", "project.step"])
def test_what_has_come_since_the_plan_is_counted(bench: Bench, address: str, report: Report) -> None:
    add = add_label if address == "project.step" else add_row
    add(bench)
    write(bench, without(story(**OTHERS), address))
    allowed = ("--allow-data-loss", address, "--allow-mass-change")
    bench.done("plan", "stack.yaml", "--out", "p.json", *allowed)
    add(bench)
    result = bench.command("apply", "p.json")
    assert result.returncode == 5, result.stdout + result.stderr
    assert f"{address} ({id_of(bench, address)}) holds 2" in result.stdout
    assert "the plan showed 1" in result.stdout
    table = SECTIONS[address.partition(".")[0]]
    sql = f"SELECT count(*) FROM {table} WHERE deleted = 0 AND id = ?"
    assert bench.store.value(sql, [id_of(bench, address)]) == 1
    bench.done(*APPLY, *allowed)
    report(name=f"counted again {address}", n=1, refused=1)


# -- who would lock themselves out --------------------------------------------------------------------


def admins(bench: Bench) -> int:
    sql = "SELECT count(*) FROM users u JOIN roles r ON r.id = u.orgRoleId WHERE r.name = 'Admin' AND deleted = 0"
    return int(bench.store.value(sql))


def test_nobody_takes_their_own_role(bench: Bench, report: Report) -> None:
    stack = story(**OTHERS)
    stack["members"]["bob@example.com"] = {"role": "ADMIN"}
    write(bench, stack)
    bench.done(*APPLY)
    assert admins(bench) == 2
    stack["members"][ADMIN_EMAIL] = {"role": "LABELER"}  # not in state yet: it would be taken over
    write(bench, stack)
    result = refused(bench, *APPLY, "--allow-mass-change")
    assert "owns the API key in use" in result.stderr
    stack["members"][ADMIN_EMAIL] = {"role": "ADMIN"}
    write(bench, stack)
    bench.done(*APPLY)
    for role in ("LABELER", "TEAM_MANAGER", "NONE"):
        stack["members"][ADMIN_EMAIL] = {"role": role}
        write(bench, stack)
        result = refused(bench, *APPLY)
        assert "owns the API key in use" in result.stderr
        assert "If that is meant" not in result.stderr
    report(n=4, refused=4)


def test_somebody_stays_admin(bench: Bench, report: Report) -> None:
    """The key belongs to somebody who is no member of the stack, and who is no Admin any more."""
    stack = story(**OTHERS)
    stack["members"] |= {"bob@example.com": {"role": "ADMIN"}, "eve@example.com": {"role": "ADMIN"}}
    write(bench, stack)
    bench.done(*APPLY)
    accept_invite(bench.store, "eve@example.com")
    bench.done(*APPLY)
    manager = "SELECT id FROM roles WHERE name = 'Team Manager'"
    role = bench.store.value(manager)
    assert bench.store.run("UPDATE users SET orgRoleId = ? WHERE email = ?", [role, ADMIN_EMAIL]) == 1
    stack["members"] |= {"bob@example.com": {"role": "LABELER"}, "eve@example.com": {"role": "LABELER"}}
    write(bench, stack)
    result = refused(bench, *APPLY)
    assert result.stderr.count("is the last Admin") == 2
    assert admins(bench) == 2
    report(n=1, refused=1)
