"""A drift report as text for people, and the words that all its faces share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lbstack.plan.changes import ABSENT
from lbstack.plan.drift import DriftReport, ResourceDrift
from lbstack.plan.threeway import FieldDrift, Verdict
from lbstack.plan.unmanaged import Stray, Unmanaged
from lbstack.render.text import Line
from lbstack.render.words import key, path, quoted, safe, value
from lbstack.values import Address

HEADINGS = {
    Verdict.MISSING: "Missing from the workspace:",
    Verdict.CONFLICT: "In conflict: changed in the stack, and outside lbstack to something else:",
    Verdict.DRIFTED: "Changed outside lbstack since the last apply:",
    Verdict.PENDING: "Pending: changed in the stack alone; an apply will do this:",
    Verdict.CONVERGED: "Converged: changed alike on both sides; the next apply takes note of it:",
}
STATES = {
    Verdict.MISSING: "is missing",
    Verdict.CONFLICT: "is in conflict",
    Verdict.DRIFTED: "has drifted",
    Verdict.PENDING: "is pending",
    Verdict.CONVERGED: "has converged",
}
STYLES = {
    Verdict.MISSING: ("!", "destroy"),
    Verdict.CONFLICT: ("!", "destroy"),
    Verdict.DRIFTED: ("~", "change"),
    Verdict.PENDING: (">", "note"),
    Verdict.CONVERGED: ("=", "plain"),
}
LONGEST_NAME = 100
"""Characters of a name in the list of what is unmanaged."""
NO_DRIFT = "No drift. The workspace is as lbstack left it."


def drift_lines(report: DriftReport) -> Iterator[Line]:
    """The whole report by verdict, the gravest first, the summary last."""
    for verdict in Verdict:
        some = [each for each in report.resources if each.verdict is verdict]
        if not some:
            continue
        yield (HEADINGS[verdict], "plain")
        yield ("", "plain")
        width = max(len(_headed(each)) for each in some)
        for each in some:
            yield from _resource_lines(each, report.names, width)
        yield ("", "plain")
    if report.unmanaged is not None:
        yield from unmanaged_lines(report.unmanaged)
    yield (summary(report), "bold")


def unmanaged_lines(found: Unmanaged) -> Iterator[Line]:
    """What nobody manages by kind, then what other stacks do, then how much is managed."""
    for heading, some in (
        ("Unmanaged: in the workspace, and in no state of this stack:", found.objects),
        ("Of other stacks, as their ownership tags say:", found.others),
    ):
        if not some:
            continue
        yield (heading, "plain")
        yield ("", "plain")
        widths = [max(len(part) for part in column) for column in zip(*map(_stray, some), strict=True)]
        for each in some:
            told = "  ".join(
                f"{part:<{width}}" for part, width in zip(_stray(each), widths, strict=True)
            ).rstrip()
            yield (f"  ? {told}" if not each.owner else f"  . {told}", "note")
        yield ("", "plain")
    yield (coverage(found), "plain")


def _stray(each: Stray) -> tuple[str, str, str]:
    made = clock(each.created) if each.created is not None else ""
    told = [f"made {made}"] if made else []
    told += [f"of {safe(each.owner)}"] if each.owner else []
    name = each.name if len(each.name) <= LONGEST_NAME else f"{each.name[:LONGEST_NAME]}…"
    return (f"{each.kind} {quoted(name)}", safe(each.id), f"# {', '.join(told)}" if told else "")


def coverage(found: Unmanaged) -> str:
    """How much of the workspace is managed, in all and by kind."""
    share = f" ({100 * found.managed // found.total} %)" if found.total else ""
    kinds = ", ".join(f"{kind} {managed}/{total}" for kind, (managed, total) in found.kinds.items() if total)
    left = f"; {found.ignored} ignored" if found.ignored else ""
    return f"Coverage: {found.managed} of {found.total} managed{share}{f': {kinds}' if kinds else ''}{left}."


def summary(report: DriftReport) -> str:
    """One line: what somebody must look at first."""
    told = report.counts()
    rest = [f"{told[v]} {v}" for v in (Verdict.PENDING, Verdict.CONVERGED) if told[v]]
    if not report.wrong:
        head = "No drift." if told[Verdict.CONVERGED] else NO_DRIFT
        return head + (f" {', '.join(rest).capitalize()}." if rest else "")
    first = [
        f"{told[Verdict.DRIFTED]} drifted",
        f"{told[Verdict.CONFLICT]} in conflict",
        f"{told[Verdict.MISSING]} missing",
    ]
    return f"Drift: {', '.join([*first, *rest])}."


def _headed(each: ResourceDrift) -> str:
    return f"  {STYLES[each.verdict][0]} {safe(str(each.address))} {STATES[each.verdict]}"


def _resource_lines(each: ResourceDrift, names: Mapping[str, Address], width: int) -> Iterator[Line]:
    told = ", ".join(part for part in (safe(each.reason), when(each)) if part)
    head = _headed(each)
    yield (f"{head:<{width}}  # {told}" if told else head, STYLES[each.verdict][1])
    if each.verdict is Verdict.MISSING:
        yield (f"      - id = {quoted(each.id or '')}", "destroy")
    column = max((len(_path(line, names)) for line in each.fields if not _is_member(line)), default=0)
    for line in each.fields:
        sign, text = field_text(line, names, column)
        mark = f"  # {line.verdict}" if line.verdict is not each.verdict else ""
        note = f"  # {safe(line.note)}" if line.note else ""
        yield (f"      {sign} {text}{mark or note}", STYLES[line.verdict][1])


def when(each: ResourceDrift) -> str:
    """When the service says that it was last changed, in words; empty where it does not say."""
    if each.updated is None or not each.wrong:
        return ""
    return f"last changed {clock(each.updated)}"


def clock(seconds: float) -> str:
    """A time as people read it, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return ""


def _path(line: FieldDrift, names: Mapping[str, Address]) -> str:
    return path(line.path, names) + (" reordered" if line.moved else "")


def _is_member(line: FieldDrift) -> bool:
    """Whether a line is about an item of a set, which stands for itself."""
    return line.path[-1] in [each for each in (line.stack, line.applied, line.live) if each is not ABSENT]


def field_text(line: FieldDrift, names: Mapping[str, Address], column: int = 0) -> tuple[str, str]:
    """One place: a sign, and what became of it in words."""
    where = _path(line, names)
    if not _is_member(line):
        where = f"{where:<{column}} ="
    applied, live, stack = (shown(each, line, names) for each in (line.applied, line.live, line.stack))
    if line.verdict is Verdict.CONFLICT:
        return "!", f"{where} {applied} -> {live} outside lbstack, -> {stack} in the stack"
    if line.verdict is Verdict.CONVERGED:
        return "=", f"{where} {live}"
    old, new = (line.applied, line.live) if line.verdict is Verdict.DRIFTED else (line.live, line.stack)
    before, after = shown(old, line, names), shown(new, line, names)
    if old is ABSENT:
        return "+", where.removesuffix(" =").rstrip() if _is_member(line) else f"{where} {after}"
    if new is ABSENT:
        return "-", where.removesuffix(" =").rstrip() if _is_member(line) else f"{where} {before}"
    return "~", f"{where} {after}" if before == after else f"{where} {before} -> {after}"


def shown(item: Any, line: FieldDrift, names: Mapping[str, Address]) -> str:
    """A value of a place, or that there is none."""
    if item is ABSENT:
        return "(none)"
    if line.moved:
        some = ", ".join(key(each, names) if each in names else safe(str(each)) for each in item[:12])
        return f"[{some}{f', … {len(item) - 12} more' if len(item) > 12 else ''}]"
    return value(item, names)
