"""Which stacks of a folder a run is about, and what is to be told before any of them is planned."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lbstack.cli import options
from lbstack.errors import Problem, typed
from lbstack.render.findings import Finding, of_problems
from lbstack.session import Settings
from lbstack.stack.discovery import by_name, links_under, stacks_under
from lbstack.stack.since import Changed, changed_since, orphaned, taken, touched
from lbstack.values import Source


@dataclass(frozen=True)
class Chosen:
    """The stacks under a folder and their names (`found`), those that a run is about (`mine`), what is wrong
    around them and keeps none from being planned (`told`), and of those that have another's name, what is
    wrong if anything of that one's would end (`taken`)."""

    found: Mapping[Path, str]
    mine: list[Path]
    told: list[Finding] = field(default_factory=list)
    taken: Mapping[Path, Problem] = field(default_factory=dict)


def chosen(settings: Settings, since: str | None) -> Chosen:
    """The stacks under a folder that changed since a revision; all, where none is named. What is told, is
    told on stderr, too."""
    folder = settings.path
    found = stacks_under(folder)
    values = {path.resolve() for path in settings.var_files}
    links = [_link(path) for path in links_under(folder, found) if path.resolve() not in values]
    options.warn(links)
    told = of_problems(links, "unwise", error=False)
    if since is None:
        return Chosen(found, [*found], told)
    changed = changed_since(since, folder)
    gone = [*_gone(changed, found, folder.resolve(), since)]
    options.warn(gone)
    told += of_problems(gone, "gone", error=False)
    return Chosen(found, touched(found, changed, settings.var_files), told, _taken(changed, found, since))


def _link(path: Path) -> Problem:
    cure = f"put the file itself there, or plan it by itself: {typed('plan', str(path))}"
    return Problem(
        "is a link, which is not followed: no stack is planned of it", cure, Source(str(path), 1, 1)
    )


def _gone(changed: Changed, found: Mapping[Path, str], folder: Path, since: str) -> Iterator[Problem]:
    for path, name in orphaned(changed, by_name(found)).items():
        if path.is_relative_to(folder):
            told = os.path.relpath(path)
            back = shlex.join(["git", "checkout", since, "--", told])
            cure = f"to take it down, put the file back as it was, and destroy it: {back}"
            what = f"stack {name} is gone from {told} since {since}: what it made stays"
            yield Problem(what, cure, Source(told, 1, 1))


def _taken(changed: Changed, found: Mapping[Path, str], since: str) -> dict[Path, Problem]:
    """Of each stack that has another's name now, what that means."""
    stacks = {stack.resolve(): stack for stack in found}
    wrong = {}
    for each in taken(changed):
        stack = stacks.get(each.path) or stacks.get(each.path.parent)
        if stack is not None:
            here, there = os.path.relpath(each.path), os.path.relpath(each.other)
            wrong[stack] = Problem(
                f"{here} is stack {each.name} now, which was {there} in {since}, and was stack {each.was}:"
                f" what {there} made is in the state of {each.name}, and would end",
                f"give each file its own name back; if that is meant: {typed('plan', str(stack))}",
                Source(here, 1, 1),
            )
    return wrong
