"""``${…}`` in the texts of a stack: variables become values, references become `Ref`s.

One pass and no functions: what a variable holds is never looked at again, so that no value from
outside can reach for another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from lbstack.kinds.contract import Kind
from lbstack.kinds.fields import WriteOnly
from lbstack.stack.problems import Problems, shown
from lbstack.stack.reader import Budget, Refused
from lbstack.stack.specs import takes_secret
from lbstack.stack.tree import Item, List, Map, Mark, count, plain, source
from lbstack.stack.variables import Variable, as_text
from lbstack.values import Address, Ref, Secret, Source, Template, Unset

CHARACTERS = 8 * 2**20
"""Text that all variables together may add; a long value used often is a bomb as well."""

HELD = 50_000
"""Values in one resource or output; the largest thing that Labelbox takes has fewer."""

_OPENING = re.compile(r"\$?\$\{")
_HELP = "write ${var.NAME} or ${KIND.KEY.ATTRIBUTE}; $${ is a literal ${"


class Expanded(NamedTuple):
    """A value without marks and without ``${…}``; whether a secret or an unset variable is in it."""

    value: Any
    secret: bool
    unset: bool


class Expander:
    """Expands the values of one stack. `kinds` are by name; `budget` counts what lists repeat."""

    def __init__(
        self, kinds: Mapping[str, Kind], variables: Mapping[str, Variable], problems: Problems, budget: Budget
    ) -> None:
        self.kinds = kinds
        self.variables = variables
        self.problems = problems
        self.budget = budget
        self.characters = CHARACTERS
        self.attributes: dict[str, tuple[str, ...]] = {}
        self.file = ""
        self.refs = True
        self.secret = self.unset = False
        self.held = 0
        self.loose: list[tuple[Ref, Source]] = []

    def expand(self, item: Item, *, refs: bool = True) -> Expanded:
        """The value of an item. With `refs` off only variables may stand in it."""
        self.file, self.refs = item.file, refs
        self.secret = self.unset = False
        self.held = 0
        value = self._walk(item.value, item.value_at)
        return Expanded(value, self.secret, self.unset)

    def _walk(self, value: Any, at: Mark) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value, at) if "${" in value else value
        if kind is Map:
            self._hold(len(value), at)
            marks = iter(value.values_at)
            for key in value:
                if "${" in key:
                    self._problem(
                        value.keys_at[value.index(key)], f"${{…}} in the key {shown(key)}", "keys are literal"
                    )
            return {key: self._walk(item, next(marks)) for key, item in value.items()}
        if kind is List:
            self._hold(len(value), at)
            return [self._walk(item, at) for item, at in zip(value, value.values_at, strict=True)]
        return value

    def _text(self, text: str, at: Mark) -> Any:
        """A text with ``${`` in it: a value of any type if it is one variable, else text."""
        parts: list[str | Ref | Unset] = []
        position = 0
        while match := _OPENING.search(text, position):
            self._spend(1, 0, at)
            parts.append(text[position : match.start()])
            if match[0] == "$${":
                parts.append("${")
                position = match.end()
                continue
            end = text.find("}", match.end())
            inner = text[match.end() : end].strip()
            if end < 0 or "${" in inner or "\n" in inner:
                self._problem(at, "${ without its }", _HELP)
                return self._dropped(inner)
            position = end + 1
            if match.start() == 0 and position == len(text) and inner.startswith("var."):
                return self._whole(inner[4:], at)
            parts.append(self._inside(inner[4:], at) if inner.startswith("var.") else self._ref(inner, at))
        parts.append(text[position:])
        return self._joined(parts, at)

    def _joined(self, parts: list[str | Ref | Unset], at: Mark) -> Any:
        """Text if it can be told now; a `Template` if references are in it."""
        found: list[str | Ref] = []
        texts: list[str] = []
        unset = next((part for part in parts if isinstance(part, Unset)), None)
        if unset is not None:
            self.loose += [(part, source(self.file, at)) for part in parts if isinstance(part, Ref)]
            return unset
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
            elif isinstance(part, Ref):
                found += ["".join(texts), part]
                texts.clear()
        found.append("".join(texts))
        return found[0] if len(found) == 1 else Template(tuple(part for part in found if part))

    # -- variables ----------------------------------------------------------------------------

    def _whole(self, name: str, at: Mark) -> Any:
        """A text that is one variable: its value as it is, a secret included."""
        value = self._variable(name, at)
        if isinstance(value, Secret):
            self.secret = True
        elif isinstance(value, (dict, list)):
            size = count(value)
            self._hold(size, at)
            self._spend(size, 0, at)
            return plain(value)
        elif isinstance(value, str):
            self._spend(0, len(value), at)
        return value

    def _inside(self, name: str, at: Mark) -> str | Unset:
        """A variable amid text."""
        variable = self.variables.get(name)
        if variable and variable.secret:
            self._problem(
                at,
                f"secret variable {shown(name)} stands inside other text",
                "a secret must be the whole value of a field that takes one",
            )
            return self._dropped(name)
        value = self._variable(name, at)
        if isinstance(value, Unset):
            return value
        if value is None or isinstance(value, (dict, list)):
            what = "null" if value is None else "a list" if isinstance(value, list) else "a mapping"
            self._problem(
                at, f"variable {shown(name)} is {what} and stands inside other text", "give it text"
            )
            return self._dropped(name)
        text = as_text(value)
        self._spend(0, len(text), at)
        return text

    def _variable(self, name: str, at: Mark) -> Any:
        variable = self.variables.get(name)
        if variable is None:
            detail = self.problems.near(name, self.variables, "declare it under variables:")
            self._problem(at, f"unknown variable {shown(name)}", detail)
            return self._dropped(name)
        if isinstance(variable.value, Unset):
            self.unset = True
        return variable.value

    def _hold(self, values: int, at: Mark) -> None:
        """Count what one body holds: each value may be wrong in several ways, and that is dear."""
        self.held += values
        if self.held > HELD:
            self._problem(at, f"more than {HELD:,} values in one place", "Labelbox takes far fewer")
            raise Refused

    def _spend(self, values: int, characters: int, at: Mark) -> None:
        """Count what expansion adds, so that a long value used often ends before it costs."""
        self.budget.left -= values
        self.characters -= characters
        if self.budget.left < 0 or self.characters < 0:
            what = "too many values" if self.budget.left < 0 else "too much text"
            self._problem(at, f"with its variables the stack has {what}", "use long values less often")
            raise Refused

    # -- references ---------------------------------------------------------------------------

    def _ref(self, text: str, at: Mark) -> Ref | Unset:
        """``KIND.KEY.ATTRIBUTE``: the kind ends at the first dot, the attribute follows the last."""
        kind_name, _, rest = text.partition(".")
        key, _, attribute = rest.rpartition(".")
        if not (kind_name and key and attribute):
            self._problem(at, f"cannot read ${{{text[:60]}}}", _HELP)
        elif not self.refs:
            self._problem(
                at, f"no reference can stand here: ${{{text[:60]}}}", "only variables are known here"
            )
        elif kind_name not in self.kinds:
            detail = self.problems.near(kind_name, self.kinds, f"kinds are {', '.join(self.kinds)}")
            self._problem(at, f"unknown kind {shown(kind_name)} in ${{{text[:60]}}}", detail)
        elif attribute not in self._attributes(kind_name):
            known = self._attributes(kind_name)
            detail = self.problems.near(attribute, known, f"there are {', '.join(known)}")
            self._problem(at, f"a {kind_name} has no attribute {shown(attribute)} to refer to", detail)
        else:
            return Ref(Address(kind_name, key), attribute)
        return self._dropped(text)

    def _attributes(self, name: str) -> tuple[str, ...]:
        """What may be referred to: nothing that the service never tells."""
        if name not in self.attributes:
            kind = self.kinds[name]
            fields = [
                field
                for field, info in kind.Spec.model_fields.items()
                if not kind.role(field, WriteOnly) and not takes_secret(info.annotation)
            ]
            self.attributes[name] = tuple(dict.fromkeys(["id", *kind.computed, *fields]))
        return self.attributes[name]

    # -- problems -----------------------------------------------------------------------------

    def _dropped(self, name: str) -> Unset:
        """Stands where a problem was found, so that it is not reported again by the kind."""
        self.unset = True
        return Unset(name)

    def _problem(self, at: Mark, summary: str, detail: str) -> None:
        self.problems.add(summary, detail, source(self.file, at))
