"""One line of an import against a project's ontology: an annotation, or why it is none (1.10).

The shapes are those that the vendor's client writes for typed labels, and the minimum that the
reference tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lbstack.sandbox.annotations import answers, features, values
from lbstack.sandbox.annotations.values import RejectedError, Told, invalid
from lbstack.sandbox.ontologies.shape import RELATIONSHIP, Node

VALUES = (
    "bbox", "polygon", "line", "point", "mask", "cuboid", "location", "textSelections", "segments", "masks",
    "relationship", "messageEvaluationTask", "answer", "answers",
)  # fmt: skip
_MASKS = {"raster-segmentation", "superpixel"}
_MESSAGES = {"message-single-selection", "message-multi-selection", "message-ranking"}
# No tool type for cuboids is documented: they come from the box tool.
_MAKES = {
    "rectangle": {"bbox", "cuboid", "segments"}, "polygon": {"polygon"}, "line": {"line", "segments"},
    "point": {"point", "segments"}, "raster-segmentation": {"mask"}, "superpixel": {"mask"},
    "named-entity": {"location", "textSelections"}, RELATIONSHIP: {"relationship"},
    **{tool: {"messageEvaluationTask"} for tool in _MESSAGES},
}  # fmt: skip
_KEPT_AS = {
    "bbox": "bounding_box", "textSelections": "text_selections",
    "messageEvaluationTask": "message_evaluation_task",
}  # fmt: skip
_KINDS = {
    "bbox": "BoundingBox", "polygon": "Polygon", "line": "Polyline", "point": "Point",
    "mask": "SegmentationMask", "cuboid": "Cuboid", "rectangle": "BoundingBox",
}  # fmt: skip
_PREFIXES = {
    "IMAGE": "Image", "VIDEO": "Video", "TEXT": "Text", "PDF": "Document", "AUDIO": "Audio", "HTML": "Html",
    "CONVERSATIONAL": "Conversational", "TMS_GEO": "Geo", "TMS_SIMPLE": "Geo", "DICOM": "Dicom",
    "POINT_CLOUD": "PointCloud",
}  # fmt: skip


@dataclass(frozen=True)
class Judge:
    """Judges lines for one project. ``keep`` stores an image and returns its URL."""

    roots: features.Level
    prefix: str
    new_id: Callable[[], str]
    keep: Callable[[bytes], str]

    def feature(self, told: Told) -> Node:
        """The root feature a line is about."""
        return answers.pick(self.roots, told, "An annotation")

    def annotations(self, told: Told) -> tuple[str, list[Told]]:
        """The list that the annotations of a line belong to, and they: several for the masks of a video.

        A relationship is not judged here: see ``relationship``.
        """
        value = value_of(told)
        if value == "masks":
            return "objects", self._video_masks(told["masks"])
        node = self.feature(told)
        if "tool" not in node:
            return "classifications", [answers.classification(node, told, self.new_id)]
        return "objects", [self._object(node, told, value)]

    def _object(self, node: Node, told: Told, value: str) -> Told:
        tool = node["tool"]
        if value not in _MAKES.get(tool, ()):
            makes = " or ".join(sorted(_MAKES.get(tool, ()))) or "nothing that can be imported"
            raise invalid(f"{features.title(node)!r} is a {tool} tool: it makes {makes}, not {value}")
        head = features.identity(node, self.new_id()) | {"annotation_kind": self._kind(tool, value)}
        if told.get("messageId") is not None:
            head["message_id"] = values.text(told["messageId"], "messageId")
        below = answers.nested(node, told.get("classifications"), self.new_id)
        kept = self._value(node, told, value)
        return head | {"classifications": below} | values.page(told) | {_KEPT_AS.get(value, value): kept}

    def _value(self, node: Node, told: Told, value: str) -> Any:
        raw = told[value]
        if value == "mask":
            return values.mask(raw, self.keep)
        if value == "segments":
            return [self._segment(node, each) for each in values.items(raw, "segments")]
        if value == "messageEvaluationTask":
            return values.message_task(node["tool"], raw)
        return _PLAIN[value](raw)

    def _segment(self, node: Node, raw: Any) -> Told:
        value = "bbox" if node["tool"] == "rectangle" else str(node["tool"])
        keyframes = []
        for each in values.items(values.obj(raw, "segments").get("keyframes"), "keyframes"):
            told = values.obj(each, "keyframes")
            keyframes.append({
                "frame": values.whole(told.get("frame"), "keyframes.frame", 1),
                _KEPT_AS.get(value, value): _PLAIN[value](told.get(value)),
                "classifications": answers.nested(node, told.get("classifications"), self.new_id),
            })  # fmt: skip
        return {"keyframes": keyframes}

    def _video_masks(self, raw: Any) -> list[Told]:
        body = values.obj(raw, "masks")
        frames = [values.mask_frame(each, self.keep) for each in values.items(body.get("frames"), "frames")]
        found = []
        for each in values.items(body.get("instances"), "instances"):
            told = values.obj(each, "instances")
            node = self.feature(told)
            if node.get("tool") not in _MASKS:
                raise invalid(f"{features.title(node)!r} makes no masks")
            color = values.color(told.get("colorRGB"), "instances.colorRGB")
            found.append({
                **features.identity(node, self.new_id()),
                "annotation_kind": f"{self.prefix}SegmentationMask",
                "classifications": answers.nested(node, told.get("classifications"), self.new_id),
                "mask": {"color": color, "frames": frames},
            })  # fmt: skip
        return found

    def _kind(self, tool: str, value: str) -> str:
        if value == "textSelections":
            return "DocumentEntityToken"
        if value == "location":
            return "TextEntity" if self.prefix in ("Text", "Image") else f"{self.prefix}TextEntity"
        if tool in _MESSAGES:
            return "".join(part.title() for part in tool.split("-"))
        return self.prefix + _KINDS[tool if value == "segments" else value]

    def relationship(self, told: Told, objects: Mapping[str, Told]) -> Told:
        """A relationship between annotations of the same row; ``objects`` are these by their ``uuid``."""
        node = self.feature(told)
        if node.get("tool") != RELATIONSHIP:
            raise invalid(f"{features.title(node)!r} is no relationship tool")
        body = values.obj(told["relationship"], "relationship")
        kind = body.get("type", "unidirectional")
        if kind not in ("unidirectional", "bidirectional"):
            raise invalid("relationship.type must be unidirectional or bidirectional")
        source, target = (_end(body, side, objects) for side in ("source", "target"))
        pair = [source["feature_schema_id"], target["feature_schema_id"]]
        allowed = node["definition"]["constraints"]
        if allowed and pair not in allowed and (kind == "unidirectional" or pair[::-1] not in allowed):
            raise invalid(f"{features.title(node)!r} does not connect such features")
        ends = {"source": source["feature_id"], "target": target["feature_id"]}
        if body.get("readonly") is not None:
            ends["readonly"] = body["readonly"] is True
        name = f"{self.prefix}{kind.title()}Relationship"
        head = features.identity(node, self.new_id()) | {"annotation_kind": name, "classifications": []}
        return head | {f"{kind}_relationship": ends}


def _end(body: Told, side: str, objects: Mapping[str, Told]) -> Told:
    uuid = values.text(body.get(side), f"relationship.{side}")
    if uuid not in objects:
        raise RejectedError("AnnotationNotFound", f"relationship.{side}: no annotation of this row is {uuid}")
    return objects[uuid]


_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "bbox": values.bounding_box,
    "polygon": values.polygon,
    "line": values.line,
    "point": values.point,
    "cuboid": values.cuboid,
    "location": values.location,
    "textSelections": values.text_selections,
}


def value_of(told: Told) -> str:
    """The one key under which a line has its value."""
    found = [key for key in VALUES if told.get(key) is not None]
    if len(found) != 1:
        raise invalid(f"An annotation needs exactly one of {', '.join(VALUES)}")
    return found[0]


def prefix(media_type: str | None) -> str:
    """How the kinds of annotations of a data row begin: ``ImageBoundingBox``."""
    return _PREFIXES.get(media_type or "IMAGE", "")
