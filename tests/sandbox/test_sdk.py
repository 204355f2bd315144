"""The vendor's own client, unmodified, against a served sandbox (API reference, Appendix B)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.server import running

labelbox = pytest.importorskip("labelbox")
exceptions = pytest.importorskip("lbox.exceptions")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with running(conditions=Conditions(search_lag_ms=0, invite_lag_ms=0)) as (endpoint, key):
        rest = endpoint.replace("/graphql", "/api/v1")
        yield labelbox.Client(key, endpoint=endpoint, rest_endpoint=rest)


@pytest.fixture
def project(client: Any) -> Any:
    return client.create_project(name="p", description="d", media_type=labelbox.MediaType.Image)


@pytest.fixture(scope="module")
def roles(client: Any) -> Any:
    return client.get_roles()


def test_it_learns_who_it_is(client: Any, roles: Any) -> None:
    assert client.get_user().email == "admin@sandbox.example"
    assert client.get_organization().name == "Sandbox"
    assert client.get_user().org_role().name.upper() == "ADMIN"
    assert roles["NONE"].uid == "cjmb6xy80f5vz0780u3mw2rj4"


def test_a_wrong_key_is_an_authentication_error(client: Any) -> None:
    stranger = labelbox.Client("wrong", endpoint=client.endpoint, rest_endpoint=client.rest_endpoint)
    with pytest.raises(exceptions.AuthenticationError):
        stranger.get_user()


def test_datasets_are_created_found_updated_and_deleted(client: Any) -> None:
    made = client.create_dataset(name="teeth", description="x-rays")
    assert made.created_at.year >= 2024
    made.update(name="bones")
    assert client.get_dataset(made.uid).name == "bones"
    assert [each.uid for each in client.get_datasets(where=labelbox.Dataset.name == "bones")] == [made.uid]
    assert made.created_by().email == "admin@sandbox.example"
    assert made.iam_integration() is None
    assert list(made.data_rows()) == []
    made.delete()
    assert list(client.get_datasets()) == []
    with pytest.raises(exceptions.ResourceNotFoundError):
        client.get_dataset(made.uid)


def test_projects_are_created_updated_and_deleted(client: Any, project: Any) -> None:
    assert project.media_type == labelbox.MediaType.Image
    project.update(name="q", description="e")
    assert client.get_project(project.uid).description == "e"
    assert [queue.queue_type for queue in project.task_queues()][1:] == [
        "MANUAL_REVIEW_QUEUE",
        "MANUAL_REWORK_QUEUE",
    ]
    project.delete()
    assert project.uid not in [each.uid for each in client.get_projects()]
    with pytest.raises(exceptions.ResourceNotFoundError):
        client.get_project(project.uid)


def test_a_consensus_project_has_the_clients_defaults(client: Any) -> None:
    mode = {labelbox.schema.quality_mode.QualityMode.Consensus}
    made = client.create_project(name="c", media_type=labelbox.MediaType.Image, quality_modes=mode)
    assert (made.auto_audit_number_of_labels, made.auto_audit_percentage) == (3, 0.0)


def test_an_ontology_is_connected_and_only_one_of_its_name_is_left(client: Any, project: Any) -> None:
    tool = labelbox.Tool(tool=labelbox.Tool.Type.BBOX, name="box")
    builder = labelbox.OntologyBuilder(tools=[tool])
    made = client.create_ontology("p", builder.asdict(), media_type=labelbox.MediaType.Image)
    project.connect_ontology(made)
    assert project.ontology().uid == made.uid
    assert project.labeling_frontend().name == "Editor"
    assert len(list(project.labeling_frontend_options())) == 1
    assert [each.uid for each in client.get_ontologies("p")] == [made.uid]
    project.connect_ontology(made)
    assert [each.uid for each in made.projects()] == [project.uid]


def test_webhooks_are_created_updated_and_switched_off(client: Any, project: Any) -> None:
    hook = labelbox.Webhook
    made = hook.create(client, [hook.LABEL_CREATED], "https://a.example/x", "s", project)
    made.update(topics=[hook.LABEL_UPDATED], url="https://a.example/y")
    assert (made.url, made.topics) == ("https://a.example/y", ["LABEL_UPDATED"])
    assert made.project().uid == project.uid
    assert made.created_by().email == "admin@sandbox.example"
    made.delete()
    assert [each.status for each in project.webhooks()] == ["INACTIVE"]
    wide = hook.create(client, [hook.WORKFLOW_ACTION], "https://a.example/x", "s", None)
    assert wide.uid in [each.uid for each in client.get_organization().webhooks()]
    assert wide.project() is None


def test_people_are_invited_and_uninvited(client: Any, project: Any, roles: Any) -> None:
    org = client.get_organization()
    one = org.invite_user("one@x.io", roles["LABELER"])
    two = org.invite_users(["two@x.io", "two@x.io"], roles["REVIEWER"], projects=[project])
    assert [each.status.value for each in two] == ["INVITED", "DUPLICATE"]
    assert [each.email for each in org.get_invites()] == ["one@x.io", "two@x.io"]
    assert [each.email for each in org.get_project_invites(project.uid)] == ["two@x.io"]
    assert org.invite_limit().used == 3
    assert (one.uid, one.cancel()) == ("invited", False)  # the service did not say which invite it is
    next(each for each in org.get_invites() if each.email == one.email).cancel()
    assert [each.email for each in org.get_invites()] == ["two@x.io"]
    with pytest.raises(exceptions.LabelboxError, match="Unable to send invite"):
        org.invite_user(client.get_user().email, roles["LABELER"])


def test_members_get_roles_on_projects_and_lose_them(client: Any, project: Any, roles: Any) -> None:
    org = client.get_organization()
    client.execute(
        """mutation { addMembersToOrganization(data: {emails: ["m@x.io"],
          orgRoleId: "cjmb6xy80f5vz0780u3mw2rj4", projectRoles: []}) { newUserId } }"""
    )
    (member,) = client.get_users(where=labelbox.User.email == "m@x.io")
    member.upsert_project_role(project, roles["REVIEWER"])
    found = {each.user().email: (each.role().name, each.access_from) for each in project.members()}
    assert found["m@x.io"] == ("Reviewer", "PROJECT")
    assert found["admin@sandbox.example"] == ("Admin", "ORGANIZATION")
    member.remove_from_project(project)
    assert len(list(project.members())) == 1
    member.upsert_project_role(project, roles["LABELER"])
    client.delete_project_memberships(project.uid, [member.uid])
    assert len(list(project.members())) == 1
    member.update_org_role(roles["LABELER"])
    assert member.org_role().name == "Labeler"
    org.remove_user(member)
    assert "m@x.io" not in [each.email for each in org.users()]


def test_its_errors_are_the_ones_it_knows(client: Any) -> None:
    with pytest.raises(exceptions.InvalidQueryError, match=r'^Cannot query field "bbb"'):
        client.execute("{ bbb }")
    with pytest.raises(exceptions.InvalidQueryError, match=r"^Syntax Error:"):
        client.execute("{")
    with pytest.raises(exceptions.ValidationFailedError):
        client.execute("{projects{datasets{dataRows{labels{id}}}}}")
    with pytest.raises(exceptions.MalformedQueryException):
        client.execute('mutation { createDataset(data: {name: " "}) { id } }')
