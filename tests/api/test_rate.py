"""The limiter, in a time of its own: what it lets through, and how it gives way and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbstack.api.rate import RECOVERY, Limiter
from tests.api.virtual import VirtualLoop


def run(work: Callable[[VirtualLoop], Coroutine[Any, Any, Any]]) -> Any:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work(loop))
    finally:
        loop.close()


def sent(per_minute: float, count: int, gaps: list[float] | None = None) -> list[float]:
    """When each of so many requests went out, that came with such gaps between them."""

    async def work(loop: VirtualLoop) -> list[float]:
        limiter, times = Limiter(per_minute, clock=loop.time), []

        async def one() -> None:
            async with limiter.slot():
                times.append(loop.time())

        async with asyncio.TaskGroup() as tasks:
            for place in range(count):
                tasks.create_task(one())
                if gaps and (gap := gaps[place % len(gaps)]):
                    await asyncio.sleep(gap)
        return times

    times: list[float] = run(work)
    return times


@given(
    st.sampled_from([1, 2, 7, 60, 61, 150, 1200]),
    st.lists(st.sampled_from([0.0, 0.3, 7.0, 61.0]), max_size=4),
)
def test_no_minute_holds_more_than_its_share(per_minute: int, gaps: list[float]) -> None:
    times = sent(per_minute, min(3 * per_minute, 300), gaps)
    for place, at in enumerate(times):
        within = [other for other in times[place:] if other < at + 60 - 1e-6]
        assert len(within) <= per_minute


def test_the_share_is_used() -> None:
    assert sent(60, 121)[-1] == pytest.approx(120)
    times = sent(1200, 120)
    assert times[19] == 0  # a plan of a few requests waits for nothing
    assert times[-1] == pytest.approx(100 / (1181 / 60))


def test_there_are_never_more_than_so_many_in_flight() -> None:
    async def work(loop: VirtualLoop) -> int:
        limiter, flying, most = Limiter(1e6, at_once=8, clock=loop.time), 0, 0

        async def one() -> None:
            nonlocal flying, most
            async with limiter.slot():
                flying += 1
                most = max(most, flying)
                await asyncio.sleep(1)
                flying -= 1

        await asyncio.gather(*(one() for _ in range(50)))
        return most

    assert run(work) == 8


def test_a_complaint_halves_the_rate_once_and_holds_everybody_up() -> None:
    async def work(loop: VirtualLoop) -> None:
        limiter = Limiter(1200, clock=loop.time)
        async with limiter.slot() as first, limiter.slot() as second:
            first.throttled(10.0)
            second.throttled(12.0)
        times = []
        for _ in range(3):
            async with limiter.slot():
                times.append(loop.time())
        assert times[0] == pytest.approx(12.0)
        assert times[2] - times[1] == pytest.approx(2 * 60 / 1181)

    run(work)


def test_what_was_lost_comes_back_with_answers() -> None:
    async def work(loop: VirtualLoop) -> list[float]:
        limiter = Limiter(1200, clock=loop.time)
        async with limiter.slot() as slot:
            slot.throttled(1.0)
        times = []
        for _ in range(RECOVERY + 2):
            async with limiter.slot() as slot:
                times.append(loop.time())
            slot.answered()
        return times

    times = run(work)
    assert times[2] - times[1] > 1.9 * (times[-1] - times[-2])
    assert times[-1] - times[-2] == pytest.approx(60 / 1181)


def test_without_a_word_of_how_long_the_waits_double() -> None:
    async def work(loop: VirtualLoop) -> list[float]:
        limiter, times = Limiter(1200, clock=loop.time), []
        for _ in range(8):
            async with limiter.slot() as slot:
                times.append(loop.time())
                slot.throttled(None)
        return times

    times = run(work)
    waits = [after - before for before, after in pairwise(times)]
    assert [round(wait) for wait in waits] == [1, 2, 4, 8, 16, 30, 30]
