"""Markdown: no name breaks out of it, the bytes are kept, and what is left out is counted and named."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from lbstack.plan.changes import Action, Change, FieldChange, Plan
from lbstack.plan.digest import digest
from lbstack.redaction import know
from lbstack.render import mermaid
from lbstack.render.markdown import plan_markdown
from lbstack.render.marked import fence, hidden, span
from lbstack.values import Address
from tests.faces.plans import HOSTILE, PINS, PLANS, large

TAGS = {
    "h3", "p", "strong", "em", "blockquote", "ul", "li", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "details", "summary",
    "b", "i", "br",
}  # fmt: skip


class Rendered(HTMLParser):
    """What a forge makes of Markdown: its tags, its comments, and the text that does not stand in code."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.comments: list[str] = []
        self.prose = self.code = ""
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        if "code" in self.open:
            self.code += data
        else:
            self.prose += data


@pytest.mark.parametrize("name", PLANS)
def test_what_a_forge_shows_is_ours_and_names_stand_in_code(name: str, plans: dict[str, Plan]) -> None:
    seen = Rendered(plan_markdown(plans[name], 1_000_000))
    assert seen.tags <= TAGS
    assert (seen.crossed, seen.open) == ([], [])
    assert [comment.split()[0] for comment in seen.comments] == ["lbstack:plan", "lbstack:digest"][
        : 1 if plans[name].empty or plans[name].refusals else 2
    ]
    for piece in ("@", "evil.example", "#1", "://", "script", "onerror", "{{", "::", "##"):
        assert piece not in seen.prose, piece


def test_every_hostile_name_is_shown_as_it_is(plans: dict[str, Plan]) -> None:
    shown = Rendered(plan_markdown(plans["hostile"], 1_000_000)).code
    plainly = [text for text in HOSTILE if text.isprintable() and len(text) < 100 and "##" not in text]
    assert [text for text in plainly if text not in shown and not text.startswith("::")] == []


@pytest.mark.parametrize("line", ["::error::x", "##[error]x", "  ::stop-commands::x", "##vso[task]x"])
def test_a_log_that_shows_the_page_is_not_commanded(line: str) -> None:
    change = Change(
        Address("dataset", line),
        Action.UPDATE,
        fields=(FieldChange(("d",), f"{line}\n{line}", f"{line}\nb"),),
    )
    page = plan_markdown(Plan(line, PINS, (change,), notes=(line,)))
    assert not re.search(r"^\s*::|##\w*\[", page, re.MULTILINE)


@pytest.mark.parametrize("size", [2000, 3000, 5000, 20_000, 60_000])
@pytest.mark.parametrize("name", [*PLANS, "large"])
def test_the_bytes_are_kept(name: str, size: int, plans: dict[str, Plan]) -> None:
    plan = large(500) if name == "large" else plans[name]
    page = plan_markdown(plan, size)
    assert len(page.encode()) <= size
    assert page.startswith(hidden("plan", plan.stack) + "\n")
    assert Rendered(page).tags <= TAGS
    headline = re.search(r"^\*\*(Plan: .*|No changes\..*)\*\*$", page, re.MULTILINE)
    assert headline
    if plan.refusals:
        assert "This plan is refused" in page
    left = re.search(r"<b>(\d+) more changes? left out for want of room", page)
    shown = len(re.findall(r"^(?:<details><summary>\S+ <code>|[❗🔴🟠⚪🟡🟢🔵] `)", page, re.MULTILINE))
    assert shown + int(left[1] if left else 0) == len(plan.actions)


def told(page: str) -> list[str]:
    """The addresses whose changes are told in full."""
    return re.findall(r"^<details><summary>\S+ <code>([^<]*)</code>", page, re.MULTILINE)


def test_what_hurts_is_told_first_and_the_rest_is_counted() -> None:
    plan = large(500)
    page = plan_markdown(plan, 12_000)
    shown = told(page)
    actions = {str(change.address): change.action for change in plan.actions}
    assert shown
    assert {actions[name] for name in shown} == {Action.DELETE}
    left = re.search(r"<b>(\d+) more changes left out for want of room: (.*?)</b>", page)
    assert left
    assert int(left[1]) + len(shown) == 500
    assert left[2] == f"{83 - len(shown)} to destroy, 83 to replace, 167 to update, 167 to create"
    named = re.findall(r"^(?:-|-/\+|~|\+) (\S+)$", page.split("left out")[1], re.MULTILINE)
    more = re.search(r"^and (\d+) more$", page.split("left out")[1], re.MULTILINE)
    assert named
    assert more
    assert len(named) + int(more[1]) == int(left[1])
    assert not set(named) & set(shown)


def test_a_change_is_told_whole_or_not_at_all() -> None:
    big = Change(
        Address("dataset", "big"),
        Action.DELETE,
        before={},
        id="x" * 150,
        reason="y" * 290,
        contents=5,
        holds="rows",
    )
    lines = tuple(FieldChange((f"field{n}",), "a" * 150, "b" * 150) for n in range(100))
    huge = Change(Address("dataset", "huge"), Action.REPLACE, fields=lines, after={}, before={})
    small = Change(Address("dataset", "small"), Action.CREATE, after={"name": "Small"})
    page = plan_markdown(Plan("s", PINS, (small, huge, big)), 8000)
    assert told(page) == ["dataset.big", "dataset.small"]
    assert "1 more change left out for want of room: 1 to replace" in page
    assert "- -/+ dataset.huge" in page or "-/+ dataset.huge" in page
    assert "field0" not in page


def test_a_name_of_back_ticks_alone_costs_room_and_breaks_nothing() -> None:
    changes = tuple(
        Change(Address("dataset", "`" * n), Action.CREATE, after={"name": "`" * n}) for n in range(1, 400)
    )
    page = plan_markdown(Plan("`", PINS, changes), 10_000)
    assert len(page.encode()) <= 10_000
    assert Rendered(page).crossed == []
    assert "left out for want of room" in page


def test_a_secret_is_hidden_before_the_bytes_are_counted() -> None:
    know("secret-8")
    changes = tuple(
        Change(Address("dataset", f"secret-8{n}"), Action.CREATE, after={"name": "secret-8" * 9})
        for n in range(300)
    )
    page = plan_markdown(Plan("s", PINS, changes), 10_000)
    assert "secret-8" not in page
    assert len(page.encode()) <= 10_000


def test_the_digest_is_told_and_can_be_found(plans: dict[str, Plan]) -> None:
    page = plan_markdown(plans["updates"])
    found = re.search(r"^<!-- lbstack:digest (\S+) -->$", page, re.MULTILINE)
    assert found
    assert found[1] == digest(plans["updates"])
    assert page.count(found[1]) == 2


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("teeth", "<!-- lbstack:plan teeth -->"),
        ("a b_c.d-e", "<!-- lbstack:plan a b_c.d-e -->"),
        ("-->", "<!-- lbstack:plan %2D-%3E -->"),
        ("a--!>\n-", "<!-- lbstack:plan a%2D-%21%3E%0A%2D -->"),
        ("歯", "<!-- lbstack:plan %E6%AD%AF -->"),
    ],
)
def test_the_hidden_line_of_a_stack(text: str, want: str) -> None:
    assert hidden("plan", text) == want


@pytest.mark.parametrize("text", ["", "`", "``", " a", "a ", "`a", "a`", "a`b``c", "\\`", "a\nb"])
def test_code_in_a_line_and_in_a_block_holds_what_it_is_given(text: str) -> None:
    shown = Rendered(f"x {span(text)} y").code
    assert shown.strip(" ") == text.replace("\n", "\\u000a").strip(" ")
    assert Rendered(fence([text, "```"])).code == text.replace("\n", "\\u000a") + "\n```\n"


def test_a_graph_is_drawn_where_it_is_of_use(plans: dict[str, Plan]) -> None:
    drawn = mermaid.graph(plans["creates"])
    assert drawn
    assert "```mermaid\n" in plan_markdown(plans["creates"])
    assert drawn.count("-->") == 4
    assert mermaid.graph(plans["empty"]) is None
    assert mermaid.graph(plans["moves"]) is None
    assert mermaid.graph(large(mermaid.NODES * 3)) is None


def test_no_name_is_read_as_mermaid(plans: dict[str, Plan]) -> None:
    drawn = mermaid.graph(plans["hostile"])
    assert drawn
    line = (
        r'flowchart LR|  n\d+\["[A-Za-z0-9 .…_#;]*"\]:::[a-z]+|  n\d+ --> n\d+|  classDef [a-z]+ [a-z0-9:#,]+'
    )
    assert [text for text in drawn.split("\n") if not re.fullmatch(line, text)] == []
    assert len(drawn) <= mermaid.CHARACTERS
