"""Files made to kill: each ends as problems, within 2 seconds and 256 MB, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MEGABYTE = 2**20
ROOM = MEGABYTE - 200
SECONDS = 2.0
MEMORY = 256

CHILD = """
import json, sys, time
from pathlib import Path
from lbstack.errors import ConfigError
from lbstack.graph import build
from lbstack.stack.loader import load
from tests.stack.made_up import KINDS

for path in sys.argv[1:]:
    start = time.perf_counter()
    try:
        build(load(Path(path), kinds=KINDS), KINDS)
        told, placed = 0, True
    except ConfigError as error:
        told = len(error.problems)
        placed = all(problem.source for problem in error.problems[:1000])
    seconds = time.perf_counter() - start
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
    print(json.dumps([Path(path).name, told, placed, seconds, peak]))
"""


def fill(text: str, room: int = ROOM) -> str:
    """A text repeated until the room is full."""
    return text * (room // len(text))


def lines(line: Callable[[int], str], room: int = ROOM) -> str:
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


BOXES = "stack: x\nboxes:\n"
BODY = "stack: x\nboxes:\n  a:\n"
NAME = "stack: x\nboxes: {a: {name: "

KILLERS: dict[str, str] = {
    **{f"merge_bomb_{levels}": bomb(levels, merge=True) for levels in (6, 7, 8, 30)},
    **{f"alias_bomb_{levels}": bomb(levels, merge=False) for levels in (6, 9, 30)},
    "alias_in_itself": "stack: x\na: &a [*a]",
    "alias_chain": "stack: x\na0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 900)),
    "merge_in_itself": "stack: x\na: &a {<<: *a}",
    "many_aliases": "stack: x\nb: &b {k: 1}\nboxes: [" + fill("*b,") + "]",
    "many_merges": "stack: x\nb: &b {k: 1}\nboxes:\n  a:\n" + fill("    <<: *b\n"),
    "brackets_2000": "stack: x\nboxes: " + "[" * 2000,
    "brackets_50000": "stack: x\nboxes: " + "[" * 50_000,
    "brackets_closed": "stack: x\nboxes: " + "[" * 50_000 + "]" * 50_000,
    "braces": "stack: x\nboxes: " + fill("{a: "),
    "dashes": fill("- "),
    "question_marks": fill("? "),
    "date": "stack: x\na: 2024-99-99",
    "long_number": "stack: x\na: " + "9" * 5000,
    "huge_number": "stack: x\na: " + "9" * ROOM,
    "surrogate": 'stack: x\na: "\\ud800"',
    "nul": 'stack: x\na: "\\0"',
    "raw_nul": "stack: x\na: \0",
    "duplicates": BOXES + fill("  k: 1\n"),
    "duplicates_among_others": BOXES + lines(lambda n: f"  k{n // 2}: 1"),
    "list_key": "stack: x\n? [1]\n: 2",
    "null_key": "stack: x\n~: 1",
    "python_tag": "stack: x\na: !!python/object/apply:os.system [true]",
    "binary_tag": "stack: x\na: !!binary aGk=",
    "many_tags": BOXES + lines(lambda n: f"  k{n}: !t 1"),
    "many_anchors": BOXES + lines(lambda n: f"  k{n}: &a{n} 1"),
    "one_long_line": NAME + "a" * ROOM + "}}",
    "long_key": "stack: x\nboxes: {? " + "a" * ROOM + " : {name: a}}",
    "many_keys": "stack: x\n" + lines(lambda n: f"k{n}: 1"),
    "unknown_fields": BODY + lines(lambda n: f"    k{n}: 1"),
    "many_resources": BOXES + lines(lambda n: f"  k{n}: {{name: a}}"),
    "many_bad_resources": BOXES + lines(lambda n: f"  k{n}: {{nam: a}}"),
    "many_bad_keys": BOXES + lines(lambda n: f"  'k {n}': {{nam: a}}"),
    "dangling": BOXES + lines(lambda n: f"  k{n}: {{name: a, shelf: k{n}}}"),
    "misspelt": BOXES + lines(lambda n: f"  key{n}: {{name: a, near: [kee{n}]}}"),
    "long_chain": BOXES + lines(lambda n: f"  k{n}: {{name: a, near: [k{n + 1}]}}"),
    "long_circle": BOXES + "  k0: {name: a, near: [k1]}\n" + lines(lambda n: f"  k{n + 1}: {{name: a, near: [k{(n + 2) % 9999}]}}"),
    "long_list": NAME + "a, near: [" + fill("aa,") + "]}}",
    "long_wrong_list": NAME + "a, labels: [" + fill("1,") + "]}}",
    "long_mapping": NAME + "a, keepers: {" + lines(lambda n: f"k{n}: a,") + "}}}",
    "unknown_variables": BOXES + lines(lambda n: f"  k{n}: {{name: '${{var.v{n}}}'}}"),
    "many_variables": "stack: x\nvariables:\n" + lines(lambda n: f"  v{n}: {{default: 1}}"),
    "variables_without_values": "stack: x\nvariables:\n" + lines(lambda n: f"  v{n}:"),
    "holes": NAME + "'" + fill("${a}") + "'}}",
    "open_holes": NAME + "'" + fill("${") + "'}}",
    "dollars": NAME + "'" + fill("$") + "'}}",
    "escapes_of_holes": NAME + "'" + fill("$${") + "'}}",
    "references": NAME + "'" + fill("${box.a.id}") + "'}}",
    "outputs": "stack: x\noutputs:\n" + lines(lambda n: f"  o{n}: '${{box.q.id}}'"),
    "moves": "stack: x\nmoved:\n" + lines(lambda n: f"- {{from: box.a{n}, to: box.a{n + 1}}}"),
    "imports": "stack: x\nimports:\n" + lines(lambda n: f"- {{address: box.a{n}, id: i}}"),
    "long_value_often": "stack: x\nvariables: {v: {default: " + "a" * (ROOM // 2) + "}}\nboxes:\n" + lines(lambda n: f"  k{n}: {{name: 'a ${{var.v}}'}}", ROOM // 2),
    "long_list_often": "stack: x\nvariables: {v: {default: [" + fill("1,", ROOM // 2) + "]}}\nboxes:\n" + lines(lambda n: f"  k{n}: {{name: a, labels: '${{var.v}}'}}", ROOM // 2),
    "carriage_returns": "stack: x\r\n" + fill("# a\r\n"),
    "blank_lines": "stack: x\n" + "\n" * ROOM,
    "tabs": "stack: x\n" + "\t" * ROOM,
    "spaces": "stack: x\n" + " " * ROOM,
    "comment": "stack: x\n#" + "a" * ROOM,
    "documents": "stack: x\n" + fill("---\n"),
    "folded": NAME[:-1].replace(" {a: {name:", "\n  a:\n    name: >") + "\n" + fill("     b\n\n"),
    "control_escapes": NAME + '"' + fill("\\x01") + '"}}',
    "last_character": "stack: x\n" + "a" * ROOM + "\x01",
    "pictures": NAME + "\U0001f600" * (ROOM // 4) + "}}",
}  # fmt: skip

LARGE: dict[str, str] = {
    "16 MB of one word": NAME + "a" * (16 * MEGABYTE - 100) + "}}",
    "16 MB of pictures": NAME + "\U0001f600" * (4 * MEGABYTE - 100) + "}}",
    "16 MB of resources": BOXES + lines(lambda n: f"  k{n}: {{name: a}}", 16 * MEGABYTE - 100),
    "16 MB of documents": "stack: x\n" + fill("---\n", 16 * MEGABYTE - 100),
    "16 MB of holes": NAME + "'" + fill("${a}", 16 * MEGABYTE - 100) + "'}}",
    "17 MB": "stack: x\n#" + "a" * (17 * MEGABYTE),
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


def test_every_killer_of_up_to_a_megabyte_is_survived(tmp_path: Path) -> None:
    survived(tmp_path, KILLERS, each=False)


@pytest.mark.slow
def test_every_killer_is_survived_in_a_process_of_its_own(tmp_path: Path) -> None:
    survived(tmp_path, KILLERS, each=True)


def test_the_largest_files_end_in_time(tmp_path: Path) -> None:
    survived(tmp_path, LARGE, each=True)


def test_ten_thousand_resources_load_swiftly(tmp_path: Path) -> None:
    body = "  k{0}:\n    name: box number {0}\n    note: what is in it was written on a paper that was lost in the post\n    labels: []\n"
    text = "stack: x\nboxes:\n" + "".join(body.format(number) for number in range(10_000))
    survived(tmp_path, {"large": text}, each=True)
