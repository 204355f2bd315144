"""The page of a drift report in a real Chromium: it runs, it filters, it asks for nothing."""

from __future__ import annotations

from pathlib import Path

from lbstack.render.drift_html import drift_html
from lbstack.render.drift_markdown import WaysOut
from tests.drift.test_faces import a_report
from tests.faces.browser import look
from tests.test_render_words import drift_with

WAYS = WaysOut("lbstack drift --accept", "lbstack apply")


def test_the_page_filters_by_verdict_and_asks_for_nothing(tmp_path: Path) -> None:
    script = """
      const shown = () => [...page.querySelectorAll("details.change")].filter((each) => !each.hidden).length;
      const before = shown();
      page.querySelector('input[name="word"][value="drifted"]').click();
      const after = shown();
      page.getElementById("close").click();
      return {
        before, after,
        open: [...page.querySelectorAll("details.change")].filter((each) => !each.hidden && each.open).length,
        wide: page.documentElement.scrollWidth > window.innerWidth,
        title: page.title,
      };
    """
    for width in (1200, 390):
        seen = look(drift_html(a_report(2), WAYS), script, tmp_path, width)
        assert seen.found == {"before": 10, "after": 8, "open": 0, "wide": False, "title": "Drift of signs"}
        assert seen.console == []
        assert not [path for path in seen.asked if path not in ("/", "/page.html")]


def test_a_hostile_name_runs_nothing(tmp_path: Path) -> None:
    text = '"><script>document.title = "taken"</script><img src=x onerror="document.title=1">'
    seen = look(drift_html(drift_with(text), WAYS), "return page.title;", tmp_path)
    assert seen.found.startswith("Drift of ") and seen.console == []
    assert not [path for path in seen.asked if path not in ("/", "/page.html")]
