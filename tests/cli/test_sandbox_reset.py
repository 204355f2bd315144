"""Emptying the sandbox: never under somebody who uses it, and with every state that was about it."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cli.conftest import STACK, Cli


@contextmanager
def serving(cli: Cli) -> Iterator[dict[str, str]]:
    """The sandbox of a folder, served by a process of its own; what a client's environment says."""
    words = ("sandbox", "serve", "--port", "0")
    with cli.nursery.saying(words, cli.folder, cli.env, apart=True) as (_, told):
        endpoint, key = (told.readline().strip() for _ in range(2))
        yield {"LABELBOX_ENDPOINT": endpoint, "LABELBOX_API_KEY": key}


def test_what_is_served_is_not_emptied_and_its_states_go_with_it(cli: Cli) -> None:
    home = cli.folder / ".lbstack"
    with serving(cli) as client:
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert cli("apply", "--auto-approve", env=client).returncode == 0
        cli.write(STACK.replace("Street signs", "More signs"))
        refused = cli("sandbox", "reset", "--auto-approve")
        assert refused.returncode == 1
        assert "in use" in refused.stderr
        assert "1 to change" in cli("plan", env=client).stdout
    assert list(home.glob("signs@127.0.0.1*"))
    other = home / "signs@api.labelbox.com.json"
    other.write_text('{"format": 1, "organization": "another"}')
    done = cli("sandbox", "reset", "--auto-approve")
    assert (done.returncode, done.stdout) == (0, "The sandbox is empty.\n")
    assert [path.name for path in home.iterdir() if "@" in path.name] == [other.name]


def test_a_cloud_is_set_up_in_a_folder_of_ones_own(cli: Cli) -> None:
    assert cli("sandbox", "aws", "put-bucket", "teeth").returncode == 0
    assert stat.S_IMODE((cli.folder / ".lbstack").stat().st_mode) == 0o700


def test_a_damaged_sandbox_is_emptied_too(cli: Cli) -> None:
    assert cli("plan", "--sandbox").returncode == 0
    (cli.folder / ".lbstack" / "sandbox.db").write_text("no database " * 1000)
    done = cli("plan", "--sandbox")
    assert done.returncode == 7
    assert "to begin anew: lbstack sandbox reset\n" in done.stderr
    assert cli("sandbox", "reset", "--auto-approve").returncode == 0
    assert cli("plan", "--sandbox").returncode == 0


def test_what_is_no_folder_is_not_blamed_on_the_port(cli: Cli) -> None:
    done = cli("sandbox", "serve", "--port", "0", "--data", "stack.yaml")
    assert done.returncode == 1
    assert "stack.yaml" in done.stderr
    assert "port" not in done.stderr


def test_a_port_that_is_taken_is_named_by_its_option(cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        mine = cli("sandbox", "serve", "--port", port)
        control = cli("sandbox", "serve", "--port", "0", "--faults", "--control-port", port)
    assert (mine.returncode, mine.stdout) == (control.returncode, control.stdout) == (1, "")
    assert f"port {port}, cannot be used" in mine.stderr
    assert "give another --port" in mine.stderr
    assert f"port {port}, cannot be used" in control.stderr
    assert "give another --control-port" in control.stderr
