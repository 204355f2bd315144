"""Laws of failures: who suffers from a step that fails, and who does not."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lbstack.errors import Exit
from lbstack.plan.schedule import Step, schedule
from tests.laws.service import Death, Fate
from tests.laws.wishes import law, wishes
from tests.laws.world import Wish, World, a_world


def with_dependents(steps: list[Step], broken: set[str]) -> set[str]:
    """The names of steps that cannot be done when these are not."""
    stopped = set(broken)
    for step in steps:
        if stopped & {*step.after}:
            stopped.add(step.name)
    return stopped


def apply_with_failures(
    world: World, before: Wish, wish: Wish, data: Any
) -> tuple[Any, list[Step], set[str]]:
    world.apply(before)
    plan = world.plan(wish)
    steps = schedule(plan)
    names = sorted({str(step.address) for step in steps})
    world.service.failing = set(data.draw(st.lists(st.sampled_from(names), unique=True))) if names else set()
    outcome = world.apply(plan)
    failing, world.service.failing = world.service.failing, set()
    return outcome, steps, failing


@law(80)
@given(wishes(), wishes(), st.data())
def test_a_failed_step_stops_only_its_dependents(before: Wish, wish: Wish, data: Any) -> None:
    with a_world() as world:
        outcome, steps, failing = apply_with_failures(world, before, wish, data)
        failed = {step.name for step in outcome.failed}
        skipped = {step.name for step in outcome.skipped}
        assert {str(step.address) for step in outcome.failed} <= failing
        assert failed | skipped == with_dependents(steps, failed)
        assert {step.name for step in outcome.done} == {s.name for s in steps} - failed - skipped
        assert bool(outcome.exit) == bool(failed)
        assert not world.service.refusals


@law(80)
@given(wishes(), wishes(), st.data())
def test_independent_resources_are_untouched_by_a_failure(before: Wish, wish: Wish, data: Any) -> None:
    with a_world() as world, a_world() as sound:
        outcome, _, _ = apply_with_failures(world, before, wish, data)
        sound.apply(before)
        sound.apply(wish)
        hurt = {str(step.address) for step in (*outcome.failed, *outcome.skipped)}
        for address in set(wish) - hurt:
            mine, theirs = (held(each, address) for each in (world, sound))
            assert mine == theirs
        world.apply(wish)
        assert world.plan(wish).empty
        assert not world.service.refusals
        assert world.existing() == world.remembered()


@law(40)
@given(wishes(least=1))
def test_an_answer_of_no_known_shape_fails_its_step_alone(wish: Wish) -> None:
    with a_world() as world:
        first = next(address for address in wish if address.startswith("thing."))
        world.service.rambling = {first}
        outcome = world.apply(wish)
        assert {str(step.address) for step in outcome.failed} == {first}
        assert outcome.exit == Exit.UNKNOWN
        world.service.rambling = set()
        world.apply(wish)
        assert world.plan(wish).empty


def held(world: World, address: str) -> list[Any]:
    """What the service holds of a resource, its own ids told by whose they are."""
    names = {id: held["address"] for id, held in world.service.objects.items()}

    def told(value: Any) -> Any:
        if isinstance(value, list):
            return sorted(told(item) for item in value)
        if isinstance(value, str) and value.startswith("stamp of "):
            return f"stamp of {names.get(value.removeprefix('stamp of ').rstrip('!'))}"
        return names.get(value, value) if isinstance(value, str) else value

    found = [held["fields"] for held in world.service.objects.values() if held["address"] == address]
    return [{name: told(value) for name, value in fields.items()} for fields in found]


@law(80)
@given(wishes(least=2), st.integers(0, 6), st.data())
def test_nobody_is_blamed_for_what_a_stop_left_undone(wish: Wish, after: int, data: Any) -> None:
    with a_world() as world:
        plan = world.plan(wish)
        names = sorted(wish)
        world.service.failing = {*data.draw(st.lists(st.sampled_from(names), unique=True, max_size=1))}
        outcome = world.apply(plan, stop_after=after)
        failed = {str(step.address) for step in outcome.failed}
        blamed = {e.text.removesuffix(" failed") for e in world.events if e.text.endswith(" failed")}
        assert blamed <= failed
        assert not outcome.unknown


@law(80)
@given(wishes(least=1), wishes(), st.integers(1, 40))
def test_a_create_that_may_be_lost_is_remembered_as_a_doubt(before: Wish, wish: Wish, at: int) -> None:
    with a_world() as world:
        world.apply(before)
        with suppress(Death):
            world.apply(wish, fate=Fate(at), parallelism=1)
        owners = {id: held["address"] for id, held in world.service.objects.items()}
        lost = {owners[id] for id in world.existing() - world.remembered()}
        assert lost <= {str(intent.address) for intent in world.state.pending}


@law(80)
@given(wishes(least=1), wishes(), st.integers(1, 40))
def test_what_a_killed_apply_made_is_found_and_never_made_again(before: Wish, wish: Wish, at: int) -> None:
    with a_world() as world:
        world.apply(before)
        with suppress(Death):
            world.apply(wish, fate=Fate(at), parallelism=1)
        world.apply(wish)
        assert world.existing() == world.remembered()
        assert not world.state.pending


@law(40)
@given(wishes(least=1))
def test_a_create_that_did_nothing_is_given_up_after_a_look_and_stays_watched(wish: Wish) -> None:
    with a_world() as world:
        first = next(address for address in wish if address.startswith("thing."))
        world.service.rambling = {first}
        world.apply(wish)
        (lost,) = world.state.pending
        assert str(lost.address) == first
        world.service.rambling = set()
        world.apply(wish)
        assert not world.state.pending
        assert lost in world.state.markers
        assert world.existing() == world.remembered()
