"""Resource tags: coloured words on projects (API reference 1.3, 1.5 and 2.1)."""

from __future__ import annotations

import json
import re
from typing import Any

from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.listing import PAGING, Clause, Table
from lbstack.sandbox.roles import MANAGE_PROJECTS
from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS resource_tags (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, text TEXT NOT NULL, color TEXT NOT NULL, createdAt TEXT NOT NULL,
        updatedAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS resource_tags_organization ON resource_tags (organizationId)",
    """CREATE TABLE IF NOT EXISTS project_tags (
        projectId TEXT NOT NULL, tagId TEXT NOT NULL, PRIMARY KEY (projectId, tagId)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS project_tags_tag ON project_tags (tagId)",
)

TAGS = Table("resource_tags", "ResourceTag")

_COLOR = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})", re.ASCII)

SDL = f"""
type ResourceTag {{ id: ID!, text: String!, color: String! }}
type DeletedResourceTag {{ id: ID! }}
input CreateResourceTagInput {{ text: String!, color: String! }}
input DeleteResourceTagInput {{ id: String! }}
input UpdateProjectResourceTagsInput {{ resourceTagIds: [String!] }}
extend type Organization {{ resourceTag({PAGING}): [ResourceTag!] }}
extend type Project {{ resourceTags({PAGING}): [ResourceTag!] }}
extend type ProjectActions {{
  updateProjectResourceTags(input: UpdateProjectResourceTagsInput!): [ResourceTag!] @listSize(assumedSize: 10)
}}
extend type Mutation {{
  createResourceTag(input: CreateResourceTagInput!): ResourceTag
  deleteResourceTag(input: DeleteResourceTagInput!): DeletedResourceTag
}}
"""


@mutation("createResourceTag", MANAGE_PROJECTS)
def _create(_: Any, info: Info, input: Row) -> Row:
    """Make a tag; its colour is kept without the ``#`` (2.1)."""
    malformed_if(not input["text"].strip(), "The text of a resource tag must not be empty")
    color = _COLOR.fullmatch(input["color"])
    malformed_if(color is None, f"Invalid color: {input['color']}")
    row = {"text": input["text"], "color": color[1] if color else ""}
    return info.context.create(TAGS, row)


@mutation("deleteResourceTag", MANAGE_PROJECTS)
def _delete(_: Any, info: Info, input: Row) -> Row:
    context = info.context
    tag = context.find(TAGS, input["id"])
    context.touch(tag["id"])
    context.store.run("DELETE FROM project_tags WHERE tagId = ?", [tag["id"]])
    context.store.run("DELETE FROM resource_tags WHERE id = ?", [tag["id"]])
    return {"id": tag["id"]}


@mutation("project.updateProjectResourceTags", MANAGE_PROJECTS)
def _update(project: Row, info: Info, input: Row) -> list[Row]:
    """Give a project exactly these tags."""
    context = info.context
    tags = [context.find(TAGS, ident) for ident in dict.fromkeys(input.get("resourceTagIds") or ())]
    context.touch(project["id"])
    put_on(context, project["id"], [tag["id"] for tag in tags])
    return tags


def put_on(context: Context, project: str, tags: list[str]) -> None:
    """Let a project have these tags and no others."""
    context.store.run("DELETE FROM project_tags WHERE projectId = ?", [project])
    sql = "INSERT INTO project_tags (projectId, tagId) SELECT ?, value FROM json_each(?)"
    context.store.run(sql, [project, json.dumps(tags)])


def tags_of(context: Context, project: str) -> list[str]:
    """Return the ids of a project's tags."""
    sql = "SELECT tagId FROM project_tags WHERE projectId = ?"
    return [row["tagId"] for row in context.store.rows(sql, [project])]


def _of_organization(_: Row, info: Info, **page: Any) -> list[Row]:
    return info.context.page(TAGS, **page, order="place")


def _of_project(project: Row, info: Info, **page: Any) -> list[Row]:
    among = Clause("id IN (SELECT tagId FROM project_tags WHERE projectId = ?)", [project["id"]])
    return info.context.page(TAGS, **page, among=among, order="place")


KIND = Kind(
    "tag",
    SDL,
    TABLES,
    {
        "Mutation": {"createResourceTag": _create, "deleteResourceTag": _delete},
        "Organization": {"resourceTag": _of_organization},
        "Project": {"resourceTags": _of_project},
        "ProjectActions": {"updateProjectResourceTags": _update},
    },
)
