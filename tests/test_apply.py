"""How an apply goes: so many steps at once, a word from those that are slow, ids where they are known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lbstack import apply as module
from lbstack.render.progress import event_lines
from lbstack.work import Event
from tests.laws.service import Service
from tests.laws.world import World, a_world


@dataclass
class Patient(Service):
    """Counts the mutations that it has before it at once, and gives each of them time."""

    at_once: int = 0
    most: int = 0
    until: Callable[[], bool] = field(default=lambda: True)

    async def mutate(self, document: str, **variables: Any) -> dict[str, Any]:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        for _ in range(5):  # whoever is to come beside this one comes
            await asyncio.sleep(0)
        while not self.until():
            await asyncio.sleep(0.001)
        self.at_once -= 1
        return await super().mutate(document, **variables)


def patient(world: World) -> Patient:
    world.service = Patient()
    return world.service


def told(world: World) -> list[tuple[str, str | None]]:
    return [(event.type, event.id) for event in world.events]


def text(event: Event) -> str:
    return "\n".join(line for line, _ in event_lines(event))


@pytest.mark.parametrize("parallelism", [1, 3, 10])
def test_as_many_steps_run_at_once_as_were_asked_for(parallelism: int) -> None:
    with a_world() as world:
        service = patient(world)
        wish = {f"thing.t{n}": {"number": n} for n in range(12)}
        world.apply(wish, parallelism=parallelism)
        assert service.most == parallelism
        service.most = 0
        world.apply({}, parallelism=parallelism)
        assert service.most == parallelism


def test_a_slow_step_says_that_it_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    with a_world() as world:
        service = patient(world)
        service.until = lambda: sum(event.type == "still" for event in world.events) >= 2
        world.apply({"thing.slow": {"number": 1}})
        assert told(world)[:3] == [("start", None), ("still", None), ("still", None)]
        assert told(world)[-1] == ("done", "thing-1")
        assert text(world.events[1]).startswith("thing.slow: Still creating… [0s elapsed]")

        world.apply({"thing.slow": {"number": 2}})
        assert {id for _, id in told(world)} == {"thing-1"}
        assert "Still modifying…" in text(world.events[1])


def test_of_a_step_that_is_quick_nothing_more_is_said() -> None:
    with a_world() as world:
        world.apply({"thing.quick": {"number": 1}})
        assert told(world) == [("start", None), ("done", "thing-1")]


def test_a_successor_is_not_told_by_the_id_of_what_it_replaces() -> None:
    with a_world() as world:
        world.apply({"thing.a": {"shape": "round"}})
        world.apply({"thing.a": {"shape": "square"}})
        assert told(world) == [
            ("start", None), ("done", "thing-2"), ("start", "thing-1"), ("done", "thing-1"),
        ]  # fmt: skip
        assert text(world.events[0]) == "thing.a: Creating…"


def test_a_failure_names_the_object_that_was_made_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_world() as world:
        refuse = Service._update

        def broken(self: Service, id: str, address: str, fields: dict[str, Any]) -> dict[str, Any]:
            fields = {"link": "thing-0"}
            return refuse(self, id, address, fields)

        monkeypatch.setattr(Service, "_update", broken)
        world.apply({"thing.a": {"parts": ["x"]}})
        assert told(world) == [("start", None), ("failed", "thing-1")]
