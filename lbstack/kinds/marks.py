"""How an object bears the marker of the create that made it, so that it can be found if nobody heard of it.

Projects and datasets bear it for good, in an ownership tag that ends their description and tells people
where to edit; ontologies and integrations bear it in their name until their create has heard of them.
What lbstack reads and compares never holds either.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from lbstack.kinds.contract import Fields, Sighting, Work

TAG = re.compile(r"(?:\n\n|\A)\[lbstack (?P<owner>[^\[\]\n]+) #(?P<marker>[0-9a-f]{32})\]\Z")
NAME = re.compile(r" ~lbs\.(?P<marker>[0-9a-f]{32})\Z")
MARKER = "_marker"
"""Among live fields, where a kind notes the marker that its object bears."""
SEARCHED = "~lbs."
"""What every marked name holds."""


def tagged(text: str, owner: str, marker: str) -> str:
    """A description that ends in the ownership tag."""
    tag = f"[lbstack {owner} #{marker}]"
    return f"{text}\n\n{tag}" if text else tag


def untagged(text: str) -> str:
    """A description without its ownership tag."""
    return TAG.sub("", text)


def tag_of(text: str | None) -> tuple[str | None, str | None]:
    """Owner and marker of a description's tag; None where it has none."""
    found = TAG.search(text or "")
    return (found["owner"], found["marker"]) if found else (None, None)


def without_tag(text: Any) -> Any:
    """A wish's description without a tag that was copied from Labelbox with it."""
    return untagged(text) if isinstance(text, str) else text


def retagged(work: Work, text: str, have: Fields) -> str:
    """A description for an object that may have a tag already: it keeps its marker."""
    return tagged(text, work.owner, have.get(MARKER) or work.marker)


def marked(name: str, marker: str) -> str:
    """The name under which an object is created."""
    return f"{name} ~lbs.{marker}"


def unmarked(name: str) -> str:
    """A name without its marker."""
    return NAME.sub("", name)


def marker_of_name(name: str) -> str | None:
    """The marker in a name."""
    found = NAME.search(name)
    return found["marker"] if found else None


def seconds(time: str) -> float:
    """A time of the service's (ISO 8601) as seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


def updated(node: dict[str, Any]) -> float | None:
    """When an object was last changed, if the service says so in a way that can be read."""
    try:
        return seconds(node["updatedAt"])
    except (KeyError, TypeError, ValueError):
        return None  # a time is told beside facts; nothing is concluded from it


def tagged_sighting(node: dict[str, Any], natural: Fields) -> Sighting:
    """The same from a node that may bear an ownership tag."""
    owner, marker = tag_of(node["description"])
    return replace(sighting(node, marker, natural), owner=owner)


def sighting(node: dict[str, Any], marker: str | None, natural: Fields) -> Sighting:
    """What was seen, from a node with ``id createdAt`` and, where that is told, ``name createdBy {id}``."""
    creator = (node.get("createdBy") or {}).get("id", "")
    name = node.get("name") or node.get("url") or node["id"]
    return Sighting(node["id"], name, marker, natural, seconds(node["createdAt"]), creator)
