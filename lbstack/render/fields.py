"""Attributes and their differences as lines: nested ones under their path, long ones cut with a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from lbstack.plan.changes import ABSENT, FieldChange
from lbstack.render.words import LONGEST, key, path, safe, sentence, value
from lbstack.values import Address

Line = tuple[str, str]
"""A line and the style it is drawn in: add, change, destroy, forget, note, bold or plain."""

Names = Mapping[str, Address]
STYLES = {"+": "add", "-": "destroy", "~": "change", " ": "add"}
MANY = 20
"""Items of one set, or keys in an order, before the rest is counted."""
AROUND = 2
"""Unchanged lines shown around changed ones of a text."""
TEXT = 60
"""Lines of a text's difference before the rest is counted."""
LONG_TEXT = 2000
"""Lines of a text that are compared with each other; of a longer one the ends are not looked at."""


def field_lines(fields: Sequence[FieldChange], names: Names, indent: int = 6) -> Iterator[Line]:
    """What differs. Values of one nested part stand under its path."""
    parent: tuple[Any, ...] = ()
    listed: Counter[tuple[Any, ...]] = Counter()
    widths = _widths(fields, names)
    for line in fields:
        items = (line.path[0], line.before is ABSENT)
        if _is_item(line):
            listed[items] += 1
            if listed[items] > MANY:
                continue
        above = _above(line)
        if above and above != parent:
            yield (f"{' ' * indent}~ {path(above, names)}:", "change")
        parent = above
        inner = indent + 4 if above else indent
        yield from _difference(line, line.path[len(above) :], names, inner, widths[above] if above else 0)
    for (name, comes), count in listed.items():
        if count > MANY:
            sign = "+" if comes else "-"
            yield (f"{' ' * indent}{sign} {path((name,))}: … {count - MANY:,} more", STYLES[sign])


def _above(line: FieldChange) -> tuple[Any, ...]:
    """The path of the part that a value belongs to: up to a key, and none for what stands at the top."""
    return () if line.moved else line.path[: (len(line.path) - 1) // 2 * 2]


def _is_item(line: FieldChange) -> bool:
    """Whether an item of a set comes or goes: it stands for itself."""
    there = line.after if line.before is ABSENT else line.before
    return len(line.path) == 2 and ABSENT in (line.before, line.after) and there == line.path[1]


def _widths(fields: Sequence[FieldChange], names: Names) -> dict[tuple[Any, ...], int]:
    """How wide the names are that stand under a path."""
    widths: dict[tuple[Any, ...], int] = {}
    for line in fields:
        above = _above(line)
        if above and len(line.path) - len(above) == 1:
            widths[above] = max(widths.get(above, 0), len(path(line.path[len(above) :], names)))
        widths.setdefault(above, 0)
    return widths


def _difference(
    line: FieldChange, steps: tuple[Any, ...], names: Names, indent: int, width: int
) -> Iterator[Line]:
    """One difference, in as many lines as it takes."""
    comes, goes = line.before is ABSENT, line.after is ABSENT
    there = line.after if comes else line.before
    if (comes or goes) and not line.moved and isinstance(there, Mapping) and there:
        sign = "+" if comes else "-"
        yield from _part(path(steps, names), steps[-1], there, names, sign, indent, _tail(line))
    elif not line.moved and _is_text(line.before, line.after):
        yield (f"{' ' * indent}~ {path(steps, names)}:{_tail(line)}", "change")
        yield from text_lines(str(line.before or ""), str(line.after or ""), indent + 4)
    else:
        yield _one(line, f"{path(steps, names):<{width}}", names, indent)


def field_line(line: FieldChange, names: Names) -> Line:
    """One difference in one line."""
    return _one(line, path(line.path, names), names, 6)


def _one(line: FieldChange, where: str, names: Names, indent: int) -> Line:
    tail, pad = _tail(line), " " * indent
    if line.moved:
        return (f"{pad}~ {where} reordered = {_order(line.before)} -> {_order(line.after)}{tail}", "change")
    if line.before is ABSENT:
        return (f"{pad}+ {where}{_member(line, line.after, names)}{tail}", "add")
    if line.after is ABSENT:
        return (f"{pad}- {where}{_member(line, line.before, names)}{tail}", "destroy")
    before, after = value(line.before, names), value(line.after, names)
    told = after if line.note and before == after else f"{before} -> {after}"
    return (f"{pad}~ {where} = {told}{tail}", "change")


def _tail(line: FieldChange) -> str:
    return "  # forces replacement" if line.replaces else f"  # {sentence(line.note)}" if line.note else ""


def _member(line: FieldChange, item: Any, names: Names) -> str:
    """What stands at a key; an item of a set stands for itself."""
    return "" if item == line.path[-1] else f" = {value(item, names)}"


def _order(keys: list[Any]) -> str:
    shown = ", ".join(safe(str(item)) for item in keys[:12])
    return f"[{shown}{f', … {len(keys) - 12} more' if len(keys) > 12 else ''}]"


def _is_text(before: Any, after: Any) -> bool:
    """Whether a text of several lines changed."""
    both = isinstance(before, str) and isinstance(after, str)
    return both and ("\n" in before or "\n" in after)


def text_lines(before: str, after: str, indent: int) -> Iterator[Line]:
    """Two texts line by line: what goes, what comes, and a little of what stays around it."""
    old, new = before.split("\n")[:LONG_TEXT], after.split("\n")[:LONG_TEXT]
    shown: list[Line] = []
    pad = " " * indent
    for same, a, b, c, d in _stretches(old, new):
        if same:
            shown += _unchanged(old[a:b], pad, first=a == 0, last=b == len(old))
        else:
            shown += [(f"{pad}- {_cut(line)}", "destroy") for line in old[a:b]]
            shown += [(f"{pad}+ {_cut(line)}", "add") for line in new[c:d]]
    yield from shown[:TEXT]
    if len(shown) > TEXT:
        yield (f"{pad}  # … {len(shown) - TEXT:,} more lines", "forget")


def _stretches(old: list[str], new: list[str]) -> Iterator[tuple[bool, int, int, int, int]]:
    """Where two texts are the same and where not. What is before the first difference and after the last is
    seen at once; only what lies between, if anything does, is worth a search."""
    short = min(len(old), len(new))
    head = next((n for n in range(short) if old[n] != new[n]), short)
    tail = next((n for n in range(short - head) if old[-1 - n] != new[-1 - n]), short - head)
    end, stop = len(old) - tail, len(new) - tail
    if head:
        yield (True, 0, head, 0, head)
    if min(end, stop) - head > 1:
        for tag, a, b, c, d in SequenceMatcher(
            None, old[head:end], new[head:stop], autojunk=False
        ).get_opcodes():
            yield (tag == "equal", head + a, head + b, head + c, head + d)
    elif end > head or stop > head:
        yield (False, head, end, head, stop)
    if tail:
        yield (True, end, len(old), stop, len(new))


def _unchanged(lines: list[str], pad: str, first: bool, last: bool) -> Iterator[Line]:
    """The lines next to a change, and a count of those between."""
    head, tail = (0 if first else AROUND), (0 if last else AROUND)
    if len(lines) <= head + tail + 1:
        head, tail = len(lines), 0
    for line in lines[:head]:
        yield (f"{pad}  {_cut(line)}", "plain")
    if hidden := len(lines) - head - tail:
        yield (f"{pad}  # ({hidden:,} unchanged line{'' if hidden == 1 else 's'} hidden)", "forget")
    for line in lines[len(lines) - tail :]:
        yield (f"{pad}  {_cut(line)}", "plain")


def _cut(line: str) -> str:
    told = sentence(line)
    return told if len(told) <= LONGEST else f"{told[:LONGEST]}… ({len(told) - LONGEST} more characters)"


# -- whole attributes -----------------------------------------------------------------------------------


def attributes(shown: Mapping[str, Any], names: Names, symbol: str, indent: int) -> Iterator[Line]:
    """Attributes by name, the simple ones with their values in a column."""
    width = max((len(key(name)) for name, item in shown.items() if not _has_parts(item)), default=0)
    for name, item in sorted(shown.items()):
        if _has_parts(item):
            yield (f"{' ' * indent}{symbol} {key(name)}:", STYLES[symbol])
            yield from _parts(item, names, symbol, indent + 4)
        else:
            yield (f"{' ' * indent}{symbol} {key(name):<{width}} = {value(item, names)}", STYLES[symbol])


def _has_parts(item: Any) -> bool:
    return isinstance(item, Mapping) and any(isinstance(part, Mapping) for part in item.values())


def _parts(item: Mapping[Any, Any], names: Names, symbol: str, indent: int) -> Iterator[Line]:
    """A map of parts, one part a line, a part's own parts below it."""
    for label, part in item.items():
        if isinstance(part, Mapping):
            yield from _part(key(label, names), label, part, names, symbol, indent)
        else:
            yield (f"{' ' * indent}{symbol} {key(label, names)} = {value(part, names)}", STYLES[symbol])


def _part(
    where: str, label: Any, part: Mapping[str, Any], names: Names, symbol: str, indent: int, tail: str = ""
) -> Iterator[Line]:
    flat = {k: v for k, v in part.items() if not isinstance(v, Mapping) and _tells(k, v, label, part)}
    inside = ", ".join(f"{key(k)} {value(v, names)}" for k, v in flat.items())
    yield (f"{' ' * indent}{symbol} {where}{f': {inside}' if inside else ''}{tail}", STYLES[symbol])
    for inner, parts in part.items():
        if _has_parts(parts):
            yield (f"{' ' * (indent + 4)}{symbol} {key(inner)}:", STYLES[symbol])
            yield from _parts(parts, names, symbol, indent + 8)
        elif isinstance(parts, Mapping) and parts:
            told = value(parts, names)
            yield (f"{' ' * (indent + 4)}{symbol} {key(inner)} = {told}", STYLES[symbol])


def _tells(name: str, item: Any, label: Any, part: Mapping[str, Any]) -> bool:
    """Whether an attribute says more than the part's key, its name and plain defaults do."""
    if item in (None, "", False, []):
        return False
    return not (isinstance(item, str) and (item in str(label) or item == part.get("name")))


def hidden(count: int, indent: int = 6) -> Iterable[Line]:
    """How many attributes stay as they are."""
    if count:
        told = f"# ({count} unchanged attribute{'' if count == 1 else 's'} hidden)"
        yield (f"{' ' * indent}{told}", "forget")


def part_lines(item: Mapping[Any, Any], names: Names) -> Iterator[str]:
    """The simple attributes of a part, then those of its own parts below them."""
    for name, inner in item.items():
        if not isinstance(inner, Mapping) and inner not in (None, []):
            yield f"{key(name)} = {value(inner, names)}"
    for name, inner in item.items():
        if isinstance(inner, Mapping) and inner:
            yield f"{key(name)}:"
            for text, _ in _parts(inner, names, " ", 0):
                yield f"  {text.removeprefix('  ')}"
