"""IAM integrations: delegated access to somebody's bucket (API reference 1.2 and 6.3).

An integration's id is its AWS External ID. It is created without a role, the role is made to demand the
id, then the integration learns the role's ARN and is validated. What it was validated for must not change
unnoticed: a new role, bucket or tenant makes it not valid until it is validated again. There is no delete.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import re
from typing import Any

from lbstack.sandbox import aws
from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import MalformedError, NotAllowedError, malformed_if
from lbstack.sandbox.judge import Check, Integration, judge_dataset, judge_integration
from lbstack.sandbox.listing import ALL, Clause, Table, both
from lbstack.sandbox.roles import MANAGE_INTEGRATIONS, VIEW_WORKSPACE
from lbstack.sandbox.store import Row


def _visible(context: Context) -> Clause:
    return ALL if context.may(VIEW_WORKSPACE) else Clause("0")


INTEGRATIONS = Table("iam_integrations", "IAMIntegration", visible=_visible)

_SETTINGS = {
    "AWS": ("AwsIamIntegrationSettings", ("roleArn", "readBucket")),
    "GCP": ("GcpIamIntegrationSettings", ("serviceAccountEmailId", "readBucket")),
    "Azure": ("AzureIamIntegrationSettings", ("readContainerUrl", "tenantId")),
}
_OPTIONAL = {"roleArn"}  # and an AWS integration's readBucket
_ROLE_ARN = re.compile(r"arn:aws(-[a-z-]+)?:iam::\d+:role/[\x21-\x7e]+", re.ASCII)
_URL = re.compile(r"https://[^\s/]+/\S+")

_TABLES = (
    """CREATE TABLE IF NOT EXISTS iam_integrations (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL, name TEXT NOT NULL, provider TEXT NOT NULL,
        valid INTEGER NOT NULL DEFAULT 0, lastValidAt TEXT, isOrgDefault INTEGER NOT NULL DEFAULT 0,
        roleArn TEXT, readBucket TEXT, serviceAccountEmailId TEXT, readContainerUrl TEXT, tenantId TEXT)""",
    *aws.TABLES,
)

_SDL = """
type IAMIntegration {
  id: ID!
  name: String!
  provider: String!
  valid: Boolean!
  lastValidAt: DateTime
  isOrgDefault: Boolean!
  createdAt: DateTime!
  updatedAt: DateTime!
  settings: IamIntegrationSettings
}
union IamIntegrationSettings =
  AwsIamIntegrationSettings | GcpIamIntegrationSettings | AzureIamIntegrationSettings
type AwsIamIntegrationSettings { roleArn: String readBucket: String }
type GcpIamIntegrationSettings { serviceAccountEmailId: String readBucket: String }
type AzureIamIntegrationSettings { readContainerUrl: String tenantId: String }
type IamIntegrationValidation {
  valid: Boolean!
  checks: [IamIntegrationValidationCheck!]! @listSize(assumedSize: 5)
}
type IamIntegrationValidationCheck {
  name: IamIntegrationValidationCheckName!
  success: Boolean!
  message: String
}
enum IamIntegrationValidationCheckName {
  AWSAssumeRole AWSExternalID AWSReadBucket AWSBucketExists GCPReadBucket AzureReadBucket
}
input AwsIamIntegrationCreateInput { name: String! roleArn: String readBucket: String }
input AwsIamIntegrationUpdateInput { name: String roleArn: String readBucket: String }
input GcpIamIntegrationCreateInput { name: String! readBucket: String! }
input GcpIamIntegrationUpdateInput { name: String readBucket: String }
input AzureIamIntegrationCreateInput { name: String! readContainerUrl: String! tenantId: String! }
input AzureIamIntegrationUpdateInput { name: String readContainerUrl: String tenantId: String }
extend type Query {
  iamIntegrations: [IAMIntegration!]! @listSize(assumedSize: 20)
}
extend type Mutation {
  createAwsIamIntegration(data: AwsIamIntegrationCreateInput!): IAMIntegration
  createGcpIamIntegration(data: GcpIamIntegrationCreateInput!): IAMIntegration
  createAzureIamIntegration(data: AzureIamIntegrationCreateInput!): IAMIntegration
  updateAwsIamIntegration(data: AwsIamIntegrationUpdateInput!, where: WhereUniqueIdInput!): IAMIntegration
  updateGcpIamIntegration(data: GcpIamIntegrationUpdateInput!, where: WhereUniqueIdInput!): IAMIntegration
  updateAzureIamIntegration(data: AzureIamIntegrationUpdateInput!, where: WhereUniqueIdInput!): IAMIntegration
  validateIamIntegration(where: WhereUniqueIdInput!): IamIntegrationValidation
  setDefaultIamIntegration(where: WhereUniqueIdInput!): IAMIntegration
}
"""


def facts(row: Row) -> Integration:
    """What the judge needs to know of an integration."""
    reader = row["roleArn"] or row["serviceAccountEmailId"] or row["tenantId"]
    return Integration(row["id"], row["provider"], reader, row["readBucket"] or row["readContainerUrl"])


def require_valid_signer(context: Context, ident: str) -> Row:
    """Return the integration that is to sign a dataset's URLs, or refuse.

    Whether the service takes one that is not valid is unconfirmed; the vendor's client never offers one
    (API reference 1.1), so it is refused with OPERATION_NOT_ALLOWED.
    """
    row = context.find(INTEGRATIONS, ident)
    if not row["valid"]:
        raise NotAllowedError(f"IAM integration {ident} is not valid: validate it before it signs a dataset")
    return row


def judge_signed(context: Context, dataset: str, signer_id: str | None, urls: list[str]) -> list[Check]:
    """The checks of ``validateDataset``: the signer as it is now, then the URLs of the dataset's rows."""
    signer = context.related(INTEGRATIONS, signer_id)
    return judge_dataset(context.store.conn, dataset, facts(signer) if signer else None, urls)


def _list(_: Any, info: Info) -> list[Row]:
    context: Context = info.context
    mine = both(Clause("organizationId = ?", [context.organization_id]), _visible(context))
    sql = f"SELECT * FROM iam_integrations WHERE {mine.sql} ORDER BY rowid"
    return context.store.rows(sql, mine.params)


def _settings(source: Row, _: Info) -> Row:
    typename, keys = _SETTINGS[source["provider"]]
    return {"__typename": typename, **{key: source[key] for key in keys}}


def _create(provider: str) -> Any:
    @mutation(f"create{provider.capitalize()}IamIntegration", needs=MANAGE_INTEGRATIONS)
    def resolve(_: Any, info: Info, data: Row) -> Row:
        context: Context = info.context
        row = _checked(provider, data)
        ident = context.new_id()
        if provider == "GCP":
            row["serviceAccountEmailId"] = f"{ident}@labelbox-delegated.iam.gserviceaccount.com"
        blank = dict.fromkeys(
            ("roleArn", "readBucket", "serviceAccountEmailId", "readContainerUrl", "tenantId")
        )
        state = {"provider": provider, "valid": 0, "lastValidAt": None, "isOrgDefault": 0}
        return context.create(INTEGRATIONS, {**blank, **row, **state, "id": ident})

    return resolve


def _update(provider: str) -> Any:
    @mutation(f"update{provider.capitalize()}IamIntegration", needs=MANAGE_INTEGRATIONS)
    def resolve(_: Any, info: Info, data: Row, where: Row) -> Row:
        context: Context = info.context
        row = context.find(INTEGRATIONS, where["id"])
        malformed_if(row["provider"] != provider, f"IAM integration {row['id']} is of {row['provider']}")
        changes = _checked(provider, data)
        if any(changes[key] != row[key] for key in changes if key != "name"):
            changes["valid"] = 0
        return context.change(INTEGRATIONS, row["id"], changes)

    return resolve


def _checked(provider: str, data: Row) -> Row:
    """The given fields, checked; an empty text means none where none is allowed."""
    row = {}
    for key, value in data.items():
        text = (value or "").strip()
        if not text and key not in _OPTIONAL and (provider, key) != ("AWS", "readBucket"):
            raise MalformedError(f"{key} must not be empty")
        row[key] = (value if key == "name" else text) or None
    arn, url = row.get("roleArn"), row.get("readContainerUrl")
    malformed_if(arn is not None and not _ROLE_ARN.fullmatch(arn), f"roleArn {arn} is not the ARN of a role")
    malformed_if(url is not None and not _URL.fullmatch(url), f"readContainerUrl {url} is not an https URL")
    return row


@mutation("validateIamIntegration", needs=MANAGE_INTEGRATIONS)
def _validate(_: Any, info: Info, where: Row) -> Row:
    context: Context = info.context
    row = context.find(INTEGRATIONS, where["id"])
    checks = judge_integration(context.store.conn, facts(row))
    valid = all(check.success for check in checks)
    context.touch(row["id"])
    # The integration itself is as it was: what a validation finds is no update of it.
    found = {"valid": int(valid)} | ({"lastValidAt": context.now()} if valid else {})
    context.store.update(INTEGRATIONS.name, row["id"], found)
    return {"valid": valid, "checks": [vars(check) for check in checks]}


@mutation("setDefaultIamIntegration", needs=MANAGE_INTEGRATIONS)
def _set_default(_: Any, info: Info, where: Row) -> Row:
    context: Context = info.context
    row = context.find(INTEGRATIONS, where["id"])
    sql = "UPDATE iam_integrations SET isOrgDefault = 0 WHERE organizationId = ?"
    context.store.run(sql, [context.organization_id])
    return context.change(INTEGRATIONS, row["id"], {"isOrgDefault": 1})


KIND = Kind(
    name="integration",
    sdl=_SDL,
    tables=_TABLES,
    resolvers={
        "Query": {"iamIntegrations": _list},
        "Mutation": {
            "createAwsIamIntegration": _create("AWS"),
            "createGcpIamIntegration": _create("GCP"),
            "createAzureIamIntegration": _create("Azure"),
            "updateAwsIamIntegration": _update("AWS"),
            "updateGcpIamIntegration": _update("GCP"),
            "updateAzureIamIntegration": _update("Azure"),
            "validateIamIntegration": _validate,
            "setDefaultIamIntegration": _set_default,
        },
        "IAMIntegration": {"settings": _settings},
    },
)
