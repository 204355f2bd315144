"""A small GitHub, as strict as the real one: rights, pages, limits, pull requests listed among the issues.

What a workflow's own token may ask is what it may ask there: not who it is (``GET /user`` is a 403), which it
learns from GraphQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.forge.rest import NOW, Api, Call, Refusal, Who, said
from tests.remote.misbehaving import Answer, Asked

TOKEN = "ghs_canaryOfTheWorkflow0123456789abcdef"
READING = "ghs_canaryOfTheFork0123456789abcdefghi"
PERSON = "ghp_canaryOfSomebody0123456789abcdefgh"
ME = "github-actions[bot]"
REPOSITORY = "octo/signs"
LONGEST = 65_536
ALL = frozenset({"pull-requests", "issues", "contents"})
DENIED = {
    "message": "Resource not accessible by integration",
    "documentation_url": "https://docs.github.com/rest",
}
LIMITED = {
    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
}


class GitHub(Api):
    """One repository with its issues, pull requests and comments."""

    def __init__(self) -> None:
        super().__init__("")
        self.tokens = {
            TOKEN: Who(ME, ALL, app=True),
            READING: Who(ME, frozenset(), app=True),
            PERSON: Who("mona", ALL),
        }
        self.items: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.deleted: set[int] = set()
        self.has_issues = True
        self._last = 0
        _comments(self)
        _issues(self)
        _others(self)

    # -- what people do ----------------------------------------------------------------------------

    def opens(self, title: str, body: str = "", *, by: str = "mona", pull: bool = False, **more: Any) -> int:
        self._last += 1
        item = {"title": title, "body": body, "user": by, "state": "open", "labels": [], "pull": pull, **more}
        self.items[self._last] = item
        return self._last

    def says(self, number: int, body: str, *, by: str = "mona") -> int:
        id = self.number()
        self.comments[id] = {"issue": number, "body": body, "user": by}
        return id

    def merges(self, number: int, sha: str) -> None:
        self.items[number] |= {"state": "closed", "merged_at": NOW, "merge_commit_sha": sha}

    def bodies(self, number: int, by: str = ME) -> list[str]:
        return [c["body"] for c in self.comments.values() if c["issue"] == number and c["user"] == by]

    # -- what it minds -----------------------------------------------------------------------------

    def authenticate(self, asked: Asked) -> Who:
        kind, _, token = asked.headers.get("authorization", "").partition(" ")
        if kind not in ("Bearer", "token") or token not in self.tokens:
            raise Refusal(401, {"message": "Bad credentials"})
        if asked.headers.get("x-github-api-version", "2022-11-28") != "2022-11-28":
            raise Refusal(400, {"message": "unknown version"})
        return self.tokens[token]

    def item(self, owner: str, name: str, number: int) -> dict[str, Any]:
        self.known(owner, name)
        if number in self.deleted:
            raise Refusal(410, {"message": "This issue was deleted"})
        if number not in self.items:
            raise Refusal(404, {"message": "Not Found"})
        return self.items[number]

    def known(self, owner: str, name: str) -> None:
        if f"{owner}/{name}" != REPOSITORY:
            raise Refusal(404, {"message": "Not Found"})

    def comment_document(self, id: int) -> dict[str, Any]:
        comment = self.comments[id]
        return {
            "id": id,
            "node_id": f"IC_{id}",
            "body": comment["body"],
            "user": _user(comment["user"]),
            "created_at": NOW,
            "updated_at": NOW,
            "author_association": "NONE",
            "performed_via_github_app": None,
        }

    def item_document(self, number: int) -> dict[str, Any]:
        item = self.items[number]
        pull = (
            {"pull_request": {"url": f"{self.url}/repos/{REPOSITORY}/pulls/{number}"}} if item["pull"] else {}
        )
        return {
            "id": 10_000 + number,
            "number": number,
            "title": item["title"],
            "body": item["body"] or None,
            "user": _user(item["user"]),
            "state": item["state"],
            "labels": [{"id": 1, "name": label, "color": "ededed"} for label in item["labels"]],
            "created_at": NOW,
            **pull,
        }

    def environ(self, number: int | None = None, token: str = TOKEN, **more: str) -> dict[str, str]:
        """What a workflow's step knows."""
        ref = f"refs/pull/{number}/merge" if number else "refs/heads/main"
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_REF": ref,
            "GITHUB_TOKEN": token,
            **more,
        }


def _user(login: str) -> dict[str, Any] | None:
    if not login:
        return None  # the account is gone
    return {"login": login, "id": 1, "type": "Bot" if login.endswith("[bot]") else "User"}


def need(call: Call, *rights: str) -> None:
    if not call.who.rights & set(rights):
        raise Refusal(403, DENIED)


def text(body: dict[str, Any], name: str, kind: str) -> None:
    """A body of the right length."""
    value = body.get(name, "x")
    told = None
    if not isinstance(value, str) or not value.strip():
        told = f"{name} is blank"
    elif len(value) > LONGEST:
        told = f"{name} is too long (maximum is {LONGEST} characters)"
    if told:
        raise Refusal(
            422,
            {"message": "Validation Failed", "errors": [{"resource": kind, "field": name, "message": told}]},
        )


REPO = r"/repos/([\w.-]+)/([\w.-]+)"


def _comments(api: GitHub) -> None:
    @api.on("GET", rf"{REPO}/issues/(\d+)/comments")
    def listed(call: Call, owner: str, name: str, number: int) -> Answer:
        api.item(owner, name, number)
        call.asks("since")
        return call.page(
            [api.comment_document(i) for i in sorted(api.comments) if api.comments[i]["issue"] == number]
        )

    @api.on("POST", rf"{REPO}/issues/(\d+)/comments")
    def made(call: Call, owner: str, name: str, number: int) -> Answer:
        item = api.item(owner, name, number)
        need(call, "pull-requests" if item["pull"] else "issues", "issues")
        body = call.only("body", required=["body"])
        text(body, "body", "IssueComment")
        return said(201, api.comment_document(api.says(number, body["body"], by=call.who.login)))

    def own(call: Call, owner: str, name: str, id: int) -> dict[str, Any]:
        api.known(owner, name)
        if id not in api.comments:
            raise Refusal(404, {"message": "Not Found"})
        need(call, "pull-requests", "issues")
        return api.comments[id]

    @api.on("PATCH", rf"{REPO}/issues/comments/(\d+)")
    def edited(call: Call, owner: str, name: str, id: int) -> Answer:
        comment = own(call, owner, name, id)
        body = call.only("body", required=["body"])
        text(body, "body", "IssueComment")
        comment["body"] = body["body"]
        return said(200, api.comment_document(id))

    @api.on("DELETE", rf"{REPO}/issues/comments/(\d+)")
    def deleted(call: Call, owner: str, name: str, id: int) -> Answer:
        own(call, owner, name, id)
        del api.comments[id]
        return said(204)


def _issues(api: GitHub) -> None:
    @api.on("GET", rf"{REPO}/issues")
    def listed(call: Call, owner: str, name: str) -> Answer:
        api.known(owner, name)
        asked = call.asks("state", "labels", "creator", "sort", "direction", "since")
        state, labels = (
            asked.get("state", "open"),
            {label for label in asked.get("labels", "").split(",") if label},
        )
        if state not in ("open", "closed", "all"):
            raise Refusal(422, {"message": "Validation Failed"})
        found = [
            number
            for number, item in api.items.items()
            if (state == "all" or item["state"] == state) and labels <= set(item["labels"])
        ]
        # The newest first, and pull requests among them, as there.
        return call.page([api.item_document(number) for number in sorted(found, reverse=True)])

    @api.on("POST", rf"{REPO}/issues")
    def made(call: Call, owner: str, name: str) -> Answer:
        api.known(owner, name)
        if not api.has_issues:
            raise Refusal(410, {"message": "Issues has been disabled in this repository."})
        need(call, "issues")
        body = call.only("title", "body", "labels", "assignees", required=["title"])
        text(body, "title", "Issue")
        text(body, "body", "Issue")
        number = api.opens(
            body["title"], body.get("body", ""), by=call.who.login, labels=list(body.get("labels", []))
        )
        return said(201, api.item_document(number))

    @api.on("PATCH", rf"{REPO}/issues/(\d+)")
    def edited(call: Call, owner: str, name: str, number: int) -> Answer:
        item = api.item(owner, name, number)
        need(call, "issues")
        body = call.only("title", "body", "state", "state_reason", "labels")
        text(body, "body", "Issue")
        if body.get("state", "open") not in ("open", "closed"):
            raise Refusal(422, {"message": "Validation Failed"})
        item.update({key: value for key, value in body.items() if key != "state_reason"})
        return said(200, api.item_document(number))

    @api.on("POST", rf"{REPO}/issues/(\d+)/labels")
    def labelled(call: Call, owner: str, name: str, number: int) -> Answer:
        item = api.item(owner, name, number)
        need(call, "issues")
        item["labels"] = list(
            dict.fromkeys([*item["labels"], *call.only("labels", required=["labels"])["labels"]])
        )
        return said(200, api.item_document(number)["labels"])


def _others(api: GitHub) -> None:
    @api.on("GET", r"/user")
    def me(call: Call) -> Answer:
        if call.who.app:
            raise Refusal(403, DENIED)
        return said(200, _user(call.who.login))

    @api.on("POST", r"/graphql")
    def graphql(call: Call) -> Answer:
        query = call.only("query", required=["query"])["query"]
        if "".join(query.split()) != "query{viewer{login}}":
            return said(200, {"errors": [{"message": "not known here"}]})
        return said(200, {"data": {"viewer": {"login": call.who.login}}})

    @api.on("GET", rf"{REPO}/commits/([0-9a-f]{{40}})/pulls")
    def pulls(call: Call, owner: str, name: str, sha: str) -> Answer:
        api.known(owner, name)
        need(call, "contents")
        call.asks()
        found = [
            n
            for n, item in api.items.items()
            if item["pull"] and sha in item.get("commits", [item.get("merge_commit_sha")])
        ]
        more = ("merged_at", "merge_commit_sha")
        return call.page(
            [{**api.item_document(n), **{key: api.items[n].get(key) for key in more}} for n in found]
        )


@contextmanager
def github() -> Iterator[GitHub]:
    made = GitHub()
    with made.running():
        yield made
