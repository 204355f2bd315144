"""How alike the labels of one data row are: consensus and benchmarks (API reference 1.11, 2.1).

The vendor does not document its measure; this one is the sandbox's. Two labels are compared feature by
feature, over every feature that either uses at its top; their likeness is the mean, between 0 and 1:

* objects of one feature are paired, the most alike first, by the overlap of their extents (intersection
  over union; 1 for the same value, 0 where there is nothing to compare); the sum over the pairs is divided
  by the greater number of objects;
* the answers to one question are alike by the share of the chosen options that both chose (radio: all or
  nothing), and a text when it is the same.

Two labels without annotations are alike. A label's agreement is the mean of its likeness to the other
labels of its row, of which the first few are compared; its benchmark agreement is its likeness to the
reference. Skipped labels take no part.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from lbstack.sandbox.annotations.printed import objects
from lbstack.sandbox.annotations.values import Told
from lbstack.sandbox.context import Context

SUBMITTED = "cl0sandboxlabelsubmitted1"
SKIPPED = "cl0sandboxlabelskipped001"

_MOST_LABELS = 10
_MOST_OBJECTS = 100
_NOT_VALUES = {
    "feature_id", "feature_schema_id", "name", "value", "annotation_kind", "classifications", "page", "unit",
    "message_id",
}  # fmt: skip

Extent = tuple[float, float, float, float]


def renew(context: Context, project: str, data_row: str) -> None:
    """Measure the labels of a data row anew, after one of them came, went or changed."""
    sql = "SELECT labelId FROM benchmarks WHERE projectId = ? AND dataRowId = ?"
    reference = context.store.value(sql, [project, data_row])
    sql = """SELECT id, annotations, agreement FROM labels
        WHERE dataRowId = ? AND projectId = ? AND deleted = 0 AND typeId = ?
        ORDER BY id IS ? DESC, rowid LIMIT ?"""
    rows = context.store.rows(sql, [data_row, project, SUBMITTED, reference, _MOST_LABELS])
    if len(rows) < 2 and all(row["agreement"] is None for row in rows):
        return
    told = {row["id"]: json.loads(row["annotations"]) for row in rows}
    for row in rows:
        others = [likeness(told[row["id"]], told[other]) for other in told if other != row["id"]]
        measured = {"agreement": fmean(others) if others else None, "benchmarkAgreement": None}
        if reference in told and reference != row["id"]:
            measured["benchmarkAgreement"] = likeness(told[row["id"]], told[reference])
        context.store.update("labels", row["id"], measured)


def likeness(one: Told, other: Told) -> float:
    """How alike two labels' annotations are, from 0 to 1."""
    mine, yours = _by_feature(one), _by_feature(other)
    features = mine.keys() | yours.keys()
    if not features:
        return 1.0
    return fmean(_alike(mine.get(each, []), yours.get(each, [])) for each in sorted(features))


def _by_feature(annotations: Told) -> Mapping[str, list[Told]]:
    found: dict[str, list[Told]] = defaultdict(list)
    for each in [*objects(annotations), *annotations["classifications"]]:
        if len(found[each["feature_schema_id"]]) < _MOST_OBJECTS:
            found[each["feature_schema_id"]].append(each)
    return found


def _alike(mine: Sequence[Told], yours: Sequence[Told]) -> float:
    """Pair the annotations of one feature, the most alike first."""
    scores = [(_score(a, b), i, j) for i, a in enumerate(mine) for j, b in enumerate(yours)]
    total, left, right = 0.0, set(range(len(mine))), set(range(len(yours)))
    for score, i, j in sorted(scores, key=lambda each: -each[0]):
        if i in left and j in right:
            total += score
            left.remove(i)
            right.remove(j)
    return total / max(len(mine), len(yours))


def _score(mine: Told, yours: Told) -> float:
    if "annotation_kind" not in mine:
        return _answers(mine, yours)
    value, other = _value(mine), _value(yours)
    if value == other:
        return 1.0
    one, two = _extent(value), _extent(other)
    return _overlap(one, two) if one and two else 0.0


def _answers(mine: Told, yours: Told) -> float:
    chosen, others = _chosen(mine), _chosen(yours)
    return len(chosen & others) / len(chosen | others) if chosen | others else 1.0


def _chosen(annotation: Told) -> set[str]:
    if "radio_answer" in annotation:
        return {annotation["radio_answer"]["feature_schema_id"]}
    if "text_answer" in annotation:
        return {annotation["text_answer"]["content"]}
    lists = ("checklist_answers", "radio_answers", "text_answers")
    answers: list[Told] = next((annotation[key] for key in lists if key in annotation), [])
    return {str(each.get("feature_schema_id", each.get("content"))) for each in answers}


def _value(annotation: Told) -> Any:
    return {key: value for key, value in annotation.items() if key not in _NOT_VALUES}


def _extent(value: Told) -> Extent | None:
    """The smallest upright box around a value of the plane; None where it lies in none."""
    if "bounding_box" in value:
        box = value["bounding_box"]
        return box["left"], box["top"], box["left"] + box["width"], box["top"] + box["height"]
    if "location" in value:
        return value["location"]["start"], 0, value["location"]["end"] + 1, 1
    points = value.get("polygon", value.get("line", []))
    if not points:
        return None
    xs, ys = [each["x"] for each in points], [each["y"] for each in points]
    return min(xs), min(ys), max(xs), max(ys)


def _overlap(one: Extent, two: Extent) -> float:
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(one) + _area(two) - shared)


def _area(extent: Extent) -> float:
    return (extent[2] - extent[0]) * (extent[3] - extent[1])
