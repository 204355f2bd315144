"""What other hands do in a scenario: raw GraphQL, people who accept, a cloud that is set up.

An event is a GraphQL document as text, or one of the mappings below. ``<dataset.teeth>`` anywhere
in it stands for the id that state knows for that address.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from lbstack.sandbox import aws
from lbstack.sandbox.world import accept_invite
from lbstack.values import Address
from tests.conftest import World

ADD_ROW = """mutation($url: String!, $dataset: ID!) {
  createDataRow(data: {rowData: $url, dataset: {connect: {id: $dataset}}}) { id }
}"""
ADD_LABEL = """mutation($label: String!, $project: ID!, $row: ID!) {
  createLabel(
    data: {label: $label, project: {connect: {id: $project}}, dataRow: {connect: {id: $row}}}
  ) { id }
}"""


def happen(world: World, event: Any) -> None:
    """Let one event happen."""
    event = json.loads(_features(world, bound_ids(world, json.dumps(event))))
    if isinstance(event, str):
        world.graphql(event)
        return
    ((verb, what),) = event.items()
    EVENTS[verb](world, what)


def bound_ids(world: World, text: str) -> str:
    """Text in which ``<dataset.teeth>`` stands for the id that state knows."""
    return re.sub(r"<([a-z]+\.[^<>]+)>", lambda match: _id(world, match[1]), text)


def named(world: World, text: str) -> str:
    """Text in which ``<the dataset NAME>`` stands for the id of the dataset of that name."""

    def find(match: re.Match[str]) -> str:
        document = "query($name: String!) { datasets(where: {name: $name}, first: 1) { id } }"
        return str(world.graphql(document, name=match[1])["datasets"][0]["id"])

    return re.sub(r"<the dataset ([^<>]+)>", find, text)


def _features(world: World, text: str) -> str:
    """Text in which ``<the feature NAME>`` stands for the id of the root feature of that name."""
    if "<the feature " not in text:
        return text
    nodes = world.graphql("{ rootSchemaNodes(first: 100) { nodes { name normalized } } }")["rootSchemaNodes"]
    ids = {node["name"]: node["normalized"]["featureSchemaId"] for node in nodes["nodes"]}
    return re.sub(r"<the feature ([^<>]+)>", lambda match: str(ids[match[1]]), text)


def _id(world: World, text: str) -> str:
    entry = world.state.resources[Address.parse(text)]
    assert entry.id
    return entry.id


def _accept(world: World, email: str) -> None:
    accept_invite(world.workspace, email)


def _put_role(world: World, what: dict[str, Any]) -> None:
    aws.put_role(world.workspace.conn, **what)


def _put_bucket(world: World, what: dict[str, Any]) -> None:
    aws.put_bucket(world.workspace.conn, **what)


def _put_gcp_bucket(world: World, what: dict[str, str]) -> None:
    aws.put_gcp_bucket(world.workspace.conn, what["name"], [what["reader"]])


def _put_azure_container(world: World, what: dict[str, str]) -> None:
    aws.put_azure_container(world.workspace.conn, what["url"], [what["reader"]])


def _add_row(world: World, what: dict[str, str]) -> None:
    world.graphql(ADD_ROW, **what)


def _add_label(world: World, what: dict[str, Any]) -> None:
    """A label in a project on a new row of a dataset: {project, dataset, label: {...}}."""
    row = world.graphql(ADD_ROW, url="https://example.com/1.jpg", dataset=what["dataset"])["createDataRow"][
        "id"
    ]
    world.graphql(ADD_LABEL, label=json.dumps(what["label"]), project=what["project"], row=row)


def _invite(world: World, what: dict[str, str]) -> None:
    """Somebody invites a person to a project, as a Labeler: {email, project}."""
    found = world.graphql("{ user { id } organization { id } roles { id name } }")
    roles = {role["name"]: role["id"] for role in found["roles"]}
    invite = {
        "inviterId": found["user"]["id"],
        "inviteeEmail": what["email"],
        "organizationId": found["organization"]["id"],
        "organizationRoleId": roles["None"],
        "projects": [{"projectId": what["project"], "projectRoleId": roles["Labeler"]}],
    }
    document = "mutation($data: [CreateInviteInput!]) { createInvites(data: $data) { invite { id } } }"
    world.graphql(document, data=[invite])


def later(world: World, seconds: float) -> None:
    """Let time pass, for the service and for what state remembers of its own doings."""
    world.workspace.mint.advanced += seconds
    state, journal = world.store.begin(world.state)
    for address, entry in state.resources.items():
        if "invited_at" in entry.memory:
            memory = {**entry.memory, "invited_at": entry.memory["invited_at"] - seconds}
            state = state.with_entry(address, replace(entry, memory=memory))
    world.store.save(state)
    journal.close()


def _lose_integration(world: World, id: str) -> None:
    """The service loses an integration, which no request can do."""
    assert world.workspace.run("DELETE FROM iam_integrations WHERE id = ?", [id])


def _rest(world: World, what: dict[str, Any]) -> None:
    """A REST call: {method, path, body}."""
    world.wired(lambda wire: wire.rest(what["method"], what["path"], what.get("body")))


EVENTS = {
    "accept_invite": _accept,
    "put_role": _put_role,
    "put_bucket": _put_bucket,
    "put_gcp_bucket": _put_gcp_bucket,
    "put_azure_container": _put_azure_container,
    "add_row": _add_row,
    "add_label": _add_label,
    "rest": _rest,
    "invite": _invite,
    "later": later,
    "lose_integration": _lose_integration,
}
