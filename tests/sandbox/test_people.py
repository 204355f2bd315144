"""Keys, organizations and models (API reference 1.5, 1.12, 5.2), through the API and the vendor's client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from documents import dataset, ontology
from workspace import Workspace

from lbstack.sandbox import world
from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.errors import NotAuthenticatedError
from lbstack.sandbox.kinds.session import authenticate
from lbstack.sandbox.roles import ROLES
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.server import running
from lbstack.sandbox.store import Store

labelbox = pytest.importorskip("labelbox")
exceptions = pytest.importorskip("lbox.exceptions")
ApiKey = pytest.importorskip("labelbox.schema.api_key").ApiKey
TimeUnit = pytest.importorskip("labelbox.schema.timeunit").TimeUnit

NEW_KEY = """mutation ($role: String, $seconds: Int, $ranges: [String!], $email: String!) {
  createApiKey(data: {name: "ci", targetUserEmailId: $email, role: $role, validitySeconds: $seconds,
    allowedIpCidrs: $ranges}) { id jwt } }"""
ADMIN = "admin@sandbox.example"


@pytest.fixture
def served() -> Iterator[tuple[Any, Store]]:
    store = open_store(None)
    with running(store) as (endpoint, key):
        rest = endpoint.replace("/graphql", "/api/v1")
        yield labelbox.Client(key, endpoint=endpoint, rest_endpoint=rest), store
    store.close()


def as_client(client: Any, key: str) -> Any:
    return labelbox.Client(key, endpoint=client.endpoint, rest_endpoint=client.rest_endpoint)


def test_the_client_makes_lists_and_revokes_keys(served: tuple[Any, Store]) -> None:
    client, _ = served
    made = ApiKey.create_api_key(
        client, "ci", ADMIN, "Labeler", 2, TimeUnit.MINUTE, ["10.0.0.0/8", "127.0.0.1"]
    )
    assert as_client(client, made["jwt"]).get_user().email == ADMIN
    known = {key.uid: key for key in ApiKey.get_api_keys(client)}
    assert known[made["id"]].allowed_ip_cidrs == ["10.0.0.0/8", "127.0.0.1/32"]
    assert known[made["id"]].created_by.email == ADMIN
    with pytest.raises(exceptions.AuthorizationError):
        as_client(client, made["jwt"]).create_dataset(name="no", iam_integration=None)
    known[made["id"]].revoke()
    with pytest.raises(exceptions.AuthenticationError):
        as_client(client, made["jwt"]).get_user()
    assert made["id"] not in {key.uid for key in ApiKey.get_api_keys(client)}


def test_two_organizations_see_nothing_of_each_other(served: tuple[Any, Store]) -> None:
    client, store = served
    other = as_client(client, world.add_organization(store, "Other"))
    mine, theirs = (each.create_dataset(name="teeth", iam_integration=None) for each in (client, other))
    assert [each.uid for each in client.get_datasets()] == [mine.uid]
    assert [each.uid for each in other.get_datasets()] == [theirs.uid]
    with pytest.raises(exceptions.ResourceNotFoundError):
        other.get_dataset(mine.uid)
    assert other.get_organization().name == "Other"
    assert other.get_user().email == "admin@other.example"


def test_models_keep_their_ontology_from_being_deleted(served: tuple[Any, Store]) -> None:
    client, _ = served
    tool = labelbox.Tool(tool=labelbox.Tool.Type.BBOX, name="box")
    builder = labelbox.OntologyBuilder(tools=[tool]).asdict()
    made = client.create_ontology("o", builder, media_type=labelbox.MediaType.Image)
    model = client.create_model("m", made.uid)
    assert [each.name for each in client.get_models()] == ["m"]
    with pytest.raises(exceptions.ResourceConflict):
        client.create_model("m", made.uid)
    with pytest.raises(exceptions.LabelboxError, match="connected to a model"):
        client.delete_unused_ontology(made.uid)
    model.delete()
    assert list(client.get_models()) == []
    client.delete_unused_ontology(made.uid)


@pytest.mark.parametrize("seconds", [59, 25 * 7 * 24 * 3600 + 1, -1])
def test_a_key_holds_between_a_minute_and_25_weeks(box: Workspace, seconds: int) -> None:
    assert box.refused(NEW_KEY, email=ADMIN, seconds=seconds)[0] == "MALFORMED_REQUEST"


def test_a_key_that_has_expired_opens_nothing(box: Workspace) -> None:
    made = box.ask(NEW_KEY, email=ADMIN, seconds=60)
    box.store.update("api_keys", made["id"], {"expiresAt": "2020-01-01T00:00:00.000Z"})
    assert (
        Workspace(box.client, box.store, made["jwt"]).refused("{ user { id } }")[0] == "AUTHENTICATION_ERROR"
    )


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"role": "None"}, "MALFORMED_REQUEST"),
        ({"role": "King"}, "MALFORMED_REQUEST"),
        ({"email": "nobody@x.io"}, "RESOURCE_NOT_FOUND"),
        ({"ranges": ["10.0.0.1/8"]}, "MALFORMED_REQUEST"),
        ({"ranges": ["10.0.0.1"] * 51}, "MALFORMED_REQUEST"),
    ],
)
def test_what_a_key_cannot_be(box: Workspace, told: dict[str, Any], code: str) -> None:
    assert box.refused(NEW_KEY, **{"email": ADMIN, **told})[0] == code


def test_nobody_makes_a_key_that_may_more_than_he(box: Workspace) -> None:
    manager = box.as_role(next(role.id for role in ROLES if role.name == "Team Manager"))
    assert manager.refused(NEW_KEY, email=ADMIN, role="Admin")[0] == "AUTHORIZATION_ERROR"
    assert manager.refused(NEW_KEY, email=ADMIN)[0] == "AUTHORIZATION_ERROR"
    assert manager.ask(NEW_KEY, email=ADMIN, role="Labeler")["jwt"]


def test_a_key_is_good_from_its_addresses_alone(box: Workspace) -> None:
    jwt = box.ask(NEW_KEY, email=ADMIN, ranges=["192.0.2.0/24", "2001:db8::/32"])["jwt"]
    for host, good in [("192.0.2.7", True), ("2001:db8::1", True), ("192.0.3.7", False), (None, False)]:
        if good:
            assert authenticate(box.store, jwt, "", Conditions(), host).user["email"] == ADMIN
        else:
            with pytest.raises(NotAuthenticatedError):
                authenticate(box.store, jwt, "", Conditions(), host)


def test_keys_are_their_organizations_and_shown_without_themselves(box: Workspace) -> None:
    made = box.ask(NEW_KEY, email=ADMIN)
    revoke = "mutation ($id: ID!) { updateApiKey(where: {id: $id}, data: {revoked: true}) { id revoked } }"
    assert box.stranger().refused(revoke, id=made["id"])[0] == "RESOURCE_NOT_FOUND"
    assert box.as_role("cjlvi914y1aa20714372uvzjv").refused(revoke, id=made["id"])[0] == "AUTHORIZATION_ERROR"
    assert made["jwt"] not in str(world.keys(box.store))
    assert box.ask(revoke, id=made["id"]) == {"id": made["id"], "revoked": True}


def test_the_command_line_finds_organizations_by_name(box: Workspace) -> None:
    key = world.create_key(box.store, "read-only admin")
    reader = Workspace(box.client, box.store, key)
    assert reader.ask("{ user { email } }") == {"email": ADMIN}
    assert reader.refused('mutation { createDataset(data: {name: "x"}) { id } }')[0] == "AUTHORIZATION_ERROR"
    world.add_organization(box.store, "Other")
    theirs = Workspace(box.client, box.store, world.create_key(box.store, "ADMIN", None, "Other", 60))
    assert theirs.ask("{ organization { name } }") == {"name": "Other"}
    for wrong in (("King",), ("Admin", "x@x.io"), ("Admin", None, "Nobody")):
        with pytest.raises(ValueError):
            world.create_key(box.store, *wrong)
    with pytest.raises(ValueError):
        world.add_organization(box.store, "Other")


def test_ids_of_another_organization_are_not_found(box: Workspace) -> None:
    d, o = dataset(box), ontology(box, "a")["id"]
    stranger = box.stranger()
    documents = [
        ("query ($id: ID!) { dataset(where: {id: $id}) { id } }", d),
        ("mutation ($id: ID!) { updateDataset(where: {id: $id}, data: {deleted: true}) { id } }", d),
        ("query ($id: ID!) { ontology(where: {id: $id}) { id } }", o),
        ('mutation ($id: ID!) { createModel(data: {name: "m", ontologyId: $id}) { id } }', o),
    ]
    for document, ident in documents:
        assert stranger.refused(document, id=ident)[0] == "RESOURCE_NOT_FOUND"
