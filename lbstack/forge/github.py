"""GitHub's REST API, as far as comments and issues need it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lbstack.errors import ServiceError, StateError
from lbstack.forge.http import Http, Pause
from lbstack.forge.upsert import LABEL, UNAPPROVED, Note, Ticket
from lbstack.forge.where import Place

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
WRITES = {
    "comment": "let the job do it: permissions: {pull-requests: write}",
    "issue": "let the job do it: permissions: {issues: write}",
    "approved": "let the job do it: permissions: {contents: read, pull-requests: read}",
    "list": "let the job do it: permissions: {contents: read, pull-requests: read}",
}
ACTIONS = "github-actions[bot]"
"""Who a workflow's own token is."""


def connect(place: Place, what: str, pause: Pause) -> Http:
    """The API, with the token of a place."""
    headers = {**HEADERS, "Authorization": f"Bearer {place.token.reveal()}"}
    return Http("GitHub", place.api, headers, WRITES[what], pause)


def whoami(http: Http, place: Place) -> str:
    """The login that this token writes as. A workflow's token may ask this of GraphQL alone."""
    if place.user:
        return place.user
    told = _login({"user": _viewer(http.ask(place.graphql, {"query": "query { viewer { login } }"}))})
    return told or _login({"user": http.own("user")}) or ACTIONS


def _viewer(answer: Any) -> Any:
    data = answer.get("data") if isinstance(answer, dict) else None
    return data.get("viewer") if isinstance(data, dict) else None


class Comments:
    """The comments of one pull request; those of `me` alone are seen."""

    def __init__(self, http: Http, place: Place, me: str, number: int = 0) -> None:
        self._http, self._me = http, me
        self._repository = f"repos/{place.repository}"
        self._number = number or place.request()

    def notes(self) -> Iterator[Note]:
        """Ours, over all pages."""
        for item in self._http.pages(f"{self._repository}/issues/{self._number}/comments", {}):
            if _login(item) == self._me:
                yield Note(_int(item, "id"), str(item.get("body") or ""))

    def create(self, body: str) -> None:
        """One attempt."""
        self._http.create(f"{self._repository}/issues/{self._number}/comments", {"body": body})

    def edit(self, id: int, body: str) -> None:
        """In its place."""
        self._http.change("PATCH", f"{self._repository}/issues/comments/{id}", {"body": body})

    def delete(self, id: int) -> None:
        """For good."""
        self._http.change("DELETE", f"{self._repository}/issues/comments/{id}")


class Issues:
    """The issues of one repository; those of `me` alone are seen, and pull requests are none."""

    def __init__(self, http: Http, place: Place, me: str) -> None:
        self._http, self._me = http, me
        self._path = f"repos/{place.repository}/issues"

    def tickets(self, *, closed: bool, labelled: bool) -> Iterator[Ticket]:
        """Ours, over all pages."""
        query = {"state": "all" if closed else "open", **({"labels": LABEL} if labelled else {})}
        for item in self._http.pages(self._path, query):
            if _login(item) == self._me and not item.get("pull_request"):
                labels = [label.get("name") for label in item.get("labels") or () if isinstance(label, dict)]
                yield Ticket(
                    _int(item, "number"),
                    str(item.get("body") or ""),
                    item.get("state") == "open",
                    LABEL in labels,
                )

    def create(self, title: str, body: str) -> int:
        """One attempt."""
        return _int(
            self._http.create(self._path, {"title": title, "body": body, "labels": [LABEL]}), "number"
        )

    def edit(
        self, id: int, *, body: str | None = None, open: bool | None = None, label: bool = False
    ) -> None:
        """What is told, and nothing else of it."""
        change: dict[str, Any] = {} if body is None else {"body": body}
        if open is not None:
            change |= {"state": "open" if open else "closed"}
        if change:
            self._http.change("PATCH", f"{self._path}/{id}", change)
        if label:
            self._http.change("POST", f"{self._path}/{id}/labels", {"labels": [LABEL]})

    def said(self, id: int) -> Iterator[str]:
        """Our comments on it."""
        for item in self._http.pages(f"{self._path}/{id}/comments", {}):
            if _login(item) == self._me:
                yield str(item.get("body") or "")

    def say(self, id: int, body: str) -> None:
        """One attempt."""
        self._http.create(f"{self._path}/{id}/comments", {"body": body})


def merged_request(http: Http, place: Place, sha: str) -> int:
    """The number of the pull request whose merge made this commit."""
    for pull in http.pages(f"repos/{place.repository}/commits/{sha}/pulls", {}):
        if pull.get("merged_at") and pull.get("merge_commit_sha") == sha:
            return _int(pull, "number")
    raise StateError(
        f"commit {sha[:12]} is the merge of no pull request, so that nobody approved it",
        UNAPPROVED,
    )


def _login(item: dict[str, Any]) -> str:
    user = item.get("user")
    return str(user.get("login") or "") if isinstance(user, dict) else ""  # null: the account is gone


def _int(item: Any, name: str) -> int:
    value = item.get(name) if isinstance(item, dict) else None
    if type(value) is not int:
        raise ServiceError(f"GitHub's answer has no {name}", detail="see what GITHUB_API_URL is")
    return value
