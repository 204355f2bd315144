"""Faces in files, beside what the terminal shows: which were asked for, and how each is written.

A face is a name (``markdown``, ``html``, …) and a file. A command takes those that it can draw::

    @faces.asked("markdown", "html")
    def command(..., faces: Faces) -> int:
        faces.require_places(settings)                          # before anything is asked of anybody
        faces.write({"markdown": lambda: ..., "html": ...})     # only what was asked for is drawn

A file is written whole or not at all, and takes the place of an older report only.
"""

from __future__ import annotations

import functools
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lbstack.errors import ConfigError, UsageError
from lbstack.redaction import LONG, redacted
from lbstack.session import Settings

if TYPE_CHECKING:
    from lbstack.plan.changes import Plan

Command = Callable[..., Any]

HELP = {
    "markdown": "Write Markdown for a comment of a pull request.",
    "html": "Write one self-contained page.",
    "junit": "Write JUnit XML.",
    "sarif": "Write SARIF.",
}
ENDINGS = {"markdown": "md", "html": "html", "junit": "xml", "sarif": "sarif"}
OF_PLAN = ("markdown", "html")
"""The faces that a plan has."""
MAX_BYTES = 60_000
"""What a comment may take: GitHub's end at 65,536 characters, and others add words of their own."""


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces that were asked for, by name, and the most bytes that Markdown may have."""

    files: Mapping[str, Path]
    max_bytes: int = MAX_BYTES

    def require_places(self, settings: Settings, *others: Path | None) -> None:
        """Refuse a file that no report may take the place of; `others` are files the same run writes."""
        taken = [path for path in (settings.path, *settings.var_files, *others) if path]
        if settings.state and "://" not in settings.state:
            taken.append(Path(settings.state))
        for name, path in self.files.items():
            _require_free(f"--{name} {path}", path, taken)
            taken.append(path)

    def require_none(self, why: str, instead: str) -> None:
        """Refuse what has no face in a file."""
        if self.files:
            raise UsageError(f"--{next(iter(self.files))} is of one plan: {why}", instead)

    def require_folders(self, **others: Path) -> None:
        """Of many stacks each face is a folder, and so is what else the run writes."""
        for name, path in {**others, **self.files}.items():
            if not path.is_dir():
                raise UsageError(
                    f"--{name} {path} is no folder", "with --all it is one, for a file a stack; make it first"
                )

    def of_stack(self, stack: str) -> Faces:
        """One stack's files in these folders: ``NAME.md``, ``NAME.html``."""
        files = {name: folder / f"{stack}.{ENDINGS[name]}" for name, folder in self.files.items()}
        return replace(self, files=files)

    def write(self, draw: Mapping[str, Callable[[], str]]) -> None:
        """Draw and write what was asked for."""
        for name, path in self.files.items():
            _write(path, draw[name]())

    def words(self) -> tuple[str, ...]:
        """The options, as they are said again in a command."""
        words = [word for name, path in self.files.items() for word in (f"--{name}", str(path))]
        return (*words, *(("--max-bytes", str(self.max_bytes)) if self.max_bytes != MAX_BYTES else ()))


def write_plan(faces: Faces, plan: Plan, gc: str) -> None:
    """Write the faces of a plan; `gc` is the command that removes orphans."""

    def markdown() -> str:
        from lbstack.render.markdown import plan_markdown

        return plan_markdown(plan, faces.max_bytes, gc)

    def html() -> str:
        from lbstack.render.html import plan_html

        return plan_html(plan, gc)

    faces.write({"markdown": markdown, "html": html})


def write_failure(faces: Faces, name: str, code: int, told: Sequence[str]) -> None:
    """Write the faces of a plan that could not be made; `told` is why, line by line."""

    def markdown() -> str:
        from lbstack.forge.pages import failure

        return failure(name, code, "\n".join(told), faces.max_bytes)

    def html() -> str:
        from lbstack.render.failed_html import failed_html

        return failed_html(name, code, told)

    faces.write({"markdown": markdown, "html": html})


def asked(*names: str) -> Callable[[Command], Command]:
    """Options for these faces; the command gets them as one `Faces`."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def wrapper(*args: Any, **options: Any) -> Any:
            files = {name: path for name in names if (path := options.pop(name, None)) is not None}
            return command(*args, faces=Faces(files, options.pop("max_bytes", MAX_BYTES)), **options)

        wrapped: Command = wrapper
        if "markdown" in names:
            wrapped = click.option(
                "--max-bytes",
                type=click.IntRange(min=2000),
                default=MAX_BYTES,
                show_default=True,
                metavar="N",
                help="The most bytes that the Markdown may have.",
            )(wrapped)
        for name in reversed(names):
            kind = click.Path(path_type=Path)
            wrapped = click.option(f"--{name}", type=kind, metavar="FILE", help=HELP[name])(wrapped)
        return wrapped

    return decorate


def _require_free(option: str, path: Path, taken: list[Path]) -> None:
    from lbstack.plan.saved import is_plan

    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent} for {option}", "make it first")
    if path.is_dir():
        raise UsageError(f"{option} is a folder", "name a file in it")
    if path.exists() and not path.is_file():
        raise UsageError(f"{option} is no regular file", "name a file")
    if any(_same(path, other) for other in taken):
        raise UsageError(f"{option} is used for something else in the same command", "name another file")
    if path.suffix in (".yaml", ".yml"):
        raise UsageError(f"{option} is named as files of stacks are", "name another file")
    if is_plan(path):
        raise UsageError(f"{option} is a saved plan", "name another file")
    if path.resolve().parent.name == ".lbstack":
        raise UsageError(f"{option} lies where state is kept", "name a file elsewhere")


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _write(path: Path, text: str) -> None:
    """Put a report in its place at once, without any known secret; whoever may read others' reports may read
    this, as the umask says."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(redacted(text, LONG).encode("utf-8", "backslashreplace"))
        beside.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or type(error).__name__, str(path)) from error
    finally:
        with suppress(OSError):
            beside.unlink()
