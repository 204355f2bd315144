"""Laws of plans: what they are made from, in which order they are carried out, what they leave alone."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lbstack.graph import build
from lbstack.plan.changes import Action, Plan
from lbstack.plan.saved import bind, read_plan, write_plan
from lbstack.plan.schedule import schedule
from lbstack.plan.targets import limited
from lbstack.stack.loader import load
from lbstack.values import Address, Ref, Secret, Template
from tests.laws.service import Death, Fate
from tests.laws.wishes import law, wishes
from tests.laws.world import KINDS, Wish, World, a_world

TOKENS = {f"LBSTACK_VAR_token_{n}": f"s3cr3t-canary-{n}" for n in range(2)}


def after_a_broken_apply(world: World, before: Wish, wish: Wish, at: int) -> None:
    """A workspace as two applies left it, the second of them cut off: deposed objects and all."""
    world.apply(before)
    try:
        world.apply(wish, fate=Fate(at), parallelism=1)
    except Death:
        return


@law(60)
@given(wishes(), wishes(), st.integers(1, 60), st.booleans())
def test_planning_twice_gives_the_same_plan(before: Wish, wish: Wish, at: int, destroy: bool) -> None:
    with a_world() as world:
        after_a_broken_apply(world, before, wish, at)
        assert world.plan(wish, destroy=destroy) == world.plan(wish, destroy=destroy)


@law(60)
@given(wishes(), wishes(), wishes(), st.integers(1, 60))
def test_a_plan_survives_being_saved_and_read(before: Wish, broken: Wish, wish: Wish, at: int) -> None:
    with a_world() as world:
        after_a_broken_apply(world, before, broken, at)
        world.store.keep_key(world.state)
        made = world.plan(wish)
        write_plan(world.folder / "saved", made, world.state)
        read = bind(read_plan(world.folder / "saved"), world.state, "nowhere", TOKENS)
        assert read == made
        assert schedule(read) == schedule(made)


def written(wish: Wish, order: random.Random) -> str:
    """The wish as a stack file, its resources and their fields in some order."""
    import yaml

    def plain(value: Any) -> Any:
        if isinstance(value, Secret):
            return f"${{var.{value.variable}}}"
        if isinstance(value, Template):
            return "".join(plain(part) for part in value.parts)
        return str(value) if isinstance(value, Ref) else value

    sections: dict[str, dict[str, Any]] = {"things": {}, "rocks": {}}
    for text in order.sample(list(wish), len(wish)):
        address, body = Address.parse(text), wish[text]
        fields = {name: plain(body[name]) for name in order.sample(list(body), len(body))}
        sections[f"{address.kind}s"][address.key] = fields
    variables = {name.removeprefix("LBSTACK_VAR_"): {"secret": True} for name in TOKENS}
    parts = [{"stack": "laws"}, {"variables": variables}, *({n: s} for n, s in sections.items() if s)]
    return "".join(yaml.safe_dump(part, sort_keys=False) for part in order.sample(parts, len(parts)))


@law(40)
@given(wishes(), wishes(), st.randoms(use_true_random=False))
def test_order_in_the_file_does_not_matter(before: Wish, wish: Wish, order: random.Random) -> None:
    with a_world() as world:
        world.apply(before)
        plans = []
        for _ in range(2):
            path = world.folder / "stack.yaml"
            path.write_text(written(wish, order))
            plans.append(world.plan(build(load(path, environ=TOKENS, kinds=KINDS), KINDS)))
        one, other = ({c.address: replace(c, source=None) for c in plan.changes} for plan in plans)
        assert one == other
        assert plans[0].pins == plans[1].pins
        assert_ordered(plans[0])
        assert_ordered(plans[1])


def assert_ordered(plan: Plan) -> None:
    """Every step stands behind what it waits for, and what builds stands before what tears down."""
    steps = schedule(plan)
    places = {step.name: place for place, step in enumerate(steps)}
    assert len(places) == len(steps)
    assert all(places[name] < places[step.name] for step in steps for name in step.after)
    assert [step.tears for step in steps] == sorted(step.tears for step in steps)
    for step in steps:
        if not step.tears and step.change:
            assert {f"build {need}" for need in step.change.needs} & places.keys() <= {*step.after}


@law(80)
@given(wishes(), wishes(), wishes(), st.integers(1, 60), st.booleans())
def test_steps_stand_behind_what_they_wait_for(
    before: Wish, broken: Wish, wish: Wish, at: int, destroy: bool
) -> None:
    with a_world() as world:
        after_a_broken_apply(world, before, broken, at)
        assert_ordered(world.plan(wish, destroy=destroy))


@law(80)
@given(wishes(least=2), wishes(least=2))
def test_what_is_replaced_is_destroyed_only_after_its_dependents_moved(before: Wish, wish: Wish) -> None:
    with a_world() as world:
        world.apply(before)
        plan = world.plan(wish)
        steps = {step.name: step for step in schedule(plan)}
        for change in plan.changes:
            if change.action is Action.REPLACE:
                end = steps[f"tear {change.address}"]
                assert f"build {change.address}" in end.after
                for other in plan.changes:
                    if change.address in other.needed and other.action is Action.UPDATE:
                        assert f"build {other.address}" in end.after
                    if change.address in other.needed and other.action in (Action.REPLACE, Action.DELETE):
                        assert f"tear {other.address}" in end.after


@law(80)
@given(wishes(least=1), wishes(least=1), wishes(), st.integers(1, 60), st.data())
def test_only_what_the_targets_need_is_planned(
    before: Wish, broken: Wish, wish: Wish, at: int, data: Any
) -> None:
    with a_world() as world:
        after_a_broken_apply(world, before, broken, at)
        if world.existing() - world.remembered():
            return
        whole = world.plan(wish)
        known = sorted({change.address for change in whole.changes} | {old.address for old in whole.deposed})
        if not known:
            return
        targets = set(data.draw(st.lists(st.sampled_from(known), min_size=1, unique=True)))
        part = limited(whole, targets)
        assert all(change in whole.changes for change in part.changes)
        assert limited(part, targets) == part
        touched = {change.address for change in part.actions} | {old.address for old in part.deposed}
        assert {c.address for c in whole.actions} & targets <= touched
        outcome = world.apply(part)
        assert not outcome.failed and not world.service.refusals, world.service.refusals
        left = world.plan(wish)
        assert not {change.address for change in left.actions} & touched
        assert not {old.address for old in left.deposed} & touched
