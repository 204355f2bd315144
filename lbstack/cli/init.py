"""``lbstack init``: a first stack, what editors and Git need beside it, and the files of a CI service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from lbstack.cli.ci_files import NEXT, NEXT_MANY, SERVICES, files_for, files_for_many
from lbstack.errors import Exit, UsageError, typed
from lbstack.render.words import safe
from lbstack.session import dumps
from lbstack.stack.sections import NAME
from lbstack.stack.starter import IGNORED, SCHEMA, first_stack

FILE = "stack.yaml"
PLAIN = re.compile(r"(?!.*\.\.)[A-Za-z0-9_.][A-Za-z0-9_./-]*")
"""Paths that mean the same in YAML, in a pattern of GitHub's, and in a shell."""


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--name", metavar="NAME", help="The stack's name; else the folder's.")
@click.option(
    "--ci",
    type=click.Choice(SERVICES),
    help="Also write the files with which this service plans, applies and looks for drift.",
)
@click.option(
    "--many", is_flag=True, help="With --ci github: for every stack in a folder beside this one, a job each."
)
def command(folder: Path, name: str | None, ci: str | None, many: bool) -> int:
    """Write a first stack, .gitignore, and what a CI service needs. What exists is left as it is."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", "name the folder that the stack is to lie in")
    name = name or _name_of(folder)
    if not NAME.match(name):
        raise UsageError(
            f"{safe(name)} is no name for a stack", "up to 63 letters, digits, dots, dashes and underscores"
        )
    if ci and not PLAIN.fullmatch(folder.as_posix()):
        raise UsageError(
            f"{safe(str(folder))} is no plain path below this folder, and CI files name it",
            "run init at the root of the repository",
        )
    if many:
        _require_beside(folder, ci)
    folder.mkdir(parents=True, exist_ok=True)
    files = [*_files(folder, name, ci, many)]
    wrote = [path for path, text in files if _write(path, text)]
    _ignore(Path(".gitignore"))  # states lie where commands are run
    stack = folder / FILE
    if stack in wrote:
        words = [] if folder == Path() else [str(stack)]
        click.echo(f"\nNext: {safe(typed('apply', *words, '--sandbox'))}")
    else:
        click.echo(f"\nFor another stack: {safe(typed('init', str(_beside(folder) / 'NAME')))}")
        click.echo(f"To plan all of them: {safe(typed('plan', '--all', str(_beside(folder))))}")
    if ci == "github" and not many and any(_about_another(path, stack) for path, _ in files):
        again = typed(
            "init", str(folder if len(folder.parts) > 1 else _beside(folder) / "NAME"), "--ci", ci, "--many"
        )
        click.echo(
            f"\nThe workflows are about another stack. For all stacks: remove them, and run {safe(again)}"
        )
    elif ci:
        click.echo(f"\n{NEXT_MANY if many else NEXT[ci]}")
    return Exit.OK


def _beside(folder: Path) -> Path:
    """The folder in which another stack has its own, beside this one or below it."""
    return folder.parent if len(folder.parts) > 1 else folder if folder.parts else Path("stacks")


def _require_beside(folder: Path, ci: str | None) -> None:
    if ci != "github":
        raise UsageError("--many is about the workflows of GitHub", "give --ci github with it")
    if len(folder.parts) < 2:
        again = typed("init", str(_beside(folder) / "NAME"), "--ci", "github", "--many")
        raise UsageError(
            "with --many each stack lies in a folder of its own, beside others", f"as in: {again}"
        )


def _about_another(path: Path, stack: Path) -> bool:
    """Whether a file of a CI service was there, and is about one stack, and not about this one."""
    with suppress(OSError, UnicodeDecodeError):
        text = path.read_text(encoding="utf-8")
        return "lbstack/lbstack@" in text and "fromJSON(" not in text and stack.as_posix() not in text
    return False


def _name_of(folder: Path) -> str:
    """A name for a stack out of a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._")[:63] or "labeling"


def _files(folder: Path, name: str, ci: str | None, many: bool) -> Iterator[tuple[Path, str]]:
    from lbstack.stack.schema import json_schema

    yield folder / FILE, first_stack(name)
    yield folder / SCHEMA, dumps(json_schema()) + "\n"
    if ci:  # CI services look for them where the repository begins
        stack = (folder / FILE).as_posix()
        for place, text in files_for_many(folder.parent.as_posix()) if many else files_for(ci, stack):
            yield Path(place), text


def _write(path: Path, text: str) -> bool:
    """Write a file that is not there yet, and say what was done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        click.echo(f"  {safe(str(path))} exists, and is left as it is")
        return False
    click.echo(f"+ {safe(str(path))}")
    return True


def _ignore(path: Path) -> None:
    """Keep states out of Git: add the lines that are not there yet."""
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    missing = [line for line in IGNORED if line not in known.splitlines()]
    if not missing:
        return
    gap = "" if not known or known.endswith("\n") else "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(gap + "".join(f"{line}\n" for line in missing))
    click.echo(f"{'~' if known else '+'} {safe(str(path))}")
