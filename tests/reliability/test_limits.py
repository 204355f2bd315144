"""A service that limits its rate: a large stack is applied all the same, and nothing is sent in vain.

Time is virtual: the sandbox's minute and the limiter's are the same, and neither takes any time.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lbstack.api.rate import AT_ONCE, PER_MINUTE, Limiter
from lbstack.api.wire import ApiWire
from lbstack.sandbox.conditions import Conditions, RateLimit
from lbstack.sandbox.faults.proxy import Faults, Proxy
from lbstack.sandbox.world import admin_key
from tests.api.virtual import VirtualLoop
from tests.conftest import World
from tests.reliability.conftest import Report
from tests.reliability.sizes import size

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "benchmarks"))
from stack_of import yaml_of

pytestmark = pytest.mark.reliability

RESOURCES = size(120, 500)
WARM_UP = 5
"""Minutes in which the limiter learns what it may ask."""


class LimitedWorld(World):
    """A world behind a rate limit, with a clock of its own that moves when everybody waits."""

    def __init__(self, folder: Path, style: str, retry_after: bool) -> None:
        super().__init__(folder)
        sandbox = self.app.state.sandbox
        sandbox.conditions = Conditions(
            invite_lag_ms=0, rate_limit=RateLimit(size(240, 60), style, retry_after)
        )
        self.proxy = Proxy(self.app, Faults(sandbox))
        self.loop = VirtualLoop(self._passed)
        self.limiter = Limiter(PER_MINUTE, clock=self.loop.time)
        self.answers: list[tuple[float, bool]] = []
        self.most = self.flying = 0

    def _passed(self, seconds: float) -> None:
        self.workspace.mint.advanced += seconds

    async def counted(self, scope: Any, receive: Any, send: Any) -> None:
        self.flying += 1
        self.most = max(self.most, self.flying)
        refused = False

        async def seen(message: Any) -> None:
            nonlocal refused
            refused = (
                refused or message.get("status") == 429 or b"You have exceeded" in message.get("body", b"")
            )
            await send(message)

        try:
            await self.proxy(scope, receive, seen)
        finally:
            self.flying -= 1
            self.answers.append((self.loop.time(), refused))

    def wired(self, work: Any) -> Any:
        async def run() -> Any:
            key = admin_key(self.workspace)
            async with ApiWire("http://sandbox/graphql", key, app=self.counted, limiter=self.limiter) as wire:
                return await work(wire)

        return self.loop.run_until_complete(run())


@pytest.mark.parametrize("retry_after", [True, False], ids=["told how long", "not told"])
@pytest.mark.parametrize("style", ["429_json", "429_html", "200_message"])
def test_a_limited_service(tmp_path: Path, style: str, retry_after: bool, report: Report) -> None:
    world = LimitedWorld(tmp_path, style, retry_after)
    try:
        world.write(yaml_of(RESOURCES).replace(f"stack: bench-{RESOURCES}", "stack: test"))
        world.variables = {"secret": "whsec-only-for-the-limits"}
        outcome = world.apply()
        assert [
            (event.step.address, event.problems) for event in world.events if event.type == "failed"
        ] == []
        assert len(outcome.done) == RESOURCES
        assert world.plan().empty
    finally:
        world.loop.close()
    assert world.most <= AT_ONCE
    made = Counter(row["name"] for row in world.workspace.rows("SELECT name FROM projects"))
    assert set(made.values()) == {1}
    late = [refused for at, refused in world.answers if at > WARM_UP * 60] or [
        refused for _, refused in world.answers[len(world.answers) // 2 :]
    ]
    share = sum(late) / len(late)
    report(
        name=f"limits_{style}_{'told' if retry_after else 'untold'}",
        n=RESOURCES,
        requests=len(world.answers),
        minutes=round(world.loop.time() / 60),
        refused=sum(refused for _, refused in world.answers),
        refused_after_warm_up=f"{share:.1%} of {len(late)}",
        at_once=world.most,
    )
    assert share <= 0.05
