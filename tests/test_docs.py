"""README says what the program is: tables are generated and compared, commands exist, codes agree.

``pytest tests/test_docs.py --accept`` rewrites the generated parts.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
import pytest

from lbstack.cli.main import COMMANDS, group
from lbstack.errors import Exit
from lbstack.kinds import KINDS
from lbstack.kinds.contract import Kind
from lbstack.kinds.fields import Immutable, RefTo, WriteOnly
from lbstack.render.drift import drift_lines
from lbstack.render.text import plan_lines
from lbstack.stack.schema import json_schema
from tests.conftest import World

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
SCHEMA = ROOT / "docs" / "stack.schema.json"


def kinds_table() -> str:
    """Every kind with its fields, what they are, and how they may change."""
    lines = []
    for kind in KINDS.values():
        lines += [f"**{kind.plural}** ({_first_line(kind.Spec)})", "", "| field | |", "|---|---|"]
        lines += [f"| `{name}` | {_told(kind, name)} |" for name in kind.Spec.model_fields]
        known = ", ".join(f"`{name}`" for name in ("id", *kind.computed))
        lines += ["", f"Attributes for `${{{kind.name}.KEY.…}}` beside the fields: {known}.", ""]
        if not kind.deletable:
            lines += [kind.kept, ""]
    return "\n".join(lines).strip()


def _first_line(spec: Any) -> str:
    return (spec.__doc__ or "").strip().split("\n")[0].rstrip(".")


def _told(kind: Kind, name: str) -> str:
    info = kind.Spec.model_fields[name]
    parts = [info.description] if info.description else []
    parts += (
        [f"one of {', '.join(f'`{v}`' for v in _choices(info.annotation))}"]
        if _choices(info.annotation)
        else []
    )
    ref, immutable = kind.role(name, RefTo), kind.role(name, Immutable)
    parts += [f"refers to {'an' if ref.kind[0] in 'aeio' else 'a'} {ref.kind}"] if ref else []
    if immutable:
        parts.append("replaces once it holds anything" if immutable.once_used else "a change replaces")
    parts += ["cannot be read back"] if kind.role(name, WriteOnly) else []
    parts += ["required"] if info.is_required() else []
    return "; ".join(parts)


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return [choice for inner in get_args(annotation) for choice in _choices(inner)]


def commands_table() -> str:
    """Every command, with its one line."""
    lines = ["| command | does |", "|---|---|"]
    for name, help in COMMANDS.items():
        command = group.get_command(click.Context(group), name)
        subs = " " + "\\|".join(command.commands) if isinstance(command, click.Group) else ""
        lines.append(f"| `{name}{subs}` | {help} |")
    return "\n".join(lines)


ROLE = "arn:aws:iam::123456789012:role/labelbox"


def a_plan(world: World) -> str:
    """The plan of the large example when a role, a label and a secret are not as they were applied."""
    stack = ROOT / "stacks" / "multi-step-labeling.yaml"
    world.stack, world.variables = stack, {"webhook_secret": "one"}
    assert not world.apply().failed
    world.stack = world.folder / "stack.yaml"
    world.write(stack.read_text().replace("label: Crack}", "label: Cracked}"))
    world.variables = {"webhook_secret": "another", "bucket_role": ROLE}
    lines = [text for text, _ in plan_lines(world.plan())]
    command = f"$ lbstack plan stacks/multi-step-labeling.yaml --sandbox --var bucket_role={ROLE}"
    return "\n".join(["```text", command, *lines, "```"])


def test_the_plan_that_readme_shows_is_one(world: World, request: pytest.FixtureRequest) -> None:
    held(README, "plan", a_plan(world), request)


def a_drift(world: World) -> str:
    """What two hands changed, as README shows it."""
    world.write(
        "stack: test\ndatasets:\n  teeth: {name: Teeth}\nprojects:\n  step-1: {name: Step 1, media_type: IMAGE}\n"
    )
    world.apply()
    for kind, name in (("dataset", "Teeth of 2026"), ("project", "Step one")):
        entry = next(e for address, e in world.state.resources.items() if address.kind == kind)
        document = f"mutation($id: ID!, $n: String!) {{ update{kind.capitalize()}(where: {{id: $id}}, data: {{name: $n}}) {{ id }} }}"
        world.graphql(document, id=entry.id, n=name)
    world.write(world.stack.read_text().replace("Step 1", "First step"))
    lines = [text for text, _ in drift_lines(world.drift())]
    return "\n".join(["```text", "$ lbstack drift stacks/labeling.yaml", *lines, "```"])


def test_the_drift_that_readme_shows_is_one(world: World, request: pytest.FixtureRequest) -> None:
    held(README, "drift", a_drift(world), request)


GENERATED = {"kinds": kinds_table, "commands": commands_table}


@pytest.mark.parametrize("name", GENERATED)
def test_generated_part_is_current(name: str, request: pytest.FixtureRequest) -> None:
    held(README, name, GENERATED[name](), request)


def held(page: Path, name: str, want: str, request: pytest.FixtureRequest) -> None:
    """A part of a page, between marks of its name, is as wanted; with --accept it becomes so."""
    pattern = re.compile(rf"(<!-- {name} -->\n)(.*?)(\n<!-- /{name} -->)", re.DOTALL)
    text = page.read_text()
    match = pattern.search(text)
    assert match
    if request.config.getoption("--accept"):
        page.write_text(pattern.sub(lambda m: m[1] + want + m[3], text))
        return
    assert match[2] == want


def test_the_schema_is_current(request: pytest.FixtureRequest) -> None:
    want = json.dumps(json_schema(), indent=1) + "\n"
    if request.config.getoption("--accept"):
        SCHEMA.write_text(want)
    assert SCHEMA.read_text() == want


def test_every_exit_code_is_told() -> None:
    section = README.read_text().split("### Exit codes")[1].split("###")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)] == [
        int(e) for e in Exit
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.help
    for sub in command.commands.values() if isinstance(command, click.Group) else []:
        assert sub.help
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help or param.is_flag or isinstance(param.type, click.Choice), param.name


def test_readme_names_only_options_that_exist() -> None:
    known = {"--version", "--help"}
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        commands = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
        for each in commands:
            inner = each.commands.values() if isinstance(each, click.Group) else []
            for one in [each, *inner]:
                known |= {opt for param in one.params for opt in param.opts if one}  # type: ignore[union-attr]
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README.read_text()))
    assert named <= known, named - known
