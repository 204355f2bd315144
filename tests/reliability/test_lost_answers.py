"""Every mutation of a whole life, its answer lost in every way there is: nothing is made twice, nothing left.

The one run that lost an answer, or it and one more, must end with exactly what an undisturbed run leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.reliability import story
from tests.reliability.bench import APPLY, DESTROY, Bench, Moment, a_bench
from tests.reliability.conftest import Report
from tests.reliability.converged import Rows, converged, living
from tests.reliability.sizes import size

pytestmark = pytest.mark.reliability

NULL = {"http": {"status": 200, "body": '{"data": null}', "headers": {"content-type": "application/json"}}}

LOSSES: dict[str, tuple[str, dict[str, Any]]] = {
    "reset before the commit": ("before_commit", {"close": "rst"}),
    "reset after the commit": ("after_commit", {"close": "rst"}),
    "closed after half of the body": ("mid_body", {"close": "fin"}),
    "truncated": ("after_commit", {"truncate_body": 12}),
    "500 after the commit": ("after_commit", {"http": {"status": 500}}),
    "502 after the commit": ("after_commit", {"http": {"status": 502}}),
    "503 after the commit": ("after_commit", {"http": {"status": 503}}),
    "504 after the commit": ("after_commit", {"http": {"status": 504}}),
    "520 after the commit": ("after_commit", {"http": {"status": 520}}),
    "502 before the commit": ("before_commit", {"http": {"status": 502}}),
    "an internal error after the commit": (
        "after_commit",
        {"gql_error": {"code": "INTERNAL_SERVER_ERROR", "path": "root", "data": "null_root"}},
    ),
    "a nested error": (
        "after_commit",
        {"gql_error": {"code": "INTERNAL_SERVER_ERROR", "path": "nested", "data": "null_root"}},
    ),
    "null without an error": ("after_commit", NULL),
    "a web page": ("after_commit", {"garbage": "html"}),
}


@dataclass(frozen=True)
class Chapter:
    """A part of the story: from where, which command, and what an undisturbed run does and leaves."""

    name: str
    begin: Moment
    words: tuple[str, ...]
    wanted: Rows
    kept: frozenset[str]
    calls: tuple[tuple[str, int], ...]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with a_bench(tmp_path_factory.mktemp("lost")) as found:
        yield found


@pytest.fixture(scope="module")
def chapters(bench: Bench) -> list[Chapter]:
    told = []
    for name, stack, words in (
        ("create", story.FIRST, APPLY),
        ("change", story.SECOND, APPLY),
        ("destroy", story.SECOND, DESTROY),
    ):
        bench.write(stack)
        begin, seq = bench.keep(), bench.seq()
        bench.done(*words)
        counts: dict[str, int] = {}
        calls = []
        for entry in bench.ledger(seq):
            counts[entry["op"]] = counts.get(entry["op"], 0) + 1
            calls.append((entry["op"], counts[entry["op"]]))
        wanted = living(bench)
        stays = bench.store.rows("SELECT id FROM iam_integrations") if name == "destroy" else []
        told.append(Chapter(name, begin, words, wanted, frozenset(row["id"] for row in stays), tuple(calls)))
    return told


def trials(chapters: list[Chapter]) -> list[tuple[Chapter, str, int, str]]:
    """Each mutation with each loss."""
    return [(chapter, op, nth, loss) for chapter in chapters for op, nth in chapter.calls for loss in LOSSES]


def test_no_lost_answer_makes_anything_twice_or_leaves_anything_behind(
    bench: Bench, chapters: list[Chapter], report: Report
) -> None:
    wrong: list[str] = []
    again = 0
    every = trials(chapters)
    for chapter, op, nth, loss in every:
        bench.back(chapter.begin)
        at, what = LOSSES[loss]
        bench.fault(at, what, op=op, nth=nth)
        first = bench.command(*chapter.words)
        bench.behave()
        if first.returncode:
            again += 1
            second = bench.command(*chapter.words)
            if second.returncode:
                wrong.append(f"{chapter.name}, {op} {nth}, {loss}: {second.stdout}{second.stderr}")
                continue
        told = converged(bench, chapter.wanted, chapter.kept, chapter.name == "destroy")
        wrong += [f"{chapter.name}, {op} {nth}, {loss}: {line}" for line in told]
    report(n=len(every), again=again, wrong=len(wrong))
    assert wrong == []


def test_an_answer_lost_for_good_is_found_by_the_next_apply(
    bench: Bench, chapters: list[Chapter], report: Report
) -> None:
    """Whoever does not wait, and whose every create is lost: the next apply takes all of it over."""
    create = chapters[0]
    bench.back(create.begin)
    bench.fault("after_commit", {"http": {"status": 502}}, type="mutation")
    for _ in range(20):
        if bench.command(*create.words, "--no-wait").returncode == 0:
            break
    bench.behave()
    bench.done(*create.words)
    assert converged(bench, create.wanted) == []
    report(n=len(create.calls))


CREATES = (
    "createAzureIamIntegration", "createDataset", "upsertOntology", "createProject", "createInvites", "createWebhook",
)  # fmt: skip


@pytest.mark.parametrize("op", size((), CREATES))
def test_an_answer_that_comes_after_the_time_out_is_lost_like_any_other(
    bench: Bench, chapters: list[Chapter], op: str, report: Report
) -> None:
    """Whoever waits as long as a client does: more than a minute for each, so only in full runs."""
    create = chapters[0]
    assert op in dict(create.calls)
    bench.back(create.begin)
    bench.fault("after_commit", {"hang": True}, op=op, nth=1)
    first = bench.command(*create.words)
    bench.behave()
    if first.returncode:
        bench.done(*create.words)
    assert converged(bench, create.wanted) == []
    report(name=f"hangs past the time-out, {op}", n=1, again=int(first.returncode != 0))
