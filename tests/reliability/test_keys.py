"""A key that ends, is lost or turns out to be a lesser one, before or during a command, at any request.

Nothing is sent to change anything after the first refusal, a plan leaves the state as it was, the exit
code is 6, and with a good key the next apply finishes what was begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.reliability.bench import Bench
from tests.reliability.conftest import Report
from tests.reliability.sizes import size
from tests.reliability.stages import NAMES, Stage, Stages

AUTH = 6
TROUBLES: Mapping[str, dict[str, Any]] = {
    "revoked": {"revoke_key": True},
    "of another organisation": {"org": "other"},
}


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
    chosen = indices(stage, size(6, stage.requests))
    for left in chosen:
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
    report(name=f"expired keys ({name})", n=len(chosen), of=stage.requests, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.reliability
@pytest.mark.parametrize("trouble", ["revoked"])
def test_a_key_that_changes_at_any_request_ends_the_apply(
    stages: Stages, trouble: str, report: Report
) -> None:
    bench, wrong, count = stages.bench, [], 0
    for name in NAMES:
        stage = stages[name]
        for index in indices(stage, size(3, stage.requests)):
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
            if code == 0 or (trouble == "revoked" and code != AUTH):
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
            foreign = trouble == "of another organisation"
            if result.returncode not in ((7,) if foreign else (AUTH,)):
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
