"""Ontologies through the engine, against the sandbox: every edit, and an empty plan after each."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from starlette.responses import PlainTextResponse

from lbstack.errors import ServiceError
from lbstack.kinds.contract import Reply, Tracked
from lbstack.kinds.ontology.carry import path_of
from lbstack.kinds.ontology.kind import Ontology
from lbstack.kinds.ontology.spec import OntologySpec
from lbstack.plan.changes import Action
from lbstack.render.fields import field_line
from lbstack.render.text import change_lines, plan_lines
from lbstack.values import Address, Ref, Template
from tests.conftest import World

DAMAGE = {
    "tool": "polygon",
    "name": "Damage",
    "color": "#ff3b30",
    "classifications": [
        {"type": "checklist", "name": "Kind", "options": ["caries", {"value": "crack", "label": "Crack"}]}
    ],
}
TOOTH = {"tool": "rectangle", "name": "Tooth"}
EDITOR = "{ labelingFrontends(skip: 0, first: 100) { id } }"
SET_EDITOR = """mutation ($p: ID!, $e: ID!) {
  updateProject(where: {id: $p}, data: {labelingFrontend: {connect: {id: $e}}}) { id }
}"""
CONNECT = """mutation ($p: ID!, $o: ID!) {
  project(where: {id: $p}) { connectOntology(ontologyId: $o) { id } }
}"""
DELETE_PROJECT = "mutation ($p: ID!) { updateProject(where: {id: $p}, data: {deleted: true}) { id } }"
DAMAGED = {"type": "radio", "name": "Damaged?", "options": ["yes", "no"]}


def write(world: World, **fields: Any) -> None:
    spec = {"name": "Teeth", "media_type": "IMAGE", **fields}
    world.write(yaml.safe_dump({"stack": "test", "ontologies": {"teeth": spec}}))


def apply(world: World, **fields: Any) -> list[str]:
    """Apply an ontology of these fields; gives the lines of the plan, a difference a line. The next plan must
    be empty."""
    write(world, **fields)
    plan = world.plan()
    lines = []
    for change in plan.actions:
        heading, *whole = change_lines(change, plan.names)
        told = [field_line(line, plan.names) for line in change.fields] or whole
        lines += [line.strip() for line, _ in (heading, *told)]
    outcome = world.apply(plan)
    assert not outcome.failed, world.events
    again = world.plan()
    assert again.empty, [line for line, _ in plan_lines(again)]
    assert not again.drift
    return [line for line in lines if line[:1] in "~+-" and line]


def said(world: World) -> list[str]:
    return [event.text for event in world.events if event.type == "said"]


def id_of(world: World) -> str:
    id = world.state.resources[Address("ontology", "teeth")].id
    assert id
    return id


def live(world: World) -> dict[str, Any]:
    document = "query ($id: ID!) { ontology(where: {id: $id}) { name mediaType normalized } }"
    found: dict[str, Any] = world.graphql(document, id=id_of(world))["ontology"]
    return found | found["normalized"]


def ids(world: World, *path: str | int) -> str:
    node: Any = live(world)
    for step in path:
        node = node[step]
    return str(node["featureSchemaId"])


def label(world: World, feature: str) -> None:
    """A label appears that bears an annotation of this feature."""
    world.workspace.insert("label_features", {"labelId": "l1", "featureSchemaId": feature})


# -- life --------------------------------------------------------------------------------------------


def test_it_is_created_with_everything_in_it(world: World) -> None:
    edge = {"tool": "relationship", "name": "sits on", "definition": {"constraints": [["Damage", "Tooth"]]}}
    apply(world, tools=[edge, DAMAGE, TOOTH], classifications=[DAMAGED])
    made = live(world)
    assert [tool["name"] for tool in made["tools"]] == ["Damage", "Tooth"]
    (relationship,) = made["relationships"]
    ends = [ids(world, "tools", 0), ids(world, "tools", 1)]
    assert relationship["definition"]["constraints"] == [ends]
    options = made["tools"][0]["classifications"][0]["options"]
    assert [option["label"] for option in options] == ["caries", "Crack"]


def test_it_is_renamed(world: World) -> None:
    apply(world, tools=[DAMAGE])
    before = ids(world, "tools", 0)
    assert apply(world, tools=[DAMAGE], name="Molars")[1:] == ['~ name = "Teeth" -> "Molars"']
    assert live(world)["name"] == "Molars"
    assert ids(world, "tools", 0) == before


def test_another_media_type_replaces_it(world: World) -> None:
    apply(world, tools=[DAMAGE])
    before = id_of(world)
    assert any("forces replacement" in line for line in apply(world, tools=[DAMAGE], media_type="video"))
    assert id_of(world) != before
    assert live(world)["mediaType"] == "VIDEO"


def test_it_is_deleted_and_refused_while_a_project_uses_it(world: World) -> None:
    apply(world, tools=[DAMAGE])
    made = world.graphql('mutation { createProject(data: {name: "p"}) { id } }')["createProject"]["id"]
    world.graphql(SET_EDITOR, p=made, e=world.graphql(EDITOR)["labelingFrontends"][0]["id"])
    world.graphql(CONNECT, p=made, o=id_of(world))
    world.write("stack: test\n")
    assert world.apply().failed
    assert "connected to projects" in str(world.events[-1].problems)
    world.graphql(DELETE_PROJECT, p=made)
    plan = world.plan()
    assert [change.action for change in plan.actions] == [Action.DELETE]
    assert not world.apply(plan).failed
    assert not world.state.resources


ROOTS = "{ rootSchemaNodes(first: 100) { nodes { name } } }"


def test_its_features_go_with_it_unless_others_use_them(world: World) -> None:
    apply(world, tools=[DAMAGE, TOOTH], classifications=[DAMAGED])
    shared = json.dumps({"tools": [live(world)["tools"][1]], "classifications": []})
    document = 'mutation($n: String!) { upsertOntology(data: {name: "Theirs", normalized: $n}) { id } }'
    world.graphql(document, n=shared)
    apply(world, tools=[TOOTH], classifications=[DAMAGED])  # what an edit removes goes, too
    assert sorted(node["name"] for node in world.graphql(ROOTS)["rootSchemaNodes"]["nodes"]) == [
        "Damaged?",
        "Tooth",
    ]
    world.write("stack: test\n")
    assert not world.apply().failed
    assert world.graphql(ROOTS)["rootSchemaNodes"]["nodes"] == [{"name": "Tooth"}]


# -- edits ---------------------------------------------------------------------------------------------


def test_features_are_added_at_their_positions(world: World) -> None:
    apply(world, tools=[TOOTH], classifications=[DAMAGED])
    kept = ids(world, "tools", 0)
    apply(world, tools=[DAMAGE, TOOTH, {"tool": "point", "name": "Tip"}], classifications=[DAMAGED])
    assert [tool["name"] for tool in live(world)["tools"]] == ["Damage", "Tooth", "Tip"]
    assert ids(world, "tools", 1) == kept


def test_a_rename_keeps_the_feature_and_all_that_is_in_it(world: World) -> None:
    apply(world, tools=[DAMAGE, TOOTH])
    tool, question = ids(world, "tools", 0), ids(world, "tools", 0, "classifications", 0)
    option = ids(world, "tools", 0, "classifications", 0, "options", 1)
    kind = {
        "type": "checklist", "name": "Sort", "previously": "Kind",
        "options": ["caries", {"value": "fracture", "previously": "crack", "label": "Crack"}],
    }  # fmt: skip
    harm = DAMAGE | {"name": "Harm", "previously": "Damage", "classifications": [kind]}
    lines = apply(world, tools=[harm, TOOTH])
    assert '~ tools["polygon Harm"].name = "Damage" -> "Harm"' in lines
    assert not any(line.startswith(("+ tools", "- tools")) for line in lines)
    assert ids(world, "tools", 0) == tool
    assert ids(world, "tools", 0, "classifications", 0) == question
    assert ids(world, "tools", 0, "classifications", 0, "options", 1) == option


def test_a_renamed_tool_stays_the_end_of_a_relationship(world: World) -> None:
    def edge(name: str) -> dict[str, Any]:
        return {"tool": "edge", "name": "on", "definition": {"constraints": [[name, "Tooth"]]}}

    apply(world, tools=[DAMAGE, TOOTH, edge("Damage")])
    lines = apply(world, tools=[DAMAGE | {"name": "Harm", "previously": "Damage"}, TOOTH, edge("Harm")])
    assert lines[1:] == ['~ tools["polygon Harm"].name = "Damage" -> "Harm"']


def test_a_relationship_follows_the_tools_it_names(world: World) -> None:
    edge = {"tool": "edge", "name": "on", "definition": {"constraints": [["Damage", "Tooth"]]}}
    apply(world, tools=[DAMAGE, TOOTH, edge])
    tip = {"tool": "point", "name": "Tip"}
    changed = edge | {"definition": {"constraints": [["Tip", "Tooth"]]}}
    more = {"tool": "edge", "name": "near", "definition": {"constraints": [["Tip", "Tip"]]}}
    lines = apply(world, tools=[tip, more, TOOTH, changed])
    assert '+ tools["edge on"].constraints["point Tip -> rectangle Tooth"]' in "\n".join(lines)
    made = live(world)
    assert [each["name"] for each in made["relationships"]] == ["near", "on"]
    assert made["relationships"][1]["definition"]["constraints"] == [
        [ids(world, "tools", 0), ids(world, "tools", 1)]
    ]
    assert said(world) == ["deleted polygon Damage"]


def test_parts_are_reordered(world: World) -> None:
    tip = {"tool": "point", "name": "Tip"}
    apply(world, tools=[DAMAGE, TOOTH, tip], classifications=[DAMAGED])
    before = [ids(world, "tools", index) for index in range(3)]
    backwards = DAMAGED | {"options": ["no", "yes"]}
    lines = apply(world, tools=[TOOTH, tip, DAMAGE], classifications=[backwards])
    assert len(lines) == 3 and all("reordered" in line for line in lines[1:])
    assert [ids(world, "tools", index) for index in range(3)] == [before[1], before[2], before[0]]


def test_a_new_order_is_remembered(world: World) -> None:
    apply(world, tools=[DAMAGE, TOOTH])
    apply(world, tools=[TOOTH, DAMAGE])
    assert not world.plan().drift


def test_options_are_added_removed_and_changed(world: World) -> None:
    apply(world, classifications=[DAMAGED], tools=[])
    no = ids(world, "classifications", 0, "options", 1)
    why = {"type": "text", "name": "Why?"}
    options = [{"value": "no", "label": "No!", "options": [why]}, "maybe"]
    lines = apply(world, tools=[], classifications=[DAMAGED | {"options": options}])
    path = 'classifications["radio Damaged?"].options'
    assert f'~ {path}[no].label = "no" -> "No!"' in lines
    assert ids(world, "classifications", 0, "options", 0) == no
    assert said(world) == ["deleted radio Damaged? / yes"]


def test_a_nested_change_prints_its_own_line_alone(world: World) -> None:
    deep = {"type": "radio", "name": "Depth", "options": ["deep", "flat"]}
    kind = {"type": "checklist", "name": "Kind", "options": [{"value": "crack", "options": [deep]}]}
    apply(world, tools=[DAMAGE | {"classifications": [kind]}])
    kind = json.loads(json.dumps(kind).replace('"flat"', '{"value": "flat", "label": "Flat"}'))
    path = 'tools["polygon Damage"].classifications["checklist Kind"].options[crack].options["radio Depth"]'
    assert apply(world, tools=[DAMAGE | {"classifications": [kind]}])[1:] == [
        f'~ {path}.options[flat].label = "flat" -> "Flat"'
    ]


def test_a_changed_tool_type_is_a_removal_and_an_addition(world: World) -> None:
    apply(world, tools=[DAMAGE, TOOTH])
    before = ids(world, "tools", 1)
    lines = apply(world, tools=[DAMAGE, TOOTH | {"tool": "polygon"}])
    assert [line[:24] for line in lines[1:]] == ['+ tools["polygon Tooth"]', '- tools["rectangle Tooth']
    assert ids(world, "tools", 1) != before


def test_removal_says_whether_it_was_archived_or_deleted(world: World) -> None:
    apply(world, tools=[DAMAGE, TOOTH])
    label(world, ids(world, "tools", 0))
    apply(world, tools=[])
    assert said(world) == ["deleted rectangle Tooth", "archived polygon Damage: it has labels"]


def test_what_was_archived_is_brought_back(world: World) -> None:
    apply(world, tools=[TOOTH, DAMAGE])
    before = ids(world, "tools", 1)
    label(world, before)
    apply(world, tools=[TOOTH])
    apply(world, tools=[DAMAGE | {"color": "red"}, TOOTH])
    assert said(world) == ["brought back polygon Damage (was archived)"]
    assert ids(world, "tools", 0) == before
    assert live(world)["tools"][0]["color"] == "red"


def test_an_option_with_labels_is_archived_and_brought_back(world: World) -> None:
    apply(world, tools=[], classifications=[DAMAGED])
    before = ids(world, "classifications", 0, "options", 0)
    label(world, before)
    apply(world, tools=[], classifications=[DAMAGED | {"options": ["no"]}])
    assert said(world) == ["archived radio Damaged? / yes: it has labels"]
    apply(world, tools=[], classifications=[DAMAGED])
    assert ids(world, "classifications", 0, "options", 0) == before


def test_what_is_not_written_is_left_alone(world: World) -> None:
    apply(world, tools=[DAMAGE], classifications=[DAMAGED])
    plain = {name: value for name, value in DAMAGE.items() if name != "color"}
    assert apply(world, tools=[plain]) == []
    apply(world, tools=[plain | {"required": True}])
    assert live(world)["tools"][0]["color"] == "#ff3b30"
    assert [each["name"] for each in live(world)["classifications"]] == ["Damaged?"]
    apply(world, tools=None, classifications=[])
    assert live(world)["tools"] == live(world)["classifications"] == []


def test_one_option_among_two_hundred_features(world: World) -> None:
    def features(label: str) -> list[dict[str, Any]]:
        labels = ["A"] * 99 + [label] + ["A"] * 100
        return [
            {"type": "radio", "name": f"q{number}", "options": [{"value": "a", "label": each}, "b"]}
            for number, each in enumerate(labels)
        ]

    apply(world, tools=[], classifications=features("A"))
    asked = world.app.state.sandbox.requests
    assert apply(world, tools=[], classifications=features("Z"))[1:] == [
        '~ classifications["radio q99"].options[a].label = "A" -> "Z"'
    ]
    assert world.app.state.sandbox.requests - asked <= 6


def test_every_special_feature_makes_the_round_trip(world: World) -> None:
    variants = [{"id": 0, "name": "Correct"}, {"id": 1, "name": "Incorrect", "actions": ["regenerateSteps"]}]
    issue = {"type": "checklist", "name": "Issues", "options": ["unclear"]}
    tools = [
        {"tool": "step-reasoning", "name": "Steps", "definition": {"variants": variants}},
        {"tool": "prompt-issue", "name": "Issue", "classifications": [issue]},
        {"tool": "message-ranking", "name": "Rank"},
    ]
    classifications = [
        {"type": "prompt", "name": "Ask", "minCharacters": 2, "max_characters": 40},
        {"type": "response-radio", "name": "Pick", "options": [1, 2]},
        {"type": "text", "name": "Frame note", "scope": "index", "attributes": [
            {"attributeName": "a", "attributeValue": "1"}]},
        {"type": "radio", "name": "Scale", "options": [1, 2], "ui_mode": "Searchable", "isLikertScale": True},
    ]  # fmt: skip
    apply(world, media_type="llm", tools=tools, classifications=classifications)
    variants[0]["actions"] = ["skip"]
    lines = apply(world, media_type="LLM", tools=tools, classifications=classifications)
    assert lines[1:] == ['+ tools["step-reasoning Steps"].variants[Correct].actions[skip] = true']


def test_json_copied_from_the_service_changes_nothing(world: World) -> None:
    edge = {"tool": "relationship", "name": "on", "definition": {"constraints": [["Damage", "Tooth"]]}}
    apply(world, tools=[DAMAGE, TOOTH, edge], classifications=[DAMAGED])
    copied = live(world)["normalized"]
    assert apply(world, **copied) == []


def failing_after(app: Any, count: int) -> Any:
    """The service, which answers 500 to every REST change after so many."""
    changes = 0

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        nonlocal changes
        if scope["path"].startswith("/api/") and scope["method"] != "GET":
            changes += 1
            if changes > count:
                await PlainTextResponse("later", 500)(scope, receive, send)
                return
        await app(scope, receive, send)

    return asgi


@pytest.mark.parametrize("count", range(6))
def test_an_apply_that_died_half_way_is_finished_by_the_next(world: World, count: int) -> None:
    harm = DAMAGE | {"name": "Harm", "previously": "Damage"}
    edge = {"tool": "edge", "name": "on", "definition": {"constraints": [["Tip", "Harm"]]}}
    apply(world, tools=[TOOTH, DAMAGE, {"tool": "line", "name": "Gone"}], classifications=[DAMAGED])
    kept = ids(world, "tools", 1)
    wish = {"tools": [harm, edge, {"tool": "point", "name": "Tip"}, TOOTH], "classifications": []}
    write(world, **wish)
    app, world.app = world.app, failing_after(world.app, count)
    assert world.apply().failed
    world.app = app
    apply(world, **wish)
    assert [tool["name"] for tool in live(world)["tools"]] == ["Harm", "Tip", "Tooth"]
    assert ids(world, "tools", 0) == kept


def test_many_are_read_by_pages(world: World) -> None:
    stack = {f"o{n}": {"name": f"o{n}", "tools": [TOOTH]} for n in range(130)}
    world.write(yaml.safe_dump({"stack": "test", "ontologies": stack}))
    world.apply()
    asked = world.app.state.sandbox.requests
    assert world.plan().empty
    assert world.app.state.sandbox.requests - asked <= 3


# -- the parts by themselves ---------------------------------------------------------------------------


def problems(**fields: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        OntologySpec(name="x", **fields)
    return [(error["loc"], error["msg"]) for error in caught.value.errors()]


def test_mistakes_are_told_where_they_stand() -> None:
    text = Template(("x", Ref(Address("dataset", "d"))))
    tools = [
        {"tool": "polygone", "name": "A"},
        {"tool": "point", "name": text},
        {"tool": "point", "name": "B", "classifications": [{"type": "text", "name": "t", "scope": "global"}]},
        {"tool": "point", "name": "C", "colour": "red"},
    ]
    radio = {"type": "radio", "name": "r"}
    found = problems(tools=tools, classifications=[radio, radio | {"options": ["a", True]}])
    assert [loc for loc, _ in found] == [
        ("tools", 0, "tool"),
        ("tools", 1, "name"),
        ("tools", 2, "classifications", 0, "scope"),
        ("tools", 3, "colour"),
        ("classifications", 0),
        ("classifications", 1, "options", 1, "value"),
    ]
    assert "needs at least one option" in found[4][1]


def test_names_must_tell_siblings_apart() -> None:
    again = {"type": "radio", "name": "r", "options": ["a", "b", {"value": "a"}]}
    assert [loc for loc, _ in problems(classifications=[again])] == [("classifications", 0, "options", 2)]
    two = [TOOTH | {"previously": "T"}, TOOTH | {"name": "Z", "previously": "T"}, TOOTH]
    assert [loc for loc, _ in problems(tools=two)] == [("tools", 1, "previously"), ("tools", 2)]


def test_a_constraint_names_one_tool() -> None:
    ends = [["Tooth", "Nobody"], ["Damage", "on"]]
    edge = {"tool": "edge", "name": "on", "definition": {"constraints": ends}}
    found = problems(tools=[TOOTH, TOOTH | {"tool": "point"}, DAMAGE, edge])
    place = ("tools", 3, "definition", "constraints")
    assert [loc for loc, _ in found] == [(*place, 0, 0), (*place, 0, 1), (*place, 1, 1)]
    assert "rectangle Tooth, point Tooth" in found[0][1]


def test_an_ontology_has_limits() -> None:
    prompt = {"type": "prompt", "name": "p"}
    assert problems(classifications=[prompt, prompt | {"name": "q"}])[0][0] == ("classifications", 1)
    options = [str(number) for number in range(4000)]
    assert "4001 features" in problems(classifications=[DAMAGED | {"options": options}])[0][1]


def test_a_reference_may_stand_in_instructions_and_not_in_a_name() -> None:
    text = Template(("see ", Ref(Address("dataset", "d"))))
    question = {"type": "text", "name": "q", "instructions": text}
    want = Ontology().wanted("x", OntologySpec(name=text, classifications=[question]))
    assert want["name"] == text
    assert want["classifications"]["text q"]["instructions"] == text
    assert "tools" not in want and "media_type" not in want


def test_a_page_that_is_too_complex_is_read_by_id() -> None:
    tracked = [Tracked(Address("ontology", str(n)), f"id{n}") for n in range(20)]
    reading = Ontology().read(tracked)
    assert len(next(reading)) == 1
    assert len(reading.send([Reply(too_complex=True)])) == 20


def test_an_id_cannot_lead_a_request_elsewhere() -> None:
    with pytest.raises(ServiceError):
        path_of("ontologies", "../../projects/cabcdefghijklmnopqrstuvwx")
