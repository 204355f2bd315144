"""``lbstack state``: the bindings between addresses and ids."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbstack.cli import options
from lbstack.cli.state_anew import new, rebuild
from lbstack.cli.state_whole import pull, push, restore
from lbstack.errors import ConfigError, Exit, UsageError
from lbstack.session import Settings, dumps, load_graph, open_store
from lbstack.values import Address

if TYPE_CHECKING:
    from lbstack.state.model import State


@click.group("state")
def command() -> None:
    """Look into the state, and mend it."""


@command.command("list")
@options.stack_argument
@click.argument("patterns", nargs=-1)
@options.place
@options.with_settings
def list_(settings: Settings, patterns: tuple[str, ...]) -> int:
    """List the addresses in state; PATTERNS are globs, as '*.step-?'."""
    from lbstack.render.words import safe

    state = open_store(settings, load_graph(settings, require_values=False).stack.name).load()
    for address in state.resources:
        if not patterns or any(fnmatch.fnmatchcase(str(address), pattern) for pattern in patterns):
            click.echo(safe(str(address)))
    return Exit.OK


@command.command("show")
@click.argument("address")
@options.stack_argument
@options.place
@options.output
@options.with_settings
def show(settings: Settings, address: str, as_json: bool, no_color: bool) -> int:
    """Show one remembered resource."""
    from lbstack.render.json import entry_document
    from lbstack.render.terminal import write
    from lbstack.render.text import attribute_lines

    wanted, state = _find(settings, address)
    entry = state.resources[wanted]
    if as_json:
        click.echo(dumps(entry_document(wanted, entry)))
    else:
        write(attribute_lines(wanted, entry.id, entry.attributes, state.addresses()), no_color)
    return Exit.OK


@command.command("rm")
@click.argument("address")
@options.stack_argument
@options.place
@options.lock_timeout
@options.with_settings
def rm(settings: Settings, address: str) -> int:
    """Forget one resource; nothing changes in Labelbox."""
    from dataclasses import replace

    from lbstack.render.words import safe

    store = open_store(settings, load_graph(settings, require_values=False).stack.name)
    with store.locked(settings.lock_timeout):
        wanted, state = _find(settings, address, doubtful=True)
        ended = tuple(intent for intent in state.pending if intent.address == wanted)
        pending = tuple(intent for intent in state.pending if intent.address != wanted)
        markers = (*state.markers, *ended)  # what came of them is watched for
        rest = replace(state.with_entry(wanted, None), pending=pending, markers=markers)
        store.save(replace(rest, serial=state.serial + 1))
    click.echo(f"Forgot {safe(str(wanted))}. Nothing was changed in Labelbox.")
    return Exit.OK


@command.command("mv")
@click.argument("address")
@click.argument("to")
@options.stack_argument
@options.place
@options.lock_timeout
@options.with_settings
def mv(settings: Settings, address: str, to: str) -> int:
    """Give one resource another address; nothing changes in Labelbox."""
    from dataclasses import replace

    from lbstack.state.model import renamed

    store = open_store(settings, load_graph(settings, require_values=False).stack.name)
    with store.locked(settings.lock_timeout):
        wanted, state = _find(settings, address)
        new = _parsed(to)
        if new.kind != wanted.kind:
            raise ConfigError(f"{wanted} cannot become {new}", "its kind stays; another key is possible")
        if new in state.resources:
            raise ConfigError(
                f"{new} is in state already", f"to forget that: {settings.command('state rm', str(new))}"
            )
        store.save(replace(renamed(state, [(wanted, new)]), serial=state.serial + 1))
    click.echo(f"{wanted} is {new} now. The stack must name it so, too.")
    return Exit.OK


for whole in (pull, push, restore, rebuild, new):
    command.add_command(whole)


def _find(settings: Settings, text: str, *, doubtful: bool = False) -> tuple[Address, State]:
    """A resource that state knows, or at least (`doubtful`) suspects."""
    state = open_store(settings, load_graph(settings, require_values=False).stack.name).load()
    address = _parsed(text)
    pending = {intent.address for intent in state.pending if doubtful}
    if address not in state.resources and address not in pending:
        if Path(text).exists():
            raise UsageError(f"{text} is a file, not an address", f"write the address first: ADDRESS {text}")
        raise ConfigError(f"{text} is not in state", f"see: {settings.command('state list')}")
    return address, state


def _parsed(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise ConfigError(str(error)) from None
