"""Webhooks (API reference 1.6 and 6.2)."""

from __future__ import annotations

from typing import Any

import pytest
from documents import project
from workspace import Workspace

FIELDS = "id url status topics createdAt updatedAt"
CREATE = (
    f"mutation ($data: WebhookCreateInput!) {{ createWebhook(data: $data) {{ {FIELDS} project {{ id }} }} }}"
)
UPDATE = f"""mutation ($id: ID!, $data: WebhookUpdateInput!) {{
  updateWebhook(where: {{id: $id}}, data: $data) {{ {FIELDS} }} }}"""
READ = f"""query ($id: ID!) {{ webhook(where: {{id: $id}}) {{
  {FIELDS} project {{ id }} organization {{ name }} createdBy {{ email }} }} }}"""
URL = "https://relay.example.com/hook"


def create(box: Workspace, **data: Any) -> Any:
    return box.ask(CREATE, data={"topics": {"set": ["LABEL_CREATED"]}, "url": URL, "secret": "s", **data})


def test_a_webhook_is_active_and_bound_to_its_project(box: Workspace) -> None:
    p = project(box)
    made = create(
        box, project={"id": p}, topics={"set": ["LABEL_DELETED", "WORKFLOW_ACTION", "LABEL_DELETED"]}
    )
    assert (made["status"], made["url"], made["project"]) == ("ACTIVE", URL, {"id": p})
    assert made["topics"] == ["LABEL_DELETED", "WORKFLOW_ACTION"]
    found = box.ask(READ, id=made["id"])
    assert found["organization"] == {"name": "Sandbox"}
    assert found["createdBy"] == {"email": "admin@sandbox.example"}


def test_without_a_project_it_hears_of_the_whole_organization(box: Workspace) -> None:
    p = project(box)
    wide, narrow = create(box), create(box, project={"id": p})
    assert wide["project"] is None
    listed = box.ask("{ organization { webhooks { id } } }")["webhooks"]
    assert listed == [{"id": wide["id"]}, {"id": narrow["id"]}]
    of_project = box.ask("query ($p: ID!) { project(where: {id: $p}) { webhooks(first: 100) { id } } }", p=p)
    assert of_project["webhooks"] == [{"id": narrow["id"]}]


def test_literals_without_commas_are_understood(box: Workspace) -> None:
    query = """mutation { createWebhook(data: {project: {id: "%s"} topics: {set: [LABEL_CREATED,]}
      url: "https://a.example" secret: "s"}) { id } }"""
    assert box.ask(query % project(box))["id"]


def test_the_project_is_named_not_connected(box: Workspace) -> None:
    query = """mutation { createWebhook(data: {project: {id: "x", connect: {id: "x"}}
      topics: {set: [LABEL_CREATED]} url: "https://a.example" secret: "s"}) { id } }"""
    assert box.refused(query)[0] == "GRAPHQL_VALIDATION_FAILED"


def test_a_project_that_is_not_there_is_not_found(box: Workspace) -> None:
    data = {"topics": {"set": ["LABEL_CREATED"]}, "url": URL, "secret": "s", "project": {"id": "no"}}
    assert box.refused(CREATE, data=data)[0] == "RESOURCE_NOT_FOUND"
    theirs = project(box.stranger())
    assert box.refused(CREATE, data={**data, "project": {"id": theirs}})[0] == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize(
    "url",
    [
        "", "relay.example.com", "ftp://x.example", "https://", "https://a b", "http://[", "javascript:1",
        "http://127.0.0.1:99999999/", "http://127.0.0.1:5x/", "http://127.0.0.1:-1/", "http://127.0.0.1:0/",
        "http://%zz/", "http://a\0b/",
    ],
)  # fmt: skip
def test_only_http_urls_are_taken(box: Workspace, url: str) -> None:
    data = {"topics": {"set": ["LABEL_CREATED"]}, "url": url, "secret": "s"}
    assert box.refused(CREATE, data=data)[0] == "MALFORMED_REQUEST"
    assert box.refused(UPDATE, id=create(box)["id"], data={"url": url})[0] == "MALFORMED_REQUEST"


def test_a_webhook_needs_topics_and_a_secret(box: Workspace) -> None:
    data = {"topics": {"set": []}, "url": URL, "secret": "s"}
    assert box.refused(CREATE, data=data)[0] == "MALFORMED_REQUEST"
    data = {"topics": {"set": ["LABEL_CREATED"]}, "url": URL, "secret": ""}
    assert box.refused(CREATE, data=data)[0] == "MALFORMED_REQUEST"
    del data["secret"]
    assert box.refused(CREATE, data=data)[0] == "BAD_USER_INPUT"


def test_the_secret_can_be_neither_selected_nor_updated(box: Workspace) -> None:
    ident = create(box)["id"]
    assert box.refused("{ organization { webhooks { secret } } }")[0] == "GRAPHQL_VALIDATION_FAILED"
    assert box.refused(UPDATE, id=ident, data={"secret": "t"})[0] == "BAD_USER_INPUT"
    assert box.refused(UPDATE, id=ident, data={"project": {"id": "x"}})[0] == "BAD_USER_INPUT"


def test_an_update_changes_only_what_it_names(box: Workspace) -> None:
    made = create(box)
    changed = box.ask(UPDATE, id=made["id"], data={"topics": {"set": ["REVIEW_CREATED"]}})
    assert (changed["topics"], changed["url"], changed["status"]) == (["REVIEW_CREATED"], URL, "ACTIVE")
    changed = box.ask(UPDATE, id=made["id"], data={"url": "http://other.example"})
    assert (changed["topics"], changed["url"]) == (["REVIEW_CREATED"], "http://other.example")


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_webhook_that_was_switched_off_is_still_listed_and_found(box: Workspace, status: str) -> None:
    ident = create(box)["id"]
    assert box.ask(UPDATE, id=ident, data={"status": status})["status"] == status
    assert box.ask(READ, id=ident)["status"] == status
    assert box.ask("{ organization { webhooks { id status } } }")["webhooks"] == [
        {"id": ident, "status": status}
    ]


def test_what_was_revoked_stays_so_and_what_was_inactive_may_work_again(box: Workspace) -> None:
    ident = create(box)["id"]
    box.ask(UPDATE, id=ident, data={"status": "INACTIVE"})
    assert box.ask(UPDATE, id=ident, data={"status": "ACTIVE"})["status"] == "ACTIVE"
    box.ask(UPDATE, id=ident, data={"status": "REVOKED"})
    for status in ("ACTIVE", "INACTIVE"):
        assert box.refused(UPDATE, id=ident, data={"status": status})[0] == "MALFORMED_REQUEST"
    assert box.ask(UPDATE, id=ident, data={"status": "REVOKED"})["status"] == "REVOKED"
    assert box.ask(UPDATE, id=ident, data={"url": "http://other.example"})["status"] == "REVOKED"


def test_a_webhook_of_another_organization_is_not_found(box: Workspace) -> None:
    theirs = create(box.stranger())["id"]
    assert box.refused(READ, id=theirs)[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(UPDATE, id=theirs, data={"status": "INACTIVE"})[0] == "RESOURCE_NOT_FOUND"
