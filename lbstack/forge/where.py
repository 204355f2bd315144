"""Which forge, which repository, which pull request: what a job's environment tells, and nothing else.

The token is read from the environment alone, and is a secret from then on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lbstack.errors import AuthError, UsageError
from lbstack.state.cell import of_this_machine
from lbstack.values import Secret

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_PULL = re.compile(r"refs/pull/([0-9]{1,12})/(?:merge|head)")
_NUMBER = re.compile(r"[0-9]{1,12}")
_WORD = re.compile(r"[\x21-\x7e]+")
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
LARGEST = 32 * 2**20

EITHER = ("github", "gitlab")


@dataclass(frozen=True, slots=True)
class Place:
    """A repository on a forge, as a job sees it.

    `number` is its pull (or merge) request, 0 where it has none; `fork` whether that comes from a repository
    that has no secrets here.
    """

    forge: str
    api: str
    graphql: str
    repository: str
    token: Secret
    job: bool = False
    number: int = 0
    fork: bool = False
    sha: str = ""
    user: str = ""

    def request(self) -> int:
        """The pull request's number. Raises `UsageError` where there is none."""
        if not self.number:
            told = "GITHUB_REF nor GITHUB_EVENT_PATH" if self.forge == "github" else "CI_MERGE_REQUEST_IID"
            not_ = "neither" if self.forge == "github" else "no"
            raise UsageError(f"{not_} {told} names a pull request", "run this for one, or give --number N")
        return self.number


def place(
    environ: Mapping[str, str], forge: str | None = None, number: int | None = None, user: str = ""
) -> Place:
    """Where a job runs."""
    forge = forge or _forge(environ)
    made = _github(environ, user) if forge == "github" else _gitlab(environ, user)
    return made if number is None else _with_number(made, number)


def _with_number(made: Place, number: int) -> Place:
    from dataclasses import replace

    return replace(made, number=number, fork=made.fork and number == made.number)


def _forge(environ: Mapping[str, str]) -> str:
    found = {
        "github": bool(environ.get("GITHUB_ACTIONS") or environ.get("GITHUB_REPOSITORY")),
        "gitlab": bool(environ.get("GITLAB_CI") or environ.get("CI_API_V4_URL")),
    }
    named = [name for name, is_there in found.items() if is_there]
    if len(named) != 1:
        said = "both forges" if named else "no forge"
        raise UsageError(f"the environment names {said}", "give --forge github or --forge gitlab")
    return named[0]


def _github(environ: Mapping[str, str], user: str) -> Place:
    repository = environ.get("GITHUB_REPOSITORY", "")
    if not _REPOSITORY.fullmatch(repository) or repository.split("/")[1].strip(".") == "":
        raise UsageError("GITHUB_REPOSITORY names no repository", "set it to OWNER/NAME")
    token = environ.get("GITHUB_TOKEN", "").strip()
    if not token:
        raise AuthError(
            "there is no GITHUB_TOKEN", "in a workflow's step: env: {GITHUB_TOKEN: ${{ github.token }}}"
        )
    api = _address(environ.get("GITHUB_API_URL") or "https://api.github.com", "GITHUB_API_URL")
    event = _event(environ.get("GITHUB_EVENT_PATH", ""))
    number, fork = _pull(event, environ.get("GITHUB_REF", ""), repository)
    sha = environ.get("GITHUB_SHA", "")
    return Place(
        "github",
        api,
        _address(environ.get("GITHUB_GRAPHQL_URL") or _graphql(api), "GITHUB_GRAPHQL_URL"),
        repository,
        _token(token, "GITHUB_TOKEN"),
        number=number,
        fork=fork,
        sha=sha if _SHA.fullmatch(sha) else "",
        user=user,
    )


def _graphql(api: str) -> str:
    """Where GraphQL is, beside an API: on a server of one's own that is ``…/api/v3``, it is not below it."""
    return f"{api.removesuffix('/v3')}/graphql"


def _gitlab(environ: Mapping[str, str], user: str) -> Place:
    id = environ.get("CI_PROJECT_ID", "")
    if not _NUMBER.fullmatch(id):
        raise UsageError("CI_PROJECT_ID names no project", "set it to the project's number")
    own, lent = environ.get("GITLAB_TOKEN", "").strip(), environ.get("CI_JOB_TOKEN", "").strip()
    if not own and not lent:
        raise AuthError(
            "there is no GITLAB_TOKEN", "make a project access token (scope api, role Reporter or more)"
        )
    iid, sha = environ.get("CI_MERGE_REQUEST_IID", ""), environ.get("CI_COMMIT_SHA", "")
    source = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "")
    return Place(
        "gitlab",
        _address(environ.get("CI_API_V4_URL") or "https://gitlab.com/api/v4", "CI_API_V4_URL"),
        "",
        id,
        _token(own or lent, "GITLAB_TOKEN" if own else "CI_JOB_TOKEN"),
        job=not own,
        number=int(iid) if _NUMBER.fullmatch(iid) else 0,
        fork=bool(source) and source != id,
        sha=sha if _SHA.fullmatch(sha) else "",
        user=user,
    )


def _token(text: str, name: str) -> Secret:
    """A token, which is one word; what it is instead is not repeated."""
    secret = Secret(text)
    if not _WORD.fullmatch(text):
        raise AuthError(f"{name} is no token", "set it to the token alone, without spaces or line breaks")
    return secret


def _address(url: str, name: str) -> str:
    """An API's address: encrypted, or of this machine, for the token goes there."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    odd = "@" in parts.netloc or parts.query or parts.fragment
    if not host or parts.scheme not in ("http", "https") or odd:
        raise UsageError(f"{name} is no address of an API", "write https://HOST/PATH")
    if parts.scheme == "http" and not of_this_machine(host):
        raise UsageError(f"{name} is not encrypted", "use https; http is for this machine only")
    return url.rstrip("/")


def _event(path: str) -> Mapping[str, Any]:
    """What set the workflow off; nothing where it is not told."""
    try:
        file = Path(path)
        if not path or file.stat().st_size > LARGEST:
            return {}
        data = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _pull(event: Mapping[str, Any], ref: str, repository: str) -> tuple[int, bool]:
    """The pull request's number, and whether it comes from a fork."""
    pull = event.get("pull_request")
    pull = pull if isinstance(pull, dict) else {}
    head = pull.get("head")
    source = head.get("repo") if isinstance(head, dict) else None
    # A fork that was deleted since is told as null.
    fork = bool(pull) and (not isinstance(source, dict) or source.get("full_name") != repository)
    if found := _PULL.fullmatch(ref):
        return int(found[1]), fork
    issue = event.get("issue")
    about = issue if isinstance(issue, dict) and issue.get("pull_request") else pull
    number = about.get("number")
    return (number if type(number) is int and number > 0 else 0), fork
