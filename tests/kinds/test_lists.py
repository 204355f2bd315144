"""Lists whose pages never end, or lead round: they are refused, saying of what they are, after a bounded
number of requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbstack.errors import Exit, ServiceError
from lbstack.kinds import KINDS
from lbstack.kinds.contract import Ask, Reply
from lbstack.kinds.reading import MOST_PAGES, PAGE, onward, until_short
from tests.reliability.between import Exchange, SpoiltWorld
from tests.reliability.crowd import pages_in

MEMBERS = "stack: test\nprojects:\n  p: {name: P, media_type: IMAGE}\nmembers:\n"
ONE = f"{MEMBERS}  a@example.com: {{projects: {{p: LABELER}}}}\n"
TWO = f"{ONE}  b@example.com: {{role: LABELER}}\n"


def test_a_list_without_an_end_is_given_up_after_a_bounded_number_of_pages() -> None:
    asks = until_short({"": lambda skip, first: Ask("things")}, list, "things")
    batch, asked = next(asks), 0
    with pytest.raises(ServiceError, match="the list of things does not end"):
        while True:
            asked += len(batch)
            batch = asks.send([Reply([{}] * PAGE) for _ in batch])
    assert MOST_PAGES <= asked <= 2 * MOST_PAGES


@pytest.mark.parametrize("kind", ["dataset", "project", "webhook"])
def test_whoever_looks_for_lost_creates_in_an_endless_list_is_told(kind: str) -> None:
    page = [{"id": str(n)} for n in range(PAGE)]
    search = KINDS[kind].search(None, True)
    batch = next(search)
    with pytest.raises(ServiceError, match=f"the list of {kind}s does not end"):
        while True:
            batch = search.send([Reply({"webhooks": page} if kind == "webhook" else page) for _ in batch])


def test_a_cursor_that_leads_round_is_refused_at_once() -> None:
    followed = set[str]()
    assert [onward(followed, cursor, "things") for cursor in ("a", "b", None, "")] == ["a", "b", None, None]
    with pytest.raises(ServiceError, match="the list of things does not end"):
        onward(followed, "a", "things")


def test_cursors_that_are_always_new_are_followed_for_a_bounded_number_of_pages() -> None:
    followed = set[str]()
    for number in range(MOST_PAGES):
        onward(followed, str(number), "things")
    with pytest.raises(ServiceError, match="the list of things does not end"):
        onward(followed, "one more", "things")


def test_ontologies_whose_cursor_leads_round_are_refused() -> None:
    search = KINDS["ontology"].search(None, True)
    batch = next(search)
    with pytest.raises(ServiceError, match="the list of ontologies does not end"):
        for _ in range(10):
            batch = search.send([Reply({"nodes": [], "nextCursor": "c"}) for _ in batch])


# -- through the wire ----------------------------------------------------------------------------------


class Endless:
    """Answers whose lists of one name are full whatever is asked, with a cursor to where they began."""

    def __init__(self, name: str) -> None:
        self.name, self.rows, self.asked = name, list[Any](), 0

    def __call__(self, exchange: Exchange) -> Exchange:
        answer = exchange.answer()
        for page in pages_in(answer.get("data") or {}, exchange.text, exchange.variables):
            if not page.key.endswith(self.name):
                continue
            self.asked += 1
            self.rows = self.rows or page.rows
            page.holder[page.name] = (self.rows * PAGE)[:PAGE]
            if "nextCursor" in page.holder:
                page.holder["nextCursor"] = self.rows[0]["id"]
        return exchange.json(answer)


@pytest.fixture
def world(tmp_path: Path) -> SpoiltWorld:
    made = SpoiltWorld(tmp_path)
    made.write(ONE)
    assert made.apply().exit is Exit.OK
    return made


@pytest.mark.parametrize(
    ("name", "said"),
    [pytest.param("users", "members", marks=pytest.mark.slow), ("invites", "open invitations")],
)
def test_a_plan_of_an_endless_list_fails_and_says_so(world: SpoiltWorld, name: str, said: str) -> None:
    world.between.spoil, before = Endless(name), world.store.path.read_bytes()
    with pytest.raises(ServiceError, match=f"the list of {said} does not end"):
        world.plan()
    assert world.between.requests < 60
    assert world.store.path.read_bytes() == before


def test_whoever_would_be_invited_is_not_where_the_invitations_do_not_end(world: SpoiltWorld) -> None:
    world.write(TWO)
    plan, known = world.plan(), world.workspace.value("SELECT count(*) FROM invites")
    world.between.spoil = Endless("invites")
    outcome = world.apply(plan)
    assert outcome.exit is Exit.ERROR
    (failed,) = outcome.failed
    assert str(failed.address) == "member.b@example.com"
    told = [str(problem) for event in world.events for problem in event.problems]
    assert any("the list of open invitations does not end" in text for text in told), told
    assert world.workspace.value("SELECT count(*) FROM invites") == known
