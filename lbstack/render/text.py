"""A plan, a drift report and state as text for people. Styles are names; the terminal decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lbstack.plan.changes import ABSENT, Action, Change, OutputChange, Plan, counted
from lbstack.recover import Orphan
from lbstack.render.fields import Line as Line
from lbstack.render.fields import attributes, field_lines, hidden
from lbstack.render.words import NO_CHANGES, Plain, quoted, safe, sentence, summary, value
from lbstack.values import Address

STYLES = {
    Action.CREATE: "add",
    Action.UPDATE: "change",
    Action.REPLACE: "destroy",
    Action.DELETE: "destroy",
    Action.FORGET: "forget",
    Action.MISSING: "destroy",
    Action.NOOP: "plain",
}
HEADINGS = {
    Action.CREATE: "will be created",
    Action.UPDATE: "will be updated in place",
    Action.REPLACE: "must be replaced",
    Action.DELETE: "will be destroyed",
    Action.FORGET: "will be forgotten",
    Action.MISSING: "is missing",
}
FORGETS = "must be replaced; the old one will be forgotten"

IMPORTED = {
    Action.NOOP: "will be imported",
    Action.UPDATE: "will be imported and changed",
    Action.REPLACE: "will be imported and replaced, which destroys it",
}


def plan_lines(plan: Plan, gc: str = "lbstack gc") -> Iterator[Line]:
    """The whole plan, the summary last; `gc` is the command that removes orphans."""
    actions = plan.actions
    missing = [change for change in actions if change.action is Action.MISSING]
    if len(actions) > len(missing) or plan.deposed:
        yield ("lbstack will perform the following actions:", "plain")
        yield ("", "plain")
    for old, new in plan.moves:
        yield (f"  {safe(str(old))} has moved to {safe(str(new))}", "note")
    if plan.moves:
        yield ("", "plain")
    for change in actions:
        yield from change_lines(change, plan.names)
        yield ("", "plain")
    for item in plan.deposed:
        name = f"{safe(str(item.address))} (deposed object {safe(item.id)})"
        end = (f"  . {name} will be forgotten", "forget")
        yield end if item.forgets else (f"  - {name} will be destroyed", "destroy")
        yield ("", "plain")
    if plan.outputs:
        yield ("Changes to Outputs:", "bold")
        yield from output_lines(plan.outputs)
        yield ("", "plain")
    yield from orphan_lines(plan.orphans, gc)
    yield from note_lines(plan.notes)
    yield (NO_CHANGES if plan.empty else summary(plan.counts()), "bold")


def orphan_lines(orphans: Sequence[Orphan], gc: str) -> Iterator[Line]:
    """What was made twice or too late, and the command that removes it."""
    certain = [orphan for orphan in orphans if orphan.sure]
    doubtful = [orphan for orphan in orphans if not orphan.sure]
    if certain:
        yield (
            "Warning: a create of this stack was carried out twice, or long after it was given up:",
            "destroy",
        )
        yield from ((f"  ? {_orphan(orphan)} belongs to no address", "destroy") for orphan in certain)
        yield (f"  To remove what is not needed: {gc}", "plain")
        yield ("", "plain")
    if doubtful:
        yield (
            "Warning: these may have been made twice by this stack, or be somebody else's:",
            "destroy",
        )
        yield from (
            (f"  ? {_orphan(orphan)} looks like one of this stack's", "destroy") for orphan in doubtful
        )
        yield (f"  To remove one that nobody needs: {gc} --also ID", "plain")
        yield ("", "plain")


def _orphan(orphan: Orphan) -> str:
    return f"{safe(str(orphan.address))}: {safe(orphan.id)} ({safe(orphan.name)})"


def note_lines(notes: Iterable[str]) -> Iterator[Line]:
    """What a person must know or do beside the plan."""
    shown = False
    for note in notes:
        shown = True
        yield (f"Note: {sentence(note)}", "note")
    if shown:
        yield ("", "plain")


def change_lines(change: Change, names: Mapping[str, Address]) -> Iterator[Line]:
    """One resource: a heading, why, and a line for each value that differs."""
    style = "change" if change.forgets else STYLES[change.action]
    told = why(change)
    yield (
        f"  {change.symbol} {safe(str(change.address))} {heading(change)}{f'  # {told}' if told else ''}",
        style,
    )
    if change.action is Action.CREATE:
        shown = {name: (change.after or {})[name] for name in said(change.after)}
        yield from attributes(shown, names, "+", 6)
    elif change.action in (Action.UPDATE, Action.REPLACE):
        yield from field_lines(change.fields, names)
        yield from hidden(unchanged(change))
    elif change.action is Action.DELETE:
        named = (change.before or {}).get("name")
        width = 4 if named else 2
        yield (f"      - {'id':<{width}} = {quoted(change.id or '')}", "destroy")
        if isinstance(named, str):
            yield (f"      - name = {value(named, names)}", "destroy")
    elif change.action is Action.MISSING:
        yield (f"      - id = {quoted(change.id or '')}", "destroy")
    if change.contents and change.action in (Action.DELETE, Action.REPLACE):
        yield (f"      # {safe(counted(change.contents, change.holds))} will be lost with it", "destroy")


def heading(change: Change) -> str:
    """What becomes of a resource, in words that follow its address."""
    if change.forgets:
        return "will be imported; it " + FORGETS if change.importing else FORGETS
    return (IMPORTED if change.importing else HEADINGS)[change.action]


def why(change: Change) -> str:
    """Why it happens, in words."""
    forcing = dict.fromkeys(safe(str(line.path[0])) for line in change.fields if line.replaces)
    *most, last = forcing or ("",)
    force = f"{', '.join(most)} and {last} force" if most else f"{last} forces"
    reasons = [f"{force} replacement"] if last else []
    return "; ".join([*reasons, *([sentence(change.reason)] if change.reason else [])])


def unchanged(change: Change) -> int:
    """How many attributes that say something stay as they are."""
    return len(said(change.after) - change.changed - {"id"})


def said(attributes: Mapping[str, Any] | None) -> set[str]:
    """Names of the attributes that say something, without a kind's own notes."""
    known = (attributes or {}).items()
    return {name for name, item in known if item not in (None, {}, []) and name[0] != "_"}


def output_lines(outputs: Sequence[OutputChange]) -> Iterator[Line]:
    """Outputs that change, one a line."""
    width = min(max(len(safe(change.name)) for change in outputs), 40)
    for change in outputs:
        before, after = (value(item) for item in (change.before, change.after))
        name = f"{safe(change.name):<{width}}"
        if change.before is ABSENT:
            yield (f"  + {name} = {after}", "add")
        elif change.after is ABSENT:
            yield (f"  - {name} = {before}", "destroy")
        else:
            yield (f"  ~ {name} = {before} -> {after}", "change")


def attribute_lines(
    address: Address, id: str | None, known: Mapping[str, Any], names: Mapping[str, Address]
) -> Iterator[Line]:
    """One remembered resource, in full."""
    yield (f"{safe(str(address))}:", "bold")
    # What is this object's own id stands for itself: it is what people copy.
    own = {name: Plain(item) if item == id else item for name, item in known.items()}
    for text, _ in attributes({**own, "id": Plain(id or "(none)")}, names, " ", 2):
        yield (text, "plain")
