"""What every battery has: its size (see ``sizes``), a seed to run again, and a line that tells its n."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.memory import MEMORY
from tests.reliability import sizes
from tests.reliability.stages import Stages, the_stages

Report = Callable[..., None]
_LINE = "battery"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="run the seeded batteries with this one seed only")


def pytest_configure(config: pytest.Config) -> None:
    sizes.be(config.option.markexpr)
    if MEMORY:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)
    config.option.loadscopereorder = False  # nor by how many tests a file has: by what they cost


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A full run takes what a run of each commit takes, too; the longest first, so that the workers end
    together."""
    places = {name: place for place, name in enumerate(sizes.LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
    for item in items:
        if item.get_closest_marker("reliability"):
            item.add_marker("nightly")


@pytest.fixture
def report(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Report:
    """Tell how much was tried: ``report(n=80, killed=80)`` is shown as ``NAME: n=80, killed=80``.

    The line stands at the end of the run's output, whatever the verbosity and in whichever process
    the battery ran. Another first word than the test's own name is given as ``name``.
    """

    def tell(*, name: str = "", **figures: Any) -> None:
        said = ", ".join(f"{key}={value}" for key, value in figures.items())
        record_property(_LINE, f"{name or request.node.name.removeprefix('test_')}: {said}")

    return tell


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> Callable[[int], list[int]]:
    """So many seeds, the same ones every time; or the one that was given with --seed."""
    given = request.config.getoption("--seed")
    return lambda count: list(range(count)) if given is None else [given]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """A workspace and a state before each of three commands, and what undisturbed runs make of them."""
    with the_stages(tmp_path_factory.mktemp("stages")) as made:
        yield made


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines = [
        value
        for outcome in ("passed", "failed")
        for test in terminalreporter.getreports(outcome)
        for key, value in getattr(test, "user_properties", ())
        if key == _LINE
    ]
    if lines:
        terminalreporter.section("batteries")
    for line in sorted(set(lines)):
        terminalreporter.write_line(line)
