"""What of a folder is which stack, where somebody has just slipped: nothing is left out without a word."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from lbstack.stack.discovery import stacks_under
from tests.cli.conftest import Cli, listed
from tests.cli.test_plan_all import git, matrix

MAIN = "stack: pair\ndatasets: {d: {name: D}}\n"
MORE = "projects: {p: {name: P, media_type: IMAGE}}\n"


@pytest.fixture
def pair(served: Cli) -> Cli:
    """A stack of two files, applied and committed."""
    (served.folder / "stack.yaml").unlink()
    (served.folder / "pair").mkdir()
    served.write(MAIN, "pair/a.yaml")
    served.write(MORE, "pair/b.yaml")
    assert served("apply", "pair", "--auto-approve").returncode == 0
    committed(served)
    return served


def committed(cli: Cli) -> None:
    git(cli, "init")
    git(cli, "add", ".")
    git(cli, "commit", "-m", "first")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MORE.replace("projects", "projcts"), "b.yaml:1:1: unknown key 'projcts'"),
        (MORE.replace("projects", '"project"'), "b.yaml:1:1: unknown key 'project'"),
        (MORE.encode("utf-16").decode("latin-1"), "is UTF-16 or UTF-32"),
    ],
)
def test_a_part_with_a_slip_is_a_part_all_the_same(pair: Cli, text: str, told: str) -> None:
    (pair.folder / "pair" / "b.yaml").write_bytes(text.encode("latin-1"))
    done = pair("plan", "--all")
    assert done.returncode == 1 and told in done.stderr and "destroyed" not in done.stdout
    assert listed(pair, ".", "--changed-since", "HEAD") == {"pair": "pair"}


def test_a_part_without_anything_is_one_too(pair: Cli) -> None:
    pair.write("# projects: {}\n", "pair/b.yaml")
    assert listed(pair, ".", "--changed-since", "HEAD") == {"pair": "pair"}
    assert "project.p will be destroyed" in pair("plan", "--all").stdout


def test_files_that_a_second_name_takes_the_stack_from_are_told(pair: Cli) -> None:
    pair.write("stack: other\ndatasets: {z: {name: Z}}\n", "pair/c.yaml")
    done = pair("plan", "--all")
    assert done.returncode == 1 and "destroyed" not in done.stdout
    assert "pair/b.yaml belongs to no stack: pair/a.yaml and pair/c.yaml begin one each" in done.stderr
    assert pair("ci", "list", ".").returncode == 1


def test_a_stack_that_lost_or_changed_its_name_is_told_as_gone(served: Cli) -> None:
    (served.folder / "stack.yaml").unlink()
    (served.folder / "in").mkdir()
    for name in ("alpha", "beta"):
        served.write(f"stack: {name}\ndatasets: {{{name}: {{name: {name}}}}}\n", f"in/{name}.yaml")
    committed(served)
    served.write("datasets: {beta: {name: beta}}\n", "in/beta.yaml")
    done = served("plan", "--all", "in", "--changed-since", "HEAD")
    assert "stack beta is gone from in/beta.yaml since HEAD: what it made stays" in done.stderr
    assert "git checkout HEAD -- in/beta.yaml" in done.stderr
    served.write("stack: bets\ndatasets: {beta: {name: beta}}\n", "in/beta.yaml")
    done = served("plan", "--all", "in", "--changed-since", "HEAD")
    assert "stack beta is gone from in/beta.yaml since HEAD" in done.stderr
    served.write("stack: alpha\n", "in/beta.yaml")
    served.write("stack: beta\n", "in/alpha.yaml")
    assert "gone" not in served("plan", "--all", "in", "--changed-since", "HEAD").stderr


@pytest.mark.parametrize(
    "text", ["\ufeffstack: odd\n", "{stack: odd, datasets: {}}\n", "'stack': odd\n", "stack : odd # x\n"]
)
def test_a_name_is_found_however_it_is_written(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.yaml").write_text(text)
    assert stacks_under(tmp_path) == {tmp_path / "odd.yaml": "odd"}


def test_what_begins_a_stack_without_a_name_or_cannot_be_read_is_told(served: Cli) -> None:
    served.write("stack:\ndatasets: {}\n", "nameless.yaml")
    served.write("stack: a b\n", "words.yaml")
    (served.folder / "sixteen.yaml").write_bytes("stack: x\n".encode("utf-16"))
    done = served("plan", "--all")
    assert done.returncode == 1
    for told in ("nameless.yaml:1", "words.yaml:1", "sixteen.yaml:1:1: is UTF-16"):
        assert told in done.stderr


def test_a_name_of_a_file_that_is_no_text_stops_no_other(served: Cli) -> None:
    try:
        Path(str(served.folder / "b\udcffd.yaml")).write_text("stack: bad\n")
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    assert set(matrix(served)) >= {"bad"}


def test_a_shallow_clone_says_what_to_fetch(served: Cli) -> None:
    committed(served)
    git(served, "checkout", "-b", "work")
    served.write("stack: new\n", "new.yaml")
    git(served, "add", ".")
    git(served, "commit", "-m", "second")
    git(served, "checkout", "main")
    served.write("stack: newer\n", "newer.yaml")
    git(served, "add", ".")
    git(served, "commit", "-m", "third")
    git(served, "clone", "-q", "--depth", "1", "-b", "work", f"file://{served.folder}", "clone")
    git(served, "-C", "clone", "fetch", "-q", "--depth", "1", "origin", "main")
    done = served("ci", "list", "clone", "--changed-since", "FETCH_HEAD")
    assert done.returncode == 64 and "git fetch --unshallow" in done.stderr and "gone" not in done.stderr


def test_many_stacks_in_one_state_are_refused(pair: Cli) -> None:
    pair.write("stack: other\n", "other.yaml")
    done = pair("plan", "--all", "--state", "one.json")
    assert done.returncode == 64 and "{stack}" in done.stderr and not (pair.folder / "one.json").exists()


def test_a_plan_is_saved_beside_the_state_not_in_its_place(pair: Cli) -> None:
    done = pair("plan", "pair", "--state", "s.json", "--out", "s.json")
    assert done.returncode == 64 and "is where the state is kept" in done.stderr
    (pair.folder / "st").mkdir()
    (pair.folder / "new").mkdir()
    pair.write("stack: new\n", "new/new.yaml")
    done = pair("plan", "--all", "new", "--state", "st/{stack}.json", "--out", "st")
    assert done.returncode == 64 and "is where the state is kept" in done.stderr
    assert not list((pair.folder / "st").glob("*.json"))


def test_a_file_in_the_way_of_one_stack_stops_no_other(pair: Cli) -> None:
    for name in ("other", "third"):
        pair.write(f"stack: {name}\ndatasets: {{d: {{name: {name}}}}}\n", f"{name}.yaml")
    (pair.folder / "plans" / "other.json").mkdir(parents=True)
    pair.write("Something else.\n", "plans/pair.json")
    done = pair("plan", "--all", "--out", "plans", "--markdown", "plans")
    assert done.returncode == 64
    assert "plans/other.json is a folder" in done.stderr
    assert "plans/pair.json exists and is no saved plan" in done.stderr
    assert {path.name for path in (pair.folder / "plans").iterdir()} == {
        "other.json", "other.md", "pair.json", "pair.md", "third.json", "third.md",
    }  # fmt: skip


def test_a_refusal_names_its_stack_a_command_and_what_is_left_from_before(pair: Cli) -> None:
    plans = pair.folder / "plans"
    plans.mkdir()
    words = ("plan", "--all", "--out", "plans", "--markdown", "plans")
    assert pair(*words).returncode == 0
    pair.write("stack: pair\n", "pair/a.yaml")
    (pair.folder / "pair" / "b.yaml").unlink()
    done = pair(*words)
    assert done.returncode == 5
    assert "pair (pair/a.yaml):" in done.stderr
    assert "To plan it by itself: lbstack plan pair/a.yaml" in done.stderr
    assert "plans/pair.json is of an earlier run" in done.stderr
    pair.write("stack: pair\nwrong: 1\n", "pair/a.yaml")
    done = pair(*words)
    assert done.returncode == 1 and "plans/pair.json is of an earlier run" in done.stderr
    assert "unknown key 'wrong'" in (plans / "pair.md").read_text(), "in the place of what it said before"


def stack_of(name: str, *datasets: str) -> str:
    return f"stack: {name}\ndatasets:\n" + "".join(f"  {each}: {{name: {each}}}\n" for each in datasets)


@pytest.fixture
def swapped(served: Cli) -> Cli:
    """Stacks one and two, applied and committed, whose files have each the other's name by now."""
    (served.folder / "stack.yaml").unlink()
    for name in ("one", "two"):
        served.write(stack_of(name, f"of-{name}"), f"{name}.yaml")
        assert served("apply", f"{name}.yaml", "--auto-approve").returncode == 0
    committed(served)
    served.write(stack_of("two", "of-one"), "one.yaml")
    served.write(stack_of("one", "of-two"), "two.yaml")
    return served


def test_stacks_whose_names_have_changed_hands_end_nothing(swapped: Cli) -> None:
    (swapped.folder / "pages").mkdir()
    words = ("plan", "--all", "--changed-since", "HEAD", "--markdown", "pages", "--out", "pages")
    done = swapped(*words)
    assert done.returncode == 5
    assert "one.yaml is stack two now, which was two.yaml in HEAD, and was stack one" in done.stderr
    assert "two.yaml is stack one now, which was one.yaml in HEAD, and was stack two" in done.stderr
    assert "2 stacks: 0 with changes, 0 without, 2 refused." in done.stdout
    assert {path.name for path in (swapped.folder / "pages").iterdir()} == {"one.md", "two.md"}
    assert "This plan is refused" in (swapped.folder / "pages" / "one.md").read_text()
    listing = swapped("ci", "list", ".", "--changed-since", "HEAD", env={"GITHUB_ACTIONS": "true"})
    assert listing.returncode == 0 and "::warning file=one.yaml,line=1,col=1," in listing.stderr
    assert "would end" in listing.stderr and set(json.loads(listing.stdout)[0]) == {"stack", "path"}


def test_files_that_were_exchanged_with_their_names_are_no_concern(swapped: Cli) -> None:
    swapped.write(stack_of("one", "of-one"), "two.yaml")
    swapped.write(stack_of("two", "of-two"), "one.yaml")
    done = swapped("ci", "list", ".", "--changed-since", "HEAD")
    assert done.stderr == "2 of 2 stacks: two, one.\n"
    swapped.write("# Moved, and edited.\n" + stack_of("two", "of-two", "more"), "one.yaml")
    done = swapped("plan", "--all", "--changed-since", "HEAD")
    assert done.returncode == 0 and "Plan: 1 to add, 0 to change, 0 to destroy." in done.stdout, done.stderr
    assert "now, which was" not in done.stderr, "what ends nothing is not refused"


def test_a_stack_that_takes_the_name_of_one_that_is_gone_ends_nothing_of_it(swapped: Cli) -> None:
    (swapped.folder / "two.yaml").unlink()
    done = swapped("plan", "--all", "--changed-since", "HEAD")
    assert done.returncode == 5 and "one.yaml is stack two now" in done.stderr
    assert "stack one is gone from one.yaml since HEAD" in done.stderr


def test_a_stack_that_is_gone_is_annotated_with_what_is_refused(pair: Cli) -> None:
    pair.write("stack: other\n", "other.yaml")
    git(pair, "add", ".")
    git(pair, "commit", "-m", "second")
    (pair.folder / "other.yaml").unlink()
    pair.write("stack: pair\nwrong: 1\n", "pair/a.yaml")
    env = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(pair.folder)}
    done = pair("plan", "--all", "--changed-since", "HEAD", env=env)
    told = [line for line in done.stderr.splitlines() if line.startswith("::")]
    assert told[0].startswith("::error file=pair/a.yaml,line=2,col=1,")
    assert told[1].startswith(
        "::warning file=other.yaml,line=1,col=1,title=lbstack%3A gone::stack other is gone"
    )
    done = pair("ci", "list", ".", "--changed-since", "HEAD", env=env)
    assert "::warning file=other.yaml,line=1,col=1,title=lbstack%3A gone::" in done.stderr
    assert (
        "::" not in pair("plan", "--all", "--changed-since", "HEAD", "--annotations", "none", env=env).stderr
    )


def test_what_was_in_files_is_asked_of_git_at_once_and_of_the_folder_alone(pair: Cli, tmp_path: Path) -> None:
    (pair.folder / "elsewhere").mkdir()
    for number in range(30):
        pair.write(f"stack: s{number}\n", f"elsewhere/{number}.yaml")
        pair.write(f"stack: t{number}\n", f"pair/sub {number}\n.yaml")
    pair.write("stack: big\n" + "# x\n" * 3_000_000, "pair/sub 0\n.yaml")
    git(pair, "add", ".")
    git(pair, "commit", "-m", "second")
    for folder in ("elsewhere", "pair"):
        for path in (pair.folder / folder).glob("*[0-9]*.yaml"):
            path.write_text(path.read_text()[:20].replace("stack: ", "stack: x"))
    trace = tmp_path / "trace"
    done = pair("ci", "list", "pair", "--changed-since", "HEAD", env={"GIT_TRACE": str(trace)})
    assert done.returncode == 1 and "b.yaml belongs to no stack" in done.stderr
    (pair.folder / "pair" / "b.yaml").unlink()
    done = pair("ci", "list", "pair", "--changed-since", "HEAD", env={"GIT_TRACE": str(trace)})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is gone from") == 30 and "stack big is gone" in done.stderr
    assert len(re.findall(r"trace: built-in: git ", trace.read_text())) < 10


def test_a_link_is_told_and_not_followed(served: Cli, tmp_path: Path) -> None:
    folder = served.folder / "stacks"
    (folder / ".hidden").mkdir(parents=True)
    served.write("stack: a\n", "stacks/a.yaml")
    served.write("stack: deep\n", "stacks/.hidden/deep.yaml")
    served.write("x: 1\n", "stacks/.hidden/values.yaml")
    (tmp_path / "outside.yaml").write_text("secret: x\n")
    for name, target in {
        "alias.yaml": "a.yaml",
        "deep.yaml": ".hidden/deep.yaml",
        "values.yaml": ".hidden/values.yaml",
        "outside.yaml": str(tmp_path / "outside.yaml"),
        "broken.yaml": "nowhere.yaml",
    }.items():
        (folder / name).symlink_to(target)
    done = served("plan", "--all", "stacks", "--detailed-exitcode")
    assert done.returncode == 0, done.stderr
    told = [line.split(":")[1].strip() for line in done.stderr.splitlines()]
    assert told == ["stacks/deep.yaml", "stacks/outside.yaml"]
    assert (
        "is a link, which is not followed" in done.stderr and "lbstack plan stacks/deep.yaml" in done.stderr
    )
    done = served("ci", "list", "stacks", "--var-file", "stacks/outside.yaml")
    assert "outside.yaml" not in done.stderr and "deep.yaml" in done.stderr
    (folder / "a.yaml").unlink()
    assert "and no link to one" in served("ci", "list", "stacks").stderr


@pytest.mark.parametrize("damage", ["no object", ""])
def test_what_git_cannot_read_is_told_and_not_taken_for_nothing(pair: Cli, damage: str) -> None:
    for number in range(3):
        pair.write(f"stack: s{number}\n", f"s{number}.yaml")
    git(pair, "add", ".")
    git(pair, "commit", "-m", "second")
    for number in range(3):
        (pair.folder / f"s{number}.yaml").unlink()
    name = hashlib.sha1(b"blob 10\0stack: s1\n", usedforsecurity=False).hexdigest()
    object = pair.folder / ".git" / "objects" / name[:2] / name[2:]
    object.chmod(0o600)
    object.write_text(damage) if damage else object.unlink()
    done = pair("ci", "list", ".", "--changed-since", "HEAD")
    assert done.returncode == 1 and f"git cannot read object {name}" in done.stderr, done.stderr
