"""Faces in files: asked for together, written whole, and never over what somebody needs."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from lbstack.cli.faces import Faces
from lbstack.plan.saved import is_plan
from lbstack.redaction import HIDDEN, know
from tests.cli.conftest import Cli

FACES = {"--markdown": "plan.md", "--html": "plan.html"}
ALL = [word for pair in FACES.items() for word in pair]


def test_every_face_is_written_in_one_run_while_the_terminal_shows_text(cli: Cli) -> None:
    done = cli("plan", "--sandbox", "--out", "plan.json", *ALL)
    assert done.returncode == 0, done.stderr
    assert "+ dataset.signs will be created" in done.stdout
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in done.stdout
    assert is_plan(cli.folder / "plan.json")
    for name in FACES.values():
        assert "Plan: 1 to add, 0 to change, 0 to destroy." in (cli.folder / name).read_text()


def test_json_on_stdout_and_faces_in_files(cli: Cli) -> None:
    done = cli("plan", "--sandbox", "--json", *ALL)
    assert json.loads(done.stdout)["summary"]["add"] == 1
    assert (cli.folder / "plan.md").read_text().startswith("<!-- lbstack:plan signs -->\n")


def test_a_saved_plan_has_the_same_faces_later(cli: Cli) -> None:
    cli("plan", "--sandbox", "--out", "plan.json", *ALL)
    first = {name: (cli.folder / name).read_text() for name in FACES.values()}
    for name in FACES.values():
        (cli.folder / name).unlink()
    done = cli("show", "plan.json", *ALL)
    assert done.returncode == 0, done.stderr
    assert {name: (cli.folder / name).read_text() for name in FACES.values()} == first


def test_state_has_no_such_face(cli: Cli) -> None:
    done = cli("show", "--sandbox", *ALL)
    assert done.returncode == 64
    assert "--markdown is of one plan" in done.stderr


def test_many_stacks_have_no_face_in_one_file(cli: Cli) -> None:
    done = cli("plan", "--sandbox", "--all", *ALL)
    assert done.returncode == 64
    assert "--markdown plan.md is no folder; with --all it is one" in done.stderr


def test_a_refused_plan_has_faces_too(cli: Cli) -> None:
    cli.write("stack: signs\ndatasets: {a: {name: A}, b: {name: B}}\n")
    cli("apply", "--sandbox", "--auto-approve")
    cli.write("stack: signs\n")
    done = cli("plan", "--sandbox", *ALL)
    assert done.returncode == 5
    assert "This plan is refused" in (cli.folder / "plan.md").read_text()
    assert (
        "--destroy --markdown plan.md --html plan.html" in done.stderr
    )  # as a part of the command that shows what it allows


@pytest.mark.parametrize("option", FACES)
def test_what_somebody_needs_is_not_written_over(cli: Cli, option: str) -> None:
    cli("plan", "--sandbox", "--out", "plan.json")
    cli.write("a: b\n", "values.yaml")
    (cli.folder / "folder").mkdir()
    os.mkfifo(cli.folder / "pipe")
    for path, words, code in [
        ("plan.json", "is a saved plan", 64),
        ("stack.yaml", "used for something else", 64),
        ("other.yaml", "named as files of stacks are", 64),
        ("folder", "is a folder", 64),
        ("pipe", "is no regular file", 64),
        ("nowhere/x", "there is no folder nowhere", 1),
        (".lbstack/x", "where state is kept", 64),
    ]:
        before = {p: p.read_bytes() for p in cli.folder.iterdir() if p.is_file() and path != "pipe"}
        done = cli("plan", "stack.yaml", "--sandbox", option, path)
        assert (done.returncode, words in done.stderr) == (code, True), (path, done.stderr)
        assert {p: p.read_bytes() for p in before} == before
    for words in (["--out", "x"], ["--state", "x"], ["--var-file", "x"]):
        done = cli("plan", "--sandbox", *words, option, "x")
        assert done.returncode == 64
        assert "used for something else" in done.stderr


def test_a_report_takes_the_place_of_an_older_one_at_once(cli: Cli) -> None:
    for name in FACES.values():
        (cli.folder / name).write_text("an earlier one")
    assert cli("plan", "--sandbox", *ALL).returncode == 0
    for name in FACES.values():
        assert "an earlier one" not in (cli.folder / name).read_text()
    assert not [path for path in cli.folder.iterdir() if path.name.startswith(".plan")]


def test_a_report_is_as_readable_as_other_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        Faces({"markdown": tmp_path / "plan.md"}).write({"markdown": lambda: "text"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "plan.md").stat().st_mode) == 0o640


def test_a_report_that_cannot_be_written_leaves_the_older_one_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "plan.md"
    path.write_text("older")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    caught = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=r"plan\.md"):
            Faces({"markdown": path}).write({"markdown": lambda: "x" * 5000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, caught)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_no_known_secret_is_written_into_a_report(tmp_path: Path) -> None:
    know("a-secret-that-a-name-holds")
    Faces({"markdown": tmp_path / "plan.md"}).write({"markdown": lambda: "<a-secret-that-a-name-holds>"})
    assert (tmp_path / "plan.md").read_text() == f"<{HIDDEN}>"


def test_a_budget_of_bytes_is_kept(cli: Cli) -> None:
    rows = "".join(f"  d{n}: {{name: Dataset {n}}}\n" for n in range(300))
    cli.write(f"stack: signs\ndatasets:\n{rows}")
    assert cli("plan", "--sandbox", "--markdown", "plan.md", "--max-bytes", "5000").returncode == 0
    page = (cli.folder / "plan.md").read_bytes()
    assert 3500 < len(page) <= 5000
    assert b"left out for want of room" in page
    assert cli("plan", "--sandbox", "--markdown", "plan.md", "--max-bytes", "10").returncode == 64
