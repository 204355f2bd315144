"""The house rules: who may import whom, who may name a kind, what a start costs, how long a file is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from lbstack.cli.main import COMMANDS
from lbstack.kinds import KINDS

ROOT = Path(__file__).parent.parent / "lbstack"
LINE = [
    "redaction", "values", "errors", "kinds", "stack", "graph", "state", "asking", "live", "recover", "rebuild", "plan", "render", "forge", "announce", "work", "carry", "apply",
    "settings", "session", "connect", "cli",
]  # fmt: skip
SIDE = {"api": {"redaction", "values", "errors", "version"}, "sandbox": set()}
ANYWHERE = {"version"}


@cache
def parsed(source: str) -> ast.Module:
    """A module's tree; many rules look at each."""
    return ast.parse(source)


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def station(path: Path) -> str:
    """The room a file belongs to: its folder, or its own name."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    """All there is in a module."""
    return tuple(ast.walk(parsed(source)))


def imported(path: Path, source: str) -> Iterator[tuple[str, int]]:
    """The modules that a module imports, lazily or not, by their full names; not those for type checking
    alone."""
    skipped = {
        id(inner)
        for node in nodes(source)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in nodes(source):
        if id(node) in skipped:
            continue
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whole = ".".join([*_above(path, node.level), *([node.module] if node.module else [])])
            # What is imported from a package may be a module of it.
            names = [f"{whole}.{alias.name}" for alias in node.names] if _is_package(whole) else [whole]
        for name in names:
            yield name, node.lineno


def _above(path: Path, level: int) -> tuple[str, ...]:
    """The package that a relative import of so many dots begins at."""
    parts = ("lbstack", *path.relative_to(ROOT).parts)
    return parts[: len(parts) - level] if level else ()


def _is_package(name: str) -> bool:
    return (ROOT.parent / Path(*name.split("."))).is_dir() if name.startswith("lbstack") else False


def names_a_kind(room: str, module: str) -> bool:
    """Whether somebody who may know only what a kind is imports one kind."""
    parts = module.split(".")
    inside = parts[1] == "kinds" and len(parts) > 2 and _is_module(parts[:3])
    return inside and room not in ("kinds", "sandbox") and parts[2] not in ("contract", "fields")


def _is_module(parts: list[str]) -> bool:
    place = ROOT.parent / Path(*parts)
    return place.is_dir() or place.with_suffix(".py").exists()


def wrong_imports(path: Path, source: str) -> list[str]:
    room, found = station(path), []
    for module, line in imported(path, source):
        if not module.startswith("lbstack."):
            continue
        other = module.split(".")[1]
        if names_a_kind(room, module):
            found.append(f"{path.relative_to(ROOT)}:{line}: {room} imports {module}")
        if other == room or other in ANYWHERE:
            continue
        if room in SIDE:
            allowed = other in SIDE[room]
        elif room in ("session", "connect"):
            allowed = other in {*LINE[: LINE.index(room)], *SIDE}  # they wire the edges together
        elif room == "cli":
            allowed = other in {*LINE, "sandbox"}  # serving the sandbox is a command
        elif room in LINE:
            allowed = other in LINE[: LINE.index(room)]
        else:
            allowed = room == "__main__" and other == "cli"
        if not allowed:
            found.append(f"{path.relative_to(ROOT)}:{line}: {room} imports {other}")
    return found


def test_nothing_imports_to_its_right() -> None:
    assert [line for path in modules() for line in wrong_imports(path, path.read_text())] == []


def test_a_planted_wrong_import_is_found() -> None:
    planted = "def f():\n    from lbstack.render import text\n"
    assert wrong_imports(ROOT / "state" / "model.py", planted) == ["state/model.py:2: state imports render"]
    assert wrong_imports(ROOT / "sandbox" / "app.py", "import lbstack.values")
    assert wrong_imports(ROOT / "api" / "wire.py", "from lbstack.kinds import KINDS")


@pytest.mark.parametrize(
    ("place", "planted", "found"),
    [
        ("state/model.py", "from ..render import text", "state/model.py:1: state imports render"),
        ("state/model.py", "from ..render.text import Line", "state/model.py:1: state imports render"),
        ("state/model.py", "from .. import apply", "state/model.py:1: state imports apply"),
        ("graph.py", "from .plan import changes", "graph.py:1: graph imports plan"),
        ("sandbox/kinds/label.py", "from ...values import Ref", "sandbox/kinds/label.py:1: sandbox imports values"),
        ("state/model.py", "from lbstack import render", "state/model.py:1: state imports render"),
        (
            "session.py",
            "from lbstack.kinds.dataset import Dataset",
            "session.py:1: session imports lbstack.kinds.dataset",
        ),
        ("plan/diff.py", "from ..kinds import ontology", "plan/diff.py:1: plan imports lbstack.kinds.ontology"),
        (
            "cli/plan.py",
            "import lbstack.kinds.member.words",
            "cli/plan.py:1: cli imports lbstack.kinds.member.words",
        ),
    ],
)  # fmt: skip
def test_no_way_of_writing_an_import_gets_around(place: str, planted: str, found: str) -> None:
    assert wrong_imports(ROOT / place, planted) == [found]


def test_what_may_be_imported_is_not_found() -> None:
    for planted in (
        "from lbstack.kinds import KINDS",
        "from ..kinds.contract import Kind",
        "from . import diff",
    ):
        assert wrong_imports(ROOT / "plan" / "planner.py", planted) == []


OUTSIDE = {
    "gql", "graphql", "httpx", "httpx2", "starlette", "uvicorn", "yaml", "sqlite3", "click", "socket", "subprocess",
}  # fmt: skip
"""Libraries of the edges."""
PURE = {
    "redaction",
    "values",
    "errors",
    "kinds",
    "graph",
    "live",
    "recover",
    "plan",
    "render",
    "work",
    "announce",
    "carry",
    "apply",
}
"""Rooms that touch nothing outside: what they need is handed in."""
STILL = {"redaction", "values", "errors", "graph", "plan"}
"""Rooms that only compute: nothing in them waits."""


def wrong_libraries(path: Path, source: str) -> list[str]:
    room = station(path)
    forbidden = (OUTSIDE if room in PURE else set()) | ({"asyncio", "threading"} if room in STILL else set())
    return [
        f"{path.relative_to(ROOT)}:{line}: {room} imports {module}"
        for module, line in imported(path, source)
        if module.split(".")[0] in forbidden
    ]


def test_the_core_uses_no_library_of_the_edges() -> None:
    assert [line for path in modules() for line in wrong_libraries(path, path.read_text())] == []


def test_a_planted_library_is_found() -> None:
    planner = ROOT / "plan" / "planner.py"
    assert wrong_libraries(planner, "def f():\n    import yaml\n") == ["plan/planner.py:2: plan imports yaml"]
    assert wrong_libraries(planner, "from gql.transport import httpx")
    assert wrong_libraries(planner, "import asyncio")
    assert wrong_libraries(ROOT / "api" / "wire.py", "import gql") == []


def named_kinds(source: str) -> list[tuple[int, str]]:
    """String constants and names in code that equal a kind's name; docstrings may speak of them."""
    words = {kind.name for kind in KINDS.values()} | {kind.plural for kind in KINDS.values()}
    # An address, or the beginning of one that an f-string goes on with.
    address = re.compile(rf"(?<![\w.-])({'|'.join(words)})\.[\w$*-]")
    begun = re.compile(rf"(?<![\w.-])({'|'.join(words)})\.$")
    prose = {id(node.value) for node in nodes(source) if isinstance(node, ast.Expr)}
    going_on = {id(part) for n in nodes(source) if isinstance(n, ast.JoinedStr) for part in n.values[:-1]}
    found = []
    for node in nodes(source):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            named = node.value.lower() in words or address.search(node.value)
            if named or (id(node) in going_on and begun.search(node.value)):
                found.append((node.lineno, node.value))
        if isinstance(node, ast.Name) and node.id in words:
            found.append((node.lineno, node.id))
    return found


def test_no_kind_is_named_outside_its_room() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in modules()
        if station(path) not in ("kinds", "sandbox")
        for line, word in named_kinds(path.read_text())
    ]
    assert found == []


def test_a_planted_kind_name_is_found() -> None:
    assert named_kinds('if kind == "dataset": pass') == [(1, "dataset")]
    assert named_kinds('plan("dataset.foo")') == [(1, "dataset.foo")]
    assert named_kinds('print(f"see project.{key}")') == [(1, "see project.")]
    assert named_kinds('def f():\n    """As dataset.foo."""\n    print("no project of mine")') == []


WALL_CLOCKS = {
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.asctime", "time.strftime",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
}  # fmt: skip
WORDS = {name.rpartition(".")[2] for name in WALL_CLOCKS}
TOLD = {"cli/telling.py", "state/remote.py"}
"""What this machine's clock says is told to people here: in an event of ``--json``, and in a lock."""


def asked_clocks(source: str) -> list[str]:
    """How code asks for the time of day."""
    return [
        asked
        for node in nodes(source)
        if isinstance(node, ast.Attribute)
        and node.attr in WORDS
        and any((asked := ast.unparse(node)).endswith(name) for name in WALL_CLOCKS)
    ]


def test_this_machines_clock_decides_nothing() -> None:
    asking = {
        str(path.relative_to(ROOT)): asked
        for path in modules()
        if station(path) != "sandbox" and (asked := asked_clocks(path.read_text()))
    }
    assert {name: len(asked) for name, asked in asking.items()} == dict.fromkeys(TOLD, 1)


def test_a_planted_clock_is_found() -> None:
    assert asked_clocks("import time\nx = time.time() - 3\n") == ["time.time"]
    assert asked_clocks("x = datetime.datetime.now(UTC)") == ["datetime.datetime.now"]
    assert asked_clocks("from time import monotonic\nx = time.monotonic()") == []


@pytest.mark.parametrize("path", [p for p in modules() if p.name == "__init__.py"], ids=str)
def test_package_files_hold_a_docstring_and_at_most_a_registry(path: Path) -> None:
    tree = parsed(path.read_text())
    assert ast.get_docstring(tree), "a package says what it is"
    if station(path) not in ("kinds", "sandbox"):
        assert len(tree.body) == 1


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_short_and_say_what_they_are(path: Path) -> None:
    source = path.read_text()
    tree = parsed(source)
    assert ast.get_docstring(tree)
    assert source.count("\n") <= 360
    for node in nodes(source):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split("\n")[-2].split()}


SLOW = {"jinja2", "gql", "graphql", "pydantic", "deepdiff", "rich", "starlette", "httpx2", "yaml"}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["plan", "--help"]], ids=" ".join)
def test_version_and_help_import_nothing_slow(arguments: list[str]) -> None:
    code = f"from lbstack.cli.main import run; run({arguments!r})"
    assert loaded_by(code) & SLOW == set()


def test_the_core_is_pure() -> None:
    code = "import lbstack.plan.planner, lbstack.plan.schedule, lbstack.plan.guards"
    assert loaded_by(code) & {"gql", "graphql", "sqlite3", "httpx2", "deepdiff", "starlette"} == set()


SAID = {
    "stack/blocks.py": 1, "render/text.py": 1, "render/markdown.py": 3, "render/html.py": 1, "cli/plan.py": 1,
    "forge/pages.py": 1, "forge/work.py": 1,
}  # fmt: skip
"""Where a command stands in a text that is nothing to paste, or stands for one that is handed in."""


def written_commands(source: str) -> list[str]:
    """Commands of lbstack in the texts of a module, its docstrings left out: `errors.typed` makes those of
    messages, with the stack and the options that were given."""
    told = {id(node.value) for node in nodes(source) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in nodes(source)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]
    return [text for text in texts if re.search(rf"\blbstack (?:{'|'.join(COMMANDS)})\b", text)]


def test_every_command_that_a_message_tells_is_made_in_one_place() -> None:
    found = {
        str(path.relative_to(ROOT)): len(commands)
        for path in modules()
        if station(path) != "sandbox" and (commands := written_commands(path.read_text()))
    }
    assert found == SAID
    assert written_commands('x = f"see: lbstack state list {y}"')
    assert not written_commands('"""``lbstack state list``"""')
