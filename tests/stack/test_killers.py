"""Files made to kill: each ends as problems, within 2 seconds and 256 MB, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MEGABYTE = 2**20
SECONDS = 4.0  # a killer takes minutes, or for ever; on a machine that does the unit of work below in UNIT seconds; on a busy one in proportion
UNIT = 0.045
MEMORY = 256

CHILD = """
import json, resource, sys, time
from pathlib import Path
from lbstack.errors import ConfigError
from lbstack.graph import build
from lbstack.stack.loader import load
from tests.stack.made_up import KINDS

def peak():
    # The most memory this process had, in MB.
    status = Path("/proc/self/status")
    if not status.exists():  # macOS, where it is told in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20
    # What Linux tells of usage counts the parent in, as it was when it began this process.
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def unit():
    # What a fixed piece of work takes here and now.
    start, kept, size = time.process_time(), {}, 0
    for number in range(300_000):
        kept[number & 1023] = str(number)
        size += len(kept[number & 1023])
    return time.process_time() - start


for path in sys.argv[1:]:
    start = time.process_time()
    try:
        build(load(Path(path), kinds=KINDS), KINDS)
        told, placed = 0, True
    except ConfigError as error:
        told = len(error.problems)
        placed = all(one.source or one.summary.endswith("more problems") for one in error.problems)
    seconds = time.process_time() - start
    if seconds > LIMIT:
        seconds /= max(1, unit() / UNIT_SECONDS, unit() / UNIT_SECONDS)
    print(json.dumps([Path(path).name, told, placed, seconds, peak()]))
""".replace("UNIT_SECONDS", str(UNIT)).replace("LIMIT", str(SECONDS))


def fill(text: str, room: int) -> str:
    """A text repeated until the room is full."""
    return text * (room // len(text))


def lines(line: Callable[[int], str], room: int) -> str:
    """Numbered lines until the room is full."""
    found, size, number = [], 0, 0
    while size < room:
        found.append(line(number) + "\n")
        size += len(found[-1])
        number += 1
    return "".join(found[:-1])


def bomb(levels: int, merge: bool) -> str:
    """Each level uses the one before it nine times."""
    found = ["stack: x", "a0: &a0 {k: v}"]
    for level in range(1, levels + 1):
        uses = ", ".join(f"*a{level - 1}" for _ in range(9))
        found.append(f"a{level}: &a{level} " + (f"{{<<: [{uses}]}}" if merge else f"[{uses}]"))
    return "\n".join(found)


def variable(value: str) -> str:
    """A stack that declares `v`, up to its boxes."""
    return f"stack: x\nvariables: {{v: {{default: {value}}}}}\nboxes:\n"


BOXES = "stack: x\nboxes:\n"
BODY = "stack: x\nboxes:\n  a:\n"
NAME = "stack: x\nboxes: {a: {name: "


def killers(room: int) -> dict[str, str]:
    """The killers, those that are a matter of size as large as the room."""
    return {
        **{f"merge_bomb_{levels}": bomb(levels, merge=True) for levels in (6, 7, 8, 30)},
        **{f"alias_bomb_{levels}": bomb(levels, merge=False) for levels in (6, 9, 30)},
        "alias_in_itself": "stack: x\na: &a [*a]",
        "alias_chain": "stack: x\na0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 900)),
        "merge_in_itself": "stack: x\na: &a {<<: *a}",
        "many_aliases": "stack: x\nb: &b {k: 1}\nboxes: [" + fill("*b,", room) + "]",
        "many_merges": "stack: x\nb: &b {k: 1}\nboxes:\n  a:\n" + fill("    <<: *b\n", room),
        "brackets_2000": "stack: x\nboxes: " + "[" * 2000,
        "brackets_50000": "stack: x\nboxes: " + "[" * 50_000,
        "brackets_closed": "stack: x\nboxes: " + "[" * 50_000 + "]" * 50_000,
        "braces": "stack: x\nboxes: " + fill("{a: ", room),
        "dashes": fill("- ", room),
        "question_marks": fill("? ", room),
        "date": "stack: x\na: 2024-99-99",
        "long_number": "stack: x\na: " + "9" * 5000,
        "huge_number": "stack: x\na: " + "9" * room,
        "surrogate": 'stack: x\na: "\\ud800"',
        "nul": 'stack: x\na: "\\0"',
        "raw_nul": "stack: x\na: \0",
        "duplicates": BOXES + fill("  k: 1\n", room),
        "duplicates_among_others": BOXES + lines(lambda n: f"  k{n // 2}: 1", room),
        "list_key": "stack: x\n? [1]\n: 2",
        "null_key": "stack: x\n~: 1",
        "python_tag": "stack: x\na: !!python/object/apply:os.system [true]",
        "binary_tag": "stack: x\na: !!binary aGk=",
        "many_tags": BOXES + lines(lambda n: f"  k{n}: !t 1", room),
        "many_anchors": BOXES + lines(lambda n: f"  k{n}: &a{n} 1", room),
        "one_long_line": NAME + "a" * room + "}}",
        "long_key": "stack: x\nboxes: {? " + "a" * room + " : {name: a}}",
        "many_keys": "stack: x\n" + lines(lambda n: f"k{n}: 1", room),
        "unknown_fields": BODY + lines(lambda n: f"    k{n}: 1", room),
        "many_resources": BOXES + lines(lambda n: f"  k{n}: {{name: a}}", room),
        "many_bad_resources": BOXES + lines(lambda n: f"  k{n}: {{nam: a}}", room),
        "many_bad_keys": BOXES + lines(lambda n: f"  'k {n}': {{nam: a}}", room),
        "dangling": BOXES + lines(lambda n: f"  k{n}: {{name: a, shelf: k{n}}}", room),
        "misspelt": BOXES + lines(lambda n: f"  key{n}: {{name: a, near: [kee{n}]}}", room),
        "long_chain": BOXES + lines(lambda n: f"  k{n}: {{name: a, near: [k{n + 1}]}}", room),
        "long_circle": BOXES + lines(lambda n: f"  k{n}: {{name: a, near: [k{(n + 1) % 9999}]}}", room),
        "long_list": NAME + "a, near: [" + fill("aa,", room) + "]}}",
        "long_wrong_list": NAME + "a, labels: [" + fill("10,", room) + "]}}",
        "many_wrong_lists": BOXES + lines(lambda n: f"  k{n}: {{labels: [{'10,' * 40_000}]}}", room),
        "long_mapping": NAME + "a, keepers: {" + lines(lambda n: f"k{n}: a,", room) + "}}}",
        "unknown_variables": BOXES + lines(lambda n: f"  k{n}: {{name: '${{var.v{n}}}'}}", room),
        "many_variables": "stack: x\nvariables:\n" + lines(lambda n: f"  v{n}: {{default: 1}}", room),
        "variables_without_values": "stack: x\nvariables:\n" + lines(lambda n: f"  v{n}:", room),
        "holes": NAME + "'" + fill("${a}", room) + "'}}",
        "open_holes": NAME + "'" + fill("${", room) + "'}}",
        "dollars": NAME + "'" + fill("$", room) + "'}}",
        "escapes_of_holes": NAME + "'" + fill("$${", room) + "'}}",
        "references": NAME + "'" + fill("${box.a.id}", room) + "'}}",
        "outputs": "stack: x\noutputs:\n" + lines(lambda n: f"  o{n}: '${{box.q.id}}'", room),
        "moves": "stack: x\nmoved:\n" + lines(lambda n: f"- {{from: box.a{n}, to: box.a{n + 1}}}", room),
        "imports": "stack: x\nimports:\n" + lines(lambda n: f"- {{address: box.a{n}, id: i}}", room),
        "long_value_often": variable("a" * (room // 2)) + lines(lambda n: f"  k{n}: {{name: 'a ${{var.v}}'}}", room // 2),
        "long_list_often": variable("[" + fill("1,", room // 2) + "]")
        + lines(lambda n: f"  k{n}: {{name: a, labels: '${{var.v}}'}}", room // 2),
        "carriage_returns": "stack: x\r\n" + fill("# a\r\n", room),
        "blank_lines": "stack: x\n" + "\n" * room,
        "tabs": "stack: x\n" + "\t" * room,
        "spaces": "stack: x\n" + " " * room,
        "comment": "stack: x\n#" + "a" * room,
        "documents": "stack: x\n" + fill("---\n", room),
        "folded": NAME[:-1].replace(" {a: {name:", "\n  a:\n    name: >") + "\n" + fill("     b\n\n", room),
        "control_escapes": NAME + '"' + fill("\\x01", room) + '"}}',
        "last_character": "stack: x\n" + "a" * room + "\x01",
        "pictures": NAME + "\U0001f600" * (room // 4) + "}}",
    }  # fmt: skip


LARGE: dict[str, str] = {
    "8 MB of one word": NAME + "a" * (8 * MEGABYTE - 100) + "}}",
    "8 MB of pictures": NAME + "\U0001f600" * (2 * MEGABYTE - 100) + "}}",
    "8 MB of resources": BOXES + lines(lambda n: f"  k{n}: {{name: a}}", 8 * MEGABYTE - 100),
    "8 MB of documents": "stack: x\n" + fill("---\n", 8 * MEGABYTE - 100),
    "8 MB of holes": NAME + "'" + fill("${a}", 8 * MEGABYTE - 100) + "'}}",
    "9 MB": "stack: x\n#" + "a" * (9 * MEGABYTE),
}


def survived(folder: Path, files: dict[str, str], *, each: bool) -> None:
    """Load files in children; the limits hold for each file, the memory for each child."""
    paths = []
    for name, text in files.items():
        path = folder / f"{name}.yaml"
        path.write_bytes(text.encode())
        paths.append(str(path))
    results = []
    for batch in [[path] for path in paths] if each else [paths]:
        child = subprocess.run(
            [sys.executable, "-c", CHILD, *batch], capture_output=True, text=True, timeout=300
        )
        assert child.returncode == 0, child.stderr[-2000:]
        results += [json.loads(line) for line in child.stdout.splitlines()]
    assert len(results) == len(files)
    assert [one for one in results if not one[2]] == [], "problems without a place"
    assert [one for one in results if one[3] > SECONDS] == [], "too slow"
    assert [one for one in results if one[4] > MEMORY] == [], "too large"


@pytest.mark.slow
def test_every_killer_is_survived(tmp_path: Path) -> None:
    survived(tmp_path, killers(MEGABYTE // 50), each=False)


@pytest.mark.slow
def test_every_killer_of_a_megabyte_is_survived(tmp_path: Path) -> None:
    survived(tmp_path, killers(MEGABYTE - 200), each=True)


@pytest.mark.slow
def test_the_largest_files_end_in_time(tmp_path: Path) -> None:
    survived(tmp_path, LARGE, each=True)


@pytest.mark.slow
def test_ten_thousand_resources_load_swiftly(tmp_path: Path) -> None:
    body = """\
  k{0}:
    name: box number {0}
    note: what is in it was written on a paper that was lost in the post
    labels: []
"""
    text = "stack: x\nboxes:\n" + "".join(body.format(number) for number in range(10_000))
    survived(tmp_path, {"large": text}, each=True)
