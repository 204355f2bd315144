"""The files with which a CI service plans, applies and looks for drift: ``examples/ci``, for one stack or for
those of a folder.

They lie inside an installed lbstack, and beside it in a checkout.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import lbstack

_PACKED = Path(lbstack.__file__).parent / "ci_examples"
_BESIDE = Path(lbstack.__file__).parents[1] / "examples" / "ci"
_STACK = "stacks/labeling.yaml"
"""The stack that the examples are about."""

SERVICES = ("github", "gitlab", "atlantis")
_GITHUB = ".github/workflows"
_PLACES = {
    "github": {f"{_GITHUB}/lbstack-{name}.yml": f"github/{name}.yml" for name in ("plan", "apply", "drift")},
    "gitlab": {"templates/lbstack.yml": "gitlab/templates/lbstack.yml"},
    "atlantis": {"atlantis.yaml": "atlantis/atlantis.yaml", "repos.yaml": "atlantis/repos.yaml"},
}
_MANY = {place: name.replace("github/", "github/many/") for place, name in _PLACES["github"].items()}
_INCLUDE = """\
include:
  - local: templates/lbstack.yml
    inputs:
      stack: {stack}
"""

NEXT = {
    "github": "In the repository's settings: the environments labelbox-plan and labelbox, each with the"
    " secret LABELBOX_API_KEY, and the variable LBSTACK_STATE (s3://…, gs://…, az://… or https://…).",
    "gitlab": "In the project's settings: the variables LABELBOX_API_KEY and GITLAB_TOKEN, masked and"
    " protected.",
    "atlantis": "repos.yaml is for the server: atlantis server --repo-config repos.yaml.",
}
"""What is left to do by hand."""
NEXT_MANY = NEXT["github"].replace("(s3://…,", "with {stack} in it (s3://…/{stack}.json,")


def main_branch() -> str:
    """The branch that is merged into: the remote's own, else the one that is checked out, else main."""
    for words in (("--short", "refs/remotes/origin/HEAD"), ("--short", "HEAD")):
        with suppress(OSError):
            command = ["git", "symbolic-ref", "--quiet", *words]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            name = done.stdout.strip().removeprefix("origin/")
            if done.returncode == 0 and re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*", name):
                return name
    return "main"


def files_for_many(folder: str) -> Iterator[tuple[str, str]]:
    """Where each file of GitHub's goes, and its text for all stacks under a folder."""
    for place, text in _texts(_MANY):
        text = re.sub(r"(?m)^( +stack: )stacks\b", rf"\g<1>{folder}", text)
        yield place, text.replace('"stacks/**"', f'"{folder}/**"')


def files_for(service: str, stack: str) -> Iterator[tuple[str, str]]:
    """Where each file of a service goes, from the repository's root, and its text for this stack."""
    for place, text in _texts(_PLACES[service]):
        yield place, text.replace('"stacks/**"', f'"{stack}"').replace(_STACK, stack)
    if service == "gitlab":
        yield ".gitlab-ci.yml", _INCLUDE.format(stack=stack)


def _texts(places: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The files as they lie in the examples, for this repository's branch and these names."""
    branch = main_branch()
    folder = _PACKED if _PACKED.is_dir() else _BESIDE
    for place, name in places.items():
        text = (folder / name).read_text(encoding="utf-8")
        text = text.replace("branches: [main]", f"branches: [{branch}]")
        yield place, text.replace(f"{_GITHUB}/plan.yml", f"{_GITHUB}/lbstack-plan.yml")
