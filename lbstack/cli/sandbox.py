"""``lbstack sandbox``: the local Labelbox served and reset; what it looks at is in the files beside this."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbstack.cli.sandbox_cloud import aws
from lbstack.cli.sandbox_data import data_option, opened, readable, say
from lbstack.cli.sandbox_people import accept_invite, key, organization
from lbstack.errors import ConfigError, Exit, UsageError
from lbstack.session import HOME, SANDBOX

if TYPE_CHECKING:
    from lbstack.sandbox.server import Served


@click.group("sandbox")
def command() -> None:
    """A local Labelbox to try things on. It is no place for real data."""


@command.command("serve")
@data_option
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes any free port."
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where it listens.")
@click.option(
    "--allow-remote", is_flag=True, help="Listen on an address that others can reach. They own what is in it."
)
@click.option("--faults", is_flag=True, help="Open a control port, on which it can be told to misbehave.")
@click.option(
    "--control-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="With --faults; 0 takes any free port.",
)
@click.option(
    "--outbound", is_flag=True, help="Deliver to, and fetch from, other machines than this one, too."
)
def serve(
    data: Path, port: int, host: str, allow_remote: bool, faults: bool, control_port: int, outbound: bool
) -> int:
    """Serve the sandbox on loopback; prints the endpoint and an API key, one a line.

    With --faults two more lines follow: `control URL` and `token TOKEN`. Requests to the control port
    carry that token as `Authorization: Bearer TOKEN`.
    """
    from lbstack.sandbox.conditions import Conditions
    from lbstack.sandbox.holding import shared
    from lbstack.sandbox.hosts import is_loopback
    from lbstack.sandbox.server import PlaceError
    from lbstack.sandbox.server import serve as run

    if not allow_remote and not is_loopback(host):
        raise UsageError(
            f"{host} is not a loopback address: others could reach the sandbox",
            "it is no place for real data; give --allow-remote if that is what you want",
        )
    try:
        with readable(data), shared(data):
            say(data)
            run(
                host, port, data, on_served=_say_ready, allow_remote=allow_remote, faults=faults,
                control_port=control_port, conditions=Conditions(outbound=outbound),
            )  # fmt: skip
    except PlaceError as error:
        raise ConfigError(str(error), f"give another {error.option}, or another --host") from None
    return Exit.OK


def _say_ready(served: Served) -> None:
    click.echo(served.endpoint)
    click.echo(served.key)
    if served.control:
        click.echo(f"control {served.control}")
        click.echo(f"token {served.token}")
    click.echo("The sandbox is no place for real data. Ctrl-C stops it.", err=True)


@command.command("reset")
@data_option
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
def reset(data: Path, auto_approve: bool) -> int:
    """Empty the sandbox, and forget the state of stacks that were applied to it."""
    import sys

    if not auto_approve and not sys.stdin.isatty():
        raise UsageError("nobody is there to say yes", "give --auto-approve")
    if not auto_approve and click.prompt("Empty the sandbox? Only 'yes' will be accepted", err=True) != "yes":
        click.echo("Nothing was changed.", err=True)
        return Exit.ERROR
    from lbstack.sandbox.holding import alone

    try:
        say(data)
        with alone(data):
            for path in [*_states(data), *data.glob(f"*@{SANDBOX}.json*"), *data.glob("sandbox.db*")]:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            shutil.rmtree(data / "sandbox-files", ignore_errors=True)
    except BlockingIOError:
        raise ConfigError(
            f"the sandbox in {data} is in use", "stop what serves it, or uses it, first"
        ) from None
    click.echo("The sandbox is empty.")
    return Exit.OK


def _states(data: Path) -> list[Path]:
    """The states of stacks that were applied to this sandbox over HTTP: they name its organizations."""
    import sqlite3

    from lbstack.sandbox import world
    from lbstack.sandbox.seed import open_store
    from lbstack.sandbox.store import FormatError
    from lbstack.state.places import states_of

    if not list(data.glob("sandbox.db")):
        return []
    try:
        store = open_store(data)
        try:
            known = {each["id"] for each in world.organizations(store)}
        finally:
            store.close()
    except (sqlite3.Error, FormatError):
        return []  # what cannot be read is emptied all the same
    return [path for folder in {data, Path(HOME)} for path in states_of(folder, known)]


@command.command("deliveries")
@data_option
@click.option(
    "--last", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many are shown."
)
def deliveries(data: Path, last: int) -> int:
    """Show what was sent to webhooks: delivery, event, URL, attempts, and the last answer."""
    from lbstack.render.words import safe
    from lbstack.sandbox.events import newest

    with opened(data) as store:
        for row in newest(store, last):
            answer = row["responseCode"] or row["error"] or "not sent yet"
            line = f"{row['id']}  {row['event']}  {row['url']}  {row['attempts']}  {row['status']}: {answer}"
            click.echo(safe(line))
    return Exit.OK


for each in (aws, key, organization, accept_invite):
    command.add_command(each)
