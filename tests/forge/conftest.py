"""Both forges behind one face, so that each story is told of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lbstack.forge import pages, work
from lbstack.forge.where import Place, place
from tests.cli.conftest import cli as cli
from tests.cli.conftest import served as served
from tests.forge import github_api, gitlab_api
from tests.forge.github_api import GitHub, github
from tests.forge.gitlab_api import GitLab, gitlab
from tests.remote.misbehaving import Answer, Asked, Fault

SHA = "5f" * 20
DIGEST = "1.qqqqqqqqqqqqqqqq"


def plan_page(text: str = "first", stack: str = "signs", digest: str = DIGEST) -> str:
    head = f"<!-- lbstack:plan {stack} -->\n\n<!-- lbstack:digest {digest} -->\n\n"
    return f"{head}**Plan: 1 to add, 0 to change, 0 to destroy.**\n\n```diff\n+ {text}\n```\n"


def empty_page(stack: str = "signs") -> str:
    return (
        f"<!-- lbstack:plan {stack} -->\n\n**No changes. Your infrastructure matches the configuration.**\n"
    )


def drift_page(text: str = "renamed", stack: str = "signs") -> str:
    return f"<!-- lbstack:drift {stack} -->\n\n**1 drifted.**\n\n```diff\n! {text}\n```\n"


@dataclass
class Side:
    """One forge, what its people do there, and what lbstack does. Pauses are noted and not waited for."""

    api: Any
    pauses: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "github" if isinstance(self.api, GitHub) else "gitlab"

    @property
    def me(self) -> str:
        return github_api.ME if self.name == "github" else gitlab_api.ME

    @property
    def token(self) -> str:
        return github_api.TOKEN if self.name == "github" else gitlab_api.TOKEN

    @property
    def edit(self) -> str:
        return "PATCH" if self.name == "github" else "PUT"

    @property
    def thread(self) -> str:
        """What the path of the comments of a pull request ends with."""
        return "/comments" if self.name == "github" else "/notes"

    # -- people ------------------------------------------------------------------------------------

    def request(self) -> int:
        return int(
            self.api.opens("Change", pull=True) if self.name == "github" else self.api.requests_merge()
        )

    def says(self, number: int, body: str, by: str = "mona") -> int:
        if self.name == "github":
            return int(self.api.says(number, body, by=by))
        return int(self.api.says("merge_requests", number, body, by=by))

    def merges(self, number: int) -> None:
        self.api.merges(number, SHA)

    def deletes(self, id: int) -> None:
        del (self.api.comments if self.name == "github" else self.api.notes)[id]

    def comments(self, number: int, by: str = "") -> list[str]:
        return list(self.api.bodies(number, by=by or self.me))

    def opens(self, body: str, by: str = "", labelled: bool = True) -> int:
        labels = ["lbstack-drift"] if labelled else []
        return int(self.api.opens("lbstack drift: signs", body, by=by or self.me, labels=labels))

    def closes(self, number: int) -> None:
        self.issues[number]["state"] = "closed"

    @property
    def issues(self) -> dict[int, dict[str, Any]]:
        items = self.api.items if self.name == "github" else self.api.issues
        return {number: item for number, item in items.items() if not item.get("pull")}

    def body(self, number: int) -> str:
        return str(self.issues[number]["body" if self.name == "github" else "description"])

    def is_open(self, number: int) -> bool:
        return self.issues[number]["state"] in ("open", "opened")

    def told(self, number: int) -> list[str]:
        """What was commented on an issue, without the hidden lines."""
        bodies = self.comments(number) if self.name == "github" else self.api.bodies(number, "issues")
        return [body.split("\n", 1)[1] if body.startswith("<!--") else body for body in bodies]

    # -- lbstack -----------------------------------------------------------------------------------

    def environ(self, number: int | None = None, **more: str) -> dict[str, str]:
        return dict(self.api.environ(number, **more))

    def place(self, number: int | None = None, **more: str) -> Place:
        return place(self.environ(number, **more))

    def comment(self, number: int, page: str, **more: Any) -> str:
        mark, page = pages.page_of(page, "plan", "")
        return work.comment(self.place(number), mark, page, pause=self.pauses.append, **more)

    def issue(self, page: str | None) -> str:
        mark, whole = pages.page_of(page or drift_page(""), "drift", "")
        told = whole if page else ""
        return work.issue(self.place(), mark, "signs", told, drifted=bool(page), pause=self.pauses.append)

    # -- faults ------------------------------------------------------------------------------------

    def goes_wrong(self, method: str, do: Any, ending: str = "", times: int = 1, first: int = 0) -> None:
        self.api.server.faults.append(Fault(method, do, times=times, first=first, ending=ending))

    def before(self, method: str, ending: str, happens: Any, first: int = 0) -> None:
        """Something happens right before a request is carried out."""

        def do(asked: Asked, serve: Any) -> Answer | None:
            happens()
            answer: Answer = serve(asked)
            return answer

        self.goes_wrong(method, do, ending, first=first)

    def count(self, method: str, ending: str = "") -> int:
        return int(self.api.server.count(method, ending))

    @property
    def ids(self) -> list[int]:
        """The comments that are there."""
        return [*(self.api.comments if self.name == "github" else self.api.notes)]


@pytest.fixture(params=["github", "gitlab"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with github() if request.param == "github" else gitlab() as api:
        yield Side(api)


@pytest.fixture
def hub() -> Iterator[GitHub]:
    with github() as api:
        yield api


@pytest.fixture
def lab() -> Iterator[GitLab]:
    with gitlab() as api:
        yield api
