"""A plan, an apply and diagnostics as JSON, with Terraform's names so that its tools fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any

from lbstack.errors import Problem
from lbstack.plan.changes import ABSENT, Action, Change, Plan
from lbstack.plan.digest import digest
from lbstack.recover import Orphan
from lbstack.render import words
from lbstack.state.model import Entry, State
from lbstack.values import Address, Digest, Secret, Unknown
from lbstack.version import __version__

FORMAT = "1.0"
SCHEMAS = Path(__file__).parent / "schemas"
ACTIONS = {
    Action.CREATE: ["create"],
    Action.UPDATE: ["update"],
    Action.REPLACE: ["create", "delete"],
    Action.DELETE: ["delete"],
    Action.FORGET: ["forget"],
    Action.MISSING: ["missing"],
    Action.NOOP: ["no-op"],
}


def dumps(document: Any) -> str:
    """JSON as it is printed: one document, indented, no surprises for a parser, and no command for a CI
    service. Written here, since the indenting encoder of the library takes seconds for a large plan."""
    return words.document(_dumped(document, "\n"))


def _dumped(value: Any, pad: str) -> str:
    if type(value) is str:
        return encode_basestring_ascii(value)
    inner = pad + "  "
    if isinstance(value, dict) and value:
        lines = [f"{_named(key)}: {_dumped(item, inner)}" for key, item in value.items()]
        return f"{{{inner}{f',{inner}'.join(lines)}{pad}}}"
    if isinstance(value, (list, tuple)) and value:
        return f"[{inner}{f',{inner}'.join([_dumped(item, inner) for item in value])}{pad}]"
    return json.dumps(value, allow_nan=False)


def _named(key: Any) -> str:
    return encode_basestring_ascii(key if isinstance(key, str) else json.dumps(key))


def plan_schema() -> dict[str, Any]:
    """The JSON Schema of a plan's document."""
    return schema("plan")


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a document of this name."""
    document: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    return document


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as one document."""
    was = {new: old for old, new in plan.moves}
    return {
        "format_version": FORMAT,
        "lbstack_version": __version__,
        "stack": plan.stack,
        "organization": plan.pins.organization,
        "endpoint": plan.pins.endpoint,
        "digest": digest(plan),
        "applyable": not (plan.empty or plan.refusals),
        "resource_changes": [change_document(change, was.get(change.address)) for change in plan.changes],
        "resource_drift": [change_document(change) for change in plan.drift],
        "deposed": [{"address": str(item.address), "id": item.id} for item in plan.deposed],
        "output_changes": {
            change.name: {
                "actions": [
                    "create" if change.before is ABSENT else "delete" if change.after is ABSENT else "update"
                ],
                "before": plain(change.before),
                "after": plain(change.after),
                "after_unknown": unknowns(change.after) or False,
            }
            for change in plan.outputs
        },
        "recovered": [{"address": str(address), "id": id} for address, id in plan.recovered],
        "orphans": [_orphan(orphan) for orphan in plan.orphans],
        "refusals": diagnostics(refusal.problem for refusal in plan.refusals),
        "notes": list(plan.notes),
        "summary": plan.counts(),
    }


def _orphan(orphan: Orphan) -> dict[str, Any]:
    told = {"address": str(orphan.address), "id": orphan.id, "name": orphan.name}
    return told | ({} if orphan.sure else {"sure": False})


def change_document(change: Change, was: Address | None = None) -> dict[str, Any]:
    """One change, in Terraform's shape."""
    document: dict[str, Any] = {
        "address": str(change.address),
        "type": change.address.kind,
        "name": change.address.key,
        "id": change.id,
        "change": {
            "actions": ["create", "forget"] if change.forgets else ACTIONS[change.action],
            "before": plain(change.before),
            "after": plain(change.after),
            "after_unknown": unknowns(change.after) or {},
            "before_sensitive": sensitives(change.before) or {},
            "after_sensitive": sensitives(change.after) or {},
            "replace_paths": [[str(step) for step in line.path] for line in change.fields if line.replaces],
        },
    }
    if was:
        document["previous_address"] = str(was)
    if change.contents:
        document["at_stake"] = {change.holds: change.contents}
    if change.importing:
        document["change"]["importing"] = {"id": change.id}
    if change.reason:
        document["action_reason"] = change.reason
    return document


def plain(value: Any) -> Any:
    """The value without what is unknown (null) or secret (null), and without a kind's own notes."""
    if _ordinary(value):
        return value
    if value is ABSENT or isinstance(value, (Unknown, Digest, Secret)):
        return None
    if isinstance(value, Mapping):
        return {_key(k): plain(v) for k, v in value.items() if not str(k).startswith("_")}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _ordinary(value: Any) -> bool:
    """Whether a value is told as it is: most are, and a plan has very many."""
    kind = type(value)
    if kind is str or value is None or kind is bool or kind is int or kind is float:
        return True
    if kind is dict:
        for name, item in value.items():
            if type(name) is not str or name[:1] == "_" or not _ordinary(item):
                return False
        return True
    return kind is list and all(map(_ordinary, value))


def _key(key: Any) -> str:
    return str(key.ref.address) if isinstance(key, Unknown) and key.ref else str(key)


def _marked(value: Any, what: type[Any] | tuple[type[Any], ...]) -> Any:
    """The shape of a value with true where something of a type stands; empty where nothing does."""
    if _ordinary(value):
        return None
    if isinstance(value, what):
        return True
    if isinstance(value, Mapping):
        return {_key(k): mark for k, v in value.items() if (mark := _marked(v, what))}
    if isinstance(value, (list, tuple)):
        marks = [_marked(item, what) or False for item in value]
        return marks if any(marks) else None
    return None


def unknowns(value: Any) -> Any:
    """Where the value will be known only after apply."""
    return _marked(value, Unknown)


def sensitives(value: Any) -> Any:
    """Where the value is secret."""
    return _marked(value, (Digest, Secret))


def diagnostics(problems: Iterable[Problem], severity: str = "error") -> list[dict[str, Any]]:
    """Problems as Terraform's diagnostics."""
    found = []
    for problem in problems:
        entry: dict[str, Any] = {"severity": severity, "summary": problem.summary, "detail": problem.detail}
        if problem.address:
            entry["address"] = str(problem.address)
        if problem.source:
            start = {"line": problem.source.line, "column": problem.source.column}
            entry["range"] = {"filename": problem.source.file, "start": start}
        found.append(entry)
    return found


def state_document(state: State) -> dict[str, Any]:
    """The state as one document."""
    return {
        "format_version": FORMAT,
        "stack": state.stack,
        "organization": state.organization,
        "endpoint": state.endpoint,
        "lineage": state.lineage,
        "serial": state.serial,
        "resources": [entry_document(address, entry) for address, entry in state.resources.items()],
        "outputs": {name: {"value": plain(item)} for name, item in state.outputs.items()},
    }


def entry_document(address: Address, entry: Entry) -> dict[str, Any]:
    """One remembered resource."""
    return {
        "address": str(address),
        "type": address.kind,
        "name": address.key,
        "id": entry.id,
        "values": plain(entry.attributes),
        "sensitive_values": sensitives(entry.attributes) or {},
        "depends_on": [str(need) for need in entry.needs],
        "deposed": [item.id for item in entry.deposed],
    }
