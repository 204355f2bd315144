"""The empty ontology that the service puts into a project whose editor is set up goes with the project.

Connecting the project's own ontology drops it. Where an apply is killed between the two, and then something
else is wanted than what it was about, no answer told of it; and nobody else's ontology may be taken for it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.reliability.bench import APPLY, DESTROY, Bench, Moment, a_bench
from tests.reliability.converged import state_store

SIGNS = """\
stack: story
ontologies:
  signs: {name: Signs, media_type: IMAGE, tools: [{tool: rectangle, name: Sign}]}
projects:
  signs: {name: Street signs, media_type: IMAGE, quality: {mode: benchmark}, ontology: signs}
"""
REPLACED = SIGNS.replace("mode: benchmark", "mode: consensus")
ONTOLOGY, PROJECT = SIGNS.partition("projects:\n")[0], SIGNS.partition("projects:\n")[2]
EMPTY = SIGNS.replace("name: Signs", "name: Street signs").replace("[{tool: rectangle, name: Sign}]", "[]")
"""Whose own ontology looks as the service's does."""
SET_UP = "createLabelingFrontendOptions"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Moment]]:
    with a_bench(tmp_path_factory.mktemp("editor")) as made:
        yield made, made.keep()


@pytest.fixture
def bench(served: tuple[Bench, Moment]) -> Bench:
    """An empty workspace."""
    bench, empty = served
    bench.back(empty)
    return bench


def killed(
    bench: Bench, text: str, op: str, words: tuple[str, ...] = APPLY, at: str = "after_commit"
) -> None:
    """Kill a command after it had a mutation committed, before it hears of that."""
    bench.write(text)
    bench.fault(at, {"barrier": "unanswered"}, op=op, nth=1)
    child = bench.start(*words)
    assert bench.reached("unanswered")
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    bench.behave()


def applied(bench: Bench, text: str, *words: str) -> None:
    bench.write(text)
    bench.done(*(words or APPLY))


def ontologies(bench: Bench) -> list[str]:
    return sorted(row["name"] for row in bench.store.rows("SELECT name FROM ontologies WHERE deleted = 0"))


def forget_what_followed(bench: Bench) -> None:
    """Leave of the journal and its twin what was written up to the last create."""
    for journal in bench.folder.glob("*.journal*"):
        lines = journal.read_bytes().splitlines(keepends=True)
        last = max(at for at, line in enumerate(lines) if b'"intent"' in line)
        journal.write_bytes(b"".join(lines[: last + 1]))


def own(bench: Bench) -> str:
    """The id of the ontology that the service made."""
    (row,) = bench.store.rows(
        "SELECT o.id FROM ontologies o JOIN labeling_frontend_options l ON l.ontologyId = o.id"
        " WHERE o.deleted = 0"
    )
    return str(row["id"])


def test_a_destroy_takes_it_along(bench: Bench) -> None:
    killed(bench, SIGNS, SET_UP)
    assert ontologies(bench) == ["Signs", "Street signs"]
    bench.done(*DESTROY)
    assert ontologies(bench) == []


def test_a_project_that_leaves_the_stack_takes_it_along(bench: Bench) -> None:
    killed(bench, SIGNS, SET_UP)
    applied(bench, ONTOLOGY)
    assert ontologies(bench) == ["Signs"]


def test_a_project_that_is_replaced_takes_it_along(bench: Bench) -> None:
    killed(bench, SIGNS, SET_UP)
    applied(bench, REPLACED)
    assert ontologies(bench) == ["Signs"]


@pytest.mark.parametrize("then", ["as it was", "destroyed"])
def test_a_replacement_that_was_begun_takes_it_along(bench: Bench, then: str) -> None:
    applied(bench, SIGNS)
    killed(bench, REPLACED, SET_UP)
    applied(bench, SIGNS, *(DESTROY if then == "destroyed" else ()))
    assert ontologies(bench) == ([] if then == "destroyed" else ["Signs"])


def test_a_project_whose_successor_nobody_heard_of_takes_it_along(bench: Bench) -> None:
    killed(bench, SIGNS, SET_UP)
    killed(bench, REPLACED, "createProject")
    applied(bench, SIGNS)
    assert ontologies(bench) == ["Signs"]


def test_what_was_deposed_and_ends_meanwhile_is_not_brought_back(bench: Bench) -> None:
    """What a project has of its own is noted while the one that it was to replace goes."""
    applied(bench, SIGNS)
    killed(bench, REPLACED, SET_UP)
    bench.fault("before_exec", {"delay_ms": 200}, op="project", type="query")  # one more of them
    bench.done(*DESTROY)
    bench.behave()
    assert not state_store(bench).load().resources


def test_a_project_that_shall_have_none_loses_it(bench: Bench) -> None:
    killed(bench, SIGNS, SET_UP)
    applied(bench, SIGNS.replace("ontology: signs", "ontology: null"))
    assert ontologies(bench) == ["Signs"]


def test_a_project_whose_ontology_is_left_alone_keeps_it_until_its_end(bench: Bench) -> None:
    killed(bench, SIGNS, SET_UP)
    applied(bench, SIGNS.replace(", ontology: signs", "").replace("name: Street signs", "name: Roads"))
    assert ontologies(bench) == ["Signs", "Street signs"]
    bench.done(*DESTROY)
    assert ontologies(bench) == []


def test_what_the_next_apply_sets_up_goes_too(bench: Bench) -> None:
    """The first was killed before its editor was set up, and made the project all the same."""
    killed(bench, SIGNS, "createProject")
    killed(bench, SIGNS, SET_UP)
    bench.done(*DESTROY)
    assert ontologies(bench) == []


def test_so_does_that_of_a_project_whose_later_records_are_not_at_hand(bench: Bench) -> None:
    """As on another machine: that knows the intent of the create, and finds the project by its marker."""
    killed(bench, SIGNS, SET_UP)
    forget_what_followed(bench)
    bench.done(*DESTROY)
    assert ontologies(bench) == []


@pytest.mark.parametrize("then", ["destroyed", "applied"])
@pytest.mark.parametrize("at", ["after_commit", "before_commit"])
def test_it_goes_though_the_end_of_its_project_is_cut_off(bench: Bench, at: str, then: str) -> None:
    killed(bench, SIGNS, SET_UP)
    killed(bench, SIGNS, "updateProject", DESTROY, at)
    bench.tell("POST", "/clock", {"advance_s": 1})  # what was made a moment ago is not taken for gone
    applied(bench, SIGNS, *(DESTROY if then == "destroyed" else ()))
    assert ontologies(bench) == ([] if then == "destroyed" else ["Signs"])


# -- what is somebody's ----------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["noted", "taken over"])
def test_the_stacks_own_ontology_is_never_taken_for_it(bench: Bench, known: bool) -> None:
    killed(bench, EMPTY, "project.connectOntology")
    if not known:
        forget_what_followed(bench)
    assert ontologies(bench) == ["Street signs"]
    applied(bench, EMPTY.partition("projects:\n")[0])
    assert ontologies(bench) == ["Street signs"]
    assert bench.command("plan", "stack.yaml", "--detailed-exitcode").returncode == 0


@pytest.mark.parametrize(
    "by",
    [
        "UPDATE projects SET ontologyId = '{own}' WHERE name = 'Other'",
        "UPDATE ontologies SET name = 'Renamed' WHERE id = '{own}'",
        "UPDATE ontologies SET createdAt = '2020-01-01T00:00:00.000Z' WHERE id = '{own}'",
        "UPDATE ontologies SET createdAt = '2090-01-01T00:00:00.000Z' WHERE id = '{own}'",
        "INSERT INTO ontology_features SELECT '{own}', id, 0, 0 FROM feature_schemas LIMIT 1",
    ],
    ids=["used elsewhere", "renamed", "made before", "made later", "with a feature"],
)
def test_what_is_not_as_the_service_made_it_stays(bench: Bench, by: str) -> None:
    other = "stack: other\nprojects: {other: {name: Other, media_type: IMAGE}}\n"
    (bench.folder / "other.yaml").write_text(other)
    bench.done("apply", "other.yaml", "--auto-approve", "--state", "other.json")
    killed(bench, SIGNS, SET_UP)
    bench.store.run(by.format(own=own(bench)))
    bench.done(*DESTROY)
    assert len(ontologies(bench)) == 1
