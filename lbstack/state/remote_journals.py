"""The journals that applies on a remote state leave on this machine: named after their run, taken up by the
next run here, and removed once what they tell is told there."""

from __future__ import annotations

import glob
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lbstack.errors import StateError
from lbstack.state.files import remove, touched
from lbstack.state.fold import fold
from lbstack.state.journal import is_open, read_journal
from lbstack.state.model import State
from lbstack.state.remote_document import Document

KEPT = 7 * 24 * 3600.0
"""Seconds for which the journal of a run that was overtaken is kept."""


def journals(beside: Path, run: str) -> tuple[Path, Path]:
    """The journal of a run, and its twin."""
    first = beside.with_name(f"{beside.name}.{run}.journal")
    return first, first.with_name(f"{first.name}.twin")


def folded(document: Document, beside: Path) -> State:
    """The state with the journal of its last apply, where that ran on this machine."""
    state, paths = document.state, journals(beside, document.run)
    lives = document.forced and is_open(paths[0])  # asked first: what it sends from now on is watched for
    head, *_ = records = read_journal(paths) or [{}]
    if head.get("lineage") != state.lineage or head.get("run") != document.run:
        return state
    # Announced all at once; these were not sent. A run that lives, though its lock was taken from it, may
    # have sent them a moment later: what it made is watched for.
    never = set(head["announced"]) - {record.get("marker") for record in records}
    unsent = tuple(intent for intent in state.pending if intent.marker in never)
    state = replace(
        state,
        pending=tuple(intent for intent in state.pending if intent.marker not in never),
        markers=(*state.markers, *(unsent if lives else ())),
    )
    rest = records[document.mark :]
    return fold(state, rest, str(paths[0])) if rest else state


def leave(beside: Path, before: Document | None) -> None:
    """Remove the journal of the run `before`, now that something was written that has folded it in. That of a
    run that lives, though its lock was taken from it, stays for a look."""
    if before is None:
        return
    paths = journals(beside, before.run)
    if not (before.forced and is_open(paths[0])):
        remove(*paths)


def tidy(beside: Path, own: Path, lineage: str) -> None:
    """Remove what was left for a look longer ago than `KEPT`, by the clock that stamps the `own` journal."""
    with suppress(OSError):
        now = touched(own)
        for path in beside.parent.glob(f"{glob.escape(beside.name)}.*.journal"):
            with suppress(OSError, StateError):
                if now - path.stat().st_mtime > KEPT:
                    _remove_old(beside, path, lineage)


def _remove_old(beside: Path, path: Path, lineage: str) -> None:
    run = path.name.removeprefix(f"{beside.name}.").removesuffix(".journal")
    head, *_ = read_journal([path], salvage=True) or [{}]
    # There may be those of another state, which wait to be taken up.
    if head.get("lineage") == lineage and head.get("run") == run:
        remove(*journals(beside, run))
