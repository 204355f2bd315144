"""The changed part of a plan as a Mermaid graph, where it is small enough to be looked at.

Mermaid draws up to 500 edges and 50,000 characters, and says an error where there are more; far fewer are of
use in a comment.
"""

from __future__ import annotations

import re

from lbstack.plan.changes import Action, Plan
from lbstack.render.order import WORDS, edges
from lbstack.render.words import safe

NODES, EDGES, CHARACTERS = 40, 80, 8000
LABEL = 48
"""Characters of an address before it is cut."""

_STYLES = {
    "create": "fill:#dafbe1,stroke:#1a7f37,color:#0a3d1a",
    "update": "fill:#fff8c5,stroke:#9a6700,color:#4d3400",
    "replace": "fill:#ffe0d3,stroke:#bc4c00,color:#5c2400",
    "destroy": "fill:#ffebe9,stroke:#cf222e,color:#6e0f16",
    "missing": "fill:#ffebe9,stroke:#cf222e,color:#6e0f16",
    "forget": "fill:#eaeef2,stroke:#57606a,color:#24292f",
    "import": "fill:#ddf4ff,stroke:#0969da,color:#033d8b",
}


def graph(plan: Plan) -> str | None:
    """The graph; None where nothing depends on anything, or where it would be too large."""
    changed = plan.actions
    lines = edges(plan, [change.address for change in changed])
    joined = {address for edge in lines for address in edge}
    shown = [change for change in changed if change.address in joined]
    if not shown or len(shown) > NODES or len(lines) > EDGES:
        return None
    number = {change.address: f"n{index}" for index, change in enumerate(shown)}
    text = ["flowchart LR"]
    text += [
        f'  {number[change.address]}["{label(f"{change.symbol} {change.address}")}"]:::{_word(change.action)}'
        for change in shown
    ]
    text += [f"  {number[one]} --> {number[need]}" for one, need in lines]
    used = dict.fromkeys(_word(change.action) for change in shown)
    text += [f"  classDef {word} {_STYLES[word]}" for word in used]
    drawn = "\n".join(text)
    return drawn if len(drawn) <= CHARACTERS else None


def label(text: str) -> str:
    """Text as a label: what is not a letter or a digit is written by its number, which Mermaid shows and
    does not read."""
    text = safe(text)
    cut = text if len(text) <= LABEL else text[: LABEL - 1] + "…"
    return re.sub(r"[^A-Za-z0-9 .…_]", lambda found: f"#{ord(found[0])};", cut)


def _word(action: Action) -> str:
    return WORDS[action]
