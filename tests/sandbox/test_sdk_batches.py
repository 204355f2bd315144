"""Batches, queues, overrides and projects through the vendor's own client (API reference B.6, B.7)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from lbstack.sandbox.server import running

labelbox = pytest.importorskip("labelbox")
exceptions = pytest.importorskip("lbox.exceptions")
identifiable = pytest.importorskip("labelbox.schema.identifiable")
identifiables = pytest.importorskip("labelbox.schema.identifiables")

pytestmark = pytest.mark.slow
QualityMode = labelbox.schema.quality_mode.QualityMode
IMAGE = labelbox.MediaType.Image


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with running() as (endpoint, key):
        rest = endpoint.replace("/graphql", "/api/v1")
        yield labelbox.Client(key, endpoint=endpoint, rest_endpoint=rest)


@pytest.fixture
def project(client: Any) -> Any:
    return client.create_project(name=f"p {uuid4()}", media_type=IMAGE)


@pytest.fixture
def dataset(client: Any) -> Any:
    return client.create_dataset(name=f"d {uuid4()}", iam_integration=None)


def rows(dataset: Any, count: int) -> tuple[list[str], list[str]]:
    """Ids and global keys of new data rows."""
    keys = [f"{dataset.uid}-{n}" for n in range(count)]
    task = dataset.create_data_rows(
        [{"row_data": "https://a.example/1.jpg", "global_key": key} for key in keys]
    )
    task.wait_till_done()
    assert task.errors is None
    found = {row.global_key: row.uid for row in dataset.data_rows()}
    return [found[key] for key in keys], keys


@pytest.fixture(scope="module")
def five(client: Any) -> tuple[list[str], list[str]]:
    """Five data rows; each project may have them."""
    return rows(client.create_dataset(name="five", iam_integration=None), 5)


def label(client: Any, project: Any, row: str) -> str:
    made = client.execute(
        """mutation ($p: ID!, $r: ID!) { createLabel(data: {
          label: "{}", project: {connect: {id: $p}}, dataRow: {connect: {id: $r}}}) { id } }""",
        {"p": project.uid, "r": row},
    )
    return str(made["createLabel"]["id"])


def queue(project: Any, kind: str) -> Any:
    return next(each for each in project.task_queues() if each.queue_type == kind)


def test_a_batch_is_made_listed_found_and_deleted(client: Any, project: Any, five: Any) -> None:
    ids, keys = five[0][:4], five[1][:4]
    settings = {"number_of_labels": 3, "coverage_percentage": 0.1}
    one = project.create_batch("one", ids[:2], 3, consensus_settings=settings)
    assert (one.name, one.size, one.consensus_settings) == ("one", 2, settings)
    assert list(one.failed_data_row_ids) == []
    assert one.project().uid == project.uid
    two = project.create_batch("two", global_keys=keys)
    assert set(two.failed_data_row_ids) == set(ids[:2])
    assert two.size == 2
    assert [each.uid for each in project.batches()] == [one.uid, two.uid]
    assert client.get_batch(project.uid, two.uid).name == "two"
    with pytest.raises(exceptions.ResourceConflict):
        project.create_batch("one", ids)
    with pytest.raises(exceptions.MalformedQueryException, match="No valid data rows to be added"):
        project.create_batch("three", ["a", "b"])
    with pytest.raises(exceptions.MalformedQueryException, match="No valid data rows to add to project"):
        project.create_batch("three", ids)
    with pytest.raises(exceptions.MalformedQueryException, match="keys do not exist: key1"):
        project.create_batch("three", global_keys=["key1"])
    for priority in ("abcd", None):
        with pytest.raises(exceptions.LabelboxError):
            project.create_batch("three", ids, priority=priority)
    one.delete()
    assert [each.uid for each in project.batches()] == [two.uid]


def test_a_batch_with_labels_stays_until_they_are_gone(client: Any, project: Any, five: Any) -> None:
    ids = five[0][:3]
    batch = project.create_batch("b", ids)
    made = label(client, project, ids[0])
    with pytest.raises(exceptions.OperationNotAllowedException):
        batch.delete()
    batch.remove_queued_data_rows()
    assert client.get_batch(project.uid, batch.uid).size == 1
    assert project.get_overview().to_label == 0
    told = batch.delete_labels(set_labels_as_template=True)
    assert told["project"]["deleteBatchLabels"]["deletedLabelIds"] == [made]
    assert project.get_overview().to_label == 1
    made = label(client, project, ids[0])
    told = batch.delete_labels()
    assert told["project"]["deleteBatchLabels"]["deletedLabelIds"] == [made]
    batch.delete()
    assert list(project.batches()) == []


def test_big_and_many_batches_are_filled_by_tasks(client: Any, project: Any, dataset: Any) -> None:
    ids, keys = rows(dataset, 1001)
    big = project.create_batch("big", ids[:1000], priority=2)
    assert big.size == 1000
    with pytest.raises(exceptions.LabelboxError, match="was not created successfully"):
        project._create_batch_async("none", ids[:1])
    task = project.create_batches_from_dataset("rest", dataset.uid, priority=4)
    task.wait_till_done()
    assert task.errors() is None
    assert [(each.name, each.size) for each in task.result()] == [("rest0000", 1)]
    other = client.create_project(name="other", media_type=IMAGE)
    task = other.create_batches("part", global_keys=keys, priority=1)
    task.wait_till_done()
    assert [(each.name, each.size) for each in task.result()] == [("part0000", 1001)]
    assert sum(each.priority for each in other.labeling_parameter_overrides()) == 1001


def test_a_hundred_and_one_batches_are_listed(client: Any, project: Any, dataset: Any) -> None:
    ids, _ = rows(dataset, 101)
    fields = [
        f'b{n}: createBatchV2(input: {{name: "b{n}", dataRowIds: ["{ident}"], priority: 5}}) {{ batch {{ id }} }}'
        for n, ident in enumerate(ids)
    ]
    document = "mutation ($p: ID!) { project(where: {id: $p}) { %s } }" % " ".join(fields)  # noqa: UP031
    made = client.execute(document, {"p": project.uid})["project"].values()
    assert [each.uid for each in project.batches()] == [each["batch"]["id"] for each in made]


def test_rows_move_through_queues_and_the_overview_follows(client: Any, project: Any, five: Any) -> None:
    ids, keys = five[0][:4], five[1][:4]
    batch = project.create_batch("b", ids[:3])
    other = project.create_batch("other", ids[3:])
    assert len(project.task_queues()) == 3
    review, rework = queue(project, "MANUAL_REVIEW_QUEUE"), queue(project, "MANUAL_REWORK_QUEUE")
    project.move_data_rows_to_task_queue(identifiables.UniqueIds(ids[:2]), review.uid)
    project.move_data_rows_to_task_queue(identifiables.GlobalKeys(keys[:1]), rework.uid)
    project.move_data_rows_to_task_queue(identifiables.UniqueIds(ids[3:]), None)
    assert queue(project, "MANUAL_REVIEW_QUEUE").data_row_count == 1
    assert queue(project, "MANUAL_REWORK_QUEUE").data_row_count == 1
    with pytest.raises(exceptions.LabelboxError, match="not moved successfully"):
        project.move_data_rows_to_task_queue(identifiables.GlobalKeys(["unknown"]), review.uid)
    found = project.get_overview()
    assert (found.to_label, found.in_review, found.in_rework, found.done) == (1, 1, 1, 1)
    assert (found.skipped, found.issues, found.labeled, found.total_data_rows) == (0, 0, 0, 4)
    found = project.get_overview(details=True, batch_ids=[batch.uid])
    assert (found.to_label, found.done, found.total_data_rows, found.issues) == (1, 0, 3, None)
    assert found.in_review == {"data": [{"Initial review task": 1}], "total": 1}
    assert found.in_rework == {"data": [{"Rework (all rejected)": 1}], "total": 1}
    assert project.get_overview(batch_ids=[batch.uid, other.uid]).total_data_rows == 4
    assert project.get_overview(batch_ids=[str(uuid4())]).total_data_rows == 0


def test_priorities_are_set_and_read_in_every_way(client: Any, project: Any, five: Any) -> None:
    ids, keys = five[0][:3], five[1][:3]
    project.create_batch("b", ids)

    def priorities() -> list[int]:
        found = {each.data_row().uid: each for each in project.labeling_parameter_overrides()}
        assert {each.number_of_labels for each in found.values()} == {1}
        return [found[ident].priority for ident in ids]

    assert priorities() == [5, 5, 5]
    told = [(identifiable.UniqueId(ids[0]), 4, 2), (identifiable.GlobalKey(keys[1]), 3)]
    assert project.set_labeling_parameter_overrides(told) is True
    assert priorities() == [4, 3, 5]
    assert project.set_labeling_parameter_overrides([(identifiable.UniqueId("unknown"), 1)]) is True
    assert project.update_data_row_labeling_priority(identifiables.GlobalKeys(keys), -7) is True
    assert priorities() == [-7, -7, -7]


def test_rows_are_reserved(client: Any, project: Any, five: Any) -> None:
    ids = five[0][:3]
    project.create_batch("b", ids)
    status = labelbox.schema.task_assignment_status.TaskAssignmentStatus
    me = client.get_user().uid
    assert project.extend_reservations("LabelingQueue") == 0
    assert project.bulk_assign_data_rows(me, ids[:2]) is True
    assert project.bulk_assign_data_rows(me, ids, [status.FREE, status.RESERVED]) is True
    assert project.extend_reservations("LabelingQueue") == 3
    assert project.extend_reservations("ReviewQueue") == 0
    assert project.clear_queue_reservations(project.task_queues()[0].uid) == 3
    with pytest.raises(exceptions.ResourceNotFoundError):
        project.clear_queue_reservations(str(uuid4()))


def test_tags_are_made_and_put_on_projects(client: Any, project: Any) -> None:
    org = client.get_organization()
    one, two = (org.create_resource_tag({"text": f"t{n}", "color": "#ffffff"}) for n in range(2))
    assert (one.text, one.color) == ("t0", "ffffff")
    assert {one.uid, two.uid} <= {each.uid for each in org.get_resource_tags()}
    assert [each.uid for each in project.update_project_resource_tags([two.uid])] == [two.uid]
    assert [each.uid for each in project.update_project_resource_tags([one.uid])] == [one.uid]
    assert [each.uid for each in project.get_resource_tags()] == [one.uid]
    delete = "mutation ($tag_id: String!) { deleteResourceTag(input: {id: $tag_id}) { id } }"
    client.execute(delete, {"tag_id": one.uid})
    assert list(project.get_resource_tags()) == []


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        ({QualityMode.Benchmark}, (1, 1.0, True, False)),
        ({QualityMode.Consensus}, (3, 0.0, False, True)),
        ({QualityMode.Benchmark, QualityMode.Consensus}, (3, 0.0, True, True)),
    ],
)
def test_projects_have_their_quality_mode_and_so_have_their_clones(
    client: Any, modes: Any, expected: tuple[Any, ...]
) -> None:
    made = client.create_project(name="q", media_type=IMAGE, description="d", quality_modes=modes)
    assert made.enable_model_assisted_labeling() is True
    assert made.enable_model_assisted_labeling(False) is False
    for each in (made, client.get_project(made.uid), made.clone()):
        found = (each.auto_audit_number_of_labels, each.auto_audit_percentage)
        assert (*found, each.is_benchmark_enabled, each.is_consensus_enabled) == expected
        assert (each.description, each.media_type, each.get_label_count()) == ("d", IMAGE, 0)


def test_evaluation_projects_are_made(client: Any, project: Any) -> None:
    live = client.create_model_evaluation_project(name="live")
    assert live.is_chat_evaluation()
    assert live.set_project_model_setup_complete() is True
    assert client.get_project(live.uid).model_setup_complete is True
    with pytest.warns(DeprecationWarning):
        filled = client.create_model_evaluation_project(name="f", dataset_name="chats", data_row_count=5)
    assert (filled.data_row_count, [each.size for each in filled.batches()]) == (5, [5])
    (dataset,) = client.get_datasets(where=labelbox.Dataset.name == "chats")
    with pytest.warns(DeprecationWarning):
        client.create_model_evaluation_project(name="more", dataset_id=dataset.uid, data_row_count=2)
    assert json.loads(next(iter(dataset.data_rows())).row_data)["draft"] is True
    assert client.get_dataset(dataset.uid).row_count == 7
    offline = client.create_offline_model_evaluation_project(name="offline")
    assert not offline.is_chat_evaluation()
    assert offline.media_type == labelbox.MediaType.Conversational
    for each in (offline, project):
        with pytest.raises(exceptions.OperationNotAllowedException, match="Only live model chat"):
            each.set_project_model_setup_complete()


def test_a_response_creation_is_labelled_from_batches(client: Any, five: Any) -> None:
    document = """mutation { createProject(data: {name: "r", allowedMediaType: TEXT,
      editorTaskType: RESPONSE_CREATION}) { id } }"""
    made = client.get_project(client.execute(document)["createProject"]["id"])
    assert made.create_batch("b", five[0][:1]).size == 1


@pytest.mark.filterwarnings("ignore:Workflow Management")
def test_a_workflow_is_built_and_cloned(client: Any, project: Any) -> None:
    from labelbox.schema.workflow import LabelingConfig, NodeOutput, NodeType

    flow = project.get_workflow()
    assert len(flow.get_nodes()) == 5
    assert len(flow.get_edges()) == 4
    initial = flow.reset_to_initial_nodes(labeling_config=LabelingConfig(instructions="Start here"))
    review = flow.add_node(type=NodeType.Review, name="Look again")
    done = flow.add_node(type=NodeType.Done, name="Done")
    flow.add_edge(initial.labeling, review)
    flow.add_edge(initial.rework, review)
    flow.add_edge(review, done, NodeOutput.Approved)
    flow.update_config(reposition=False)
    found = project.get_workflow()
    assert {each.name for each in found.get_nodes()} >= {"Look again", "Done"}
    assert len(found.get_edges()) == 3
    other = client.create_project(name="other", media_type=IMAGE)
    other.clone_workflow_from(project.uid)
    assert len(other.get_workflow().get_nodes()) == 4


def test_issues_are_raised_discussed_and_exported(client: Any, project: Any, five: Any) -> None:
    ids = five[0][:1]
    project.create_batch("b", ids)
    made = label(client, project, ids[0])
    category = project.create_issue_category("Quality", "of pictures").update("Sharpness", "of pictures")
    assert [each.name for each in project.get_issue_categories()] == ["Sharpness"]
    position = labelbox.schema.issue_position.ImageIssuePosition(x=100, y=200)
    issue = project.create_issue("Blurred", ids[0], made, category.id, position)
    assert (issue.position.x, issue.category().name, issue.data_row().uid) == (100, "Sharpness", ids[0])
    assert project.get_overview().issues == 1
    assert issue.update(content="Cut off").content == "Cut off"
    comment = issue.create_comment("Indeed").update("Indeed so")
    assert [each.content for each in issue.comments()] == ["Indeed so"]
    assert comment.delete() is True
    assert issue.resolve().resolved_by.email == "admin@sandbox.example"
    status = labelbox.schema.issue.IssueStatus
    assert list(project.get_issues(status=status.OPEN)) == []
    assert issue.reopen().status == status.OPEN
    assert [each.id for each in project.get_issues()] == [issue.id]
    assert project.export_issues("Open").startswith("http://")
    assert project.delete_issues([issue.id]) is True
    assert category.delete() is True
    assert project.get_overview().issues == 0
