"""Killed while the state lies elsewhere: the lock is freed by the command that is shown, and one plain apply
later everything is there, once; on the machine that was killed, and on one that knows nothing of it."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from lbstack.state.cell import Claim
from lbstack.state.remote_open import open_cell
from tests.reliability import story
from tests.reliability.bench import APPLY, Bench
from tests.reliability.conftest import Report
from tests.reliability.converged import converged, living
from tests.reliability.killing import kill_at, kill_unanswered, needs_strace, points, spread, traced
from tests.reliability.places import REMOTE, Place, state_in
from tests.reliability.sizes import size
from tests.reliability.stages import NAMES, Stage, Stages
from tests.remote.buckets import s3_server

pytestmark = [pytest.mark.reliability, needs_strace]

LOCKED = 3
FREEING = re.compile(r"lbstack (force-unlock .*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as url:
        yield url


@dataclass
class Elsewhere:
    """The stages of a bench, with the state of each in a cell of this place; no two trials share one."""

    bench: Bench
    place: Place
    trials: int = 0

    def begin(self, stage: Stage, state: bytes | None) -> None:
        """Put everything back to where a stage begins."""
        self.bench.back(stage.start)
        self.bench.state.unlink(missing_ok=True)
        self.trials += 1
        self.bench.env["LBSTACK_STATE"] = f"{self.place.url}-{self.trials}"
        if state is not None:
            cell, claim = open_cell(self.bench.env["LBSTACK_STATE"], self.place.environ), Claim("id", "test")
            cell.enter(claim)
            cell.put(state, None)
            cell.leave(claim.id)

    def state_of(self, stage: Stage) -> bytes | None:
        """What lies there when a stage begins: the state of this machine, pushed."""
        if not any(name.startswith("state.json") for name in stage.start.files):
            return None
        self.begin(stage, None)
        self.bench.back(stage.start)
        self.bench.done("state", "push", str(self.bench.state), "stack.yaml")
        return open_cell(self.bench.env["LBSTACK_STATE"], self.place.environ).get().data


def freed_and_applied(bench: Bench, stage: Stage) -> list[str]:
    """What is wrong after the next run; where the lock is held, after the command that it shows and another."""
    again = bench.command(*stage.words)
    if again.returncode == LOCKED:
        shown = FREEING.search(again.stderr)
        if shown is None:
            return [f"locked, and no way out is shown: {again.stderr}"]
        bench.done(*shlex.split(shown[1]))
        again = bench.command(*stage.words)
    if again.returncode != 0:
        return [f"the next run ended with {again.returncode}\n{again.stdout[-1500:]}{again.stderr}"]
    return converged(bench, stage.wanted, stage.kept, destroyed=stage.words != APPLY)


@pytest.mark.parametrize("where", size(REMOTE[:1], REMOTE))
def test_what_a_machine_that_is_gone_sent_in_the_place_of_another_is_known_elsewhere(
    stages: Stages, s3: str, where: str, report: Report
) -> None:
    """The runner dies with an invitation unanswered, and its disk with it; then the change is taken back."""
    bench, stage = stages.bench, stages.change
    with state_in(where, bench, s3) as place:
        trial = Elsewhere(bench, place)
        trial.begin(stage, trial.state_of(stage))
        kill_unanswered(bench, stage.words, op="createInvites")
        shutil.rmtree(bench.folder / ".lbstack", ignore_errors=True)
        bench.write(story.FIRST)
        wrong = freed_and_applied(bench, replace(stage, wanted={}))
    invited = living(bench)["invites"]
    report(name=f"an invitation unanswered far from the state ({where})", n=1, wrong=len(wrong))
    assert not wrong, "\n".join(wrong)
    assert invited == stages.create.wanted["invites"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", size(REMOTE[:1], REMOTE))
def test_a_kill_far_from_its_state_is_mended_by_freeing_it_and_one_apply(
    stages: Stages, s3: str, where: str, name: str, report: Report
) -> None:
    bench, stage, wrong = stages.bench, stages[name], []
    killed = {"here": 0, "there": 0}
    with state_in(where, bench, s3) as place:
        trial = Elsewhere(bench, place)
        state = trial.state_of(stage)
        trial.begin(stage, state)
        child, log = traced(bench, stage.words)
        assert child.code == 0, child.result()
        every = points(bench, log, each=False)
        chosen = spread(every, size(2, len(every)))
        for point in chosen:
            for machine in killed:
                trial.begin(stage, state)
                killed[machine] += kill_at(bench, stage.words, point)
                if machine == "there":
                    shutil.rmtree(bench.folder / ".lbstack", ignore_errors=True)
                wrong += [f"{point}, {machine}: {what}" for what in freed_and_applied(bench, stage)]
    report(
        name=f"killed far from the state ({where}, {name})",
        n=2 * len(chosen),
        of=len(every),
        **killed,
        wrong=len(wrong),
    )
    assert not wrong, "\n".join(wrong)
    assert min(killed.values()) >= len(chosen) // 2
