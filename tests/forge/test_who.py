"""Who we are, of which everything depends that is ours: asked of the token, never guessed where it can be asked."""

from __future__ import annotations

import pytest

from lbstack.errors import ServiceError, StackError
from lbstack.forge import github, work
from lbstack.forge.where import place
from tests.forge import github_api
from tests.forge.conftest import Side, plan_page
from tests.forge.github_api import GitHub
from tests.forge.gitlab_api import GitLab
from tests.forge.rest import Who, said
from tests.remote.misbehaving import LOSE


@pytest.mark.parametrize("token", [github_api.TOKEN, github_api.PERSON])
def test_a_token_knows_its_user(hub: GitHub, token: str) -> None:
    there = place(hub.environ(1, token=token))
    http = github.connect(there, "comment", [].append)
    assert github.whoami(http, there) == hub.tokens[token].login


def test_an_app_is_itself_and_no_workflow(hub: GitHub) -> None:
    hub.tokens["ghs_of_an_app_0123456789"] = Who("deployer[bot]", github_api.ALL, app=True)
    number = hub.opens("Change", pull=True)
    hub.says(number, plan_page(), by=github_api.ME)
    there = place(hub.environ(number, token="ghs_of_an_app_0123456789"))
    work.comment(there, "<!-- lbstack:plan signs -->", plan_page("2"))
    assert len(hub.bodies(number)) == len(hub.bodies(number, by="deployer[bot]")) == 1


@pytest.mark.parametrize(
    "answer", [said(404, {"message": "Not Found"}), said(200, {"errors": []}), said(200, [1])]
)
def test_without_graphql_the_user_is_asked_and_a_workflow_known_by_what_it_may_not(
    hub: GitHub, answer
) -> None:  # type: ignore[no-untyped-def]
    for token, login in ((github_api.TOKEN, github_api.ME), (github_api.PERSON, "mona")):
        side = Side(hub)
        side.goes_wrong("POST", answer, "/graphql")
        there = place(hub.environ(1, token=token))
        assert github.whoami(github.connect(there, "comment", [].append), there) == login


@pytest.mark.parametrize(
    "trouble", [LOSE, said(502, None), said(429, {"message": "slow"}, {"retry-after": "1"})]
)
def test_an_answer_that_is_lost_makes_nobody_else_of_us(hub: GitHub, trouble) -> None:  # type: ignore[no-untyped-def]
    side = Side(hub)
    number = side.request()
    hub.says(number, plan_page(), by="mona")
    side.goes_wrong("POST", trouble, "/graphql")
    there = place(hub.environ(number, token=github_api.PERSON))
    done = work.comment(there, "<!-- lbstack:plan signs -->", plan_page("2"), pause=side.pauses.append)
    assert done.endswith("edited") and len(side.pauses) == 1


def test_a_forge_that_stays_silent_is_not_written_to(hub: GitHub) -> None:
    side = Side(hub)
    number = side.request()
    side.goes_wrong("POST", said(503, None), "/graphql", times=99)
    with pytest.raises(ServiceError, match="HTTP 503"):
        side.comment(number, plan_page())
    assert side.comments(number) == []


@pytest.mark.parametrize(
    ("api", "graphql"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://git.example.com/api/v3", "https://git.example.com/api/graphql"),
    ],
)
def test_where_graphql_is(api: str, graphql: str) -> None:
    environ = {"GITHUB_API_URL": api, "GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t" * 20}
    assert place(environ, "github").graphql == graphql


def test_gitlab_says_whose_token_it_is(lab: GitLab) -> None:
    side = Side(lab)
    number = side.request()
    side.goes_wrong("GET", said(200, {"no": "user"}), "/user")
    with pytest.raises(StackError, match="does not say whose token this is; give --author USERNAME"):
        side.comment(number, plan_page())
    assert side.comments(number) == []


def test_an_author_that_is_named_is_not_asked_for(side: Side) -> None:
    number = side.request()
    side.says(number, plan_page(), by="release-bot")
    there = place(side.environ(number), user="release-bot")
    if side.name == "gitlab":
        with pytest.raises(StackError):  # it may not edit another's note
            work.comment(there, "<!-- lbstack:plan signs -->", plan_page("2"))
        return
    work.comment(there, "<!-- lbstack:plan signs -->", plan_page("2"))
    assert side.comments(number, "release-bot") == [plan_page("2")]
