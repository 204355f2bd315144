"""``drift --accept``: whatever drifts is taken over into the stack, and the plan is empty afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lbstack.cli import accepting
from lbstack.cli.accepting import Accepted, Seen
from lbstack.errors import ConfigError, StackError
from lbstack.kinds import KINDS
from lbstack.plan.drift import report
from lbstack.plan.threeway import Verdict
from lbstack.session import load_graph, make_plan
from lbstack.values import Address
from tests.conftest import World
from tests.meanwhile import happen


def look(world: World, **more: Any) -> tuple[Seen, Any, Any]:
    settings = world.settings(**more)
    files = accepting.read_files(settings)
    graph = load_graph(settings)
    read: list[Any] = []
    plan, _ = world.wired(
        lambda wire: make_plan(
            settings, graph, world.state, wire, refuse=False, on_read=lambda *both: read.append(both)
        )
    )
    ((state, snapshot),) = read
    return Seen(files, graph, state, snapshot), plan, report(graph, state, snapshot, KINDS, made=plan)


def accept(world: World, *addresses: str) -> Accepted:
    seen, plan, told = look(world)
    wanted = [Address.parse(address) for address in addresses]
    done = accepting.accepted(world.settings(), seen, plan, told, wanted)
    accepting.write(seen, done)
    return done


UPDATE_DATASET = 'mutation {{ updateDataset(where: {{id: "<dataset.d>"}}, data: {{{}}}) {{ id }} }}'
UPDATE_PROJECT = 'mutation {{ updateProject(where: {{id: "<project.p>"}}, data: {{{}}}) {{ id }} }}'
UPDATE_WEBHOOK = 'mutation {{ updateWebhook(where: {{id: "<webhook.w>"}}, data: {{{}}}) {{ id }} }}'
UPDATE_AWS = 'mutation {{ updateAwsIamIntegration(where: {{id: "<integration.i>"}}, data: {{{}}}) {{ id }} }}'
UPDATE_GCP = 'mutation {{ updateGcpIamIntegration(where: {{id: "<integration.g>"}}, data: {{{}}}) {{ id }} }}'
UPDATE_AZURE = (
    'mutation {{ updateAzureIamIntegration(where: {{id: "<integration.a>"}}, data: {{{}}}) {{ id }} }}'
)
ROLE = 'mutation {{ setProjectMembership(data: {{userId: "<member.m@example.com>", projectId: "<project.p>", roleId: "{}"}}) {{ id }} }}'
FEATURE = "<the feature {}>"
ARN = "arn:aws:iam::123456789012:role/"


def on_the_ontology(verb: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"rest": {"method": verb, "path": path, **({"body": body} if body is not None else {})}}


DEEP = {
    "type": "radio", "name": "Deep", "instructions": "Deep",
    "options": [{"value": "yes", "label": "yes"}, {"value": "no", "label": "no"}],
}  # fmt: skip


def edit_feature(called: str, **node: Any) -> tuple[str, str, dict[str, Any]]:
    """Another hand edits a feature as a whole; what is nested in it keeps its ids by its names."""
    return ("feature", called, node)


@dataclass(frozen=True)
class Case:
    """A body, what another hand does to it, and the body that says so."""

    before: str
    happens: list[Any]
    after: str
    beside: str = ""
    happens_first: list[Any] = field(default_factory=list)


INTEGRATION = "integrations:\n  i: {provider: aws, name: I}\n"
GOOD = "integrations:\n  g: {provider: gcp, name: G, read_bucket: photos}\n"
GOOD_BUCKET = [
    {
        "put_gcp_bucket": {
            "name": "photos",
            "reader": "<integration.g>@labelbox-delegated.iam.gserviceaccount.com",
        }
    }
]
TWO = "datasets:\n  d: {name: D}\n  e: {name: E}\n"
ONTOLOGY = """ontologies:
  o:  # what labelers see
    name: O
    media_type: IMAGE
    tools:
      - tool: polygon
        name: Crack  # in enamel
        color: "#ff0000"
        classifications:
          - type: radio
            name: Deep
            options: [yes, no]  # of the dentist
      # beside it
      - {tool: rectangle, name: Tooth}
    classifications: [{type: text, name: Note}]
"""
TABLE: dict[str, Case] = {
    "dataset.name": Case(
        "datasets:\n  d: {name: D}  # rows\n", [UPDATE_DATASET.format('name: "By hand"')],
        "datasets:\n  d: {name: By hand}  # rows\n",
    ),
    "dataset.name, hostile": Case(
        "datasets:\n  d: {name: D}\n", [UPDATE_DATASET.format('name: "a: [b], ${var.x} #c"')],
        'datasets:\n  d: {name: "a: [b], $${var.x} #c"}\n',
    ),
    "dataset.description": Case(
        "datasets:\n  d:\n    name: D\n    description: one  # why\n", [UPDATE_DATASET.format('description: "two"')],
        "datasets:\n  d:\n    name: D\n    description: two  # why\n",
    ),
    "dataset.description, lines": Case(
        "datasets:\n  d:\n    name: D\n    description: |-\n      one\n      two\n",
        [UPDATE_DATASET.format('description: "one\\nthree"')],
        "datasets:\n  d:\n    name: D\n    description: |-\n      one\n      three\n",
    ),
    "dataset.description, gone": Case(
        "datasets:\n  d: {name: D, description: one}\n", [UPDATE_DATASET.format('description: ""')],
        'datasets:\n  d: {name: D, description: ""}\n',
    ),
    "dataset.description, from none": Case(
        "datasets:\n  d: {name: D, description: null}\n", [UPDATE_DATASET.format('description: "x"')],
        "datasets:\n  d: {name: D, description: x}\n",
    ),
    "dataset.integration": Case(
        "datasets:\n  d: {name: D, integration: null}\n",
        ['mutation { setSignerForDataset(where: {id: "<dataset.d>"}, data: {signerId: "<integration.g>"}) { id } }'],
        "datasets:\n  d: {name: D, integration: g}\n",
        GOOD,
        happens_first=GOOD_BUCKET,
    ),
    "dataset.integration, gone": Case(
        "datasets:\n  d: {name: D, integration: g}\n",
        ['mutation { clearSignerForDataset(where: {id: "<dataset.d>"}) { id } }'],
        "datasets:\n  d: {name: D, integration: null}\n",
        GOOD,
        happens_first=GOOD_BUCKET,
    ),
    "project.name and description": Case(
        "projects:\n  p: {name: P, description: x, media_type: IMAGE}\n",
        [UPDATE_PROJECT.format('name: "Q", description: "z"')],
        "projects:\n  p: {name: Q, description: z, media_type: IMAGE}\n",
    ),
    "project.media_type": Case(
        "projects:\n  p: {name: P, media_type: image}\n", [UPDATE_PROJECT.format("allowedMediaType: TEXT")],
        "projects:\n  p: {name: P, media_type: TEXT}\n",
    ),
    "project.quality": Case(
        "projects:\n  p: {name: P, media_type: IMAGE, quality: {mode: consensus, labels: 3, coverage: 0.5}}\n",
        [UPDATE_PROJECT.format("autoAuditNumberOfLabels: 4, autoAuditPercentage: 0.25")],
        "projects:\n  p: {name: P, media_type: IMAGE, quality: {mode: consensus, labels: 4, coverage: 0.25}}\n",
    ),
    "project.ontology": Case(
        "projects:\n  p: {name: P, media_type: IMAGE, ontology: o}\n",
        ['mutation { project(where: {id: "<project.p>"}) { connectOntology(ontologyId: "<ontology.other>") { id } } }'],
        "projects:\n  p: {name: P, media_type: IMAGE, ontology: other}\n",
        "ontologies:\n  o: {name: O, media_type: IMAGE}\n  other: {name: Other, media_type: IMAGE}\n",
    ),
    "project.ontology, gone": Case(
        "projects:\n  p: {name: P, media_type: IMAGE, ontology: o}\n",
        [UPDATE_PROJECT.format("ontology: {disconnect: true}")],
        "projects:\n  p: {name: P, media_type: IMAGE, ontology: null}\n",
        "ontologies:\n  o: {name: O, media_type: IMAGE}\n",
    ),
    "project.datasets": Case(
        "projects:\n  p:\n    name: P\n    media_type: IMAGE\n    datasets:\n      - d  # the first\n",
        [UPDATE_PROJECT.format('datasets: {connect: [{id: "<dataset.e>"}]}')],
        "projects:\n  p:\n    name: P\n    media_type: IMAGE\n    datasets:\n      - d  # the first\n      - e\n",
        TWO,
    ),
    "project.datasets, gone": Case(
        "projects:\n  p: {name: P, media_type: IMAGE, datasets: [d, dataset.e]}\n",
        [UPDATE_PROJECT.format('datasets: {disconnect: [{id: "<dataset.d>"}]}')],
        "projects:\n  p: {name: P, media_type: IMAGE, datasets: [dataset.e]}\n",
        TWO,
    ),
    "webhook.url and topics": Case(
        "webhooks:\n  w: {url: https://a.example.com, topics: [label_created], secret: a-secret-of-sixteen}\n",
        [UPDATE_WEBHOOK.format('url: "https://b.example.com/x", topics: {set: [LABEL_CREATED, REVIEW_DELETED]}')],
        "webhooks:\n  w: {url: \"https://b.example.com/x\", topics: [label_created, REVIEW_DELETED], secret: a-secret-of-sixteen}\n",
    ),
    "integration, aws": Case(
        "integrations:\n  i:\n    provider: aws\n    name: I\n    role_arn: null\n    read_bucket: one\n",
        [UPDATE_AWS.format('name: "J", roleArn: "", readBucket: "two"')],
        "integrations:\n  i:\n    provider: aws\n    name: J\n    role_arn: null\n    read_bucket: two\n",
    ),
    "member.projects": Case(
        "members:\n  m@example.com:\n    projects:\n      p: LABELER  # for now\n", ["accept", ("role", "REVIEWER")],
        "members:\n  m@example.com:\n    projects:\n      p: REVIEWER  # for now\n",
        "projects:\n  p: {name: P, media_type: IMAGE}\n",
    ),
    "member.projects, gone": Case(
        "members:\n  m@example.com: {projects: {p: LABELER, q: LABELER}}\n",
        ["accept", 'mutation { deleteProjectMemberships(where: {projectId: "<project.p>", userIds: ["<member.m@example.com>"]}) { success } }'],
        "members:\n  m@example.com: {projects: {q: LABELER}}\n",
        "projects:\n  p: {name: P, media_type: IMAGE}\n  q: {name: Q, media_type: IMAGE}\n",
    ),
    "member.role": Case(
        "members:\n  m@example.com: {role: LABELER}\n", ["accept", ("organisation", "REVIEWER")],
        "members:\n  m@example.com: {role: REVIEWER}\n",
    ),
    "ontology.name": Case(
        ONTOLOGY, ['mutation { ontology(where: {id: "<ontology.o>"}) { update(data: {name: "Q"}) { id } } }'],
        ONTOLOGY.replace("name: O\n", "name: Q\n"),
    ),
    "a tool has another color, and is required": Case(
        ONTOLOGY, [edit_feature("Crack", tool="polygon", name="Crack", color="#00ff00", required=True, classifications=[DEEP])],
        ONTOLOGY.replace('"#ff0000"\n', '"#00ff00"\n').replace('          - type: radio', '          - type: radio').replace(
            "options: [yes, no]  # of the dentist\n", "options: [yes, no]  # of the dentist\n        required: true\n"
        ),
    ),
    "a tool is required": Case(
        ONTOLOGY, [edit_feature("Tooth", tool="rectangle", name="Tooth", required=True)],
        ONTOLOGY.replace("name: Tooth}", "name: Tooth, required: true}"),
    ),
    "a nested option comes, another gets a label": Case(
        ONTOLOGY,
        [edit_feature("Crack", tool="polygon", name="Crack", color="#ff0000", classifications=[
            {**DEEP, "options": [{"value": "yes", "label": "Very"}, {"value": "no", "label": "no"}, {"value": "a bit", "label": "a bit", "options": [
                {"type": "text", "name": "How", "instructions": "How"}]}]}])],
        ONTOLOGY.replace("[yes, no]", "[{value: \"yes\", label: Very}, no, {value: a bit, options: [{type: text, name: How}]}]"),
    ),
    "a nested classification goes": Case(
        ONTOLOGY, [edit_feature("Crack", tool="polygon", name="Crack", color="#ff0000")],
        ONTOLOGY.replace("""        classifications:
          - type: radio
            name: Deep
            options: [yes, no]  # of the dentist
""", ""),
    ),
    "instructions, and more": Case(
        ONTOLOGY, [edit_feature("Note", type="text", name="Note", instructions="Say more", required=True)],
        ONTOLOGY.replace("name: Note}", "name: Note, instructions: Say more, required: true}"),
    ),
    "a tool is renamed": Case(
        ONTOLOGY, [on_the_ontology("PATCH", "/feature-schemas/<the feature Tooth>/definition", {"title": "Molar"})],
        ONTOLOGY.replace("      # beside it\n      - {tool: rectangle, name: Tooth}\n", "      - tool: rectangle\n        name: Molar\n"),
    ),
    "a tool comes": Case(
        ONTOLOGY,
        [
            on_the_ontology("PUT", "/feature-schemas/new_feature_schema_id", {"normalized": '{"tool": "point", "name": "Tip"}'}),
            on_the_ontology("POST", "/ontologies/<ontology.o>/feature-schemas/<the feature Tip>", {"position": 1}),
        ],
        ONTOLOGY.replace("      # beside it\n", "      - tool: point\n        name: Tip\n      # beside it\n"),
    ),
    "a tool goes": Case(
        ONTOLOGY, [on_the_ontology("DELETE", "/ontologies/<ontology.o>/feature-schemas/<the feature Tooth>")],
        ONTOLOGY.replace("      # beside it\n      - {tool: rectangle, name: Tooth}\n", ""),
    ),
    "tools change places": Case(
        ONTOLOGY, [on_the_ontology("POST", "/ontologies/<ontology.o>/feature-schemas/<the feature Tooth>", {"position": 0})],
        ONTOLOGY.replace("      # beside it\n      - {tool: rectangle, name: Tooth}\n", "")
        .replace("    tools:\n", "    tools:\n      # beside it\n      - {tool: rectangle, name: Tooth}\n"),
    ),
    "the last classification goes": Case(
        ONTOLOGY, [on_the_ontology("DELETE", "/ontologies/<ontology.o>/feature-schemas/<the feature Note>")],
        ONTOLOGY.replace("[{type: text, name: Note}]", "[]"),
    ),
}  # fmt: skip


def with_ids(node: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """A feature with the ids that its parts had."""
    kept = {name: old[name] for name in ("featureSchemaId", "schemaNodeId") if name in old}
    for inner in ("classifications", "options"):
        before = {part.get("name", part.get("value")): part for part in old.get(inner) or []}
        if inner in node:
            parts = [
                with_ids(part, before.get(part.get("name", part.get("value")), {})) for part in node[inner]
            ]
            kept[inner] = parts
    return {**node, **kept}


def act(world: World, event: Any) -> None:
    if event == "accept":
        happen(world, {"accept_invite": "m@example.com"})
        assert world.plan().empty
        world.apply()  # from now on state knows the person's own id
    elif isinstance(event, tuple) and event[0] == "feature":
        _, name, node = event
        found = world.graphql("{ rootSchemaNodes(first: 100) { nodes { name normalized } } }")[
            "rootSchemaNodes"
        ]
        old = next(each["normalized"] for each in found["nodes"] if each["name"] == name)
        told = json.dumps(with_ids(node, old))
        happen(world, on_the_ontology("PUT", f"/feature-schemas/<the feature {name}>", {"normalized": told}))
    elif isinstance(event, tuple):
        roles = {role["name"]: role["id"] for role in world.graphql("{ roles { id name } }")["roles"]}
        role = next(id for name, id in roles.items() if name.upper() == event[1])
        if event[0] == "role":
            happen(world, ROLE.format(role))
        else:
            happen(
                world,
                f'mutation {{ setOrganizationRole(data: {{userId: "<member.m@example.com>", roleId: "{role}"}}) {{ id }} }}',
            )
    else:
        happen(world, event)


@pytest.mark.parametrize("name", TABLE)
def test_what_drifts_is_taken_over_and_the_plan_is_empty(world: World, name: str) -> None:
    case = TABLE[name]
    head = "# what we label\nstack: test\n" + case.beside
    world.write(head + case.before)
    world.apply()
    for event in case.happens_first:
        act(world, event)
    if case.happens_first:
        world.apply()
    for event in case.happens:
        act(world, event)
    assert world.drift().wrong
    done = accept(world)
    assert not done.problems, done.problems
    assert world.stack.read_text() == head + case.after
    assert world.plan().empty, world.plan().actions
    told = world.drift()
    assert not told.wrong
    assert {each.verdict for each in told.resources} == {Verdict.CONVERGED}
    world.apply()  # takes note
    assert not world.drift().resources


# -- what is refused -----------------------------------------------------------------------------------

STACK = """stack: test
variables:
  env: {default: dev}
datasets:
  d:
    name: D-${var.env}
    description: one
"""


def by_hand(world: World, **data: str) -> None:
    told = ", ".join(f'{name}: "{text}"' for name, text in data.items())
    happen(world, UPDATE_DATASET.format(told))


def test_a_field_from_a_variable_is_refused_at_its_place_and_the_others_are_taken_over(world: World) -> None:
    world.write(STACK)
    world.apply()
    by_hand(world, name="X", description="two")
    done = accept(world)
    (problem,) = done.problems
    assert problem.source and (problem.source.line, problem.source.column) == (6, 11)
    assert "dataset.d: name cannot be edited here: it comes from ${var.env}" in problem.summary
    assert world.stack.read_text() == STACK.replace("one", "two")
    assert done.report and done.report.wrong


def test_what_is_shared_by_anchor_or_merge_is_refused(world: World) -> None:
    text = """stack: test
datasets:
  first: &first {name: &name D, description: one}
  d: {<<: *first, name: *name}
"""
    world.write(text)
    world.apply()
    by_hand(world, name="X", description="two")
    done = accept(world)
    assert [problem.summary.partition(": it")[2] or problem.summary for problem in done.problems]
    assert len(done.problems) == 2 and world.stack.read_text() == text


def test_an_object_that_no_stack_manages_cannot_be_referred_to(world: World) -> None:
    world.write("stack: test\nprojects:\n  p: {name: P, media_type: IMAGE, datasets: []}\n")
    world.apply()
    id = world.graphql('mutation { createDataset(data: {name: "Theirs"}) { id } }')["createDataset"]["id"]
    happen(world, UPDATE_PROJECT.format(f'datasets: {{connect: [{{id: "{id}"}}]}}'))
    done = accept(world)
    assert f"datasets refers to dataset {id}, which this stack does not manage" in str(done.problems[0])
    assert not done.texts


def test_what_the_service_alone_sets_is_refused(world: World) -> None:
    world.write("stack: test\nintegrations:\n  g: {provider: gcp, name: G, read_bucket: photos}\n")
    world.apply()
    happen(world, UPDATE_GCP.format('name: "H", readBucket: "pictures"'))
    done = accept(world)
    assert ["valid stands in no stack" in str(problem) for problem in done.problems] == [True] * len(
        done.problems
    )
    assert "{provider: gcp, name: H, read_bucket: pictures}" in world.stack.read_text()


def test_what_is_missing_leaves_the_stack_only_where_it_is_named(world: World) -> None:
    world.write("stack: test\ndatasets:\n  # kept\n  e: {name: E}\n  d: {name: D}\n")
    world.apply()
    happen(world, UPDATE_DATASET.format("deleted: true"))
    done = accept(world)
    assert "taken out of the stack only where it is named" in str(done.problems[0]) and not done.texts
    assert accept(world, "dataset.d").addresses == [Address("dataset", "d")]
    assert world.stack.read_text() == "stack: test\ndatasets:\n  # kept\n  e: {name: E}\n"
    told = world.drift()
    assert not told.wrong and [each.verdict for each in told.resources] == [Verdict.CONVERGED]
    assert [change.action.value for change in world.plan().actions] == ["forget"]


def test_the_last_of_a_section_leaves_an_empty_one(world: World) -> None:
    world.write("stack: test\nontologies:\n  o: {name: O}\ndatasets:\n  # rows\n  d:\n    name: D\n")
    world.apply()
    happen(world, UPDATE_DATASET.format("deleted: true"))
    accept(world, "dataset.d")
    assert world.stack.read_text() == "stack: test\nontologies:\n  o: {name: O}\ndatasets:\n  # rows\n  {}\n"
    assert not world.drift().wrong


def test_only_what_is_named_is_taken_over(world: World) -> None:
    text = "stack: test\ndatasets:\n  e: {name: E}\n  d: {name: D}\n"
    world.write(text)
    world.apply()
    by_hand(world, name="X")
    happen(world, UPDATE_DATASET.format('name: "Y"').replace("dataset.d", "dataset.e"))
    assert accept(world, "dataset.d").addresses == [Address("dataset", "d")]
    assert world.stack.read_text() == text.replace("D}", "X}")
    with pytest.raises(ConfigError, match=r"dataset\.none is not in the stack"):
        accept(world, "dataset.none")


def test_what_is_pending_stays_as_the_stack_says_it(world: World) -> None:
    world.write("stack: test\ndatasets:\n  d: {name: D, description: one}\n")
    world.apply()
    world.write("stack: test\ndatasets:\n  d: {name: Mine, description: one}\n")
    by_hand(world, description="theirs")
    accept(world)
    assert world.stack.read_text() == "stack: test\ndatasets:\n  d: {name: Mine, description: theirs}\n"
    assert [line.path for change in world.plan().actions for line in change.fields] == [("name",)]


def test_in_a_conflict_live_is_taken_over(world: World) -> None:
    world.write("stack: test\ndatasets:\n  d: {name: D}\n")
    world.apply()
    world.write("stack: test\ndatasets:\n  d: {name: Mine}\n")
    by_hand(world, name="Theirs")
    accept(world)
    assert world.stack.read_text() == "stack: test\ndatasets:\n  d: {name: Theirs}\n"
    assert world.plan().empty


def test_a_stack_that_would_not_be_valid_is_not_written(world: World) -> None:
    text = "stack: test\ndatasets:\n  d: {name: D}\nprojects:\n  p: {name: P, media_type: IMAGE, datasets: [d]}\n"
    world.write(text)
    world.apply()
    happen(world, UPDATE_DATASET.format("deleted: true"))
    with pytest.raises(ConfigError, match="there is no dataset 'd' in the stack"):
        accept(world, "dataset.d")
    assert world.stack.read_text() == text


# -- files ---------------------------------------------------------------------------------------------


def test_a_file_that_changed_meanwhile_is_left_alone(world: World) -> None:
    world.write("stack: test\ndatasets:\n  d: {name: D}\n")
    world.apply()
    by_hand(world, name="X")
    seen, plan, told = look(world)
    done = accepting.accepted(world.settings(), seen, plan, told, [])
    world.write("stack: test\ndatasets:\n  d: {name: D}  # somebody types\n")
    with pytest.raises(StackError, match="was changed meanwhile, so nothing was written"):
        accepting.write(seen, done)
    assert "somebody types" in world.stack.read_text()
    assert [path.name for path in world.folder.iterdir() if "stack" in path.name] == ["stack.yaml"]


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_bytes_of_all_else_stay(world: World, ending: str, mark: bytes) -> None:
    text = "stack: test\n\ndatasets:\n  # ü\n  d: {name: D}\n  e: {name: 'E'}".replace("\n", ending)
    world.stack.write_bytes(mark + text.encode())
    world.stack.chmod(0o640)
    world.apply()
    by_hand(world, name="X")
    accept(world)
    assert world.stack.read_bytes() == mark + text.replace("D}", "X}").encode()
    assert world.stack.stat().st_mode & 0o777 == 0o640


def test_of_several_files_each_says_its_own(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    folder.mkdir()
    (folder / "a.yaml").write_text("stack: test\ndatasets:\n  d: {name: D}\n")
    (folder / "b.yaml").write_text("projects:\n  p: {name: P, media_type: IMAGE}\n")
    (folder / "c.yaml").write_text("# nothing\nontologies:\n  o: {name: O}\n")
    world.stack = folder
    world.apply()
    by_hand(world, name="X")
    happen(world, UPDATE_PROJECT.format('name: "Q"'))
    accept(world)
    assert (folder / "a.yaml").read_text() == "stack: test\ndatasets:\n  d: {name: X}\n"
    assert (folder / "b.yaml").read_text() == "projects:\n  p: {name: Q, media_type: IMAGE}\n"
    assert world.plan().empty


def test_a_reference_is_written_as_a_key_whatever_it_was(world: World) -> None:
    world.write(
        "stack: test\n"
        + TWO
        + 'projects:\n  p: {name: P, media_type: IMAGE, datasets: ["${dataset.d.id}"]}\n'
    )
    world.apply()
    happen(
        world,
        UPDATE_PROJECT.format(
            'datasets: {disconnect: [{id: "<dataset.d>"}], connect: [{id: "<dataset.e>"}]}'
        ),
    )
    accept(world)
    assert "datasets: [e]" in world.stack.read_text()
    assert world.plan().empty
