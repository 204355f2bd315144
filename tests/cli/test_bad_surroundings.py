"""What surrounds a run is out of order: closed streams, full disks, files that are something else."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys

import pytest

from lbstack.state.journal import ROOM
from tests.cli.conftest import Cli, graphql


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param("plan --sandbox >&-", 0, marks=pytest.mark.slow),
        pytest.param("plan --sandbox --json >&- 2>&-", 0, marks=pytest.mark.slow),
        ("plan --sandbox >&- 2>&- <&-", 0),
        ("apply --sandbox <&-", 1),
        ("apply --sandbox --json --auto-approve >&-", 0),
        pytest.param("apply --sandbox --auto-approve <&- >&- 2>&-", 0, marks=pytest.mark.slow),
        pytest.param("output --sandbox --json >&-", 0, marks=pytest.mark.slow),
        ("nonsense 2>&-", 64),
    ],
)
def test_closed_streams_are_nobody_listening(cli: Cli, words: str, code: int) -> None:
    command = f"{sys.executable} -m lbstack {words}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=cli.folder, env=cli.env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stderr
    assert "mistake of its own" not in done.stderr
    if "apply" in words and code == 0:
        assert cli("plan", "--sandbox", "--detailed-exitcode").returncode == 0


def test_what_is_named_is_looked_at_before_anybody_is_asked(cli: Cli) -> None:
    missing = cli("apply", "nope.json", "--sandbox")
    assert missing.returncode == 64
    assert "cannot read nope.json" in missing.stderr
    for text in ("", "\x00garbage", "[1, 2"):
        cli.write(text, "plan.out")
        done = cli("apply", "plan.out", "--sandbox")
        assert done.returncode == 1
        assert "plan.out is neither a stack nor a saved plan" in done.stderr
    cli.write('{"lbstack_plan":' + "[" * 100_000, "plan.out")
    done = cli("apply", "plan.out", "--sandbox")
    assert done.returncode == 7
    assert "plan.out is damaged" in done.stderr


def limited(cli: Cli, size: int) -> subprocess.CompletedProcess[str]:
    """An apply that can write no file larger than this."""
    return cli(
        "apply", "--auto-approve", "--parallelism", "2",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )  # fmt: skip


def test_where_there_is_no_room_to_record_an_apply_nothing_is_sent(served: Cli) -> None:
    full = limited(served, 1500)
    assert full.returncode == 1
    assert re.search(r"\.lbstack/signs@127\.0\.0\.1-\d+\.json\.journal: File too large", full.stderr)
    assert graphql(served, "{ datasets(first: 100) { id } }")["datasets"] == []
    assert served("apply", "--auto-approve").returncode == 0


def test_a_full_disk_ends_an_apply_with_a_summary_and_the_name_of_the_file(served: Cli) -> None:
    names = [f"d{number}" for number in range(12)]
    bodies = "".join(f"  {name}: {{name: {name}, description: {'x' * 30_000}}}\n" for name in names)
    served.write(f"stack: signs\ndatasets:\n{bodies}")
    full = limited(served, ROOM)
    assert full.returncode == 1, full.stdout + full.stderr
    assert ".lbstack/signs@127.0.0.1" in full.stderr
    assert "File too large" in full.stderr
    assert "permissions" not in full.stderr
    assert "Not started: " in full.stdout
    assert "Some of what was done may be neither in the state nor in the journal of this apply" in full.stdout
    assert "What was done is in state" not in full.stdout
    lost = re.findall(r"what it made has the id (\w+)", full.stdout)
    assert served("apply", "--auto-approve").returncode == 0
    ids = {
        each["id"]
        for each in graphql(served, "{ datasets(where: {deleted: false}, first: 100) { id } }")["datasets"]
    }
    shown = json.loads(served("show", "--json").stdout)["resources"]
    assert ids - {each["id"] for each in shown} <= set(lost)


def datasets(count: int, size: int, name: str) -> str:
    bodies = "".join(f"  d{number}: {{name: {name}, description: {'x' * size}}}\n" for number in range(count))
    return f"stack: signs\ndatasets:\n{bodies}"


def test_what_is_in_the_journal_alone_is_said_to_be_there(served: Cli) -> None:
    """A change of a state that is too large by now: what was done fits into the journal."""
    served.write(datasets(12, 30_000, "D"))
    assert served("apply", "--auto-approve").returncode == 0
    served.write(datasets(12, 30_000, "D") + "  more: {name: More}\n")
    full = limited(served, ROOM)
    assert full.returncode == 1, full.stdout + full.stderr
    assert (
        "What was done is in the journal of this apply, which the next one takes up, not in the state"
        " (see the error below)." in full.stdout
    )
    assert "File too large" in full.stderr
    assert "What was done is in state" not in full.stdout
    assert served("plan", "--detailed-exitcode").returncode == 0
    assert served("apply", "--auto-approve").returncode == 0


def test_what_is_in_the_state_after_all_is_said_to_be_there(served: Cli) -> None:
    """Of what is made in several steps the journal tells after each, the state once."""
    projects = (
        datasets(6, 30_000, "P")
        .replace("datasets:", "projects:")
        .replace("}", ", media_type: IMAGE, ontology: o}")
    )
    served.write(f"{projects}ontologies:\n  o: {{name: O, media_type: IMAGE}}\n")
    full = limited(served, ROOM)
    assert full.returncode == 1, full.stdout + full.stderr
    assert "A write failed (see the error below)" in full.stdout
    assert "What was done is in state. To finish the rest" in full.stdout
    assert "could not be written down" not in full.stdout
    assert served("apply", "--auto-approve").returncode == 0
    assert served("plan", "--detailed-exitcode").returncode == 0
