"""A state whose values have wrong shapes ends in a message, whatever stands in it and wherever.

Its checksum is the right one each time: whoever edits a state by hand can make it fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbstack.errors import StackError
from tests.conftest import World

STACK = Path(__file__).parent.parent / "stacks" / "multi-step-labeling.yaml"
SMALL = """\
stack: test
datasets: {d: {name: D}}
ontologies: {o: {name: O, tools: [{tool: point, name: T}]}}
projects: {p: {name: P, media_type: IMAGE, quality: {mode: consensus}, datasets: [d], ontology: o}}
members: {a@example.com: {projects: {p: LABELER}}}
"""
ODD: tuple[Any, ...] = (5, "x", None, True, [5], ["x"], {"a": 5}, {"a": {"b": 5}}, [], {}, [[5]], {"a": {}})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything inside a document."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of a document with another value at a path."""
    copy = json.loads(json.dumps(document))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return copy


def sealed(document: Any) -> Any:
    """The document with the checksum that fits it, as one that came of nothing that is kept."""
    body = {**document, "generation": 99}
    del body["sha256"]
    return {**body, "sha256": hashlib.sha256(json.dumps(body, separators=(",", ":")).encode()).hexdigest()}


def damaged(world: World, reach: int) -> list[Any]:
    """What no message was made of, when each value down to a depth has another shape."""
    path = world.folder / "state.json"
    state = json.loads(path.read_text())
    wrong = []
    for place in places(state["resources"]):
        for odd in ODD if 0 < len(place) <= reach else ():
            path.write_text(json.dumps(sealed(with_value(state, ("resources", *place), odd))))
            try:
                world.plan()
            except StackError:
                continue
            except Exception as error:
                wrong.append((place, odd, repr(error)))
    return wrong


@pytest.mark.parametrize("reach", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_no_value_in_a_state_makes_a_plan_fail_by_a_mistake_of_its_own(world: World, reach: int) -> None:
    world.write(SMALL)
    assert not world.apply().failed
    assert damaged(world, reach) == []


@pytest.mark.slow
def test_no_value_however_deep_does(world: World) -> None:
    world.stack, world.variables = STACK, {"webhook_secret": "only-for-tests"}
    assert not world.apply().failed
    assert damaged(world, reach=99) == []
