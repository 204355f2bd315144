"""How an ontology is written, beside how it is compared: lists of parts, in Labelbox's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lbstack.kinds.ontology.words import natural_key

LISTS = ("classifications", "options")


def written_key(part: Any) -> str:
    """The natural key of a part as somebody wrote it: words in any case, an option as mere text."""
    if not isinstance(part, Mapping):
        return str(part)
    told = dict(part)
    for word in ("tool", "type"):
        if isinstance(told.get(word), str):
            spelt = told[word].lower().replace("_", "-").replace(" ", "-")
            told[word] = "edge" if spelt == "relationship" else spelt
    try:
        return natural_key(told)
    except KeyError:
        return ""


def place(path: Sequence[Any], body: Any) -> tuple[str | int, ...]:
    """Where a compared path was written: parts by their number in their list. As far as it was."""
    found: list[str | int] = [path[0]]
    there = body.get(path[0]) if isinstance(body, Mapping) else None
    for depth, step in enumerate(path[1:], 1):
        if isinstance(there, list) and depth % 2:
            keys = [written_key(part) for part in there]
            if step not in keys and depth == 1 and isinstance(body.get("relationships"), list):
                found, there = ["relationships"], body["relationships"]
                keys = [written_key(part) for part in there]
            if step not in keys:
                return (path[0],) if depth == 1 else tuple(found)
            found.append(keys.index(step))
            there = there[keys.index(step)]
        elif isinstance(there, Mapping) and str(step) in there:
            found.append(str(step))
            there = there[step]
        else:
            break
    return tuple(found)
