"""Annotations for a forge: what is wrong, shown beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from os import environ
from typing import TYPE_CHECKING, Any

import click

from lbstack.errors import GuardError, StackError

if TYPE_CHECKING:
    from lbstack.render.findings import Finding


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

        for line in github(findings):
            with suppress(OSError):
                click.echo(line, err=True)


def told(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose refusals are annotated, for one that has nothing else to annotate."""

    @wraps(command)
    def wrapper(*args: Any, annotations: str | None, **options: Any) -> Any:
        with annotating(annotations):
            return command(*args, **options)

    return option(wrapper)


@contextmanager
def annotating(said: str | None) -> Iterator[None]:
    """What refuses the stack, or its plan, is annotated as well as told."""
    try:
        yield
    except StackError as error:
        if wanted(said):
            from lbstack.render.findings import of_problems

            rule = "refused" if isinstance(error, GuardError) else "invalid"
            annotate(of_problems(error.problems, rule), said)
        raise
