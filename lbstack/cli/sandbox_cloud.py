"""``lbstack sandbox aws``: the cloud that the sandbox looks at when it validates access to buckets."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lbstack.cli.sandbox_data import data_option, opened
from lbstack.errors import Exit
from lbstack.session import dumps


@click.group("aws")
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

    with opened(data) as store:
        world.put_role(store.conn, arn, external_id=external_id, trust=trust, read_buckets=list(buckets))
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

    with opened(data) as store:
        world.put_bucket(store.conn, name, cors_origins=list(origins))
    click.echo(f"{name} is in place.")
    return Exit.OK


@aws.command("list")
@data_option
def list_(data: Path) -> int:
    """Show the roles and buckets as JSON."""
    from lbstack.sandbox import aws as world

    with opened(data) as store:
        click.echo(dumps(json.loads(json.dumps(world.list_world(store.conn), default=str))))
    return Exit.OK
