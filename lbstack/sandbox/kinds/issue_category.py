"""Issue categories: the words by which a project sorts its issues (API reference 2.1)."""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

from typing import Any

from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.listing import Clause, Table, both
from lbstack.sandbox.roles import MANAGE_PROJECTS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS

TABLES = (
    """CREATE TABLE IF NOT EXISTS issue_categories (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, projectId TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS issue_categories_project ON issue_categories (projectId)",
)


def _visible(context: Context) -> Clause:
    projects = both(Clause("deleted = 0"), PROJECTS.visible(context))
    return Clause(f"projectId IN (SELECT id FROM projects WHERE {projects.sql})", projects.params)


CATEGORIES = Table("issue_categories", "IssueCategory", visible=_visible)

SDL = """
type IssueCategory { id: ID!, name: String!, description: String! }
input CreateIssueCategoryInput { projectId: ID!, name: String!, description: String! }
input EditIssueCategoryInput { name: String!, description: String! }
extend type Project { issueCategories: [IssueCategory!]! @listSize(assumedSize: 10) }
extend type Mutation {
  createIssueCategory(data: CreateIssueCategoryInput!): IssueCategory
  editIssueCategory(where: WhereUniqueIdInput!, data: EditIssueCategoryInput!): IssueCategory
  deleteIssueCategory(where: WhereUniqueIdInput!): Boolean
}
"""


@mutation("createIssueCategory", MANAGE_PROJECTS)
def _create(_: Any, info: Info, data: Row) -> Row:
    project = info.context.find(PROJECTS, data["projectId"])
    return info.context.create(CATEGORIES, {**_told(data), "projectId": project["id"]})


@mutation("editIssueCategory", MANAGE_PROJECTS)
def _edit(_: Any, info: Info, where: Row, data: Row) -> Row:
    category = info.context.find(CATEGORIES, where["id"])
    return info.context.change(CATEGORIES, category["id"], _told(data))


def _told(data: Row) -> Row:
    malformed_if(not data["name"].strip(), "The name of an issue category must not be empty")
    return {"name": data["name"], "description": data["description"]}


@mutation("deleteIssueCategory", MANAGE_PROJECTS)
def _delete(_: Any, info: Info, where: Row) -> bool:
    """Delete a category; its issues have none then."""
    context = info.context
    category = context.find(CATEGORIES, where["id"])
    context.touch(category["id"])
    context.store.run("UPDATE issues SET categoryId = NULL WHERE categoryId = ?", [category["id"]])
    context.store.run("DELETE FROM issue_categories WHERE id = ?", [category["id"]])
    return True


def _categories(project: Row, info: Info) -> list[Row]:
    return info.context.page(CATEGORIES, among=Clause("projectId = ?", [project["id"]]), order="place")


KIND = Kind(
    "issue_category",
    SDL,
    TABLES,
    {
        "Project": {"issueCategories": _categories},
        "Mutation": {
            "createIssueCategory": _create,
            "editIssueCategory": _edit,
            "deleteIssueCategory": _delete,
        },
    },
)
