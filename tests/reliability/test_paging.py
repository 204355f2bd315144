"""Lists of a thousand objects whose pages fail, end early, repeat, turn round or shift: a list proves
nothing gone. What it does not show is read by its id."""

from __future__ import annotations

import resource
from dataclasses import replace

import pytest

from lbstack.errors import StackError
from lbstack.sandbox.conditions import Paging
from tests.reliability.between import SpoiltWorld
from tests.reliability.conftest import Report
from tests.reliability.sizes import size

pytestmark = pytest.mark.reliability

OBJECTS = size(1_000, 10_000)
PAGES = OBJECTS // 100
SOME = sorted({0, 1, PAGES // 2, PAGES - 1})


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> SpoiltWorld:
    world = SpoiltWorld(tmp_path_factory.mktemp("paging"))
    names = "".join(f"  d{n}: {{name: D {n}}}\n" for n in range(OBJECTS))
    world.write(f"stack: test\ndatasets:\n{names}")
    outcome = world.apply()
    assert len(outcome.done) == OBJECTS
    assert world.plan().empty
    return world


def trial(world: SpoiltWorld, paging: Paging | None) -> tuple[str, int]:
    """What a plan under such pages comes to, and how many requests it takes; asserts what must never be."""
    conditions = world.app.state.sandbox.conditions
    before, kept = world.store.path.read_bytes(), conditions.page
    world.between.requests, conditions.page = 0, paging
    try:
        plan = world.plan()
    except StackError as error:
        assert error.exit == 1
        return "failed", world.between.requests
    finally:
        conditions.page = kept
        assert world.store.path.read_bytes() == before
    assert plan.empty, [(change.address, change.action) for change in plan.changes][:5]
    return "empty", world.between.requests


def test_pages_that_misbehave(large: SpoiltWorld, report: Report) -> None:
    _, usual = trial(large, None)
    most, outcomes = usual, {"failed": 0, "empty": 0}
    kinds = [Paging(fail=frozenset({page})) for page in SOME]
    kinds += [Paging(short={page: rows}) for page in SOME for rows in (0, 37)]
    kinds += [Paging(repeat=frozenset({page})) for page in SOME]
    kinds += [Paging(shuffle=frozenset({page})) for page in SOME]
    kinds += [Paging(churn=1), Paging(churn=3), Paging(cap=50), Paging(cap=1), Paging(cap=0)]
    for paging in kinds:
        outcome, requests = trial(large, replace(paging))
        outcomes[outcome] += 1
        most = max(most, requests)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    report(n=len(kinds), objects=OBJECTS, requests=usual, most_requests=most, peak_mb=peak, **outcomes)
    assert outcomes["failed"] <= len(SOME)  # only a page that fails for ever may fail the plan
    assert most <= usual + 2 * (OBJECTS // 4000 + 1) + 10
