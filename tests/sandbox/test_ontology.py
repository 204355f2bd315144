"""Ontologies and feature schemas in the sandbox: their form, their identity, what may become of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import connect
from workspace import Workspace

from lbstack.sandbox.roles import BY_NAME

FIELDS = """id name description normalized options mediaType objectSchemaCount classificationSchemaCount
  createdAt updatedAt createdBy { id email } projects(first: 10) { id }"""
CREATE = "mutation ($data: UpsertOntologyInput!) { upsertOntology(data: $data) { %s } }" % FIELDS  # noqa: UP031
READ = "query ($id: ID!) { ontology(where: {id: $id}) { %s } }" % FIELDS  # noqa: UP031
LIST = """query ($search: String, $filter: OntologyFilter, $after: String, $first: PageSize) {
  ontologies(where: {filter: $filter, search: $search}, after: $after, first: $first) {
    nodes { id name } nextCursor } }"""
RENAME = """mutation ($id: ID!, $name: String!) {
  ontology(where: {id: $id}) { update(data: {name: $name}) { id name } } }"""
FEATURE = "query ($where: RootSchemaNodeWhere!) { rootSchemaNode(where: $where) { id name normalized } }"
FEATURES = """query ($search: String, $after: String, $first: PageSize) {
  rootSchemaNodes(where: {search: $search}, after: $after, first: $first) {
    nodes { name normalized } nextCursor } }"""
CREATE_FEATURE = """mutation ($data: UpsertRootSchemaNodeInput!) {
  upsertRootSchemaNode(data: $data) { id name normalized } }"""

DAMAGE = {"tool": "polygon", "name": "Damage", "color": "black"}
QUESTION = {"type": "radio", "name": "damaged?", "options": [{"value": "yes"}, {"value": "no"}]}
NESTED = {
    "tool": "rectangle",
    "name": "Tooth",
    "classifications": [
        {"type": "checklist", "name": "Kind", "options": [{"value": "caries"}, {"value": "crack"}]},
    ],
}


@pytest.fixture
def workspace() -> Workspace:
    return Workspace.fresh()


def ontology(*tools: Any, classifications: Any = (), **more: Any) -> dict[str, str]:
    body = {"tools": list(tools), "classifications": list(classifications), **more}
    return {"name": "Teeth", "normalized": json.dumps(body)}


def create(workspace: Workspace, *tools: Any, classifications: Any = (), **more: Any) -> Any:
    return workspace.ask(CREATE, data=ontology(*tools, classifications=classifications, **more))


def read(workspace: Workspace, ident: str) -> Any:
    return workspace.ask(READ, id=ident)


def feature(workspace: Workspace, content: Any) -> str:
    made = workspace.ask(CREATE_FEATURE, data={"normalized": json.dumps(content)})
    return str(made["normalized"]["featureSchemaId"])


def read_feature(workspace: Workspace, ident: str) -> Any:
    return workspace.ask(FEATURE, where={"featureSchemaId": ident})["normalized"]


def put(workspace: Workspace, ident: str, content: Any) -> tuple[int, Any]:
    return workspace.rest("PUT", f"/feature-schemas/{ident}", {"normalized": json.dumps(content)})


def insert(workspace: Workspace, held: Any, ident: str, position: Any) -> tuple[int, Any]:
    return workspace.rest("POST", f"/ontologies/{held['id']}/feature-schemas/{ident}", {"position": position})


def label(workspace: Workspace, ident: str) -> None:
    """A label appears that bears an annotation of this feature schema."""
    workspace.store.insert("label_features", {"labelId": "l1", "featureSchemaId": ident})


def names(workspace: Workspace, held: Any, list_name: str = "tools") -> list[str]:
    return [node["name"] for node in read(workspace, held["id"])["normalized"][list_name]]


def bare(node: Any) -> Any:
    """A tree without ids, as one compares it."""
    if isinstance(node, list):
        return [bare(each) for each in node]
    if isinstance(node, dict):
        return {k: bare(v) for k, v in node.items() if k not in ("featureSchemaId", "schemaNodeId")}
    return node


# Creating and reading ---------------------------------------------------------------------------------


def test_normalized_comes_back_as_an_object_with_every_default_spelled_out(workspace: Workspace) -> None:
    made = create(workspace, {"tool": "polygon", "name": "Damage"}, classifications=[QUESTION])
    assert bare(made["normalized"]) == {
        "tools": [
            {
                "tool": "polygon", "name": "Damage", "required": False, "color": None, "attributes": None,
                "classifications": [],
            }
        ],
        "classifications": [
            {
                "type": "radio", "name": "damaged?", "instructions": "damaged?", "required": False,
                "attributes": None, "scope": "global",
                "options": [
                    {"label": "yes", "value": "yes", "options": []},
                    {"label": "no", "value": "no", "options": []},
                ],
            }
        ],
        "relationships": [],
    }  # fmt: skip
    assert made["options"] == made["normalized"]


def test_every_node_gets_two_ids_of_25_characters_that_are_its_own(workspace: Workspace) -> None:
    found = create(workspace, NESTED, NESTED, classifications=[QUESTION])["normalized"]
    given = [each for node in _walk(found) for each in (node["featureSchemaId"], node["schemaNodeId"])]
    assert len(given) == 2 * (2 * 4 + 3)
    assert len(set(given)) == len(given)
    assert {len(each) for each in given} == {25}


def _walk(node: Any) -> Any:
    for child in node if isinstance(node, list) else list(node.values()) if isinstance(node, dict) else []:
        yield from _walk(child)
    if isinstance(node, dict) and "featureSchemaId" in node:
        yield node


@pytest.mark.parametrize("color", ["black", "#ff3b30", "rebeccapurple"])
def test_a_colour_is_kept_as_it_is_written(workspace: Workspace, color: str) -> None:
    made = create(workspace, {"tool": "line", "name": "Root", "color": color})
    assert made["normalized"]["tools"][0]["color"] == color


def test_given_texts_are_not_replaced_by_defaults(workspace: Workspace) -> None:
    question = {
        "type": "checklist", "name": "kind", "instructions": "Which kind?", "required": True,
        "scope": "index", "uiMode": "searchable", "options": [{"value": 1, "label": "One", "position": 0}],
    }  # fmt: skip
    found = create(workspace, classifications=[question])["normalized"]["classifications"][0]
    assert bare(found) == question | {
        "attributes": None,
        "options": [{"value": 1, "label": "One", "position": 0, "options": []}],
    }


def test_classifications_nest_in_options_without_a_scope(workspace: Workspace) -> None:
    inner = {"type": "text", "name": "why?", "scope": "global"}
    outer = {"type": "radio", "name": "bad?", "options": [{"value": "yes", "options": [inner]}]}
    found = create(workspace, classifications=[outer])["normalized"]["classifications"][0]
    assert found["options"][0]["options"][0]["name"] == "why?"
    assert "scope" not in found["options"][0]["options"][0]
    assert found["scope"] == "global"


def test_counts_are_of_the_top_level(workspace: Workspace) -> None:
    edge = {"tool": "edge", "name": "next to"}
    made = create(workspace, DAMAGE, NESTED, edge, classifications=[QUESTION])
    assert (made["objectSchemaCount"], made["classificationSchemaCount"]) == (3, 1)


def test_the_media_type_is_kept_and_the_creator_is_known(workspace: Workspace) -> None:
    made = workspace.ask(CREATE, data=ontology(DAMAGE) | {"mediaType": "IMAGE"})
    assert made["mediaType"] == "IMAGE"
    assert made["createdBy"]["email"] == "admin@sandbox.example"
    assert made["description"] == ""
    assert read(workspace, made["id"]) == made


def test_an_empty_ontology_is_one(workspace: Workspace) -> None:
    made = workspace.ask(CREATE, data={"name": "Empty", "normalized": "{}"})
    assert made["normalized"] == {"tools": [], "classifications": [], "relationships": []}


def test_the_same_ontology_sent_twice_makes_two(workspace: Workspace) -> None:
    first, second = create(workspace, DAMAGE), create(workspace, DAMAGE)
    assert first["id"] != second["id"]
    assert first["normalized"] != second["normalized"]
    assert first["name"] == second["name"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("not json", "not valid JSON"),
        ("[]", "must be an object"),
        ('{"tools": [{"tool": "line", "name": "\\ud800"}]}', "not valid JSON"),
        ('{"tools": 1e999}', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ({"tools": {}}, "must be a list"),
        ({"tools": [{"tool": "hammer", "name": "x"}]}, "is not one of"),
        ({"tools": [{"name": "x"}]}, "either tool or type"),
        ({"tools": [{"tool": "polygon", "type": "text", "name": "x"}]}, "either tool or type"),
        ({"tools": [{"tool": "polygon"}]}, "not empty"),
        ({"tools": [{"tool": "polygon", "name": "  "}]}, "not empty"),
        ({"tools": [{"tool": "polygon", "name": "x", "colour": "red"}]}, "unknown key 'colour'"),
        ({"tools": [{"tool": "polygon", "name": "x", "required": "no"}]}, "true or false"),
        ({"tools": [{"tool": "polygon", "name": "x", "definition": {}}]}, "no definition"),
        ({"tools": [QUESTION]}, "does not belong there"),
        ({"classifications": [DAMAGE]}, "does not belong there"),
        ({"classifications": [{"type": "slider", "name": "x"}]}, "is not one of"),
        ({"classifications": [{"type": "radio", "name": "x"}]}, "at least one option"),
        ({"classifications": [{"type": "checklist", "name": "x", "options": []}]}, "at least one option"),
        ({"classifications": [{"type": "text", "name": "x", "options": [{"value": "a"}]}]}, "no options"),
        ({"classifications": [{"type": "radio", "name": "x", "options": [{"value": ""}]}]}, "not empty"),
        ({"classifications": [{"type": "radio", "name": "x", "options": ["yes"]}]}, "must be an object"),
        ({"classifications": [{"type": "text", "name": "x", "uiMode": "hotkey"}]}, "no uiMode"),
        ({"classifications": [{"type": "text", "name": "x", "scope": "frame"}]}, "is not one of"),
        ({"tools": [{"tool": "polygon", "name": "x", "attributes": [{"attributeName": 1}]}]}, "not empty"),
        ({"tools": [{"tool": "fact-checking", "name": "x"}]}, "must be an object"),
        ({"tools": [{"tool": "fact-checking", "name": "x", "definition": {}}]}, "needs variants"),
        ({"tools": [{"tool": "prompt-issue", "name": "x"}]}, "exactly one checklist"),
        ({"tools": [{"tool": "edge", "name": "x", "definition": {"constraints": [["a"]]}}]}, "pairs"),
        ({"tools": [{"tool": "edge", "name": "x", "definition": {"constraints": [["a", "b"]]}}]}, "names no"),
    ],
)
def test_a_malformed_ontology_is_refused_with_what_is_wrong(
    workspace: Workspace, body: Any, problem: str
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    code, message = workspace.refused(CREATE, data={"name": "Teeth", "normalized": text})
    assert code == "MALFORMED_REQUEST"
    assert problem in message
    assert workspace.ask(LIST)["nodes"] == []


def test_an_ontology_needs_a_name(workspace: Workspace) -> None:
    assert workspace.refused(CREATE, data=ontology() | {"name": " "})[0] == "MALFORMED_REQUEST"


def test_an_ontology_holds_four_thousand_features_and_no_more(workspace: Workspace) -> None:
    options = [{"value": str(number)} for number in range(3999)]
    create(workspace, classifications=[{"type": "radio", "name": "x", "options": options}])
    more = [{"type": "radio", "name": "x", "options": [*options, {"value": "more"}]}]
    assert "at most 4000" in workspace.refused(CREATE, data=ontology(classifications=more))[1]


def test_nesting_beyond_reason_is_refused_and_not_an_accident(workspace: Workspace) -> None:
    node: Any = {"type": "text", "name": "deepest"}
    for _ in range(80):
        node = {"type": "radio", "name": "deep", "options": [{"value": "a", "options": [node]}]}
    code, message = workspace.refused(CREATE, data=ontology(classifications=[node]))
    assert (code, "levels deep" in message) == ("MALFORMED_REQUEST", True)


def test_project_instructions_appear_in_normalized_and_change_nothing_else(workspace: Workspace) -> None:
    held = create(workspace, DAMAGE)
    project = workspace.ask('mutation { createProject(data: {name: "Step 1"}) { id } }')["id"]
    document = """mutation ($id: ID!, $url: String!) {
      setProjectInstructions(where: {id: $id}, data: {instructionsUrl: $url}) { ontology { options } } }"""
    assert workspace.refused(document, id=project, url="https://x/1.pdf")[0] == "MALFORMED_REQUEST"
    connect(workspace, project, held["id"])
    told = workspace.ask(document, id=project, url="https://x/1.pdf")
    assert told["ontology"]["options"] == held["normalized"] | {"projectInstructions": "https://x/1.pdf"}


@pytest.mark.parametrize("media_type", ["UNKNOWN", "UNSUPPORTED"])
def test_what_a_client_makes_of_unknown_words_is_no_media_type_to_write(
    workspace: Workspace, media_type: str
) -> None:
    code, message = workspace.refused(CREATE, data={**ontology(DAMAGE), "mediaType": media_type})
    assert (code, message) == ("MALFORMED_REQUEST", f"Invalid media type: {media_type}")
    assert workspace.ask("{ ontologies { nodes { id } } }")["nodes"] == []
    assert workspace.ask("{ rootSchemaNodes { nodes { id } } }")["nodes"] == []


# Identity ---------------------------------------------------------------------------------------------


def test_an_existing_feature_schema_is_reused(workspace: Workspace) -> None:
    first = create(workspace, NESTED)
    second = create(workspace, *first["normalized"]["tools"], DAMAGE)
    assert second["normalized"]["tools"][0] == first["normalized"]["tools"][0]


def test_a_reused_feature_must_be_given_as_it_is(workspace: Workspace) -> None:
    tool = create(workspace, DAMAGE)["normalized"]["tools"][0]
    for change in ({"name": "Other"}, {"color": "white"}, {"tool": "line"}):
        assert "other content" in workspace.refused(CREATE, data=ontology(tool | change))[1]


def test_a_feature_cannot_be_twice_in_an_ontology(workspace: Workspace) -> None:
    tool = create(workspace, DAMAGE)["normalized"]["tools"][0]
    assert "twice" in workspace.refused(CREATE, data=ontology(tool, tool))[1]


def test_a_placeholder_stands_for_one_feature(workspace: Workspace) -> None:
    option = {"value": "a", "featureSchemaId": "x"}
    question = {"type": "radio", "name": "q", "options": [option]}
    twice = question | {"options": [option, option]}
    for classifications in ([twice], [question, question], [question | {"featureSchemaId": "x"}]):
        code, message = workspace.refused(CREATE, data=ontology(classifications=classifications))
        assert (code, message) == ("MALFORMED_REQUEST", "featureSchemaId x is used twice")


def test_a_deleted_feature_is_not_reused(workspace: Workspace) -> None:
    ident = feature(workspace, DAMAGE)
    given = read_feature(workspace, ident)
    workspace.rest("DELETE", f"/feature-schemas/{ident}")
    assert create(workspace, given)["normalized"]["tools"][0]["featureSchemaId"] != ident


def test_unknown_ids_are_placeholders_that_constraints_may_refer_to(workspace: Workspace) -> None:
    start = DAMAGE | {"featureSchemaId": "start", "schemaNodeId": "a"}
    end = NESTED | {"featureSchemaId": "end", "schemaNodeId": "b"}
    edge = {"tool": "edge", "name": "in", "definition": {"constraints": [["start", "end"]]}}
    found = create(workspace, start, end, edge)["normalized"]
    made_start, made_end = (tool["featureSchemaId"] for tool in found["tools"])
    assert {len(made_start), len(made_end)} == {25}
    (relationship,) = found["relationships"]
    assert relationship["definition"] == {"constraints": [[made_start, made_end]]}


def test_feature_schemas_of_another_organization_are_unknown_ids(workspace: Workspace) -> None:
    tool = create(workspace, DAMAGE)["normalized"]["tools"][0]
    copied = create(workspace.stranger(), tool)["normalized"]["tools"][0]
    assert copied["featureSchemaId"] != tool["featureSchemaId"]


# Lists ------------------------------------------------------------------------------------------------


def test_ontologies_are_listed_in_cursor_pages(workspace: Workspace) -> None:
    made = [create(workspace)["id"] for _ in range(5)]
    first = workspace.ask(LIST, filter={"status": "ALL"}, first=2)
    second = workspace.ask(LIST, first=2, after=first["nextCursor"])
    third = workspace.ask(LIST, first=2, after=second["nextCursor"])
    found = [node["id"] for page in (first, second, third) for node in page["nodes"]]
    assert (found, third["nextCursor"]) == (made, None)
    assert workspace.refused(LIST, after="nonsense")[0] == "MALFORMED_REQUEST"


def test_search_finds_a_part_of_the_name_in_any_case(workspace: Workspace) -> None:
    for name in ("Zähne", "zähne 50%", "Bones"):
        workspace.ask(CREATE, data=ontology() | {"name": name})
    workspace.wait()
    page = workspace.ask(LIST, search="ZÄHNE", first=1)
    assert [node["name"] for node in page["nodes"]] == ["Zähne"]
    rest = workspace.ask(LIST, search="ZÄHNE", first=1, after=page["nextCursor"])
    assert ([node["name"] for node in rest["nodes"]], rest["nextCursor"]) == (["zähne 50%"], None)
    assert len(workspace.ask(LIST, search="%")["nodes"]) == 1


def test_root_features_are_listed_and_nested_ones_are_not(workspace: Workspace) -> None:
    create(workspace, NESTED, classifications=[QUESTION])
    assert [node["name"] for node in workspace.ask(FEATURES)["nodes"]] == ["Tooth", "damaged?"]
    workspace.wait()
    assert [node["name"] for node in workspace.ask(FEATURES, search="TOO")["nodes"]] == ["Tooth"]


def test_an_ontology_is_renamed(workspace: Workspace) -> None:
    made = create(workspace, DAMAGE)
    assert workspace.ask(RENAME, id=made["id"], name="Bones")["update"] == {"id": made["id"], "name": "Bones"}
    assert read(workspace, made["id"])["normalized"] == made["normalized"]
    assert workspace.refused(RENAME, id=made["id"], name="")[0] == "MALFORMED_REQUEST"
    assert workspace.refused(RENAME, id="c" * 25, name="x")[0] == "RESOURCE_NOT_FOUND"


def test_another_organizations_ontology_is_not_found_by_either_door(workspace: Workspace) -> None:
    made, stranger = create(workspace, DAMAGE), workspace.stranger()
    assert stranger.refused(READ, id=made["id"])[0] == "RESOURCE_NOT_FOUND"
    assert stranger.ask(LIST)["nodes"] == []
    assert stranger.rest("GET", f"/ontologies/{made['id']}")[0] == 404
    assert stranger.rest("DELETE", f"/ontologies/{made['id']}")[0] == 404
    ident = made["normalized"]["tools"][0]["featureSchemaId"]
    assert stranger.rest("DELETE", f"/feature-schemas/{ident}")[0] == 404
    assert put(stranger, ident, DAMAGE)[0] == 404


def test_a_labeler_may_not_change_ontologies_and_sees_none_that_no_project_uses(workspace: Workspace) -> None:
    made = create(workspace, DAMAGE)
    labeler = workspace.as_role(BY_NAME["Labeler"].id)
    assert labeler.refused(CREATE, data=ontology())[0] == "AUTHORIZATION_ERROR"
    assert labeler.rest("DELETE", f"/ontologies/{made['id']}")[0] == 403
    assert labeler.refused(READ, id=made["id"])[0] == "RESOURCE_NOT_FOUND"


# Arranging --------------------------------------------------------------------------------------------


def test_a_feature_is_inserted_at_its_position_and_shares_its_node(workspace: Workspace) -> None:
    held = create(workspace, DAMAGE, NESTED, classifications=[QUESTION])
    ident = feature(workspace, {"tool": "line", "name": "Root"})
    assert insert(workspace, held, ident, 1)[0] == 201
    assert names(workspace, held) == ["Damage", "Root", "Tooth"]
    assert read(workspace, held["id"])["normalized"]["tools"][1] == read_feature(workspace, ident)


def test_a_feature_that_is_there_already_is_moved(workspace: Workspace) -> None:
    held = create(workspace, *({"tool": "line", "name": name} for name in "abc"))
    first = held["normalized"]["tools"][0]["featureSchemaId"]
    insert(workspace, held, first, 1)
    assert names(workspace, held) == ["b", "a", "c"]
    insert(workspace, held, first, 99)
    assert names(workspace, held) == ["b", "c", "a"]


def test_tools_and_classifications_are_counted_apart(workspace: Workspace) -> None:
    held = create(workspace, DAMAGE, NESTED, classifications=[QUESTION])
    ident = feature(workspace, {"type": "text", "name": "note"})
    insert(workspace, held, ident, 0)
    assert names(workspace, held, "classifications") == ["note", "damaged?"]
    assert names(workspace, held) == ["Damage", "Tooth"]


@pytest.mark.parametrize("position", [-1, "1", 1.5, None, True])
def test_a_position_is_a_whole_number_from_zero(workspace: Workspace, position: Any) -> None:
    held = create(workspace, DAMAGE)
    status, body = insert(workspace, held, feature(workspace, NESTED), position)
    assert (status, "position" in body["message"]) == (400, True)


def test_what_cannot_be_inserted_is_not_found(workspace: Workspace) -> None:
    held = create(workspace, NESTED)
    nested = held["normalized"]["tools"][0]["classifications"][0]["featureSchemaId"]
    status, body = insert(workspace, held, nested, 0)
    assert (status, body["message"]) == (404, f"Cannot find root schema node with feature schema id {nested}")
    status, body = insert(workspace, {"id": "c" * 25}, nested, 0)
    assert (status, body["message"]) == (404, f"Failed to find ontology by id: {'c' * 25}")


# Removing, archiving, unarchiving ---------------------------------------------------------------------


def test_a_root_feature_without_labels_leaves_the_ontology_and_lives_on(workspace: Workspace) -> None:
    held = create(workspace, DAMAGE, NESTED)
    ident = held["normalized"]["tools"][0]["featureSchemaId"]
    answer = workspace.rest("DELETE", f"/ontologies/{held['id']}/feature-schemas/{ident}")
    assert answer == (200, {"archived": False, "deleted": True})
    assert names(workspace, held) == ["Tooth"]
    assert read_feature(workspace, ident)["name"] == "Damage"


def test_a_root_feature_with_labels_is_archived_and_can_be_brought_back(workspace: Workspace) -> None:
    held = create(workspace, DAMAGE, NESTED)
    ident = held["normalized"]["tools"][0]["featureSchemaId"]
    path = f"/ontologies/{held['id']}/feature-schemas/{ident}"
    label(workspace, ident)
    assert workspace.rest("DELETE", path) == (200, {"archived": True, "deleted": False})
    assert names(workspace, held) == ["Tooth"]
    assert read(workspace, held["id"])["objectSchemaCount"] == 1
    status, body = workspace.rest("GET", f"/ontologies/{held['id']}")
    shown = {node["name"]: node["archived"] for node in body["featureSchemaNodes"]["tools"]}
    assert (status, shown) == (200, {"Tooth": False, "Damage": True})
    assert workspace.rest("PATCH", f"{path}/unarchive") == (200, {"unarchived": True})
    assert names(workspace, held) == ["Tooth", "Damage"]
    assert workspace.rest("PATCH", f"{path}/unarchive") == (200, {"unarchived": True})
    assert names(workspace, held) == ["Tooth", "Damage"]


def test_a_label_on_a_nested_feature_archives_its_root(workspace: Workspace) -> None:
    held = create(workspace, NESTED)
    tool = held["normalized"]["tools"][0]
    label(workspace, tool["classifications"][0]["options"][1]["featureSchemaId"])
    path = f"/ontologies/{held['id']}/feature-schemas/{tool['featureSchemaId']}"
    assert workspace.rest("DELETE", path)[1]["archived"] is True


def test_the_unarchive_of_what_is_not_there_is_refused_in_the_services_words(workspace: Workspace) -> None:
    held = create(workspace, DAMAGE)
    status, body = workspace.rest("PATCH", f"/ontologies/{held['id']}/feature-schemas/{'c' * 25}/unarchive")
    assert (status, body["message"]) == (404, f"Failed to find feature schema node by id: {'c' * 25}")


def test_a_nested_feature_without_labels_is_deleted_everywhere(workspace: Workspace) -> None:
    first = create(workspace, NESTED)
    second = create(workspace, *first["normalized"]["tools"])
    option = first["normalized"]["tools"][0]["classifications"][0]["options"][0]["featureSchemaId"]
    answer = workspace.rest("DELETE", f"/ontologies/{first['id']}/feature-schemas/{option}")
    assert answer == (200, {"archived": False, "deleted": True})
    for held in (first, second):
        kind = read(workspace, held["id"])["normalized"]["tools"][0]["classifications"][0]
        assert [each["value"] for each in kind["options"]] == ["crack"]


def test_a_nested_feature_with_labels_stays(workspace: Workspace) -> None:
    held = create(workspace, NESTED)
    option = held["normalized"]["tools"][0]["classifications"][0]["options"][0]["featureSchemaId"]
    label(workspace, option)
    status, body = workspace.rest("DELETE", f"/ontologies/{held['id']}/feature-schemas/{option}")
    assert (status, "has labels" in body["message"]) == (422, True)
    assert read(workspace, held["id"])["normalized"] == held["normalized"]


def test_the_last_option_of_a_question_stays(workspace: Workspace) -> None:
    question = {"type": "radio", "name": "x", "options": [{"value": "only"}]}
    held = create(workspace, classifications=[question])
    option = held["normalized"]["classifications"][0]["options"][0]["featureSchemaId"]
    assert workspace.rest("DELETE", f"/ontologies/{held['id']}/feature-schemas/{option}")[0] == 400


def test_a_label_in_a_project_archives_what_it_names_until_it_is_deleted(workspace: Workspace) -> None:
    held = create(workspace, DAMAGE, NESTED)
    project = workspace.ask('mutation { createProject(data: {name: "Step 1"}) { id } }')["id"]
    data = f'{{name: "teeth", projects: {{connect: {{id: "{project}"}}}}}}'
    dataset = workspace.ask(f"mutation {{ createDataset(data: {data}) {{ id }} }}")["id"]
    place = f'dataset: {{connect: {{id: "{dataset}"}}}}'
    data_row = workspace.ask(
        f'mutation {{ createDataRow(data: {{rowData: "https://x/1", {place}}}) {{ id }} }}'
    )
    connect(workspace, project, held["id"])
    ident = held["normalized"]["tools"][0]["featureSchemaId"]
    told = workspace.ask(
        "mutation ($data: LabelCreateInput!) { createLabel(data: $data) { id } }",
        data={
            "label": json.dumps({"objects": [{"featureId": "x", "schemaId": ident}]}),
            "project": {"connect": {"id": project}},
            "dataRow": {"connect": {"id": data_row["id"]}},
        },
    )
    path = f"/ontologies/{held['id']}/feature-schemas/{ident}"
    assert workspace.rest("DELETE", path)[1] == {"archived": True, "deleted": False}
    workspace.ask("mutation ($ids: [ID!]!) { deleteLabels(labelIds: $ids) { id } }", ids=[told["id"]])
    assert workspace.rest("DELETE", path)[1] == {"archived": False, "deleted": True}


# Editing features -------------------------------------------------------------------------------------


def test_a_feature_edited_in_place_changes_in_every_ontology_that_holds_it(workspace: Workspace) -> None:
    first = create(workspace, NESTED)
    tool = first["normalized"]["tools"][0]
    second = create(workspace, DAMAGE, tool)
    changed = json.loads(json.dumps(tool))
    changed["color"] = "white"
    changed["classifications"][0]["options"][0]["label"] = "Caries"
    assert put(workspace, tool["featureSchemaId"], changed) == (200, {"schemaId": tool["featureSchemaId"]})
    assert read(workspace, first["id"])["normalized"]["tools"] == [changed]
    assert read(workspace, second["id"])["normalized"]["tools"][1] == changed


def test_an_edit_keeps_given_ids_and_mints_new_ones(workspace: Workspace) -> None:
    held = create(workspace, classifications=[QUESTION])
    before = held["normalized"]["classifications"][0]
    after = json.loads(json.dumps(before))
    after["options"].insert(0, {"value": "maybe"})
    put(workspace, before["featureSchemaId"], after)
    found = read(workspace, held["id"])["normalized"]["classifications"][0]
    assert [option["value"] for option in found["options"]] == ["maybe", "yes", "no"]
    assert found["options"][1:] == before["options"]
    assert len(found["options"][0]["featureSchemaId"]) == 25


def test_an_option_left_out_is_dropped_unless_labels_use_it(workspace: Workspace) -> None:
    question = {"type": "radio", "name": "x", "options": [{"value": value} for value in ("a", "b", "c")]}
    held = create(workspace, classifications=[question])
    before = held["normalized"]["classifications"][0]
    label(workspace, before["options"][1]["featureSchemaId"])
    put(workspace, before["featureSchemaId"], before | {"options": before["options"][2:]})
    found = read(workspace, held["id"])["normalized"]["classifications"][0]
    assert [option["value"] for option in found["options"]] == ["c"]
    _, body = workspace.rest("GET", f"/ontologies/{held['id']}")
    shown = body["featureSchemaNodes"]["classifications"][0]["options"]
    assert [(each["value"], each["archived"]) for each in shown] == [("c", False), ("b", True)]
    put(workspace, before["featureSchemaId"], before | {"options": before["options"][1:]})
    found = read(workspace, held["id"])["normalized"]["classifications"][0]
    assert found["options"] == before["options"][1:]


def test_a_label_on_what_lies_below_an_option_keeps_the_option(workspace: Workspace) -> None:
    inner = {"type": "text", "name": "why?"}
    question = {"type": "radio", "name": "x", "options": [{"value": "a", "options": [inner]}, {"value": "b"}]}
    held = create(workspace, classifications=[question])
    before = held["normalized"]["classifications"][0]
    label(workspace, before["options"][0]["options"][0]["featureSchemaId"])
    put(workspace, before["featureSchemaId"], before | {"options": before["options"][1:]})
    _, body = workspace.rest("GET", f"/ontologies/{held['id']}")
    shown = body["featureSchemaNodes"]["classifications"][0]["options"]
    assert [(each["value"], each["archived"]) for each in shown] == [("b", False), ("a", True)]


@pytest.mark.parametrize(
    ("content", "change"), [(DAMAGE, {"tool": "line"}), (QUESTION, {"type": "checklist"}), (DAMAGE, QUESTION)]
)
def test_a_feature_never_changes_its_type(workspace: Workspace, content: Any, change: Any) -> None:
    ident = feature(workspace, content)
    body = change if "name" in change else content | change
    status, answer = put(workspace, ident, body)
    assert (status, "cannot become" in answer["message"]) == (400, True)


def test_a_nested_question_never_changes_its_type(workspace: Workspace) -> None:
    ident = feature(workspace, NESTED)
    content = read_feature(workspace, ident)
    content["classifications"][0]["type"] = "radio"
    assert put(workspace, ident, content)[0] == 400


def test_put_makes_a_new_feature_under_the_name_that_says_so(workspace: Workspace) -> None:
    status, body = put(workspace, "new_feature_schema_id", DAMAGE | {"featureSchemaId": None})
    assert status == 200
    assert read_feature(workspace, body["schemaId"])["name"] == "Damage"


def test_put_refuses_an_unknown_feature_a_foreign_id_and_a_missing_body(workspace: Workspace) -> None:
    ident = feature(workspace, DAMAGE)
    status, body = put(workspace, "c" * 25, DAMAGE)
    assert (status, body["message"]) == (
        404,
        f"Cannot find root schema node with feature schema id {'c' * 25}",
    )
    assert put(workspace, ident, DAMAGE | {"featureSchemaId": "c" * 25})[0] == 400
    assert workspace.rest("PUT", f"/feature-schemas/{ident}")[0] == 400
    assert workspace.rest("PUT", f"/feature-schemas/{ident}", {"normalized": DAMAGE})[0] == 400


def test_a_feature_gets_a_new_title(workspace: Workspace) -> None:
    ident = feature(workspace, QUESTION)
    path = f"/feature-schemas/{ident}/definition"
    assert workspace.rest("PATCH", path, {"title": "broken?"})[0] == 200
    found = read_feature(workspace, ident)
    assert (found["name"], found["instructions"], found["featureSchemaId"]) == ("broken?", "broken?", ident)
    assert workspace.rest("PATCH", path, {"title": ""})[0] == 400
    assert workspace.rest("PATCH", f"/feature-schemas/{'c' * 25}/definition", {"title": "x"})[0] == 404


# Deleting ---------------------------------------------------------------------------------------------


def test_a_feature_is_deleted_once_and_only_when_no_ontology_holds_it(workspace: Workspace) -> None:
    held = create(workspace, DAMAGE)
    ident = held["normalized"]["tools"][0]["featureSchemaId"]
    path = f"/feature-schemas/{ident}"
    status, body = workspace.rest("DELETE", path)
    assert (status, body["message"]) == (
        409,
        "Feature schema cannot be deleted because it is used in ontologies",
    )
    workspace.rest("DELETE", f"/ontologies/{held['id']}")
    assert workspace.rest("DELETE", path) == (204, None)
    assert workspace.rest("DELETE", path)[1]["message"] == "Feature schema is already deleted"
    assert workspace.refused(FEATURE, where={"featureSchemaId": ident})[0] == "RESOURCE_NOT_FOUND"
    status, body = workspace.rest("DELETE", f"/feature-schemas/{'c' * 25}")
    assert (status, body["message"]) == (
        404,
        f"Cannot find root schema node with feature schema id {'c' * 25}",
    )


def test_a_feature_that_labels_use_is_not_deleted_with_its_last_ontology(workspace: Workspace) -> None:
    held = create(workspace, DAMAGE)
    ident = held["normalized"]["tools"][0]["featureSchemaId"]
    label(workspace, ident)
    workspace.rest("DELETE", f"/ontologies/{held['id']}")
    status, body = workspace.rest("DELETE", f"/feature-schemas/{ident}")
    assert (status, "used in annotations" in body["message"]) == (409, True)


def test_an_ontology_is_deleted_only_when_no_living_project_uses_it(workspace: Workspace) -> None:
    held = create(workspace, DAMAGE)
    project = workspace.ask('mutation { createProject(data: {name: "Step 1"}) { id } }')["id"]
    connect(workspace, project, held["id"])
    assert read(workspace, held["id"])["projects"] == [{"id": project}]
    status, body = workspace.rest("DELETE", f"/ontologies/{held['id']}")
    assert (status, body["message"]) == (
        409,
        f"Cannot delete an ontology connected to a project. The ontology is connected to projects: {project}",
    )
    assert workspace.rest("GET", "/ontologies/unused") == (200, [])
    delete = "mutation ($id: ID!) { updateProject(where: {id: $id}, data: {deleted: true}) { id } }"
    workspace.ask(delete, id=project)
    assert workspace.rest("GET", "/ontologies/unused") == (200, [held["id"]])
    assert workspace.rest("DELETE", f"/ontologies/{held['id']}") == (204, None)
    assert workspace.refused(READ, id=held["id"])[0] == "RESOURCE_NOT_FOUND"
    assert workspace.rest("GET", f"/ontologies/{held['id']}")[0] == 404


def test_unused_features_are_listed_a_hundred_at_a_time(workspace: Workspace) -> None:
    create(workspace, DAMAGE)
    made = [feature(workspace, {"tool": "line", "name": str(number)}) for number in range(103)]
    status, first = workspace.rest("GET", "/feature-schemas/unused", {"after": None})
    assert (status, first) == (200, made[:100])
    assert workspace.rest("GET", "/feature-schemas/unused", {"after": first[-1]}) == (200, made[100:])
    assert workspace.rest("GET", "/feature-schemas/unused", {"after": "nonsense"})[0] == 400


def test_a_root_schema_node_is_deleted_through_graphql_too(workspace: Workspace) -> None:
    document = "mutation ($id: ID!) { deleteRootSchemaNode(where: {id: $id}) { id deleted } }"
    made = workspace.ask(CREATE_FEATURE, data={"normalized": json.dumps(DAMAGE)})
    assert workspace.ask(document, id=made["id"]) == {"id": made["id"], "deleted": True}
    assert workspace.refused(document, id=made["id"])[0] == "RESOURCE_CONFLICT"
    assert workspace.refused(document, id="c" * 25)[0] == "RESOURCE_NOT_FOUND"
