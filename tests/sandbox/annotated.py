"""Labels as the vendor's documents print them, and the exports that tell of them."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

from documents import ATTACH, NEW_LABEL, NEW_ROW, dataset, project
from workspace import Workspace

BEGIN = """mutation exportDataRowsInProjectPyApi($input: ExportDataRowsInProjectInput!) {
  exportDataRowsInProject(input: $input) { taskId isStreamable } }"""
BEGIN_CATALOG = """mutation exportDataRowsInCatalogPyApi($input: ExportDataRowsInCatalogInput!) {
  exportDataRowsInCatalog(input: $input) { taskId isStreamable } }"""
TASK = "query ($id: ID!) { task(where: {id: $id}) { name status type result errors completionPercentage } }"
HEADER = """query GetExportMetadataHeaderPyApi($where: WhereUniqueIdInput, $streamType: TaskStreamType!) {
  task(where: $where) { exportMetadataHeader(streamType: $streamType) { totalSize totalLines } } }"""
FILE = """query GetExportFileFromOffsetPyApi
  ($where: WhereUniqueIdInput, $streamType: TaskStreamType!, $offset: UInt64!) {
  task(where: $where) { exportFileFromOffset(streamType: $streamType, offset: $offset) {
    offsets { start end } lines { start end } file } } }"""

EVERYTHING = {
    "includeAttachments": True, "includeMetadata": True, "includeDataRowDetails": True,
    "includeProjectDetails": True, "includePerformanceDetails": True, "includeLabelDetails": True,
    "includeEmbeddings": True,
}  # fmt: skip


def _object(letter: str, name: str, kind: str, **value: Any) -> dict[str, Any]:
    return {
        "feature_id": letter * 25, "feature_schema_id": f"s{letter * 24}", "name": name,
        "annotation_kind": kind, "classifications": [], **value,
    }  # fmt: skip


BOX = {"top": 977, "left": 1690, "height": 330, "width": 225}
POLYGON = [{"x": 1489.581, "y": 183.934}, {"x": 2278.306, "y": 256.885}, {"x": 2428.197, "y": 200.437}]
LINE = [{"x": 2534.353, "y": 249.471}, {"x": 2429.492, "y": 182.092}]
POINT = {"x": 1166.606, "y": 1441.768}
CUBOID = {
    "center": {"x": 589.14, "y": 301.76}, "rotation": {"x": -0.23, "y": 0.3, "z": 0.66},
    "size": {"x": 25, "y": 25, "z": 35}, "projection": "orthographic",
    "front": {"top_left": {"x": 4, "y": 4}, "top_right": {"x": 8, "y": 4},
              "bottom_left": {"x": 4, "y": 8}, "bottom_right": {"x": 8, "y": 8}},
    "back": {"top_left": {"x": 2, "y": 2}, "top_right": {"x": 6, "y": 2},
             "bottom_left": {"x": 2, "y": 6}, "bottom_right": {"x": 6, "y": 6}},
}  # fmt: skip

# One annotation of every kind that the vendor's document on image exports prints.
OBJECTS = [
    _object("a", "bounding_box", "ImageBoundingBox", bounding_box=BOX),
    _object("b", "polygon", "ImagePolygon", polygon=POLYGON),
    _object("c", "polyline", "ImagePolyline", line=LINE),
    _object("d", "point", "ImagePoint", point=POINT),
    _object("e", "mask", "ImageSegmentationMask", mask={"file": "http://127.0.0.1/files/none"}),
    _object("f", "cuboid", "ImageCuboid", cuboid=CUBOID),
]
RELATIONSHIP = _object(
    "g", "relationship", "ImageUnidirectionalRelationship",
    unidirectional_relationship={"source": "a" * 25, "target": "b" * 25},
)  # fmt: skip


def _answer(letter: str, name: str, *below: Any) -> dict[str, Any]:
    return {
        "feature_id": letter * 25, "feature_schema_id": f"s{letter * 24}", "name": name,
        "value": name.lower().replace(" ", "_"), "classifications": list(below),
    }  # fmt: skip


def _question(letter: str, name: str, **answer: Any) -> dict[str, Any]:
    head = {"feature_id": letter * 25, "feature_schema_id": f"s{letter * 24}", "name": name}
    return {**head, "value": name.lower().replace(" ", "_"), **answer}


CLASSIFICATIONS = [
    _question("h", "Is it daytime?", radio_answer=_answer("i", "Yes")),
    _question("j", "Attributes", checklist_answers=[_answer("k", "Crowded"), _answer("l", "Foot traffic")]),
    _question("m", "Free-form text", text_answer={"content": "sample text"}),
    _question(
        "n", "nested_radio_question",
        radio_answer=_answer(
            "o", "first_radio_answer",
            _question("p", "sub_radio_question", radio_answer=_answer("q", "first_sub_radio_answer")),
        ),
    ),
]  # fmt: skip
ANNOTATIONS = {
    "objects": [{**each, "value": each["name"]} for each in OBJECTS],
    "classifications": CLASSIFICATIONS,
    "relationships": [{**RELATIONSHIP, "value": "relationship"}],
}


class Labelled:
    """A project with a dataset attached to it, some data rows, and labels on them."""

    def __init__(self, box: Workspace, rows: int = 1) -> None:
        self.box = box
        self.project, self.dataset = project(box), dataset(box)
        box.ask(ATTACH, p=self.project, d=self.dataset)
        self.rows = [box.ask(NEW_ROW, d=self.dataset, key=f"{self.dataset}-{n}")["id"] for n in range(rows)]

    def label(self, annotations: Any = None, row: int = 0) -> str:
        """Label a row; the annotations are written where labels keep them."""
        made = self.box.ask(NEW_LABEL, p=self.project, r=self.rows[row], label="{}")["id"]
        if annotations is not None:
            self.box.store.update("labels", made, {"annotations": json.dumps(annotations)})
        return str(made)

    def export(self, *query: Any, **params: Any) -> list[Any]:
        return read(self.box, begin(self.box, self.project, *query, **params))


def begin(box: Workspace, project: str, *query: Any, **params: Any) -> str:
    filters = {"projectId": project, "searchQuery": {"scope": None, "query": list(query)}}
    asked = {"taskName": None, "isStreamableReady": True, "streamable": True, "filters": filters}
    made = box.ask(BEGIN, input={**asked, "params": params})
    assert made["isStreamable"] is True
    return str(made["taskId"])


def begin_catalog(box: Workspace, *query: Any, **params: Any) -> str:
    filters = {"searchQuery": {"scope": None, "query": list(query)}}
    made = box.ask(BEGIN_CATALOG, input={"streamable": True, "filters": filters, "params": params})
    return str(made["taskId"])


def read(box: Workspace, task: str, stream: str = "RESULT") -> list[Any]:
    """Read a stream the way the vendor's client does; every file holds what it promises."""
    assert box.ask(TASK, id=task)["status"] == "COMPLETE"
    where = {"id": task}
    header = box.ask(HEADER, where=where, streamType=stream)["exportMetadataHeader"]
    if header is None:
        return []
    offset, found = 0, []
    while offset < header["totalSize"]:
        told = box.ask(FILE, where=where, streamType=stream, offset=str(offset))["exportFileFromOffset"]
        content = box.client.get(told["file"]).content
        assert told["offsets"]["start"] == offset
        assert len(content) == told["offsets"]["end"] - offset + 1
        assert content.endswith(b"\n")
        assert told["lines"] == {"start": len(found), "end": len(found) + content.count(b"\n") - 1}
        found += [json.loads(line) for line in content.splitlines()]
        offset = told["offsets"]["end"] + 1
    assert (offset, len(found)) == (header["totalSize"], header["totalLines"])
    return found


def png(
    width: int, height: int, rows: list[bytes], color_type: int, depth: int = 8, more: bytes = b""
) -> bytes:
    """A PNG image of rows that have their filter in front."""
    body = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    chunks = [(b"IHDR", body), (b"PLTE", more), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
        if body or kind == b"IEND"
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
