"""Issues, their categories and comments (API reference 1.11, 2.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import NEW_LABEL, labelled
from workspace import Workspace

from lbstack.sandbox.roles import BY_NAME

FIELDS = """id friendlyId labelId dataRowId categoryId content position status createdBy { id }
  resolvedBy { id } createdAt updatedAt resolvedAt contentUpdatedAt latestReplyAt"""
CREATE = f"mutation ($data: CreateIssueInput!) {{ createIssue(data: $data) {{ {FIELDS} }} }}"
UPDATE = f"""mutation ($id: ID!, $data: UpdateIssueInput!) {{
  updateIssue(where: {{id: $id}}, data: $data) {{ {FIELDS} }} }}"""
READ = f"""query ($id: ID!) {{ issue(where: {{id: $id}}) {{ {FIELDS} comments {{ id content }} }} }}"""
LIST = """query ($p: ID!, $where: ProjectIssueInput, $after: ID, $first: PageSize) { project(where: {id: $p}) {
  issues(where: $where, after: $after, first: $first) { nodes { id } nextCursor totalCount } } }"""
DELETE = "mutation ($ids: [ID!]!) { deleteIssue(data: {issueIds: $ids}) }"
CATEGORY = """mutation ($p: ID!, $name: String!) {
  createIssueCategory(data: {projectId: $p, name: $name, description: "d"}) { id name description } }"""
COMMENT = """mutation ($i: ID!, $content: String!) {
  createComment(data: {issueId: $i, content: $content}) { id content createdBy { id } } }"""


def raised(box: Workspace, p: str, row: str, content: str = "wrong", **data: Any) -> Any:
    told = {"type": "Issue", "projectId": p, "dataRowId": row, "content": content, **data}
    return box.ask(CREATE, data=told)


def listed(box: Workspace, p: str, **told: Any) -> list[str]:
    found = box.ask(LIST, p=p, **told)["issues"]
    assert found["totalCount"] >= len(found["nodes"])
    return [each["id"] for each in found["nodes"]]


def test_an_issue_is_raised_changed_resolved_reopened_and_deleted(box: Workspace) -> None:
    p, row, label = labelled(box)
    made = raised(box, p, row, position={"x": 1, "y": 2.5})
    assert (made["friendlyId"], made["status"], made["position"]) == ("#1", "Open", {"x": 1, "y": 2.5})
    changed = box.ask(UPDATE, id=made["id"], data={"content": "worse", "labelId": label})
    assert (changed["content"], changed["labelId"]) == ("worse", label)
    assert changed["contentUpdatedAt"] is not None
    resolve = f"mutation ($id: ID!) {{ resolveIssue(where: {{id: $id}}) {{ {FIELDS} }} }}"
    resolved = box.ask(resolve, id=made["id"])
    assert (resolved["status"], resolved["resolvedBy"]) == ("Resolved", made["createdBy"])
    reopened = box.ask(resolve.replace("resolveIssue", "openIssue"), id=made["id"])
    assert (reopened["status"], reopened["resolvedBy"], reopened["resolvedAt"]) == ("Open", None, None)
    assert box.ask(DELETE, ids=[made["id"], "unknown"]) is True
    assert box.refused(READ, id=made["id"])[0] == "RESOURCE_NOT_FOUND"


def test_only_issues_about_labels_are_listed_and_counted(box: Workspace) -> None:
    p, row, label = labelled(box)
    raised(box, p, row)
    one, two = (raised(box, p, row, content, labelId=label)["id"] for content in ("Blurred", "cut off"))
    assert listed(box, p) == [one, two]
    assert listed(box, p, first=1) == [one]
    assert listed(box, p, first=1, after=one) == [two]
    assert listed(box, p, where={"type": "Issue", "content": "blur"}) == [one]
    assert listed(box, p, where={"status": "Resolved"}) == []
    assert listed(box, p, where={"dataRow": {"id": row}, "createdByIds": ["somebody"]}) == []
    count = "query ($p: ID!) { project(where: {id: $p}) { issues { totalCount } } }"
    assert box.ask(count, p=p) == {"issues": {"totalCount": 2}}


def test_categories_sort_the_issues_of_one_project(box: Workspace) -> None:
    p, row, label = labelled(box)
    category = box.ask(CATEGORY, p=p, name="Quality")
    made = raised(box, p, row, categoryId=category["id"], labelId=label)
    raised(box, p, row, labelId=label)
    assert listed(box, p, where={"categoryId": category["id"]}) == [made["id"]]
    edit = """mutation ($id: ID!) { editIssueCategory(where: {id: $id},
      data: {name: "Other", description: "e"}) { name description } }"""
    assert box.ask(edit, id=category["id"]) == {"name": "Other", "description": "e"}
    other, other_row, _ = labelled(box)
    data = {"projectId": other, "dataRowId": other_row, "content": "c", "categoryId": category["id"]}
    assert box.refused(CREATE, data=data)[0] == "MALFORMED_REQUEST"
    assert box.ask("mutation ($id: ID!) { deleteIssueCategory(where: {id: $id}) }", id=category["id"]) is True
    assert box.ask(READ, id=made["id"])["categoryId"] is None
    categories = "query ($p: ID!) { project(where: {id: $p}) { issueCategories { id } } }"
    assert box.ask(categories, p=p) == {"issueCategories": []}


def test_people_comment_and_take_back_what_is_theirs(box: Workspace) -> None:
    p, row, _ = labelled(box)
    issue = raised(box, p, row)["id"]
    comment = box.ask(COMMENT, i=issue, content="really")
    reviewer = box.as_role(BY_NAME["Reviewer"].id)
    edit = "mutation ($id: ID!) { updateComment(where: {id: $id}, data: {content: %s}) { content } }"
    assert reviewer.refused(edit % '"no"', id=comment["id"])[0] == "AUTHORIZATION_ERROR"
    assert reviewer.refused(DELETE, ids=[issue])[0] == "AUTHORIZATION_ERROR"
    assert box.ask(edit % '"yes"', id=comment["id"]) == {"content": "yes"}
    found = box.ask(READ, id=issue)
    assert found["comments"] == [{"id": comment["id"], "content": "yes"}]
    assert found["latestReplyAt"] is not None
    assert box.ask("mutation ($id: ID!) { deleteComment(where: {id: $id}) }", id=comment["id"]) is True
    assert box.ask(READ, id=issue)["comments"] == []


def test_issues_are_written_into_a_file(box: Workspace) -> None:
    p, row, label = labelled(box)
    issue = raised(box, p, row, "first", labelId=label)["id"]
    box.ask(COMMENT, i=issue, content="reply")
    raised(box, p, row, "second")
    url = "query ($p: ID!, $s: IssueStatus) { project(where: {id: $p}) { issueExportUrl(where: {status: $s}) } }"

    def exported(**told: Any) -> Any:
        return json.loads(box.client.get(box.ask(url, p=p, **told)["issueExportUrl"]).text)

    assert [each["content"] for each in exported()] == ["first", "second"]
    assert [each["content"] for each in exported()[0]["comments"]] == ["reply"]
    assert exported(s="Resolved") == []


def test_an_issue_goes_with_its_data_row(box: Workspace) -> None:
    p, row, label = labelled(box)
    issue = raised(box, p, row, labelId=label)["id"]
    box.ask(COMMENT, i=issue, content="reply")
    box.ask("mutation ($r: ID!) { deleteDataRows(where: {dataRowIds: [$r]}) { id } }", r=row)
    assert box.refused(READ, id=issue)[0] == "RESOURCE_NOT_FOUND"
    assert box.store.value("SELECT count(*) FROM issue_comments") == 0


@pytest.mark.parametrize("data", [{"content": " "}, {"content": "x" * 10_001}])
def test_what_says_nothing_is_refused(box: Workspace, data: Any) -> None:
    p, row, label = labelled(box)
    told = {"projectId": p, "dataRowId": row, "content": "c", **data}
    assert box.refused(CREATE, data=told)[0] == "MALFORMED_REQUEST"
    _, other_row, other_label = labelled(box)
    for wrong in ({"dataRowId": other_row}, {"labelId": other_label}):
        assert box.refused(CREATE, data={**told, "content": "c", **wrong})[0] == "MALFORMED_REQUEST"
    theirs = labelled(box.stranger())
    assert box.refused(CREATE, data={**told, "content": "c", "labelId": theirs[2]})[0] == "RESOURCE_NOT_FOUND"
    assert box.ask(NEW_LABEL, p=p, r=row, label="{}")["id"] != label
