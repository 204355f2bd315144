"""Data rows that a model evaluation project is made with (API reference 1.3 and B.7).

A live chat evaluation may ask for conversations that have yet to be held: they go into a new dataset, or one
that exists, and from there into a batch of the project.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from lbstack.sandbox import batches
from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.rows import metadata, spec, storage
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import DATASETS, PROJECTS

LIVE = "MODEL_CHAT_EVALUATION"

_COUNT = 100  # where the request tells none
_MOST = 10_000
_PRIORITY = 5
_MEDIA_TYPE = "CONVERSATIONAL"
_CONVERSATION = {
    "type": "application/vnd.labelbox.conversational.model-chat-evaluation", "draft": True,
    "rootMessageIds": [], "actors": {}, "messages": {}, "version": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Generated:
    """What is asked for: ``count`` new rows in a dataset, by its name or, to ``append``, by its id."""

    dataset: str
    append: bool
    count: int


def check(given: Row) -> Generated | None:
    """Return what a new project is to be filled with, None for nothing; refuse what cannot be."""
    dataset, count = given.get("datasetNameOrId"), given.get("dataRowCount")
    malformed_if(count is not None and not 0 < count <= _MOST, f"dataRowCount must be between 1 and {_MOST}")
    if dataset is None:
        malformed_if(bool(given.get("appendToExistingDataset")), "appendToExistingDataset needs a dataset id")
        return None
    wrong = (given.get("editorTaskType"), given.get("allowedMediaType")) != (LIVE, _MEDIA_TYPE)
    malformed_if(wrong, "Only live model chat evaluation projects are made with data rows")
    malformed_if(not dataset.strip(), "Dataset name must not be empty")
    return Generated(dataset, bool(given.get("appendToExistingDataset")), count or _COUNT)


def fill(context: Context, project: Row, generated: Generated) -> None:
    """Make the rows, and a batch of them in the project."""
    if generated.append:
        dataset = context.find(DATASETS, generated.dataset)["id"]
    else:
        dataset = context.create(DATASETS, {"name": generated.dataset, "description": ""})["id"]
    payload = {"rowData": json.dumps(_CONVERSATION), "mediaType": _MEDIA_TYPE}
    told, schemas = spec.read(context, payload), metadata.schemas(context)
    made = [storage.create(context, dataset, told, schemas)["id"] for _ in range(generated.count)]
    storage.count(context, dataset, len(made))
    batch = batches.make(context, project["id"], project["name"], None)
    batches.add(context, batch, made, _PRIORITY)
    context.change(PROJECTS, project["id"], {"uploadType": "AUTO", "dataRowCount": len(made)})
