"""Documents that several test modules send, and what they usually want back."""

from __future__ import annotations

import json
from typing import Any

from workspace import Workspace

NEW_DATASET = "mutation ($name: String!) { createDataset(data: {name: $name}) { id } }"
NEW_PROJECT = """mutation ($name: String!, $type: MediaType) {
  createProject(data: {name: $name, allowedMediaType: $type}) { id } }"""
ATTACH = """mutation ($p: ID!, $d: ID!) {
  updateProject(where: {id: $p}, data: {datasets: {connect: {id: $d}}}) { id } }"""
NEW_ONTOLOGY = """mutation ($name: String!, $normalized: String!, $type: MediaType) {
  upsertOntology(data: {name: $name, normalized: $normalized, mediaType: $type}) { id normalized } }"""
CONNECT = (
    """mutation ($p: ID!, $o: ID!) { project(where: {id: $p}) { connectOntology(ontologyId: $o) { id } } }"""
)
FRONTEND = """mutation ($p: ID!, $f: ID!) {
  updateProject(where: {id: $p}, data: {labelingFrontend: {connect: {id: $f}}}) { id } }"""
EDITOR = (
    '{ labelingFrontends(where: {AND: [{name: "Editor"}, {deleted: false}]}, skip: 0, first: 100) { id } }'
)
NEW_ROW = """mutation ($d: ID!, $key: String) {
  createDataRow(data: {rowData: "https://a.example/1.jpg", globalKey: $key, dataset: {connect: {id: $d}}}) {
    id externalId globalKey rowData mediaAttributes dataset { id } } }"""
NEW_LABEL = """mutation ($p: ID!, $r: ID!, $label: String!) {
  createLabel(data: {label: $label, project: {connect: {id: $p}}, dataRow: {connect: {id: $r}}}) { id } }"""


def dataset(box: Workspace, name: str = "teeth") -> str:
    return str(box.ask(NEW_DATASET, name=name)["id"])


def project(box: Workspace, name: str = "step 1", media_type: str | None = "IMAGE") -> str:
    return str(box.ask(NEW_PROJECT, name=name, type=media_type)["id"])


def ontology(box: Workspace, *tools: str, media_type: str | None = "IMAGE") -> Any:
    nodes = [{"tool": "polygon", "name": name, "color": "#ff0000"} for name in tools]
    normalized = json.dumps({"tools": nodes, "classifications": []})
    return box.ask(NEW_ONTOLOGY, name="damage", normalized=normalized, type=media_type)


def connect(box: Workspace, p: str, o: str) -> Any:
    """Connect an ontology, with the editor that a project needs before; what the service answers."""
    box.ask(FRONTEND, p=p, f=box.ask(EDITOR)[0]["id"])
    return box.ask(CONNECT, p=p, o=o)


def labelled(box: Workspace, **label: Any) -> tuple[str, str, str]:
    """A project with one labelled data row: the ids of project, data row and label."""
    p, d = project(box), dataset(box)
    box.ask(ATTACH, p=p, d=d)
    row = box.ask(NEW_ROW, d=d)["id"]
    return p, row, box.ask(NEW_LABEL, p=p, r=row, label=json.dumps(label))["id"]
