"""The one next command: what was asked for, said again so that it can be pasted into a shell.

It is made from the settings, never from the words of the command line: what is quoted there may be a
secret, and a secret is named by the variable of the environment that holds it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lbstack.redaction import is_secret
from lbstack.session import Settings


@dataclass(frozen=True, slots=True)
class Again:
    """A command, and what must be done before it, as a phrase (empty: nothing)."""

    settings: Settings
    auto_approve: bool = False

    @property
    def command(self) -> str:
        """The command, quoted for a shell. Asked for when the stack has been read, and its secrets known."""
        verb = "destroy" if self.settings.destroy else "apply"
        path = [str(self.settings.path)] if self.settings.path != Path() else []
        return shlex.join(["lbstack", verb, *path, *place(self.settings), *self._rest()])

    @property
    def first(self) -> str:
        """What must be there for the command to do the same: secrets are not repeated."""
        from lbstack.plan.saved import is_plan
        from lbstack.stack.variables import PREFIX

        if is_plan(self.settings.path):
            return f"plan again into {shlex.quote(str(self.settings.path))}"
        names = [f"{PREFIX}{name}" for name, value in self.settings.variables.items() if is_secret(value)]
        return f"set {' and '.join(names)}" if names else ""

    def _rest(self) -> Iterator[str]:
        settings = self.settings
        for path in settings.var_files:
            yield from ("--var-file", str(path))
        for name, value in settings.variables.items():
            if not is_secret(value):
                yield from ("--var", f"{name}={value}")
        for target in settings.targets:
            yield from ("--target", str(target))
        if settings.parallelism != Settings.parallelism:
            yield from ("--parallelism", str(settings.parallelism))
        if settings.rate is not None:
            yield from ("--rate", str(settings.rate))
        if settings.lock_timeout:
            yield from ("--lock-timeout", f"{settings.lock_timeout:g}s")
        if self.auto_approve:
            yield "--auto-approve"


def gc(settings: Settings) -> str:
    """The command that removes orphans, quoted for a shell."""
    path = [str(settings.path)] if settings.path != Path() and settings.path.suffix != ".json" else []
    return shlex.join(["lbstack", "gc", *path, *place(settings)])


def place(settings: Settings) -> Iterator[str]:
    """The options that say which workspace and which state, as they were given."""
    if settings.sandbox:
        yield "--sandbox"
    if settings.endpoint:
        yield from ("--endpoint", settings.endpoint)
    if settings.state:
        yield from ("--state", settings.state)
