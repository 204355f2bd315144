"""Data rows as several test modules upload and read them."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

from test_upload import upload
from workspace import Workspace

UPSERT = """mutation ($uri: String!) { upsertDataRows(data: {manifestUri: $uri}) {
  id createdAt updatedAt name status completionPercentage result errors type metadata } }"""
TASK = "query ($id: ID!) { task(where: {id: $id}) { status type completionPercentage result errors } }"
IMPORTED = """query ($id: ID!, $first: Int, $from: String) {
  successesfulDataRowImports(data: {taskId: $id, first: $first, from: $from}) {
    nodes { id externalId globalKey rowData } after total } }"""
REFUSED = """query ($id: ID!, $first: Int, $from: String) {
  failedDataRowImports(data: {taskId: $id, first: $first, from: $from}) {
    results { message spec { externalId globalKey rowData
      metadata { schemaId value name } attachments { type value name } } } after total } }"""
ROW = """query ($id: ID!) { dataRow(where: {id: $id}) { id externalId globalKey rowData mediaAttributes
  customMetadata { schemaId value } metadataFields { schemaId name value kind }
  attachments { type value name } dataset { id } } }"""


def new(dataset: str, **payload: Any) -> dict[str, Any]:
    """An item that makes a row."""
    return {"id": {"type": "AUTO", "value": ""}, "payload": {**payload, "dataset_id": dataset}}


def change(kind: str, key: str, **payload: Any) -> dict[str, Any]:
    """An item that changes the row with an id or a global key."""
    return {"id": {"type": kind, "value": key}, "payload": payload}


def keep(
    box: Workspace, content: bytes, name: str = "json_import.json", kind: str = "application/json"
) -> str:
    """Upload a file; return its URL."""
    return str(upload(box, (name, content, kind))["data"]["uploadFile"]["url"])


def manifest(box: Workspace, *chunks: Any, **more: Any) -> str:
    """Upload chunks and their manifest; return its URL."""
    urls = [keep(box, json.dumps(chunk).encode()) for chunk in chunks]
    told = {"source": "SDK", "item_count": sum(map(len, chunks)), "chunk_uris": urls, **more}
    return keep(box, json.dumps(told).encode(), "manifest.json")


def imported(box: Workspace, *chunks: Any) -> str:
    """Import chunks of items; return the id of the task, which is complete."""
    task = box.ask(UPSERT, uri=manifest(box, *chunks))
    assert (task["status"], task["type"], task["result"]) == ("IN_PROGRESS", "adv-upsert-data-rows", None)
    assert box.ask(TASK, id=task["id"])["status"] == "COMPLETE"
    return str(task["id"])


def messages(box: Workspace, task: str) -> list[str]:
    """Why rows of an import were refused."""
    return [each["message"] for each in box.ask(REFUSED, id=task)["results"]]


def refusal(box: Workspace, item: Any) -> str:
    """Import one item, which is refused; return why."""
    task = imported(box, [item])
    assert box.ask(IMPORTED, id=task) == {"nodes": [], "after": None, "total": 0}
    (message,) = messages(box, task)
    return message


def made(box: Workspace, *items: Any) -> list[str]:
    """Import items, all of them good; return the ids of their rows."""
    task = imported(box, items)
    assert messages(box, task) == []
    return [node["id"] for node in box.ask(IMPORTED, id=task)["nodes"]]


def png(width: int, height: int) -> bytes:
    """A PNG as far as anybody looks who wants its size only."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
