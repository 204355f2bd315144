"""``lbstack ci``: which jobs there are, and what a job tells people: a comment, an issue, a summary."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from lbstack.errors import ConfigError, Exit, UsageError

FILE = click.Path(path_type=Path)
MOST_JOBS = 256
"""Of a matrix of GitHub's."""


def on_a_forge(command: click.decorators.FC) -> click.decorators.FC:
    """Options that say where, and whose page; CI's own environment says most of it."""
    for option in (
        click.option(
            "--stack", "name", default="", metavar="NAME", help="The stack's name, else as the page says."
        ),
        click.option(
            "--forge", type=click.Choice(["github", "gitlab"]), help="Else as the environment tells."
        ),
        click.option(
            "--author", default="", metavar="LOGIN", help="Whose pages are ours, else the token's own user's."
        ),
    ):
        command = option(command)
    return command


@click.group("ci")
def command() -> None:
    """Tell people on GitHub or GitLab what a job found. Tokens come from the environment alone."""


@command.command("comment")
@click.argument("path", metavar="[STACK]", required=False, type=FILE)
@click.option(
    "--file", required=True, type=FILE, metavar="FILE", help="The page: what plan --markdown wrote."
)
@click.option("--skip-empty", is_flag=True, help="Begin no comment when there is nothing to do.")
@click.option("--code", type=int, default=0, metavar="N", help="The exit code of the plan.")
@click.option("--log", type=FILE, metavar="FILE", help="What a plan said that failed and wrote no page.")
@click.option(
    "--number", type=click.IntRange(min=1), metavar="N", help="The pull request, else as the job says."
)
@on_a_forge
def comment(
    path: Path | None,
    file: Path,
    skip_empty: bool,
    code: int,
    log: Path | None,
    number: int | None,
    name: str,
    forge: str | None,
    author: str,
) -> int:
    """Keep one comment for the stack at the pull request: made once, edited in its place."""
    from lbstack.forge import pages, work
    from lbstack.forge.where import place

    there = place(os.environ, forge, number, author)
    if log and code not in (0, 2) and not file.exists():
        name = name or (pages.name_of(path) if path else "")
        if not name:
            click.echo(
                "The plan failed and does not tell its stack's name: the comment stays as it is.", err=True
            )
            return Exit.OK
        mark, page = pages.marker("plan", name), pages.failure(name, code, _text(log))
    else:
        mark, page = pages.page_of(pages.read_page(file), "plan", name)
    _tell(work.comment(there, mark, page, skip_empty=skip_empty))
    return Exit.OK


@command.command("issue")
@click.argument("path", metavar="[STACK]", required=False, type=FILE)
@click.option("--file", type=FILE, metavar="FILE", help="The page: what drift --markdown wrote.")
@click.option(
    "--code", type=int, required=True, metavar="N", help="The exit code of drift: 0 clean, 2 drifted."
)
@on_a_forge
def issue(path: Path | None, file: Path | None, code: int, name: str, forge: str | None, author: str) -> int:
    """Keep one issue for the stack: opened on drift, updated, closed when clean, reopened."""
    from lbstack.forge import pages, work
    from lbstack.forge.where import place

    if code not in (Exit.OK, Exit.CHANGES):
        click.echo(f"Drift was not judged (exit code {code}): the issue stays as it is.", err=True)
        return Exit.OK
    there = place(os.environ, forge, None, author)
    if file and (file.exists() or code):
        mark, page = pages.page_of(pages.read_page(file), "drift", name)
    elif name := name or (pages.name_of(path) if path else ""):
        mark, page = pages.marker("drift", name), ""
    else:
        raise UsageError("it is not said whose issue this is", "give --file, --stack NAME, or the stack")
    if code and not page:
        raise UsageError("drift has no page", "give --file with what drift --markdown wrote")
    _tell(work.issue(there, mark, pages.titled(mark), page, drifted=code == Exit.CHANGES))
    return Exit.OK


@command.command("approved")
@click.argument("path", metavar="[STACK]", required=False, type=FILE)
@click.option("--sha", default="", metavar="SHA", help="The merge, else as the job says.")
@click.option(
    "--number",
    type=click.IntRange(min=1),
    metavar="N",
    help="The pull request, else the one that was merged.",
)
@on_a_forge
def approved(
    path: Path | None, sha: str, number: int | None, name: str, forge: str | None, author: str
) -> int:
    """Print the digest that the comment of the merged pull request told, for apply --approved."""
    from lbstack.forge import pages, work
    from lbstack.forge.where import place

    name = name or (pages.name_of(path) if path else "")
    if not name:
        raise UsageError("it is not said which stack's plan was approved", "give the stack, or --stack NAME")
    click.echo(work.approved(place(os.environ, forge, number, author), name, sha, number))
    return Exit.OK


@command.command("summary")
@click.option("--plan", type=FILE, metavar="FILE", help="A saved plan, or what plan --json printed.")
@click.option(
    "--file", "files", multiple=True, type=FILE, metavar="FILE", help="A page of Markdown (again for more)."
)
@click.option(
    "--log", type=FILE, metavar="FILE", help="What a command said: shown when it failed, or wrote no page."
)
@click.option("--title", default="", metavar="TEXT", help="A headline before all of it.")
@click.option("--code", type=int, metavar="N", help="The exit code to tell later steps.")
@click.option("--terraform-report", type=FILE, metavar="FILE", help="Write GitLab's counts of a plan.")
def summary(
    plan: Path | None,
    files: tuple[Path, ...],
    log: Path | None,
    title: str,
    code: int | None,
    terraform_report: Path | None,
) -> int:
    """Write the job's summary and outputs (GITHUB_STEP_SUMMARY, GITHUB_OUTPUT), and GitLab's report."""
    from lbstack.forge import pages, report
    from lbstack.render.marked import span

    if terraform_report and not plan:
        raise UsageError("--terraform-report counts a plan", "give --plan FILE")
    if failed := code not in (None, Exit.OK, Exit.CHANGES):  # it may have ended before it wrote them
        plan, files = _there(plan), tuple(file for file in files if _there(file))
    document = report.read_document(plan) if plan else None
    told = [f"### {span(title)}"] if title else []
    told += [pages.read_page(file) for file in files]
    told += [pages.quote(_text(log))] if log and (failed or not files) else []
    if told and (place := os.environ.get("GITHUB_STEP_SUMMARY")):
        report.write_summary(told, Path(place))
    values = {
        **(report.outputs(document) if document else {}),
        **({"exitcode": str(code)} if code is not None else {}),
    }
    if values and (place := os.environ.get("GITHUB_OUTPUT")):
        report.write_outputs(values, Path(place))
    if document and terraform_report:
        terraform_report.write_text(json.dumps(report.terraform(document)) + "\n")
    return Exit.OK


@command.command("list")
@click.argument("folder", type=FILE, default=".")
@click.option("--changed-since", metavar="REV", help="Only stacks touched since a git revision.")
@click.option(
    "--var-file", "var_files", multiple=True, type=FILE, metavar="FILE", help="What touches all (again)."
)
@click.option(
    "--commented", is_flag=True, help="Also those with a comment at the pull request, to keep it true."
)
def list_(folder: Path, changed_since: str | None, var_files: tuple[Path, ...], commented: bool) -> int:
    """Print the stacks under a folder, for a job each: JSON with name and path. Asks no workspace."""
    from lbstack.cli import annotating, many, options
    from lbstack.cli.choosing import chosen as choose
    from lbstack.forge import report, work
    from lbstack.forge.where import place as where
    from lbstack.render.findings import of_problems
    from lbstack.render.words import safe
    from lbstack.session import Settings

    if changed_since in ("", "0" * 40, "0" * 64):  # a push that makes a branch comes after no commit
        changed_since = None
    also = work.commented(where(os.environ)) if commented else ()
    chosen = choose(Settings(path=folder, var_files=var_files), changed_since)
    options.warn([*chosen.taken.values()])
    annotating.annotate([*chosen.told, *of_problems(chosen.taken.values(), "unwise", error=False)], None)
    stacks, count = many.listed(chosen, also), len(chosen.found)
    place = os.environ.get("GITHUB_OUTPUT")
    if place and len(stacks) > MOST_JOBS:
        raise UsageError(
            f"these are {len(stacks)} stacks, and GitHub makes no more than {MOST_JOBS} jobs of a list",
            f"list the folders in {safe(str(folder))} one by one, in a workflow each",
        )
    names = ", ".join(safe(each["stack"]) for each in stacks)
    click.echo(f"{len(stacks)} of {count} stacks{f': {names}' if names else ''}.", err=True)
    told = json.dumps(stacks)
    click.echo(told)
    if place:
        report.write_outputs({"stacks": told}, Path(place))
    return Exit.OK


def _there(file: Path | None) -> Path | None:
    return file if file and file.exists() else None


def _text(log: Path) -> str:
    """The end of what a command said."""
    if not log.is_file():
        raise ConfigError(f"there is no file {log}", "name what the command's messages were written to")
    return log.read_bytes()[-200_000:].decode("utf-8", "replace")


def _tell(done: str) -> None:
    from lbstack.render.words import safe

    click.echo(safe(done[:1].upper() + done[1:]) + ".", err=True)
