"""Drift: what the stack says, what was applied, what is live, in every combination."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbstack.graph import Graph
from lbstack.kinds.contract import Fields, Kind, Live
from lbstack.live import Snapshot
from lbstack.plan.changes import Action
from lbstack.plan.drift import IMPORTED, LEFT, NEW, DriftReport, report
from lbstack.plan.planner import plan
from lbstack.plan.threeway import Verdict
from lbstack.stack.model import Lifecycle, Resource, Stack
from lbstack.state.model import Entry, State
from lbstack.values import Address, Digest, Source
from tests.conftest import World
from tests.laws.wishes import law
from tests.test_plan_diff import Shelf

HERE = Source("stack.yaml", 1, 1)
A = Address("shelf", "a")
KINDS: dict[str, Kind] = {"shelf": Shelf()}
NOTHING = object()
"""Not written, not applied, or not told."""


def part(size: int, **inner: Any) -> Fields:
    return {"size": size, **({"options": inner} if inner else {})}


# The values that each sort of field takes, and one that says "none".
FIELDS: dict[str, tuple[str, list[Any], Any]] = {
    "scalar": ("label", ["one", "two", "three"], ""),
    "set": ("tags", [["a", "b"], ["b"], ["b", "c"]], []),
    "map": ("settings", [{"n": 1}, {"n": 2}, {"n": 3}], {}),
    "parts": ("parts", [{"p": part(1, o=part(7))}, {"p": part(1, o=part(8))}, {"p": part(1, o=part(9))}], {}),
}  # fmt: skip

# stack, applied, live as numbers of a value; n stands for "none", . for what is not there at all.
TABLE = [
    ("000", None),
    ("100", Verdict.PENDING),
    ("001", Verdict.DRIFTED),
    ("101", Verdict.CONVERGED),
    ("102", Verdict.CONFLICT),
    ("n00", Verdict.PENDING),
    ("00n", Verdict.DRIFTED),
    ("n0n", Verdict.CONVERGED),
    ("n01", Verdict.CONFLICT),
    ("10n", Verdict.CONFLICT),
    ("0n0", Verdict.CONVERGED),
    ("0nn", Verdict.PENDING),
    ("nn0", Verdict.DRIFTED),
    ("0n1", Verdict.CONFLICT),
    ("nnn", None),
    (".00", None),  # no longer managed
    (".01", None),
    ("0.0", Verdict.CONVERGED),
    ("0.1", Verdict.PENDING),
    ("n.n", Verdict.CONVERGED),
    ("n.0", Verdict.PENDING),
    ("..0", None),
]


def shelf(resource: Fields | None, applied: Fields | None, live: Fields | None, **more: Any) -> DriftReport:
    """The report on one shelf; None: not in the stack, not in state, not there."""
    return report(*stations(resource, applied, live, **more), KINDS)


def stations(
    resource: Fields | None,
    applied: Fields | None,
    live: Fields | None,
    ignore: tuple[str, ...] = (),
    **entry: Any,
) -> tuple[Graph, State, Snapshot]:
    resources = {} if resource is None else {A: Resource(A, resource, HERE, Lifecycle(None, ignore))}
    graph = Graph(Stack("s", resources, {}, (), (), (), ""), tuple(resources), dict.fromkeys(resources, ()))
    known = {} if applied is None else {A: Entry("id-a", applied, **entry)}
    state = State("s", "lineage", "endpoint", "org", resources=known)
    there = {A: None if live is None else Live("id-a", live, updated=0.0)} if known else {}
    return graph, state, Snapshot("org", resources=there)


@pytest.mark.parametrize(("codes", "verdict"), TABLE, ids=[codes for codes, _ in TABLE])
@pytest.mark.parametrize("sort", FIELDS)
def test_the_drift_table(sort: str, codes: str, verdict: Verdict | None) -> None:
    name, values, none = FIELDS[sort]
    known = {"n": none, ".": NOTHING, **{str(n): value for n, value in enumerate(values)}}
    sides = [{} if (v := known[code]) is NOTHING else {name: copy.deepcopy(v)} for code in codes]
    # Beside it stands a field that nobody touches, and what is in state was applied.
    told = shelf(*({"shape": "round", **side} for side in sides))
    found = {line.verdict for each in told.resources for line in each.fields}
    if sort == "set" and verdict is Verdict.CONFLICT:
        assert found == by_item(*(set(side[name]) for side in sides))
    else:
        assert found == ({verdict} if verdict else set())
    assert all(line.path[0] == name for each in told.resources for line in each.fields)


def by_item(stack: set[str], applied: set[str], live: set[str]) -> set[Verdict]:
    """Items of a set come and go one by one, so that two sides never want different things of one."""
    ours, theirs = stack ^ applied, live ^ applied
    told = {Verdict.PENDING: ours - theirs, Verdict.DRIFTED: theirs - ours, Verdict.CONVERGED: ours & theirs}
    return {verdict for verdict, items in told.items() if items}


def test_what_two_sides_do_to_a_set_is_told_item_by_item() -> None:
    told = shelf({"tags": ["b", "s", "x"]}, {"tags": ["a", "b", "c"]}, {"tags": ["b", "l", "x", "c"]})
    assert {line.path[1]: line.verdict for line in told.resources[0].fields} == {
        "a": Verdict.CONVERGED,  # gone on both sides
        "x": Verdict.CONVERGED,  # come on both
        "c": Verdict.PENDING,
        "s": Verdict.PENDING,
        "l": Verdict.DRIFTED,
    }


INSIDE = [
    # one side takes away what the other changed inside: told where both meet
    ({}, {"p": part(1)}, {"p": part(2)}, {("parts", "p"): Verdict.CONFLICT}),
    ({"p": part(2)}, {"p": part(1)}, {}, {("parts", "p"): Verdict.CONFLICT}),
    ({}, {"p": part(1)}, {}, {("parts", "p"): Verdict.CONVERGED}),
    # both bring the same part
    ({"q": part(1)}, {}, {"q": part(1)}, {("parts", "q"): Verdict.CONVERGED}),
    ({"q": part(1)}, {}, {"q": part(2)}, {("parts", "q"): Verdict.CONFLICT}),
    # each side changes another place of one part
    (
        {"p": {"size": 2, "color": "red"}}, {"p": {"size": 1, "color": "red"}}, {"p": {"size": 1, "color": "blue"}},
        {("parts", "p", "size"): Verdict.PENDING, ("parts", "p", "color"): Verdict.DRIFTED},
    ),
    # a nested part that one side removed with all that is in it, while the other changed it
    (
        {"p": part(1)}, {"p": part(1, o=part(1))}, {"p": part(1, o=part(2))},
        {("parts", "p", "options"): Verdict.CONFLICT},
    ),
    # the order
    ({"b": part(1), "a": part(1)}, {"a": part(1), "b": part(1)}, {"a": part(1), "b": part(1)}, {("parts",): Verdict.PENDING}),
    ({"a": part(1), "b": part(1)}, {"a": part(1), "b": part(1)}, {"b": part(1), "a": part(1)}, {("parts",): Verdict.DRIFTED}),
    ({"b": part(1), "a": part(1)}, {"a": part(1), "b": part(1)}, {"b": part(1), "a": part(1)}, {("parts",): Verdict.CONVERGED}),
    (
        {n: part(1) for n in "bac"}, {n: part(1) for n in "abc"}, {n: part(1) for n in "cab"},
        {("parts",): Verdict.CONFLICT},
    ),
    # both brought the same part, each to another place
    (
        {n: part(1) for n in "xa"}, {n: part(1) for n in "a"}, {n: part(1) for n in "ax"},
        {("parts", "x"): Verdict.CONVERGED, ("parts",): Verdict.CONFLICT},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stack", "applied", "live", "want"), INSIDE, ids=[str(n) for n in range(len(INSIDE))]
)
def test_parts_are_compared_where_both_moves_meet(
    stack: Fields, applied: Fields, live: Fields, want: Any
) -> None:
    told = shelf({"parts": stack}, {"parts": applied}, {"parts": live})
    assert {line.path: line.verdict for each in told.resources for line in each.fields} == want


# -- whole resources -----------------------------------------------------------------------------------


def only(told: DriftReport) -> tuple[Verdict, str]:
    (each,) = told.resources
    return each.verdict, each.reason


def test_what_becomes_of_whole_resources() -> None:
    one, two = {"label": "one"}, {"label": "two"}
    assert only(shelf(one, None, None)) == (Verdict.PENDING, NEW)
    assert only(shelf(one, one, None))[0] is Verdict.MISSING
    assert only(shelf(one, one, None, ending=True))[0] is Verdict.PENDING
    assert only(shelf(None, one, one)) == (Verdict.PENDING, LEFT)
    assert only(shelf(None, one, two)) == (Verdict.DRIFTED, LEFT)
    assert only(shelf(None, one, None))[0] is Verdict.CONVERGED
    assert only(shelf(None, one, None, ending=True))[0] is Verdict.CONVERGED
    assert shelf(one, one, one).resources == () and shelf(one, one, one).agreed == (A,)


def test_only_what_another_hand_did_is_wrong() -> None:
    one, two = {"label": "one"}, {"label": "two"}
    assert not shelf(two, one, one).wrong
    assert not shelf(two, one, two).wrong
    assert not shelf(two, None, None).wrong
    assert shelf(one, one, two).wrong
    assert shelf(one, one, None).wrong
    assert shelf({"label": "three"}, one, two).wrong


def test_what_is_left_to_others_does_not_drift() -> None:
    assert not shelf({"label": "one"}, {"label": "one"}, {"label": "two"}, ignore=("label",)).resources


def test_what_a_broken_apply_left_in_doubt_is_pending_whatever_is_live() -> None:
    told = shelf({"label": "two"}, {"label": "one"}, {"label": "three"}, unfinished=("label",))
    assert only(told)[0] is Verdict.PENDING
    assert told.resources[0].fields[0].note == "the last apply did not finish this"


def test_a_secret_cannot_drift_and_another_one_is_pending() -> None:
    old, new = Digest("00"), Digest("01")
    assert not shelf({"secret": old}, {"secret": old}, {}).resources
    assert only(shelf({"secret": new}, {"secret": old}, {}))[0] is Verdict.PENDING


def test_the_time_of_a_change_is_told_and_changes_no_plan() -> None:
    graph, state, snapshot = stations({"label": "one"}, {"label": "one"}, {"label": "two"})
    assert report(graph, state, snapshot, KINDS).resources[0].updated == 0.0
    live = snapshot.resources[A]
    assert live
    later = replace(snapshot, resources={A: replace(live, updated=9.0)})
    assert plan(graph, state, later, KINDS) == plan(graph, state, snapshot, KINDS)


def test_what_is_to_be_imported_is_pending() -> None:
    graph, state, snapshot = stations({"label": "one"}, {}, {"label": "two"})
    told = report(graph, state, snapshot, KINDS, imports=[(A, "id-a")])
    assert only(told) == (Verdict.PENDING, IMPORTED)


SIZES = st.integers(0, 2)
PARTS = st.dictionaries(
    st.sampled_from("xyz"),
    st.fixed_dictionaries(
        {"size": SIZES}, optional={"options": st.dictionaries(st.sampled_from("op"), SIZES)}
    ),
)
BODY = st.fixed_dictionaries(
    {
        "label": st.sampled_from(["", "one", "two"]),
        "tags": st.lists(st.sampled_from("abc"), unique=True),
        "parts": PARTS,
    }
)


@law(300)
@given(BODY, BODY, BODY)
def test_whatever_a_plan_would_change_is_pending_drifted_or_in_conflict(
    stack: Fields, applied: Fields, live: Fields
) -> None:
    made = plan(*stations(stack, applied, live), KINDS)
    told = shelf(stack, applied, live)
    open_ = [line for each in told.resources for line in each.fields if line.verdict is not Verdict.CONVERGED]
    changes = [line for change in made.changes for line in change.fields]
    assert bool(open_) == bool(changes), (open_, changes)
    assert {line.path[0] for line in open_} == {line.path[0] for line in changes}


@law(200)
@given(BODY, BODY)
def test_only_the_stack_moved_is_never_wrong_and_only_live_moved_always_is(
    applied: Fields, other: Fields
) -> None:
    assert not shelf(other, applied, applied).wrong
    differs = bool(plan(*stations(applied, applied, other), KINDS).changes[0].action is not Action.NOOP)
    assert shelf(applied, applied, other).wrong is differs


# -- in the sandbox -------------------------------------------------------------------------------------

STACK = """stack: test
datasets:
  d: {name: D, description: Rows}
projects:
  p:
    name: P
    media_type: IMAGE
    datasets: [d]
ontologies:
  o:
    name: O
    media_type: IMAGE
    tools:
      - {tool: Polygon, name: Crack, classifications: [{type: radio, name: Deep, options: [yes, no]}]}
"""


def test_a_place_is_where_the_stack_says_it(world: World) -> None:
    world.write(STACK)
    world.apply()
    ids = {str(address): entry.id for address, entry in world.state.resources.items()}
    world.graphql(
        'mutation($id: ID!) { updateDataset(where: {id: $id}, data: {name: "X"}) { id } }',
        id=ids["dataset.d"],
    )
    world.graphql(
        "mutation($id: ID!, $d: [WhereUniqueIdInput!]) { updateProject(where: {id: $id}, data: {datasets: {disconnect: $d}}) { id } }",
        id=ids["project.p"], d=[{"id": ids["dataset.d"]}],
    )  # fmt: skip
    world.write(STACK.replace("[yes, no]", "[yes, no, perhaps]").replace("name: O\n", "name: Q\n"))
    told = {str(each.address): each for each in world.drift().resources}
    assert {name: each.verdict for name, each in told.items()} == {
        "dataset.d": Verdict.DRIFTED, "project.p": Verdict.DRIFTED, "ontology.o": Verdict.PENDING,
    }  # fmt: skip
    places = {
        name: [(line.path[-1], line.source.line, line.source.column) for line in each.fields if line.source]
        for name, each in told.items()
    }
    assert places["dataset.d"] == [("name", 3, 13)]
    assert places["project.p"] == [(ids["dataset.d"], 8, 16)]
    line = world.stack.read_text().splitlines()[13]
    assert places["ontology.o"] == [("name", 11, 11), ("perhaps", 14, line.index("perhaps") + 1)]
    assert told["dataset.d"].updated is not None


def test_a_reference_to_what_will_be_replaced_is_pending(world: World) -> None:
    world.write(STACK.replace("    datasets: [d]\n", "    datasets: [d]\n    ontology: o\n"))
    world.apply()
    world.write(
        world.stack.read_text()
        .replace("media_type: IMAGE\n    tools", "media_type: VIDEO\n    tools")
        .replace("media_type: IMAGE", "media_type: VIDEO")
    )
    told = world.drift()
    assert not told.wrong
    assert {str(each.address) for each in told.resources} == {"ontology.o", "project.p"}
