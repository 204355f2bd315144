"""What a job tells its CI service in files: a summary that is never too long, outputs that none of them can
forge, the counts of a merge request."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbstack.errors import StateError, UsageError
from lbstack.forge import report
from tests.cli.conftest import STACK, Cli


def parsed(text: str) -> dict[str, str]:
    """Outputs as a runner reads them."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, end = line.split("<<", 1)
            value: list[str] = []
            for inner in lines:
                if inner == end:
                    break
                value.append(inner)
            else:
                raise AssertionError("no end")
            found[name] = "\n".join(value)
        else:
            assert equals > 0, line
            name, found[name] = line.split("=", 1)[0], line.split("=", 1)[1]
    return found


@given(
    st.dictionaries(st.text(string.ascii_letters + "_-", min_size=1).filter(lambda n: n[0] != "-"), st.text())
)
def test_outputs_are_read_as_they_were_written(values: dict[str, str]) -> None:
    assert parsed(report.output_lines(values)) == values


@pytest.mark.parametrize(
    "value", ["a\ndigest=evil", "end_x\nevil<<y\n1\ny", "x\r\nEOF\n", "::set-output name=a::b", ""]
)
def test_no_value_begins_another(value: str) -> None:
    text = report.output_lines({"digest": value, "stack": "x"})
    assert parsed(text) == {"digest": value, "stack": "x"}
    first, second = re.findall(r"^(?:digest|stack)<<(end_[0-9a-f]{32})$", text, re.MULTILINE)
    assert first != second
    assert report.output_lines({"digest": value}) != report.output_lines({"digest": value})


@pytest.mark.parametrize("name", ["a b", "a=b", "a<<b", "", "a\nb"])
def test_a_name_is_a_name(name: str) -> None:
    with pytest.raises(UsageError):
        report.output_lines({name: "x"})


PAGE = """\
<!-- lbstack:plan signs -->

### Plan

<details><summary>one</summary>

```diff

+ </details>
```

</details>

last
"""


def test_sections_end_where_nothing_is_open() -> None:
    found = report.sections(PAGE)
    assert [part.split("\n")[0] for part in found] == [
        "<!-- lbstack:plan signs -->",
        "### Plan",
        "<details><summary>one</summary>",
        "last",
    ]
    assert "\n\n".join(found) + "\n" == PAGE


def test_a_summary_that_is_too_long_leaves_out_whole_sections_and_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    before = "before\n" * 3000
    path.write_text(before)
    page = "".join(
        f"<details><summary>{at}</summary>\n\n```text\n{'é' * 1000}\n```\n\n</details>\n\n"
        for at in range(900)
    )
    report.write_summary([page], path)
    written = path.read_bytes()
    assert report.SUMMARY - 3000 < len(written) <= report.SUMMARY
    text = written.decode()
    assert text.startswith(before + "<details><summary>0</summary>")
    kept = text.count("<details>")
    assert kept == text.count("</details>") and text.count("```") == 2 * kept
    assert f"_{900 - kept:,} more sections left out" in text.rstrip().split("\n")[-1]


def test_one_section_that_is_too_long_is_left_out_whole() -> None:
    text = report.fitted(["first\n\n" + "x" * 5000 + "\n\nlast"], 4000)
    assert text.startswith("first\n\n_2 more sections left out") and "x" * 10 not in text


@given(st.text(alphabet="`~<details>/\n #ax", max_size=400), st.integers(300, 2000))
def test_a_summary_never_has_more_bytes_than_there_is_room_for(page: str, room: int) -> None:
    assert len(report.fitted([page * 9], room).encode()) <= room


@pytest.fixture
def planned(cli: Cli) -> Cli:
    assert cli("plan", "--sandbox", "--out", "plan.json", "--markdown", "plan.md").returncode == 0
    return cli


def files(cli: Cli) -> dict[str, str]:
    return {"GITHUB_STEP_SUMMARY": str(cli.folder / "summary"), "GITHUB_OUTPUT": str(cli.folder / "output")}


def test_a_saved_plan_is_told_to_later_steps(planned: Cli) -> None:
    words = ("--plan", "plan.json", "--file", "plan.md", "--code", "2", "--terraform-report", "tf.json")
    done = planned("ci", "summary", *words, env=files(planned))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    document = json.loads(planned("show", "--json", "plan.json").stdout)
    assert parsed((planned.folder / "output").read_text()) == {
        "changes": "true",
        "add": "1",
        "change": "0",
        "destroy": "0",
        "import": "0",
        "forget": "0",
        "digest": document["digest"],
        "stack": "signs",
        "exitcode": "2",
    }
    assert (planned.folder / "summary").read_text().strip() == (
        planned.folder / "plan.md"
    ).read_text().strip()
    assert json.loads((planned.folder / "tf.json").read_text()) == {"create": 1, "update": 0, "delete": 0}


def test_a_plans_json_is_taken_as_well(planned: Cli) -> None:
    planned.write(planned("plan", "--sandbox", "--json").stdout, "doc.json")
    planned.write(planned("show", "--json", "plan.json").stdout, "shown.json")
    for name in ("doc.json", "shown.json"):
        assert planned("ci", "summary", "--plan", name, env=files(planned)).returncode == 0
        assert parsed((planned.folder / "output").read_text())["add"] == "1"


def test_an_empty_plan_has_no_changes(planned: Cli) -> None:
    assert planned("apply", "--sandbox", "--auto-approve").returncode == 0
    assert planned("plan", "--sandbox", "--out", "plan.json").returncode == 0
    assert planned("ci", "summary", "--plan", "plan.json", env=files(planned)).returncode == 0
    told = parsed((planned.folder / "output").read_text())
    assert told["changes"] == "false" and told["digest"] == "1."


def test_changes_of_outputs_alone_are_changes(planned: Cli) -> None:
    assert planned("apply", "--sandbox", "--auto-approve").returncode == 0
    planned.write(STACK + "  more: ${dataset.signs.id}\n")
    assert planned("plan", "--sandbox", "--out", "plan.json", "--detailed-exitcode").returncode == 2
    planned("ci", "summary", "--plan", "plan.json", env=files(planned))
    assert parsed((planned.folder / "output").read_text())["changes"] == "true"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "neither a saved plan nor a plan's JSON"),
        ("{", "neither a saved plan nor a plan's JSON"),
        ("[" * 100_000, "neither a saved plan nor a plan's JSON"),
        ("[]", "has format None, not 1.x"),
        ('{"format_version": "2.0", "summary": {}}', "has format '2.0', not 1.x"),
        ('{"format_version": 1, "summary": {}}', "has format 1, not 1.x"),
        ('{"format_version": "1.9"}', "has no counts"),
        ('{"format_version": "1.9", "summary": {"add": "1; evil"}}', "has no counts"),
        ('{"lbstack_plan":2,"sha256":"","plan":{}}', "has plan format 2, not 3"),
        ('{"lbstack_plan":3,"sha256":"","plan":{}}', "is not as it was saved"),
    ],
)
def test_a_plan_of_another_version_is_told(cli: Cli, text: str, told: str) -> None:
    cli.write(text, "plan.json")
    done = cli("ci", "summary", "--plan", "plan.json", env=files(cli))
    assert done.returncode == 7 and told in done.stderr and "plan again" in done.stderr
    assert not (cli.folder / "output").exists()


def test_a_later_minor_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"format_version": "1.9", "summary": {"add": 3}, "applyable": true, "new": 1}')
    assert report.outputs(report.read_document(path))["add"] == "3"


def test_hostile_names_stay_in_their_outputs(cli: Cli) -> None:
    document = {
        "format_version": "1.0",
        "stack": "x\nexitcode=0\nend<<y",
        "digest": "a\ndigest<<EOF\nb\nEOF",
        "summary": {},
        "applyable": True,
    }
    cli.write(json.dumps(document), "plan.json")
    assert cli("ci", "summary", "--plan", "plan.json", "--code", "2", env=files(cli)).returncode == 0
    told = parsed((cli.folder / "output").read_text())
    assert (
        told["exitcode"] == "2"
        and told["digest"] == document["digest"]
        and told["stack"] == document["stack"]
    )


def test_what_a_command_said_is_shown_as_it_is(cli: Cli) -> None:
    cli.write("Apply complete!\n```\n<script>\n\x1b[2J", "apply.log")
    done = cli("ci", "summary", "--log", "apply.log", "--title", "apply `x` <b>", env=files(cli))
    assert done.returncode == 0
    text = (cli.folder / "summary").read_text()
    assert (
        text.startswith("### ``apply `x` <b>``\n")
        and "````text\nApply complete!\n```\n<script>\n\\u001b[2J\n````" in text
    )


def test_what_failed_tells_what_it_said_and_the_code_alone(cli: Cli) -> None:
    cli.write("Error: no API key\n", "messages.txt")
    words = ("--plan", "plan.json", "--file", "plan.md", "--log", "messages.txt", "--code")
    assert cli("ci", "summary", *words, "6", env=files(cli)).returncode == 0
    assert parsed((cli.folder / "output").read_text()) == {"exitcode": "6"}
    assert (cli.folder / "summary").read_text() == "```text\nError: no API key\n```\n\n"
    assert cli("ci", "summary", *words, "2", env=files(cli)).returncode == 64


def test_what_went_well_shows_its_page_alone(planned: Cli) -> None:
    planned.write("Note: something\n", "messages.txt")
    words = ("--file", "plan.md", "--log", "messages.txt", "--code", "2")
    assert planned("ci", "summary", *words, env=files(planned)).returncode == 0
    assert "Note: something" not in (planned.folder / "summary").read_text()


def test_outside_of_github_only_the_report_is_written(planned: Cli) -> None:
    before = set(planned.folder.iterdir())
    done = planned(
        "ci", "summary", "--plan", "plan.json", "--file", "plan.md", "--terraform-report", "tf.json"
    )
    assert done.returncode == 0
    assert set(planned.folder.iterdir()) - before == {planned.folder / "tf.json"}


def test_a_log_that_is_not_there_is_told(cli: Cli) -> None:
    done = cli("ci", "summary", "--log", "none.log", env=files(cli))
    assert done.returncode == 1 and "there is no file none.log" in done.stderr


def test_a_missing_plan_is_told(tmp_path: Path) -> None:
    with pytest.raises((UsageError, StateError), match="there is no file"):
        report.read_document(tmp_path / "none.json")
