"""One issue a stack: opened on drift, updated, closed when clean, reopened rather than made twice."""

from __future__ import annotations

import threading

import pytest

from lbstack.errors import AuthError, ServiceError
from tests.forge.conftest import Side, drift_page
from tests.forge.github_api import GitHub
from tests.forge.rest import said
from tests.remote.misbehaving import LOSE


def test_its_life(side: Side) -> None:
    assert side.issue(None) == "nothing is drifted, and no issue is open"
    assert side.issue(drift_page()) == "issue #1: opened"
    assert side.issues[1]["labels"] == ["lbstack-drift"] and side.issues[1]["title"] == "lbstack drift: signs"
    assert side.issue(drift_page()) == "issue #1: unchanged"
    assert side.told(1) == []
    assert side.issue(drift_page("more")) == "issue #1: updated"
    assert "! more" in side.body(1) and len(side.told(1)) == 1
    assert side.issue(None) == "issue #1: closed"
    assert not side.is_open(1) and side.told(1)[1] == "Nothing is drifted any more."
    assert side.issue(None) == "nothing is drifted, and no issue is open"
    assert side.issue(drift_page("again")) == "issue #1: reopened"
    assert side.is_open(1) and "! again" in side.body(1) and side.told(1)[2] == "Something is drifted again."
    assert list(side.issues) == [1] and len(side.told(1)) == 3


def test_each_stack_has_its_own(side: Side) -> None:
    side.issue(drift_page())
    side.issue(drift_page(stack="roads"))
    assert len(side.issues) == 2


def test_it_is_found_on_any_page_without_its_label_too(side: Side) -> None:
    number = side.opens(drift_page(), labelled=False)
    for at in range(230):
        side.api.opens(f"other {at}")
    assert side.issue(drift_page()) == f"issue #{number}: unchanged"
    assert side.issues[number]["labels"] == ["lbstack-drift"]
    assert len(side.issues) == 231


def test_what_others_write_is_theirs(side: Side) -> None:
    theirs = side.opens(drift_page("forged"), by="mona")
    side.issue(drift_page())
    assert len(side.issues) == 2 and side.body(theirs) == drift_page("forged")
    side.issue(None)
    assert side.is_open(theirs)


def test_a_pull_request_with_the_mark_is_no_issue(hub: GitHub) -> None:
    side = Side(hub)
    number = hub.opens("Drift", drift_page(), by=side.me, pull=True, labels=["lbstack-drift"])
    side.issue(drift_page())
    side.issue(None)
    assert hub.items[number]["state"] == "open" and hub.items[number]["body"] == drift_page()


def test_of_several_open_ones_the_oldest_stays(side: Side) -> None:
    first, second = side.opens(drift_page()), side.opens(drift_page())
    side.issue(drift_page("new"))
    assert side.is_open(first) and not side.is_open(second)
    assert side.told(second) == [f"Another run opened #{first} for the same stack at the same time."]


def test_an_open_one_is_kept_rather_than_a_closed_one_reopened(side: Side) -> None:
    closed = side.opens(drift_page())
    side.closes(closed)
    open_ = side.opens(drift_page())
    assert side.issue(drift_page("new")) == f"issue #{open_}: updated"
    assert not side.is_open(closed)


def test_of_several_closed_ones_the_latest_is_reopened(side: Side) -> None:
    for number in (side.opens(drift_page()), side.opens(drift_page())):
        side.closes(number)
    assert side.issue(drift_page("new")) == "issue #2: reopened"
    assert len(side.issues) == 2 and not side.is_open(1)


def test_two_runs_that_open_at_once_end_with_one(side: Side) -> None:
    meet = threading.Barrier(2, timeout=20)
    side.before("POST", "/issues", meet.wait)
    side.before("POST", "/issues", meet.wait)
    runs = [threading.Thread(target=side.issue, args=(drift_page(),)) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(30)
    assert [number for number in side.issues if side.is_open(number)] == [1]


@pytest.mark.parametrize("lost", [LOSE, said(500, {"message": "no"})], ids=["lost", "500"])
def test_an_issue_whose_answer_is_lost_is_not_made_twice(side: Side, lost: object) -> None:
    side.goes_wrong("POST", lost, "/issues")
    assert side.issue(drift_page()) == "issue #1: opened"
    assert len(side.issues) == 1


def test_a_comment_whose_answer_is_lost_is_not_made_twice(side: Side) -> None:
    side.issue(drift_page())
    side.goes_wrong("POST", LOSE, side.thread)
    side.issue(drift_page("more"))
    assert len(side.told(1)) == 1


def test_one_that_is_gone_meanwhile_is_opened_anew(side: Side) -> None:
    side.issue(drift_page())

    def deleted() -> None:
        del side.issues[1]
        (side.api.items if side.name == "github" else side.api.issues).pop(1)
        if side.name == "github":
            side.api.deleted.add(1)

    side.before(side.edit, "/1", deleted)
    side.issue(drift_page("more"))
    (number,) = side.issues
    assert "! more" in side.body(number)


def test_issues_that_are_switched_off_are_told(hub: GitHub) -> None:
    hub.has_issues = False
    with pytest.raises(ServiceError, match="are issues switched on"):
        Side(hub).issue(drift_page())


def test_a_token_that_may_not_is_told_what_is_missing(hub: GitHub) -> None:
    side = Side(hub)
    hub.tokens[side.token] = type(hub.tokens[side.token])(side.me, frozenset({"pull-requests"}), app=True)
    with pytest.raises(AuthError, match=r"permissions: \{issues: write\}") as refused:
        side.issue(drift_page())
    assert refused.value.exit == 6
