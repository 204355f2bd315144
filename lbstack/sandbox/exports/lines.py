"""One data row as a line of the streamable export (API reference 1.11, S3)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from lbstack.sandbox.annotations.agreement import SKIPPED
from lbstack.sandbox.context import Context
from lbstack.sandbox.exports import masks, printing, streams
from lbstack.sandbox.exports.reading import Slice, media_attributes
from lbstack.sandbox.exports.times import day, printed
from lbstack.sandbox.store import Row

_VERSION = "1.0.0"
_CAPITAL = re.compile(r"(?<!^)([A-Z])")
_STATES = {"ToLabel": "TO_LABEL", "InReview": "IN_REVIEW", "InRework": "IN_REWORK", "Done": "DONE"}


@dataclass(frozen=True)
class Include:
    """What lines tell beside the data row, its asset and its labels; named as the API names them."""

    mediaTypeOverride: str | None = None  # noqa: N815
    includeAttachments: bool = False  # noqa: N815
    includeEmbeddings: bool = False  # noqa: N815
    includeMetadata: bool = False  # noqa: N815
    includeDataRowDetails: bool = False  # noqa: N815
    includeProjectDetails: bool = False  # noqa: N815
    includePerformanceDetails: bool = False  # noqa: N815
    includeLabelDetails: bool = False  # noqa: N815
    includeInterpolatedFrames: bool = False  # noqa: N815

    @classmethod
    def told(cls, params: Mapping[str, Any]) -> Include:
        """Read the ``params`` of an export; what they leave out is not included."""
        names = [each.name for each in fields(cls)]
        return cls(**{name: params[name] for name in names if params.get(name) is not None})


class Lines:
    """Prints the data rows of a slice; ``catalog`` exports tell of model runs too, and there are none."""

    def __init__(self, context: Context, found: Slice, include: Include, *, catalog: bool) -> None:
        self._context = context
        self._found = found
        self._include = include
        self._catalog = catalog

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Return each row's line, and the stream that it belongs to."""
        for row in self._found.rows:
            try:
                yield streams.RESULT, streams.line(self._row(row))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                yield streams.ERRORS, failed(row["id"], f"Data row could not be exported: {error}")

    def _row(self, row: Row) -> dict[str, Any]:
        include, ident = self._include, row["id"]
        line: dict[str, Any] = {
            "data_row": self._data_row(row),
            "media_attributes": {_snake(key): value for key, value in media_attributes(row).items()},
        }
        if include.includeAttachments:
            told = ("id", "type", "value", "name")
            attached = self._found.attachments.get(ident, ())
            line["attachments"] = [{key: each[key] for key in told} for each in attached]
        if include.includeMetadata:
            line["metadata_fields"] = [_metadata(each) for each in self._found.metadata.get(ident, ())]
        if include.includeEmbeddings:
            line["embeddings"] = []  # the workspace keeps none
        line["projects"] = {
            project["id"]: self._project(project, row)
            for project in self._found.projects.values()
            if ident in self._found.standings[project["id"]]
        }
        return {**line, "experiments": {}} if self._catalog else line

    def _data_row(self, row: Row) -> dict[str, Any]:
        told = {"id": row["id"]}
        for key, column in (("global_key", "globalKey"), ("external_id", "externalId")):
            if row[column] is not None:
                told[key] = row[column]
        told["row_data"] = row["rowData"]
        if self._include.includeDataRowDetails:
            told["details"] = {
                "dataset_id": row["datasetId"],
                "dataset_name": self._found.datasets.get(row["datasetId"]),
                "created_at": day(row["createdAt"]),
                "updated_at": day(row["updatedAt"]),
                "last_activity_at": printed(max(row["updatedAt"], self._found.activity.get(row["id"], ""))),
                "created_by": self._found.people.get(row["createdById"]),
            }
        return told

    def _project(self, project: Row, row: Row) -> dict[str, Any]:
        labels = self._found.labels.get((project["id"], row["id"]), ())
        told = {
            "name": project["name"],
            "project_name": project["name"],  # as older exports called it
            "labels": [self._label(project["id"], row, each) for each in labels],
        }
        if self._include.includeProjectDetails:
            told["project_details"] = self._project_details(project, row["id"])
        return told

    def _project_details(self, project: Row, data_row: str) -> dict[str, Any]:
        standing = self._found.standings[project["id"]][data_row]
        queue = standing.queue or {"id": None, "name": "Done"}
        return {
            "ontology_id": project["ontologyId"],
            "task_id": queue["id"],
            "task_name": queue["name"],
            "batch_id": standing.batch,
            "batch_name": self._found.batches.get(standing.batch or ""),
            "workflow_status": _STATES[standing.state],
            "priority": standing.priority,
            "consensus_expected_label_count": standing.number_of_labels,
            "workflow_history": [],
        }

    def _label(self, project: str, row: Row, label: Row) -> dict[str, Any]:
        media = self._include.mediaTypeOverride or row["mediaType"]
        style = printing.Style(
            media,
            lambda feature, index: masks.url(self._context.base, project, feature, index),
            row["rowData"] if media == "TEXT" and "://" not in row["rowData"][:10] else None,
            self._include.includeInterpolatedFrames,
        )
        told = {"label_kind": printing.label_kind(style), "version": _VERSION, "id": label["id"]}
        if self._include.includeLabelDetails:
            told["label_details"] = self._label_details(label)
        if self._include.includePerformanceDetails:
            told["performance_details"] = performance(label)
        return {**told, "annotations": printing.exported(json.loads(label["annotations"]), style)}

    def _label_details(self, label: Row) -> dict[str, Any]:
        return {
            "created_at": printed(label["createdAt"]),
            "updated_at": printed(label["updatedAt"]),
            "created_by": self._found.people.get(label["createdById"]),
            "content_last_updated_at": printed(label["updatedAt"]),
            "reviews": [self._review(each) for each in self._found.reviews.get(label["id"], ())],
        }

    def _review(self, review: Row) -> dict[str, Any]:
        return {
            "reviewed_at": printed(review["createdAt"]),
            "reviewed_by": self._found.people.get(review["createdById"]),
            "score": review["score"],
        }


def performance(label: Row) -> dict[str, Any]:
    """Return how long a label took, and whether its data row was skipped."""
    return {
        "seconds_to_create": _seconds(label["secondsToLabel"]),
        "seconds_to_review": _seconds(label["secondsToReview"]),
        "skipped": label["typeId"] == SKIPPED,
    }


def failed(data_row: str, message: str) -> bytes:
    """Return the line that tells of a data row that could not be exported."""
    return streams.line({"data_row": {"id": data_row}, "error": message})


def _seconds(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def _metadata(kept: Row) -> dict[str, Any]:
    return {
        "schema_id": kept["schemaId"],
        "schema_name": kept["name"],
        "schema_kind": kept["kind"],
        "value": kept["value"],
    }


def _snake(key: str) -> str:
    """``mimeType`` becomes ``mime_type``."""
    return _CAPITAL.sub(r"_\1", key).lower()
