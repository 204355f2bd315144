"""The page, in a real Chromium where there is one, and what can be told without."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lbstack.plan.changes import Plan
from lbstack.render.failed_html import failed_html
from lbstack.render.html import NODES, plan_html
from lbstack.render.layout import layered
from tests.faces.browser import look
from tests.faces.plans import HOSTILE, PLANS, large

STATE = """
const changes = [...page.querySelectorAll("details.change")];
return {
  title: page.title,
  h1: page.querySelector("h1").textContent,
  shown: changes.filter((one) => !one.hidden).map((one) => one.dataset.name),
  status: page.getElementById("shown") && page.getElementById("shown").textContent,
  wide: page.documentElement.scrollWidth,
  scripts: page.scripts.length,
  frames: page.querySelectorAll("iframe, img, object, embed, form, base, link:not([rel=icon])").length,
  handlers: [...page.querySelectorAll("*")].flatMap((one) => [...one.attributes])
    .filter((one) => one.name.startsWith("on") || one.name === "style").length,
  links: [...page.querySelectorAll("[href]")].map((one) => one.getAttribute("href"))
    .filter((href) => !href.startsWith("#") && href !== "data:,"),
  ids: [...page.querySelectorAll("[id]")].map((one) => one.id),
  paper: window.getComputedStyle(page.body).backgroundColor,
};
"""


LIVELY = ("hostile",)
"""The plans whose pages a browser shows in the fast suite, too; each look takes it more than a second."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in LIVELY else pytest.mark.slow) for name in PLANS]
)
def test_a_page_asks_for_nothing_and_says_nothing_on_the_console(
    name: str, plans: dict[str, Plan], tmp_path: Path
) -> None:
    seen = look(plan_html(plans[name]), STATE, tmp_path)
    assert seen.console == []
    assert seen.asked == ["/", "/page.html"]
    assert seen.found["scripts"] == 1
    assert (seen.found["frames"], seen.found["handlers"], seen.found["links"]) == (0, 0, [])
    assert len(seen.found["ids"]) == len(set(seen.found["ids"]))
    assert len(seen.found["shown"]) == len(plans[name].actions) + len(plans[name].deposed)


@pytest.mark.slow
def test_what_would_be_smuggled_in_is_noticed_and_kept_out(plans: dict[str, Plan], tmp_path: Path) -> None:
    planted = '<img src="http://evil.example/x.png"><script>document.title = "owned"</script>'
    page = plan_html(plans["empty"]).replace("<main>", f"<main>{planted}")
    seen = look(page, STATE, tmp_path)
    assert len(seen.console) == 2
    assert seen.asked == ["/", "/page.html"]
    assert seen.found["title"] == "Plan of test"
    open_to_all = re.sub(r"<meta http-equiv=[^>]*>", "", page)
    seen = look(open_to_all, STATE, tmp_path)
    assert "http://evil.example/x.png" in seen.asked
    assert seen.found["title"] == "owned"


def test_hostile_names_stay_text(plans: dict[str, Plan], tmp_path: Path) -> None:
    seen = look(plan_html(plans["hostile"]), STATE, tmp_path)
    assert seen.found["h1"] == plans["hostile"].stack
    names = [f"dataset.{text}" for text in HOSTILE if text.isprintable()]
    told = " ".join(seen.found["shown"])
    assert [name for name in names if name not in told and "::" not in name and "##" not in name] == []


@pytest.mark.slow
def test_a_phone_has_no_need_to_scroll_sideways(plans: dict[str, Plan], tmp_path: Path) -> None:
    for name in ("updates", "hostile", "deletes"):
        assert look(plan_html(plans[name]), STATE, tmp_path, 390).found["wide"] <= 390


@pytest.mark.slow
def test_light_and_dark(plans: dict[str, Plan], tmp_path: Path) -> None:
    page = plan_html(plans["creates"])
    papers = [
        look(page, STATE, tmp_path, 1200, f"--blink-settings=preferredColorScheme={scheme}").found["paper"]
        for scheme in (0, 1)
    ]
    lightness = [sum(map(int, re.findall(r"\d+", paper))) for paper in papers]
    assert lightness[0] < 200 < 700 < lightness[1]


FILTER = """
const shown = () => [...page.querySelectorAll("details.change")].filter((one) => !one.hidden).map((one) => one.dataset.name);
const told = () => page.getElementById("shown").textContent;
const boxes = (name) => Object.fromEntries([...page.querySelectorAll(`input[name=${name}]`)].map((one) => [one.value, one]));
const steps = { all: [shown(), told()] };
boxes("kind").dataset.click();
steps.kind = [shown(), told()];
boxes("kind").dataset.click();
boxes("word").replace.click();
steps.word = [shown(), told()];
boxes("word").replace.click();
const search = page.getElementById("search");
search.value = "  WEBhook ";
search.dispatchEvent(new window.Event("input"));
steps.text = [shown(), told()];
search.value = "nothing like it";
search.dispatchEvent(new window.Event("input"));
steps.none = [shown(), told(), page.getElementById("nothing").hidden];
search.dispatchEvent(new window.KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
steps.again = [shown().length, search.value, page.getElementById("nothing").hidden];
page.getElementById("close").click();
steps.closed = [...page.querySelectorAll("details.change")].filter((one) => one.open).length;
page.getElementById("open").click();
steps.open = [...page.querySelectorAll("details.change")].filter((one) => one.open).length;
page.body.dispatchEvent(new window.KeyboardEvent("keydown", { key: "/", bubbles: true }));
steps.focus = page.activeElement.id;
steps.order = [...page.querySelectorAll("a[href], button, input, summary, [tabindex]")].every((one) => one.tabIndex >= 0);
return steps;
"""


def test_filters_by_kind_action_and_name(plans: dict[str, Plan], tmp_path: Path) -> None:
    seen = look(plan_html(plans["updates"]), FILTER.replace("replace", "update"), tmp_path)
    assert seen.console == []
    steps = seen.found
    everything = sorted(str(change.address) for change in plans["updates"].actions)
    assert (sorted(steps["all"][0]), steps["all"][1]) == (everything, "6 in all")
    assert steps["kind"][1] == "4 of 6 shown"
    assert not [name for name in steps["kind"][0] if name.startswith("dataset.")]
    assert steps["word"] == [[], "0 of 6 shown"]
    assert steps["text"] == [["webhook.done"], "1 of 6 shown"]
    assert steps["none"] == [[], "0 of 6 shown", False]
    assert steps["again"] == [6, "", True]
    assert (steps["closed"], steps["open"], steps["focus"], steps["order"]) == (0, 6, "search", True)


FOLLOW = """
const change = page.getElementById("c1");
page.getElementById("close").click();
const folded = change.open;
window.location.hash = "#c1";
window.dispatchEvent(new window.HashChangeEvent("hashchange"));
return [folded, change.open, page.activeElement === change.querySelector("summary"),
  [...page.querySelectorAll("svg a")].map((one) => one.getAttribute("href")).every((href) => page.querySelector(`details${href}`))];
"""


@pytest.mark.slow
def test_a_box_of_the_graph_leads_to_its_change(plans: dict[str, Plan], tmp_path: Path) -> None:
    assert look(plan_html(plans["creates"]), FOLLOW, tmp_path).found == [False, True, True, True]


def test_without_script_everything_is_there_and_nothing_is_in_the_way(plans: dict[str, Plan]) -> None:
    page = plan_html(plans["updates"])
    for change in plans["updates"].actions:
        assert f'data-name="{change.address}"' in page
    assert re.findall(r'<(?:div|p) [^>]*(?:buttons|filters)"[^>]*>', page) == [
        '<div class="buttons" data-script hidden>',
        '<div class="filters" data-script hidden>',
    ]


@pytest.mark.slow
def test_a_page_of_thousands_of_changes_is_filtered_too(tmp_path: Path) -> None:
    script = (
        FILTER.split('boxes("kind")')[0]
        + """
const search = page.getElementById("search");
search.value = "resource-42";
search.dispatchEvent(new window.Event("input"));
return [steps.all[1], told()];
"""
    )
    seen = look(plan_html(large(2000)), script, tmp_path)
    assert (seen.console, seen.found) == ([], ["2000 in all", "11 of 2000 shown"])


SCRIPTLESS = """
const seen = (one) => one.getClientRects().length > 0;
return [[...page.querySelectorAll("details.change")].filter(seen).length,
  [...page.querySelectorAll("[data-script]")].filter(seen).length,
  [...page.querySelectorAll("details.change[open] td")].filter(seen).length > 0];
"""


@pytest.mark.slow
def test_a_browser_without_script_shows_everything(plans: dict[str, Plan], tmp_path: Path) -> None:
    page = plan_html(plans["updates"])
    assert look(page, SCRIPTLESS, tmp_path).found == [6, 2, True]
    seen = look(page, SCRIPTLESS, tmp_path, scripts=False)
    assert len(seen.console) == 1  # that the script was not run
    assert seen.found == [6, 0, True]


class Outline(HTMLParser):
    """The tags of a page, and whether each that is opened is closed where it should be."""

    VOID = {"meta", "link", "input", "path", "rect"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"{tag} at {self.getpos()}")


@pytest.mark.parametrize("name", PLANS)
def test_every_tag_is_closed(name: str, plans: dict[str, Plan]) -> None:
    outline = Outline()
    outline.feed(plan_html(plans[name]))
    assert (outline.wrong, outline.open) == ([], [])


def test_the_page_of_a_plan_that_failed_is_drawn_as_the_others_are(tmp_path: Path) -> None:
    told = [*HOSTILE, "x" * 2000, ""]
    page = failed_html("".join(HOSTILE), 1, told)
    outline = Outline()
    outline.feed(page)
    assert (outline.wrong, outline.open) == ([], []) and page.count('<span class="line') == len(told)
    seen = look(page, STATE, tmp_path, 390)
    assert seen.console == [] and seen.asked == ["/", "/page.html"] and seen.found["wide"] <= 390
    assert seen.found["scripts"] == 1
    assert (seen.found["frames"], seen.found["handlers"], seen.found["links"]) == (0, 0, [])


def test_the_policy_lets_only_our_own_script_and_style_in(plans: dict[str, Plan]) -> None:
    page = plan_html(plans["updates"])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].replace("&#39;", "'").startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert "http" not in policy[1]


def test_of_a_large_plan_the_changed_part_is_drawn_or_nothing() -> None:
    assert "<svg" in plan_html(large(NODES // 2))
    assert "<svg" not in plan_html(large(4 * NODES))


def test_a_drawing_has_each_box_to_the_right_of_what_it_needs() -> None:
    needs = {"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": [], "e": []}
    drawing = layered(needs)
    assert drawing
    for node, needed in needs.items():
        for need in needed:
            assert drawing.boxes[need][0] < drawing.boxes[node][0]
    assert len(set(drawing.boxes.values())) == len(needs)
    assert len(drawing.lines) == 4
    assert layered({"a": ["b"], "b": ["a"]}) is None
