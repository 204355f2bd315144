"""Projects: quality mode, media type, datasets, review step (API reference 1.3, 1.7, 6.3, 6.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import ATTACH, NEW_ROW, connect, dataset, labelled, ontology, project
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
        "allowedMediaType": "CONVERSATIONAL",
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


SETUP = """mutation ($p: ID!) { setProjectModelSetupComplete(where: {id: $p}, data: {modelSetupComplete: true}) {
  modelSetupComplete } }"""


def test_only_a_live_evaluation_completes_its_model_setup(box: Workspace) -> None:
    live = create(box, editorTaskType="MODEL_CHAT_EVALUATION", allowedMediaType="CONVERSATIONAL")["id"]
    assert box.ask(SETUP, p=live) == {"modelSetupComplete": True}
    for kind in (None, "OFFLINE_MODEL_CHAT_EVALUATION", "RESPONSE_CREATION"):
        code, message = box.refused(SETUP, p=create(box, editorTaskType=kind)["id"])
        assert code == "OPERATION_NOT_ALLOWED"
        assert message == "Only live model chat evaluation projects can complete model setup"


def test_the_prediction_toggle_can_be_set_and_read(box: Workspace) -> None:
    p = project(box)
    show = """mutation ($p: ID!, $on: Boolean!) { project(where: {id: $p}) {
      showPredictionsToLabelers(show: $on) { id showingPredictionsToLabelers } } }"""
    for on in (True, False):
        found = box.ask(show, p=p, on=on)["showPredictionsToLabelers"]
        assert found == {"id": p, "showingPredictionsToLabelers": on}
        assert box.ask(READ, id=p)["showingPredictionsToLabelers"] is on


def rows_in(box: Workspace, dataset: str) -> Any:
    query = "query ($d: ID!) { dataset(where: {id: $d}) { rowCount dataRows { id rowData } } }"
    return box.ask(query, d=dataset)


@pytest.mark.parametrize("media_type", ["UNKNOWN", "UNSUPPORTED"])
def test_what_a_client_makes_of_unknown_words_is_no_media_type_to_write(
    box: Workspace, media_type: str
) -> None:
    refusal = ("MALFORMED_REQUEST", f"Invalid media type: {media_type}")
    assert box.refused(CREATE, data={"name": "p", "allowedMediaType": media_type})[:2] == refusal
    assert box.ask("{ projects { id } }") == []
    made = create(box, allowedMediaType="IMAGE")
    assert box.refused(UPDATE, id=made["id"], data={"allowedMediaType": media_type})[:2] == refusal
    assert box.ask(READ, id=made["id"])["allowedMediaType"] == "IMAGE"


LIVE = {"editorTaskType": "MODEL_CHAT_EVALUATION", "allowedMediaType": "CONVERSATIONAL"}
BATCHES = """query ($p: ID!) { project(where: {id: $p}) {
  dataRowCount uploadType batches { nodes { size } } taskQueues { dataRowCount } } }"""


def test_a_live_evaluation_brings_its_conversations(box: Workspace) -> None:
    p = create(box, **LIVE, datasetNameOrId="chats", dataRowCount=3, appendToExistingDataset=False)["id"]
    ((name, d),) = [(each["name"], each["id"]) for each in box.ask("{ datasets { id name } }")]
    found = rows_in(box, d)
    assert (name, found["rowCount"], len(found["dataRows"])) == ("chats", 3, 3)
    assert json.loads(found["dataRows"][0]["rowData"])["draft"] is True
    project = box.ask(BATCHES, p=p)
    assert (project["dataRowCount"], project["uploadType"]) == (3, "AUTO")
    assert project["batches"] == {"nodes": [{"size": 3}]}
    assert project["taskQueues"][0]["dataRowCount"] == 3
    create(box, **LIVE, datasetNameOrId=d, appendToExistingDataset=True)
    assert rows_in(box, d)["rowCount"] == 103


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("RESOURCE_NOT_FOUND", {**LIVE, "datasetNameOrId": "x", "appendToExistingDataset": True}),
        ("MALFORMED_REQUEST", {**LIVE, "appendToExistingDataset": True}),
        ("MALFORMED_REQUEST", {**LIVE, "datasetNameOrId": " "}),
        ("MALFORMED_REQUEST", {**LIVE, "datasetNameOrId": "x", "dataRowCount": 0}),
        ("MALFORMED_REQUEST", {**LIVE, "datasetNameOrId": "x", "dataRowCount": 10_001}),
        ("MALFORMED_REQUEST", {"datasetNameOrId": "x"}),
    ],
)
def test_what_cannot_be_generated_leaves_no_project(box: Workspace, code: str, data: Any) -> None:
    assert box.refused(CREATE, data={"name": "p", **data})[0] == code
    assert box.ask("{ projects { id } }") == []
    assert box.ask("{ datasets { id } }") == []


CLONE = "mutation ($p: ID!) { cloneProject(data: {projectId: $p}) { id } }"


def test_a_clone_has_the_set_up_and_none_of_the_data(box: Workspace) -> None:
    p, _, _ = labelled(box)
    box.ask(REVIEW, projectId=p, quotaFactor=0.25)
    tag = box.ask('mutation { createResourceTag(input: {text: "t", color: "#abcdef"}) { id color } }')
    assert tag["color"] == "abcdef"
    put = """mutation ($p: ID!, $t: [String!]) { project(where: {id: $p}) {
      updateProjectResourceTags(input: {resourceTagIds: $t}) { id } } }"""
    box.ask(put, p=p, t=[tag["id"]])
    made = ontology(box, "Damage")["id"]
    connect(box, p, made)
    box.ask(UPDATE, id=p, data={"description": "d", "autoAuditPercentage": 0.5})
    copy = box.ask(CLONE, p=p)["id"]
    before, after = box.ask(READ, id=p), box.ask(READ, id=copy)
    same = ("description", "allowedMediaType", "autoAuditPercentage", "isBenchmarkEnabled", "ontology")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert (after["name"], after["labelCount"], after["datasets"]) == (f"Copy of {before['name']}", 0, [])
    assert {each["id"] for each in after["taskQueues"]}.isdisjoint(
        each["id"] for each in before["taskQueues"]
    )
    tags = "query ($p: ID!) { project(where: {id: $p}) { resourceTags { text } } }"
    assert box.ask(tags, p=copy) == {"resourceTags": [{"text": "t"}]}
    assert box.store.value("SELECT quotaFactor FROM review_queues WHERE projectId = ?", [copy]) == 0.25
    assert box.refused(CLONE, p=create(box)["id"])[0] == "OPERATION_NOT_ALLOWED"


WORKFLOW = "query ($p: ID!) { projectWorkflow(projectId: $p) { projectId config createdAt updatedAt } }"
SET_WORKFLOW = """mutation ($input: UpdateProjectWorkflowInput!) {
  updateProjectWorkflow(input: $input) { projectId config createdAt updatedAt } }"""


def test_a_project_is_made_with_a_workflow_that_can_be_written(box: Workspace) -> None:
    p = project(box)
    found = box.ask(WORKFLOW, p=p)
    config = found["config"]
    queues = {each["id"] for each in box.ask(READ, id=p)["taskQueues"]}
    assert queues < {each["id"] for each in config["nodes"]}
    config["nodes"].append({"id": "n", "definitionId": "logic", "position": {"x": 1, "y": 2}, "label": "L"})
    config["edges"].append({"id": "e", "source": config["nodes"][0]["id"], "target": "n"})
    written = box.ask(SET_WORKFLOW, input={"projectId": p, "config": config, "routeDataRows": []})
    assert written["config"] == config
    assert box.ask(WORKFLOW, p=p) == written
    assert written["createdAt"] == found["createdAt"]
    copy = box.ask(WORKFLOW, p=box.ask(CLONE, p=p)["id"])["config"]
    assert len(copy["nodes"]) == 6
    assert queues.isdisjoint(each["id"] for each in copy["nodes"])


NODE = {"id": "n", "definitionId": "initial_labeling_task"}
REWORK = {"id": "r", "definitionId": "initial_rework_task"}


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        {},
        {"nodes": 1, "edges": []},
        {"nodes": [1], "edges": []},
        {"nodes": [NODE], "edges": []},
        {"nodes": [NODE, NODE, REWORK], "edges": []},
        {"nodes": [NODE, REWORK, {"id": "x", "definitionId": "nonsense"}], "edges": []},
        {"nodes": [NODE, REWORK, {"id": "x", "definitionId": []}], "edges": []},
        {"nodes": [NODE, REWORK, {"id": [], "definitionId": "done"}], "edges": []},
        {"nodes": [NODE, REWORK], "edges": [{"source": "n", "target": "nowhere"}]},
        {"nodes": [NODE, REWORK], "edges": [{"source": {}, "target": "n"}]},
        {"nodes": [NODE, REWORK], "edges": [], "more": "x" * 1_000_001},
    ],
    ids=lambda config: str(config)[:50],
)
def test_what_is_no_workflow_is_refused(box: Workspace, config: Any) -> None:
    p = project(box)
    code, _ = box.refused(SET_WORKFLOW, input={"projectId": p, "config": config})
    assert code == ("BAD_USER_INPUT" if config is None else "MALFORMED_REQUEST")


def test_an_infinity_in_a_literal_is_refused(box: Workspace) -> None:
    text = """mutation { updateProjectWorkflow(input: {projectId: "%s", config: {
      nodes: [{id: "n", definitionId: "initial_labeling_task", x: 1e999},
        {id: "r", definitionId: "initial_rework_task"}], edges: []}}) { config } }"""
    assert box.refused(text % project(box))[0] == "MALFORMED_REQUEST"


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
