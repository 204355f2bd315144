"""A key that ends, is lost or turns out to be a lesser one, before or during a command, at any request.

Nothing is sent to change anything after the first refusal, a plan leaves the state as it was, the exit
code is 6, and with a good key the next apply finishes what was begun.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from lbstack.errors import Exit
from tests.reliability.bench import Bench
from tests.reliability.conftest import Report
from tests.reliability.converged import living
from tests.reliability.crowd import CROWDS, mutations
from tests.reliability.faulty import Script
from tests.reliability.places import REMOTE, state_in
from tests.reliability.simulation import Life
from tests.reliability.sizes import size
from tests.reliability.stages import NAMES, Stage, Stages
from tests.remote.buckets import s3_server
from tests.remote.misbehaving import Fault

AUTH = 6
TROUBLES: Mapping[str, dict[str, Any]] = {
    "revoked": {"revoke_key": True},
    "of a reviewer": {"role": "REVIEWER"},
    "of another organisation": {"org": "other"},
}
CODES = {"of another organisation": 7, "of a reviewer": 1}
"""How a command ends that cannot know what is there: a lesser key sees less, and nothing follows from it."""


def refused(request: Mapping[str, Any]) -> bool:
    return request["status"] in (401, 403)


def sent_after_a_refusal(bench: Bench, before: int) -> list[str]:
    """The mutations that were sent once one request had been refused; one at a time is under way."""
    asked = [request for request in bench.requests() if request["seq"] > before]
    first = next((i for i, request in enumerate(asked) if refused(request)), len(asked))
    return [str(request["ops"]) for request in asked[first + 1 :] if request["type"] == "mutation"]


def last(bench: Bench) -> int:
    return max((request["seq"] for request in bench.requests()), default=0)


def indices(stage: Stage, most: int) -> list[int]:
    """So many requests of a stage, from the first to the last, evenly."""
    every = range(stage.requests)
    return (
        [every[round(i * (len(every) - 1) / (most - 1))] for i in range(most)]
        if most < len(every)
        else [*every]
    )


@pytest.mark.reliability
@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_expires_at_any_request_ends_the_apply(stages: Stages, name: str, report: Report) -> None:
    bench, stage, wrong = stages.bench, stages[name], []
    for left in range(stage.requests):
        bench.back(stage.start)
        before, seq = last(bench), bench.seq()
        bench.tell("POST", "/world", {"expire_key_after": left})
        result = bench.command(*stage.words, "--parallelism", "1")
        told = f"{left} requests"
        late = sent_after_a_refusal(bench, before)
        wrong += [f"{told}: sent {ops} after the refusal" for ops in late]
        # A mutation whose answer came, and after which only a read was refused, may be the last one.
        if result.returncode != AUTH:
            wrong.append(f"{told}: ended with {result.returncode}\n{result.stdout[-800:]}{result.stderr}")
        if left == 0 and bench.ledger(seq):
            wrong.append(f"{told}: something was executed")
        bench.behave()
        wrong += [f"{told}: {what}" for what in stages.judged(stage)]
    report(name=f"expired keys ({name})", n=stage.requests, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.reliability
@pytest.mark.parametrize("trouble", ["revoked", "of a reviewer"])
def test_a_key_that_changes_at_any_request_ends_the_apply(
    stages: Stages, trouble: str, report: Report
) -> None:
    bench, wrong, count = stages.bench, [], 0
    for name in NAMES:
        stage = stages[name]
        if trouble != "revoked" and name != size("change", name):
            continue
        for index in indices(stage, size(3 if trouble == "revoked" else 2, stage.requests)):
            count += 1
            told = f"{name}, request {index + 1}"
            bench.back(stage.start)
            before = last(bench)
            bench.fault("accept", {"barrier": "door"}, nth=index + 1)
            child = bench.start(*stage.words, "--parallelism", "1")
            assert bench.reached("door")
            bench.tell("POST", "/world", TROUBLES[trouble])
            bench.tell("DELETE", "/faults")
            code = child.wait()
            executed = [r for r in bench.requests() if r["seq"] > before + index and r["type"] == "mutation"]
            # Whoever may see less by the time the workspace is read cannot tell what is gone: 1.
            if code not in ((AUTH,) if trouble == "revoked" else (AUTH, 1)):
                wrong.append(
                    f"{told}: ended with {code}\n{child.result().stdout[-800:]}{child.result().stderr}"
                )
            if len(executed) > 1:
                wrong.append(f"{told}: sent {[r['ops'] for r in executed]} after the change")
            bench.behave()
            wrong += [f"{told}: {what}" for what in stages.judged(stage)]
    report(name=f"key {trouble}", n=count, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.reliability
@pytest.mark.parametrize("trouble", ["unset", "expired", *TROUBLES])
def test_a_plan_with_a_bad_key_changes_nothing(stages: Stages, trouble: str, report: Report) -> None:
    bench, wrong = stages.bench, []
    for name in ("change", "destroy"):
        stage = stages[name]
        bench.back(stage.start)
        before = {path.name: path.read_bytes() for path in bench.folder.glob("state.json*") if path.is_file()}
        seq, env = bench.seq(), {"LABELBOX_API_KEY": ""} if trouble == "unset" else {}
        world = {"unset": {}, "expired": {"expire_key_after": 0}, **TROUBLES}[trouble]
        bench.tell("POST", "/world", world)
        for words in (("plan", "stack.yaml"), stage.words):
            result = bench.command(*words, **env)
            if result.returncode != CODES.get(trouble, AUTH):
                wrong.append(
                    f"{words[0]} ended with {result.returncode}\n{result.stdout[-600:]}{result.stderr}"
                )
            if bench.ledger(seq):
                wrong.append(f"{words[0]} changed {bench.ledger(seq)}")
        after = {path.name: path.read_bytes() for path in bench.folder.glob("state.json*") if path.is_file()}
        if after != before:
            wrong.append(f"{name}: the state changed")
        bench.behave()
        wrong += stages.judged(stage)
    report(name=f"plan with a key {trouble}", n=4, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.reliability
def test_what_only_lists_show_is_hidden_from_a_lesser_key_not_gone(tmp_path: Path, report: Report) -> None:
    """Of an integration and of an invitation no read by id could say that it is not there."""
    for name in ("integrations", "invitations"):
        crowd, folder = CROWDS[name], tmp_path / name
        folder.mkdir()
        life = Life(folder, folder / "stack.yaml", 1, 2)
        with closing(life):
            life.wish = dict([crowd.written(0)])
            assert life.apply(Script()) is Exit.OK
            before = life.store.load()
            for wish in (life.wish, {}):
                life.conditions.role, life.wish, weather = "Reviewer", wish, Script()
                assert life.apply(weather) is Exit.ERROR
                assert f"{crowd.kind}.{crowd.key(0)}: it may be gone, or only hidden" in life.told[-2]
                assert not mutations(weather) and life.store.load() == before
            life.conditions.role, life.wish = None, dict([crowd.written(0)])
            assert life.apply(Script()) is Exit.OK
            life.require_converged()
    report(n=4)


# -- the keys of who holds the state -------------------------------------------------------------------


@pytest.mark.reliability
@pytest.mark.parametrize("where", size(("forge",), REMOTE))
def test_credentials_of_the_storage_that_expire_at_any_write_lose_nothing(
    stages: Stages, where: str, report: Report
) -> None:
    """What was done by then is in the journal; with good ones the next run on this machine goes on."""
    bench, stage, wrong, count = stages.bench, stages["create"], [], 0
    with s3_server() if where == "bucket" else nullcontext("") as s3, state_in(where, bench, s3) as place:
        server = place.server
        assert server is not None
        for written in size((1,), range(30)):
            bench.back(stage.start)
            bench.env["LBSTACK_STATE"] = f"{place.url}-{written}"
            server.faults = [Fault(place.write, place.expired, times=999, first=written)]
            result = bench.command(*stage.words)
            hit = server.faults[0].times < 999
            server.faults = []
            count += hit
            if hit and result.returncode in (0, 70):
                wrong.append(f"{written} writes: ended with {result.returncode}\n{result.stderr[-800:]}")
            if id := re.search(r"force-unlock ([0-9a-f-]{36})", bench.command(*stage.words).stderr):
                bench.done("force-unlock", id[1], "stack.yaml")
            again = bench.command(*stage.words)
            if again.returncode or living(bench) != stage.wanted:
                wrong.append(f"{written} writes: then {again.returncode}\n{again.stderr[-800:]}")
            if not hit:
                break
    report(name=f"expired credentials of a {where}", n=count, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)
