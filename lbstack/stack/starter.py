"""A first stack, for whoever has none yet: small, valid, and carried out by the sandbox as it stands."""

from __future__ import annotations

from importlib.resources import files

SCHEMA = "lbstack.schema.json"
"""The file, beside a stack, by which editors check it."""

IGNORED = (".lbstack/", "plan.json")
"""What is not for Git: states and the sandbox's data, and saved plans."""


def first_stack(name: str) -> str:
    """The text of a first stack of this name: ``starter.yaml``."""
    text = (files("lbstack.stack") / "starter.yaml").read_text(encoding="utf-8")
    return text.replace("NAME", name)
