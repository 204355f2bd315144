"""Lists of hundreds of objects whose pages fail, end early, repeat, turn round or shift: a list proves
nothing gone. What it does not show is read by its id, or looked for in a second list; and a create whose
answer was lost is found on whatever page it is."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lbstack.errors import Exit
from lbstack.sandbox.conditions import Paging
from tests.reliability.between import Between
from tests.reliability.conftest import Report
from tests.reliability.converged import LIVING, tracked
from tests.reliability.crowd import CROWDS, LIES, Crowd, Lying, between, copied, gather, mutations
from tests.reliability.faulty import Script
from tests.reliability.simulation import Broken, Life
from tests.reliability.sizes import size

pytestmark = pytest.mark.reliability

OBJECTS = size(230, 10_000)
PAGES = OBJECTS // 100
SOME = sorted({0, 1, PAGES // 2, PAGES - 1})


@contextmanager
def a_life(folder: Path) -> Iterator[tuple[Life, Between]]:
    life = Life(folder, folder / "stack.yaml", 1, 2)
    try:
        yield life, between(life)
    finally:
        life.close()


def test_pages_that_misbehave(tmp_path: Path, report: Report) -> None:
    """As the sandbox itself lets them."""
    with a_life(tmp_path) as (life, stands):
        gather(life, CROWDS["datasets"], OBJECTS)
        before, outcomes = life._lives(), {"failed": 0, "empty": 0}
        life.apply(Script())
        stands.requests = 0
        life.apply(Script())
        usual = most = stands.requests
        kinds = [Paging(fail=frozenset({page})) for page in SOME]
        kinds += [Paging(short={page: rows}) for page in SOME for rows in (0, 37)]
        kinds += [Paging(repeat=frozenset({page})) for page in SOME]
        kinds += [Paging(shuffle=frozenset({page})) for page in SOME]
        kinds += [Paging(churn=1), Paging(churn=3), Paging(cap=50), Paging(cap=1), Paging(cap=0)]
        for paging in kinds:
            life.conditions.page, stands.requests, weather = paging, 0, Script()
            code = life.apply(weather)
            assert code in (0, 1) and not mutations(weather) and life._lives() == before
            outcomes["failed" if code else "empty"] += 1
            most = max(most, stands.requests)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    report(n=len(kinds), objects=OBJECTS, requests=usual, most_requests=most, peak_mb=peak, **outcomes)
    assert outcomes["failed"] <= len(SOME)  # only a page that fails for ever may fail the plan
    assert most <= usual + 2 * (OBJECTS // 4000 + 1) + 10


# -- every kind that is read from lists ----------------------------------------------------------------

REPAIRED = {"SetProjectRole"}
"""What a list that always lies may lead to: what is there is said once more."""
CROWDED = size([(230, 3)], [(1_000, 10), (10_000, 4)])
"""How many objects, and on how many pages a lie is told, from the first to the last."""


def lies(crowd: Crowd, objects: int, pages: int, some: int) -> list[Lying]:
    """Each lie on each of the pages, once and for ever; of every commit `some` of them, of a lie one at most."""
    pages = 1 if crowd.kind == "integration" else pages
    places = [round((objects - 1) // 100 * part / max(pages - 1, 1)) for part in range(pages)]
    onces = [True] if "projects" in crowd.body and objects > size(0, 1_000) else [True, False]
    every = [Lying(page, lie, once) for once in onces for page in places for lie in LIES]
    stride, start = size(len(LIES) + 1, 1), len(crowd.table)
    return [every[(start + stride * n) % len(every)] for n in range(size(min(some, len(every)), len(every)))]


def alive(life: Life) -> set[str]:
    """Whatever lives in the workspace, people too."""
    return life._lives() | {row["id"] for row in life.rows.rows(LIVING["users"])}


@pytest.mark.parametrize(("objects", "pages"), CROWDED)
@pytest.mark.parametrize("name", CROWDS)
def test_whatever_a_page_tells_nothing_is_removed_or_made(
    name: str, objects: int, pages: int, tmp_path: Path, report: Report
) -> None:
    crowd = CROWDS[name]
    objects = min(objects, crowd.most)
    with a_life(tmp_path) as (life, stands):
        gather(life, crowd, objects)
        before, stands.requests = alive(life), 0
        life.apply(Script())
        usual, most, ended = stands.requests, 0, {0: 0, 1: 0, 5: 0}
        told = lies(crowd, objects, pages, len(LIES) // 2 + 1)
        for lying in told:
            stands.spoil, stands.requests, weather = lying, 0, Script()
            code = life.apply(weather)
            sent = mutations(weather)
            assert {*sent} <= (set() if lying.once else REPAIRED), (lying, sent[:5])
            assert alive(life) == before
            assert code in ((0,) if lying.once else (0, 1, 5)), (lying, life.told[-2:])
            assert lying.told, f"{lying} was never told"
            ended[int(code)] += 1
            most = max(most, stands.requests - 2 * len(sent))
        stands.spoil = lambda exchange: exchange
        assert life.apply(Script()) is Exit.OK
        if not crowd.joined:
            life.require_converged()
    report(
        name=f"lying lists of {name}", n=len(told), objects=objects, requests=usual, most=most, ended=ended
    )
    assert most <= 2 * usual + objects // 400 + 12


# -- creates that are looked for in them ---------------------------------------------------------------

MADE = [name for name, crowd in CROWDS.items() if not crowd.joined]


def moment(life: Life) -> Callable[[], None]:
    """How to put a life back to where it is now."""
    rows = sqlite3.connect(":memory:")
    life.rows.conn.backup(rows)
    files = {path: path.read_bytes() for path in life.folder.rglob("*") if path.is_file()}

    def back() -> None:
        rows.backup(life.rows.conn)
        for path in [*life.folder.rglob("*")]:
            if path.is_file() and path not in files:
                path.unlink()
        for path, content in files.items():
            path.write_bytes(content)

    return back


def after(life: Life, lying: Lying) -> Exit | None:
    """How an apply ends. A list that hides for ever what was made may have it made again, and no tool could
    know: the next apply must tell."""
    try:
        return life.apply(Script())
    except Broken:
        assert not lying.once
        return Exit.OK


@pytest.mark.parametrize("name", MADE)
def test_a_lost_create_is_found_on_whatever_page_it_is(name: str, tmp_path: Path, report: Report) -> None:
    crowd, each = CROWDS[name], size(55, 480)
    with a_life(tmp_path) as (life, stands):
        gather(life, crowd, each)
        address, body = crowd.written(10 * each)
        life.wish[address] = body
        assert life.apply(Script(("mutation", "die"))) is None
        copied(life, crowd, range(each, 2 * each))
        back, told, orphans = moment(life), lies(crowd, 2 * each, size(2, 10), 4), 0
        for lying in told:
            back()
            stands.spoil = lying
            first = after(life, lying)
            stands.spoil = lambda exchange: exchange
            assert first in (0, 1, 4, 5), (lying, life.told[-2:])
            second = after(life, lying)
            if life.orphans and not lying.once:  # made again, since it was never shown; and told as that
                orphans += 1
                assert life._lives() - life._forgotten() - life.orphans <= tracked(life.store.load())
                continue
            assert second is Exit.OK, (lying, life.told[-4:])
            life.require_converged()
    report(name=f"lost among lying lists of {name}", n=len(told), objects=2 * each, orphans_told=orphans)
