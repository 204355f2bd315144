"""A small GitLab, as strict as the real one: its lists begin with the newest, its system writes notes of its
own, lines that begin with a slash are carried out, and a job's own token may write nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.forge.rest import NOW, Api, Call, Refusal, Who, said
from tests.remote.misbehaving import Answer, Asked

TOKEN = "glpat-canaryOfTheProject0123456"
LENT = "glcbt-canaryOfTheJob0123456789"
ME = "project_42_bot_0123456789abcdef"
PROJECT = 42
LONGEST = 1_000_000
WRITES = frozenset({"api"})


class GitLab(Api):
    """One project with its issues, merge requests and notes."""

    def __init__(self) -> None:
        super().__init__("/api/v4")
        self.tokens = {TOKEN: Who(ME, WRITES), LENT: Who("mona", frozenset({"job"}))}
        self.issues: dict[int, dict[str, Any]] = {}
        self.requests: dict[int, dict[str, Any]] = {}
        self.notes: dict[int, dict[str, Any]] = {}
        _notes(self)
        _issues(self)
        _others(self)

    def requests_merge(self, title: str = "Change") -> int:
        iid = len(self.requests) + 1
        self.requests[iid] = {"title": title, "state": "opened", "user": "mona"}
        return iid

    def merges(self, iid: int, sha: str) -> None:
        self.requests[iid] |= {"state": "merged", "merge_commit_sha": sha}

    def opens(
        self, title: str, description: str = "", *, by: str = "mona", labels: tuple[str, ...] = ()
    ) -> int:
        iid = len(self.issues) + 1
        item = {
            "title": title,
            "description": description,
            "user": by,
            "state": "opened",
            "labels": list(labels),
        }
        self.issues[iid] = item
        return iid

    def says(self, kind: str, iid: int, body: str, *, by: str = "mona", system: bool = False) -> int:
        id = self.number()
        self.notes[id] = {"on": (kind, iid), "body": body, "user": by, "system": system}
        return id

    def bodies(self, iid: int, kind: str = "merge_requests", by: str = ME) -> list[str]:
        return [
            n["body"]
            for n in self.notes.values()
            if n["on"] == (kind, iid) and n["user"] == by and not n["system"]
        ]

    def authenticate(self, asked: Asked) -> Who:
        token, lent = asked.headers.get("private-token"), asked.headers.get("job-token")
        if token in self.tokens and token != LENT:
            return self.tokens[str(token)]
        if lent == LENT:
            return self.tokens[LENT]
        raise Refusal(401, {"message": "401 Unauthorized"})

    def target(self, call: Call, project: int, kind: str, iid: int) -> dict[str, Any]:
        if project != PROJECT or iid not in getattr(
            self, "requests" if kind == "merge_requests" else "issues"
        ):
            raise Refusal(404, {"message": "404 Not found"})
        if "api" not in call.who.rights:
            raise Refusal(401, {"message": "401 Unauthorized"})
        found: dict[str, Any] = getattr(self, "requests" if kind == "merge_requests" else "issues")[iid]
        return found

    def note_document(self, id: int) -> dict[str, Any]:
        note = self.notes[id]
        author = {"id": 1, "username": note["user"], "name": note["user"], "state": "active"}
        return {"id": id, "body": note["body"], "author": author, "system": note["system"], "created_at": NOW}

    def issue_document(self, iid: int) -> dict[str, Any]:
        issue = self.issues[iid]
        author = {"id": 1, "username": issue["user"], "state": "active"}
        kept = {key: issue[key] for key in ("title", "description", "state", "labels")}
        return {"id": 90_000 + iid, "iid": iid, "project_id": PROJECT, "author": author, **kept}

    def environ(self, iid: int | None = None, token: str = TOKEN, **more: str) -> dict[str, str]:
        """What a job knows."""
        request = (
            {"CI_MERGE_REQUEST_IID": str(iid), "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": str(PROJECT)}
            if iid
            else {}
        )
        tokens = {"GITLAB_TOKEN": token} if token else {}
        return {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": self.url,
            "CI_PROJECT_ID": str(PROJECT),
            "CI_JOB_TOKEN": LENT,
            **tokens,
            **request,
            **more,
        }


def text(body: dict[str, Any], name: str) -> None:
    if len(body.get(name, "")) > LONGEST:
        raise Refusal(400, {"message": {name: [f"is too long (maximum is {LONGEST} characters)"]}})
    if name in body and not body[name].strip():
        raise Refusal(400, {"message": {name: ["can't be blank"]}})


def carried_out(body: str, target: dict[str, Any]) -> str:
    """A text without its commands, which are carried out; those in a block of code are none."""
    lines, inside = [], False
    for line in body.split("\n"):
        if re.match(r" {0,3}```", line):
            inside = not inside
        command = None if inside else re.match(r"\s*/(close|reopen|assign|label|merge|title)\b(.*)", line)
        if command and command[1] in ("close", "merge"):
            target["state"] = "closed"
        if not command:
            lines.append(line)
    return "\n".join(lines)


NOTES = r"/projects/(\d+)/(merge_requests|issues)/(\d+)/notes"


def _notes(api: GitLab) -> None:
    @api.on("GET", NOTES)
    def listed(call: Call, project: int, kind: str, iid: int) -> Answer:
        api.target(call, project, kind, iid)
        asked = call.asks("sort", "order_by")
        found = sorted(id for id, note in api.notes.items() if note["on"] == (kind, iid))
        return call.page(
            [api.note_document(i) for i in (found if asked.get("sort") == "asc" else found[::-1])]
        )

    @api.on("POST", NOTES)
    def made(call: Call, project: int, kind: str, iid: int) -> Answer:
        target = api.target(call, project, kind, iid)
        body = call.only("body", required=["body"])
        text(body, "body")
        kept = carried_out(body["body"], target)
        return said(201, api.note_document(api.says(kind, iid, kept, by=call.who.login)))

    def own(call: Call, project: int, kind: str, iid: int, id: int) -> dict[str, Any]:
        api.target(call, project, kind, iid)
        if id not in api.notes or api.notes[id]["on"] != (kind, iid):
            raise Refusal(404, {"message": "404 Note Not Found"})
        if api.notes[id]["user"] != call.who.login:
            raise Refusal(403, {"message": "403 Forbidden"})
        return api.notes[id]

    @api.on("PUT", NOTES + r"/(\d+)")
    def edited(call: Call, project: int, kind: str, iid: int, id: int) -> Answer:
        note = own(call, project, kind, iid, id)
        body = call.only("body", required=["body"])
        text(body, "body")
        note["body"] = carried_out(body["body"], api.target(call, project, kind, iid))
        return said(200, api.note_document(id))

    @api.on("DELETE", NOTES + r"/(\d+)")
    def deleted(call: Call, project: int, kind: str, iid: int, id: int) -> Answer:
        own(call, project, kind, iid, id)
        del api.notes[id]
        return said(204)


def _issues(api: GitLab) -> None:
    def known(call: Call, project: int) -> None:
        if project != PROJECT:
            raise Refusal(404, {"message": "404 Project Not Found"})
        if "api" not in call.who.rights:
            raise Refusal(401, {"message": "401 Unauthorized"})

    @api.on("GET", r"/projects/(\d+)/issues")
    def listed(call: Call, project: int) -> Answer:
        known(call, project)
        asked = call.asks("state", "labels", "scope", "sort", "order_by")
        labels = {label for label in asked.get("labels", "").split(",") if label}
        found = [
            iid
            for iid, issue in api.issues.items()
            if asked.get("state", issue["state"]) == issue["state"] and labels <= set(issue["labels"])
        ]
        return call.page([api.issue_document(iid) for iid in sorted(found, reverse=True)])

    @api.on("POST", r"/projects/(\d+)/issues")
    def made(call: Call, project: int) -> Answer:
        known(call, project)
        body = call.only("title", "description", "labels", required=["title"])
        text(body, "description")
        labels = tuple(label for label in body.get("labels", "").split(",") if label)
        iid = api.opens(body["title"], "", by=call.who.login, labels=labels)
        api.issues[iid]["description"] = carried_out(body.get("description", ""), api.issues[iid])
        return said(201, api.issue_document(iid))

    @api.on("PUT", r"/projects/(\d+)/issues/(\d+)")
    def edited(call: Call, project: int, iid: int) -> Answer:
        issue = api.target(call, project, "issues", iid)
        body = call.only("title", "description", "state_event", "labels", "add_labels", "remove_labels")
        if not body:
            raise Refusal(
                400, {"error": "title, description, … are missing, at least one parameter must be provided"}
            )
        text(body, "description")
        if "description" in body:
            issue["description"] = carried_out(body["description"], issue)
        if "state_event" in body:
            issue["state"] = {"close": "closed", "reopen": "opened"}[body["state_event"]]
            api.says("issues", iid, body["state_event"], by=call.who.login, system=True)
        added = [label for label in body.get("add_labels", "").split(",") if label]
        issue["labels"] = list(dict.fromkeys([*issue["labels"], *added]))
        return said(200, api.issue_document(iid))


def _others(api: GitLab) -> None:
    @api.on("GET", r"/user")
    def me(call: Call) -> Answer:
        if "job" in call.who.rights:
            raise Refusal(401, {"message": "401 Unauthorized"})
        return said(200, {"id": 1, "username": call.who.login, "state": "active", "bot": True})

    @api.on("GET", r"/job")
    def job(call: Call) -> Answer:
        if "job" not in call.who.rights:
            raise Refusal(404, {"message": "404 Not Found"})
        return said(200, {"id": 5, "status": "running", "user": {"id": 1, "username": call.who.login}})

    @api.on("GET", r"/projects/(\d+)/repository/commits/([0-9a-f]{40})/merge_requests")
    def requests(call: Call, project: int, sha: str) -> Answer:
        call.asks("state")
        if project != PROJECT:
            raise Refusal(404, {"message": "404 Project Not Found"})
        found = [(iid, r) for iid, r in api.requests.items() if r.get("merge_commit_sha") == sha]
        kept = ("state", "merge_commit_sha", "squash_commit_sha", "sha")
        return call.page(
            [{"id": 7 + iid, "iid": iid, **{key: r.get(key) for key in kept}} for iid, r in found]
        )


@contextmanager
def gitlab() -> Iterator[GitLab]:
    made = GitLab()
    with made.running():
        yield made
