"""A stack's text edited in place: only what differs changes, whatever the style."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lbstack.stack import emit
from lbstack.stack.edits import Kept
from lbstack.stack.problems import Problems
from lbstack.stack.reader import Budget, read
from lbstack.stack.rewrite import Rewriter
from lbstack.stack.spans import spans
from lbstack.stack.tree import plain
from tests.laws.wishes import law


def key(part: Any) -> str | None:
    return (
        part["name"] if isinstance(part, dict) and "name" in part else part if isinstance(part, str) else None
    )


def value_of(text: str) -> Any:
    (document,) = read(text, "x.yaml", Problems(), Budget())
    return plain(document)


def edited(text: str, **changes: Any) -> str:
    """The text of a mapping after some of its keys got other values; ... takes one away. What is read again
    is what was meant."""
    before = value_of(text)
    after = {name: item for name, item in {**before, **changes}.items() if item is not ...}
    rewriter = Rewriter(spans(text), key)
    rewriter.mapping(rewriter.tree.documents[0], before, after)
    told = rewriter.result()
    assert value_of(told.replace("$${", "${")) == after, told
    return told


EDITS = {
    "a plain word": ("a: one  # why\nb: two\n", {"a": "uno"}, "a: uno  # why\nb: two\n"),
    "single quotes": ("a: 'it''s'\n", {"a": "don't"}, "a: 'don''t'\n"),
    "double quotes": ('a: "one"\n', {"a": "two"}, 'a: "two"\n'),
    "a word that others take for false": ("a: b\n", {"a": "no"}, 'a: "no"\n'),
    "a number that is text": ("a: b\n", {"a": "12"}, 'a: "12"\n'),
    "a time": ("a: b\n", {"a": "12:30"}, 'a: "12:30"\n'),
    "empty text": ("a: b\n", {"a": ""}, 'a: ""\n'),
    "none": ("a: b # c\n", {"a": None}, "a: null # c\n"),
    "nothing yet": ("a:\nb: 1\n", {"a": "x"}, "a: x\nb: 1\n"),
    "nothing yet, with a remark": ("a: # c\nb: 1\n", {"a": "x"}, "a: x # c\nb: 1\n"),
    "a number": ("a: 0.1\n", {"a": 0.25}, "a: 0.25\n"),
    "a flag": ("a: false\n", {"a": True}, "a: true\n"),
    "one is not true": ("a: 1\n", {"a": True}, "a: true\n"),
    "a dollar": ("a: b\n", {"a": "${x}"}, 'a: "$${x}"\n'),
    "a colon": ("a: b\n", {"a": "c: d #e"}, 'a: "c: d #e"\n'),
    "braces": ("{a: b}\n", {"a": "x, y}"}, '{a: "x, y}"}\n'),
    "umlauts": ("ä: b\n", {"ä": "ö"}, 'ä: "ö"\n'),
    "beyond the plane": ("x: 😀\ny: b\n", {"y": "c"}, "x: 😀\ny: c\n"),
    "lines become a block": ("a: one\nb: 1\n", {"a": "l1\nl2\n"}, "a: |\n  l1\n  l2\nb: 1\n"),
    "a block stays one": ("a: |-\n  l1\n  l2\n\nb: 1\n", {"a": "l1\nl3"}, "a: |-\n  l1\n  l3\n\nb: 1\n"),
    "a folded text": ("a: >-\n  l1\n  l2\nb: 1\n", {"a": "new"}, "a: new\nb: 1\n"),
    "lines beside a remark": ("a: one # c\n", {"a": "l1\nl2"}, 'a: "l1\\nl2" # c\n'),
    "lines in braces": ("{a: one}\n", {"a": "l1\nl2"}, '{a: "l1\\nl2"}\n'),
    "lines that end in blanks": ("a: one\n", {"a": "l1 \nl2"}, 'a: "l1 \\nl2"\n'),
    "a text over two lines": ("a: one\n  more\nb: 1\n", {"a": "x"}, "a: x\nb: 1\n"),
    "a new key": ("a: 1  # c\n# end\n", {"b": "x"}, "a: 1  # c\nb: x\n# end\n"),
    "a new key, deeper": ("m:\n    a: 1\nn: 2\n", {"m": {"a": 1, "b": 2}}, "m:\n    a: 1\n    b: 2\nn: 2\n"),
    "a new key at the end of all": ("a: 1", {"b": 2}, "a: 1\nb: 2"),
    "a new key in braces": ("m: {a: 1}  # c\n", {"m": {"a": 1, "b": 2}}, "m: {a: 1, b: 2}  # c\n"),
    "a new key after a comma": ("m: {a: 1,}\n", {"m": {"a": 1, "b": 2}}, "m: {a: 1, b: 2,}\n"),
    "a new key in none": ("m: {}\n", {"m": {"b": 2}}, "m: {b: 2}\n"),
    "two new keys": ("a: 1\n", {"b": 2, "c": 3}, "a: 1\nb: 2\nc: 3\n"),
    "a key less": ("a: 1 # gone\n# stays\nb: 2\n", {"a": ...}, "# stays\nb: 2\n"),
    "the last key less": ("a: 1\nb: 2", {"b": ...}, "a: 1"),
    "a key less and one more": ("a: 1\nb: 2\n", {"b": ..., "c": 3}, "a: 1\nc: 3\n"),
    "a key less in braces": ("m: {a: 1, b: 2, c: 3}\n", {"m": {"a": 1, "c": 3}}, "m: {a: 1, c: 3}\n"),
    "the first less in braces": ("m: {a: 1, b: 2}\n", {"m": {"b": 2}}, "m: {b: 2}\n"),
    "the last less in braces": ("m: {a: 1, b: 2}\n", {"m": {"a": 1}}, "m: {a: 1}\n"),
    "all less": ("m: {a: 1}\nn: 1\n", {"m": {}}, "m: {}\nn: 1\n"),
    "all less in a block": ("m:\n  a: 1\nn: 1\n", {"m": {}}, "m: {}\nn: 1\n"),
    "an item more": ("l: [a, b]  # c\n", {"l": ["a", "b", "c"]}, "l: [a, b, c]  # c\n"),
    "an item more on a line": ("l:\n  - a  # c\n  - b\nm: 1\n", {"l": ["a", "x", "b"]}, "l:\n  - a  # c\n  - x\n  - b\nm: 1\n"),
    "an item first": ("l:\n- a\n", {"l": ["x", "a"]}, "l:\n- x\n- a\n"),
    "an item first in brackets": ("l: [a]\n", {"l": ["x", "a"]}, "l: [x, a]\n"),
    "an item less": ("l:\n  - a\n  # of b\n  - b\n  - c\n", {"l": ["a", "c"]}, "l:\n  - a\n  - c\n"),
    "an item less in brackets": ("l: [a, b, c]\n", {"l": ["a", "c"]}, "l: [a, c]\n"),
    "the last item less, no line end": ("l:\n  - a\n  - b", {"l": ["a"]}, "l:\n  - a"),
    "no items left": ("l:\n  - a\nm: 1\n", {"l": []}, "l: []\nm: 1\n"),
    "no items left, unindented": ("l:\n- a\nm: 1\n", {"l": []}, "l: []\nm: 1\n"),
    "items at last": ("l: []\n", {"l": ["a"]}, "l: [a]\n"),
    "items instead of none": ("l: null\n", {"l": ["a"]}, "l: [a]\n"),
    "another order": ("l: [a, b, c]\n", {"l": ["c", "a", "b"]}, "l: [c, a, b]\n"),
    "another order of lines": (
        "l:\n  - a  # of a\n  # above b\n  - b\n  - c", {"l": ["b", "c", "a"]}, "l:\n  # above b\n  - b\n  - c\n  - a  # of a",
    ),
    "inside an item": (
        "l:\n  - name: a\n    size: 1  # c\n  - {name: b, size: 2}\n",
        {"l": [{"name": "a", "size": 3}, {"name": "b", "size": 4}]},
        "l:\n  - name: a\n    size: 3  # c\n  - {name: b, size: 4}\n",
    ),
    "inside an item, and another order": (
        "l:\n  - name: a\n    size: 1\n  - name: b\n    size: 2\n",
        {"l": [{"name": "b", "size": 2}, {"name": "a", "size": 3}]},
        "l:\n  - name: b\n    size: 2\n  - name: a\n    size: 3\n",
    ),
    "a part in the style of its siblings": (
        "l:\n  - name: a\n    size: 1\n", {"l": [{"name": "a", "size": 1}, {"name": "b", "l": [{"x": 1}]}]},
        "l:\n  - name: a\n    size: 1\n  - name: b\n    l:\n      - x: 1\n",
    ),
    "a part in braces as its siblings": (
        "l:\n  - {name: a}\n", {"l": [{"name": "a"}, {"name": "b", "l": ["x"]}]}, "l:\n  - {name: a}\n  - {name: b, l: [x]}\n",
    ),
    "deep in brackets": (
        "l: [{name: a, o: [x, y]}, {name: b}]\n", {"l": [{"name": "a", "o": ["x", "y", "z"]}, {"name": "b"}]},
        "l: [{name: a, o: [x, y, z]}, {name: b}]\n",
    ),
    "over several lines of brackets": (
        "l: [\n  a,  # first\n  b,\n]\n", {"l": ["a", "b", "c"]}, "l: [\n  a,  # first\n  b, c,\n]\n",
    ),
    "line ends of another system": ("a: 1\r\nb: one\r\n", {"b": "l1\nl2", "c": 3}, "a: 1\r\nb: |-\r\n  l1\r\n  l2\r\nc: 3\r\n"),
    "a key less, with line ends of another system": ("a: 1\r\nb: 2\r\nc: 3\r\n", {"b": ...}, "a: 1\r\nc: 3\r\n"),
    "the first key less, with line ends of another system": ("a: 1\r\nb: 2\r\n", {"a": ...}, "b: 2\r\n"),
    "an item less, with line ends of another system": ("l:\r\n  - a\r\n  - b\r\n", {"l": ["b"]}, "l:\r\n  - b\r\n"),
    "a key less in an item": (
        "l:\n  - name: a\n    size: 1\n  - name: b\n    size: 1\n", {"l": [{"name": "a"}, {"name": "b", "size": 2}]},
        "l:\n  - name: a\n  - name: b\n    size: 2\n",
    ),
    "the key beside a dash less": ("l:\n  - size: 1  # c\n    name: a\n", {"l": [{"name": "a"}]}, "l:\n  - name: a\n"),
    "an anchor nobody uses elsewhere": ("a: &x one\nb: 2\n", {"b": 3}, "a: &x one\nb: 3\n"),
    "beside a merge": ("a: 1\n<<: {b: 2}\n", {"a": 3}, "a: 3\n<<: {b: 2}\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_only_what_differs_is_written_anew(name: str) -> None:
    text, changes, want = EDITS[name]
    assert edited(text, **changes) == want


def test_a_key_in_another_spelling_is_found_and_one_that_is_another_is_not() -> None:
    def told(text: str, before: dict[str, Any], after: dict[str, Any]) -> str:
        rewriter = Rewriter(spans(text), key)
        rewriter.mapping(rewriter.tree.documents[0], before, after)
        return rewriter.result()

    assert told("ui_mode: a\n", {"uiMode": "a"}, {"uiMode": "b"}) == "ui_mode: b\n"
    assert told("project.p: A\n", {"p": "A"}, {"p": "B"}) == "project.p: B\n"
    assert told("step_1: A\n", {"step_1": "A"}, {"step_1": "A", "step1": "B"}) == "step_1: A\nstep1: B\n"


KEPT = {
    "an alias": ("x: &n {a: 1}\ny: *n\n", {"y": {"a": 2}}, "it comes from the anchor &n"),
    "an anchor that is used": ("x: &n {a: 1}\ny: *n\n", {"x": {"a": 2}}, "it is the anchor &n"),
    "an alias of a word": ("x: &n one\ny: *n\n", {"y": "two"}, "it comes from the anchor &n"),
    "a merge": ("<<: {b: 2}\na: 1\n", {"b": 3}, "its b is merged in with <<"),
    "a variable": ("a: x ${var.env} y\n", {"a": "z"}, "it comes from ${var.env}"),
    "an anchor in what goes": ("m: {a: &n 1}\ny: *n\n", {"m": ...}, "it holds the anchor &n"),
    "control characters": ("a: 1\n", {"a": "\x07"}, "it holds control characters"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_what_others_share_is_never_edited(name: str) -> None:
    text, changes, why = KEPT[name]
    with pytest.raises(Kept) as kept:
        edited(text, **changes)
    assert why in str(kept.value)
    assert kept.value.at >> 32 >= 1


@pytest.mark.parametrize(
    "text", ["", "a", "yes", "1", "1e3", "0x1", "null", "~", " a", "a ", "a: b", "#", "- a", "*a", "&a", "!a", "@", "`", "%", '"', "'", "\t", "a\nb", "é", "\u2028", "a,b", "[", "{", "?", "|", ">", "=", "<<", ".inf", "2001-01-01", "0o7", "12:30:45", "y", "${x}", "-", "---", "...", "\ufeff", "😀"]
)  # fmt: skip
def test_any_text_is_read_as_it_was_written(text: str) -> None:
    for told in (emit.scalar(text), emit.scalar(text, "'"), emit.scalar(text, '"')):
        for around in (f"a: {told}\n", f"a: [{told}, b]\n"):
            mine = value_of(around.replace("$${", "${"))["a"]
            assert (mine[0] if isinstance(mine, list) else mine) == text
            theirs = yaml.safe_load(around)["a"]
            assert isinstance(theirs[0] if isinstance(theirs, list) else theirs, str)


WORDS = st.sampled_from(["a", "no", "12", "", "x: y", "#", "two\nlines", "ü", "- z", "${v}", " b "])
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(0, 9), st.none(), st.booleans()),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["k", "l", "m", "n o"]), inner, max_size=3),
        st.lists(st.fixed_dictionaries({"name": st.sampled_from("pqrs")}, optional={"v": inner}), unique_by=lambda part: part["name"], max_size=3),
        st.lists(st.sampled_from(["x", "y", "z", "yes"]), unique=True, max_size=3),
    ),
    max_leaves=8,
)  # fmt: skip
BODIES = st.dictionaries(st.sampled_from("abcd"), VALUES, min_size=1, max_size=4)


@law(400)
@given(BODIES, BODIES, st.sampled_from([True, False, None]), st.booleans(), st.booleans())
def test_whatever_a_stack_says_it_can_be_made_to_say_anything_else(
    before: dict[str, Any], after: dict[str, Any], flow: bool | None, crlf: bool, cut: bool
) -> None:
    text = yaml.safe_dump(before, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    text = text.replace("${", "$${")
    text = text.rstrip("\n") if cut else text
    text = text.replace("\n", "\r\n") if crlf else text
    rewriter = Rewriter(spans(text), key)
    rewriter.mapping(rewriter.tree.documents[0], before, after)
    told = rewriter.result()
    assert value_of(told.replace("$${", "${")) == after, (text, told)
