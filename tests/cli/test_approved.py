"""Approved by digest: what somebody read is done, or a part of it, and nothing else."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.cli.conftest import STACK, Cli

TWO = STACK.replace("outputs:", "  more: {name: More signs, description: Old}\noutputs:")


def digest_of(cli: Cli, *words: str) -> str:
    return str(json.loads(cli("plan", "--json", *words).stdout)["digest"])


def approve(cli: Cli, digest: str, *words: str) -> tuple[int, str, str]:
    done = cli("apply", "--approved", digest, *words)
    return done.returncode, done.stdout, done.stderr


def test_what_was_approved_is_done_without_a_question(served: Cli) -> None:
    served.write(TWO)
    code, out, _ = approve(served, digest_of(served))
    assert code == 0 and "Apply complete! Resources: 2 added, 0 changed, 0 destroyed." in out


def test_the_digest_is_of_what_is_done_and_of_nothing_else(served: Cli) -> None:
    served.write(TWO)
    first = digest_of(served)
    served.write(TWO.replace("stack: signs\n", "# as before\nstack: signs\n"))
    assert digest_of(served) == first
    served.write(TWO.replace("Old", "New"))
    assert digest_of(served) != first


def test_a_part_of_it_may_be_done_when_the_rest_is_done_already(served: Cli) -> None:
    served.write(TWO)
    digest = digest_of(served)
    assert served("apply", "--auto-approve", "--target", "dataset.more").returncode == 0
    code, out, _ = approve(served, digest)
    assert code == 0 and "1 added" in out
    code, out, _ = approve(served, digest)
    assert code == 0 and "No changes." in out


def test_what_was_not_approved_is_refused_and_told(served: Cli) -> None:
    digest = digest_of(served)
    served.write(TWO)
    code, _, err = approve(served, digest)
    assert code == 7 and "to create dataset.more was not approved" in err
    assert "plan again, and have the new plan approved" in err and "dataset.signs was" not in err
    assert "2 to add" in served("plan").stdout


def test_what_somebody_changed_meanwhile_is_another_operation(served: Cli) -> None:
    assert served("apply", "--auto-approve").returncode == 0
    served.write(STACK.replace("Photos", "Pictures"))
    digest = digest_of(served)
    id = json.loads(served("output", "--json").stdout)["dataset"]["value"]
    document = (
        "mutation M($id: ID!, $d: String) { updateDataset(where: {id: $id}, data: {description: $d}) { id } }"
    )
    answer = httpx2.post(
        served.env["LABELBOX_ENDPOINT"],
        json={"query": document, "variables": {"id": id, "d": "Else"}},
        headers={"Authorization": f"Bearer {served.env['LABELBOX_API_KEY']}"},
    )
    assert answer.json()["data"], answer.text
    code, _, err = approve(served, digest)
    assert code == 7 and "to update dataset.signs was not approved" in err


def test_many_operations_are_approved_as_a_whole(served: Cli) -> None:
    many = "".join(f"  d{n}: {{name: D{n}}}\n" for n in range(405))
    served.write(f"stack: signs\ndatasets:\n{many}")
    digest = digest_of(served)
    assert digest.startswith("1=") and len(digest) == 66
    served.write(f"stack: signs\ndatasets:\n{many}  one-more: {{name: Else}}\n")
    code, _, err = approve(served, digest)
    assert code == 7 and "not exactly what was approved" in err


@pytest.mark.parametrize("text", ["", "x", "1.?", "1=abc", "1.YWJj", "2.AAAA", "abc def"])
def test_what_is_no_digest_is_wrong_usage(served: Cli, text: str) -> None:
    code, _, err = approve(served, text)
    assert code == 64 and "no digest of a plan" in err


def test_an_empty_plan_has_a_digest_that_approves_nothing_else(served: Cli) -> None:
    assert served("apply", "--auto-approve").returncode == 0
    nothing = digest_of(served)
    assert nothing == "1."
    assert approve(served, nothing)[0] == 0
    served.write(TWO)
    assert approve(served, nothing)[0] == 7


def test_a_saved_plan_must_be_the_one_that_was_approved(served: Cli) -> None:
    digest = digest_of(served)
    served.write(TWO)
    assert served("plan", "--out", "plan.json").returncode == 0
    done = served("apply", "plan.json", "--approved", digest)
    assert done.returncode == 7 and "to create dataset.more was not approved" in done.stderr
    done = served("apply", "plan.json", "--approved", digest_of(served))
    assert done.returncode == 0 and "2 added" in done.stdout
