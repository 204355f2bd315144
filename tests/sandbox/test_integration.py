"""IAM integrations in the sandbox: created, given a role, validated, set on a dataset."""

from __future__ import annotations

from typing import Any

import pytest
from workspace import Workspace

from lbstack.sandbox import aws
from lbstack.sandbox.roles import BY_NAME

ROLE = "arn:aws:iam::123456789012:role/labelbox"
FIELDS = """id name provider valid lastValidAt isOrgDefault createdAt updatedAt settings { __typename
  ... on AwsIamIntegrationSettings { roleArn readBucket }
  ... on GcpIamIntegrationSettings { serviceAccountEmailId readBucket }
  ... on AzureIamIntegrationSettings { readContainerUrl tenantId } }"""
LIST = "{ iamIntegrations { %s } }" % FIELDS  # noqa: UP031 - braces
VALIDATE = """mutation ($where: WhereUniqueIdInput!) {
  validateIamIntegration(where: $where) { valid checks { name success message } } }"""
SET_SIGNER = """mutation ($signerId: ID!, $datasetId: ID!) {
  setSignerForDataset(data: {signerId: $signerId}, where: {id: $datasetId}) { id signer { id } } }"""


@pytest.fixture
def workspace() -> Workspace:
    return Workspace.fresh()


def create(workspace: Workspace, provider: str = "Aws", **data: Any) -> Any:
    document = "mutation ($data: %sIamIntegrationCreateInput!) { create%sIamIntegration(data: $data) { %s } }"
    return workspace.ask(document % (provider, provider, FIELDS), data={"name": "Teeth", **data})


def update(provider: str = "Aws") -> str:
    document = """mutation ($data: %sIamIntegrationUpdateInput!, $where: WhereUniqueIdInput!) {
      update%sIamIntegration(data: $data, where: $where) { id } }"""
    return document % (provider, provider)


def read(workspace: Workspace, ident: str) -> Any:
    return next(each for each in workspace.ask(LIST) if each["id"] == ident)


def validate(workspace: Workspace, ident: str) -> Any:
    return workspace.ask(VALIDATE, where={"id": ident})


def valid_integration(workspace: Workspace, **role: Any) -> str:
    ident = str(create(workspace, roleArn=ROLE)["id"])
    aws.put_role(workspace.store.conn, ROLE, ident, **role)
    assert validate(workspace, ident)["valid"]
    return ident


def test_an_integration_is_created_without_a_role_and_is_not_valid(workspace: Workspace) -> None:
    made = create(workspace, roleArn="", readBucket=None)
    assert made["settings"] == {
        "__typename": "AwsIamIntegrationSettings",
        "roleArn": None,
        "readBucket": None,
    }
    assert (made["provider"], made["valid"], made["lastValidAt"], made["isOrgDefault"]) == (
        "AWS", False, None, False,
    )  # fmt: skip
    assert len(made["id"]) == 25


def test_two_integrations_may_bear_one_name(workspace: Workspace) -> None:
    first, second = create(workspace), create(workspace)
    assert [each["id"] for each in workspace.ask(LIST)] == [first["id"], second["id"]]


def test_the_settings_of_each_provider_are_read_back(workspace: Workspace) -> None:
    google = create(workspace, "Gcp", readBucket="teeth")
    azure = create(workspace, "Azure", readContainerUrl="https://t.blob.core.windows.net/raw", tenantId="t-1")
    assert google["provider"] == "GCP"
    assert google["settings"]["readBucket"] == "teeth"
    assert google["settings"]["serviceAccountEmailId"].endswith(".iam.gserviceaccount.com")
    assert azure["provider"] == "Azure"
    assert azure["settings"] == {
        "__typename": "AzureIamIntegrationSettings",
        "readContainerUrl": "https://t.blob.core.windows.net/raw",
        "tenantId": "t-1",
    }


def test_the_two_phases_of_a_set_up_end_in_a_valid_integration(workspace: Workspace) -> None:
    ident = create(workspace)["id"]
    assert not validate(workspace, ident)["valid"]
    aws.put_role(workspace.store.conn, ROLE, ident)
    workspace.ask(update(), data={"name": "Teeth", "roleArn": ROLE, "readBucket": None}, where={"id": ident})
    found = validate(workspace, ident)
    assert found["valid"]
    assert [(check["name"], check["success"]) for check in found["checks"]] == [
        ("AWSAssumeRole", True),
        ("AWSExternalID", True),
    ]
    assert read(workspace, ident)["valid"]
    assert read(workspace, ident)["lastValidAt"] is not None


def test_a_role_that_stops_demanding_the_external_id_makes_the_integration_invalid(
    workspace: Workspace,
) -> None:
    ident = valid_integration(workspace)
    before = read(workspace, ident)["lastValidAt"]
    aws.put_role(workspace.store.conn, ROLE)
    assert not validate(workspace, ident)["valid"]
    assert read(workspace, ident)["valid"] is False
    assert read(workspace, ident)["lastValidAt"] == before


@pytest.mark.parametrize("change", [{"roleArn": ROLE + "2"}, {"roleArn": None}, {"readBucket": "teeth"}])
def test_what_was_validated_cannot_change_and_stay_valid(workspace: Workspace, change: Any) -> None:
    ident = valid_integration(workspace)
    workspace.ask(update(), data=change, where={"id": ident})
    assert read(workspace, ident)["valid"] is False


def test_a_new_name_leaves_an_integration_valid(workspace: Workspace) -> None:
    ident = valid_integration(workspace)
    workspace.ask(update(), data={"name": "Bones", "roleArn": ROLE}, where={"id": ident})
    assert (read(workspace, ident)["name"], read(workspace, ident)["valid"]) == ("Bones", True)


def test_an_update_leaves_alone_what_it_does_not_name_and_clears_what_it_nulls(workspace: Workspace) -> None:
    ident = create(workspace, roleArn=ROLE, readBucket="teeth")["id"]
    workspace.ask(update(), data={"name": "Bones"}, where={"id": ident})
    assert read(workspace, ident)["settings"]["readBucket"] == "teeth"
    workspace.ask(update(), data={"readBucket": None}, where={"id": ident})
    settings = read(workspace, ident)["settings"]
    assert (settings["roleArn"], settings["readBucket"]) == (ROLE, None)


def test_an_integration_is_updated_by_the_mutation_of_its_provider_only(workspace: Workspace) -> None:
    ident = create(workspace)["id"]
    code, _ = workspace.refused(update("Gcp"), data={"name": "Bones"}, where={"id": ident})
    assert code == "MALFORMED_REQUEST"


@pytest.mark.parametrize(
    ("provider", "data"),
    [
        ("Aws", {"name": " "}),
        ("Aws", {"name": None}),
        ("Aws", {"roleArn": "labelbox"}),
        ("Gcp", {"readBucket": ""}),
        ("Azure", {"tenantId": ""}),
        ("Azure", {"readContainerUrl": "raw"}),
    ],
)
def test_values_that_make_no_sense_are_refused(workspace: Workspace, provider: str, data: Any) -> None:
    needed = {
        "Aws": {},
        "Gcp": {"readBucket": "teeth"},
        "Azure": {"readContainerUrl": "https://t.blob.core.windows.net/raw", "tenantId": "t"},
    }
    ident = create(workspace, provider, **needed[provider])["id"]
    code, _ = workspace.refused(update(provider), data=data, where={"id": ident})
    assert code == "MALFORMED_REQUEST"


def test_there_is_no_way_to_delete_an_integration(workspace: Workspace) -> None:
    mutations = workspace.ask("{ __schema { mutationType { fields { name } } } }")["mutationType"]["fields"]
    named = [field["name"] for field in mutations if "IamIntegration" in field["name"]]
    assert named
    assert not [name for name in named if "delete" in name.lower()]


def test_at_most_one_integration_is_the_default(workspace: Workspace) -> None:
    first, second = create(workspace), create(workspace)
    document = "mutation ($where: WhereUniqueIdInput!) { setDefaultIamIntegration(where: $where) { id } }"
    for each in (first, second):
        workspace.ask(document, where={"id": each["id"]})
    assert [each["id"] for each in workspace.ask(LIST) if each["isOrgDefault"]] == [second["id"]]


def test_a_google_integration_is_valid_once_its_bucket_lets_its_service_account_in(
    workspace: Workspace,
) -> None:
    made = create(workspace, "Gcp", readBucket="teeth")
    assert [check["name"] for check in validate(workspace, made["id"])["checks"]] == ["GCPReadBucket"]
    aws.put_gcp_bucket(workspace.store.conn, "teeth", [made["settings"]["serviceAccountEmailId"]])
    assert validate(workspace, made["id"])["valid"]


def test_integrations_of_another_organization_are_not_found(workspace: Workspace) -> None:
    ident = create(workspace)["id"]
    stranger = workspace.stranger()
    assert stranger.ask(LIST) == []
    assert stranger.refused(VALIDATE, where={"id": ident})[0] == "RESOURCE_NOT_FOUND"
    assert stranger.refused(update(), data={"name": "x"}, where={"id": ident})[0] == "RESOURCE_NOT_FOUND"


def test_only_who_manages_integrations_may_create_one_and_only_managers_see_them(
    workspace: Workspace,
) -> None:
    create(workspace)
    labeler = workspace.as_role(BY_NAME["Labeler"].id)
    document = 'mutation { createAwsIamIntegration(data: {name: "x"}) { id } }'
    assert labeler.refused(document)[0] == "AUTHORIZATION_ERROR"
    assert labeler.ask(LIST) == []


def test_the_signer_of_a_dataset_must_be_valid(workspace: Workspace) -> None:
    dataset = workspace.ask('mutation { createDataset(data: {name: "teeth"}) { id } }')["id"]
    ident = create(workspace, roleArn=ROLE)["id"]
    assert workspace.refused(SET_SIGNER, signerId=ident, datasetId=dataset)[0] == "OPERATION_NOT_ALLOWED"
    assert workspace.refused(SET_SIGNER, signerId="c" * 25, datasetId=dataset)[0] == "RESOURCE_NOT_FOUND"
    aws.put_role(workspace.store.conn, ROLE, ident)
    validate(workspace, ident)
    assert workspace.ask(SET_SIGNER, signerId=ident, datasetId=dataset)["signer"] == {"id": ident}


def test_a_dataset_is_validated_against_the_declared_world(workspace: Workspace) -> None:
    dataset = workspace.ask('mutation { createDataset(data: {name: "teeth"}) { id } }')["id"]
    document = """mutation ($id: ID!) {
      validateDataset(where: {id: $id}) { valid checks { name success } } }"""
    assert workspace.ask(document, id=dataset) == {
        "valid": False,
        "checks": [{"name": "DatasetSigner", "success": False}],
    }
    ident = valid_integration(workspace, read_buckets=["teeth"])
    workspace.ask(SET_SIGNER, signerId=ident, datasetId=dataset)
    assert workspace.ask(document, id=dataset)["valid"]
    row = """mutation ($id: ID!) { createDataRow(data: {
      rowData: "s3://teeth/1.png", externalId: "1", dataset: {connect: {id: $id}}}) { id } }"""
    workspace.ask(row, id=dataset)
    assert not workspace.ask(document, id=dataset)["valid"]
    aws.put_bucket(workspace.store.conn, "teeth", [aws.APP_ORIGIN])
    assert workspace.ask(document, id=dataset)["valid"]
