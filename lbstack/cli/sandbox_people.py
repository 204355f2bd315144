"""``lbstack sandbox key|organization|accept-invite``: what a settings page and people's mail would do."""

from __future__ import annotations

from pathlib import Path

import click

from lbstack.cli.sandbox_data import data_option, opened
from lbstack.errors import Exit
from lbstack.session import dumps


@click.group("key")
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

    with opened(data) as store:
        click.echo(world.create_key(store, role, email, organization, duration(expires) if expires else None))
    return Exit.OK


@key.command("list")
@data_option
def list_keys(data: Path) -> int:
    """Show the keys, without themselves, as JSON."""
    from lbstack.sandbox import world

    with opened(data) as store:
        click.echo(dumps(world.keys(store)))
    return Exit.OK


@key.command("revoke")
@click.argument("id")
@data_option
def revoke_key(id: str, data: Path) -> int:
    """Make a key worthless."""
    from lbstack.sandbox import world

    with opened(data) as store:
        world.revoke_key(store, id)
    click.echo(f"{id} is revoked.")
    return Exit.OK


@click.group("organization")
def organization() -> None:
    """Organizations of the sandbox, isolated from each other."""


@organization.command("create")
@click.argument("name")
@data_option
def create_organization(name: str, data: Path) -> int:
    """Make an organization and print the API key of its Admin."""
    from lbstack.sandbox import world

    with opened(data) as store:
        click.echo(world.add_organization(store, name))
    return Exit.OK


@organization.command("list")
@data_option
def list_organizations(data: Path) -> int:
    """Show the organizations as JSON."""
    from lbstack.sandbox import world

    with opened(data) as store:
        click.echo(dumps(world.organizations(store)))
    return Exit.OK


@click.command("accept-invite")
@click.argument("email")
@organization_option
@data_option
def accept_invite(email: str, organization: str | None, data: Path) -> int:
    """Let somebody who was invited become a member."""
    from lbstack.sandbox import world

    with opened(data) as store:
        world.accept_invite(store, email, organization)
    click.echo(f"{email} is a member.")
    return Exit.OK
