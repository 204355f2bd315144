"""Every file under ``scenarios/`` is a story: a wish, what happens meanwhile, the next wish.

A file holds acts, each a YAML document. Keys, all optional: ``story`` (one line), ``stack`` (the
wish from here on), ``variables``, ``meanwhile`` (what other hands do first), ``plan`` and ``drift``
(golden text), ``problems`` (golden text of a refusal), ``recreate`` (addresses), ``allow`` (``data-loss ADDRESS``,
``mass-change``), ``destroy``, ``apply: false``, ``fails``
(address: words of its message), ``said`` (lines of the apply), ``outputs``. In golden text ids read
``<id>``. After every apply the runner itself demands that the next plan is empty.
``pytest --accept`` rewrites golden text in place.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lbstack.errors import GuardError, StackError
from lbstack.plan import guards
from lbstack.render.drift import drift_lines
from lbstack.render.text import plan_lines
from lbstack.render.words import NO_CHANGES
from lbstack.values import Address, Allowed
from tests.conftest import World
from tests.meanwhile import bound_ids, happen, named

FOLDER = Path(__file__).parent / "scenarios"
FILES = sorted(FOLDER.rglob("*.yaml"))
KEYS = {
    "story", "stack", "variables", "meanwhile", "plan", "drift", "problems", "destroy", "apply",
    "recreate", "allow", "fails", "said", "outputs",
}  # fmt: skip


def text_of(lines: Any) -> str:
    told = "\n".join(line for line, _ in lines)
    return re.sub(r"\bc[0-9a-z]{24}\b", "<id>", told).strip("\n") + "\n"


class Golden:
    """The golden texts of one file: compared, or rewritten when asked to."""

    def __init__(self, path: Path, accept: bool) -> None:
        self.path, self.accept = path, accept
        self.edits: list[tuple[int, int, str]] = []

    def check(self, node: yaml.MappingNode, key: str, got: str) -> None:
        value = next((v for k, v in node.value if k.value == key), None)
        if value is None:
            return
        if value.value == got:
            return
        if self.accept:
            block = "|2\n" + "".join(f"  {line}\n" if line else "\n" for line in got.rstrip("\n").split("\n"))
            self.edits.append((value.start_mark.index, value.end_mark.index, block))
            return
        pytest.fail(f"{self.path}: {key}\n--- want\n{value.value}--- got\n{got}", pytrace=False)

    def write(self) -> None:
        text = self.path.read_text()
        for start, end, block in sorted(self.edits, reverse=True):
            text = text[:start] + block + text[end:]
        if self.edits:
            self.path.write_text(text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER).with_suffix("")))
def test_story(path: Path, world: World, request: pytest.FixtureRequest) -> None:
    golden = Golden(path, request.config.getoption("--accept"))
    for node in yaml.compose_all(path.read_text(), Loader=yaml.SafeLoader):
        play(node, yaml.SafeLoader("").construct_document(node), world, golden)
    golden.write()


def play(node: Any, act: dict[str, Any], world: World, golden: Golden) -> None:
    assert set(act) <= KEYS, f"unknown keys {set(act) - KEYS}"
    world.variables.update({name: str(value) for name, value in act.get("variables", {}).items()})
    for event in act.get("meanwhile", []):
        happen(world, event)
    if "stack" in act:
        world.write("stack: test\n" + bound_ids(world, named(world, act["stack"])))
    said = {"destroy": act.get("destroy", False), "allowed": allowed_by(act)}
    try:
        plan = world.plan(**said)
    except StackError as error:
        if "drift" in act:  # what cannot be planned is told all the same
            golden.check(node, "drift", text_of(drift_lines(world.drift(**said))))
        refuse(node, act, world, golden, error)
        return
    if "drift" in act:
        golden.check(node, "drift", text_of(drift_lines(world.drift(**said))))
    golden.check(node, "plan", text_of(plan_lines(plan)))
    try:
        guards.check(plan)
    except GuardError as error:
        refuse(node, act, world, golden, error)
        return
    assert "problems" not in act, "the plan was expected to be refused"
    if act.get("apply", True):
        carry_out(node, act, world, plan, golden)


def allowed_by(act: dict[str, Any]) -> Allowed:
    words = act.get("allow", [])
    losing = [Address.parse(word.removeprefix("data-loss ")) for word in words if word.startswith("data")]
    recreate = [Address.parse(text) for text in act.get("recreate", [])]
    return Allowed(tuple(recreate), tuple(losing), "mass-change" in words)


def refuse(node: Any, act: dict[str, Any], world: World, golden: Golden, error: StackError) -> None:
    got = "\n".join(str(problem).replace(str(world.folder) + "/", "") for problem in error.problems)
    assert "problems" in act, got
    golden.check(node, "problems", re.sub(r"\bc[0-9a-z]{24}\b", "<id>", got) + "\n")


def carry_out(node: Any, act: dict[str, Any], world: World, plan: Any, golden: Golden) -> None:
    outcome = world.apply(plan)
    failed = {
        str(event.step.address): "; ".join(str(problem) for problem in event.problems)
        for event in world.events
        if event.type == "failed"
    }
    wanted = act.get("fails", {})
    assert set(failed) == set(wanted), failed
    for address, words in wanted.items():
        assert words in failed[address]
    said = [f"{event.step.address}: {event.text}" for event in world.events if event.type == "said"]
    for line in act.get("said", []):
        assert bound_ids(world, line) in said, said
    for name, value in act.get("outputs", {}).items():
        assert re.fullmatch(str(value), str(outcome.state.outputs.get(name))), outcome.state.outputs
    if not failed and not act.get("destroy"):
        again = world.plan()
        assert again.empty, text_of(plan_lines(again))
        assert not again.drift, again.drift
        assert not world.drift().resources
        assert text_of(plan_lines(again)).endswith(NO_CHANGES + "\n")
    if act.get("destroy") and not failed:
        assert not world.state.resources
