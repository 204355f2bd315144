"""Every face of the same ten plans, held as files; ``pytest tests/faces --accept`` rewrites them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lbstack.plan.changes import Plan
from lbstack.render.html import plan_html
from lbstack.render.json import plan_document
from lbstack.render.markdown import plan_markdown
from lbstack.render.text import plan_lines
from tests.faces.plans import PLANS


def text(plan: Plan) -> str:
    return "".join(f"{line}\n" for line, _ in plan_lines(plan))


def document(plan: Plan) -> str:
    return json.dumps(plan_document(plan), indent=1) + "\n"


def body(plan: Plan) -> str:
    """The page without what is the same in all of them."""
    return plan_html(plan).split("<body>\n")[1].split("<script>")[0]


FACES: dict[str, Callable[[Plan], str]] = {"txt": text, "md": plan_markdown, "json": document, "html": body}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", PLANS)
def test_a_face_is_as_it_was_accepted(
    name: str, face: str, plans: dict[str, Plan], golden: Callable[[str, str], None]
) -> None:
    golden(f"{name}.{face}", FACES[face](plans[name]))
