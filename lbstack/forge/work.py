"""What ``lbstack ci`` does on a forge, from the place where a job runs to one word about what was done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lbstack.errors import AuthError, StateError, UsageError
from lbstack.forge import github, gitlab
from lbstack.forge.pages import digest_in, harmless, marked, marker, planned_in, require_room
from lbstack.forge.upsert import UNAPPROVED, place_comment, place_issue

if TYPE_CHECKING:
    from lbstack.forge.http import Http, Pause
    from lbstack.forge.where import Place

NO_WRITES = "a fork's pull request may not write comments: the job's summary shows the plan"


def comment(
    place: Place, mark: str, page: str, *, skip_empty: bool = False, pause: Pause = time.sleep
) -> str:
    """Keep the stack's comment at a pull request; what was done."""
    page = _fitting(place, page)
    number = place.request()
    forge = github if place.forge == "github" else gitlab
    with _connected(place, "comment", pause) as http:
        try:
            thread = forge.Comments(http, place, forge.whoami(http, place))
            done = place_comment(thread, mark, page, skip_empty=skip_empty, pause=pause)
        except AuthError:
            if place.fork:  # its jobs have a token that only reads
                return NO_WRITES
            raise
    return f"the comment at {'#' if place.forge == 'github' else '!'}{number}: {done}"


def commented(place: Place, *, pause: Pause = time.sleep) -> set[str]:
    """The stacks that have a comment at the pull request; a fork's has none."""
    place.request()
    if place.fork:
        return set()
    forge = github if place.forge == "github" else gitlab
    with _connected(place, "list", pause) as http:
        thread = forge.Comments(http, place, forge.whoami(http, place))
        return {name for note in thread.notes() if (name := planned_in(note.body))}


def issue(place: Place, mark: str, name: str, page: str, *, drifted: bool, pause: Pause = time.sleep) -> str:
    """Keep the stack's issue; what was done."""
    page = _fitting(place, page)
    forge = github if place.forge == "github" else gitlab
    with _connected(place, "issue", pause) as http:
        tracker = forge.Issues(http, place, forge.whoami(http, place))
        done, number = place_issue(
            tracker, mark, f"lbstack drift: {name}", page, drifted=drifted, pause=pause
        )
    return f"issue #{number}: {done}" if number else "nothing is drifted, and no issue is open"


def approved(
    place: Place, name: str, sha: str = "", number: int | None = None, *, pause: Pause = time.sleep
) -> str:
    """The digest that the comment of the merged pull request told. Which one that is the merge says, or
    somebody who names its `number`; never the job, which may run for one that nobody merged."""
    sha = sha or place.sha
    forge = github if place.forge == "github" else gitlab
    if not sha and not number:
        raise UsageError("the environment names no commit", "give --sha, or --number of the pull request")
    with _connected(place, "approved", pause) as http:
        number = number or forge.merged_request(http, place, sha)
        thread = forge.Comments(http, place, forge.whoami(http, place), number)
        mark = marker("plan", name)
        ours = sorted((note for note in thread.notes() if marked(note.body, mark)), key=lambda note: note.id)
    if not ours:
        raise StateError(
            f"pull request {number} has no comment with a plan of {name}",
            UNAPPROVED,
        )
    return digest_in(ours[0].body)


def _fitting(place: Place, page: str) -> str:
    page = harmless(page) if place.forge == "gitlab" else page
    require_room(page, place.forge)
    return page


@contextmanager
def _connected(place: Place, what: str, pause: Pause) -> Iterator[Http]:
    http = (github if place.forge == "github" else gitlab).connect(place, what, pause)
    try:
        yield http
    finally:
        http.close()
