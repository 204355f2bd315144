"""Variables: what a stack declares, and the values they get.

From the command line, a variables file, the environment or the default, in that order. What
comes from a file or a default is typed; the rest is text, which number fields accept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lbstack.stack.files import read_text
from lbstack.stack.problems import Problems, shown
from lbstack.stack.reader import Budget, Refused, read
from lbstack.stack.scalars import UNFIT
from lbstack.stack.tree import Item, Map, items, locate, plain
from lbstack.values import Secret, Source, Unset

PREFIX = "LBSTACK_VAR_"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}\Z")
WORDS = ("default", "secret", "description")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable and its value: plain data, a `Secret`, or `Unset`."""

    name: str
    secret: bool
    value: Any
    origin: str = ""
    """Where the value was given, in words; empty for a default."""


@dataclass(frozen=True, slots=True)
class Given:
    """Where values come from, besides the defaults, and whether each variable must have one. What is
    `shared` with other stacks may be meant for them alone."""

    variables: Mapping[str, str]
    var_files: Sequence[Path]
    environ: Mapping[str, str]
    required: bool = True
    shared: bool = False


def resolve(
    declared: Mapping[str, Item], given: Given, problems: Problems, budget: Budget
) -> dict[str, Variable]:
    """The declared variables with their values. What is given but not declared is a problem."""
    filed: dict[str, Any] = {}
    places: dict[str, str] = {}
    for path in given.var_files:
        for name, item in _var_file(path, problems, budget).items():
            filed[name] = plain(item.value)
            places[name] = f"at {item.place}"
            if name not in declared and not given.shared:
                _undeclared(name, declared, problems, item.key)
    for name in given.variables:
        if name not in declared and not given.shared:
            _undeclared(name, declared, problems, None)
    found = {}
    for name, item in declared.items():
        secret, default = _declaration(name, item, problems)
        value = given.environ.get(PREFIX + name, default)
        value = given.variables.get(name, filed.get(name, value))
        origin = f"in {PREFIX}{name}" if PREFIX + name in given.environ else ""
        origin = "with --var" if name in given.variables else places.get(name, origin)
        if secret and name in given.variables:
            problems.warn(
                f"secret variable {shown(name)} is given with --var, which all processes of this machine see",
                f"set {PREFIX}{name}",
                item.key,
            )
        checked = _checked(name, item, secret, value, given.required, problems)
        found[name] = Variable(name, secret, checked, origin)
    return found


def _declaration(name: str, item: Item, problems: Problems) -> tuple[bool, Any]:
    """Whether a variable is secret, and its default if it has one."""
    if not NAME.match(name):
        problems.add(
            f"{shown(name)} is no name for a variable",
            "use letters, digits, _ and -; begin with a letter",
            item.key,
        )
    body = Map() if item.value is None else item.value
    if not isinstance(body, Map):
        problems.add(f"variables.{name} should be a mapping", "write {default: …}", item.key)
        return False, None
    for word, part in items(body, item.file):
        if word not in WORDS:
            detail = problems.near(word, WORDS, "a variable has default, secret and description")
            problems.add(f"unknown key {shown(word)} in variables.{name}", detail, part.key)
    secret = body.get("secret", False)
    if not isinstance(secret, bool):
        problems.add(f"variables.{name}.secret should be true or false", "", locate(item, ["secret"]))
    if not isinstance(body.get("description"), (str, type(None))):
        problems.add(f"variables.{name}.description should be text", "", locate(item, ["description"]))
    return secret is not False, plain(body["default"]) if "default" in body else _MISSING


def _checked(name: str, item: Item, secret: bool, value: Any, required: bool, problems: Problems) -> Any:
    """The value as it may be used; `Unset` where there is none. No text here shows a value."""
    # An absent secret of a CI service arrives as an empty environment variable.
    empty = secret and value == ""
    if value is _MISSING or (empty and not required):
        if required:
            problems.add(
                f"variable {shown(name)} has no value",
                f"set {PREFIX}{name}, pass --var {name}=VALUE, or give it a default",
                item.key,
            )
        return Unset(name)
    if empty:
        problems.add(f"secret variable {shown(name)} is empty", "give it a value, or null for none", item.key)
        return Unset(name)
    if isinstance(value, str) and UNFIT.search(value):
        problems.add(f"the value of variable {shown(name)} holds control characters", "remove them", item.key)
        return Unset(name)
    if not secret or value is None:
        return value
    if isinstance(value, (dict, list)):
        problems.add(f"secret variable {shown(name)} is a mapping or a list", "a secret is text", item.key)
        return Unset(name)
    return Secret(as_text(value), variable=name)


def as_text(value: Any) -> str:
    """A word or number as it would be written in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _undeclared(name: str, declared: Mapping[str, Item], problems: Problems, source: Source | None) -> None:
    by = "" if source else " given by --var"
    detail = problems.near(name, declared, "declare it under variables:")
    problems.add(f"variable {shown(name)}{by} is not declared in the stack", detail, source)


def _var_file(path: Path, problems: Problems, budget: Budget) -> dict[str, Item]:
    """What a variables file says. A value in it is never shown."""
    text = read_text(path, problems)
    if text is None:
        return {}
    try:
        documents = [document for document in read(text, str(path), problems, budget) if document is not None]
    except Refused:
        return {}
    if not documents:
        return {}
    if len(documents) > 1 or not isinstance(documents[0], Map):
        problems.add(
            "a variables file is one mapping", "write NAME: VALUE, one a line", Source(str(path), 1, 1)
        )
        return {}
    return dict(items(documents[0], str(path)))
