"""The faces of drift and of validate: complete, valid in their own grammars, and deaf to hostile names."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from markdown_it import MarkdownIt

from lbstack.errors import Problem
from lbstack.plan.drift import DriftReport, ResourceDrift
from lbstack.plan.threeway import FieldDrift, Verdict
from lbstack.render.annotations import MOST, github
from lbstack.render.drift_html import drift_html
from lbstack.render.drift_json import drift_document
from lbstack.render.drift_markdown import WaysOut, drift_markdown
from lbstack.render.findings import Finding, of_drift, of_problems
from lbstack.render.junit import drift_junit, problems_junit
from lbstack.render.sarif import sarif
from lbstack.values import Address, Source, Unknown
from tests.test_render_words import FORBIDDEN, HOSTILE, drift_with

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "lbstack" / "render" / "schemas" / "drift.schema.json").read_text()
)
WAYS = WaysOut("lbstack drift --accept", "lbstack apply")
ODD = {
    **HOSTILE,
    "fence": "```\n# gone\n```",
    "details": "</details><script>alert(1)</script>",
    "comment": "--> <img src=x onerror=alert(1)> <!--",
    "command": "::error file=a::b",
    "percent": "50%0A::error::c",
    "mention": "@everyone #1 https://evil.example",
    "xml": "]]><failure/>&amp;<",
}


def a_report(count: int = 1) -> DriftReport:
    """A resource of each verdict, as many times."""
    here = Source("stacks/a b.yaml", 7, 5)
    line = FieldDrift(("name",), Verdict.DRIFTED, "old", "old", "new", source=here)
    conflict = FieldDrift(("name",), Verdict.CONFLICT, "a", "b", "c", source=here)
    pending = FieldDrift(("integration",), Verdict.PENDING, Unknown(), "b", "b", source=here)
    found = []
    for number in range(count):
        told = {
            Verdict.MISSING: ((), "deleted outside lbstack"),
            Verdict.CONFLICT: ((conflict, line), ""),
            Verdict.DRIFTED: ((line, pending), ""),
            Verdict.PENDING: ((pending,), ""),
            Verdict.CONVERGED: ((), "no longer in the stack"),
        }
        found += [
            ResourceDrift(Address("dataset", f"{verdict}-{number}"), verdict, "id", fields, why, 1.0, here)
            for verdict, (fields, why) in told.items()
        ]
    return DriftReport("signs", "org", "sandbox", tuple(found), (Address("dataset", "good"),))


def test_json_fits_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    checker = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    document = drift_document(a_report())
    checker.validate(document)
    assert document["summary"] == {
        "missing": 1, "conflict": 1, "drifted": 1, "pending": 1, "converged": 1, "agreed": 1,
    }  # fmt: skip
    with pytest.raises(jsonschema.ValidationError):
        checker.validate({**document, "drifted": 1})
    for text in HOSTILE.values():
        checker.validate(drift_document(drift_with(text)))


def test_a_side_without_a_value_has_no_key() -> None:
    from lbstack.plan.changes import ABSENT

    line = FieldDrift(("tags", "x"), Verdict.DRIFTED, ABSENT, ABSENT, "x")
    told = DriftReport("s", "o", "e", (ResourceDrift(Address("a", "b"), Verdict.DRIFTED, "id", (line,)),))
    (field,) = drift_document(told)["resources"][0]["fields"]
    assert field == {"path": ["tags", "x"], "verdict": "drifted", "live": "x"}


# -- JUnit ---------------------------------------------------------------------------------------------


def cases(text: str) -> dict[str, Any]:
    root = ElementTree.fromstring(text)
    return {case.attrib["name"]: case for case in root.iter("testcase")}


def test_junit_fails_what_is_wrong_skips_what_is_pending_and_passes_the_rest() -> None:
    text = drift_junit(a_report())
    found = {name: [child.tag for child in case] for name, case in cases(text).items()}
    assert found == {
        "dataset.missing-0": ["failure"],
        "dataset.conflict-0": ["failure"],
        "dataset.drifted-0": ["failure"],
        "dataset.pending-0": ["skipped"],
        "dataset.converged-0": [],
        "dataset.good": [],
    }
    suite = ElementTree.fromstring(text).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "3", "1")
    assert '~ name = "old" -> "new"' in (cases(text)["dataset.drifted-0"][0].text or "")
    assert cases(text)["dataset.drifted-0"].get("file") == "stacks/a b.yaml"


def test_junit_of_a_stack_has_a_case_for_each_problem_and_each_good_resource() -> None:
    found = of_problems([Problem("no such field", "did you mean name?", Source("a.yaml", 3, 4))])
    found += of_problems([Problem("short secret", "", Source("a.yaml", 5, 6))], "unwise", error=False)
    told = cases(problems_junit("stack", found, [Address("dataset", "d")]))
    assert {name: [child.tag for child in case] for name, case in told.items()} == {
        "a.yaml:3:4: no such field; did you mean name?": ["failure"],
        "a.yaml:5:6: short secret": ["system-out"],
        "dataset.d": [],
    }


# -- SARIF ---------------------------------------------------------------------------------------------


def test_sarif_points_at_the_place_of_each_finding() -> None:
    document = json.loads(sarif(of_drift(a_report())))
    assert document["version"] == "2.1.0" and document["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    results = run["results"]
    assert [result["ruleId"] for result in results] == [
        "lbstack/missing", "lbstack/conflict", "lbstack/drifted", "lbstack/drifted",
    ]  # fmt: skip
    for result in results:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["message"]["text"] and result["level"] == "error"
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "stacks/a%20b.yaml"
        assert place["region"] == {"startLine": 7, "startColumn": 5}
        assert len(result["partialFingerprints"]["lbstack/v1"]) == 64


def test_sarif_knows_a_finding_again_on_another_line() -> None:
    def prints(line: int) -> set[str]:
        found = [
            Finding("drifted", "x", Source("a.yaml", line, 1), Address("dataset", key), "name")
            for key in "ab"
        ]
        return {
            r["partialFingerprints"]["lbstack/v1"] for r in json.loads(sarif(found))["runs"][0]["results"]
        }

    assert prints(1) == prints(9) and len(prints(1)) == 2


def test_sarif_of_nothing_says_that_all_is_well() -> None:
    (run,) = json.loads(sarif([]))["runs"]
    assert run["results"] == []


# -- annotations ---------------------------------------------------------------------------------------

COMMAND = re.compile(r"::(error|warning) (?:file=[^:,]*,line=\d+,col=\d+,)?title=[^:,]*::[^\r\n]*\Z")


def test_an_annotation_points_into_the_file_and_is_escaped() -> None:
    found = [Finding("invalid", "a: b, 100%\nc", Source("odd,na:me%.yaml", 3, 4))]
    assert list(github(found)) == [
        "::error file=odd%2Cna%3Ame%25.yaml,line=3,col=4,title=lbstack%3A invalid::a: b, 100%25%0Ac"
    ]


def test_ten_annotations_are_all_of_a_step() -> None:
    here = Source("a.yaml", 1, 1)
    warnings = [Finding("unwise", "w", here, error=False)] * 3
    assert len(list(github([Finding("invalid", "e", here)] * MOST))) == MOST
    told = list(github([*warnings, *[Finding("invalid", "e", here)] * 20]))
    assert len(told) == MOST
    assert told[-1] == "::error title=lbstack::14 more; the log of this step lists them all"
    assert all(line.startswith("::error ") for line in told)


# -- Markdown ------------------------------------------------------------------------------------------


def test_markdown_says_what_changed_when_and_the_two_ways_out() -> None:
    text = drift_markdown(a_report(), WaysOut("lbstack drift a --accept", "lbstack apply a"))
    assert text.startswith("<!-- lbstack:drift signs -->\n\n### Drift of `signs`\n")
    assert "**Drift: 1 drifted, 1 in conflict, 1 missing, 1 pending, 1 converged.**" in text
    assert "1970-01-01 00:00:01 UTC" in text
    assert '! name = "old" -> "new"' in text
    assert "```sh\nlbstack drift a --accept\n```" in text
    assert "```sh\nlbstack apply a\n```" in text
    assert (
        text.index("missing-0") < text.index("conflict-0") < text.index("drifted-0") < text.index("pending-0")
    )


def test_markdown_of_no_drift_offers_no_way_out() -> None:
    text = drift_markdown(DriftReport("signs", "o", "e", (), (Address("a", "b"),)), WAYS)
    assert "No drift" in text and "accept" not in text


@pytest.mark.parametrize("size", [2000, 5000, 60_000])
def test_markdown_keeps_to_its_bytes_and_counts_the_rest(size: int) -> None:
    report = a_report(400)
    text = drift_markdown(report, WAYS, size)
    assert len(text.encode()) <= size
    shown = len(re.findall("<details>", text))
    left = re.search(r"… and (\d+) more resources", text)
    assert left and shown + int(left[1]) == len(report.resources)
    assert text.count("<details>") == text.count("</details>")
    assert "lbstack drift --accept" in text and "lbstack apply" in text


# -- HTML ----------------------------------------------------------------------------------------------


def test_html_shows_the_three_sides_and_the_ways_out() -> None:
    text = drift_html(a_report(), WaysOut("lbstack drift a --accept", "lbstack apply a"))
    assert "<h1>signs</h1>" in text
    assert [heading for heading in ("last applied", "live", "in the stack") if f">{heading}</th>" in text] == [
        "last applied", "live", "in the stack",
    ]  # fmt: skip
    assert "<code>lbstack drift a --accept</code>" in text and "<code>lbstack apply a</code>" in text
    assert text.count('<details class="change') == 5
    assert "default-src &#39;none&#39;" in text and "http" not in re.sub("http-equiv", "", text)


# -- all of them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_no_face_is_broken_by_a_hostile_name(text: str) -> None:
    report = drift_with(text)
    for name in cases(drift_junit(report)):
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", name)
    document = json.loads(sarif(of_drift(report)))
    assert len(document["runs"][0]["results"]) == len(of_drift(report))
    for line in github(of_drift(report)):
        assert COMMAND.match(line), line
        import unicodedata

        assert not [char for char in line if unicodedata.category(char) in FORBIDDEN]
    html = drift_html(report, WAYS)
    assert html.count("<details") == html.count("</details>") == len(report.resources)
    assert html.count("<script") == 1 and "<img" not in html
    page = drift_markdown(report, WAYS)
    assert page.splitlines()[0].endswith("-->") and "-->" not in page.splitlines()[0][:-3]
    html = MarkdownIt("commonmark", {"html": True}).render(page)
    bare = re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL)
    assert "<script" not in bare and "<img" not in bare and "@everyone" not in bare
    assert html.count("<details>") == html.count("</details>") == len(report.resources)
