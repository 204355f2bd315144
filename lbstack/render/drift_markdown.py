"""A drift report as Markdown: the body of the issue that a schedule opens, with the two ways out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lbstack.plan.drift import DriftReport, ResourceDrift
from lbstack.plan.threeway import Verdict
from lbstack.plan.unmanaged import Unmanaged
from lbstack.render.drift import STATES, coverage, summary, unmanaged_lines, when
from lbstack.render.findings import field_lines
from lbstack.render.marked import Budget, alert, fence, folded, hidden, span, tag
from lbstack.render.words import safe, sentence

ICONS = {
    Verdict.MISSING: "❗",
    Verdict.CONFLICT: "🔴",
    Verdict.DRIFTED: "🟡",
    Verdict.PENDING: "🔵",
    Verdict.CONVERGED: "🟢",
}
SIGNS = {"~": "!", ">": "!", "=": " "}
"""What a block of ``diff`` colours a line by; `+` and `-` it knows."""


@dataclass(frozen=True, slots=True)
class WaysOut:
    """The commands that end a drift: take it over into the code, or set the workspace right."""

    accept: str
    revert: str


def drift_markdown(report: DriftReport, ways: WaysOut, max_bytes: int = 60_000) -> str:
    """The page, of at most so many bytes: the gravest first, whole resources only, the rest counted."""
    page = Budget(max_bytes - 1)
    page.take(hidden("drift", report.stack))
    page.take(f"### Drift of {span(sentence(report.stack)[:100])}")
    page.take(f"**{summary(report)}**")
    ordered = sorted(report.resources, key=lambda each: [*Verdict].index(each.verdict))
    missing = [each for each in ordered if each.verdict is Verdict.MISSING]
    end = "\n\n".join(_ways(ways, missing)) if report.wrong else ""
    keep = len(end.encode()) + 300
    if missing:
        told = f"**{len(missing)} missing from the workspace.** No apply makes it anew by itself."
        page.take(alert("WARNING", [told]), keep)
    left = [each for each in ordered if not page.take(_block(each, report), keep)]
    if left:
        counted = {verdict: sum(each.verdict is verdict for each in left) for verdict in Verdict}
        told = ", ".join(f"{number} {verdict}" for verdict, number in counted.items() if number)
        page.take(f"… and {len(left)} more resources that have no room here ({told}).")
    if report.unmanaged is not None:
        _list_unmanaged(page, report.unmanaged, len(end.encode()) + 2)
    if end:
        page.take(end)
    return page.text()


def _list_unmanaged(page: Budget, found: Unmanaged, keep: int) -> None:
    """How much is managed, and of what is not as many lines as there is room for, the rest counted."""
    head, lines = tag(coverage(found)), [line for line, _ in unmanaged_lines(found)]
    room, names = page.left - keep - len(head) - 200, sum(line.startswith("  ") for line in lines)
    shown = list[str]()
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        shown.append(line)
    more = names - sum(line.startswith("  ") for line in shown)
    shown += [f"and {more:,} more"] if more else []
    if not page.take(folded(head, fence(shown)), keep):
        page.take(head, keep)


def _block(each: ResourceDrift, report: DriftReport) -> str:
    """One resource, folded: its places as a coloured block."""
    told = ", ".join(part for part in (safe(each.reason), when(each)) if part)
    head = f"{ICONS[each.verdict]} {tag(str(each.address))} {STATES[each.verdict]}"
    if told:
        head += f", {tag(told)}"
    lines = [SIGNS.get(line[0], line[0]) + line[1:] for line in field_lines(each, report)]
    place = f"{each.source.file}:{each.source.line}" if each.source else ""
    body = [*([span(place)] if place else []), *([fence(lines, "diff")] if lines else [])]
    return folded(head, "\n\n".join(body) or f"id {span(each.id or '')}")


def _ways(ways: WaysOut, missing: Sequence[ResourceDrift]) -> Iterator[str]:
    yield "#### Two ways out"
    yield "**Accept it into the code**: the stack's files are edited in place; review that as a pull request."
    yield fence([ways.accept], "sh")
    yield "**Revert it**: the next apply sets the workspace right."
    yield fence([ways.revert], "sh")
    if missing:
        few = [span(str(each.address)) for each in missing[:10]]
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        yield (
            f"What is missing ({', '.join(few)}{more}) is taken over only by name: add its address to the"
            " first command, or `--recreate ADDRESS` to the second."
        )
