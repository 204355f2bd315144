"""``lbstack destroy``: ``apply --destroy`` by its own name."""

from __future__ import annotations

from dataclasses import replace

import click

from lbstack.cli import options
from lbstack.cli.running import carry_out
from lbstack.session import Settings


@click.command("destroy")
@options.stack_argument
@options.variables
@options.place
@options.working
@options.patient
@options.data_loss
@options.output
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@options.with_settings
def command(settings: Settings, as_json: bool, no_color: bool, auto_approve: bool) -> int:
    """Destroy everything the stack made; what cannot be deleted is forgotten."""
    return carry_out(replace(settings, destroy=True), as_json, no_color, auto_approve)
