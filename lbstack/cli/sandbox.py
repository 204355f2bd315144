"""``lbstack sandbox``: the local Labelbox served, reset, and the cloud it looks at."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbstack.errors import ConfigError, Exit, StateError, UsageError
from lbstack.session import BROKEN, HOME, SANDBOX, dumps

if TYPE_CHECKING:
    import sqlite3

    from lbstack.sandbox.server import Served
    from lbstack.sandbox.store import Store

RESET = "`lbstack sandbox reset` empties it and begins anew"

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path(HOME),
    show_default=True,
    metavar="DIR",
    help="Where the sandbox keeps its workspace.",
)


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
def serve(data: Path, port: int, host: str, allow_remote: bool, faults: bool, control_port: int) -> int:
    """Serve the sandbox on loopback; prints the endpoint and an API key, one a line.

    With --faults two more lines follow: `control URL` and `token TOKEN`. Requests to the control port
    carry that token as `Authorization: Bearer TOKEN`.
    """
    from lbstack.sandbox.holding import shared
    from lbstack.sandbox.hosts import is_loopback
    from lbstack.sandbox.server import serve as run

    if not allow_remote and not is_loopback(host):
        raise UsageError(
            f"{host} is not a loopback address: others could reach the sandbox",
            "it is no place for real data; give --allow-remote if that is what you want",
        )
    try:
        with _readable(data), shared(data):
            run(
                host, port, data, on_served=_say_ready, allow_remote=allow_remote, faults=faults,
                control_port=control_port,
            )  # fmt: skip
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EROFS) or error.filename:
            raise  # about the data, not about the port
        where = f"port {port}" if host == "127.0.0.1" else f"{host}, port {port},"
        raise ConfigError(
            f"{where} cannot be used: {error.strerror or error}", "give another --port"
        ) from None
    return Exit.OK


def _say_ready(served: Served) -> None:
    click.echo(served.endpoint)
    click.echo(served.key)
    if served.control:
        click.echo(f"control {served.control}")
        click.echo(f"token {served.token}")
    click.echo("The sandbox is no place for real data. Ctrl-C stops it.", err=True)


@contextmanager
def _readable(data: Path) -> Iterator[None]:
    """Say what to do about data that this sandbox cannot read."""
    import sqlite3

    from lbstack.sandbox.store import FormatError

    try:
        yield
    except (FormatError, sqlite3.DatabaseError) as error:
        told = str(error) if isinstance(error, FormatError) else f"{data}: {error}"
        broken = getattr(error, "sqlite_errorname", BROKEN[0]) in BROKEN
        cure = RESET if broken else "see to that, and run this again"
        raise StateError(f"the sandbox's data cannot be used: {told}", cure) from None


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
        with alone(data):
            for path in [*_states(data), *data.glob(f"*@{SANDBOX}.json*"), *data.glob("sandbox.db*")]:
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
    from lbstack.state.store import states_of

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
    from lbstack.sandbox.seed import open_store

    store = open_store(data)
    try:
        for row in newest(store, last):
            answer = row["responseCode"] or row["error"] or "not sent yet"
            line = f"{row['id']}  {row['event']}  {row['url']}  {row['attempts']}  {row['status']}: {answer}"
            click.echo(safe(line))
    finally:
        store.close()
    return Exit.OK


@command.group("aws")
def aws() -> None:
    """The AWS that the sandbox looks at when it validates access to buckets."""


@aws.command("put-role")
@click.argument("arn")
@click.option("--external-id", metavar="ID", help="The external id that the role demands.")
@click.option("--trust", default="340636424752", show_default=True, metavar="ACCOUNT", help="Whom it trusts.")
@click.option(
    "--read-bucket", "buckets", multiple=True, metavar="NAME", help="A bucket it may read (again for more)."
)
@data_option
def put_role(arn: str, external_id: str | None, trust: str, buckets: tuple[str, ...], data: Path) -> int:
    """Put a role in place, or replace it."""
    from lbstack.sandbox import aws as world

    with _world(data) as conn:
        world.put_role(conn, arn, external_id=external_id, trust=trust, read_buckets=list(buckets))
    click.echo(f"{arn} is in place.")
    return Exit.OK


@aws.command("put-bucket")
@click.argument("name")
@click.option(
    "--cors", "origins", multiple=True, metavar="ORIGIN", help="An origin that may GET (again for more)."
)
@data_option
def put_bucket(name: str, origins: tuple[str, ...], data: Path) -> int:
    """Put a bucket in place, or replace it."""
    from lbstack.sandbox import aws as world

    with _world(data) as conn:
        world.put_bucket(conn, name, cors_origins=list(origins))
    click.echo(f"{name} is in place.")
    return Exit.OK


@aws.command("list")
@data_option
def list_(data: Path) -> int:
    """Show the roles and buckets as JSON."""
    from lbstack.sandbox import aws as world

    with _world(data) as conn:
        click.echo(dumps(json.loads(json.dumps(world.list_world(conn), default=str))))
    return Exit.OK


@command.group("key")
def key() -> None:
    """API keys of the sandbox."""


organization_option = click.option(
    "--organization", metavar="NAME", help="In which organization; the first one if none is named."
)


@key.command("create")
@click.option("--role", required=True, metavar="ROLE", help="What the key may do: Admin, Labeler, …")
@organization_option
@click.option("--email", metavar="EMAIL", help="Whose key it is; else the organization's first member's.")
@click.option("--expires", metavar="DURATION", help="How long it holds (10m, 12h); else for ever.")
@data_option
def create_key(
    role: str, organization: str | None, email: str | None, expires: str | None, data: Path
) -> int:
    """Make an API key and print it. It is shown only now."""
    from lbstack.cli.options import duration
    from lbstack.sandbox import world

    with _store(data) as store:
        click.echo(world.create_key(store, role, email, organization, duration(expires) if expires else None))
    return Exit.OK


@key.command("list")
@data_option
def list_keys(data: Path) -> int:
    """Show the keys, without themselves, as JSON."""
    from lbstack.sandbox import world

    with _store(data) as store:
        click.echo(dumps(world.keys(store)))
    return Exit.OK


@key.command("revoke")
@click.argument("id")
@data_option
def revoke_key(id: str, data: Path) -> int:
    """Make a key worthless."""
    from lbstack.sandbox import world

    with _store(data) as store:
        world.revoke_key(store, id)
    click.echo(f"{id} is revoked.")
    return Exit.OK


@command.group("organization")
def organization() -> None:
    """Organizations of the sandbox, isolated from each other."""


@organization.command("create")
@click.argument("name")
@data_option
def create_organization(name: str, data: Path) -> int:
    """Make an organization and print the API key of its Admin."""
    from lbstack.sandbox import world

    with _store(data) as store:
        click.echo(world.add_organization(store, name))
    return Exit.OK


@organization.command("list")
@data_option
def list_organizations(data: Path) -> int:
    """Show the organizations as JSON."""
    from lbstack.sandbox import world

    with _store(data) as store:
        click.echo(dumps(world.organizations(store)))
    return Exit.OK


@command.command("accept-invite")
@click.argument("email")
@organization_option
@data_option
def accept_invite(email: str, organization: str | None, data: Path) -> int:
    """Let somebody who was invited become a member."""
    from lbstack.sandbox import world

    with _store(data) as store:
        world.accept_invite(store, email, organization)
    click.echo(f"{email} is a member.")
    return Exit.OK


@contextmanager
def _store(data: Path) -> Iterator[Store]:
    """The sandbox's data; what it refuses is wrong usage."""
    from lbstack.sandbox.holding import shared
    from lbstack.sandbox.seed import open_store

    with shared(data):
        with _readable(data):
            store = open_store(data)
        try:
            yield store
        except ValueError as error:
            raise UsageError(str(error)) from None
        finally:
            store.close()


@contextmanager
def _world(data: Path) -> Iterator[sqlite3.Connection]:
    """The sandbox's data, open for the cloud's own functions, each of which commits what it does."""
    with _store(data) as store:
        yield store.conn
