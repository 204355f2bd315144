"""What is happening, while it happens: a bar for a long refresh, lines for an apply."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lbstack.errors import StackError, StateError
from lbstack.render.terminal import watched
from lbstack.render.text import Line
from lbstack.render.words import safe, seconds, sentence

if TYPE_CHECKING:
    from lbstack.apply import Outcome
    from lbstack.plan.schedule import Step
    from lbstack.work import Event

PATIENCE = 1.0
"""Seconds of refreshing before a bar appears."""

VERBS = {
    "create": ("Creating", "Creation", "add"),
    "update": ("Modifying", "Modification", "change"),
    "delete": ("Destroying", "Destruction", "destroy"),
    "destroy": ("Destroying", "Destruction", "destroy"),
    "forget": ("Forgetting", "Forgetting", "forget"),
}


@contextmanager
def refresh_bar() -> Iterator[Callable[[int, int], None]]:
    """Yields what to call with (done, total); draws only where somebody watches, and only what takes long.

    A clock of its own draws it, since it is the answer that has not come which takes long.
    """
    bar = _Bar()
    clock = threading.Timer(PATIENCE, bar.appear)
    clock.daemon = True
    if watched(sys.stderr):
        clock.start()
    try:
        yield bar.show
    finally:
        clock.cancel()
        bar.end()
        if clock.is_alive():
            clock.join()


class _Bar:
    """How far a refresh is, and the bar that tells it, once there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._far: dict[str, int] = {}
        self._ended = False
        self._drawn: Any = None
        self._task: Any = None

    def appear(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("Reading the workspace"), BarColumn(), MofNCompleteColumn())
        with self._lock:
            if not self._ended:
                self._drawn = Progress(*columns, console=Console(stderr=True), transient=True)
                self._task = self._drawn.add_task("", **{"total": None, **self._far})
                self._drawn.start()

    def show(self, done: int, total: int) -> None:
        with self._lock:
            self._far = {"completed": done, "total": total}
            if self._drawn is not None:
                self._drawn.update(self._task, **self._far)

    def end(self) -> None:
        with self._lock:
            self._ended = True
            if self._drawn is not None:
                self._drawn.stop()


def event_lines(event: Event) -> Iterator[Line]:
    """One event of an apply, as lines."""
    doing, noun, style = VERBS[event.step.verb]
    name = safe(str(event.step.address))
    if event.step.deposed:
        name += " (deposed)"
    known = f" [id={safe(event.id)}]" if event.id else ""
    if event.type == "start":
        yield (f"{name}: {doing}…{known}", style)
    elif event.type == "still":
        yield (f"{name}: Still {doing.lower()}… [{seconds(event.seconds)} elapsed]", "plain")
    elif event.type == "said":
        yield (f"{name}: {sentence(event.text)}", "note")
    elif event.type == "done":
        yield (f"{name}: {noun} complete after {seconds(event.seconds)}{known}", "bold")
    elif event.type == "failed":
        ended = "ended with its outcome unknown" if event.unknown else "failed"
        yield (f"{name}: {noun} {ended} after {seconds(event.seconds)}", "destroy")
        for problem in event.problems:
            yield (
                f"    {sentence(problem.summary)}"
                + (f"; {sentence(problem.detail)}" if problem.detail else ""),
                "destroy",
            )
    else:
        yield (f"{name}: Not started ({sentence(event.text)})", "note")


def outcome_lines(outcome: Outcome, again: str, first: str = "") -> Iterator[Line]:
    """How it ended. After a failure: what was done, what was not, what to do `first`, and the one next
    command."""
    counts = outcome.counts()
    told = f"{counts['imported']} imported, " if counts["imported"] else ""
    told += f"{counts['added']} added, {counts['changed']} changed, {counts['destroyed']} destroyed"
    told += f", {counts['forgotten']} forgotten." if counts["forgotten"] else "."
    if not (outcome.failed or outcome.skipped or outcome.halted):
        yield (f"Apply complete! Resources: {told}", "bold")
        return
    what = "stopped" if outcome.stopped and not outcome.failed else "incomplete"
    yield ("", "plain")
    yield (f"Apply {what}. Resources: {told}", "bold")
    failed = [step for step in outcome.failed if step not in outcome.unknown]
    yield from _named("Failed", failed, "destroy")
    yield from _named("Unknown", outcome.unknown, "destroy", len(outcome.unknown))
    if any(step.verb == "create" for step in outcome.unknown):
        yield (UNKNOWN_CREATE, "note")
    yield from _named("Not started", outcome.skipped, "note")
    if outcome.halted is not None:
        so = ", so nothing more was begun" if outcome.skipped else ""
        lost = isinstance(outcome.halted, StateError)
        told = "What was done could not be put into the state" if lost else KEPT[outcome.kept]
        yield (f"{told} (see the error below){so}.", "destroy")
    todo = [*(["mend the cause"] if outcome.failed else []), *([first] if first else [])]
    cause = "".join(f"{part}, " for part in todo).removesuffix(", ") + (" and " if todo else "")
    kept = "What was done is in state. " if outcome.kept == "state" else ""
    yield (f"{kept}To finish the rest, {cause}run:", "plain")
    before = outcome.halted.before if isinstance(outcome.halted, StackError) else ""
    yield from ((f"    {command}", "bold") for command in (before, again) if command)


KEPT = {
    "state": "A write failed",
    "journal": "What was done is in the journal of this apply, which the next one takes up, not in the state",
    "nowhere": "Some of what was done may be neither in the state nor in the journal of this apply",
}
UNKNOWN_CREATE = (
    "    What is unknown may exist: the next apply looks for it before it makes anything. Where it told"
    " candidates, bring the right one in with imports: first."
)


def _named(title: str, steps: list[Step], style: str, most: int = 20) -> Iterator[Line]:
    if steps:
        names = ", ".join(safe(str(step.address)) for step in steps[:most])
        more = f", … {len(steps) - most} more" if len(steps) > most else ""
        yield (f"{title}: {names}{more}", style)
