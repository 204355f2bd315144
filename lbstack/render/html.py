"""A plan as one page, for people who would rather look than read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbstack.plan.changes import ABSENT, Action, Change, Deposed, FieldChange, OutputChange, Plan, counted
from lbstack.plan.digest import digest
from lbstack.render.fields import attributes, part_lines, text_lines
from lbstack.render.layout import HEIGHT, WIDTH, Drawing, layered
from lbstack.render.order import WORDS, by_weight, edges, tally
from lbstack.render.page import lined, page
from lbstack.render.text import change_lines, heading, unchanged, why
from lbstack.render.words import NO_CHANGES, path, sentence, summary, value
from lbstack.values import Address

NODES = 150
"""More than so many boxes are not looked at: then those that change alone are drawn, or none."""
OPEN = 12
"""Up to so many changes are unfolded at the beginning."""
LABEL = 26
"""Characters of an address in a box."""

Cell = Any
"""A value's lines as markup; None where there is no value."""


@dataclass(frozen=True, slots=True)
class Row:
    """A value before and after."""

    path: str
    before: Cell
    after: Cell
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A change as it is shown: rows side by side, or lines where there is one side only."""

    anchor: str
    kind: str
    word: str
    symbol: str
    address: str
    heading: str
    why: str = ""
    stake: str = ""
    rows: Sequence[Row] = ()
    lines: Any = ""
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Box:
    """A resource in the graph; one that does not change has no `anchor`."""

    x: int
    y: int
    address: str
    label: str
    word: str
    anchor: str


def plan_html(plan: Plan, gc: str = "lbstack gc") -> str:
    """The page."""
    changes = by_weight(plan)
    entries = [_entry(change, f"c{number}", plan.names) for number, change in enumerate(changes)]
    entries += [_deposed(old, f"d{number}") for number, old in enumerate(plan.deposed)]
    anchors = {change.address: f"c{number}" for number, change in enumerate(changes)}
    drawing, boxes, left = _graph(plan, anchors)
    words = {word: sum(entry.word == word for entry in entries) for word in WORDS.values()}
    return page(
        "plan.html.j2",
        title=f"Plan of {sentence(plan.stack)}",
        plan=plan,
        headline=NO_CHANGES if plan.empty else summary(plan.counts()),
        refusals=[sentence(str(refusal.problem)) for refusal in plan.refusals],
        ends=_ends(plan),
        entries=entries,
        words={word: count for word, count in words.items() if count},
        kinds=sorted({entry.kind for entry in entries}),
        unfolded=len(entries) <= OPEN,
        moves=[(str(old), str(new)) for old, new in plan.moves],
        outputs=[_output(change, plan.names) for change in plan.outputs],
        orphans=[sentence(f"{o.address}: {o.id} ({o.name})") for o in plan.orphans],
        notes=[sentence(note) for note in plan.notes],
        gc=gc,
        digest="" if plan.empty or plan.refusals else digest(plan),
        drawing=drawing,
        boxes=boxes,
        left=left,
        box=(WIDTH, HEIGHT),
    )


def _ends(plan: Plan) -> str:
    """What would be gone, in one sentence; empty where nothing is."""
    ends = [change for change in plan.actions if change.action in (Action.DELETE, Action.REPLACE)]
    told = [f"{counted(number, 'resources')} to {word}" for word, number in tally(ends).items()]
    told += [f"{counted(len(plan.deposed), 'deposed objects')} to let go"] if plan.deposed else []
    return " · ".join(told)


def _entry(change: Change, anchor: str, names: Mapping[str, Address]) -> Entry:
    both = change.action in (Action.UPDATE, Action.REPLACE)
    stakes = change.contents and change.action in (Action.DELETE, Action.REPLACE)
    return Entry(
        anchor,
        change.address.kind,
        WORDS[change.action],
        change.symbol.strip() or "→",
        str(change.address),
        heading(change),
        why(change),
        f"{counted(change.contents, change.holds)} will be lost" if stakes else "",
        rows=[_row(line, names) for line in change.fields] if both else (),
        lines="" if both else lined(_one_sided(change, names)),
        hidden=unchanged(change) if both else 0,
    )


def _one_sided(change: Change, names: Mapping[str, Address]) -> Iterator[tuple[str, str]]:
    """The lines of what comes or goes as a whole; what is lost with it is told beside its address."""
    for text, style in list(change_lines(change, names))[1:]:
        if not text.lstrip().startswith("#"):
            yield (text[6:], style)


def _deposed(old: Deposed, anchor: str) -> Entry:
    word, symbol = ("forget", ".") if old.forgets else ("destroy", "-")
    told = f"(deposed object) will be {'forgotten' if old.forgets else 'destroyed'}"
    lines = [(text, word) for text, _ in attributes({"id": old.id}, {}, "-", 0)]
    return Entry(anchor, old.address.kind, word, symbol, str(old.address), told, lines=lined(lines))


def _row(line: FieldChange, names: Mapping[str, Address]) -> Row:
    note = "forces replacement" if line.replaces else sentence(line.note)
    where = path(line.path, names)
    if line.moved:
        orders = (line.before, line.after)
        before, after = (lined((value(key, names), "plain") for key in keys) for keys in orders)
        return Row(f"{where} (order)", before, after, note)
    if isinstance(line.before, str) and isinstance(line.after, str) and "\n" in line.before + line.after:
        told = [(text[2:], style) for text, style in text_lines(line.before, line.after, 0)]
        before, after = (lined(one for one in told if one[1] != style) for style in ("add", "destroy"))
        return Row(where, before, after, note)
    return Row(where, _cell(line.before, "destroy", names), _cell(line.after, "add", names), note)


def _cell(item: Any, style: str, names: Mapping[str, Address]) -> Cell:
    """A value, in one line or as the tree that it is."""
    if item is ABSENT:
        return None
    if isinstance(item, Mapping) and any(isinstance(part, Mapping) for part in item.values()):
        return lined((text, style) for text in part_lines(item, names))
    return lined([(value(item, names), style)])


def _output(change: OutputChange, names: Mapping[str, Address]) -> Row:
    return Row(change.name, _cell(change.before, "destroy", names), _cell(change.after, "add", names))


def _graph(plan: Plan, anchors: Mapping[Address, str]) -> tuple[Drawing[Address] | None, list[Box], int]:
    """Who depends on whom: all, or those that change, as many as can be looked at. With it, how many that
    change are not drawn, since nothing joins them to others or there are too many."""
    words = {change.address: WORDS[change.action] for change in plan.actions}
    for shown in ({change.address for change in plan.changes} | set(words), set(words)):
        needs: dict[Address, list[Address]] = {}
        for one, need in edges(plan, shown):
            needs.setdefault(one, []).append(need)
            needs.setdefault(need, [])
        if len(needs) <= NODES and any(address in words for address in needs):
            drawing = layered(needs)
            if drawing is None:
                return None, [], 0
            boxes = [_box(address, place, words, anchors) for address, place in drawing.boxes.items()]
            return drawing, boxes, len(set(words) - set(needs))
    return None, [], len(words) if len(words) > NODES else 0


def _box(
    address: Address, place: tuple[int, int], words: Mapping[Address, str], anchors: Mapping[Address, str]
) -> Box:
    text = sentence(str(address))
    label = text if len(text) <= LABEL else text[: LABEL - 1] + "…"
    return Box(*place, text, label, words.get(address, "same"), anchors.get(address, ""))
