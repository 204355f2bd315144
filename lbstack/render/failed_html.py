"""The page of a plan that could not be made, for people who would rather look than read."""

from __future__ import annotations

from collections.abc import Sequence

from lbstack.render.page import lined, page
from lbstack.render.words import sentence


def failed_html(name: str, code: int, told: Sequence[str]) -> str:
    """The page; `told` is what the command said, line by line."""
    return page(
        "failed.html.j2",
        title=f"Plan of {sentence(name)}",
        name=sentence(name),
        code=code,
        lines=lined((line, "plain") for line in told),
    )
