"""``lbstack init``: a first stack, what editors and Git need beside it, and the files of a CI service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from lbstack.cli.ci_files import NEXT, SERVICES, files_for
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
def command(folder: Path, name: str | None, ci: str | None) -> int:
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
    folder.mkdir(parents=True, exist_ok=True)
    wrote = [path for path, text in _files(folder, name, ci) if _write(path, text)]
    _ignore(Path(".gitignore"))  # states lie where commands are run
    stack = folder / FILE
    if stack in wrote:
        words = [] if folder == Path() else [str(stack)]
        click.echo(f"\nNext: {safe(typed('apply', *words, '--sandbox'))}")
    if ci:
        click.echo(f"\n{NEXT[ci]}")
    return Exit.OK


def _name_of(folder: Path) -> str:
    """A name for a stack out of a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._")[:63] or "labeling"


def _files(folder: Path, name: str, ci: str | None) -> Iterator[tuple[Path, str]]:
    from lbstack.stack.schema import json_schema

    yield folder / FILE, first_stack(name)
    yield folder / SCHEMA, dumps(json_schema()) + "\n"
    for place, text in files_for(ci, (folder / FILE).as_posix()) if ci else ():
        yield Path(place), text  # CI services look for them where the repository begins


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
