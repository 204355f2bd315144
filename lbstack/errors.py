"""One tree of errors, problems with a place, and the exit codes a script can rely on.

A `Problem` says what is wrong, where, and what to do next. Everything that a user can cause
ends in a `StackError` carrying problems; nothing else may reach the terminal.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from lbstack.redaction import redacted
from lbstack.values import Address, Source


class Exit(IntEnum):
    """Exit codes (README, *Exit codes*)."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    LOCKED = 3
    UNKNOWN = 4
    GUARD = 5
    AUTH = 6
    STATE = 7
    USAGE = 64
    INTERRUPTED = 130


def typed(verb: str, *words: str) -> str:
    """A command of lbstack as it is typed into a shell. What a message tells to run is made here, and names
    the stack and the options that were given (`Settings.words`)."""
    return shlex.join(["lbstack", *verb.split(), *words])


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a summary, what to do about it, and where it stands.

    Who knows the resource but no file names the `address`, and the `path` of the field within it.
    """

    summary: str
    detail: str = ""
    source: Source | None = None
    address: Address | None = None
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        named = self.address is None or self.summary.startswith(str(self.address))
        where = f"{self.source}: " if self.source else "" if named else f"{self.address}: "
        return f"{where}{self.summary}" + (f"; {self.detail}" if self.detail else "")


class StackError(Exception):
    """The root: a list of problems and the exit code they mean.

    Where one command does what was refused, `command` is that command, to be pasted into a shell. `before`
    is a command without which no other one will do.
    """

    exit = Exit.ERROR
    command = ""
    before = ""

    def __init__(self, problems: Problem | str | Iterable[Problem], detail: str = "") -> None:
        if isinstance(problems, str):
            problems = Problem(problems, detail)
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConfigError(StackError):
    """The stack, a variable or a file named on the command line is wrong."""


class UsageError(StackError):
    """The command line itself is wrong."""

    exit = Exit.USAGE


class LockedError(StackError):
    """Another lbstack holds the state."""

    exit = Exit.LOCKED


class GuardError(StackError):
    """A guard refused the plan."""

    exit = Exit.GUARD


class AuthError(StackError):
    """The service does not know the key, or the key may not do this."""

    exit = Exit.AUTH


class StateError(StackError):
    """State or a saved plan is stale, foreign, or damaged."""

    exit = Exit.STATE


class Interrupted(StackError):
    """The user stopped the run."""

    exit = Exit.INTERRUPTED


class ServiceError(StackError):
    """The service answered with an error, or did not answer.

    Shapes: `code` is ``extensions.code`` or an HTTP status as text; `field` is the root field.
    """

    def __init__(self, message: str, code: str = "", detail: str = "") -> None:
        self.code = code
        super().__init__(Problem(redacted(message), redacted(detail)))


class NotFound(ServiceError):
    """RESOURCE_NOT_FOUND: the one proof that an object is gone."""


class NotExecuted(ServiceError):
    """A mutation that certainly had no effect: it may be sent again."""


class OutcomeUnknown(ServiceError):
    """A mutation whose answer was lost: it may or may not have had its effect.

    Only evidence from a later read settles it; it is never sent again blindly.
    """

    exit = Exit.UNKNOWN


class Committed(OutcomeUnknown):
    """A mutation that certainly had its effect, while its answer does not say what it made.

    What it made can be looked for at once; sending it again would make another.
    """


class ChecksFailed(StackError):
    """The service carried a validation out and some of its checks did not pass.

    `failed` are the names of the checks, as the service spells them.
    """

    def __init__(self, subject: str, failed: list[tuple[str, str]], detail: str = "") -> None:
        self.failed = [name for name, _ in failed]
        shown = ", ".join(f"{name} ({message})" if message else name for name, message in failed)
        super().__init__(Problem(f"{subject} is not valid: {shown or 'the service gave no reason'}", detail))
