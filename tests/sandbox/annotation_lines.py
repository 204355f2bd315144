"""An ontology with every tool and classification that can be annotated, and files of annotations for it."""

from __future__ import annotations

import base64
import json
from typing import Any

from documents import ATTACH, NEW_ONTOLOGY, NEW_ROW, connect, dataset, project
from workspace import Workspace

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\nrest").decode()
SQUARE = {"top": 1, "left": 2, "height": 3, "width": 4}
POINTS = [{"x": 0, "y": 0}, {"x": 4, "y": 0}, {"x": 4, "y": 4}]

_INNER = {"type": "text", "name": "why"}
_MIDDLE = {"type": "checklist", "name": "where", "options": [
    {"value": "top", "options": [_INNER]}, {"value": "bottom"}]}  # fmt: skip
EVERYTHING = {
    "tools": [
        {"tool": "rectangle", "name": "box", "classifications": [_MIDDLE]},
        *({"tool": tool, "name": tool} for tool in (
            "polygon", "line", "point", "raster-segmentation", "superpixel", "named-entity",
            "message-single-selection", "message-multi-selection", "message-ranking",
        )),
        {"tool": "edge", "name": "beside"},
    ],
    "classifications": [
        {"type": "radio", "name": "damaged?", "options": [
            {"value": "yes", "options": [_MIDDLE]}, {"value": "no"}]},
        {"type": "checklist", "name": "signs", "options": [{"value": "a"}, {"value": "b"}]},
        {"type": "text", "name": "remark"},
        {"type": "prompt", "name": "ask", "minCharacters": 2, "maxCharacters": 5},
        {"type": "response-text", "name": "say"},
        {"type": "response-radio", "name": "say one", "options": [{"value": "a"}, {"value": "b"}]},
        {"type": "response-checklist", "name": "say many", "options": [{"value": "a"}, {"value": "b"}]},
    ],
}  # fmt: skip

GOOD: dict[str, dict[str, Any]] = {
    "bbox": {"name": "box", "bbox": SQUARE, "classifications": [
        {"name": "where", "answer": [
            {"name": "top", "classifications": [{"name": "why", "answer": "so"}]}, {"name": "bottom"}]}]},
    "polygon": {"name": "polygon", "polygon": POINTS},
    "line": {"name": "line", "line": POINTS[:2]},
    "point": {"name": "point", "point": {"x": 0.5, "y": 1}},
    "mask": {"name": "raster-segmentation",
             "mask": {"instanceURI": "https://a.example/m.png", "colorRGB": [1, 2, 3]}},
    "png": {"name": "superpixel", "mask": {"png": PNG}},
    "cuboid": {"name": "box", "cuboid": {"center": {"x": 1, "y": 2, "z": 3},
               "rotation": {"x": 0, "y": 0, "z": 0}, "size": {"x": 1, "y": 1, "z": 1}}},
    "entity": {"name": "named-entity", "location": {"start": 3, "end": 9}},
    "tokens": {"name": "named-entity",
               "textSelections": [{"tokenIds": ["t"], "groupId": "g", "page": 1}]},
    "segments": {"name": "box", "segments": [{"keyframes": [{"frame": 1, "bbox": SQUARE}]}]},
    "masks": {"masks": {"frames": [{"index": 1, "imBytes": PNG}],
              "instances": [{"colorRGB": [0, 0, 255], "name": "raster-segmentation"}]}},
    "chosen": {"name": "message-single-selection", "messageEvaluationTask": {
        "format": "message-single-selection",
        "data": {"parentMessageId": "p", "messageId": "m", "modelConfigName": "c"}}},
    "chosen many": {"name": "message-multi-selection", "messageEvaluationTask": {
        "format": "message-multi-selection",
        "data": {"parentMessageId": "p", "selectedMessages": [{"messageId": "m", "modelConfigName": "c"}]}}},
    "ranked": {"name": "message-ranking", "messageEvaluationTask": {
        "format": "message-ranking", "data": {"parentMessageId": "p", "rankedMessages": [
            {"messageId": "m", "modelConfigName": "c", "order": 1}]}}},
    "radio": {"name": "damaged?", "answer": {"name": "yes", "classifications": [
        {"name": "where", "answer": [{"name": "bottom"}]}]}},
    "checklist": {"name": "signs", "answer": [{"name": "a"}, {"name": "b"}]},
    "text": {"name": "remark", "answer": "fine"},
    "prompt": {"name": "ask", "answer": "what"},
    "response": {"name": "say", "answer": "that"},
    "response radio": {"name": "say one", "answer": {"name": "a"}},
    "response checklist": {"name": "say many", "answer": [{"name": "b"}]},
    "video radio": {"name": "damaged?", "answer": {"name": "no"}, "frames": [{"start": 1, "end": 5}]},
    "temporal radio": {"name": "damaged?", "answer": [
        {"name": "no", "frames": [{"start": 1, "end": 5}]},
        {"name": "yes", "frames": [{"start": 6, "end": 7}]}]},
    "temporal text": {"name": "remark", "answer": [{"value": "old", "frames": [{"start": 1, "end": 2}]}]},
}  # fmt: skip

CREATE_LABELS = """mutation createLabelImportByUrlPyApi($projectId : ID!, $name: String!, $fileUrl: String!) {
  createLabelImport(data: { projectId: $projectId name: $name fileUrl: $fileUrl }) {
    id name state progress inputFileUrl errorFileUrl statusFileUrl project { id name } } }"""
READ_LABELS = """query getLabelImportPyApi($projectId : ID!, $name: String!) {
  labelImport(where: {projectId: $projectId, name: $name}) {
    id name state progress inputFileUrl errorFileUrl statusFileUrl project { id } createdBy { email } } }"""
_UPLOAD = """mutation ($file: Upload!, $contentLength: Int!) {
  uploadFile(file: $file, contentLength: $contentLength) { url } }"""


class Studio:
    """A project whose ontology has everything, and some data rows."""

    def __init__(self, box: Workspace, rows: int = 1) -> None:
        self.box = box
        self.project, self.dataset = project(box), dataset(box)
        box.ask(ATTACH, p=self.project, d=self.dataset)
        told = json.dumps(EVERYTHING)
        self.ontology = box.ask(NEW_ONTOLOGY, name="everything", normalized=told, type="IMAGE")
        connect(box, self.project, self.ontology["id"])
        keys = [f"key {number}" for number in range(rows)]
        self.rows = [str(box.ask(NEW_ROW, d=self.dataset, key=key)["id"]) for key in keys]

    def upload(self, content: bytes) -> str:
        return upload(self.box, content)

    def run(self, content: bytes | list[Any], name: str = "import", create: str = CREATE_LABELS) -> Any:
        """Have a file judged; return the import as it ended."""
        if isinstance(content, list):
            content = "\n".join(map(json.dumps, content)).encode()
        url = self.upload(content)
        made = self.box.ask(create, projectId=self.project, name=name, fileUrl=url)
        assert made["state"] == "RUNNING"
        sql = "SELECT * FROM annotation_imports WHERE id = ?"
        return self.box.store.row(sql, [made["id"]])

    def about(self, line: dict[str, Any], row: int = 0, **more: Any) -> dict[str, Any]:
        return {"uuid": f"u{id(line)}", "dataRow": {"id": self.rows[row]}, **line, **more}

    def lines(self, url: str) -> list[Any]:
        answer = self.box.client.get(url)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        return [json.loads(line) for line in answer.text.splitlines()]

    def problem(self, line: dict[str, Any]) -> str:
        """Import one line; return the message of the one problem it has, empty if it has none."""
        count = self.box.store.value("SELECT count(*) FROM annotation_imports")
        told = self.lines(self.run([line], name=f"import {count}")["statusFileUrl"])
        errors = told[0].get("errors", [])
        assert (told[0]["status"], len(errors)) in (("SUCCESS", 0), ("FAILURE", 1))
        return str(errors[0]["message"]) if errors else ""


def upload(box: Workspace, content: bytes) -> str:
    variables = {"file": None, "contentLength": len(content)}
    form = {
        "operations": json.dumps({"query": _UPLOAD, "variables": variables}),
        "map": json.dumps({"1": ["variables.file"]}),
    }
    files = {"1": ("a.ndjson", content, "application/x-ndjson")}
    answer = box.client.post("/graphql", data=form, files=files, headers=box.headers)
    return str(answer.json()["data"]["uploadFile"]["url"])
