"""No secret leaves memory but by the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from lbstack.plan.saved import write_plan
from lbstack.render.drift import drift_lines
from lbstack.render.drift_json import drift_document
from lbstack.render.json import plan_document, state_document
from lbstack.render.progress import event_lines, outcome_lines
from lbstack.render.text import attribute_lines, plan_lines
from tests.laws.service import Death, Fate
from tests.laws.wishes import CANARY, law, wishes
from tests.laws.world import Wish, World, a_world


def everything_shown(world: World, wish: Wish) -> Iterator[str]:
    plan, state = world.plan(wish), world.state
    yield from (line for line, _ in (*plan_lines(plan), *drift_lines(world.drift(wish))))
    yield json.dumps([plan_document(plan), state_document(state), drift_document(world.drift(wish))])
    yield repr(plan)
    for address, entry in state.resources.items():
        yield from (line for line, _ in attribute_lines(address, entry.id, entry.attributes, plan.names))
    world.store.keep_key(state)
    write_plan(world.folder / "saved", plan, state)
    yield from (line for event in world.events for line, _ in event_lines(event))


def everything_kept(world: World) -> Iterator[bytes]:
    yield from (path.read_bytes() for path in world.folder.iterdir() if path.is_file())


@law(80)
@given(wishes(), wishes(), st.integers(1, 60))
def test_no_secret_appears_in_plan_state_journal_or_output(before: Wish, wish: Wish, at: int) -> None:
    with a_world() as world:
        shown = [*everything_shown(world, before)]
        shown += [line for line, _ in outcome_lines(world.apply(before), "lbstack apply")]
        shown += everything_shown(world, wish)
        try:
            world.apply(wish, fate=Fate(at))
        except Death:
            shown += everything_shown(world, wish)
        assert not [text for text in shown if CANARY in text]
        assert not [data for data in everything_kept(world) if CANARY.encode() in data]
