"""Many stacks in one run: which there are, which changed, what each would do, and what a CI service is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from markdown_it import MarkdownIt

from lbstack.forge.pages import failure
from lbstack.render.json import schema
from lbstack.stack.discovery import stacks_under
from lbstack.stack.since import Changed, touched
from tests.cli.conftest import Cli

VALIDATOR = jsonschema.Draft202012Validator(schema("plans"))
ONE = "stack: {name}\ndatasets:\n  d: {{name: {name}}}\n"


@pytest.fixture
def many(served: Cli) -> Cli:
    """Three stacks: a file, a file beside it, and a folder of two files; and files that are none."""
    (served.folder / "stack.yaml").unlink()
    for name in ("a", "b"):
        served.write(ONE.format(name=name), f"{name}.yaml")
    (served.folder / "c").mkdir()
    served.write(ONE.format(name="c"), "c/main.yaml")
    served.write(
        "ontologies:\n  o: {name: O, media_type: IMAGE, tools: [{tool: polygon, name: P}]}\n", "c/more.yml"
    )
    served.write("env: dev\n", "values.yaml")
    (served.folder / ".github").mkdir()
    served.write("on: push\nstack: no\n", ".github/flow.yaml")
    return served


def matrix(cli: Cli, *words: str, code: int = 0) -> dict[str, Any]:
    done = cli("plan", "--all", "--json", *words)
    assert done.returncode == code, done.stdout + done.stderr
    told = json.loads(done.stdout)
    VALIDATOR.validate(told)  # whatever a test is about
    return {each["stack"]: each for each in told}


def git(cli: Cli, *words: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *words], cwd=cli.folder, check=True, capture_output=True)


def test_stacks_are_files_and_folders_that_begin_one(many: Cli) -> None:
    assert [str(path.relative_to(many.folder)) for path in stacks_under(many.folder)] == [
        "a.yaml",
        "b.yaml",
        "c",
    ]


def test_all_are_planned_and_told_as_one(many: Cli) -> None:
    assert many("apply", "b.yaml", "--auto-approve").returncode == 0
    done = many("plan", "--all", "--detailed-exitcode")
    assert done.returncode == 2
    told = [line for line in done.stdout.splitlines() if not line.startswith(("      ", "lbstack will"))]
    assert [line for line in told if line.startswith("#")] == ["# a (a.yaml)", "# b (b.yaml)", "# c (c)"]
    assert told[-2:] == ["3 stacks: 2 with changes, 1 without.", "Plan: 3 to add, 0 to change, 0 to destroy."]
    assert "No changes. Your infrastructure matches the configuration." in told


def test_a_matrix_is_told_in_json(many: Cli) -> None:
    told = matrix(many)
    assert {name: (each["path"], each["changes"], each["exit_code"]) for name, each in told.items()} == {
        "a": ("a.yaml", True, 2), "b": ("b.yaml", True, 2), "c": ("c", True, 2),
    }  # fmt: skip
    assert told["c"]["summary"]["add"] == 2 and told["c"]["digest"].startswith("1.")


def test_the_list_of_plans_has_a_schema(many: Cli) -> None:
    jsonschema.Draft202012Validator.check_schema(schema("plans"))
    assert json.loads(many("schema", "--plan", "--all").stdout) == schema("plans")
    assert many("schema", "--all").returncode == 64
    good = matrix(many)["a"]
    wrong: tuple[dict[str, Any], ...] = (
        {"summary": None}, {"digest": "2."}, {"exit_code": "2"}, {"refused": True}, {"stack": ""}, {"more": 1},
        {"diagnostics": [{"severity": "error"}]}, {"summary": {"add": 1}},
    )  # fmt: skip
    for slip in wrong:
        assert not VALIDATOR.is_valid([good | slip]), slip
    for name in good:
        assert not VALIDATOR.is_valid([{key: value for key, value in good.items() if key != name}]), name


def test_a_stack_that_is_broken_or_refused_stops_no_other(many: Cli) -> None:
    many.write("stack: b\ndatasets: {d: {name: d, nam: x}}\n", "b.yaml")
    many.write("stack: bb\ndatasets: {d: {name: x, lifecycle: {prevent_destroy: true}}}\n", "z.yaml")
    assert many("apply", "z.yaml", "--auto-approve").returncode == 0
    many.write("stack: bb\ndatasets: {e: {name: y}}\n", "z.yaml")
    told = matrix(many, code=5)
    assert (told["b"]["exit_code"], told["bb"]["exit_code"], told["a"]["exit_code"]) == (1, 5, 2)
    assert "unknown key" in told["b"]["diagnostics"][0]["summary"]
    done = many("plan", "--all")
    assert "b.yaml:2:25: unknown key" in done.stderr and "is protected" in done.stderr
    assert done.stdout.splitlines()[-3:] == [
        "4 stacks: 2 with changes, 0 without, 1 refused, 1 failed.",
        "Of what is refused nothing can be done, and it is not counted below: 1 to add, 0 to change, 1 to destroy.",
        "Plan: 3 to add, 0 to change, 0 to destroy.",
    ]
    assert {name: each["refused"] for name, each in told.items()} == {
        "a": False, "b": False, "bb": True, "c": False,
    }  # fmt: skip


def test_a_folder_of_several_is_no_stack_and_the_command_for_one_is_named(many: Cli) -> None:
    one = {
        "plan": "plan a.yaml",
        "apply": "apply a.yaml",
        "drift": "drift a.yaml",
        "validate": "validate a.yaml",
    }
    for verb, command in one.items():
        done = many(verb)
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith("Error: . holds 2 stacks: a in a.yaml, b in b.yaml; "), done.stderr
        assert f": lbstack {command};" in done.stderr and "its files have one name" in done.stderr
        assert (": lbstack plan --all;" in done.stderr) is (verb == "plan")
    assert (
        ": lbstack apply --destroy a.yaml --state x.json;"
        in many("apply", "--destroy", "--state", "x.json").stderr
    )
    assert "as in: a.yaml;" in many("state", "rm", "dataset.d").stderr, "which needs more than a stack"
    (told,) = json.loads(many("validate", "--json").stdout)["diagnostics"]
    assert told["summary"] == ". holds 2 stacks: a in a.yaml, b in b.yaml"
    many.write("stack: b\nwrong: [\n", "b.yaml")
    assert "holds 2 stacks" in many("validate").stderr, "whatever else is wrong with them"
    many.write("stack:\n", "b.yaml")
    assert "b.yaml:1:7: this is no name for a stack" in many("validate").stderr


def test_a_folder_of_folders_names_the_stacks_below_it(many: Cli) -> None:
    for name in ("a.yaml", "b.yaml", "values.yaml"):
        (many.folder / name).unlink()
    done = many("plan")
    assert done.returncode == 64
    assert done.stderr == (
        "Error: . is no stack, and below it lie: c in c; to plan all: lbstack plan --all; or one:"
        " lbstack plan c\n"
    )
    (many.folder / "c" / "main.yaml").unlink()
    assert "no *.yaml file in ." in many("plan").stderr


def test_two_stacks_of_one_name_are_refused(many: Cli) -> None:
    many.write("stack: a\ndatasets: {other: {name: Other}}\n", "aa.yaml")
    assert many("apply", "a.yaml", "--auto-approve").returncode == 0
    told = many("plan", "--all")
    assert told.returncode == 1 and "dataset.other" not in told.stdout
    assert "aa.yaml: stack a is the name of a.yaml, too" in told.stderr
    assert "a.yaml: stack a is the name of aa.yaml, too" in told.stderr
    assert {each["digest"] for each in matrix(many, code=1).values() if each["stack"] == "a"} == {None}


def test_plans_are_saved_and_carried_out_each_by_itself(many: Cli) -> None:
    plans = many.folder / "plans"
    assert many("plan", "--all", "--out", "plans").returncode == 64
    plans.mkdir()
    assert many("plan", "--all", "--out", "plans").returncode == 0
    assert sorted(path.name for path in plans.iterdir()) == ["a.json", "b.json", "c.json"]
    done = many("apply", "plans/c.json")
    assert done.returncode == 0 and "2 added" in done.stdout, done.stderr


def test_each_stack_has_its_pages_the_refused_one_too(many: Cli) -> None:
    many.write("stack: a\ndatasets: {d: {name: x, lifecycle: {prevent_destroy: true}}}\n", "a.yaml")
    assert many("apply", "a.yaml", "--auto-approve").returncode == 0
    many.write("stack: a\n", "a.yaml")
    many.write("stack: b\nwrong: 1\n", "b.yaml")
    words = ("plan", "--all", "--markdown", "pages", "--html", "pages", "--out", "pages")
    done = many(*words)
    assert done.returncode == 64 and "is no folder" in done.stderr and "make it first" in done.stderr
    pages = many.folder / "pages"
    pages.mkdir()
    assert many(*words).returncode == 5
    assert sorted(path.name for path in pages.iterdir()) == [
        "a.html", "a.md", "b.html", "b.md", "c.html", "c.json", "c.md",
    ]  # fmt: skip
    assert "This plan is refused" in (pages / "a.md").read_text()
    failed = (pages / "b.md").read_text()
    assert failed.startswith("<!-- lbstack:plan b -->\n\n### lbstack plan of `b`\n")
    assert "**The plan failed (exit code 1).** Nothing is approved." in failed
    assert "b.yaml:2:1: unknown key 'wrong'" in failed and "digest" not in failed
    page = (pages / "b.html").read_text()
    assert "The plan failed (exit code 1)" in page and "b.yaml:2:1: unknown key" in page
    assert "lbstack plan of `c`" in (pages / "c.md").read_text()
    assert many(*words).returncode == 5, "reports take the place of older ones"
    (pages / "c.md").write_bytes((pages / "c.json").read_bytes())
    done = many(*words)
    assert done.returncode == 64 and "is a saved plan" in done.stderr


HOSTILE = "</pre><script>x()</script>`````@all ![x](http://x)\\u202e"


def test_the_page_of_a_plan_that_failed_is_short_and_holds_what_it_says(many: Cli) -> None:
    keys = "".join(f'"{number}{HOSTILE}": 1\n' for number in range(60))
    many.write("stack: a\n" + keys, "a.yaml")
    many.write(ONE.format(name="b") + keys, "bb.yaml")
    (many.folder / "pages").mkdir()
    words = ("plan", "--all", "--markdown", "pages", "--html", "pages", "--max-bytes", "2000")
    assert many(*words).returncode == 1
    page = (many.folder / "pages" / "a.md").read_bytes()
    assert len(page) <= 2000 and b"The plan failed" in page and b"unknown key" in page
    told = [token.type for token in MarkdownIt().parse(page.decode()) if token.level == 0]
    assert told == [
        "html_block", "heading_open", "heading_close", "paragraph_open", "paragraph_close", "fence",
    ]  # fmt: skip
    html = (many.folder / "pages" / "a.html").read_text()
    assert "<script>x()" not in html and "\u202e" not in html
    twins = (many.folder / "pages" / "b.html").read_text()
    assert "stack b is the name of bb.yaml, too" in twins and "bb.yaml:4:1: unknown key" in twins


def test_a_stack_that_nobody_may_read_or_ask_for_has_its_page(many: Cli) -> None:
    (many.folder / "pages").mkdir()
    done = many("plan", "--all", "--markdown", "pages", env={"LABELBOX_API_KEY": "0123456789wrong"})
    assert done.returncode == 6
    assert "(exit code 6)" in (many.folder / "pages" / "c.md").read_text()


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").exists(), reason="nothing is closed to root")
def test_a_folder_that_cannot_be_written_is_told_for_each_and_ends_nothing(many: Cli) -> None:
    many.write("stack: z\nwrong: 1\n", "z.yaml")
    closed = Path("/proc/self/fdinfo") if os.geteuid() == 0 else many.folder / "closed"
    if closed.parent == many.folder:
        closed.mkdir(mode=0o500)
    (many.folder / "pages").mkdir()
    done = many("plan", "--all", "--html", str(closed), "--markdown", "pages", "--out", str(closed))
    assert done.returncode == 1, done.stderr
    for name in "abcz":
        assert f"/{name}.html: " in done.stderr, done.stderr
    assert {path.name for path in (many.folder / "pages").iterdir()} == {f"{name}.md" for name in "abcz"}


def test_only_what_was_touched_since_a_revision_is_planned(many: Cli) -> None:
    git(many, "init")
    git(many, "add", ".")
    git(many, "commit", "-m", "first")
    assert matrix(many, "--changed-since", "HEAD") == {}
    many.write("ontologies: {}\n", "c/more.yml")
    assert set(matrix(many, "--changed-since", "HEAD")) == {"c"}
    git(many, "checkout", "-b", "work")
    git(many, "commit", "-am", "second")
    many.write(ONE.format(name="new"), "new.yaml")
    assert set(matrix(many, "--changed-since", "main")) == {"c", "new"}
    (many.folder / "a.yaml").unlink()
    done = many("plan", "--all", "--changed-since", "main")
    assert "stack a is gone from a.yaml since main: what it made stays" in done.stderr
    for wrong in ("no-such", "--output=x", "HEAD:a.yaml"):
        refused = many("plan", "--all", f"--changed-since={wrong}")
        assert refused.returncode == 64 and "revision" in refused.stderr, refused.stderr
    assert not (many.folder / "x").exists()


def test_a_revision_needs_a_repository(many: Cli) -> None:
    done = many(
        "plan", "--all", "--changed-since", "HEAD", env={"GIT_CEILING_DIRECTORIES": str(many.folder.parent)}
    )
    assert done.returncode == 1 and "--changed-since works in a git repository" in done.stderr


def test_variables_are_shared_and_a_slip_is_told(many: Cli) -> None:
    many.write("stack: a\nvariables: {env: {}}\ndatasets: {d: {name: 'a-${var.env}'}}\n", "a.yaml")
    done = many("plan", "--all", "--var", "env=dev")
    assert done.returncode == 0 and '"a-dev"' in done.stdout, done.stderr
    done = many("plan", "--all", "--var", "env=dev", "--var", "evn=dev")
    assert done.returncode == 64 and "no stack declares the variable evn" in done.stderr


def test_one_setting_names_the_state_of_each(many: Cli) -> None:
    done = many("apply", "a.yaml", "--auto-approve", "--state", "states/{stack}.json")
    assert done.returncode == 0 and (many.folder / "states" / "a.json").exists()
    told = matrix(many, "--state", "states/{stack}.json")
    assert [name for name, each in told.items() if each["changes"]] == ["b", "c"]


@pytest.mark.parametrize(
    "named", ["s/{Stack}.json", "s/{name}-{stack}.json", "s3://b/{}.json", "${HOME}/s.json"]
)
def test_what_stands_for_nothing_in_the_place_of_a_state_is_refused(many: Cli, named: str) -> None:
    (word,) = {*re.findall(r"\{.*?\}", named)} - {"{stack}"}
    for command in (
        ("plan", "--all"),
        ("plan", "a.yaml"),
        ("apply", "a.yaml", "--auto-approve"),
        ("state", "list", "a.yaml"),
    ):
        done = many(*command, "--state", named)
        assert done.returncode == 64 and f"--state {named}: {word} stands for nothing" in done.stderr, (
            done.stderr
        )
        assert "{stack} stands for the stack's name" in done.stderr
    done = many("plan", "a.yaml", env={"LBSTACK_STATE": named})
    assert done.returncode == 64 and f"LBSTACK_STATE={named}: {word}" in done.stderr
    assert not (many.folder / "s").exists()


@pytest.mark.parametrize("words", [["--target", "dataset.d"], ["--destroy"], ["--allow-mass-change"]])
def test_what_is_about_one_stack_is_wrong_usage(many: Cli, words: list[str]) -> None:
    assert many("plan", "--all", *words).returncode == 64
    assert many("plan", "a.yaml", "--changed-since", "HEAD").returncode == 64
    assert many("plan", "--all", "a.yaml").returncode == 64


def test_a_stack_that_only_moved_is_not_told_as_gone(many: Cli) -> None:
    git(many, "init")
    git(many, "add", ".")
    git(many, "commit", "-m", "first")
    git(many, "mv", "a.yaml", "moved.yaml")
    git(many, "rm", "c/more.yml")
    git(many, "commit", "-m", "second")
    done = many("plan", "--all", "--json", "--changed-since", "HEAD~1")
    assert "gone" not in done.stderr
    # What shrank to one file is no folder any more, and was touched all the same.
    assert {each["stack"]: each["path"] for each in json.loads(done.stdout)} == {
        "a": "moved.yaml",
        "c": "c/main.yaml",
    }


def test_a_file_of_variables_is_no_part_of_a_stack_and_touches_all(many: Cli) -> None:
    (many.folder / "c" / "more.yml").unlink()
    many.write("env: prod\n", "c/values.yaml")
    assert matrix(many)["c"]["path"] == "c/main.yaml"
    for name in ("a", "b"):
        many.write(
            f"stack: {name}\nvariables: {{env: {{}}}}\ndatasets: {{d: {{name: '{name}-${{var.env}}'}}}}\n",
            f"{name}.yaml",
        )
    many.write("stack: c\nvariables: {env: {default: x}}\n", "c/main.yaml")
    git(many, "init")
    git(many, "add", ".")
    git(many, "commit", "-m", "first")
    many.write("env: test\n", "values.yaml")
    assert set(matrix(many, "--changed-since", "HEAD", "--var-file", "values.yaml")) == {"a", "b", "c"}


def test_what_is_refused_is_annotated_from_where_the_repository_begins(many: Cli) -> None:
    many.write("stack: c\ndatasets: {d: {name: d, nam: x}}\n", "c/main.yaml")
    env = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(many.folder.parent)}
    done = many("plan", "--all", env=env)
    assert f"::error file={many.folder.name}/c/main.yaml,line=2,col=25," in done.stderr
    done = many("validate", "c", env=env)
    assert f"::error file={many.folder.name}/c/main.yaml,line=2,col=25," in done.stderr


def test_a_file_belongs_to_the_folder_that_is_its_stack(tmp_path: Path) -> None:
    whole, alone = tmp_path / "whole", tmp_path / "alone.yaml"
    whole.mkdir()
    alone.touch()
    for files, hit in (
        ([whole / "new.yml"], [whole]),
        ([alone, whole / "notes.md"], [alone]),
        ([tmp_path / "gone.yaml"], [alone]),
        ([tmp_path / "gone.md"], []),
    ):
        gone = {path.resolve(): "" for path in files if path.name == "gone.yaml"}
        changed = Changed(frozenset(path.resolve() for path in files), gone)
        assert touched([whole, alone], changed) == hit


def test_no_more_is_annotated_than_a_forge_shows_of_a_step(many: Cli) -> None:
    for number in range(14):
        many.write(f"stack: s{number}\ndatasets: {{d: {{name: d, nam: x}}}}\n", f"s{number}.yaml")
    done = many("plan", "--all", env={"GITHUB_ACTIONS": "true"})
    told = [line for line in done.stderr.splitlines() if line.startswith("::error ")]
    assert len(told) == 10 and "5 more" in told[-1]
    done = many("plan", "--all", "--annotations", "none", env={"GITHUB_ACTIONS": "true"})
    assert "::error" not in done.stderr


@pytest.mark.parametrize("log", ["`" * 5000, "ü" * 5000, "a\n" * 5000, "", "one\n" + "x" * 9000])
def test_the_page_of_a_failure_holds_as_much_as_it_may(log: str) -> None:
    page = failure("a" * 63, 1, log, 2000)
    assert len(page.encode()) <= 2000
    assert page.endswith("\n") and (not log or len(page) > 600)
    tokens = MarkdownIt().parse(page)
    assert tokens[-1].type == "fence" and (log[-1:].strip() in tokens[-1].content)
