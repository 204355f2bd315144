"""`World`: a stack file, a sandbox, a state file; what most tests need and nothing else."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from lbstack import redaction
from lbstack.announce import condemned
from lbstack.api.wire import ApiWire
from lbstack.apply import Outcome, apply
from lbstack.kinds import KINDS
from lbstack.plan.changes import Plan
from lbstack.plan.drift import DriftReport, report
from lbstack.recover import Patience
from lbstack.sandbox.app import create_app
from lbstack.sandbox.conditions import INVITE_LAG_MS, Conditions
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.world import admin_key
from lbstack.session import Settings, load_graph, make_plan
from lbstack.state.model import State, bound, renamed
from lbstack.state.store import Store
from lbstack.work import Event
from tests.doorway import doorway
from tests.memory import MEMORY
from tests.nursery import Nursery

T = TypeVar("T")

if MEMORY and "TMPDIR" not in os.environ:
    os.environ["TMPDIR"] = MEMORY
    tempfile.tempdir = None  # and pytest, which has looked for it already, looks again
if find_spec("sniffio") is None:
    # The client of an application looks for it before each request, wherever modules may lie.
    sys.modules["sniffio"] = None  # type: ignore[assignment]

# Properties are judged by what they find, never by the clock of the machine they run on.
QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# A commit is judged by examples that are the same each time; new ones are looked for at night.
settings.register_profile("suite", settings(max_examples=10, derandomize=True, **QUIET))
settings.register_profile("battery", settings(max_examples=400, derandomize=True, **QUIET))
settings.register_profile("nightly", settings(max_examples=2000, **QUIET))
settings.load_profile("suite")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: at any time one of them waits for something."""
    return (os.cpu_count() or 1) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite golden text in place")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Ids that are the same in every process: tests are shared out among several by their names."""
    if isinstance(val, (set, frozenset)):
        return "+".join(sorted(map(str, val)))
    return argname if " at 0x" in repr(val) else None


class World:
    """One stack, one embedded workspace with counted ids, one state file.

    Its clock moves with each mutation only, so by that clock no list would ever catch up with what it
    lacks: lists show invitations at once here, and late in a `late_world`.
    """

    def __init__(self, folder: Path, seed: int | None = 1, invite_lag_ms: int = 0) -> None:
        self.folder = folder
        self.stack = folder / "stack.yaml"
        self.workspace = open_store(None, seed=seed)
        self.app = create_app(self.workspace, conditions=Conditions(invite_lag_ms=invite_lag_ms))
        self.variables: dict[str, str] = {}
        self.patience: Patience | None = None
        self.events: list[Event] = []

    def settings(self, **more: Any) -> Settings:
        return Settings(path=self.stack, sandbox=True, variables=self.variables, environ={}, **more)

    def write(self, text: str) -> None:
        self.stack.write_text(text)

    @property
    def store(self) -> Store:
        return Store(self.folder / "state.json", "test", "sandbox")

    @property
    def state(self) -> State:
        return self.store.load()

    def wired(self, work: Callable[[ApiWire], Coroutine[Any, Any, T]]) -> T:
        """Run something with a connection to the workspace."""

        async def run() -> T:
            async with ApiWire("http://sandbox/graphql", admin_key(self.workspace), app=self.app) as wire:
                return await work(wire)

        return asyncio.run(run())

    def graphql(self, document: str, **variables: Any) -> dict[str, Any]:
        """What another hand does, or sees, in the workspace."""

        async def run(wire: ApiWire) -> dict[str, Any]:
            answer = await wire.read(document, variables)
            assert not answer.errors, answer.errors
            assert answer.data is not None
            return answer.data

        return self.wired(run)

    def plan(self, refuse: bool = True, **more: Any) -> Plan:
        settings = self.settings(**more)
        graph = load_graph(settings)
        return self.wired(lambda wire: make_plan(settings, graph, self.state, wire, refuse=refuse))[0]

    def drift(self, **more: Any) -> DriftReport:
        settings = self.settings(**more)
        graph = load_graph(settings)
        read: list[Any] = []
        made, _ = self.wired(
            lambda wire: make_plan(
                settings, graph, self.state, wire, refuse=False, on_read=lambda *both: read.append(both)
            )
        )
        return report(graph, *read[0], KINDS, made=made)

    def apply(self, plan: Plan | None = None, **more: Any) -> Outcome:
        plan = plan or self.plan(**more)
        self.events = []

        async def run(wire: ApiWire) -> Outcome:
            state = condemned(plan, bound(renamed(self.state, plan.moves), plan.imports))
            state, journal = self.store.begin(replace(state, organization=plan.pins.organization))
            more = {"emit": self.events.append, "patience": self.patience}
            outcome = await apply(plan, state, journal, KINDS, wire, **more)
            journal.close()
            self.store.save(replace(outcome.state, serial=state.serial + 1))
            return outcome

        return self.wired(run)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where commands come from: one for all tests of a process."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def secrets_of_its_own() -> Iterator[None]:
    """What one test makes a secret is an ordinary word in the next: no test depends on who ran before it."""
    before = dict(redaction._SPELLINGS)
    yield
    if len(redaction._SPELLINGS) > len(before):
        redaction._SPELLINGS.clear()
        redaction._SPELLINGS.update(before)
        redaction._PATTERNS.clear()


@pytest.fixture(scope="session")
def command(nursery: Nursery) -> Iterator[Path]:
    """The command, for shells to start."""
    with doorway(nursery) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def late_world(tmp_path: Path) -> World:
    """A world by the wall clock, whose lists show invitations as late as the service does."""
    return World(tmp_path, seed=None, invite_lag_ms=INVITE_LAG_MS)
