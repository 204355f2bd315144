"""Webhooks: a URL that hears of events in one project, or in the whole organisation.

API reference 1.6 (operations), 2.2 (topics), 6.2 (INACTIVE is how one goes), 6.3 (what may change).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from lbstack.kinds.contract import Ask, Fields, Kind, Live, Reading, Search, Tracked, Work
from lbstack.kinds.fields import (
    Distinct,
    Immutable,
    RefTo,
    SecretText,
    Spec,
    Text,
    Unordered,
    UpperCase,
    WriteOnly,
)
from lbstack.kinds.marks import sighting, updated
from lbstack.kinds.reading import PAGE, by_id_ask, listed_then_by_id, settle, until_short
from lbstack.kinds.urls import is_url, unsafe
from lbstack.values import Ref, Secret, Template

CREATE = """mutation CreateWebhook($topics: [WebhookTopic!]!, $url: String!, $secret: String!) {
  createWebhook(data: {topics: {set: $topics}, url: $url, secret: $secret}) { id }
}"""
CREATE_IN_PROJECT = """mutation CreateProjectWebhook(
  $project: ID!, $topics: [WebhookTopic!]!, $url: String!, $secret: String!
) {
  createWebhook(data: {project: {id: $project}, topics: {set: $topics}, url: $url, secret: $secret}) { id }
}"""
UPDATE = """mutation UpdateWebhook($id: ID!, $topics: [WebhookTopic!]!, $url: String!) {
  updateWebhook(where: {id: $id}, data: {topics: {set: $topics}, url: $url}) { id }
}"""
DELETE = """mutation DeleteWebhook($id: ID!) {
  updateWebhook(where: {id: $id}, data: {status: INACTIVE}) { id }
}"""
LEAST = 16
"""Bytes of a secret below which a signature is no proof: each delivery lets its receiver, and whoever reads
along, try secrets at leisure."""
_ALLOW = "allow_insecure_url: true on this webhook permits that"
_AUTHORITY = re.compile(r"[a-z]+://[^/?#]+[/?#]", re.IGNORECASE)
"""The beginning of a URL, with its host whole."""
SELECTION = "id url status topics updatedAt project { id }"

Topic = Annotated[
    Literal[
        "LABEL_CREATED",
        "LABEL_UPDATED",
        "LABEL_DELETED",
        "REVIEW_CREATED",
        "REVIEW_UPDATED",
        "REVIEW_DELETED",
        "WORKFLOW_ACTION",
    ],
    UpperCase,
]


class WebhookSpec(Spec):
    """A URL that is told of events."""

    project: Annotated[str, RefTo("project"), Immutable()] | None = Field(
        None, description="The project whose events are told; absent or null: the whole organisation"
    )
    allow_insecure_url: Annotated[bool, WriteOnly()] = Field(
        False,
        description="Let `url` be http, or an address of a private network or of this machine; not sent",
    )
    url: Text = Field(description="Where events are posted: https, and a public host")
    topics: Annotated[list[Topic], Unordered(), Distinct] = Field(
        min_length=1, description="The events that are told"
    )
    secret: Annotated[SecretText, Immutable(), WriteOnly()] = Field(
        description="Signs what is posted; another secret makes another webhook"
    )

    @field_validator("url")
    @classmethod
    def _leads_outside(cls, url: Any, info: ValidationInfo) -> Any:
        """Judge where events go. A URL with references in it is judged by its beginning, up to the path."""
        allowed = info.data.get("allow_insecure_url")
        begins = url.parts[0] if isinstance(url, Template) else url
        if isinstance(begins, Ref) or (begins is not url and not _AUTHORITY.match(begins)):
            if allowed is False:
                raise PydanticCustomError("url", "has a host that is known only after apply; " + _ALLOW)
        elif not is_url(begins):
            raise PydanticCustomError("url", "should be an https:// URL")
        elif allowed is False and (why := unsafe(begins)):
            raise PydanticCustomError("url", "{why}; " + _ALLOW, {"why": why})
        return url


class Webhook(Kind):
    """Never deleted, only made INACTIVE; project and secret cannot be changed."""

    name, plural, Spec = "webhook", "webhooks", WebhookSpec
    marks = False

    def wanted(self, key: str, spec: BaseModel) -> Fields:
        want = super().wanted(key, spec)
        want.pop("allow_insecure_url", None)  # the stack's own word, not the service's
        # To leave the project out says something: the whole organisation.
        return {"project": None, **want}

    def unwise(self, want: Fields) -> list[tuple[str, str]]:
        secret = want.get("secret")
        if isinstance(secret, Secret) and len(secret.reveal().encode()) < LEAST:
            return [("secret", f"its secret is shorter than {LEAST} bytes, which can be guessed")]
        return []

    def read(self, tracked: Sequence[Tracked]) -> Reading:
        raw = yield from listed_then_by_id(
            tracked,
            _page,
            lambda data: list(data["webhooks"]),
            lambda id: by_id_ask("webhook", SELECTION, id),
        )
        # INACTIVE and REVOKED webhooks stay in every list; to us they are gone (API reference 6.2).
        alive = {id: node if node and node["status"] == "ACTIVE" else None for id, node in raw.items()}
        return settle(tracked, alive, _live)

    def natural(self, key: str, want: Fields) -> Fields:
        return {"project": want["project"], "url": want["url"], "topics": sorted(want["topics"])}

    def search(self, since: str | None, lost: bool) -> Search:
        found = yield from until_short({"": _made_page}, lambda data: list(data["webhooks"]), "webhooks")
        alive = [node for node in found[""] or [] if node["status"] == "ACTIVE"]
        return [sighting(node, None, _natural(node)) for node in alive]

    async def create(self, work: Work, want: Fields) -> Fields:
        data = {"topics": want["topics"], "url": want["url"], "secret": want["secret"].reveal()}
        if want["project"] is None:
            answer = await work.wire.mutate(CREATE, **data)
        else:
            answer = await work.wire.mutate(CREATE_IN_PROJECT, project=want["project"], **data)
        work.made(answer["createWebhook"]["id"], **want)
        return {}

    async def update(self, work: Work, id: str, have: Fields, want: Fields, changed: set[str]) -> Fields:
        now = {**have, **want}
        await work.wire.mutate(UPDATE, id=id, topics=now["topics"], url=now["url"])
        return {}

    async def delete(self, work: Work, id: str, have: Fields) -> None:
        await work.wire.mutate(DELETE, id=id)


def _page(skip: int) -> Ask:
    text = f"organization {{ webhooks(skip: $skip, first: {PAGE}) {{ {SELECTION} }} }}"
    return Ask(text, {"skip": ("Int!", skip)}, PAGE)


def _made_page(skip: int, first: int) -> Ask:
    selection = f"{SELECTION} createdAt createdBy {{ id }}"
    text = f"organization {{ id webhooks(skip: $skip, first: {first}) {{ {selection} }} }}"
    return Ask(text, {"skip": ("Int!", skip)}, first)


def _natural(node: dict[str, Any]) -> Fields:
    project = (node["project"] or {}).get("id")
    return {"project": project, "url": node["url"], "topics": sorted(node["topics"])}


def _live(node: dict[str, Any]) -> Live:
    project = (node["project"] or {}).get("id")
    told = {"project": project, "url": node["url"], "topics": list(node["topics"])}
    return Live(node["id"], told, updated=updated(node))
