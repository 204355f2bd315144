"""Issues: what people find wrong with a data row or its label, and say about it (API reference 1.11, 2.1).

As in the service, a list of issues holds those that are about a label; the others are read by id, and are in
the file of all issues.
"""

# ruff: noqa: S608 - names of tables and columns are the sandbox's own, values are bound

from __future__ import annotations

import json
from typing import Any

from lbstack.sandbox import files, workflow
from lbstack.sandbox.context import Context, Info, by_id, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import NotAuthorizedError, NotFoundError, malformed_if
from lbstack.sandbox.kinds.data_row import DATA_ROWS
from lbstack.sandbox.kinds.issue_category import CATEGORIES
from lbstack.sandbox.kinds.label import LABELS
from lbstack.sandbox.listing import PAGE_SIZE, Clause, Table, both, paging_pair
from lbstack.sandbox.roles import LABEL
from lbstack.sandbox.scalars import kept
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS, USERS

TABLES = (
    """CREATE TABLE IF NOT EXISTS issues (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, projectId TEXT NOT NULL, dataRowId TEXT NOT NULL, labelId TEXT,
        categoryId TEXT, number INTEGER NOT NULL, content TEXT NOT NULL, position TEXT, status TEXT NOT NULL,
        resolvedById TEXT, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL, resolvedAt TEXT,
        contentUpdatedAt TEXT, latestReplyAt TEXT, UNIQUE (projectId, number))""",
    "CREATE INDEX IF NOT EXISTS issues_data_row ON issues (dataRowId)",
    """CREATE TABLE IF NOT EXISTS issue_comments (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        createdById TEXT NOT NULL, issueId TEXT NOT NULL, content TEXT NOT NULL, createdAt TEXT NOT NULL,
        updatedAt TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS issue_comments_issue ON issue_comments (issueId)",
    # An issue goes with its data row, whoever deletes that, and its comments with it.
    """CREATE TRIGGER IF NOT EXISTS row_with_issues_is_gone AFTER DELETE ON data_rows BEGIN
        DELETE FROM issues WHERE dataRowId = OLD.id; END""",
    """CREATE TRIGGER IF NOT EXISTS issue_is_gone AFTER DELETE ON issues BEGIN
        DELETE FROM issue_comments WHERE issueId = OLD.id; END""",
)


def _of_visible_projects(context: Context) -> Clause:
    projects = both(Clause("deleted = 0"), PROJECTS.visible(context))
    return Clause(f"projectId IN (SELECT id FROM projects WHERE {projects.sql})", projects.params)


def _of_visible_issues(context: Context) -> Clause:
    issues = _of_visible_projects(context)
    return Clause(f"issueId IN (SELECT id FROM issues WHERE {issues.sql})", issues.params)


ISSUES = Table("issues", "Issue", visible=_of_visible_projects)
COMMENTS = Table("issue_comments", "Comment", visible=_of_visible_issues)

_MOST_TEXT = 10_000  # characters

SDL = """
enum IssueStatus { Open Resolved }
enum IssueType { Issue }
type Issue {
  id: ID!
  friendlyId: String!
  labelId: ID
  dataRowId: ID
  categoryId: ID
  content: String!
  position: Json
  status: IssueStatus!
  createdBy: User
  resolvedBy: User
  createdAt: DateTime!
  updatedAt: DateTime!
  resolvedAt: DateTime
  contentUpdatedAt: DateTime
  latestReplyAt: DateTime
  comments: [Comment!]! @listSize(assumedSize: 10)
}
type Comment { id: ID!, content: String!, createdBy: User, createdAt: DateTime!, updatedAt: DateTime! }
type IssuePage { nodes: [Issue!]!, nextCursor: ID, totalCount: Int! }
input ProjectIssueInput {
  type: IssueType
  status: IssueStatus
  dataRow: WhereUniqueIdInput
  categoryId: ID
  createdByIds: [ID!]
  content: String
}
input IssueExportWhereInput { status: IssueStatus }
input CreateIssueInput {
  type: IssueType
  content: String!
  projectId: ID!
  dataRowId: ID!
  labelId: ID
  categoryId: ID
  position: Json
}
input UpdateIssueInput { content: String, categoryId: ID, position: Json, labelId: ID }
input DeleteIssueInput { issueIds: [ID!]! }
input CreateCommentInput { content: String!, issueId: ID! }
input UpdateCommentInput { content: String! }
extend type Query { issue(where: WhereUniqueIdInput!): Issue }
extend type Project {
  issues(where: ProjectIssueInput, after: ID, first: PageSize): IssuePage
  issueExportUrl(where: IssueExportWhereInput): String
}
extend type Mutation {
  createIssue(data: CreateIssueInput!): Issue
  updateIssue(where: WhereUniqueIdInput!, data: UpdateIssueInput!): Issue
  resolveIssue(where: WhereUniqueIdInput!): Issue
  openIssue(where: WhereUniqueIdInput!): Issue
  deleteIssue(data: DeleteIssueInput!): Boolean
  createComment(data: CreateCommentInput!): Comment
  updateComment(where: WhereUniqueIdInput!, data: UpdateCommentInput!): Comment
  deleteComment(where: WhereUniqueIdInput!): Boolean
}
"""


@mutation("createIssue", LABEL)
def _create(_: Any, info: Info, data: Row) -> Row:
    context = info.context
    project = context.find(PROJECTS, data["projectId"])
    data_row = context.find(DATA_ROWS, data["dataRowId"])
    held = workflow.holds(context, project["id"], data_row)
    malformed_if(not held, f"Data row {data_row['id']} is not part of project {project['id']}")
    sql = "SELECT coalesce(max(number), 0) + 1 FROM issues WHERE projectId = ?"
    row = {"projectId": project["id"], "dataRowId": data_row["id"], "status": "Open"}
    row |= {"number": context.store.value(sql, [project["id"]])}
    told = _told(context, project["id"], data_row["id"], data)
    return context.find(ISSUES, context.create(ISSUES, {**row, **told})["id"])


def _told(context: Context, project: str, data_row: str, data: Row) -> Row:
    """Return what an issue's input says, as columns; its label and category must be of the same project."""
    told: Row = {}
    if data.get("content") is not None:
        told["content"] = _text(data["content"])
    if data.get("labelId") is not None:
        label = context.find(LABELS, data["labelId"])
        same = (label["projectId"], label["dataRowId"]) == (project, data_row)
        malformed_if(not same, f"Label {label['id']} is of another data row or project")
        told["labelId"] = label["id"]
    if data.get("categoryId") is not None:
        category = context.find(CATEGORIES, data["categoryId"])
        malformed_if(category["projectId"] != project, f"Category {category['id']} is of another project")
        told["categoryId"] = category["id"]
    if data.get("position") is not None:
        told["position"] = kept(data["position"], "position")
    return told


def _text(content: str) -> str:
    malformed_if(not content.strip(), "content must not be empty")
    malformed_if(len(content) > _MOST_TEXT, f"content must not exceed {_MOST_TEXT} characters")
    return content


@mutation("updateIssue", LABEL)
def _update(_: Any, info: Info, where: Row, data: Row) -> Row:
    context = info.context
    issue = context.find(ISSUES, where["id"])
    told = _told(context, issue["projectId"], issue["dataRowId"], data)
    if "content" in told:
        told["contentUpdatedAt"] = context.now()
    return context.change(ISSUES, issue["id"], told)


@mutation("resolveIssue", LABEL)
def _resolve(_: Any, info: Info, where: Row) -> Row:
    context = info.context
    told = {"status": "Resolved", "resolvedById": context.user["id"], "resolvedAt": context.now()}
    return context.change(ISSUES, context.find(ISSUES, where["id"])["id"], told)


@mutation("openIssue", LABEL)
def _open(_: Any, info: Info, where: Row) -> Row:
    told = {"status": "Open", "resolvedById": None, "resolvedAt": None}
    return info.context.change(ISSUES, info.context.find(ISSUES, where["id"])["id"], told)


@mutation("deleteIssue", LABEL)
def _delete(_: Any, info: Info, data: Row) -> bool:
    """Delete issues of one's own: one of somebody else's fails all; what does not exist is passed over."""
    context = info.context
    for ident in dict.fromkeys(data["issueIds"]):
        try:
            issue = context.find(ISSUES, ident)
        except NotFoundError:
            continue
        _own(context, issue)
        _gone(context, ISSUES, issue)
    return True


def _own(context: Context, row: Row) -> None:
    if row["createdById"] != context.user["id"]:
        raise NotAuthorizedError("Only who wrote it may change or delete it")


def _gone(context: Context, table: Table, row: Row) -> None:
    context.touch(row["id"])
    context.store.run(f"DELETE FROM {table.name} WHERE id = ?", [row["id"]])


@mutation("createComment", LABEL)
def _comment(_: Any, info: Info, data: Row) -> Row:
    context = info.context
    issue = context.find(ISSUES, data["issueId"])
    context.change(ISSUES, issue["id"], {"latestReplyAt": context.now()})
    return context.create(COMMENTS, {"issueId": issue["id"], "content": _text(data["content"])})


@mutation("updateComment", LABEL)
def _edit_comment(_: Any, info: Info, where: Row, data: Row) -> Row:
    comment = info.context.find(COMMENTS, where["id"])
    _own(info.context, comment)
    return info.context.change(COMMENTS, comment["id"], {"content": _text(data["content"])})


@mutation("deleteComment", LABEL)
def _delete_comment(_: Any, info: Info, where: Row) -> bool:
    comment = info.context.find(COMMENTS, where["id"])
    _own(info.context, comment)
    _gone(info.context, COMMENTS, comment)
    return True


def _issues(
    project: Row, info: Info, where: Row | None = None, after: str | None = None, first: int | None = None
) -> Row:
    context, size = info.context, PAGE_SIZE if first is None else first
    among = both(
        Clause("projectId = ?", [project["id"]]), Clause("labelId IS NOT NULL"), *_wanted(where or {})
    )
    sql = f"SELECT count(*) FROM issues WHERE {among.sql}"
    total = context.store.value(sql, among.params)
    if after:
        among = both(among, Clause("place > ?", [context.find(ISSUES, after)["place"]]))
    rows = context.page(ISSUES, first=size + 1, among=among, order="place")
    nodes, cursor = paging_pair(rows, size)
    return {"nodes": nodes, "nextCursor": cursor, "totalCount": total}


def _wanted(where: Row) -> list[Clause]:
    columns = {"status": where.get("status"), "categoryId": where.get("categoryId")}
    columns["dataRowId"] = (where.get("dataRow") or {}).get("id")
    clauses = [Clause(f"{name} = ?", [value]) for name, value in columns.items() if value is not None]
    if where.get("createdByIds") is not None:
        told = json.dumps(where["createdByIds"])
        clauses.append(Clause("createdById IN (SELECT value FROM json_each(?))", [told]))
    if where.get("content") is not None:
        clauses.append(Clause("instr(lower(content), lower(?)) > 0", [where["content"]]))
    return clauses


def _export_url(project: Row, info: Info, where: Row | None = None) -> str:
    """Write a file of a project's issues, with what was said about each, and return its URL."""
    context, status = info.context, (where or {}).get("status")
    sql = "SELECT * FROM issues WHERE projectId = ? AND (? IS NULL OR status = ?) ORDER BY place"
    rows = context.store.rows(sql, [project["id"], status, status])
    content = json.dumps([_printed(context, row) for row in rows]).encode()
    with context.writing("issueExportUrl", {"project": project["id"], "status": status}):
        return files.save(context, f"issues-{project['id']}.json", content, "application/json")


def _printed(context: Context, issue: Row) -> Row:
    names = ("id", "content", "status", "createdAt", "updatedAt", "resolvedAt", "dataRowId", "labelId")
    told = {name: issue[name] for name in (*names, "categoryId")}
    comments = [{key: row[key] for key in ("id", "content", "createdAt")} for row in _replies(context, issue)]
    return {**told, "friendlyId": _friendly(issue), "position": _position(issue), "comments": comments}


def _friendly(issue: Row, _: Any = None) -> str:
    return f"#{issue['number']}"


def _position(issue: Row, _: Any = None) -> Any:
    return issue["position"] and json.loads(issue["position"])


def _replies(context: Context, issue: Row) -> list[Row]:
    sql = "SELECT * FROM issue_comments WHERE issueId = ? ORDER BY place"
    return context.store.rows(sql, [issue["id"]])


KIND = Kind(
    "issue",
    SDL,
    TABLES,
    {
        "Query": {"issue": by_id(ISSUES)},
        "Project": {"issues": _issues, "issueExportUrl": _export_url},
        "Issue": {
            "friendlyId": _friendly,
            "position": _position,
            "comments": lambda issue, info: _replies(info.context, issue),
            "createdBy": to_one(USERS, "createdById"),
            "resolvedBy": to_one(USERS, "resolvedById"),
        },
        "Comment": {"createdBy": to_one(USERS, "createdById")},
        "Mutation": {
            "createIssue": _create,
            "updateIssue": _update,
            "resolveIssue": _resolve,
            "openIssue": _open,
            "deleteIssue": _delete,
            "createComment": _comment,
            "updateComment": _edit_comment,
            "deleteComment": _delete_comment,
        },
    },
)
