"""A drift report as one page: what was applied, what is live and what the stack says, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lbstack.plan.drift import DriftReport, ResourceDrift
from lbstack.plan.threeway import FieldDrift, Verdict
from lbstack.render.drift import STATES, STYLES, shown, summary, unmanaged_lines, when
from lbstack.render.drift_markdown import WaysOut
from lbstack.render.page import page
from lbstack.render.words import path, sentence
from lbstack.values import Address

TONES = {
    Verdict.MISSING: "destroy",
    Verdict.CONFLICT: "replace",
    Verdict.DRIFTED: "update",
    Verdict.PENDING: "import",
    Verdict.CONVERGED: "create",
}
"""The colour of each verdict, by the action of a plan that has it."""
OPEN = 12
"""Up to so many resources are unfolded at the beginning."""


@dataclass(frozen=True, slots=True)
class Row:
    """One place, and its three values."""

    path: str
    verdict: str
    tone: str
    values: tuple[str, str, str]
    note: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource as it is shown."""

    anchor: str
    kind: str
    verdict: str
    tone: str
    sign: str
    address: str
    state: str
    why: str
    place: str
    rows: tuple[Row, ...]


def drift_html(report: DriftReport, ways: WaysOut) -> str:
    """The page."""
    ordered = sorted(report.resources, key=lambda each: [*Verdict].index(each.verdict))
    entries = [_entry(each, f"r{number}", report.names) for number, each in enumerate(ordered)]
    counts = report.counts()
    return page(
        "drift.html.j2",
        title=f"Drift of {sentence(report.stack)}",
        report=report,
        headline=summary(report),
        entries=entries,
        words=[(str(verdict), TONES[verdict], counts[verdict]) for verdict in Verdict if counts[verdict]],
        kinds=sorted({entry.kind for entry in entries}),
        unfolded=len(entries) <= OPEN,
        ways=ways,
        missing=counts[Verdict.MISSING],
        strays=[line for line, _ in unmanaged_lines(report.unmanaged)] if report.unmanaged else [],
    )


def _entry(each: ResourceDrift, anchor: str, names: Mapping[str, Address]) -> Entry:
    return Entry(
        anchor,
        each.address.kind,
        str(each.verdict),
        TONES[each.verdict],
        STYLES[each.verdict][0],
        str(each.address),
        STATES[each.verdict],
        ", ".join(part for part in (sentence(each.reason), when(each)) if part),
        str(each.source) if each.source else "",
        tuple(_row(line, names) for line in each.fields),
    )


def _row(line: FieldDrift, names: Mapping[str, Address]) -> Row:
    applied, live, stack = (shown(item, line, names) for item in (line.applied, line.live, line.stack))
    where = path(line.path, names) + (" (order)" if line.moved else "")
    return Row(where, str(line.verdict), TONES[line.verdict], (applied, live, stack), sentence(line.note))
