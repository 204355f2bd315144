"""How an error is told: on stderr, line by line, with the one command that does what was refused."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress

import click

from lbstack.errors import StackError

CURES = {
    errno.ENOSPC: "free some space on its disk, and run this again",
    errno.EDQUOT: "free some space in its quota, and run this again",
    errno.EROFS: "its disk is read-only: work in another folder, or name another place",
    errno.EACCES: "mend its permissions",
    errno.EPERM: "mend its permissions",
    errno.ENOENT: "make its folder first",
    errno.EISDIR: "name a file, not a folder",
    errno.ENOTDIR: "a part of the path is no folder; name another",
}


def lines(error: StackError) -> Iterator[str]:
    """Every problem, one a line, those with a place in compiler form; then the one command that does what was
    refused."""
    from lbstack.render.words import safe, sentence

    for problem in error.problems:
        text = sentence(str(problem))
        yield text if problem.source else f"Error: {text}"
    if error.command:
        yield "If that is meant, run:"
        yield f"    {safe(error.command)}"


def report(error: StackError) -> None:
    """Tell an error on stderr."""
    for line in lines(error):
        with suppress(OSError):
            click.echo(line, err=True)


def of_system(error: OSError) -> StackError:
    """What the system refused, and what to do about it."""
    place = f"{error.filename}: " if error.filename else ""
    cure = CURES.get(error.errno or 0, "see to that, and run this again")
    return StackError(f"{place}{error.strerror or type(error).__name__}", cure)
