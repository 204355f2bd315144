"""The sandbox's data as every ``lbstack sandbox`` command opens it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbstack.errors import StateError, UsageError, typed
from lbstack.session import BROKEN, HOME

if TYPE_CHECKING:
    from lbstack.sandbox.store import Store

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path(HOME),
    show_default=True,
    metavar="DIR",
    help="Where the sandbox keeps its workspace.",
)


def named(data: Path) -> list[str]:
    """The option that says where the sandbox's data is, if it is not where it usually is."""
    return [] if data == Path(HOME) else ["--data", str(data)]


def say(data: Path) -> None:
    """Which data is used: beside a served sandbox, in another folder, it is another one."""
    from lbstack.render.words import safe

    click.echo(f"The sandbox's data is in {safe(str(data.absolute()))}", err=True)


@contextmanager
def readable(data: Path) -> Iterator[None]:
    """Say what to do about data that this sandbox cannot read."""
    import sqlite3

    from lbstack.sandbox.store import FormatError

    try:
        yield
    except (FormatError, sqlite3.DatabaseError) as error:
        told = str(error) if isinstance(error, FormatError) else f"{data}: {error}"
        broken = getattr(error, "sqlite_errorname", BROKEN[0]) in BROKEN
        reset = typed("sandbox reset", *named(data))
        cure = f"to empty it and begin anew: {reset}" if broken else "see to that, and run this again"
        raise StateError(f"the sandbox's data cannot be used: {told}", cure) from None


@contextmanager
def opened(data: Path) -> Iterator[Store]:
    """The sandbox's data, and which it is, said on stderr; what it refuses is wrong usage."""
    from lbstack.sandbox.holding import shared
    from lbstack.sandbox.seed import open_store

    with shared(data):
        with readable(data):
            store = open_store(data)
        say(data)
        try:
            yield store
        except ValueError as error:
            raise UsageError(str(error)) from None
        finally:
            store.close()
