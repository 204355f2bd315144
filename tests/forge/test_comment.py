"""One comment a stack: found by its hidden line among our own, edited in its place, created once."""

from __future__ import annotations

import threading

import pytest

from lbstack.errors import AuthError, ServiceError, StackError, UsageError
from lbstack.forge import http, pages, work
from lbstack.render.marked import hidden
from tests.forge.conftest import DIGEST, SHA, Side, drift_page, empty_page, plan_page
from tests.forge.github_api import GitHub
from tests.forge.gitlab_api import GitLab
from tests.forge.rest import said
from tests.remote.misbehaving import LOSE


def test_it_is_created_once_and_edited_in_its_place(side: Side) -> None:
    number = side.request()
    assert side.comment(number, plan_page()).endswith(": created")
    assert side.comment(number, plan_page("second")).endswith(": edited")
    assert side.comment(number, plan_page("second")).endswith(": unchanged")
    (body,) = side.comments(number)
    assert "+ second" in body and "+ first" not in body
    assert side.count("POST") == (
        1 if side.name == "gitlab" else 1 + 3
    )  # GitHub is asked who we are with one
    assert side.count(side.edit) == 1


def test_each_stack_has_its_own(side: Side) -> None:
    number = side.request()
    side.comment(number, plan_page(stack="signs"))
    side.comment(number, plan_page(stack="signs-2"))
    side.comment(number, plan_page("new", stack="signs"))
    assert len(side.comments(number)) == 2
    assert side.comments(number)[1].startswith("<!-- lbstack:plan signs-2 -->")


def test_it_is_found_on_any_page(side: Side) -> None:
    number = side.request()
    for at in range(130):
        side.says(number, f"hm {at}")
    side.comment(number, plan_page())
    for at in range(130):
        side.says(number, f"well {at}")
    assert side.comment(number, plan_page("second")).endswith(": edited")
    assert len(side.comments(number)) == 1


def test_what_others_paste_into_theirs_is_theirs(side: Side) -> None:
    number = side.request()
    theirs = plan_page("a forgery", digest="1.forged")
    side.says(number, theirs)
    side.says(number, "> quoted\n" + plan_page(), by=side.me)  # ours, and not at its beginning
    assert side.comment(number, plan_page()).endswith(": created")
    assert side.comments(number, "mona") == [theirs]
    assert len(side.comments(number)) == 2


def test_a_title_says_nothing(side: Side) -> None:
    number = side.request()
    side.says(number, plan_page().split("\n", 1)[1], by=side.me)
    assert side.comment(number, plan_page()).endswith(": created")


def test_of_several_the_oldest_stays(side: Side) -> None:
    number = side.request()
    first, *_ = [side.says(number, plan_page(text), by=side.me) for text in ("one", "two", "three")]
    assert side.comment(number, plan_page("now")).endswith(": edited")
    (body,) = side.comments(number)
    assert side.ids == [first]
    assert "+ now" in body
    assert side.count("DELETE") == 2


def test_two_runs_that_create_at_once_end_with_one(side: Side) -> None:
    number = side.request()
    meet = threading.Barrier(2, timeout=20)
    # Both have looked, and found nothing, before either creates.
    side.before("POST", side.thread, meet.wait)
    side.before("POST", side.thread, meet.wait)
    runs = [threading.Thread(target=side.comment, args=(number, plan_page())) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(30)
    assert len(side.comments(number)) == 1


def test_one_that_is_deleted_meanwhile_is_made_anew(side: Side) -> None:
    number = side.request()
    id = side.says(number, plan_page(), by=side.me)
    side.before(side.edit, f"/{id}", lambda: side.deletes(id))
    assert side.comment(number, plan_page("second")).endswith(": created")
    (body,) = side.comments(number)
    assert "+ second" in body


def test_one_too_many_that_another_run_deleted_does_no_harm(side: Side) -> None:
    number = side.request()
    side.says(number, plan_page(), by=side.me)
    id = side.says(number, plan_page(), by=side.me)
    side.before("DELETE", f"/{id}", lambda: side.deletes(id))
    assert side.comment(number, plan_page("second")).endswith(": edited")


def test_nothing_to_do_begins_no_comment_and_ends_none(side: Side) -> None:
    number = side.request()
    assert side.comment(number, empty_page(), skip_empty=True).endswith(": skipped")
    assert side.comments(number) == []
    side.comment(number, plan_page(), skip_empty=True)
    assert side.comment(number, empty_page(), skip_empty=True).endswith(": edited")
    assert "No changes." in side.comments(number)[0]


def test_a_name_that_says_no_changes_skips_nothing(side: Side) -> None:
    number = side.request()
    page = plan_page("x\n**No changes. Your infrastructure matches the configuration.**")
    assert side.comment(number, page, skip_empty=True).endswith(": created")


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_lost_answer_to_a_create_makes_no_second(side: Side, status: int) -> None:
    number = side.request()

    def done_and_failed(asked, serve):  # type: ignore[no-untyped-def]
        serve(asked)
        return said(status, {"message": "Server Error"})

    side.goes_wrong("POST", done_and_failed, side.thread)
    side.comment(number, plan_page())
    side.comment(number, plan_page("2", stack="other"))
    assert len(side.comments(number)) == side.count("POST", side.thread) == 2


def test_a_broken_connection_to_a_create_makes_no_second(side: Side) -> None:
    number = side.request()
    side.goes_wrong("POST", LOSE, side.thread)
    side.comment(number, plan_page())
    assert len(side.comments(number)) == side.count("POST", side.thread) == 1
    assert len(side.pauses) == 1


def test_a_create_that_failed_for_sure_is_tried_again(side: Side) -> None:
    number = side.request()
    side.goes_wrong("POST", said(502, None), side.thread, times=2)
    side.comment(number, plan_page())
    assert len(side.comments(number)) == 1


@pytest.mark.parametrize("times", [1, 3])
def test_reads_and_edits_are_tried_again(side: Side, times: int) -> None:
    number = side.request()
    side.says(number, plan_page(), by=side.me)
    side.goes_wrong("GET", said(503, {"message": "no"}), side.thread, times=times)
    side.goes_wrong(side.edit, LOSE)
    assert side.comment(number, plan_page("second")).endswith(": edited")
    assert side.pauses == [*http.PAUSES[:times], http.PAUSES[0]]


def test_a_forge_that_stays_down_is_told(side: Side) -> None:
    number = side.request()
    side.goes_wrong("GET", said(503, {"message": "no"}), side.thread, times=99)
    with pytest.raises(ServiceError, match="HTTP 503"):
        side.comment(number, plan_page())
    assert side.pauses == list(http.PAUSES)


def limited(status: int, **headers: str):  # type: ignore[no-untyped-def]
    told = {
        "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    }
    return said(status, told, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("method", ["GET", "POST", "edit"])
@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (limited(429, retry_after="7"), 7),
        (limited(403, retry_after="3"), 3),
        (limited(403), http.LIMITED),
        (limited(429), http.LIMITED),
        (limited(403, x_ratelimit_remaining="0", x_ratelimit_reset="1772442030"), 31),  # 09:00:30 there
    ],
)
def test_rate_limits_are_waited_for_as_long_as_is_asked(
    side: Side, answer, waits: float, method: str
) -> None:  # type: ignore[no-untyped-def]
    number = side.request()
    if method == "edit":
        side.says(number, plan_page(), by=side.me)
    side.goes_wrong(
        side.edit if method == "edit" else method, answer, "" if method == "edit" else side.thread
    )
    side.comment(number, plan_page("second"))
    assert side.pauses == [waits]
    assert len(side.comments(number)) == 1


def test_no_job_waits_for_an_hour(side: Side) -> None:
    number = side.request()
    side.goes_wrong("GET", limited(429, retry_after="3600"), side.thread)
    with pytest.raises(ServiceError, match="3600 s; run this again then"):
        side.comment(number, plan_page())
    assert side.pauses == []


def test_a_next_page_elsewhere_is_not_asked(side: Side) -> None:
    number = side.request()
    elsewhere = said(200, [], {"link": '<http://127.0.0.1:9/x?page=2>; rel="next"'})
    side.goes_wrong("GET", elsewhere, side.thread)
    with pytest.raises(ServiceError, match="another host"):
        side.comment(number, plan_page())


@pytest.mark.parametrize(
    "answer",
    [
        said(200, {"not": "a list"}),
        said(200, ["x"]),
        said(200, None),
        said(
            200,
            [
                {
                    "user": {"login": "github-actions[bot]"},
                    "author": {"username": "project_42_bot_0123456789abcdef"},
                    "body": 3,
                }
            ],
        ),
    ],
)
def test_an_answer_of_something_else_is_an_error(side: Side, answer) -> None:  # type: ignore[no-untyped-def]
    number = side.request()
    side.goes_wrong("GET", answer, side.thread)
    with pytest.raises(ServiceError):
        side.comment(number, plan_page())


def test_a_redirect_is_not_followed(side: Side) -> None:
    number = side.request()
    side.goes_wrong(
        "GET", said(301, {"message": "Moved Permanently"}, {"location": f"{side.api.url}/x"}), side.thread
    )
    with pytest.raises(ServiceError, match="has moved"):
        side.comment(number, plan_page())


def test_a_request_that_is_not_there_is_told(side: Side) -> None:
    with pytest.raises(AuthError, match=r"shows nothing at .*\(404\)"):
        side.comment(77, plan_page())


def test_a_page_that_is_too_long_is_refused_with_what_to_do(side: Side) -> None:
    number = side.request()
    most = pages.LARGEST[side.name]
    long = plan_page("x" * most)
    with pytest.raises(UsageError, match=f"takes {most:,}; write it with --max-bytes {most * 9 // 10000}000"):
        side.comment(number, long)
    fits = plan_page("")
    fits = fits.replace("+ ", "+ " + "é" * (most - len(fits)))
    assert len(fits) == most
    side.comment(number, fits)
    assert len(side.comments(number)[0]) == most


def test_the_digest_of_what_was_merged_is_found(side: Side) -> None:
    number, other = side.request(), side.request()
    side.says(number, plan_page("forged", digest="1.forged"))
    side.comment(number, plan_page())
    side.comment(other, plan_page(digest="1.other"))
    side.merges(number)
    where = {"GITHUB_SHA": SHA} if side.name == "github" else {"CI_COMMIT_SHA": SHA}
    assert work.approved(side.place(**where), "signs", pause=side.pauses.append) == DIGEST


def test_a_commit_of_a_pull_request_is_not_its_merge(hub: GitHub) -> None:
    side = Side(hub)
    number = side.request()
    side.comment(number, plan_page())
    hub.merges(number, "ab" * 20)
    hub.items[number]["commits"] = [SHA]  # it went in with the merge, and was not what was reviewed
    with pytest.raises(StackError, match="nobody approved it"):
        work.approved(side.place(), "signs", SHA)


def test_what_gitlab_notes_itself_is_not_ours(lab: GitLab) -> None:
    side = Side(lab)
    number = side.request()
    noted = lab.says("merge_requests", number, plan_page("noted"), by=side.me, system=True)
    assert side.comment(number, plan_page()).endswith(": created")
    assert lab.notes[noted]["body"] == plan_page("noted")


def test_an_empty_plan_approves_nothing(side: Side) -> None:
    number = side.request()
    side.comment(number, empty_page())
    assert work.approved(side.place(), "signs", number=number) == "1."


def test_what_nobody_merged_or_planned_is_approved_by_nobody(side: Side) -> None:
    number = side.request()
    with pytest.raises(StackError, match="nobody approved it") as refused:
        work.approved(side.place(), "signs", SHA)
    assert refused.value.exit == 7
    side.merges(number)
    with pytest.raises(StackError, match="has no comment with a plan of signs") as refused:
        work.approved(side.place(), "signs", SHA)
    assert refused.value.exit == 7
    side.comment(number, pages.failure("signs", 1, "boom"))
    with pytest.raises(StackError, match="tells no digest"):
        work.approved(side.place(), "signs", SHA)


@pytest.mark.parametrize("digest", ["1.WDkXxJKd-AnFmIb-", "1.qq--qqqqqqqqq---", "1=" + "5f" * 32])
def test_a_digest_is_read_back_whatever_its_letters_are(side: Side, digest: str) -> None:
    number = side.request()
    told = hidden("digest", digest)
    assert "--" not in told.removeprefix("<!--").removesuffix("-->") and "%" in told
    side.comment(number, plan_page().replace(hidden("digest", DIGEST), told))
    assert work.approved(side.place(), "signs", number=number) == digest


def test_the_stacks_that_have_a_comment_are_known(side: Side) -> None:
    number = side.request()
    for name in ("a", "b--c-"):
        side.comment(number, plan_page().replace(hidden("plan", "signs"), hidden("plan", name)))
    side.says(number, plan_page(stack="forged"))
    side.says(number, "# text\n" + plan_page(stack="within"), by=side.me)
    side.says(number, drift_page(stack="drifted"), by=side.me)
    assert work.commented(side.place(number)) == {"a", "b--c-"}
    with pytest.raises(UsageError, match="names a pull request"):
        work.commented(side.place())


def test_a_digest_with_other_letters_is_none(side: Side) -> None:
    number = side.request()
    side.comment(number, plan_page(digest="1.%0Aevil"))
    with pytest.raises(StackError, match="approved by nobody"):
        work.approved(side.place(), "signs", number=number)


def test_a_digest_below_what_is_read_is_none(side: Side) -> None:
    number = side.request()
    page = plan_page().replace(f"<!-- lbstack:digest {DIGEST} -->\n\n", "")
    side.comment(number, page.replace("```diff", f"<!-- lbstack:digest {DIGEST} -->\n\n```diff"))
    with pytest.raises(StackError, match="approved by nobody"):
        work.approved(side.place(), "signs", number=number)


def test_a_digest_inside_of_a_plan_is_none(side: Side) -> None:
    number = side.request()
    side.comment(number, plan_page("\n<!-- lbstack:digest 1.hostile -->"))
    assert work.approved(side.place(), "signs", number=number) == DIGEST
