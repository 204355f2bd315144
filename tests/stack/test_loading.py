"""A stack is a file or a folder; its sections are read as one, and it has one name."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lbstack.errors import ConfigError, UsageError
from lbstack.stack.loader import load
from lbstack.stack.model import Import, Lifecycle, Moved, Removed
from lbstack.values import Ref, Source, Template
from tests.stack.made_up import KINDS, Desk, box, shelf

WHOLE = """\
stack: store
variables:
  env: {default: dev}
shelves:
  low:
    name: Low (${var.env})
    rows: 3
boxes:
  one:
    name: One
    shelf: low
    lifecycle: {prevent_destroy: true, ignore_changes: [name]}
    previously: uno
outputs:
  serial: no. ${shelf.low.serial}
  plain: [1, x]
moved:
  - {from: box.two, to: box.one}
removed:
  - {address: box.three}
  - {address: box.four, destroy: true}
imports:
  - {address: shelf.low, id: "${var.env}-7"}
"""


def test_everything_a_stack_can_say(desk: Desk) -> None:
    stack = desk.load(WHOLE)
    file = str(desk.folder / "s.yaml")
    assert stack.name == "store"
    assert list(stack.resources) == [shelf("low"), box("one")]
    one = stack.resources[box("one")]
    assert stack.resources[shelf("low")].fields == {"name": "Low (dev)", "rows": 3}
    assert one.fields == {"name": "One", "shelf": Ref(shelf("low"))}
    assert one.source == Source(file, 9, 3)
    assert one.where("shelf") == Source(file, 11, 12)
    assert one.where("labels") == Source(file, 9, 3)
    assert one.lifecycle == Lifecycle(prevent_destroy=True, ignore_changes=("name",))
    assert one.previously == "uno"
    assert stack.outputs["serial"].value == Template(("no. ", Ref(shelf("low"), "serial")))
    assert stack.outputs["plain"].value == [1, "x"]
    assert stack.moved == (Moved(box("two"), box("one"), Source(file, 18, 5)),)
    assert [(one.address, one.destroy) for one in stack.removed] == [
        (box("three"), False),
        (box("four"), True),
    ]
    assert isinstance(stack.removed[0], Removed)
    assert stack.imports == (Import(shelf("low"), "dev-7", Source(file, 23, 5)),)


def test_a_folder_is_read_as_one_file(desk: Desk) -> None:
    (desk.folder / "inner").mkdir()
    files = {
        "b.yaml": "stack: store\nboxes: {one: {name: One, shelf: low}}\n",
        "a.yml": "shelves: {low: {name: Low}}\n---\nboxes: {two: {name: Two}}\n",
        "c.yaml": "# nothing yet\n",
        ".hidden.yaml": "repos: []\n",
        "notes.txt": "no stack",
        "inner/d.yaml": "repos: []\n",
    }
    stack = desk.folder_load(files)
    assert list(stack.resources) == [shelf("low"), box("two"), box("one")]
    assert stack.resources[box("two")].source == Source(str(desk.folder / "a.yml"), 3, 9)


def test_what_is_defined_twice_names_both_places(desk: Desk) -> None:
    with pytest.raises(ConfigError) as caught:
        desk.folder_load(
            {
                "a.yaml": "stack: x\nshelves: {low: {name: a}}\nvariables: {v: }\noutputs: {o: 1}\n",
                "b.yaml": "stack: y\nshelves: {low: {name: b}}\nvariables: {v: }\noutputs: {o: 2}\n",
            },
            require_values=False,
        )
    assert desk.told(caught.value) == [
        "b.yaml:1:8: the stack is called 'y' here; and 'x' at a.yaml:1:8",
        "b.yaml:2:11: shelves.low is defined twice; first at a.yaml:2:11",
        "b.yaml:3:13: variables.v is defined twice; first at a.yaml:3:13",
        "b.yaml:4:11: outputs.o is defined twice; first at a.yaml:4:11",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "s.yaml:1:1: the stack is empty; begin a file with stack: NAME"),
        ("# nothing\n", "s.yaml:1:1: the stack is empty; begin a file with stack: NAME"),
        ("---\n", "s.yaml:1:1: the stack is empty; begin a file with stack: NAME"),
        ("{}", "s.yaml:1:1: the stack has no name; begin a file with stack: NAME"),
        ("boxes: {}", "s.yaml:1:1: the stack has no name; begin a file with stack: NAME"),
        ("[a]", "s.yaml:1:1: a stack file is a mapping; begin with stack: NAME"),
        ("just text", "s.yaml:1:1: a stack file is a mapping; begin with stack: NAME"),
        ("stack: x\nboxs: {}", "s.yaml:2:1: unknown key 'boxs'; did you mean 'boxes'?"),
        ("stack: x\nbox: {}", "s.yaml:2:1: unknown key 'box'; did you mean 'boxes'?"),
        ("stack: x\nboxes: [a]", "s.yaml:2:1: boxes should be a mapping; write NAME: … below it"),
        ("stack: x\nmoved: {}", "s.yaml:2:1: moved should be a list; write - … below it"),
        ("stack: x\nmoved: [{from: box.a}]", "s.yaml:2:9: moved.0 has no to; add to: …"),
        (
            "stack: x\nmoved: [{from: box, to: box.b}]",
            "s.yaml:2:16: 'box' is no address; write KIND.KEY, as lbstack state list does",
        ),
        (
            "stack: x\nremoved: [{address: boxes.a}]",
            "s.yaml:2:21: unknown kind 'boxes' in 'boxes.a'; did you mean 'box'?",
        ),
        (
            "stack: x\nremoved: [{address: box.a, destory: true}]",
            "s.yaml:2:28: unknown key 'destory' in removed.0; did you mean 'destroy'?",
        ),
        ("stack: x\nimports: [7]", "s.yaml:2:11: imports.0 should be a mapping"),
        (
            "stack: x\nimports: [{address: box.a, id: '${box.b.id}'}]",
            "s.yaml:2:32: no reference can stand here: ${box.b.id}; only variables are known here",
        ),
        (
            "stack: x\noutputs: {'a b': 1}",
            "s.yaml:2:11: 'a b' is no name for an output; letters, digits, _ and -, a letter first",
        ),
    ],
)
def test_the_top_level_is_strict(desk: Desk, text: str, complaint: str) -> None:
    assert desk.complaints(text) == [complaint]


@pytest.mark.parametrize("name", ["-a", "a b", "7", "''", "a/b", "x" * 64, "[a]", "~", "${var.x}", "é"])
def test_a_bad_name_is_refused(desk: Desk, name: str) -> None:
    (complaint,) = desk.complaints(f"stack: {name}\n")
    assert complaint.startswith("s.yaml:1:8: this is no name for a stack")


def test_empty_sections_are_empty(desk: Desk) -> None:
    assert desk.load("stack: x\nboxes:\nmoved:\noutputs:\nvariables:\n").resources == {}


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"\xff\xfes\x00t\x00", "s.yaml:1:1: is UTF-16 or UTF-32; save it as UTF-8"),
        ("stack: x".encode("utf-16-be"), "s.yaml:1:1: is UTF-16 or UTF-32; save it as UTF-8"),
        (b"stack: x\n# caf\xe9\n", "s.yaml:2:6: is not UTF-8; save it as UTF-8"),
    ],
)
def test_other_encodings_are_named(desk: Desk, data: bytes, complaint: str) -> None:
    assert desk.complaints(data) == [complaint]


def test_a_byte_order_mark_and_carriage_returns_do_no_harm(desk: Desk) -> None:
    stack = desk.load(b"\xef\xbb\xbfstack: x\r\nshelves:\r\n  a:\r\n    name: A\r\n")
    assert stack.resources[shelf("a")].fields == {"name": "A"}
    assert stack.resources[shelf("a")].source[1:] == (3, 3)


def test_what_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "absent.yaml", tmp_path / "empty"):
        with pytest.raises(UsageError):
            load(path, kinds=KINDS)


def test_only_regular_files_are_read_and_nothing_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.yaml")
    Path("loop.yaml").symlink_to("loop.yaml")
    Path("zero.yaml").symlink_to("/dev/zero")
    Path("gone.yaml").symlink_to("absent")
    Path("folder.yaml").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.yaml")
        with pytest.raises(ConfigError) as caught:
            load(Path(), kinds=KINDS)
    assert [str(problem) for problem in caught.value.problems] == [
        "folder.yaml:1:1: is not a regular file; a stack is read from files only",
        "gone.yaml:1:1: cannot be read: no such file or directory",
        "loop.yaml:1:1: cannot be read: too many levels of symbolic links",
        "pipe.yaml:1:1: is not a regular file; a stack is read from files only",
        "socket.yaml:1:1: is not a regular file; a stack is read from files only",
        "zero.yaml:1:1: is not a regular file; a stack is read from files only",
    ]
    for name in ("pipe.yaml", "zero.yaml", "loop.yaml", "gone.yaml", "socket.yaml"):
        with pytest.raises(ConfigError):
            load(Path(name), kinds=KINDS)


def test_when_a_file_is_no_yaml_the_rest_is_not_judged(desk: Desk) -> None:
    with pytest.raises(ConfigError) as caught:
        desk.folder_load(
            {
                "a.yaml": "stack: x\nboxes: [",
                "b.yaml": "boxes: {a: {name: '${var.v}'}}",
                "c.yaml": "a: &a [*a]",
            }
        )
    assert [line.partition(":")[0] for line in desk.told(caught.value)] == ["a.yaml", "c.yaml"]


def test_the_digest_depends_on_what_is_said_not_on_how(desk: Desk) -> None:
    text = (
        "stack: x\nvariables: {v: {default: a}}\nshelves:\n  a: {name: A, rows: 2}\n  b: {name: '${var.v}'}\n"
    )
    same = "# moved about\nstack: x\n\nshelves:\n  b: {name: a}\n  a:\n    rows: 2\n    name: A\n"
    digest = desk.load(text).digest
    assert len(digest) == 64
    assert desk.load(same).digest == digest
    others = [
        text.replace("stack: x", "stack: y"),
        text.replace("rows: 2", "rows: 3"),
        text.replace("default: a", "default: b"),
        text + "outputs: {o: 1}\n",
        text + "removed: [{address: box.a}]\n",
        text.replace("rows: 2", "lifecycle: {prevent_destroy: true}"),
    ]
    assert len({digest, *(desk.load(other).digest for other in others)}) == len(others) + 1


def test_a_thousand_problems_are_told_and_the_rest_counted(desk: Desk) -> None:
    told = desk.complaints("stack: x\nboxes:\n" + "".join(f"  b{n}: 1\n" for n in range(3000)))
    assert len(told) == 1001
    assert told[-1] == "and 2000 more problems; mend these first"
