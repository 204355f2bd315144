"""The command group: commands are loaded by name, errors become messages and exit codes."""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

import click

from lbstack.cli import sink
from lbstack.cli.memory import forbid_dumps
from lbstack.cli.reporting import of_system, report
from lbstack.errors import Exit, StackError
from lbstack.redaction import know_environment
from lbstack.version import __version__

COMMANDS = {
    "init": "Write a first stack, and what CI needs",
    "validate": "Check a stack offline",
    "plan": "Show what apply would do",
    "apply": "Make the workspace match the stack",
    "destroy": "Destroy everything the stack made",
    "drift": "Show what changed outside lbstack",
    "gc": "Remove what was made twice or too late",
    "show": "Show the state, or a saved plan",
    "output": "Print outputs",
    "graph": "Print the dependency graph",
    "state": "Look into the state, and mend it",
    "force-unlock": "Free a remote state of a run that is dead",
    "ci": "Tell GitHub or GitLab: a comment, an issue, a summary, a job for each stack",
    "schema": "Print the JSON Schema of stack files",
    "sandbox": "A local Labelbox to try things on",
}


class LazyGroup(click.Group):
    """A group that imports a command when it is run, so that ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"lbstack.cli.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Terraform's single-dash spelling (-auto-approve) works too.",
)
@click.version_option(__version__, prog_name="lbstack", message="%(prog)s %(version)s")
@click.pass_context
def group(context: click.Context) -> None:
    """Infrastructure as code for Labelbox workspaces."""
    if context.invoked_subcommand != "sandbox":  # which shows its own keys, and holds no others
        know_environment(os.environ)
        forbid_dumps()


def two_dashes(arguments: Sequence[str]) -> list[str]:
    """Arguments with Terraform's ``-auto-approve`` spelled as ``--auto-approve``."""
    return [re.sub(r"^-(?=[a-z][a-z-]+(=|$))", "--", argument) for argument in arguments]


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code. No traceback leaves this function."""
    _occupy_closed()
    sink.install()
    heard = signal.getsignal(signal.SIGINT)
    try:
        return _let_out(_carried_out(arguments))
    finally:
        signal.signal(signal.SIGINT, heard)


def _carried_out(arguments: Sequence[str]) -> int:
    try:
        return int(group.main(two_dashes(arguments), prog_name="lbstack", standalone_mode=False) or 0)
    except StackError as error:
        report(error)
        return int(error.exit)
    except click.ClickException as error:
        error.show(sys.stderr)
        return int(Exit.USAGE)
    except (KeyboardInterrupt, click.Abort):
        let_be()
        click.echo("Interrupted.", err=True)
        return int(Exit.INTERRUPTED)
    except BrokenPipeError:
        return int(Exit.ERROR)  # the reader left (``lbstack plan | head``)
    except OSError as error:
        report(of_system(error))
        return int(Exit.ERROR)
    except Exception as error:
        if os.environ.get("LBSTACK_DEBUG"):  # frames and messages; never what their variables hold
            traceback.print_exception(error, file=sys.stderr)
        return _internal(error)


def let_be() -> None:
    """Hear no further Ctrl-C: all that it could cut short by now is what is said of the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _let_out(code: int) -> int:
    """Let out what is still to be printed; what nobody can take (the reader left, the disk is full) is
    dropped, for the interpreter would complain of it and end with a code of its own."""
    let_be()
    try:
        sink.finish()
        return code
    except (OSError, ValueError):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return code or int(Exit.ERROR)


def _occupy_closed() -> None:
    """Give closed standard streams (``>&-``) to nobody: the next file opened would get their place, and
    what is printed would end up in it."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _internal(error: BaseException) -> int:
    """A mistake of lbstack's own. Its values may hold secrets, so only the place is told."""
    if isinstance(error, BaseExceptionGroup):
        inner = error.exceptions[0]
        if isinstance(inner, StackError):
            report(inner)
            return int(inner.exit)
        return _internal(inner)
    trace, last = error.__traceback__, None
    while trace:
        last, trace = trace, trace.tb_next
    place = f"{last.tb_frame.f_globals.get('__name__')}:{last.tb_lineno}" if last else "unknown place"
    click.echo(
        f"Error: lbstack failed by a mistake of its own ({type(error).__name__} at {place});"
        " state is as the last finished step left it. LBSTACK_DEBUG=1 shows the traceback.",
        err=True,
    )
    return int(Exit.ERROR)
