"""The three stages at which batteries disturb a command, and what undisturbed runs make of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.reliability import story
from tests.reliability.bench import APPLY, DESTROY, Bench, Moment, a_bench
from tests.reliability.converged import Rows, converged, living

NAMES = ("create", "change", "destroy")


@dataclass(frozen=True)
class Stage:
    """A command, what it begins with, and what an undisturbed run of it makes of that."""

    words: tuple[str, ...]
    start: Moment
    wanted: Rows
    mutations: int
    requests: int
    kept: frozenset[str] = frozenset()


@dataclass
class Stages:
    """The bench, and its stages by name."""

    bench: Bench
    create: Stage
    change: Stage
    destroy: Stage

    def __getitem__(self, name: str) -> Stage:
        stage = getattr(self, name)
        assert isinstance(stage, Stage)
        return stage

    def judged(self, stage: Stage, applies: int = 1) -> list[str]:
        """What is wrong after so many plain runs more."""
        for _ in range(applies):
            again = self.bench.command(*stage.words)
            if again.returncode == 0:
                break
        if again.returncode != 0:
            return [f"the next run ended with {again.returncode}\n{again.stdout[-1500:]}{again.stderr}"]
        return converged(self.bench, stage.wanted, stage.kept, destroyed=stage.words == DESTROY)


@contextmanager
def the_stages(folder: Path, shim: str = "") -> Iterator[Stages]:
    """Create what is in the stack; replace, update and delete some of it; destroy it all."""
    with a_bench(folder, shim=shim) as bench:
        create = _stage(bench, APPLY)
        bench.write(story.SECOND)
        change = _stage(bench, APPLY)
        integrations = frozenset(row["id"] for row in bench.store.rows("SELECT id FROM iam_integrations"))
        destroy = _stage(bench, DESTROY, integrations)
        yield Stages(bench, create, change, destroy)


def _stage(bench: Bench, words: tuple[str, ...], kept: frozenset[str] = frozenset()) -> Stage:
    start, seq, asked = bench.keep(), bench.seq(), len(bench.requests())
    bench.done(*words)
    mutations, requests = len(bench.ledger(seq)), len(bench.requests()) - asked
    return Stage(words, start, living(bench), mutations, requests, kept)
