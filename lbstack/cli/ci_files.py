"""The files with which a CI service plans, applies and looks for drift: ``examples/ci``, for one stack.

They lie inside an installed lbstack, and beside it in a checkout.
"""

from __future__ import annotations

from collections.abc import Iterator
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


def files_for(service: str, stack: str) -> Iterator[tuple[str, str]]:
    """Where each file of a service goes, from the repository's root, and its text for this stack."""
    folder = _PACKED if _PACKED.is_dir() else _BESIDE
    for place, name in _PLACES[service].items():
        text = (folder / name).read_text(encoding="utf-8")
        text = text.replace('"stacks/**"', f'"{stack}"').replace(_STACK, stack)
        yield place, text.replace(f"{_GITHUB}/plan.yml", f"{_GITHUB}/lbstack-plan.yml")
    if service == "gitlab":
        yield ".gitlab-ci.yml", _INCLUDE.format(stack=stack)
