"""Projects: quality mode, media type, datasets, review step (API reference 1.3, 1.7, 6.3, 6.5)."""

from __future__ import annotations

from typing import Any

import pytest
from documents import ATTACH, NEW_ROW, dataset, labelled, project
from workspace import Workspace

FIELDS = """id name description createdAt updatedAt setupComplete lastActivityTime autoAuditNumberOfLabels
  autoAuditPercentage allowedMediaType editorTaskType dataRowCount modelSetupComplete uploadType
  isBenchmarkEnabled isConsensusEnabled deleted"""
CREATE = f"mutation ($data: ProjectCreateInput!) {{ createProject(data: $data) {{ {FIELDS} }} }}"
READ = f"""query ($id: ID!) {{ project(where: {{id: $id}}) {{ {FIELDS} labelCount showingPredictionsToLabelers
  ontology {{ id }} labelingFrontend {{ id }} labelingFrontendOptions {{ id }} datasets {{ id }}
  createdBy {{ email }} organization {{ id }} webhooks {{ id }}
  taskQueues {{ id name queueType dataRowCount }}
  invites {{ nodes {{ id }} nextCursor }} }} }}"""
UPDATE = f"""mutation ($id: ID!, $data: ProjectUpdateInput!) {{
  updateProject(where: {{id: $id}}, data: $data) {{ {FIELDS} datasets {{ id }} }} }}"""


def create(box: Workspace, **data: Any) -> Any:
    return box.ask(CREATE, data={"name": "p", **data})


def test_a_project_made_of_a_name_has_the_servers_defaults(box: Workspace) -> None:
    found = box.ask(READ, id=create(box)["id"])
    unset = ("setupComplete", "ontology", "labelingFrontend", "modelSetupComplete", "allowedMediaType")
    assert {key: found[key] for key in unset} == dict.fromkeys(unset)
    assert found["description"] == ""
    assert found["isBenchmarkEnabled"] is True
    assert found["isConsensusEnabled"] is False
    assert (found["autoAuditNumberOfLabels"], found["autoAuditPercentage"]) == (1, 1.0)
    assert found["labelCount"] == 0
    assert [queue["queueType"] for queue in found["taskQueues"]][1:] == [
        "MANUAL_REVIEW_QUEUE",
        "MANUAL_REWORK_QUEUE",
    ]
    assert all(len(queue["id"]) == 36 for queue in found["taskQueues"])


def test_consensus_alone_wants_three_labels_of_no_asset(box: Workspace) -> None:
    made = create(box, isConsensusEnabled=True)
    assert (made["isBenchmarkEnabled"], made["isConsensusEnabled"]) == (False, True)
    assert (made["autoAuditNumberOfLabels"], made["autoAuditPercentage"]) == (3, 0.0)


def test_audit_fields_that_are_given_are_kept(box: Workspace) -> None:
    data = {
        "description": "d",
        "allowedMediaType": "TMS_GEO",
        "autoAuditPercentage": 0.25,
        "autoAuditNumberOfLabels": 4,
        "isBenchmarkEnabled": True,
        "isConsensusEnabled": True,
        "editorTaskType": "MODEL_CHAT_EVALUATION",
        "dataRowCount": 7,
    }
    made = create(box, **data, datasetNameOrId="x", appendToExistingDataset=False)
    assert {key: made[key] for key in data} == data


@pytest.mark.parametrize(
    "data",
    [
        {"name": " "},
        {"autoAuditPercentage": 1.01},
        {"autoAuditPercentage": -0.01},
        {"autoAuditNumberOfLabels": 0},
    ],
)
def test_values_that_make_no_sense_are_refused(box: Workspace, data: Any) -> None:
    assert box.refused(CREATE, data={"name": "p", **data})[0] == "MALFORMED_REQUEST"
    assert box.refused(UPDATE, id=create(box)["id"], data=data)[0] == "MALFORMED_REQUEST"


@pytest.mark.parametrize("data", [{}, {"name": "p", "allowedMediaType": "tmsGeo"}, {"name": "p", "queue": 1}])
def test_input_that_does_not_fit_is_a_client_mistake(box: Workspace, data: Any) -> None:
    assert box.refused(CREATE, data=data)[0] == "BAD_USER_INPUT"


@pytest.mark.parametrize("flag", ["isBenchmarkEnabled", "isConsensusEnabled"])
def test_the_quality_mode_is_fixed_at_creation(box: Workspace, flag: str) -> None:
    ident = create(box)["id"]
    assert box.refused(UPDATE, id=ident, data={flag: True, "name": "x"})[0] == "OPERATION_NOT_ALLOWED"
    assert box.ask(READ, id=ident)["name"] == "p"


def test_coverage_and_number_of_labels_can_be_updated(box: Workspace) -> None:
    data = {"autoAuditNumberOfLabels": 5, "autoAuditPercentage": 0.5}
    made = box.ask(UPDATE, id=create(box, isConsensusEnabled=True)["id"], data=data)
    assert {key: made[key] for key in data} == data


def test_setup_complete_is_echoed_with_milliseconds(box: Workspace) -> None:
    made = box.ask(UPDATE, id=create(box)["id"], data={"setupComplete": "2024-01-01T00:00:00Z"})
    assert made["setupComplete"] == "2024-01-01T00:00:00.000Z"


def test_the_media_type_of_an_empty_project_can_be_changed(box: Workspace) -> None:
    ident = create(box, allowedMediaType="IMAGE")["id"]
    assert box.ask(UPDATE, id=ident, data={"allowedMediaType": "TEXT"})["allowedMediaType"] == "TEXT"


def test_the_media_type_of_a_project_with_rows_or_labels_cannot(box: Workspace) -> None:
    p, d = project(box), dataset(box)
    box.ask(ATTACH, p=p, d=d)
    box.ask(UPDATE, id=p, data={"allowedMediaType": "IMAGE"})
    box.ask(NEW_ROW, d=d)
    assert box.refused(UPDATE, id=p, data={"allowedMediaType": "TEXT"})[0] == "OPERATION_NOT_ALLOWED"
    assert box.ask(UPDATE, id=p, data={"allowedMediaType": "IMAGE"})["allowedMediaType"] == "IMAGE"
    q, _, _ = labelled(box)
    detach = """mutation ($p: ID!, $d: ID!) {
      updateProject(where: {id: $p}, data: {datasets: {disconnect: {id: $d}}}) { id } }"""
    attached = box.ask(READ, id=q)["datasets"][0]["id"]
    box.ask(detach, p=q, d=attached)
    assert box.refused(UPDATE, id=q, data={"allowedMediaType": "TEXT"})[0] == "OPERATION_NOT_ALLOWED"


@pytest.mark.parametrize(
    "field", ["editorTaskType: null", "uploadType: AUTO", "dataRowCount: 1", "queueMode: BATCH"]
)
def test_fields_without_an_update_path_are_no_fields_of_the_update(box: Workspace, field: str) -> None:
    query = 'mutation { updateProject(where: {id: "x"}, data: {%s}) { id } }' % field  # noqa: UP031 - braces
    assert box.refused(query)[0] == "GRAPHQL_VALIDATION_FAILED"


def test_a_deleted_project_is_not_found_but_listed_unless_filtered_out(box: Workspace) -> None:
    ident = create(box)["id"]
    box.ask(UPDATE, id=ident, data={"deleted": True})
    assert box.refused(READ, id=ident)[0] == "RESOURCE_NOT_FOUND"
    assert box.refused(UPDATE, id=ident, data={"name": "x"})[0] == "RESOURCE_NOT_FOUND"
    assert box.ask("{ projects { id deleted } }") == [{"id": ident, "deleted": True}]
    assert box.ask("{ projects(where: {deleted: false}) { id } }") == []
    assert box.ask("{ organization { projects(where: {deleted: false}) { id } } }") == {"projects": []}


def test_there_is_no_other_way_to_delete_a_project(box: Workspace) -> None:
    query = 'mutation { deleteProject(where: {id: "x"}) { id } }'
    assert box.refused(query)[0] == "GRAPHQL_VALIDATION_FAILED"


def test_a_project_of_another_organization_is_not_found(box: Workspace) -> None:
    theirs = create(box.stranger())["id"]
    assert box.refused(READ, id=theirs)[0] == "RESOURCE_NOT_FOUND"
    nested = (
        "mutation ($p: ID!) { project(where: {id: $p}) { showPredictionsToLabelers(show: true) { id } } }"
    )
    assert box.refused(nested, p=theirs)[0] == "RESOURCE_NOT_FOUND"


def test_datasets_are_connected_and_disconnected_one_or_many_at_a_time(box: Workspace) -> None:
    p, a, b, c = project(box), dataset(box, "a"), dataset(box, "b"), dataset(box, "c")

    def change(**data: Any) -> list[str]:
        return [each["id"] for each in box.ask(UPDATE, id=p, data={"datasets": data})["datasets"]]

    assert change(connect={"id": a}) == [a]
    assert change(connect=[{"id": a}, {"id": b}, {"id": c}]) == [a, b, c]
    assert change(disconnect={"id": b}) == [a, c]
    assert change(connect={"id": b}, disconnect=[{"id": a}, {"id": c}]) == [b]
    assert box.refused(UPDATE, id=p, data={"datasets": {"disconnect": {"id": a}}})[0] == "MALFORMED_REQUEST"


def test_connecting_an_unknown_dataset_changes_nothing(box: Workspace) -> None:
    p, a = project(box), dataset(box)
    data = {"name": "new", "datasets": {"connect": [{"id": a}, {"id": "no"}]}}
    assert box.refused(UPDATE, id=p, data=data)[0] == "RESOURCE_NOT_FOUND"
    found = box.ask(READ, id=p)
    assert (found["name"], found["datasets"]) == ("step 1", [])


def test_model_setup_and_prediction_toggle_can_be_set_and_read(box: Workspace) -> None:
    p = project(box)
    setup = """mutation ($p: ID!) {
      setProjectModelSetupComplete(where: {id: $p}, data: {modelSetupComplete: true}) {
        modelSetupComplete } }"""
    assert box.ask(setup, p=p) == {"modelSetupComplete": True}
    show = """mutation ($p: ID!) { project(where: {id: $p}) {
      showPredictionsToLabelers(show: true) { id showingPredictionsToLabelers } } }"""
    assert box.ask(show, p=p)["showPredictionsToLabelers"]["showingPredictionsToLabelers"] is True
    assert box.ask(READ, id=p)["showingPredictionsToLabelers"] is True


REVIEW = """mutation ($projectId: ID!, $quotaFactor: Float!) {
  upsertReviewQueue(where: {project: {id: $projectId}}, data: {quotaFactor: $quotaFactor}) { id } }"""
NO_REVIEW = "mutation ($projectId: ID!) { deleteReviewQueue(where: {project: {id: $projectId}}) { id } }"


def test_the_review_step_is_switched_on_changed_and_off(box: Workspace) -> None:
    p = project(box)
    first = box.ask(REVIEW, projectId=p, quotaFactor=0)
    assert box.ask(REVIEW, projectId=p, quotaFactor=1) == first
    assert box.store.value("SELECT quotaFactor FROM review_queues") == 1
    assert box.ask(NO_REVIEW, projectId=p) == first
    assert box.refused(NO_REVIEW, projectId=p)[0] == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize("factor", [-0.01, 1.01])
def test_a_quota_is_a_share(box: Workspace, factor: float) -> None:
    assert box.refused(REVIEW, projectId=project(box), quotaFactor=factor)[0] == "MALFORMED_REQUEST"


def test_the_quota_is_never_read(box: Workspace) -> None:
    types = "{ __schema { types { name fields { name } } } }"
    fields = [f["name"] for each in box.ask(types)["types"] for f in each["fields"] or ()]
    assert not [name for name in fields if "quota" in name.lower()]
    assert "secret" not in fields
