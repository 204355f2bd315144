"""Station 2: every reference leads somewhere, there is no circle, and the order holds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbstack.errors import ConfigError
from lbstack.graph import Graph, build
from lbstack.session import Settings, load_graph
from lbstack.stack.loader import load
from lbstack.stack.problems import Problems
from tests.stack.made_up import KINDS, Desk, box, shelf

BREAK = "break the circle at one of them"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def graph(desk: Desk, text: str, **more: bool) -> Graph:
    return build(desk.load(f"stack: x\n{text}", **more), KINDS)


def complaints(desk: Desk, text: str, **more: bool) -> list[str]:
    stack = desk.load(f"stack: x\n{text}", **more)
    with pytest.raises(ConfigError) as caught:
        build(stack, KINDS)
    return desk.told(caught.value)


def test_dependencies_come_first_and_else_the_file_decides(desk: Desk) -> None:
    text = """\
boxes:
  d: {name: D, near: [c]}
  c: {name: C, shelf: low}
  b: {name: "on ${shelf.high.name}", keepers: {low: Ann}}
  a: {name: A}
shelves:
  low: {name: low}
  high: {name: high}
outputs: {o: "${box.d.id}"}
"""
    found = graph(desk, text)
    assert found.order == (box("a"), shelf("low"), box("c"), box("d"), shelf("high"), box("b"))
    assert found.needs[box("d")] == (box("c"),)
    assert found.needs[box("b")] == (shelf("high"), shelf("low"))
    assert found.needs[box("a")] == ()


def test_an_empty_stack_has_an_empty_graph(desk: Desk) -> None:
    assert graph(desk, "").order == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("boxes: {a: {name: A, shelf: low}}", ["2:29: there is no shelf 'low' in the stack; define it"]),
        (
            "shelves: {low: {name: L}}\nboxes: {a: {name: A, shelf: lw}}",
            ["3:29: there is no shelf 'lw' in the stack; did you mean 'low'?"],
        ),
        (
            "boxes: {a: {name: A, near: [a1, zz]}, a1: {name: B}}",
            ["2:33: there is no box 'zz' in the stack; define it, or write the key of another box"],
        ),
        (
            "boxes: {a: {name: A, keepers: {s: Ann}}}",
            ["2:35: there is no shelf 's' in the stack; define it"],
        ),
        (
            "boxes: {a: {name: 'x ${shelf.s.id}', anything: {b: ['${box.q.id}']}}}",
            [
                "2:19: there is no shelf 's' in the stack; define it",
                "2:53: there is no box 'q' in the stack; define it, or write the key of another box",
            ],
        ),
        ("outputs: {o: '${box.q.id}'}", ["2:11: there is no box 'q' in the stack; define it"]),
        (
            "boxes: {a: {name: A, near: [b]}, b: {name: B, near: [c]}, c: {name: C, near: [a]}}",
            [f"2:9: resources need each other: box.a → box.b → box.c → box.a; {BREAK}"],
        ),
        (
            "boxes: {a: {name: A, near: [a]}}",
            [f"2:9: resources need each other: box.a → box.a; {BREAK}"],
        ),
        (
            "shelves: {s: {name: S, open: false}}\nboxes: {a: {name: A, shelf: s}}",
            ["3:29: box.a: the shelf is closed"],
        ),
    ],
)
def test_what_can_be_wrong_between_resources(desk: Desk, text: str, told: list[str]) -> None:
    assert complaints(desk, text + "\n") == [f"s.yaml:{line}" for line in told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("moved: [{from: box.b, to: box.c}]", ["there is no box 'c' in the stack"]),
        ("moved: [{from: box.a, to: box.a}]", ["moved: box.a is still in the stack"]),
        ("moved: [{from: shelf.b, to: box.a}]", ["shelf.b cannot become box.a"]),
        (
            "moved: [{from: box.b, to: box.a}, {from: box.b, to: box.a}]",
            ["moved: box.b has gone elsewhere already", "two resources become box.a"],
        ),
        ("removed: [{address: box.a}]", ["removed: box.a is still in the stack"]),
        ("removed: [{address: box.b}, {address: box.b}]", ["removed: box.b has gone elsewhere already"]),
        (
            "moved: [{from: box.b, to: box.a}]\nremoved: [{address: box.b}]",
            ["removed: box.b has gone elsewhere already"],
        ),
        ("imports: [{address: box.b, id: i}]", ["there is no box 'b' in the stack"]),
        (
            "imports: [{address: box.a, id: i}, {address: box.a, id: j}]",
            ["box.a is imported twice"],
        ),
        (
            "shelves: {s: {name: S}}\nimports: [{address: box.a, id: i}, {address: shelf.s, id: i}]",
            [],
        ),
        (
            "shelves: {s: {name: S}, t: {name: T}}\n"
            "imports: [{address: shelf.s, id: i}, {address: shelf.t, id: i}]",
            ["the shelf with id i is imported twice"],
        ),
        ("moved: [{from: box.c, to: box.b}, {from: box.b, to: box.a}]", []),
    ],
)
def test_old_and_new_addresses_tell_one_story(desk: Desk, text: str, told: list[str]) -> None:
    text = f"boxes: {{a: {{name: A}}}}\n{text}\n"
    if not told:
        assert graph(desk, text)
        return
    assert [line.split(": ", 1)[1].split("; ")[0] for line in complaints(desk, text)] == told


@pytest.mark.parametrize(
    ("bodies", "told"),
    [
        ("a: {name: A, previously: b}, b: {name: B}", ["previously of box.a: box.b is still in the stack"]),
        ("a: {name: A, previously: a}", ["previously of box.a: box.a is still in the stack"]),
        (
            "a: {name: A, previously: z}, b: {name: B, previously: z}",
            ["previously of box.b: box.z has gone elsewhere already"],
        ),
    ],
)
def test_a_previous_key_is_free_and_left_by_one(desk: Desk, bodies: str, told: list[str]) -> None:
    found = complaints(desk, f"boxes: {{{bodies}}}\n")
    assert [line.split(": ", 1)[1].split("; ")[0] for line in found] == told


def test_everything_wrong_is_told_at_once(desk: Desk) -> None:
    text = """\
boxes:
  a: {name: A, near: [b]}
  b: {name: B, near: [a]}
  c: {name: C, shelf: lo}
  d: {name: D, shelf: low}
shelves: {low: {name: L, open: false}}
removed: [{address: box.a}]
"""
    assert len(complaints(desk, text)) == 4


def test_a_resource_that_waits_for_a_variable_is_followed_but_not_judged(desk: Desk) -> None:
    text = (
        "variables: {v: }\n"
        "shelves: {s: {name: S, open: '${var.v}'}}\n"
        "boxes: {a: {name: '${var.v}', shelf: s}}\n"
    )
    assert graph(desk, text, require_values=False).needs[box("a")] == (shelf("s"),)
    wrong = text.replace("shelf: s", "shelf: t")
    assert complaints(desk, wrong, require_values=False) == [
        "s.yaml:4:38: there is no shelf 't' in the stack; define it, or write the key of another shelf"
    ]


@given(st.data())
def test_the_order_in_the_file_changes_nothing_but_the_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any shuffle of the same resources gives the same graph, dependencies first."""
    count = data.draw(st.integers(1, 8))
    bodies = []
    for number in range(count):
        near = data.draw(st.lists(st.integers(0, count), unique=True, max_size=3))
        written = ", ".join(f"k{other}" for other in near if other < number)
        bodies.append(f"  k{number}: {{name: n, near: [{written}]}}\n")
    path = tmp_path_factory.mktemp("graph") / "s.yaml"
    graphs = []
    for seed in (None, data.draw(st.integers(0, 99))):
        if seed is not None:
            random.Random(seed).shuffle(bodies)
        path.write_text("stack: x\nboxes:\n" + "".join(bodies))
        graphs.append(build(load(path, kinds=KINDS), KINDS))
    one, other = graphs
    assert one.needs == other.needs
    assert one.stack.digest == other.stack.digest
    assert set(one.order) == set(other.order)
    for found in graphs:
        place = {address: index for index, address in enumerate(found.order)}
        assert all(place[need] < place[address] for address, needs in found.needs.items() for need in needs)


def problems_of(folder: Path, text: str) -> list[str]:
    (folder / "stack.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_graph(Settings(path=folder / "stack.yaml", environ={}))
    return [str(problem) for problem in caught.value.problems]


def test_every_circle_is_told(tmp_path: Path) -> None:
    text = """
stack: s
datasets:
  a: {name: "${dataset.b.name}"}
  b: {name: "${dataset.a.name}"}
  c: {name: "${dataset.c.name}"}
  d: {name: "${dataset.a.name}"}
"""
    told = "\n".join(problems_of(tmp_path, text))
    assert "dataset.a → dataset.b → dataset.a" in told
    assert "dataset.c → dataset.c" in told
    assert "dataset.d" not in told
    assert told.count("need each other") == 2


def test_a_text_with_several_faults_tells_each(tmp_path: Path) -> None:
    text = """
stack: s
datasets:
  a: {name: "${var.none} ${dataset.gone.id} ${frobs.x.y}"}
"""
    told = "\n".join(problems_of(tmp_path, text))
    assert "unknown variable 'none'" in told
    assert "there is no dataset 'gone' in the stack" in told
    assert "unknown kind 'frobs'" in told


def built_complaints(desk: Desk, text: str) -> list[str]:
    """What is wrong with a stack, by itself and between its resources, told in one run."""
    problems = Problems()
    with pytest.raises(ConfigError) as caught:
        build(
            load(desk.write("s.yaml", f"stack: x\n{text}"), kinds=KINDS, problems=problems), KINDS, problems
        )
    return desk.told(caught.value)


def test_what_a_kind_says_is_told_beside_what_is_wrong_with_other_fields(desk: Desk) -> None:
    text = "shelves: {s: {name: S, open: false}}\nboxes:\n  b: {name: 3, shelf: s}\n"
    assert built_complaints(desk, text) == [
        "s.yaml:4:13: boxes.b.name should be text; quote it",
        "s.yaml:4:23: box.b: the shelf is closed",
    ]


def test_a_resource_is_judged_by_what_is_right_with_another(desk: Desk) -> None:
    text = "shelves: {s: {name: 3, open: false}}\nboxes:\n  b: {name: B, shelf: s}\n"
    assert built_complaints(desk, text) == [
        "s.yaml:2:21: shelves.s.name should be text; quote it",
        "s.yaml:4:23: box.b: the shelf is closed",
    ]


def test_of_every_kind_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "stack.yaml"
    path.write_text(EVERYTHING_WRONG)
    with pytest.raises(ConfigError) as caught:
        load_graph(Settings(path=path, environ={}))
    told = [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]
    assert told == [
        "3:13: integrations.i.name should be text; quote it",
        "3:41: integration.i: role_arn should look like arn:aws:iam::123456789012:role/NAME",
        "3:62: integration.i: tenant_id is no field of provider aws",
        "5:16: unknown key 'nme' in ontologies.o; did you mean 'name'?",
        "7:3: projects.p has no name; add name: …",
        "7:36: project.p: ontology.o is for VIDEO, the project for IMAGE",
        "9:3: member.somebody: the key of a member is an e-mail address",
        "9:20: member.somebody: role: LABELER reaches every project; write role: NONE, or no projects",
        "9:29: member.somebody: NONE is no role on a project; leave the project out",
        "11:7: unknown key 'topic' in webhooks.w; did you mean 'topics'?",
        "11:23: webhooks.w.url should be an https:// URL",
    ]


EVERYTHING_WRONG = """\
stack: x
integrations:
  i: {name: 3, provider: aws, role_arn: nonsense, tenant_id: t}
ontologies:
  o: {name: O, nme: O, media_type: VIDEO}
projects:
  p: {media_type: IMAGE, ontology: o}
members:
  somebody: {role: LABELER, projects: {p: NONE}}
webhooks:
  w: {topic: [], url: nowhere, topics: [LABEL_CREATED], secret: s}
"""
