"""IAM integrations: how Labelbox reads a bucket of yours, on AWS, Google Cloud or Azure.

On AWS a set-up has two phases: the integration's id is the external id that a role must demand,
so it is created first and learns the role's ARN later. API reference 1.2 (operations, no delete),
6.3 (what may change).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from lbstack.errors import ChecksFailed
from lbstack.kinds.contract import Ask, Fields, Kind, Live, Reading, Search, Tracked, Work
from lbstack.kinds.fields import Immutable, LowerCase, Spec, Text
from lbstack.kinds.marks import marked, marker_of_name, sighting, unmarked, updated
from lbstack.kinds.reading import settle
from lbstack.values import Ref

CREATE_AWS = """mutation CreateAwsIntegration($data: AwsIamIntegrationCreateInput!) {
  createAwsIamIntegration(data: $data) { id }
}"""
CREATE_GCP = """mutation CreateGcpIntegration($data: GcpIamIntegrationCreateInput!) {
  createGcpIamIntegration(data: $data) { id }
}"""
CREATE_AZURE = """mutation CreateAzureIntegration($data: AzureIamIntegrationCreateInput!) {
  createAzureIamIntegration(data: $data) { id }
}"""
UPDATE_AWS = """mutation UpdateAwsIntegration(
  $data: AwsIamIntegrationUpdateInput!, $where: WhereUniqueIdInput!
) {
  updateAwsIamIntegration(data: $data, where: $where) { id }
}"""
UPDATE_GCP = """mutation UpdateGcpIntegration(
  $data: GcpIamIntegrationUpdateInput!, $where: WhereUniqueIdInput!
) {
  updateGcpIamIntegration(data: $data, where: $where) { id }
}"""
UPDATE_AZURE = """mutation UpdateAzureIntegration(
  $data: AzureIamIntegrationUpdateInput!, $where: WhereUniqueIdInput!
) {
  updateAzureIamIntegration(data: $data, where: $where) { id }
}"""
GIVEN = """query ReadIntegrations {
  iamIntegrations {
    id settings { __typename ... on GcpIamIntegrationSettings { serviceAccountEmailId } }
  }
}"""
VALIDATE = """mutation ValidateIntegration($where: WhereUniqueIdInput!) {
  validateIamIntegration(where: $where) { valid checks { name success message } }
}"""
SELECTION = """id name provider valid updatedAt settings {
  __typename
  ... on AwsIamIntegrationSettings { roleArn readBucket }
  ... on GcpIamIntegrationSettings { serviceAccountEmailId readBucket }
  ... on AzureIamIntegrationSettings { readContainerUrl tenantId }
}"""

AWS_ACCOUNT = "340636424752"
"""Labelbox's own AWS account, which a role must trust (API reference 1.2)."""

INPUTS = {
    "aws": {"name": "name", "role_arn": "roleArn", "read_bucket": "readBucket"},
    "gcp": {"name": "name", "read_bucket": "readBucket"},
    "azure": {"name": "name", "read_container_url": "readContainerUrl", "tenant_id": "tenantId"},
}
"""The fields of each provider, as the spec and as the service spell them."""

SETS = {"aws": ("external_id", "aws_account"), "gcp": ("service_account",)}
"""What the service sets, by provider."""

REQUIRED = {"aws": (), "gcp": ("read_bucket",), "azure": ("read_container_url", "tenant_id")}
CREATE = {"aws": CREATE_AWS, "gcp": CREATE_GCP, "azure": CREATE_AZURE}
UPDATE = {"aws": UPDATE_AWS, "gcp": UPDATE_GCP, "azure": UPDATE_AZURE}

ROLE_ARN = re.compile(r"arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/[\x21-\x7e]+")


class IntegrationSpec(Spec):
    """Delegated access to a bucket."""

    provider: Annotated[Literal["aws", "gcp", "azure"], Immutable(), LowerCase] = Field(
        description="Where the bucket is"
    )
    name: Text = Field(description="Shown in Labelbox")
    role_arn: Text | None = Field(
        None, description="aws: the role that reads the bucket; null until it exists"
    )
    read_bucket: Text | None = Field(None, description="aws (optional), gcp: the bucket's name")
    read_container_url: Text | None = Field(None, description="azure: the container's URL")
    tenant_id: Text | None = Field(None, description="azure: the tenant of the container")


class Integration(Kind):
    """Cannot be deleted; validated until it is valid, as soon as there is something to validate."""

    name, plural, Spec = "integration", "integrations", IntegrationSpec
    computed = ("external_id", "service_account", "aws_account")
    deletable = False
    kept = "Labelbox has no delete for integrations; it stays in the workspace."
    lost = "another gets another id, which on AWS is the external id that the role must demand"

    def wanted(self, key: str, spec: BaseModel) -> Fields:
        want = super().wanted(key, spec)
        want.update({name: None for name, value in want.items() if value == ""})
        provider = str(want["provider"])
        missing = [name for name in ("name", *REQUIRED[provider]) if want.get(name) is None]
        if missing:
            raise ValueError(f"provider {provider} needs {' and '.join(missing)}")
        # Nobody writes `valid`: it is wanted as soon as there is something to validate, so that an
        # integration which is not valid is a change until its validation passes.
        if provider != "aws" or want.get("role_arn") is not None:
            want["valid"] = True
        return want

    def check(self, key: str, want: Fields, find: Callable[[Ref], Fields | None]) -> list[tuple[str, str]]:
        if "provider" not in want:
            return []
        fields = {name for names in INPUTS.values() for name in names} - {*INPUTS[want["provider"]]}
        found = [
            (name, f"{name} is no field of provider {want['provider']}") for name in want if name in fields
        ]
        arn = want.get("role_arn")
        if want["provider"] == "aws" and isinstance(arn, str) and not ROLE_ARN.fullmatch(arn):
            found.append(("role_arn", "role_arn should look like arn:aws:iam::123456789012:role/NAME"))
        return found

    def sets(self, want: Fields) -> tuple[str, ...]:
        return SETS.get(str(want.get("provider")), ())

    def awaiting(self, attributes: Fields) -> str | None:
        if attributes.get("provider") != "aws" or attributes.get("role_arn"):
            return None
        return (
            f"a role that trusts AWS account {AWS_ACCOUNT} with external id "
            f"{attributes.get('external_id')}: make one, then set role_arn."
        )

    def read(self, tracked: Sequence[Tracked]) -> Reading:
        # There is no read by id. The one list is whole, for it has no pages: what it does not show in two
        # looks is not there, and nothing is ever deleted or made anew on that ground (`deletable`).
        raw: dict[str, dict[str, Any] | None] = dict.fromkeys(item.id for item in tracked if item.id)
        for later in (False, True):
            (reply,) = yield [Ask(f"iamIntegrations {{ {SELECTION} }}", cost=50, later=later)]
            raw.update({node["id"]: node for node in reply.data})
            if None not in raw.values():
                break
        return settle(tracked, raw, _live)

    def natural(self, key: str, want: Fields) -> Fields:
        return {"name": want["name"], "provider": want["provider"]}

    def search(self, since: str | None, lost: bool) -> Search:
        (reply,) = yield [Ask("iamIntegrations { id name provider createdAt }", cost=50)]
        return [sighting(node, marker_of_name(node["name"]), _natural(node)) for node in reply.data]

    async def create(self, work: Work, want: Fields) -> Fields:
        provider = want["provider"]
        data = _data(provider, want)
        named = {**data, "name": marked(want["name"], work.marker)}
        (made,) = (await work.wire.mutate(CREATE[provider], data=named)).values()
        id = made["id"]
        work.made(id, **{name: value for name, value in want.items() if name not in ("name", "valid")})
        await work.wire.mutate(UPDATE[provider], data=data, where={"id": id})
        given = await _told(work, provider, id)
        work.did("name", **given)
        if want.get("valid"):
            await _validate(work, id, {**want, **given})
        if phrase := self.awaiting({**want, **given}):
            work.say(f"awaiting {phrase}")
        return given

    async def update(self, work: Work, id: str, have: Fields, want: Fields, changed: set[str]) -> Fields:
        provider, now = have["provider"], {**have, **want}
        settings = changed & set(INPUTS[provider])
        if settings:
            # The update sets every field: one that is not managed is sent back as it is (API reference 1.2).
            await work.wire.mutate(UPDATE[provider], data=_data(provider, now), where={"id": id})
            # What it was validated for is no more, so it is valid only once it is validated anew.
            work.did(*settings, **({"valid": False} if settings - {"name"} else {}))
        if want.get("valid") and changed - {"name"}:
            await _validate(work, id, now)
        return {}


def _data(provider: str, fields: Fields) -> dict[str, Any]:
    """The input of a create or an update; an ARN that is not there is sent as the service's client does."""
    data = {told: fields.get(name) for name, told in INPUTS[provider].items()}
    return {**data, "roleArn": data["roleArn"] or ""} if provider == "aws" else data


def _given(provider: str, id: str, settings: dict[str, Any] | None) -> Fields:
    """What the service set: who comes to read the bucket, and how it proves that."""
    known = {
        "external_id": id,
        "aws_account": AWS_ACCOUNT,
        "service_account": (settings or {}).get("serviceAccountEmailId"),
    }
    return {name: known[name] for name in SETS.get(provider, ())}


async def _told(work: Work, provider: str, id: str) -> Fields:
    """What the service set for an integration that was just made."""
    if provider != "gcp":  # all of it is known by the id
        return _given(provider, id, None)
    nodes = (await work.wire.query(GIVEN))["iamIntegrations"]
    return _given(provider, id, next((node["settings"] for node in nodes if node["id"] == id), None))


def _natural(node: dict[str, Any]) -> Fields:
    return {"name": unmarked(node["name"]), "provider": node["provider"].lower()}


def _live(node: dict[str, Any]) -> Live:
    provider, settings = node["provider"].lower(), node["settings"] or {}
    return Live(
        node["id"],
        {
            "provider": provider,
            "name": node["name"],
            **{name: settings.get(told) or None for name, told in INPUTS[provider].items() if name != "name"},
            "valid": node["valid"],
            **_given(provider, node["id"], settings),
        },
        updated=updated(node),
    )


async def _validate(work: Work, id: str, now: Fields) -> None:
    outcome = (await work.wire.mutate(VALIDATE, where={"id": id}))["validateIamIntegration"]
    if outcome["valid"]:
        return
    failed = [(check["name"], check["message"] or "") for check in outcome["checks"] if not check["success"]]
    raise ChecksFailed(str(work.address), failed, _advice(now))


def _advice(now: Fields) -> str:
    """What to do on the other side of the integration."""
    if now["provider"] == "aws":
        need = f"let the role trust AWS account {AWS_ACCOUNT} with external id {now['external_id']}"
    elif now["provider"] == "gcp":
        need = f"let {now['service_account']} read bucket {now['read_bucket']}"
    else:
        need = f"let Labelbox read {now['read_container_url']}"
    return f"{need}, then run apply again"
