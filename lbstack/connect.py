"""The connection to the workspace that settings name: the real one, or the sandbox inside this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lbstack.errors import AuthError, StateError, UsageError, typed
from lbstack.session import BROKEN, HOME, Settings
from lbstack.values import Secret

if TYPE_CHECKING:  # slow to import, and not needed where nothing is sent
    from lbstack.api.wire import ApiWire


@asynccontextmanager
async def open_wire(settings: Settings) -> AsyncIterator[ApiWire]:
    """The connection to the workspace: the real one, or the sandbox inside this process."""
    from lbstack.api.rate import AT_ONCE, Limiter
    from lbstack.api.wire import ApiWire

    if settings.sandbox:
        async with _embedded(Path(HOME)) as wire:
            yield wire
        return
    key = settings.environ.get("LABELBOX_API_KEY", "").strip()
    if not key:
        raise AuthError("no API key", "set LABELBOX_API_KEY, or try --sandbox, which needs none")
    if not (key.isascii() and key.isprintable()):
        raise AuthError("the API key holds characters that no key has", "check LABELBOX_API_KEY")
    Secret(key)  # from now on no message shows it
    limiter = Limiter(_requests_per_minute(settings), min(AT_ONCE, settings.parallelism))
    async with ApiWire(settings.where, key, limiter=limiter) as wire:
        yield wire


@asynccontextmanager
async def _embedded(data: Path) -> AsyncIterator[ApiWire]:
    """The sandbox inside this process, with its data kept from being emptied meanwhile."""
    import sqlite3

    from lbstack.api.wire import ApiWire
    from lbstack.sandbox.app import create_app
    from lbstack.sandbox.holding import shared
    from lbstack.sandbox.store import FormatError
    from lbstack.sandbox.world import admin_key

    with shared(data):
        try:
            app = create_app(data)
            key = admin_key(app.state.sandbox.store)
        except (sqlite3.Error, FormatError) as error:
            broken = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT") in BROKEN
            reset = typed("sandbox reset")
            cure = f"to begin anew: {reset}" if broken else "see to that, and run this again"
            raise StateError(f"the sandbox's data in {data} cannot be used: {error}", cure) from None
        try:
            async with ApiWire("http://sandbox/graphql", key, app=app) as wire:
                yield wire
        finally:
            app.state.sandbox.store.close()


def _requests_per_minute(settings: Settings) -> float:
    """The share of the service's limit that this run may use; a sandbox on this machine has none."""
    from lbstack.api.rate import PER_MINUTE, UNLIMITED

    told = settings.environ.get("LBSTACK_RATE", "").strip()
    if settings.rate is None and told and not (told.isascii() and told.isdigit() and int(told) > 0):
        raise UsageError(f"LBSTACK_RATE is {told}", "it says how many requests a minute may be sent")
    usual = UNLIMITED if settings.where.startswith("http:") else PER_MINUTE
    return settings.rate or int(told or 0) or usual
