"""Projects with more than a page of anything."""

from __future__ import annotations

import pytest

from tests.conftest import World
from tests.meanwhile import ADD_ROW

DATASETS = 130


def stack(attached: int) -> str:
    datasets = "".join(f"  d{n}: {{name: D{n}}}\n" for n in range(DATASETS))
    names = ", ".join(f"d{n}" for n in range(attached))
    project = f"  big: {{name: Big, media_type: IMAGE, datasets: [{names}]}}\n"
    return f"stack: test\ndatasets:\n{datasets}projects:\n{project}"


@pytest.mark.parametrize(
    "attached", [20, 21, *(pytest.param(count, marks=pytest.mark.slow) for count in (19, 119, 120, 121))]
)
def test_all_datasets_of_a_project_are_read(world: World, attached: int) -> None:
    world.write(stack(attached))
    assert not world.apply().failed
    assert world.plan().empty
    world.write(stack(attached - 1))
    (change,) = world.plan().actions
    assert [line.path[0] for line in change.fields] == ["datasets"]
    assert not world.apply().failed
    assert world.plan().empty


@pytest.mark.parametrize("count", [1, 60])
def test_rows_of_attached_datasets_fix_the_media_type_and_are_not_lost(world: World, count: int) -> None:
    projects = "".join(f"  p{n}: {{name: P{n}, media_type: IMAGE, datasets: [a]}}\n" for n in range(count))
    text = f"stack: test\ndatasets: {{a: {{name: A}}}}\nprojects:\n{projects}"
    world.write(text)
    assert not world.apply().failed
    world.write(text.replace("IMAGE", "TEXT"))
    assert {change.action for change in world.plan().actions} == {"update"}
    dataset = next(entry.id for address, entry in world.state.resources.items() if address.key == "a")
    world.graphql(ADD_ROW, url="https://example.com/1.jpg", dataset=dataset)
    told = {(change.action, change.contents) for change in world.plan().actions}
    assert told == {("replace", 0)}


def test_a_project_whose_editor_was_half_set_up_is_finished(world: World) -> None:
    """The service fails between connecting the editor and connecting the ontology."""
    world.write(
        "stack: test\n"
        "ontologies: {o: {name: O, media_type: IMAGE, tools: [], classifications: []}}\n"
        "projects: {p: {name: P, media_type: IMAGE, ontology: o, review: 0.5}}\n"
    )
    world.workspace.run(
        "CREATE TRIGGER fail BEFORE INSERT ON labeling_frontend_options BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    outcome = world.apply()
    assert [str(step.address) for step in outcome.failed] == ["project.p"]
    world.workspace.run("DROP TRIGGER fail")
    (change,) = world.plan().actions
    assert change.changed == {"ontology", "review"}
    assert not world.apply().failed
    assert world.plan().empty
    assert world.workspace.value("SELECT count(*) FROM labeling_frontend_options") == 1
