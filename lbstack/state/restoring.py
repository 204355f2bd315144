"""Ways out when a state is damaged, and ways in and out for whole states.

`restore` puts a kept snapshot back:

| what is left | becomes the state |
| --- | --- |
| the state, and a journal that is damaged | the state and what the journal tells before the damage |
| the newest kept snapshot | that, byte for byte; the journal goes on from it |
| only older ones | the newest of those under a new serial, and what the journal tells |
| all, and an older serial is asked for | that under a new serial, still knowing what was sent since |

What is damaged is kept beside the state for a look. `push` puts in a state from elsewhere, `pulled` gives
this one out.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from lbstack.errors import ConfigError, StateError
from lbstack.state.files import read_own, remove, write_whole
from lbstack.state.fold import fold
from lbstack.state.journal import Record, read_first_format, read_journal
from lbstack.state.kept import Kept
from lbstack.state.model import RESTORE, State
from lbstack.state.snapshot import Snapshot, decode, encode
from lbstack.state.store import Store


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restoration came to: the state, the serial it was taken from, how many records of a journal
    came on top, what was put aside, and whether all that was remembered since is in it."""

    state: State
    origin: int
    records: int = 0
    aside: tuple[Path, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """A kept snapshot, and what is wrong with it."""

    kept: Kept
    resources: int = 0
    trouble: str = ""


def listed(store: Store) -> list[Listed]:
    """The kept snapshots, the newest first."""
    found = []
    for each in store.kept():
        try:
            found.append(Listed(each, len(each.snapshot(b"").state.resources)))
        except StateError as error:
            found.append(Listed(each, trouble=error.problems[0].summary))
    return found


def restore(store: Store, serial: int | None = None) -> Restored | None:
    """Make a kept snapshot the state again: the last one, or that of a serial. None if there is nothing to
    restore, for the state is intact. To be called with the lock held."""
    current = _intact(store)
    if current is not None and serial in (None, current.serial):
        return None
    if serial is not None:
        return _older(store, serial, current)
    snapshot = _saved(store)
    if snapshot is not None:
        return _with_journal(store, snapshot, ())
    origin, snapshot = _last(store)
    aside = _put_aside(store, store.path)
    if origin == store.kept()[0]:
        write_whole(store.path, origin.read())
        if (state := _intact(store)) is not None:
            return Restored(state, origin.serial, aside=aside)
    return _with_journal(store, snapshot, aside)


def _intact(store: Store) -> State | None:
    try:
        return store.load()
    except StateError:
        return None


def _saved(store: Store) -> Snapshot | None:
    """The state without its journal; None if it is damaged itself."""
    try:
        return store.snapshot()
    except StateError:
        return None


def _last(store: Store) -> tuple[Kept, Snapshot]:
    """The newest kept snapshot that is intact."""
    for each in store.kept():
        try:
            snapshot = each.snapshot(b"")
            return each, replace(snapshot, state=store.ours(snapshot.state, str(each.path)))
        except StateError:
            continue
    raise StateError(f"of {store.path} no intact snapshot is kept", RESTORE)


def _with_journal(store: Store, snapshot: Snapshot, aside: tuple[Path, ...]) -> Restored:
    """The snapshot with what the journal tells, as far as it can be read and fits."""
    records, state = _salvaged(store, snapshot), snapshot.state
    try:
        state = fold(state, records, str(store.journals[0]))
    except StateError:
        records = []
    for path in store.journals:
        aside += _put_aside(store, path)
    newest = max([state.serial, *(each.serial + 1 for each in store.kept())])
    state = replace(state, serial=newest)
    store.save(state)
    return Restored(state, snapshot.state.serial, len(records), aside, whole=False)


def _salvaged(store: Store, snapshot: Snapshot) -> list[Record]:
    """What a journal says before its damage, if it is about this state and not folded in yet."""
    try:
        if snapshot.format == 1:
            head, *records = read_first_format(store.journals[0]) or [{}]
        else:
            head, *records = read_journal(store.journals, snapshot.generation, salvage=True) or [{}]
    except StateError:
        return []
    return records if head.get("lineage") == snapshot.state.lineage else []


def _older(store: Store, serial: int, current: State | None) -> Restored:
    """An older state because somebody wants it. What was sent since stays known: intents that may have had
    their effect, and plans that are spent."""
    chosen = next((each for each in store.kept() if each.serial == serial), None)
    if chosen is None:
        raise ConfigError(
            f"no snapshot with the serial {serial} is kept", f"see: {store.restoring('--list')}"
        )
    cure = f"take another one, as listed by: {store.restoring('--list')}"
    state = store.ours(chosen.snapshot(b"", cure).state, str(chosen.path))
    aside: tuple[Path, ...] = ()
    if current is None:
        for path in (store.path, *store.journals):
            aside += _put_aside(store, path)
    else:
        store.save(current)  # with its journal, so that it can be had again
        known = {
            name: getattr(current, name)
            for name in ("pending", "markers", "spent", "actor", "permissions", "epoch")
        }
        state = replace(state, **known)
    newest = max([state.serial, *(each.serial for each in store.kept())]) + 1
    state = replace(state, serial=newest)
    store.save(state)
    return Restored(state, serial, aside=aside, whole=current is None)


def _put_aside(store: Store, path: Path) -> tuple[Path, ...]:
    """Keep what is damaged for a look."""
    raw = read_own(path)
    if raw is None:
        return ()
    aside = store.path.with_name(f"{path.name}.damaged")
    write_whole(aside, raw)
    return (aside,)


# -- whole states, in and out ---------------------------------------------------------------------


def pulled(store: Store) -> bytes:
    """The state with its journal folded in, as one snapshot. Secrets are in it as digests only."""
    snapshot = store.snapshot()
    if snapshot is None:
        raise ConfigError(f"{store.path} was never saved", "apply first")
    return encode(store.load(), snapshot.generation, snapshot.previous)[0]


def push(store: Store, raw: bytes, where: str, force: bool = False) -> State:
    """Make a state from elsewhere the state here; it is checked as if it had been saved here. To be called
    with the lock held.

    One of another lineage, or not newer than what is here, is refused unless somebody insists; then it gets
    a serial that is newer, so that no plan that was saved meanwhile fits it.
    """
    pushed = store.ours(decode(raw, b"", where, "nothing was changed").state, where)
    if not pushed.lineage:
        raise StateError(f"{where} has no lineage: nothing was ever applied with it", "nothing was changed")
    current = _intact(store)
    if current is None and not force:
        raise StateError(f"{store.path} is damaged or missing", f"{store.cure()}; or give --force")
    if current is not None and current.lineage:
        same = replace(pushed, key=current.key) == current
        if same:
            return current
        if not force:
            require_successor(pushed, current, where)
        if pushed.serial <= current.serial:
            pushed = replace(pushed, serial=current.serial + 1)
        store.save(current)
    elif current is None:
        for path in (store.path, *store.journals):
            _put_aside(store, path)
        pushed = replace(pushed, serial=max([pushed.serial, *(each.serial + 1 for each in store.kept())]))
    store.keep_key(pushed)
    store.save(pushed)
    return pushed


def rebuilt(store: Store, state: State) -> State:
    """Make a state that was bound anew the state here; what was here and is damaged is kept for a look. To
    be called with the lock held."""
    if _intact(store) is None:
        for path in (store.path, *store.journals):
            _put_aside(store, path)
        remove(store.path)
    state = replace(state, key=store.key() or secrets.token_bytes(32))
    state = replace(state, serial=max([0, *(each.serial for each in store.kept())]) + 1)
    store.keep_key(state)
    store.save(state)
    return state


def require_successor(pushed: State, current: State, where: str) -> None:
    """Refuse a state that does not come after the one that is here."""
    if pushed.lineage != current.lineage:
        raise StateError(
            f"{where} is of another lineage ({pushed.lineage}) than the state here ({current.lineage})",
            "--force puts it here all the same",
        )
    if pushed.serial == current.serial:
        raise StateError(
            f"{where} has serial {pushed.serial}, as the state here has, and says something else",
            "pull what is here and begin from there; --force puts the other one here all the same",
        )
    if pushed.serial < current.serial:
        raise StateError(
            f"{where} has serial {pushed.serial}, and the state here has {current.serial} already",
            "pull that and begin from there; --force puts the older one here all the same",
        )
