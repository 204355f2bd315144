"""A project's ontology and labeling front end (API reference 1.4 and 6.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import CONNECT, EDITOR, FRONTEND, NEW_ONTOLOGY, connect, labelled, ontology, project
from workspace import Workspace

READ = """query ($p: ID!) { project(where: {id: $p}) {
  ontology { id name normalized } labelingFrontend { id name description iframeUrlPath }
  labelingFrontendOptions { id customizationOptions } connectableOntologies { id name } } }"""
OPTIONS = """mutation ($p: ID!, $f: ID!, $o: String!) { createLabelingFrontendOptions(data: {
  project: {connect: {id: $p}}, labelingFrontend: {connect: {id: $f}}, customizationOptions: $o}) {
  customizationOptions id } }"""
DISCONNECT = (
    "mutation ($p: ID!) { updateProject(where: {id: $p}, data: {ontology: {disconnect: true}}) { id } }"
)
CLONE = (
    "mutation ($p: ID!, $o: ID!) { project(where: {id: $p}) { cloneOntology(ontologyId: $o) { id name } } }"
)
EMPTY = json.dumps({"tools": [], "classifications": []})


def connected(box: Workspace, p: str) -> Any:
    found = box.ask(READ, p=p)["ontology"]
    return found and found["id"]


def test_an_ontology_is_connected_replaced_and_disconnected(box: Workspace) -> None:
    p, one, two = project(box), ontology(box, "a")["id"], ontology(box, "b")["id"]
    assert connected(box, p) is None
    assert connect(box, p, one) == {"connectOntology": {"id": one}}
    assert connected(box, p) == one
    connect(box, p, two)
    assert connected(box, p) == two
    box.ask(DISCONNECT, p=p)
    assert connected(box, p) is None


@pytest.mark.parametrize(("media_type", "fits"), [("IMAGE", True), (None, True), ("TEXT", False)])
def test_an_ontology_must_be_for_the_projects_media_type(
    box: Workspace, media_type: str | None, fits: bool
) -> None:
    p, o = project(box), ontology(box, media_type=media_type)["id"]
    box.ask(FRONTEND, p=p, f=box.ask(EDITOR)[0]["id"])
    if fits:
        assert connect(box, p, o)
    else:
        assert box.refused(CONNECT, p=p, o=o)[0] == "MALFORMED_REQUEST"
    assert [each["id"] for each in box.ask(READ, p=p)["connectableOntologies"]] == ([o] if fits else [])


CONNECT_FIELD = """mutation ($p: ID!, $o: ID!) {
  updateProject(where: {id: $p}, data: {ontology: {connect: {id: $o}}}) { id } }"""


@pytest.mark.parametrize("document", [CONNECT, CLONE, CONNECT_FIELD])
def test_without_an_editor_no_ontology_is_connected(box: Workspace, document: str) -> None:
    p, o = project(box), ontology(box, "a")["id"]
    code, message = box.refused(document, p=p, o=o)
    assert (code, "no labeling front end" in message) == ("MALFORMED_REQUEST", True)
    assert connected(box, p) is None
    assert [each["id"] for each in box.ask("{ ontologies { nodes { id } } }")["nodes"]] == [o]
    box.ask(FRONTEND, p=p, f=box.ask(EDITOR)[0]["id"])
    assert box.ask(document, p=p, o=o)
    assert connected(box, p) is not None


def test_an_unknown_or_foreign_ontology_is_not_found(box: Workspace) -> None:
    p = project(box)
    assert box.refused(CONNECT, p=p, o="no")[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(CONNECT, p=p, o=ontology(box.stranger())["id"])[0] == "RESOURCE_NOT_FOUND"


def test_a_clone_is_the_projects_own(box: Workspace) -> None:
    p, o = project(box), ontology(box, "a")
    box.ask(FRONTEND, p=p, f=box.ask(EDITOR)[0]["id"])
    copy = box.ask(CLONE, p=p, o=o["id"])["cloneOntology"]
    assert copy["id"] != o["id"]
    assert connected(box, p) == copy["id"]
    assert copy["name"] == "damage"


def test_the_standard_front_end_is_there_and_can_be_connected(box: Workspace) -> None:
    p = project(box)
    (editor,) = box.ask(EDITOR)
    box.ask(FRONTEND, p=p, f=editor["id"])
    assert box.ask(READ, p=p)["labelingFrontend"]["name"] == "Editor"
    none = FRONTEND.replace("connect: {id: $f}", "disconnect: true").replace(", $f: ID!", "")
    assert box.refused(none, p=p)[0] == "MALFORMED_REQUEST"


def test_setting_up_the_editor_makes_an_empty_ontology_that_the_real_one_replaces(box: Workspace) -> None:
    p, f = project(box, "mine"), box.ask(EDITOR)[0]["id"]
    made = box.ask(OPTIONS, p=p, f=f, o=EMPTY)
    assert made["customizationOptions"] == EMPTY
    found = box.ask(READ, p=p)
    assert found["ontology"]["name"] == "mine"
    assert found["labelingFrontendOptions"] == [made]
    normalized = json.dumps({"tools": [{"tool": "point", "name": "x", "color": "red"}]})
    real = box.ask(NEW_ONTOLOGY, name="mine", normalized=normalized, type="IMAGE")["id"]
    connect(box, p, real)
    box.wait()
    listed = box.ask('{ ontologies(where: {search: "mine"}) { nodes { id } } }')["nodes"]
    assert listed == [{"id": real}]


def test_setting_up_the_editor_leaves_a_connected_ontology_alone(box: Workspace) -> None:
    p, f, o = project(box), box.ask(EDITOR)[0]["id"], ontology(box, "a")["id"]
    connect(box, p, o)
    box.ask(OPTIONS, p=p, f=f, o=EMPTY)
    assert connected(box, p) == o


def test_options_that_are_no_ontology_are_refused(box: Workspace) -> None:
    p, f = project(box), box.ask(EDITOR)[0]["id"]
    assert box.refused(OPTIONS, p=p, f=f, o="{")[0] == "MALFORMED_REQUEST"
    assert box.ask(READ, p=p)["labelingFrontendOptions"] == []


@pytest.mark.parametrize("by", ["name", "featureSchemaId"])
def test_a_labelled_project_keeps_the_features_its_labels_use(box: Workspace, by: str) -> None:
    made = ontology(box, "Damage", "Unused")
    feature = made["normalized"]["tools"][0]
    p, row, _ = labelled(box)
    connect(box, p, made["id"])
    label = json.dumps({"objects": [{by: feature[by], "polygon": []}]})
    new = """mutation ($p: ID!, $r: ID!, $l: String!) {
      createLabel(data: {label: $l, project: {connect: {id: $p}}, dataRow: {connect: {id: $r}}}) { id } }"""
    box.ask(new, p=p, r=row, l=label)
    assert box.refused(CONNECT, p=p, o=ontology(box, "Damage")["id"])[0] == "MALFORMED_REQUEST"
    assert connected(box, p) == made["id"]
    status, answer = box.rest(
        "DELETE", f"/ontologies/{made['id']}/feature-schemas/{feature['featureSchemaId']}"
    )
    assert (status, answer) == (200, {"archived": True, "deleted": False})
    unused = made["normalized"]["tools"][1]["featureSchemaId"]
    status, answer = box.rest("DELETE", f"/ontologies/{made['id']}/feature-schemas/{unused}")
    assert (status, answer) == (200, {"archived": False, "deleted": True})
