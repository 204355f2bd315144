"""``lbstack apply``: the plan, carried out."""

from __future__ import annotations

from dataclasses import replace

import click

from lbstack.cli import options
from lbstack.cli.running import carry_out
from lbstack.plan.digest import approved as read
from lbstack.session import Settings


@click.command("apply")
@options.stack_argument
@options.variables
@options.place
@options.working
@options.patient
@options.allowing
@options.output
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@click.option("--destroy", is_flag=True, help="Destroy everything in state.")
@click.option(
    "--approved",
    metavar="DIGEST",
    help="Do not ask: do what this plan showed, or a part of it.",
)
@options.with_settings
def command(
    settings: Settings,
    as_json: bool,
    no_color: bool,
    auto_approve: bool,
    destroy: bool,
    approved: str | None,
) -> int:
    """Make the workspace match the stack. STACK may be a plan saved with plan --out."""
    settings = replace(settings, destroy=destroy)
    return carry_out(
        settings, as_json, no_color, auto_approve, read(approved) if approved is not None else None
    )
