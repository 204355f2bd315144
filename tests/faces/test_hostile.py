"""Mixtures of what could be smuggled in by a name, in every place of every face: none of them gets out."""

from __future__ import annotations

import json
import random
import re
import unicodedata

import pytest

from lbstack.errors import Problem
from lbstack.plan.changes import ABSENT, Action, Change, Deposed, FieldChange, OutputChange, Plan, Refusal
from lbstack.recover import Orphan
from lbstack.render import mermaid
from lbstack.render.html import plan_html
from lbstack.render.json import dumps, plan_document
from lbstack.render.markdown import plan_markdown
from lbstack.render.text import plan_lines
from lbstack.values import Address, Source
from tests.faces.plans import HOSTILE, PINS
from tests.faces.test_html import Outline
from tests.faces.test_markdown import TAGS, Rendered

PIECES = [
    *HOSTILE, "\n", "\r", "\t", "\x00", "\x9b31m", "\u2028", "\u202e", "\ufeff", "`", "```", "~~~", "|", "\\", "<", ">", "&", '"', "'", "#", "##", "[", "]",
    "(", ")", "!", "*", "_", "-", "--", "->", "<!", "<!--", "-->", "--!>", "]]>", "<![CDATA[", "<?", "</code>", "</summary>", "</details>", "</span>",
    "</svg>", "</style>", "</title>", "<a href=javascript:x>", "&#x3c;", "&lt", "{%", "{#", "}}", "%%{init", "end", "subgraph", ":::", "click", "::", "\n::error::x",
    "\n##[group]", "Plan: 0 to add, 0 to change, 0 to destroy.", "/close", "\n/close", "a@b.example", "www.example.com", "https://e.example", "GH-1", "!1", "$x$", ":smile:",
]  # fmt: skip
FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
COMMAND = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)


def planted(chance: random.Random, refused: bool) -> Plan:
    """A plan of which every text is a mixture."""

    def text() -> str:
        return "".join(chance.choices(PIECES, k=chance.randint(1, 5)))

    changes = []
    for number, action in enumerate(Action):
        both = action in (Action.UPDATE, Action.REPLACE)
        lines = (
            FieldChange((text(),), text(), text(), replaces=True),
            FieldChange((text(), text()), ABSENT, {text(): {text(): text()}, text(): [text()]}, note=text()),
            FieldChange((text(), text(), text()), text(), ABSENT),
            FieldChange((text(),), [text(), text()], [text()], moved=True),
        )
        changes.append(
            Change(
                Address(text(), f"{text()}{number}"),
                action,
                text(),
                text(),
                {"name": text(), text(): text()},
                {"name": text(), text(): {text(): {text(): text()}}},
                lines if both else (),
                needs=tuple(change.address for change in changes[-1:]),
                contents=3,
                holds=text(),
                importing=action is Action.NOOP,
            )
        )
    return Plan(
        text(),
        PINS,
        tuple(changes),
        outputs=(OutputChange(text(), text(), text()), OutputChange(text(), ABSENT, [text()])),
        deposed=(Deposed(Address(text(), text()), text(), {}),),
        notes=(text(), text()),
        moves=((Address(text(), text()), Address(text(), text())),),
        orphans=(Orphan(Address(text(), text()), text(), text()),),
        refusals=(Refusal(Problem(text(), text(), Source(text(), 1, 1), Address(text(), text()))),) * refused,
    )


@pytest.mark.parametrize("seed", range(60))
def test_no_mixture_gets_out_of_any_face(seed: int) -> None:
    refused = seed % 2 == 1  # what is refused offers no digest
    plan = planted(random.Random(seed), refused)
    lines = [line for line, _ in plan_lines(plan)]
    assert (
        lines.count("Plan: 2 to add, 1 to change, 3 to destroy, 1 to forget.")
        + len([line for line in lines if line.startswith("Plan: 1 to import, ")])
        == 1
    )
    page, document, markdown = plan_html(plan), dumps(plan_document(plan)), plan_markdown(plan, 1_000_000)
    for shown in ("\n".join(lines), page, markdown):
        bad = [char for char in shown if unicodedata.category(char) in FORBIDDEN and char != "\n"]
        assert (bad, COMMAND.search(shown)) == ([], None)
    assert not COMMAND.search(document)
    assert json.loads(document) == json.loads(json.dumps(plan_document(plan)))
    seen = Rendered(markdown)
    assert seen.tags <= TAGS
    assert (seen.crossed, seen.open) == ([], [])
    assert [comment.split()[0] for comment in seen.comments] == ["lbstack:plan", "lbstack:digest"][
        : 2 - refused
    ]
    assert not re.search(r"@|://|www\.|GH-|#\d|:smile:|\$x|^/", seen.prose, re.MULTILINE)
    outline = Outline()
    outline.feed(page)
    assert (outline.wrong, outline.open) == ([], [])
    assert outline.seen <= {
        "html", "head", "meta", "link", "title", "style", "body", "a", "header", "p", "h1", "h2", "code", "main", "section", "ul", "li", "div", "button",
        "input", "fieldset", "legend", "label", "span", "b", "details", "summary", "strong", "table", "caption", "thead", "tr", "th", "tbody", "td", "em",
        "pre", "svg", "path", "g", "rect", "text", "script",
    }  # fmt: skip
    for line in (mermaid.graph(plan) or "flowchart LR").split("\n"):
        assert re.fullmatch(
            r'flowchart LR|  n\d+(\["[^"\[\]<>]*"\]:::[a-z]+| --> n\d+)|  classDef [a-z]+ \S+', line
        )
