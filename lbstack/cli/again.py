"""The one next command: what was asked for, said again so that it can be pasted into a shell.

It is made from the settings, never from the words of the command line: what is quoted there may be a
secret, and a secret is named by the variable of the environment that holds it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lbstack.cli.options import duration
from lbstack.errors import GuardError, typed
from lbstack.redaction import is_secret
from lbstack.session import Settings
from lbstack.values import Allowed

if TYPE_CHECKING:
    from lbstack.plan.changes import Plan


@dataclass(frozen=True, slots=True)
class Again:
    """A command, and what must be done before it, as a phrase (empty: nothing).

    It is apply or destroy, unless it is said to be another `verb`, with `words` of its own.
    """

    settings: Settings
    auto_approve: bool = False
    verb: str = ""
    words: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command, quoted for a shell. Asked for when the stack has been read, and its secrets known."""
        verb = self.verb or ("destroy" if self.settings.destroy else "apply")
        path = [str(self.settings.path)] if self.settings.path != Path() else []
        return typed(verb, *path, *self.settings.place, *self._rest())

    def allowing(self, allowed: Allowed, destroy: bool) -> Again:
        """The same, or the same as a teardown, with what a guard refuses allowed."""
        # A teardown is another command, and nobody has approved it.
        approved = destroy and not self.settings.destroy and "--approved" in self.words
        words = () if approved else self.words
        destroy = destroy or self.settings.destroy
        return replace(self, settings=replace(self.settings, allowed=allowed, destroy=destroy), words=words)

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
        yield from settings.values
        for target in settings.targets:
            yield from ("--target", str(target))
        allowed = settings.allowed
        for address in () if settings.destroy else allowed.recreate:
            yield from ("--recreate", str(address))
        for address in allowed.data_loss:
            yield from ("--allow-data-loss", str(address))
        if allowed.mass_change and not settings.destroy:
            yield "--allow-mass-change"
        if settings.parallelism != Settings.parallelism:
            yield from ("--parallelism", str(settings.parallelism))
        if settings.rate is not None:
            yield from ("--rate", str(settings.rate))
        said = settings.environ.get("LBSTACK_SETTLE")
        if settings.settle_for is not None and not (said and duration(said) == settings.settle_for):
            yield from ("--settle", f"{settings.settle_for:g}s")
        if not settings.waits and self.verb in ("", "apply", "destroy"):
            yield "--no-wait"
        if settings.lock_timeout:
            yield from ("--lock-timeout", f"{settings.lock_timeout:g}s")
        if self.auto_approve:
            yield "--auto-approve"
        if self.verb and settings.destroy:
            yield "--destroy"
        yield from self.words


def require_allowed(plan: Plan, again: Again) -> None:
    """Refuse what a guard refuses, with the command that does it all the same, where there is one."""
    from lbstack.plan import guards

    try:
        guards.check(plan)
    except GuardError as refusal:
        lifted = guards.lifting(plan)
        refusal.command = again.allowing(*lifted).command if lifted else ""
        raise
