"""Laws of the whole way: whatever was, and whatever happened, an apply ends where the wish is."""

from __future__ import annotations

from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbstack.apply import Outcome
from lbstack.plan.changes import Plan
from lbstack.render.text import plan_lines
from lbstack.state.fold import fold
from tests.laws.service import Death, Fate, mentioned
from tests.laws.wishes import law, wishes
from tests.laws.world import Wish, World, a_world


def told(plan: Plan) -> str:
    return "\n".join(line for line, _ in plan_lines(plan))


def assert_settled(world: World, wish: Wish) -> None:
    """The next plan is empty, nothing has drifted, and what exists is what is remembered."""
    again = world.plan(wish)
    assert again.empty, told(again)
    assert not again.drift, again.drift
    assert {str(address) for address in world.state.resources} == set(wish)
    assert world.remembered() <= world.existing()


def assert_done(world: World, outcome: Outcome) -> None:
    assert not world.service.refusals
    assert not outcome.failed and not outcome.skipped, world.events


@law(200)
@given(st.lists(wishes(), min_size=1, max_size=3), st.sampled_from([1, 3]))
def test_a_strict_service_never_refuses_a_step_and_the_next_plan_is_empty(
    stacks: list[Wish], parallelism: int
) -> None:
    with a_world() as world:
        for wish in stacks:
            assert_done(world, world.apply(wish, parallelism=parallelism))
            assert_settled(world, wish)
            assert world.existing() == world.remembered()


@law(250)
@given(
    wishes(),
    wishes(),
    wishes(),
    st.integers(1, 80),
    st.sampled_from([Death, OSError]),
    st.sampled_from([1, 3]),
    st.booleans(),
)
def test_an_apply_that_dies_half_way_is_finished_by_the_next(
    before: Wish, wish: Wish, other: Wish, at: int, error: type[BaseException], parallelism: int, same: bool
) -> None:
    with a_world() as world:
        world.apply(before)
        with suppress(Death, OSError):
            world.apply(wish, fate=Fate(at, error), parallelism=parallelism)
        lost = world.existing() - world.remembered()
        assert len(lost) <= parallelism
        then = wish if same else other
        if lost and not same:
            return  # a lost create may rightly keep what it refers to
        assert_done(world, world.apply(then))
        assert_settled(world, then)
        assert world.existing() == world.remembered() | lost


@law(100)
@given(st.lists(st.tuples(wishes(least=2), st.integers(1, 60)), min_size=2, max_size=4), wishes())
def test_however_often_an_apply_dies_the_one_that_lives_finishes(
    attempts: list[tuple[Wish, int]], wish: Wish
) -> None:
    with a_world() as world:
        for attempt, at in attempts:
            with pytest.raises(Death):
                world.apply(attempt, fate=Fate(at), parallelism=1)
                raise Death
        if world.existing() - world.remembered():
            return
        assert_done(world, world.apply(wish))
        assert_settled(world, wish)
        assert world.existing() == world.remembered()


BARE = {"shape": "round", "link": None, "home": None, "friends": [], "rock": None}
LINKED = {"thing.a": BARE, "thing.b": {**BARE, "home": "a"}}
APART = {"thing.a": BARE, "thing.b": {**BARE, "shape": "square"}}


@pytest.mark.parametrize("first", range(11, 18))
def test_what_was_made_and_replaced_by_applies_that_died_still_goes_before_what_it_refers_to(
    first: int,
) -> None:
    """Killed at each moment of the creates, then at each of the replacement: nobody told what was made."""
    for second in range(1, 22):
        with a_world() as world:
            for wish, at in ((LINKED, first), (APART, second)):
                with suppress(Death):
                    world.apply(wish, fate=Fate(at), parallelism=1)
            assert_done(world, world.apply({}))
            assert world.existing() == set()


@law(100)
@given(wishes(), wishes(), st.integers(1, 80))
def test_a_create_is_lost_only_between_the_service_and_the_record_of_what_was_made(
    before: Wish, wish: Wish, at: int
) -> None:
    with a_world() as world:
        world.apply(before)
        with suppress(Death):
            world.apply(wish, fate=Fate(at), parallelism=1)
        lost = world.existing() - world.remembered()
        if lost:
            assert lost == {world.service.made[-1]}
            assert world.service.done[-1][0] == "create"
            *_, last = world.records()
            assert last["intent"] == "create"


@law(100)
@given(wishes(), wishes(), st.integers(1, 80))
def test_state_keeps_its_invariants_after_every_step(before: Wish, wish: Wish, at: int) -> None:
    with a_world() as world:
        world.apply(before)
        try:
            world.apply(wish, fate=Fate(at))
        except Death:
            snapshot, records = world.store.snapshot(), world.records()
            assert snapshot
            for count in range(len(records) + 1):
                fold(snapshot.state, records[:count], "journal")  # which checks what comes of it
        assert world.state.lineage


@law(100)
@given(wishes(), wishes(), st.integers(1, 80))
def test_destroy_leaves_nothing_and_forgets_everything(before: Wish, wish: Wish, at: int) -> None:
    with a_world() as world:
        world.apply(before)
        with suppress(Death):
            world.apply(wish, fate=Fate(at), parallelism=1)
        lost = world.existing() - world.remembered()
        if lost:
            return
        assert_done(world, world.apply(wish, destroy=True))
        assert world.existing() == set()
        assert world.state.resources == {}


def circular(world: World) -> bool:
    """Whether objects refer to each other in a circle, so that none of them can be deleted."""
    needs = {id: set(mentioned(held["fields"])) for id, held in world.service.objects.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError:
        return True
    return False


@law(100)
@given(wishes(least=2), wishes(least=2), st.data())
def test_what_other_hands_did_does_not_keep_a_destroy_from_its_end(
    before: Wish, wish: Wish, data: Any
) -> None:
    with a_world() as world:
        world.apply(before)
        world.apply(wish)
        ids = st.sampled_from(sorted(world.existing()))
        for id, other in data.draw(st.lists(st.tuples(ids, ids), max_size=3)):
            world.service.objects[id]["fields"]["link"] = other
        stuck = circular(world)
        outcome = world.apply(wish, destroy=True)
        if not stuck:
            assert_done(world, outcome)
        assert bool(world.existing()) == stuck


@law(60)
@given(wishes(least=2))
def test_references_that_are_no_longer_managed_still_order_a_destroy(wish: Wish) -> None:
    with a_world() as world:
        world.apply(wish)
        bare: Wish = {address: {"shape": body.get("shape")} for address, body in wish.items()}
        bare = {a: {} if a.startswith("rock.") else body for a, body in bare.items()}
        assert_done(world, world.apply(bare))
        assert_done(world, world.apply(bare, destroy=True))
        assert world.existing() == set()
