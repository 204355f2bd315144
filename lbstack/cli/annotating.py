"""Annotations for a forge: what is wrong, shown beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lbstack.errors import GuardError, StackError

if TYPE_CHECKING:
    from lbstack.render.findings import Finding
    from lbstack.values import Source


def option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Whether findings are told as annotations; said by nobody, GitHub's own variable decides."""
    return click.option(
        "--annotations",
        type=click.Choice(["github", "none"]),
        help="Tell problems as annotations on stderr; github is meant where GITHUB_ACTIONS is true.",
    )(command)


def wanted(said: str | None) -> bool:
    """Whether annotations are to be written."""
    return said == "github" or (said is None and environ.get("GITHUB_ACTIONS") == "true")


def annotate(findings: Sequence[Finding], said: str | None) -> None:
    """Write annotations, if they are wanted."""
    if findings and wanted(said):
        from lbstack.render.annotations import github

        for line in github(from_root(findings)):
            with suppress(OSError):
                click.echo(line, err=True)


def from_root(findings: Sequence[Finding]) -> list[Finding]:
    """Findings whose files are named from where the repository begins, as forges know them."""
    root = environ.get("GITHUB_WORKSPACE") or environ.get("CI_PROJECT_DIR")
    return [replace(each, source=_from(root, each.source)) for each in findings] if root else [*findings]


def _from(root: str, source: Source | None) -> Source | None:
    if source is None:
        return None
    there, base = Path(source.file).absolute(), Path(root).absolute()
    return source._replace(file=str(there.relative_to(base))) if there.is_relative_to(base) else source


@contextmanager
def annotating(said: str | None) -> Iterator[None]:
    """What refuses the stack, or its plan, is annotated as well as told."""
    try:
        yield
    except StackError as error:
        if wanted(said):
            annotate(of(error), said)
        raise


def of(error: StackError) -> list[Finding]:
    """What an error says, as findings."""
    from lbstack.render.findings import of_problems

    return of_problems(error.problems, "refused" if isinstance(error, GuardError) else "invalid")
