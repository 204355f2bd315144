"""What a fresh workspace holds: one organization, the standard roles, the labeling front end "Editor",
and one Admin with one API key (API reference 1.5 for the roles' global ids). Nothing else.
"""

from __future__ import annotations

from pathlib import Path

from lbstack.sandbox import events, files, jobs, search
from lbstack.sandbox.kinds import KINDS
from lbstack.sandbox.kinds.api_key import add_key
from lbstack.sandbox.people import join
from lbstack.sandbox.roles import ADMIN, ROLES
from lbstack.sandbox.store import Store, database_file

ADMIN_EMAIL = "admin@sandbox.example"


def open_store(data: Path | None = None, seed: int | None = None) -> Store:
    """Open the workspace in ``data`` (a folder, a database file, or None for memory), seeding a fresh one."""
    own = (*files.TABLES, *jobs.TABLES, *events.TABLES, *search.TABLES)
    tables = [*own, *(statement for kind in KINDS for statement in kind.tables)]
    store = Store(None if data is None else database_file(data), tables, seed)
    with store.transaction():
        if store.value("SELECT count(*) FROM organizations") == 0:
            fill(store)
    return store


def fill(store: Store) -> None:
    """Put into an empty store, in the transaction that is open, what a fresh workspace holds."""
    for role in ROLES:
        store.insert("roles", {"id": role.id, "name": role.name, "description": role.description})
    found_organization(store, "Sandbox", ADMIN_EMAIL)


def found_organization(store: Store, name: str, email: str) -> str:
    """Make an organization with its front end and its first Admin, inside a transaction; return a key."""
    now, organization = store.mint.now(), store.mint.cuid()
    times = {"createdAt": now, "updatedAt": now}
    store.insert("organizations", {"id": organization, "name": name, **times})
    _add_editor(store, organization)
    return add_key(store, join(store, organization, email, ADMIN, now), None)


def _add_editor(store: Store, organization: str) -> None:
    editor = {
        "id": store.mint.cuid(),
        "organizationId": organization,
        "name": "Editor",
        "description": "The standard labeling editor",
        "iframeUrlPath": "https://editor.sandbox.example",
        "deleted": 0,
    }
    store.insert("labeling_frontends", editor)
