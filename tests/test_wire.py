"""Every GraphQL document of every kind is valid against the sandbox's schema, and each read too."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest
from graphql import parse, validate

import lbstack.kinds
from lbstack.asking import document
from lbstack.kinds import KINDS
from lbstack.kinds.contract import Ask, ReadProblems, Tracked
from lbstack.sandbox.schema import Engine
from lbstack.values import Address

SCHEMA = Engine().schema


def documents() -> dict[str, str]:
    """Constants in the kinds' modules that are GraphQL documents."""
    found = {}
    for info in pkgutil.walk_packages(lbstack.kinds.__path__, "lbstack.kinds."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if isinstance(value, str) and re.match(r"\s*(query|mutation)\b", value):
                found[f"{info.name.removeprefix('lbstack.kinds.')}.{name}"] = value
    return found


def test_there_are_documents() -> None:
    assert len(documents()) > 25


@pytest.mark.parametrize("name", documents())
def test_document_is_valid(name: str) -> None:
    assert validate(SCHEMA, parse(documents()[name])) == []


@pytest.mark.parametrize("name", documents())
def test_a_mutation_stands_alone(name: str) -> None:
    (operation,) = parse(documents()[name]).definitions
    if operation.operation.value == "mutation":  # type: ignore[attr-defined]
        assert len(operation.selection_set.selections) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [1, 250])
@pytest.mark.parametrize("name", KINDS)
def test_first_reads_are_valid(name: str, count: int) -> None:
    tracked = [Tracked(Address(name, f"k{n}"), f"c{n:024d}") for n in range(count)]
    try:
        asks: list[Ask] = next(KINDS[name].read(tracked))
    except (StopIteration, ReadProblems):
        pytest.skip("nothing to ask")
    text, _ = document(asks)
    assert validate(SCHEMA, parse(text)) == []
