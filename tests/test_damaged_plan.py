"""A saved plan whose checksum is right and whose shape is not: refused in words, whatever is wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lbstack.errors import Exit, StateError
from lbstack.plan.saved import FORMAT, read_plan, write_plan
from lbstack.plan.schedule import schedule
from lbstack.render.json import plan_document
from lbstack.render.text import plan_lines
from lbstack.session import require_kinds
from tests.conftest import World
from tests.test_damaged_state import ODD, places, with_value

BEFORE = "stack: test\ndatasets: {a: {name: A}, b: {name: B}}\n"
AFTER = """\
stack: test
datasets: {a: {name: New}}
projects: {p: {name: P, media_type: IMAGE, datasets: [a]}}
outputs: {id: "${dataset.a.id}"}
"""


@pytest.fixture
def saved(world: World) -> Path:
    """A plan with a change of every sort."""
    world.write(BEFORE)
    assert not world.apply().failed
    world.write(AFTER)
    path = world.folder / "plan.json"
    write_plan(path, world.plan(), world.state)
    return path


def write(path: Path, body: Any) -> None:
    """A plan file with a checksum that is right, as a hand could make it."""
    text = json.dumps(body, separators=(",", ":"))
    checksum = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(f'{{"lbstack_plan":{FORMAT},"sha256":"{checksum}","plan":{text}}}\n')


@pytest.mark.slow
def test_a_plan_of_another_shape_is_damaged_and_none_is_half_understood(saved: Path) -> None:
    body = json.loads(saved.read_text())["plan"]
    wrong, refused = [], 0
    for place in places(body):
        for odd in ODD if place else ():
            write(saved, with_value(body, place, odd))
            try:
                plan = read_plan(saved).plan
            except StateError:
                refused += 1
                continue
            try:
                schedule(plan), list(plan_lines(plan)), plan_document(plan)
            except Exception as error:
                wrong.append((place, odd, repr(error)))
    assert wrong == []
    assert refused > 1000


def change(body: Any, index: int) -> dict[str, Any]:
    found: dict[str, Any] = body["$Plan"]["changes"]["$tuple"][index]["$Change"]
    return found


def test_a_change_without_what_it_needs_is_damaged(saved: Path) -> None:
    body = json.loads(saved.read_text())["plan"]
    pathless = {"$tuple": [{"$FieldChange": {"path": {"$tuple": []}, "before": 1, "after": 2}}]}
    for part in ({"id": None}, {"want": None}, {"fields": pathless}):
        spoiled = json.loads(json.dumps(body))
        (update,) = [c for c in (change(spoiled, n) for n in range(3)) if c["action"]["$action"] == "update"]
        update.update(part)
        write(saved, spoiled)
        with pytest.raises(StateError, match="damaged"):
            read_plan(saved)


def test_changes_that_need_each_other_are_damaged(saved: Path) -> None:
    body = json.loads(saved.read_text())["plan"]
    first, second = change(body, 0), change(body, 1)
    first["needs"], second["needs"] = ({"$tuple": [other["address"]]} for other in (second, first))
    write(saved, body)
    with pytest.raises(StateError, match="damaged"):
        read_plan(saved)


def test_a_plan_of_a_kind_that_nobody_knows_is_refused(saved: Path, world: World) -> None:
    body = json.loads(saved.read_text())["plan"]
    change(body, 0)["address"] = {"$address": "gadget.g"}
    write(saved, body)
    with pytest.raises(StateError) as caught:
        require_kinds(read_plan(saved).plan)
    assert caught.value.exit == Exit.STATE
    assert "gadget" in str(caught.value)
