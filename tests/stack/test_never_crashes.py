"""Whatever is in a file, loading it ends in a stack or in problems with places."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lbstack.errors import ConfigError
from lbstack.graph import build
from lbstack.stack.loader import load
from tests.stack.made_up import KINDS

WORDS = st.sampled_from(
    [
        *("x", "yes", "1", "0o8", "1e9", ".inf", "~", "null", "'q'", '"\\x00"', "a@b.c", "{}", "[]"),
        *("${var.v}", "${var.w}", "${box.a.id}", "${shelf.s.serial}", "${", "$${"),
        *("!!int", "!t", "&a", "*a", "<<"),
    ]
)
KEYS = st.sampled_from(
    [
        *("stack", "variables", "shelves", "boxes", "outputs", "moved", "removed", "imports"),
        *("v", "w", "a", "s", "name", "shelf", "near", "keepers", "labels", "token", "<<"),
        *("lifecycle", "previously", "prevent_destroy", "ignore_changes", "default", "secret"),
        *("from", "to", "address", "id"),
    ]
)


def block(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """YAML-like text: keys of stacks around anything, indented or in brackets."""
    pairs = st.lists(st.tuples(KEYS, values), max_size=4)
    return st.one_of(
        pairs.map(lambda found: "{" + ", ".join(f"{key}: {value}" for key, value in found) + "}"),
        st.lists(values, max_size=3).map(lambda found: "[" + ", ".join(found) + "]"),
        pairs.map(
            lambda found: "".join("\n" + f"{key}: {value}".replace("\n", "\n ") for key, value in found)
        ),
    )


STACKS = st.lists(st.tuples(KEYS, st.recursive(WORDS, block, max_leaves=12)), max_size=6).map(
    lambda found: "stack: x\n" + "".join(f"{key}: {value}\n".replace("\n ", "\n  ") for key, value in found)
)


def judge(folder: Path, data: bytes, *, require_values: bool = True) -> None:
    path = folder / "s.yaml"
    path.write_bytes(data)
    try:
        build(load(path, kinds=KINDS, environ={"LBSTACK_VAR_w": "w"}, require_values=require_values), KINDS)
    except ConfigError as error:
        assert error.problems
        assert all(problem.source and problem.summary for problem in error.problems)
        str(error).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb\xbf\xef\xbb\xbfstack: x")
@example(b"%YAML 9.9\n---\nstack: x")
@example(b"\x85stack: x\xe2\x80\xa8")
def test_bytes(folder: Path, data: bytes) -> None:
    judge(folder, data)


@given(st.text(max_size=200))
def test_text(folder: Path, text: str) -> None:
    judge(folder, text.encode("utf-8", "surrogatepass"))


@given(STACKS, st.booleans())
@settings(max_examples=300)
def test_what_looks_like_a_stack(folder: Path, text: str, require_values: bool) -> None:
    judge(folder, text.encode(), require_values=require_values)
