"""Options that several commands share, gathered into `Settings`."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from lbstack.errors import Problem, UsageError
from lbstack.settings import Settings
from lbstack.values import Address, Allowed

Command = Callable[..., Any]


def stack_argument(command: Command) -> Command:
    """The stack: a file or a folder."""
    return click.argument("stack", type=click.Path(path_type=Path), default=".")(command)


def variables(command: Command) -> Command:
    """Where values of variables come from."""
    command = click.option(
        "--var-file",
        "var_files",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A YAML mapping of variables' values (again for more).",
    )(command)
    return click.option("--var", "var", multiple=True, metavar="NAME=VALUE", help="A variable's value.")(
        command
    )


def place(command: Command) -> Command:
    """Which workspace, which state."""
    for option in (
        click.option(
            "--sandbox", is_flag=True, help="Use the Labelbox embedded in lbstack; no account needed."
        ),
        click.option("--endpoint", metavar="URL", help="The GraphQL endpoint (LABELBOX_ENDPOINT)."),
        click.option("--state", metavar="PATH", help="The state: a file, or an address (LBSTACK_STATE)."),
        click.option("--allow-nfs", is_flag=True, help="Let the state lie on a network's file system."),
    ):
        command = option(command)
    return command


def working(command: Command) -> Command:
    """How much at once, what of it, how long to wait."""
    command = lock_timeout(command)
    for option in (
        click.option(
            "--parallelism",
            type=click.IntRange(1, 100),
            default=10,
            show_default=True,
            help="Steps at the same time; of requests there are never more than 8.",
        ),
        click.option(
            "--rate",
            type=click.IntRange(min=1),
            metavar="N",
            help="Requests a minute that this run may send (LBSTACK_RATE); else 1200.",
        ),
        click.option(
            "--target",
            "target",
            multiple=True,
            metavar="ADDRESS",
            help="Only this resource and what it depends on (again for more).",
        ),
        click.option(
            "--settle",
            metavar="DURATION",
            help="How long the service may still carry out what was given up (75s; LBSTACK_SETTLE).",
        ),
    ):
        command = option(command)
    return command


def patient(command: Command) -> Command:
    """Whether to wait for what became of a create whose answer was lost."""
    return click.option(
        "--no-wait", is_flag=True, help="Do not wait for what became of a lost answer; exit 4 instead."
    )(command)


def allowing(command: Command) -> Command:
    """What is meant, of what a guard would refuse."""
    for option in (
        click.option(
            "--recreate",
            multiple=True,
            metavar="ADDRESS",
            help="Make another, where this one is gone or has a secret that nobody knows (again for more).",
        ),
        click.option("--allow-mass-change", is_flag=True, help="Let many resources end in one plan."),
    ):
        command = option(command)
    return data_loss(command)


def data_loss(command: Command) -> Command:
    """Whose data may be lost."""
    return click.option(
        "--allow-data-loss",
        multiple=True,
        metavar="ADDRESS",
        help="Let this one go with the rows or labels that the plan shows (again for more).",
    )(command)


def lock_timeout(command: Command) -> Command:
    """How long to wait for a lock."""
    return click.option(
        "--lock-timeout", metavar="DURATION", default="0s", help="Wait for a locked state, as 5m."
    )(command)


def output(command: Command) -> Command:
    """For whom the result is written."""
    command = click.option("--no-color", is_flag=True, help="No colours (NO_COLOR).")(command)
    return click.option("--json", "as_json", is_flag=True, help="JSON on stdout, and nothing else.")(command)


def with_settings(command: Command) -> Command:
    """Hand the command one `Settings` instead of the options it is made of."""

    @functools.wraps(command)
    def wrapper(*args: Any, **options: Any) -> Any:
        if options.get("sandbox") and options.get("endpoint"):
            raise UsageError(
                "--sandbox and --endpoint exclude each other",
                "the embedded sandbox has no URL; name one workspace",
            )
        settings = Settings(
            path=options.pop("stack", Path()),
            sandbox=options.pop("sandbox", False),
            endpoint=options.pop("endpoint", None),
            state=options.pop("state", None),
            allow_nfs=options.pop("allow_nfs", False),
            variables=dict(_variable(text) for text in options.pop("var", ())),
            var_files=tuple(options.pop("var_files", ())),
            targets=_addresses(options.pop("target", ())),
            allowed=Allowed(
                _addresses(options.pop("recreate", ())),
                _addresses(options.pop("allow_data_loss", ())),
                options.pop("allow_mass_change", False),
            ),
            parallelism=options.pop("parallelism", 10),
            rate=options.pop("rate", None),
            lock_timeout=duration(options.pop("lock_timeout", "0s")),
            settle_for=_settle(options.pop("settle", None)),
            waits=not options.pop("no_wait", False),
            verb=_verb(),
        )
        return command(*args, settings=settings, **options)

    return wrapper


def _verb() -> str:
    """The command, as it is said again with another stack; empty where it needs more than a stack."""
    context = click.get_current_context()
    needs_more = any(parameter.required for parameter in context.command.params)
    return "" if needs_more else context.command_path.partition(" ")[2]


def _settle(text: str | None) -> float | None:
    said = text or os.environ.get("LBSTACK_SETTLE")
    return duration(said) if said else None


def warn(problems: Sequence[Problem]) -> None:
    """Say on stderr what is allowed and yet unwise."""
    from lbstack.render.words import sentence

    for problem in problems:
        with suppress(OSError):
            click.echo(sentence(f"Warning: {problem}"), err=True)


def _addresses(texts: Sequence[str]) -> tuple[Address, ...]:
    try:
        return tuple(Address.parse(text) for text in texts)
    except ValueError as error:
        raise UsageError(str(error)) from None


def duration(text: str) -> float:
    """Seconds of ``90``, ``30s``, ``5m`` or ``1h``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text.strip())
    if not match:
        raise UsageError(f"{text!r} is no duration", "write it as 30s, 5m or 1h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600, None: 1}[match[2]]


def _variable(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` as given with ``--var``."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError("a --var is not of the form NAME=VALUE")  # and may be a secret, so not repeated
    return name, value
