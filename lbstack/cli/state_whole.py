"""``lbstack state pull|push|restore``: the state as a whole, out, in, and as it was."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbstack.cli import options
from lbstack.errors import ConfigError, Exit, StateError
from lbstack.session import Settings, load_graph, open_store

if TYPE_CHECKING:
    from lbstack.session import AnyStore
    from lbstack.state.restoring import Restored
    from lbstack.state.store import Store


def _store(settings: Settings) -> AnyStore:
    return open_store(settings, load_graph(settings, require_values=False).stack.name)


@click.command("pull")
@options.stack_argument
@options.place
@options.with_settings
def pull(settings: Settings) -> int:
    """Print the state as it is, for a look or for state push. Of secrets it holds keyed digests only."""
    from lbstack.state import remote, remote_whole, restoring

    store = _store(settings)
    raw = remote_whole.pulled(store) if isinstance(store, remote.RemoteStore) else restoring.pulled(store)
    click.echo(raw.decode(), nl=False)
    return Exit.OK


@click.command("push")
@click.argument("file")
@options.stack_argument
@options.place
@options.lock_timeout
@click.option("--force", is_flag=True, help="Take a state that is older, or of another lineage, too.")
@options.with_settings
def push(settings: Settings, file: str, force: bool) -> int:
    """Put a state from FILE (- is the standard input) in the place of the one that is here."""
    from lbstack.state import remote, remote_whole, restoring
    from lbstack.state.files import read_own

    store = _store(settings)
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror}", "name a file that state pull made"
        ) from None
    where = "the standard input" if file == "-" else file
    with store.locked(settings.lock_timeout):
        if isinstance(store, remote.RemoteStore):
            key = None if file == "-" else read_own(Path(f"{file}.key"))
            state = remote_whole.push(store, raw, where, bytes.fromhex(key.decode()) if key else None, force)
        else:
            state = restoring.push(store, raw, where, force)
    click.echo(f"The state has serial {state.serial} now, and {len(state.resources)} resources.")
    return Exit.OK


@click.command("restore")
@click.argument("words", nargs=-1, metavar="[SERIAL] [STACK]")
@click.option("--list", "as_list", is_flag=True, help="Show what is kept, and change nothing.")
@options.place
@options.lock_timeout
@options.with_settings
def restore(settings: Settings, words: tuple[str, ...], as_list: bool) -> int:
    """Put the last intact snapshot in the place of a damaged state; or, of an intact one, that of SERIAL."""
    from lbstack.state.remote import RemoteStore
    from lbstack.state.restoring import restore as put_back

    serial = int(words[0]) if words and words[0].isdecimal() else None
    rest = words if serial is None else words[1:]
    if len(rest) > 1:
        raise click.UsageError(f"Got unexpected extra argument ({rest[1]})")
    settings = replace(settings, path=Path(*rest))
    store = _store(settings)
    if isinstance(store, RemoteStore):
        raise ConfigError(
            f"earlier versions of {store.where} are kept by its bucket or forge",
            f"get one there, and: {settings.command('state push', 'FILE')} --force",
        )
    if as_list:
        return _list(store)
    with store.locked(settings.lock_timeout):
        done = put_back(store, serial)
        if done is None and not store.load().lineage:
            raise StateError(
                f"there is no state at {store.path}, and none is kept",
                "name the one that is meant by --state, --sandbox or --endpoint; to make a lost one again: "
                + settings.command("state rebuild"),
            )
    if done is None:
        click.echo("The state is intact; there is nothing to restore.")
    else:
        _tell(store, done)
    return Exit.OK


def _list(store: Store) -> int:
    from lbstack.state.restoring import listed

    for each in listed(store):
        told = each.trouble or f"{each.resources} resources"
        click.echo(f"{each.kept.serial:>6}  {told}")
    return Exit.OK


def _tell(store: Store, done: Restored) -> None:
    click.echo(
        f"Restored {store.path} from the snapshot of serial {done.origin}; its serial is {done.state.serial}."
    )
    if done.records:
        click.echo(f"{done.records} records of the journal of the apply that was cut off are in it, too.")
    for path in done.aside:
        click.echo(f"What was damaged is kept for a look: {path}", err=True)
    if not done.whole:
        click.echo(
            "What was done after that is not in it. Plan before you apply: what the plan would create may be"
            " in Labelbox already; bring such objects in with imports:.",
            err=True,
        )
