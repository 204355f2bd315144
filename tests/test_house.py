"""The house rules: who may import whom, who may name a kind, what a start costs, how long a file is."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbstack.kinds import KINDS

ROOT = Path(__file__).parent.parent / "lbstack"
LINE = [
    "values", "errors", "kinds", "stack", "graph", "state", "live", "plan", "render", "work", "apply",
    "session", "cli",
]  # fmt: skip
SIDE = {"api": {"values", "errors", "version"}, "sandbox": set()}
ANYWHERE = {"version"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def station(path: Path) -> str:
    """The room a file belongs to: its folder, or its own name."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The rooms of lbstack that a module imports, lazily or not; not those for type checking alone."""
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "lbstack":
                names = [f"lbstack.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("lbstack."):
                yield name.split(".")[1], node.lineno


def wrong_imports(path: Path, source: str) -> list[str]:
    room, found = station(path), []
    for other, line in imported(ast.parse(source)):
        if other == room or other in ANYWHERE:
            continue
        if room in SIDE:
            allowed = other in SIDE[room]
        elif room == "session":
            allowed = other in {*LINE[: LINE.index("session")], *SIDE}  # it wires the edges together
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


def named_kinds(source: str) -> list[tuple[int, str]]:
    """String constants and names in code that equal a kind's name; docstrings may speak of them."""
    words = {kind.name for kind in KINDS.values()} | {kind.plural for kind in KINDS.values()}
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lower() in words:
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


@pytest.mark.parametrize("path", [p for p in modules() if p.name == "__init__.py"], ids=str)
def test_package_files_hold_a_docstring_and_at_most_a_registry(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a package says what it is"
    if station(path) not in ("kinds", "sandbox"):
        assert len(tree.body) == 1


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_short_and_say_what_they_are(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    assert source.count("\n") <= 360
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split("\n")[-2].split()}


SLOW = {"gql", "graphql", "pydantic", "deepdiff", "rich", "starlette", "httpx2", "yaml"}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["plan", "--help"]], ids=" ".join)
def test_version_and_help_import_nothing_slow(arguments: list[str]) -> None:
    code = f"from lbstack.cli.main import run; run({arguments!r})"
    assert loaded_by(code) & SLOW == set()


def test_the_core_is_pure() -> None:
    code = "import lbstack.plan.planner, lbstack.plan.schedule, lbstack.plan.guards"
    assert loaded_by(code) & {"gql", "graphql", "sqlite3", "httpx2", "deepdiff", "starlette"} == set()
