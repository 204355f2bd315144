"""The vendor's own client, unmodified, against a served sandbox: ontologies, features, integrations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lbstack.sandbox import aws
from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.server import running
from lbstack.sandbox.store import Store

labelbox = pytest.importorskip("labelbox")
exceptions = pytest.importorskip("lbox.exceptions")

ROLE = "arn:aws:iam::123456789012:role/labelbox"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Any, Store]]:
    store = open_store()
    with running(store, conditions=Conditions(search_lag_ms=0)) as (endpoint, key):
        rest_endpoint = endpoint.replace("/graphql", "/api/v1")
        yield labelbox.Client(key, endpoint=endpoint, rest_endpoint=rest_endpoint), store


@pytest.fixture
def client(served: tuple[Any, Store]) -> Any:
    return served[0]


def tool(name: str, **more: Any) -> Any:
    return labelbox.Tool(tool=labelbox.Tool.Type.BBOX, name=name, **more)


def question(name: str) -> Any:
    options = [labelbox.Option(value="yes"), labelbox.Option(value="no")]
    return labelbox.Classification(labelbox.Classification.Type.RADIO, name, options=options)


def test_an_ontology_survives_the_round_trip_through_the_client(client: Any) -> None:
    builder = labelbox.OntologyBuilder(
        tools=[tool("Tooth", color="blue", classifications=[question("whole?")])],
        classifications=[question("damaged?")],
    )
    made = client.create_ontology("Teeth", builder.asdict(), media_type=labelbox.MediaType.Image)
    found = client.get_ontology(made.uid)
    assert found.normalized == made.normalized
    assert found.media_type is labelbox.MediaType.Image
    assert (found.object_schema_count, found.classification_schema_count) == (1, 1)
    again = labelbox.OntologyBuilder.from_ontology(found).asdict()
    assert again["tools"] == found.normalized["tools"]
    assert found.created_by().email == "admin@sandbox.example"
    assert list(found.projects()) == []
    assert [each.uid for each in client.get_ontologies("TEETH")] == [made.uid]


def test_a_relationships_constraints_follow_the_new_ids(client: Any) -> None:
    from labelbox.schema.tool_building.relationship_tool import RelationshipTool

    start, end, edge = tool("start"), tool("end"), RelationshipTool(name="next to")
    edge.add_constraint(start, end)
    builder = labelbox.OntologyBuilder(tools=[start, end, edge])
    made = client.create_ontology("Edges", builder.asdict()).normalized
    ids = [each["featureSchemaId"] for each in made["tools"]]
    assert made["relationships"][0]["definition"]["constraints"] == [ids]


def test_a_feature_lives_through_all_the_clients_calls(client: Any, served: tuple[Any, Store]) -> None:
    made = client.create_feature_schema(tool("Crack", color="red").asdict())
    assert len(made.uid) == 25
    ontology = client.create_ontology_from_feature_schemas("Damage", [made.uid])
    assert ontology.normalized["tools"] == [made.normalized]
    other = client.upsert_feature_schema(tool("Caries").asdict())
    client.insert_feature_schema_into_ontology(other.uid, ontology.uid, 0)
    shown = client.get_ontology(ontology.uid).normalized["tools"]
    assert [each["name"] for each in shown] == ["Caries", "Crack"]
    assert client.update_feature_schema_title(other.uid, "Cavity").normalized["name"] == "Cavity"
    changed = client.upsert_feature_schema(other.normalized | {"color": "green"})
    assert (changed.uid, changed.normalized["color"]) == (other.uid, "green")
    served[1].insert("label_features", {"labelId": "l", "featureSchemaId": made.uid})
    result = client.delete_feature_schema_from_ontology(ontology.uid, made.uid)
    assert (result.archived, result.deleted) == (True, False)
    assert client.is_feature_schema_archived(ontology.uid, made.uid)
    client.unarchive_feature_schema_node(ontology.uid, made.uid)
    assert not client.is_feature_schema_archived(ontology.uid, made.uid)
    result = client.delete_feature_schema_from_ontology(ontology.uid, other.uid)
    assert (result.archived, result.deleted) == (False, True)
    assert other.uid in client.get_unused_feature_schemas()
    client.delete_unused_feature_schema(other.uid)
    assert ontology.uid in client.get_unused_ontologies()
    client.delete_unused_ontology(ontology.uid)
    with pytest.raises(exceptions.ResourceNotFoundError):
        client.get_ontology(ontology.uid)


def test_the_clients_errors_carry_the_services_words(client: Any) -> None:
    made = client.create_feature_schema(tool("Kept").asdict())
    client.create_ontology_from_feature_schemas("Keeper", [made.uid])
    with pytest.raises(exceptions.LabelboxError, match="because it is used in ontologies"):
        client.delete_unused_feature_schema(made.uid)
    with pytest.raises(exceptions.LabelboxError, match="must not be empty"):
        client.update_feature_schema_title(made.uid, "")
    with pytest.raises(exceptions.MalformedQueryException):
        client.create_ontology("x", {"tools": [{"tool": "polygon"}], "classifications": []})
    assert [each.uid for each in client.get_feature_schemas("kept")] == [made.uid]


def test_the_clients_project_takes_an_ontology_of_its_media_type(client: Any) -> None:
    project = client.create_project(name="Step 1", media_type=labelbox.MediaType.Image)
    made = client.create_ontology("Step 1", {"tools": [], "classifications": [question("ok?").asdict()]})
    with pytest.warns(UserWarning, match="Connecting default labeling editor"):
        project.connect_ontology(made)
    assert project.ontology().uid == made.uid
    assert [each.uid for each in made.projects()] == [project.uid]
    with pytest.raises(exceptions.LabelboxError, match=f"connected to projects: {project.uid}"):
        client.delete_unused_ontology(made.uid)


def test_the_client_lists_validates_and_uses_an_integration(client: Any, served: tuple[Any, Store]) -> None:
    from labelbox.schema.iam_integration import AwsIamIntegrationSettings, IAMIntegration

    made = IAMIntegration.create(client, "Teeth", AwsIamIntegrationSettings())
    organization = client.get_organization()
    (listed,) = organization.get_iam_integrations()
    assert (listed.uid, listed.provider, listed.valid) == (made.uid, "AWS", False)
    assert listed.settings.role_arn is None
    aws.put_role(served[1].conn, ROLE, made.uid)
    made.update(name="Teeth", settings=AwsIamIntegrationSettings(role_arn=ROLE))
    assert made.validate()["valid"]
    made.set_as_default()
    assert organization.get_default_iam_integration().uid == made.uid
    dataset = client.create_dataset(name="teeth")
    assert dataset.iam_integration().uid == made.uid
