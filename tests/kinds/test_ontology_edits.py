"""Edits as a pure function, held against a strict little model of the service's operations."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lbstack.kinds.ontology.carry import bound
from lbstack.kinds.ontology.edit import Add, Change, Edit, Move, Remove, archived, edits, longest_run
from lbstack.kinds.ontology.kind import Ontology
from lbstack.kinds.ontology.spec import OntologySpec
from lbstack.kinds.ontology.tree import ordered, pair, same, told
from lbstack.kinds.ontology.words import Raw, natural_key, nested, nested_under

LISTS = {"tools": ["tools", "relationships"], "classifications": ["classifications"]}


class Service:
    """One ontology. Every operation refuses what the real one would not understand."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Raw]] = {"tools": [], "relationships": [], "classifications": []}
        self.shelf: dict[str, Raw] = {}
        self.labelled: set[str] = set()
        self.numbers = itertools.count()

    def field(self, name: str) -> list[list[Raw]]:
        return [self.lists[each] for each in LISTS[name]]

    def view(self, name: str) -> list[Raw]:
        """What REST shows: the archived ones, too."""
        shown = [node for nodes in self.field(name) for node in nodes]
        mine = "type" if name == "classifications" else "tool"
        return shown + [self._marked(node) for node in self.shelf.values() if mine in node]

    def _marked(self, node: Raw) -> Raw:
        children = [self._marked(child) for child in nested(node)]
        return node | {"archived": True} | ({nested_under(node): children} if children else {})

    def make(self, name: str, edit: Edit, ids: dict[str, str]) -> None:
        if isinstance(edit, Add):
            node = bound(edit.content, ids)
            if edit.back is None:
                assert set(_ids(node)) == {None}, "a new feature brings no ids"
                node = self._numbered(node)
            else:
                node = self._numbered(node, set(_ids(self.shelf.pop(edit.back))))
                assert node["featureSchemaId"] == edit.back
            ids[edit.key] = node["featureSchemaId"]
            nodes = self.lists[self._home(node)]
            assert 0 <= edit.position <= len(nodes)
            nodes.insert(edit.position, node)
            self._check_constraints()
            return
        nodes, index = self._find(name, edit.id)
        if isinstance(edit, Change):
            old, node = nodes[index], bound(edit.content, ids)
            assert _kinds(node).items() <= _kinds(old).items(), "an id stays what it is"
            nodes[index] = self._numbered(node, set(_ids(old)))
            assert nodes[index]["featureSchemaId"] == edit.id
        elif isinstance(edit, Move):
            node = nodes.pop(index)
            assert 0 <= edit.position <= len(nodes)
            nodes.insert(edit.position, node)
        else:
            node = nodes.pop(index)
            if node["featureSchemaId"] in self.labelled:
                self.shelf[node["featureSchemaId"]] = node
        self._check_constraints()

    def _home(self, node: Raw) -> str:
        return "classifications" if "type" in node else "relationships" if node["tool"] == "edge" else "tools"

    def _find(self, name: str, id: str) -> tuple[list[Raw], int]:
        return next(
            (nodes, index)
            for nodes in self.field(name)
            for index, node in enumerate(nodes)
            if node["featureSchemaId"] == id
        )

    def _check_constraints(self) -> None:
        known = {node["featureSchemaId"] for node in [*self.lists["tools"], *self.shelf.values()]}
        for node in self.lists["relationships"]:
            ends = {end for each in node["definition"]["constraints"] for end in each}
            gone = {id for id in ends if id.startswith("id")} - known
            assert ends - gone <= known, "a constraint names an id"

    def _numbered(self, node: Raw, known: set[Any] | None = None) -> Raw:
        """Ids that are known stay, null becomes a new one; what the service adds by itself, it adds."""
        id = node["featureSchemaId"]
        assert id is None or id in (known or set()), "nobody gave this id out"
        inner = nested_under(node)
        out = {"attributes": None} | node
        if "tool" in out:
            out.setdefault("color", f"#{next(self.numbers):06x}")
            if out["tool"] == "edge":
                out.setdefault("definition", {"constraints": []})
        out["featureSchemaId"] = id or f"id{next(self.numbers)}"
        return out | {inner: [self._numbered(child, known) for child in nested(node)]}


def _ids(node: Raw) -> Iterator[Any]:
    yield node["featureSchemaId"]
    for child in nested(node):
        yield from _ids(child)


def _kinds(node: Raw) -> dict[str, str]:
    found = {node["featureSchemaId"]: node.get("tool") or node.get("type") or "option"}
    for child in nested(node):
        found |= _kinds(child)
    found.pop(None, None)
    return found


# -- made-up ontologies -------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d"]
old_names = st.sampled_from([None, None, None, *NAMES])
yes = st.booleans()


@st.composite
def classifications(draw: Any, depth: int) -> list[dict[str, Any]]:
    """Sibling classifications; radios and checklists may hold more, `depth` levels down."""
    made = []
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=3, unique=True)):
        kind, name = key.split()
        part = {"type": kind, "name": name, "required": draw(yes), "previously": draw(old_names)}
        if kind == "radio":
            part |= {"instructions": draw(old_names), "options": draw(options(depth))}
        made.append(part)
    return made


@st.composite
def options(draw: Any, depth: int) -> list[dict[str, Any]]:
    return [
        {
            "value": value,
            "label": draw(old_names),
            "options": draw(classifications(depth - 1)) if depth else [],
            "previously": draw(old_names),
        }
        for value in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    ]


@st.composite
def tools(draw: Any) -> list[dict[str, Any]]:
    made = []
    for key in draw(st.lists(st.sampled_from(TOOLS), max_size=4, unique=True)):
        kind, name = key.split()
        color, inner = draw(st.sampled_from([None, "red", "blue"])), draw(classifications(0))
        part = {"tool": kind, "name": name, "color": color, "classifications": inner}
        made.append(part | {"previously": draw(old_names)})
    return made


KEYS = [f"{kind} {name}" for kind in ("text", "radio") for name in NAMES]
TOOLS = [f"{kind} {name}" for kind in ("polygon", "point") for name in NAMES]


@st.composite
def wishes(draw: Any) -> dict[str, Any]:
    """The wanted fields of an ontology that a stack may hold."""
    drawn = draw(tools())
    ends = st.sampled_from([f"{tool['tool']} {tool['name']}" for tool in drawn] or [""])
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True)) if drawn else []:
        pairs = draw(st.lists(st.tuples(ends, ends), max_size=2))
        edge = {"tool": "edge", "name": name, "definition": {"constraints": pairs}}
        drawn.insert(draw(st.integers(0, len(drawn))), edge)
    lists = {"tools": drawn, "classifications": draw(classifications(1))}
    try:
        spec = OntologySpec(name="x", **lists)
    except ValidationError:  # an old name that is claimed twice, or is still borne
        spec = OntologySpec(name="x", **without_old_names(lists))
    return Ontology().wanted("x", spec)


def without_old_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_old_names(item) for key, item in value.items() if key != "previously"}
    return [without_old_names(item) for item in value] if isinstance(value, list) else value


def bring(service: Service, want: dict[str, Any]) -> dict[str, list[Edit]]:
    """Make a wish true, field by field; gives the edits that it took."""
    made = {}
    for name in LISTS:
        renames = want.get("_previously", {}).get(name, {})
        flat = ordered(node for nodes in service.field(name) for node in nodes)
        ids = {key: node["featureSchemaId"] for key, node in pair(flat, renames).items()}
        made[name] = edits(service.field(name), want[name], renames, archived(service.view(name)))
        for edit in made[name]:
            service.make(name, edit, ids)
    return made


def holds(service: Service, want: dict[str, Any]) -> None:
    """The service has what was wanted, and nothing is left to do."""
    for name in LISTS:
        renames = want.get("_previously", {}).get(name, {})
        flat = [node for nodes in service.field(name) for node in nodes]
        assert same(told(flat, want[name], renames), want[name])
        assert list(told(flat, want[name], renames)) == list(want[name])
        assert edits(service.field(name), want[name], renames) == []


@given(wishes(), wishes())
def test_edits_lead_from_any_ontology_to_any_other(first: Any, second: Any) -> None:
    service = Service()
    bring(service, first)
    holds(service, first)
    bring(service, second)
    holds(service, second)


@given(wishes(), wishes())
def test_what_stays_or_is_renamed_keeps_its_id(first: Any, second: Any) -> None:
    service = Service()
    bring(service, first)
    for name in LISTS:
        renames = second.get("_previously", {}).get(name, {})
        before = pair(ordered(n for nodes in service.field(name) for n in nodes), renames)
        for edit in edits(service.field(name), second[name], renames):
            if isinstance(edit, Remove):
                assert edit.key not in second[name]
            elif isinstance(edit, Add):
                assert edit.key not in before
            else:
                assert edit.id == before[edit.key]["featureSchemaId"]


@given(wishes(), st.randoms(use_true_random=False))
def test_reordering_takes_as_few_moves_as_can_be(want: Any, random: Any) -> None:
    service = Service()
    bring(service, want)
    keys = list(want["classifications"])
    random.shuffle(keys)
    again = want | {"classifications": {key: want["classifications"][key] for key in keys}}
    moves = bring(service, again)["classifications"]
    assert all(isinstance(edit, Move) for edit in moves)
    old = list(want["classifications"])
    assert len(moves) == len(keys) - longest_common(old, keys)
    holds(service, again)


def longest_common(old: list[str], new: list[str]) -> int:
    """By trying every choice: the longest run of keys that stand in the same order in both."""
    for size in range(len(old), 0, -1):
        for chosen in itertools.combinations(old, size):
            if [key for key in new if key in chosen] == list(chosen):
                return size
    return 0


@given(wishes(), wishes())
def test_what_was_archived_comes_back_with_its_ids(first: Any, second: Any) -> None:
    service = Service()
    bring(service, first)
    ids = {natural_key(n): n["featureSchemaId"] for nodes in service.lists.values() for n in nodes}
    service.labelled = set(ids.values())
    plain = {name: value for name, value in second.items() if name != "_previously"}
    bring(service, plain)
    bring(service, {name: value for name, value in first.items() if name != "_previously"})
    assert ids == {natural_key(n): n["featureSchemaId"] for nodes in service.lists.values() for n in nodes}


def test_the_longest_run_is_found() -> None:
    assert longest_run([]) == []
    assert longest_run([("a", 3), ("b", 0), ("c", 1), ("d", 4), ("e", 2)]) == ["b", "c", "e"]


def wish(**lists: Any) -> dict[str, Any]:
    return Ontology().wanted("o", OntologySpec(name="o", **{"tools": [], "classifications": []} | lists))


def point(name: str, **more: str) -> dict[str, str]:
    return {"tool": "point", "name": name, **more}


def test_a_change_says_what_it_drops() -> None:
    service = Service()
    make = {"type": "radio", "name": "q", "options": [{"value": "x", "options": []}, {"value": "y"}]}
    bring(service, wish(classifications=[make]))
    (change,) = bring(service, wish(classifications=[make | {"options": ["y"]}]))["classifications"]
    assert isinstance(change, Change)
    assert [path for _, path in change.dropped] == ["radio q / x"]


def test_chained_renames_keep_every_id() -> None:
    service = Service()
    bring(service, wish(tools=[point("a"), point("b")]))
    ids = [node["featureSchemaId"] for node in service.lists["tools"]]
    renamed = wish(tools=[point("b", previously="a"), point("c", previously="b")])
    bring(service, renamed)
    now = [(node["name"], node["featureSchemaId"]) for node in service.lists["tools"]]
    assert now == [("b", ids[0]), ("c", ids[1])]
    holds(service, renamed)


def test_two_live_features_of_one_name_show_and_go() -> None:
    service = Service()
    want = wish(tools=[point("a")])
    bring(service, want)
    service.lists["tools"].append(service.lists["tools"][0] | {"featureSchemaId": "other"})
    assert list(told(service.lists["tools"], want["tools"])) == ["point a", "point a (duplicate 2)"]
    assert edits(service.field("tools"), want["tools"]) == [Remove("point a (duplicate 2)", "other")]
