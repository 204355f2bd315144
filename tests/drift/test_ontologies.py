"""Whatever becomes of an ontology in the workspace, its stack can be made to say it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lbstack.cli import accepting
from lbstack.kinds import KINDS
from lbstack.kinds.ontology.kind import Ontology, _live
from lbstack.kinds.ontology.spec import OntologySpec
from lbstack.kinds.ontology.tree import same
from lbstack.live import Snapshot
from lbstack.plan.changes import Action
from lbstack.plan.drift import report
from lbstack.plan.planner import plan
from lbstack.session import Settings, load_graph
from lbstack.state.model import Entry, State
from lbstack.values import Address
from tests.kinds.test_ontology_edits import Service, bring, wishes
from tests.laws.wishes import law

ADDRESS = Address("ontology", "o")


def without_renames(wish: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wish.items() if name != "_previously"}


@law(150)
@given(wishes())
def test_what_is_written_is_wanted_again(wish: dict[str, Any]) -> None:
    want = without_renames(wish)
    told = Ontology().written(want, {})
    again = Ontology().wanted("o", OntologySpec.model_validate(told))
    assert same(again["tools"], want["tools"]) and same(again["classifications"], want["classifications"])


SPECIAL = [
    {"tools": [{"tool": "step-reasoning", "name": "S", "definition": {"title": "t", "value": "v", "variants": [
        {"id": 0, "name": "One", "actions": ["regenerateSteps"]}, {"id": 1, "name": "Two"}]}}]},
    {"tools": [{"tool": "polygon", "name": "A"}, {"tool": "rectangle", "name": "A"}, {"tool": "edge", "name": "E",
        "definition": {"constraints": [["polygon A", "rectangle A"], ["rectangle A", "polygon A"]]}}]},
    {"tools": [{"tool": "polygon", "name": "A", "attributes": [{"attributeName": "n", "attributeValue": "v"}]}]},
    {"classifications": [{"type": "radio", "name": "R", "uiMode": "hotkey", "isLikertScale": True, "options": ["a"]}]},
    {"classifications": [{"type": "text", "name": "T", "scope": "index", "required": True}]},
    {"classifications": [{"type": "prompt", "name": "P", "required": False, "minCharacters": 1, "maxCharacters": 9}]},
    {"classifications": [{"type": "group", "name": "G", "options": [{"value": "x", "label": "y"}]}]},
    {"classifications": [{"type": "checklist", "name": "C", "options": [1, {"value": "a", "options": [{"type": "text", "name": "T"}]}]}]},
]  # fmt: skip


@pytest.mark.parametrize("body", SPECIAL, ids=[str(n) for n in range(len(SPECIAL))])
def test_every_word_of_an_ontology_is_written_as_it_is_wanted(body: dict[str, Any]) -> None:
    kind = Ontology()
    want = kind.wanted("o", OntologySpec.model_validate({"name": "O", **body}))
    again = kind.wanted("o", OntologySpec.model_validate(kind.written(want, {})))
    assert again == want


def node_of(service: Service) -> dict[str, Any]:
    lists = {name: service.lists[name] for name in ("tools", "relationships", "classifications")}
    return {"id": "id-o", "name": "x", "mediaType": None, "normalized": lists, "updatedAt": None}


@law(150)
@given(wishes(), wishes(), st.sampled_from([True, False, None]), st.booleans())
def test_any_ontology_is_taken_over_from_any_other(
    applied: dict[str, Any], live: dict[str, Any], flow: bool | None, apart: bool
) -> None:
    kind, (first, second) = Ontology(), (without_renames(applied), without_renames(live))
    service = Service()
    bring(service, first)
    bring(service, second)
    body = kind.written(first, {"relationships": []} if apart else {})
    text = yaml.safe_dump({"stack": "s", "ontologies": {"o": body}}, default_flow_style=flow, sort_keys=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stack.yaml"
        path.write_text(text)
        settings = Settings(path=path, sandbox=True, environ={})
        graph = load_graph(settings)
        state = State("s", "l", "sandbox", "org", resources={ADDRESS: Entry("id-o", first)})
        snapshot = Snapshot("org", resources={ADDRESS: _live(node_of(service))})
        made = plan(graph, state, snapshot, KINDS)
        told = report(graph, state, snapshot, KINDS, made=made)
        seen = accepting.Seen(accepting.read_files(settings), graph, state, snapshot)
        done = accepting.accepted(settings, seen, made, told, [])
        assert not done.problems, done.problems
        again = load_graph(settings, texts=done.texts)
        (change,) = plan(again, replace(state), snapshot, KINDS).changes
        assert change.action is Action.NOOP, (text, done.texts, change.fields)
