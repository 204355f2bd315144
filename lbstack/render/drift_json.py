"""A drift report as one JSON document; its schema is ``docs/drift.schema.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from lbstack.plan.changes import ABSENT, Change
from lbstack.plan.drift import DriftReport, ResourceDrift
from lbstack.plan.threeway import FieldDrift, Verdict
from lbstack.plan.unmanaged import Stray, Unmanaged
from lbstack.render.json import FORMAT, change_document, plain, sensitives, unknowns
from lbstack.values import Address, Source, Unknown
from lbstack.version import __version__

SIDES = ("stack", "applied", "live")


def drift_document(report: DriftReport, drift: Iterable[Change] = ()) -> dict[str, Any]:
    """The report; `drift` are the same changes as a plan tells them, in Terraform's shape."""
    counts = report.counts()
    document: dict[str, Any] = {
        "format_version": FORMAT,
        "lbstack_version": __version__,
        "stack": report.stack,
        "organization": report.organization,
        "endpoint": report.endpoint,
        "drifted": report.wrong,
        "summary": {**{str(verdict): counts[verdict] for verdict in Verdict}, "agreed": len(report.agreed)},
        "resources": [_resource(each, report.names) for each in report.resources],
        "resource_drift": [change_document(change) for change in drift],
    }
    if report.unmanaged is not None:
        document["unmanaged"] = _unmanaged(report.unmanaged)
    return document


def _unmanaged(found: Unmanaged) -> dict[str, Any]:
    return {
        "managed": found.managed,
        "total": found.total,
        "ignored": found.ignored,
        "kinds": {kind: {"managed": some, "total": all_} for kind, (some, all_) in found.kinds.items()},
        "objects": [_stray(each) for each in found.objects],
        "others": [_stray(each) for each in found.others],
    }


def _stray(each: Stray) -> dict[str, Any]:
    told: dict[str, Any] = {"type": each.kind, "id": each.id, "name": each.name}
    if (time := iso(each.created)) is not None:
        told["created_at"] = time
    return told | ({"owner": each.owner} if each.owner else {})


def _resource(each: ResourceDrift, names: Mapping[str, Address]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "address": str(each.address),
        "type": each.address.kind,
        "name": each.address.key,
        "id": each.id,
        "verdict": str(each.verdict),
        "fields": [_field(line, names) for line in each.fields],
    }
    if each.reason:
        told["reason"] = each.reason
    if (time := iso(each.updated)) is not None:
        told["updated_at"] = time
    return told | _range(each.source)


def _field(line: FieldDrift, names: Mapping[str, Address]) -> dict[str, Any]:
    told: dict[str, Any] = {"path": [_step(step, names) for step in line.path], "verdict": str(line.verdict)}
    values = {side: getattr(line, side) for side in SIDES}
    told |= {side: plain(item) for side, item in values.items() if item is not ABSENT}
    if any(sensitives(item) for item in values.values()):
        told["sensitive"] = True
    if unknowns(line.stack):
        told["stack_unknown"] = True
    if line.moved:
        told["reordered"] = True
    if line.note:
        told["note"] = line.note
    return told | _range(line.source)


def _step(step: Any, names: Mapping[str, Address]) -> str:
    if isinstance(step, Unknown) and step.ref is not None:
        return str(step.ref.address)
    return str(names[step]) if isinstance(step, str) and step in names else str(step)


def _range(source: Source | None) -> dict[str, Any]:
    if source is None:
        return {}
    return {"range": {"filename": source.file, "start": {"line": source.line, "column": source.column}}}


def iso(seconds: float | None) -> str | None:
    """A time in ISO 8601, UTC; None where none was told."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None
