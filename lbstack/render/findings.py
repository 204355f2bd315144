"""What a check found, one by one, for the programs that list findings: JUnit, SARIF, annotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lbstack.errors import Problem
from lbstack.plan.drift import DriftReport, ResourceDrift
from lbstack.plan.threeway import WRONG, FieldDrift, Verdict
from lbstack.render.drift import STATES, field_text, when
from lbstack.render.words import path, safe, sentence
from lbstack.values import Address, Source

RULES = {
    "invalid": "The stack breaks a rule",
    "unwise": "The stack does what is allowed and yet a risk",
    "refused": "A plan is refused",
    "gone": "A stack is gone from its file, and what it made stays",
    "missing": "A resource is gone from the workspace",
    "conflict": "A field was changed in the stack, and outside lbstack to something else",
    "drifted": "A field was changed outside lbstack since the last apply",
}
"""Every rule, and what it finds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that somebody must look at; `place` tells it from others of its resource."""

    rule: str
    text: str
    source: Source | None = None
    address: Address | None = None
    place: str = ""
    error: bool = True


def of_problems(problems: Iterable[Problem], rule: str = "invalid", error: bool = True) -> list[Finding]:
    """Problems as they are printed, without the place, which stands beside them."""
    found = []
    for problem in problems:
        text = problem.summary + (f"; {problem.detail}" if problem.detail else "")
        found.append(Finding(rule, sentence(text), problem.source, problem.address, problem.summary, error))
    return found


def of_drift(report: DriftReport) -> list[Finding]:
    """What is wrong with the workspace: a finding a field, or one for a resource that is missing."""
    return [finding for each in report.resources if each.wrong for finding in _of_resource(each, report)]


def _of_resource(each: ResourceDrift, report: DriftReport) -> Iterator[Finding]:
    told = f" ({when(each)})" if when(each) else ""
    name = safe(str(each.address))
    lines = [line for line in each.fields if line.verdict in WRONG]
    for line in lines:
        text = f"{name} {STATES[line.verdict]}: {_text(line, report)}{told}"
        place = path(line.path, report.names)
        yield Finding(str(line.verdict), text, line.source or each.source, each.address, place)
    if not lines:
        reason = safe(each.reason)
        yield Finding(
            str(each.verdict), f"{name} {STATES[each.verdict]}: {reason}", each.source, each.address
        )


def _text(line: FieldDrift, report: DriftReport) -> str:
    sign, text = field_text(line, report.names)
    return text if sign in ("~", "!") else f"{sign} {text}"


def field_lines(each: ResourceDrift, report: DriftReport) -> list[str]:
    """The places of one resource, one a line; those that differ in verdict from it say so."""
    found = []
    for line in each.fields:
        sign, text = field_text(line, report.names)
        mark = f"  # {line.verdict}" if line.verdict is not each.verdict else ""
        found.append(f"{sign} {text}{mark}")
    return found


def headline(each: ResourceDrift) -> str:
    """One resource in a line."""
    told = ", ".join(part for part in (safe(each.reason), when(each)) if part)
    return f"{safe(str(each.address))} {STATES[each.verdict]}" + (f" ({told})" if told else "")


def skipped(each: ResourceDrift) -> bool:
    """Whether a resource cannot be judged before the next apply."""
    return each.verdict is Verdict.PENDING
