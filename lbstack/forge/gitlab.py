"""GitLab's REST API, as far as notes of merge requests and issues need it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lbstack.errors import ServiceError, StateError
from lbstack.forge.http import Http, Pause
from lbstack.forge.upsert import LABEL, UNAPPROVED, Note, Ticket
from lbstack.forge.where import Place

OWN = "give the token in GITLAB_TOKEN the scope api and the role Reporter or more"
LENT = "set GITLAB_TOKEN to a project access token (scope api, role Reporter or more): CI_JOB_TOKEN may not"
OLDEST = {"sort": "asc", "order_by": "created_at"}


def connect(place: Place, what: str, pause: Pause) -> Http:
    """The API, with the token of a place; `what` is wanted needs the same rights."""
    name = "JOB-TOKEN" if place.job else "PRIVATE-TOKEN"
    return Http("GitLab", place.api, {name: place.token.reveal()}, LENT if place.job else OWN, pause)


def whoami(http: Http, place: Place) -> str:
    """The username that this token writes as."""
    if place.user:
        return place.user
    answer = http.read("job" if place.job else "user")
    user = answer.get("user") if place.job and isinstance(answer, dict) else answer
    name = user.get("username") if isinstance(user, dict) else None
    if not isinstance(name, str) or not name:
        raise ServiceError("GitLab does not say whose token this is", detail="give --author USERNAME")
    return name


class Comments:
    """The notes of one merge request; those of `me` alone are seen, and none that GitLab wrote."""

    def __init__(self, http: Http, place: Place, me: str, number: int = 0) -> None:
        self._http, self._me = http, me
        self._path = f"projects/{place.repository}/merge_requests/{number or place.request()}/notes"

    def notes(self) -> Iterator[Note]:
        """Ours, over all pages."""
        for item in self._http.pages(self._path, OLDEST):
            if _by(item) == self._me and not item.get("system"):
                yield Note(_int(item, "id"), str(item.get("body") or ""))

    def create(self, body: str) -> None:
        """One attempt."""
        self._http.create(self._path, {"body": body})

    def edit(self, id: int, body: str) -> None:
        """In its place."""
        self._http.change("PUT", f"{self._path}/{id}", {"body": body})

    def delete(self, id: int) -> None:
        """For good."""
        self._http.change("DELETE", f"{self._path}/{id}")


class Issues:
    """The issues of one project; those of `me` alone are seen."""

    def __init__(self, http: Http, place: Place, me: str) -> None:
        self._http, self._me = http, me
        self._path = f"projects/{place.repository}/issues"

    def tickets(self, *, closed: bool, labelled: bool) -> Iterator[Ticket]:
        """Ours, over all pages."""
        query = {
            "scope": "all",
            **({} if closed else {"state": "opened"}),
            **({"labels": LABEL} if labelled else {}),
        }
        for item in self._http.pages(self._path, query):
            if _by(item) == self._me:
                labels = item.get("labels") or ()
                yield Ticket(
                    _int(item, "iid"),
                    str(item.get("description") or ""),
                    item.get("state") == "opened",
                    LABEL in labels,
                )

    def create(self, title: str, body: str) -> int:
        """One attempt."""
        told = {"title": title, "description": body, "labels": LABEL}
        return _int(self._http.create(self._path, told), "iid")

    def edit(
        self, id: int, *, body: str | None = None, open: bool | None = None, label: bool = False
    ) -> None:
        """What is told, and nothing else of it."""
        change: dict[str, Any] = {} if body is None else {"description": body}
        if open is not None:
            change |= {"state_event": "reopen" if open else "close"}
        if label:
            change |= {"add_labels": LABEL}
        self._http.change("PUT", f"{self._path}/{id}", change)

    def said(self, id: int) -> Iterator[str]:
        """Our notes on it."""
        for item in self._http.pages(f"{self._path}/{id}/notes", OLDEST):
            if _by(item) == self._me and not item.get("system"):
                yield str(item.get("body") or "")

    def say(self, id: int, body: str) -> None:
        """One attempt."""
        self._http.create(f"{self._path}/{id}/notes", {"body": body})


def merged_request(http: Http, place: Place, sha: str) -> int:
    """The number of the merge request whose merge made this commit."""
    for request in http.pages(f"projects/{place.repository}/repository/commits/{sha}/merge_requests", {}):
        made = {request.get(name) for name in ("merge_commit_sha", "squash_commit_sha", "sha")}
        if request.get("state") == "merged" and sha in made:
            return _int(request, "iid")
    raise StateError(
        f"commit {sha[:12]} is the merge of no merge request, so that nobody approved it",
        UNAPPROVED,
    )


def _by(item: dict[str, Any]) -> str:
    author = item.get("author")
    return str(author.get("username") or "") if isinstance(author, dict) else ""


def _int(item: Any, name: str) -> int:
    value = item.get(name) if isinstance(item, dict) else None
    if type(value) is not int:
        raise ServiceError(f"GitLab's answer has no {name}", detail="see what CI_API_V4_URL is")
    return value
