"""What a label says as the older export prints it, the one of ``exportLabels`` (API reference 1.11, S3).

It is what ``Label.label`` tells, and more: whatever can be drawn has the URL of a mask, ``instanceURI``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lbstack.sandbox.annotations import features, printed

Told = dict[str, Any]

_DRAWN = ("mask", "bounding_box", "polygon", "point", "cuboid")
_OF_RELATIONSHIPS = ("featureId", "schemaId", "data", "relationshipType", "version")


def label(kept: Told, text: str, roots: features.Level, mask_url: Callable[[str], str]) -> Any:
    """Return what stands under ``Label``: the annotations, or without any what the label's text says.

    ``roots`` are the features of the project's ontology; ``mask_url`` tells where a feature's mask is found.
    """
    if not any(kept.values()):
        return json.loads(text)
    body: Told = json.loads(printed.label(kept, roots, ""))
    for told, each in zip(body["objects"], printed.objects(kept), strict=True):
        if any(key in each for key in _DRAWN):
            told["instanceURI"] = mask_url(each["feature_id"])
        if told.get("color") is None:
            told.pop("color", None)
    body["classifications"] = [_classification(each, roots) for each in body["classifications"]]
    related = [{key: each[key] for key in _OF_RELATIONSHIPS} for each in body.pop("relationships")]
    return {**body, "relationships": related} if related else body


def _classification(told: Told, roots: features.Level) -> Told:
    """A checklist says whether it is about the whole asset."""
    scope = roots.by_id.get(told["schemaId"], {}).get("scope")
    if "answers" not in told or scope is None:
        return told
    head = {key: told[key] for key in ("featureId", "schemaId")}
    return {**head, "scope": scope, **told}
