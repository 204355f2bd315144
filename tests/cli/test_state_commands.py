"""``lbstack state``: bindings moved, whole states out and in, and a damaged one put back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lbstack.render.words import NO_CHANGES
from tests.cli.conftest import STACK, Cli, graphql

TWO = STACK.replace("outputs:", "  other: {name: Other}\noutputs:")


def state_file(cli: Cli) -> Path:
    (path,) = (cli.folder / ".lbstack").glob("*.json")
    return path


def test_a_moved_resource_is_the_same_object_under_another_address(served: Cli) -> None:
    served.write(TWO)
    assert served("apply", "--auto-approve").returncode == 0
    for words, told in (
        (("dataset.signs", "project.signs"), "its kind stays"),
        (("dataset.signs", "dataset.other"), "dataset.other is in state already"),
        (("dataset.none", "dataset.more"), "dataset.none is not in state"),
        (("dataset.signs", "nonsense"), "nonsense"),
    ):
        refused = served("state", "mv", *words)
        assert (refused.returncode, told in refused.stderr) == (1, True), refused.stderr
    ids = {each["address"]: each["id"] for each in json.loads(served("show", "--json").stdout)["resources"]}
    done = served("state", "mv", "dataset.other", "dataset.more")
    assert done.stdout == "dataset.other is dataset.more now. The stack must name it so, too.\n"
    served.write(TWO.replace("other:", "more:"))
    assert served("apply", "--auto-approve").returncode == 0
    assert served("plan").stdout == NO_CHANGES + "\n"
    now = {each["address"]: each["id"] for each in json.loads(served("show", "--json").stdout)["resources"]}
    assert now == {"dataset.signs": ids["dataset.signs"], "dataset.more": ids["dataset.other"]}


def test_a_state_that_was_emptied_comes_back_with_one_command(served: Cli) -> None:
    assert served("apply", "--auto-approve").returncode == 0
    for damage in (b"", None):
        path = state_file(served)
        path.unlink() if damage is None else path.write_bytes(damage)
        for words in (("plan",), ("apply", "--auto-approve"), ("state", "list"), ("state", "pull")):
            refused = served(*words)
            assert refused.returncode == 7
            assert "lbstack state restore" in refused.stderr
        done = served("state", "restore")
        assert (done.returncode, done.stdout.startswith("Restored ")) == (0, True), done.stderr
        assert served("plan").stdout == NO_CHANGES + "\n"
    assert served("state", "restore").stdout == "The state is intact; there is nothing to restore.\n"


def test_what_is_kept_is_listed_and_an_older_state_is_had_by_its_serial(served: Cli) -> None:
    served.write(TWO)
    served("apply", "--auto-approve")
    served.write(STACK)
    served("apply", "--auto-approve")
    last, first = served("state", "restore", "--list").stdout.splitlines()[:2]
    assert (last.split(maxsplit=1)[1], first.split(maxsplit=1)[1]) == ("1 resources", "2 resources")
    done = served("state", "restore", first.split()[0])
    assert done.returncode == 0
    assert "Plan before you apply" in done.stderr
    assert sorted(served("state", "list").stdout.splitlines()) == ["dataset.other", "dataset.signs"]
    assert served("state", "restore", "999").returncode == 1
    assert served("state", "restore", "1", ".", "more").returncode == 64


def test_a_state_goes_out_and_comes_in(served: Cli) -> None:
    served("apply", "--auto-approve")
    pulled = served("state", "pull")
    (served.folder / "copy.json").write_text(pulled.stdout)
    assert served("state", "push", "copy.json").returncode == 0
    served.write(TWO)
    served("apply", "--auto-approve")
    refused = served("state", "push", "copy.json")
    assert (refused.returncode, "--force" in refused.stderr) == (7, True)
    assert served("state", "push", "copy.json", "--force").returncode == 0
    assert served("state", "list").stdout == "dataset.signs\n"
    assert served("state", "push", "nowhere.json").returncode == 1
    (served.folder / "copy.json").write_text(pulled.stdout.replace("Photos", "Phobos"))
    damaged = served("state", "push", "copy.json")
    assert (damaged.returncode, "checksum" in damaged.stderr) == (7, True)
    key = state_file(served).with_name(state_file(served).name + ".key")
    assert key.exists()


def test_reset_takes_what_is_kept_away_with_the_state(cli: Cli) -> None:
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    assert cli("sandbox", "reset", "--auto-approve").returncode == 0
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("unshare"), reason="mounts are made with unshare"
)
def test_a_state_on_a_file_system_of_the_network_is_refused_unless_it_is_allowed(cli: Cli) -> None:
    mounts = cli.folder / "mounts"
    mounts.write_text(f"1 1 0:1 / / rw - ext4 /dev/x rw\n2 1 0:2 / {cli.folder} rw - nfs4 server:/x rw\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        script = 'mount --bind "$0" /proc/$$/mountinfo && exec "$@"'
        command = [
            "unshare",
            "-Urm",
            "sh",
            "-c",
            script,
            str(mounts),
            sys.executable,
            "-m",
            "lbstack",
            *words,
        ]
        return subprocess.run(
            command, cwd=cli.folder, env=cli.env, capture_output=True, text=True, timeout=60
        )

    refused = run("apply", "--sandbox", "--auto-approve")
    if ("mount" in refused.stderr and "lbstack" not in refused.stderr) or "unshare" in refused.stderr:
        pytest.skip(f"no mounts here: {refused.stderr.strip()}")
    assert refused.returncode == 7, refused.stderr
    assert "is on a file system of the network (nfs4)" in refused.stderr
    assert "--allow-nfs" in refused.stderr
    allowed = run("apply", "--sandbox", "--auto-approve", "--allow-nfs")
    assert allowed.returncode == 0, allowed.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_state_of_somebody_else_is_refused(cli: Cli) -> None:
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    os.chown(state_file(cli), 12345, -1)
    done = cli("plan", "--sandbox")
    assert (done.returncode, "belongs to user 12345" in done.stderr) == (7, True)


def test_what_is_forgotten_may_be_gone_already_and_nothing_else_is_said(served: Cli) -> None:
    assert served("apply", "--auto-approve").returncode == 0
    id = json.loads(served("show", "--json").stdout)["resources"][0]["id"]
    graphql(
        served, "mutation($id: ID!) { updateDataset(where: {id: $id}, data: {deleted: true}) { id } }", id=id
    )
    done = served("state", "rm", "dataset.signs")
    assert done.stdout == "Forgot dataset.signs. Nothing was changed in Labelbox.\n"


def test_a_sweep_with_nothing_to_do_says_that_of_itself(served: Cli) -> None:
    assert (
        served("gc", "--auto-approve").stdout == "There is nothing to remove.\n"
    )  # nor was anything applied
    assert served("apply", "--auto-approve").returncode == 0
    assert served("gc", "--auto-approve").stdout == "There is nothing to remove.\n"
    (line,) = served("gc", "--auto-approve", "--json").stdout.splitlines()
    assert json.loads(line)["@message"] == "There is nothing to remove."
