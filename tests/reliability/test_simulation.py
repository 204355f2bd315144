"""Thousands of lives, each from one seed: what must always be so is, and good days lead to rest.

A life that fails is told by the seed with which it is lived again: ``--seed N``.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.memory import MEMORY
from tests.reliability.conftest import Report
from tests.reliability.simulation import Life
from tests.reliability.sizes import size

MANY = 100
PARTS = 2


@pytest.mark.reliability
@pytest.mark.parametrize("part", range(PARTS))
def test_lives_of_stacks_keep_every_promise(
    part: int, report: Report, seeds: Callable[[int], list[int]], tmp_path: Path
) -> None:
    chosen = [seed for seed in seeds(size(MANY, 20_000)) if seed % PARTS == part]
    days, wrong = Counter[int](), []
    for seed in chosen:
        most = 60 if seed % 50 == 0 else 12
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:  # no machine fails here
            life = Life(Path(folder), tmp_path / "stack.yaml", seed, most)
            try:
                days[life.live(0.3 if seed % 3 else 0.05)] += 1
            except Exception as broken:
                wrong.append(
                    f"--seed {seed}: {type(broken).__name__} {broken}\n    " + "\n    ".join(life.told)
                )
    quick = sum(count for good, count in days.items() if good <= 2)
    report(name=f"lives {part + 1}/{PARTS}", n=len(chosen), days=dict(sorted(days.items())), wrong=len(wrong))
    assert not wrong, "\n".join(wrong[:20])
    assert quick >= 0.95 * len(chosen)
