"""Webhooks: subscriptions of a URL to events of a project or of the organization (API reference 1.6).

The secret is written and never read: it is in no selection. A webhook is not deleted but made
``INACTIVE``, and stays in every list.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from lbstack.sandbox.context import Info, by_id, every, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.kinds.session import the_organization
from lbstack.sandbox.listing import PAGING, Clause, Table
from lbstack.sandbox.roles import MANAGE_WEBHOOKS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS, managers_only

TABLES = (
    """CREATE TABLE IF NOT EXISTS webhooks (
        id TEXT PRIMARY KEY, organizationId TEXT NOT NULL, createdById TEXT NOT NULL, projectId TEXT,
        url TEXT NOT NULL, secret TEXT NOT NULL, topics TEXT NOT NULL, status TEXT NOT NULL,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS webhooks_project ON webhooks (projectId)",
)

_HOST = re.compile(r"[\w.:-]+")  # a name in any alphabet, or an address

WEBHOOKS = Table(
    "webhooks",
    "Webhook",
    {
        "id": "ID", "url": "String", "status": "WebhookStatus", "createdAt": "DateTime",
        "updatedAt": "DateTime",
    },
    {"project": ("projectId", PROJECTS), "createdBy": ("createdById", USERS)},
    visible=managers_only,
)  # fmt: skip

SDL = f"""
enum WebhookTopic {{
  LABEL_CREATED LABEL_UPDATED LABEL_DELETED REVIEW_CREATED REVIEW_UPDATED REVIEW_DELETED WORKFLOW_ACTION
}}
enum WebhookStatus {{ ACTIVE INACTIVE REVOKED }}
type Webhook {{
  id: ID!
  url: String!
  status: WebhookStatus!
  topics: [WebhookTopic!]!
  createdAt: DateTime!
  updatedAt: DateTime!
  project: Project
  organization: Organization!
  createdBy: User
}}
{WEBHOOKS.where_sdl()}
input WebhookTopicsInput {{ set: [WebhookTopic!]! }}
input WebhookCreateInput {{
  project: WhereUniqueIdInput
  topics: WebhookTopicsInput!
  url: String!
  secret: String!
}}
input WebhookUpdateInput {{ topics: WebhookTopicsInput, url: String, status: WebhookStatus }}
extend type Query {{ webhook(where: WhereUniqueIdInput!): Webhook }}
extend type Project {{ webhooks(where: WebhookWhereInput, {PAGING}): [Webhook!] }}
extend type Organization {{ webhooks(where: WebhookWhereInput, {PAGING}): [Webhook!] }}
extend type Mutation {{
  createWebhook(data: WebhookCreateInput!): Webhook
  updateWebhook(where: WhereUniqueIdInput!, data: WebhookUpdateInput!): Webhook
}}
"""


@mutation("createWebhook", MANAGE_WEBHOOKS)
def _create(_: Any, info: Info, data: Row) -> Row:
    """Subscribe; without a project the webhook hears of the whole organization."""
    context = info.context
    project = context.find(PROJECTS, data["project"]["id"])["id"] if data.get("project") else None
    malformed_if(not data["secret"], "Webhook secret must not be empty")
    row = {"projectId": project, "secret": data["secret"], "status": "ACTIVE", **_checked(data)}
    return context.create(WEBHOOKS, row)


@mutation("updateWebhook", MANAGE_WEBHOOKS)
def _update(_: Any, info: Info, where: Row, data: Row) -> Row:
    """Change topics, URL or status; secret and project are no fields of the input (6.3)."""
    context = info.context
    webhook = context.find(WEBHOOKS, where["id"])
    # Silent in the reference: what was revoked stays so, what was made INACTIVE may work again.
    revived = webhook["status"] == "REVOKED" and data.get("status", "REVOKED") != "REVOKED"
    malformed_if(revived, f"Webhook {webhook['id']} was revoked: create another")
    for key, value in data.items():
        malformed_if(value is None, f"{key} must not be null")
    changes = _checked(data) | {key: data[key] for key in ("status",) if key in data}
    return context.change(WEBHOOKS, webhook["id"], changes)


def _checked(data: Row) -> Row:
    changes: Row = {}
    if "url" in data:
        changes["url"] = _url(data["url"])
    if "topics" in data:
        topics = list(dict.fromkeys(data["topics"]["set"]))
        malformed_if(not topics, "A webhook needs at least one topic")
        changes["topics"] = json.dumps(topics)
    return changes


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(_HOST.fullmatch(parts.hostname or ""))
        good = good and parts.port != 0  # a port that is none raises
    except ValueError:
        good = False
    malformed_if(
        not good or any(char.isspace() for char in text), f"Webhook url is not a http(s) URL: {text}"
    )
    return text


def _of_project(project: Row, info: Info, **page: Any) -> list[Row]:
    return info.context.page(WEBHOOKS, **page, among=Clause("projectId = ?", [project["id"]]))


KIND = Kind(
    "webhook",
    SDL,
    TABLES,
    {
        "Query": {"webhook": by_id(WEBHOOKS)},
        "Mutation": {"createWebhook": _create, "updateWebhook": _update},
        "Project": {"webhooks": _of_project},
        "Organization": {"webhooks": every(WEBHOOKS)},
        "Webhook": {
            "topics": lambda webhook, _: json.loads(webhook["topics"]),
            "project": to_one(PROJECTS, "projectId"),
            "organization": the_organization,
            "createdBy": to_one(USERS, "createdById"),
        },
    },
)
