"""One comment a stack, one issue a stack: found again, edited in place, created once.

What is here knows no forge: it looks, decides, and asks for one thing at a time. It is safe to be cut off
anywhere and run again, and two runs at once end with one comment and one issue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, TypeVar

from lbstack.errors import AuthError, ServiceError, typed
from lbstack.forge.http import PAUSES, Gone, Pause, Unsure
from lbstack.forge.pages import marked, same, tells_nothing

T = TypeVar("T")
UNAPPROVED = f"plan it again, and carry that out: {typed('apply', '--approved', 'DIGEST')}"
LABEL = "lbstack-drift"
CLEAN = "Nothing is drifted any more."
CHANGED = "What is drifted has changed: the description tells what it is now."
AGAIN = "Something is drifted again."
TWICE = "Another run opened #{} for the same stack at the same time."


@dataclass(frozen=True, slots=True)
class Note:
    """A comment of our own; of two the one with the smaller `id` is the older."""

    id: int
    body: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """An issue of our own; `id` is the number that people know it by."""

    id: int
    body: str
    open: bool
    labelled: bool


class Thread(Protocol):
    """The comments of one pull request."""

    def notes(self) -> Iterable[Note]:
        """Those of our own."""
        ...

    def create(self, body: str) -> None:
        """One attempt. Raises `Unsure`."""
        ...

    def edit(self, id: int, body: str) -> None:
        """Raises `Gone`."""
        ...

    def delete(self, id: int) -> None:
        """Raises `Gone`."""
        ...


class Tracker(Protocol):
    """The issues of one repository."""

    def tickets(self, *, closed: bool, labelled: bool) -> Iterable[Ticket]:
        """Those of our own: the open ones, or `closed` ones too; all, or those with our label."""
        ...

    def create(self, title: str, body: str) -> int:
        """Open one with our label; its number. Raises `Unsure`."""
        ...

    def edit(
        self, id: int, *, body: str | None = None, open: bool | None = None, label: bool = False
    ) -> None:
        """Raises `Gone`."""
        ...

    def said(self, id: int) -> Iterable[str]:
        """What we commented on it."""
        ...

    def say(self, id: int, body: str) -> None:
        """Comment on it, in one attempt. Raises `Unsure`."""
        ...


def place_comment(thread: Thread, mark: str, page: str, *, skip_empty: bool, pause: Pause) -> str:
    """Let the thread hold this page once, in our oldest comment of its mark; what was done, in a word."""
    done = "unchanged"
    for _ in range(len(PAUSES) + 1):
        ours = _marked(thread.notes(), mark)
        if not ours:
            if skip_empty and tells_nothing(page):
                return "skipped"
            _once(lambda: thread.create(page), lambda: bool(_marked(thread.notes(), mark)) or None, pause)
            ours, done = _marked(thread.notes(), mark), "created"
        try:
            if ours and not same(ours[0].body, page):
                thread.edit(ours[0].id, page)
                done = done if done == "created" else "edited"
        except Gone:
            continue  # somebody deleted it meanwhile: look anew
        for other in ours[1:]:
            _quietly(thread.delete, other.id)
        return done
    raise ServiceError(
        "the comment is deleted as often as it is made", detail="see who does that, and run this again"
    )


def _marked(notes: Iterable[Note], mark: str) -> list[Note]:
    return sorted((note for note in notes if marked(note.body, mark)), key=lambda note: note.id)


def _quietly(delete: Callable[[int], None], id: int) -> None:
    """Delete one too many; one that is gone already, or that may not be deleted, does no harm."""
    with suppress(Gone, AuthError):
        delete(id)


def place_issue(
    tracker: Tracker, mark: str, title: str, page: str, *, drifted: bool, pause: Pause
) -> tuple[str, int]:
    """Let the stack's issue be as the drift is; what was done, in a word, and the issue's number (or 0)."""
    for _ in range(len(PAUSES) + 1):
        try:
            return _placed(tracker, mark, title, page, drifted, pause)
        except Gone:
            continue  # somebody deleted it meanwhile: look anew
    raise ServiceError(
        "the issue is deleted as often as it is made", detail="see who does that, and run this again"
    )


def _placed(
    tracker: Tracker, mark: str, title: str, page: str, drifted: bool, pause: Pause
) -> tuple[str, int]:
    if not drifted:
        open_ = [ticket for ticket in _found(tracker, mark, closed=False) if ticket.open]
        for ticket in open_:
            tracker.edit(ticket.id, open=False)
            _say(tracker, ticket.id, mark, CLEAN, ticket.body, pause)
        return ("closed", open_[0].id) if open_ else ("clean", 0)
    found = _found(tracker, mark, closed=True)
    if not found:
        made = lambda: next((t.id for t in _found(tracker, mark, closed=False)), None)  # noqa: E731
        number = _once(lambda: tracker.create(title, page), made, pause)
        return "opened", _one_of(tracker, mark, number, pause)
    return _updated(tracker, found[0], mark, page, pause), _one_of(tracker, mark, found[0].id, pause)


def _updated(tracker: Tracker, ticket: Ticket, mark: str, page: str, pause: Pause) -> str:
    """An issue that is there, made to tell the drift as it is."""
    news = not same(ticket.body, page)
    if not news and ticket.open and ticket.labelled:
        return "unchanged"
    tracker.edit(
        ticket.id, body=page if news else None, open=None if ticket.open else True, label=not ticket.labelled
    )
    if not ticket.open:
        _say(tracker, ticket.id, mark, AGAIN, page + ticket.body, pause)
        return "reopened"
    if news:
        _say(tracker, ticket.id, mark, CHANGED, page + ticket.body, pause)
        return "updated"
    return "unchanged"


def _found(tracker: Tracker, mark: str, *, closed: bool) -> list[Ticket]:
    """The stack's issues, the one to keep first: the oldest open one, else the latest of the closed.

    Those with the label are looked through first; who took the label away did not make another issue of it.
    """
    for labelled in (True, False):
        found = [t for t in tracker.tickets(closed=closed, labelled=labelled) if marked(t.body, mark)]
        if found:
            return sorted(found, key=lambda t: (not t.open, t.id if t.open else -t.id))
    return []


def _one_of(tracker: Tracker, mark: str, number: int, pause: Pause) -> int:
    """Close what two runs at once opened twice; the number of the one that stays."""
    open_ = sorted(t.id for t in tracker.tickets(closed=False, labelled=True) if marked(t.body, mark))
    for extra in open_[1:]:
        tracker.edit(extra, open=False)
        _say(tracker, extra, mark, TWICE.format(open_[0]), str(extra), pause)
    return open_[0] if open_ else number


def _say(tracker: Tracker, id: int, mark: str, text: str, about: str, pause: Pause) -> None:
    """Comment once; the hidden line tells what it is about, so that a lost answer makes no second comment."""
    token = f"<!-- lbstack:said {sha256(f'{text} {mark} {about}'.encode()).hexdigest()[:16]} -->"
    body = f"{token}\n{text}"
    _once(
        lambda: tracker.say(id, body), lambda: any(token in said for said in tracker.said(id)) or None, pause
    )


def _once(make: Callable[[], T], made: Callable[[], T | bool | None], pause: Pause) -> T:
    """Create, and where it is not known whether that was done look before it is tried again."""
    for wait in (*PAUSES, None):
        try:
            return make()
        except Unsure as unsure:
            if unsure.wait or wait:
                pause(unsure.wait or wait or 0)
            if (found := made()) is not None:
                return found  # type: ignore[return-value]
            if wait is None:
                raise
    raise AssertionError("not reached")
