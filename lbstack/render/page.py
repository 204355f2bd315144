"""Pages that need nothing but themselves: one file, no request, and a policy that lets nothing else in.

A template extends ``base.html.j2``, which holds the style and the script; both are named by their hashes in
the page's content security policy, so that whatever a name might smuggle in is neither run nor fetched.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbstack.render.words import safe

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def page(template: str, **view: Any) -> str:
    """A page drawn by a template from what it is to show."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return _environment().get_template(template).render(policy=policy, style=style, script=script, **view)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _shown(value: Any) -> Any:
    """What is put into a page: of text, what prints. What is markup already was made by `lined`."""
    return safe(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def lined(lines: Iterable[tuple[str, str]]) -> Any:
    """Lines with their styles as markup, each escaped; there may be very many of them."""
    from markupsafe import Markup, escape

    if not (given := list(lines)):
        return Markup()
    # Escaped all at once: what is safe holds no end of a line.
    texts = str(escape("\n".join([safe(text) or " " for text, _ in given]))).split("\n")
    told = [
        f'<span class="line {style}">{text}</span>' for text, (_, style) in zip(texts, given, strict=True)
    ]
    return Markup("".join(told))  # noqa: S704 (all of it is escaped or ours)


@cache
def _asset(name: str) -> Any:
    """A style or a script of ours, as it stands in every page."""
    from markupsafe import Markup

    return Markup((TEMPLATES / name).read_text("utf-8"))  # noqa: S704 (a file of this package)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
