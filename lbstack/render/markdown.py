"""A plan as Markdown, for the comment of a pull request.

The headline, what is refused and what ends come first and are always there. Then each change, folded, what
hurts first, whole or not at all, as long as the bytes last; what was left out is counted and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lbstack.plan.changes import Action, Change, Plan, counted
from lbstack.plan.digest import digest
from lbstack.render import mermaid
from lbstack.render.marked import Budget, alert, bold, fence, folded, hidden, span, tag
from lbstack.render.order import WORDS, by_kind, by_weight, tally
from lbstack.render.text import Line, change_lines, heading, output_lines
from lbstack.render.words import NO_CHANGES, sentence, summary

FEW = 12
"""As many addresses or notes a list names before it counts the rest."""
LONGEST = 300
"""Characters of one entry of a list."""
TRIES = 20
"""After so many changes in a row for which there was no room, none is tried any more."""
SIGNS = {"add": "+", "change": "!", "destroy": "-"}
"""What GitHub colours a line by, at its beginning: `!` stands for `~`."""
ICONS = {
    "missing": "❗",
    "destroy": "🔴",
    "replace": "🟠",
    "forget": "⚪",
    "update": "🟡",
    "create": "🟢",
    "import": "🔵",
}


def plan_markdown(plan: Plan, max_bytes: int = 60_000, gc: str = "lbstack gc") -> str:
    """The page, of at most so many bytes."""
    page = Budget(max_bytes - 1)
    keep = min(1500, max_bytes // 4)
    page.take(hidden("plan", plan.stack))
    told = digest(plan)
    offered = not (plan.empty or plan.refusals)
    carried = offered and page.take(hidden("digest", told), keep=max_bytes // 2)
    page.take(f"### lbstack plan of {span(_short(plan.stack, 100))}")
    page.take(f"**{NO_CHANGES if plan.empty else summary(plan.counts())}**")
    _warn(page, plan, gc, keep)
    for part in _table(plan):
        page.take(part, keep)
    if carried:
        page.reserve(_digest(told), max_bytes // 2)
    for part in _told(plan):
        page.take(part, keep)
    graph = mermaid.graph(plan)
    drawn = folded(bold("Graph of what changes"), fence(graph.split("\n"), "mermaid")) if graph else ""
    left = _changes(page, plan, keep, len(drawn.encode()) + 2 if graph else 0)
    if graph:
        page.take(drawn, keep if left else 0)
    if left:
        _left_out(page, left)
    return page.text()


def _changes(page: Budget, plan: Plan, keep: int, graph: int) -> list[Change]:
    """Take each change that there is room for; those that there is none for. Where all fit, they and the
    graph, nothing need be kept for a list of what was left out."""
    changes, blocks, size = by_weight(plan), list[str](), graph
    for change in changes:
        blocks.append(_change(change, plan))
        size += len(blocks[-1].encode()) + 2
        if size > page.left:
            break
    else:
        keep = 0
    left: list[Change] = []
    for number, change in enumerate(changes):
        if len(left) >= TRIES and left[-TRIES:] == changes[number - TRIES : number]:
            return left + changes[number:]
        if not page.take(blocks[number] if number < len(blocks) else _change(change, plan), keep):
            left.append(change)
    return left


def _warn(page: Budget, plan: Plan, gc: str, keep: int) -> None:
    """What keeps the plan from being carried out, and what would be gone after it."""
    if plan.refusals:
        named = [_entry(str(refusal.problem)) for refusal in plan.refusals]
        _alert(page, keep, "CAUTION", "**This plan is refused.** Nothing of it can be applied.", named)
    ends = [change for change in by_weight(plan) if change.action in (Action.DELETE, Action.REPLACE)]
    if ends or plan.deposed:
        named = [f"- {span(_short(f'{c.symbol} {c.address}'))}{_stake(c)}" for c in ends]
        named += [f"- {span(_short(f'{old.address} (deposed object {old.id})'))}" for old in plan.deposed]
        told = [f"{counted(number, 'resources')} to {word}" for word, number in tally(ends).items()]
        told += [f"{counted(len(plan.deposed), 'deposed objects')} to let go"] if plan.deposed else []
        _alert(page, keep, "WARNING", f"**{', '.join(told)}**", named)
    if plan.orphans:
        named = [f"- {span(_short(f'{o.address}: {o.id} ({o.name})'))}" for o in plan.orphans]
        head = f"**Made twice, or long after it was given up.** To remove what is not needed: {span(gc)}"
        _alert(page, keep, "WARNING", head, named)


def _alert(page: Budget, keep: int, level: str, head: str, entries: Sequence[str]) -> None:
    """A warning with as many entries as there is room for; the warning itself is never left out."""
    for most in (FEW, 3):
        if page.take(alert(level, [head, "", *_some(entries, most)]), keep):
            return
    page.take(alert(level, [head]))


def _stake(change: Change) -> str:
    """What is lost with it, and why it ends."""
    held = counted(change.contents, change.holds)
    told = held if held.replace(" ", "").isalnum() else span(held)
    lost = f": **{told} will be lost**" if change.contents else ""
    fields = dict.fromkeys(str(line.path[0]) for line in change.fields if line.replaces)
    why = f" ({', '.join(span(name) for name in fields)} forces replacement)" if fields else ""
    return lost + why


def _some(lines: Sequence[str], most: int = FEW) -> list[str]:
    more = len(lines) - most
    return [*lines[:most], *([f"- and {more:,} more"] if more > 0 else [])]


def _entry(text: str) -> str:
    return f"- {span(_short(text, 2 * LONGEST))}"


def _short(text: str, most: int = LONGEST) -> str:
    text = sentence(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def _table(plan: Plan) -> Iterator[str]:
    """How many of each kind become what."""
    rows = by_kind(plan)
    if not rows:
        return
    columns = [word for word in WORDS.values() if any(word in row for row in rows.values())]
    lines = [f"| kind | {' | '.join(f'{ICONS[c]} {c}' for c in columns)} |", f"|---|{'--:|' * len(columns)}"]
    for kind, row in sorted(rows.items()):
        name = "".join(char if char.isalnum() or char in "-_" else "?" for char in kind)[:40]
        lines.append(f"| `{name}` | {' | '.join(str(row.get(c, '')) for c in columns)} |")
    yield "\n".join(lines)


def _digest(told: str) -> str:
    """The digest of the operations, to be approved."""
    how = "`lbstack apply --approved DIGEST` carries out these, or a part of them, and nothing else:"
    return folded(bold("Digest of these operations"), f"{how}\n\n{fence([told])}")


def _told(plan: Plan) -> Iterator[str]:
    """Moves, outputs and notes."""
    if plan.moves:
        names = [f"{span(_short(str(old)))} has moved to {span(_short(str(new)))}" for old, new in plan.moves]
        yield "\n".join(_some([f"- {name}" for name in names]))
    if plan.outputs:
        lines = diff(output_lines(plan.outputs[: 5 * FEW]))
        more = len(plan.outputs) - 5 * FEW
        lines += [f"# and {more:,} more"] if more > 0 else []
        yield folded(bold(f"Outputs that change: {len(plan.outputs):,}"), fence(lines, "diff"))
    if plan.notes:
        yield alert("NOTE", _some([_entry(note) for note in plan.notes]))


def _change(change: Change, plan: Plan) -> str:
    """One resource, folded; in a line where there is nothing to fold. (Within a line of Markdown HTML's code
    is no code: what stands in it would be read.)"""
    icon, address, reason = ICONS[WORDS[change.action]], _short(str(change.address)), _short(change.reason)
    lines = list(change_lines(change, plan.names))[1:]
    if not lines:
        return f"{icon} {span(address)} {heading(change)}" + (f": {span(reason)}" if reason else "")
    why = f" <i>{tag(reason)}</i>" if reason else ""
    return folded(f"{icon} {tag(address)} {heading(change)}{why}", fence(diff(lines), "diff"))


def diff(lines: Iterable[Line]) -> list[str]:
    """Lines of the text face with their signs in front, as forges colour them."""
    found = []
    for text, style in lines:
        bare = text.lstrip(" ")
        inner = " " * max(0, len(text) - len(bare) - 6)
        sign, told = SIGNS.get(style, " "), bare
        if bare[:2] in ("+ ", "- ", "~ "):
            sign, told = "!" if bare[0] == "~" else bare[0], bare[2:]
        elif bare.startswith("#"):
            sign = "#"
            told = bare[1:].lstrip()
        found.append(f"{sign} {inner}{told}")
    return found


def _left_out(page: Budget, left: Sequence[Change]) -> None:
    """Count what there was no room for, and name as much of it as there is room for now."""
    told = ", ".join(f"{number:,} to {word}" for word, number in tally(left).items())
    words = f"{counted(len(left), 'more changes')} left out for want of room: {told}"
    room, names = page.left - 200, list[str]()
    for change in left:
        name = _short(f"{change.symbol} {change.address}")
        room -= len(name.encode()) + 1
        if room < 0:
            break
        names.append(name)
    while True:
        more = len(left) - len(names)
        lines = [*names, *([f"and {more:,} more"] if more else [])]
        if page.take(folded(bold(words), fence(lines))) or not names:
            return
        names = names[: len(names) // 2]
