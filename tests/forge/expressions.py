"""The expressions of GitHub's workflows, as far as ours use them: ``${{ inputs.state || env.X }}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<op>\|\||&&|==|!=|!|\(|\)|,)|(?P<name>[A-Za-z_][\w.-]*))"
)
_INSIDE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)

Functions = Mapping[str, Callable[..., Any]]


def truthy(value: Any) -> bool:
    return value not in (None, False, 0, "")


def text(value: Any) -> str:
    """A value where text is wanted."""
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def evaluate(expression: str, contexts: Mapping[str, Any], functions: Functions) -> Any:
    """The value of one expression."""
    tokens, at = [], 0
    expression = expression.strip()
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        assert found, f"not known here: {expression!r} at {at}"
        tokens.append((str(found.lastgroup), found[found.lastgroup or ""]))
        at = found.end()
    parser = _Parser(tokens, contexts, functions)
    value = parser.either()
    assert not parser.tokens, expression
    return value


def filled(template: Any, contexts: Mapping[str, Any], functions: Functions) -> str:
    """Text with its expressions evaluated."""
    return _INSIDE.sub(lambda found: text(evaluate(found[1], contexts, functions)), text(template))


class _Parser:
    def __init__(
        self, tokens: list[tuple[str, str]], contexts: Mapping[str, Any], functions: Functions
    ) -> None:
        self.tokens, self.contexts, self.functions = tokens, contexts, functions

    def take(self, *words: str) -> str | None:
        if self.tokens and self.tokens[0][0] == "op" and self.tokens[0][1] in words:
            return self.tokens.pop(0)[1]
        return None

    def either(self) -> Any:
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value if truthy(value) else other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.take("&&"):
            other = self.compared()
            value = other if truthy(value) else value
        return value

    def compared(self) -> Any:
        value = self.single()
        while op := self.take("==", "!="):
            other = self.single()
            one, two = (v.lower() if isinstance(v, str) else v for v in (value, other))
            value = (one == two) if op == "==" else (one != two)
        return value

    def single(self) -> Any:
        if self.take("!"):
            return not truthy(self.single())
        if self.take("("):
            value = self.either()
            assert self.take(")")
            return value
        kind, word = self.tokens.pop(0)
        if kind == "text":
            return word[1:-1].replace("''", "'")
        if kind == "number":
            return int(word)
        assert kind == "name", word
        if self.take("("):
            arguments = []
            while not self.take(")"):
                arguments.append(self.either())
                self.take(",")
            return self.functions[word](*arguments)
        if word in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[word]
        return self.looked_up(word)

    def looked_up(self, path: str) -> Any:
        first, *rest = path.split(".")
        value: Any = self.contexts[first]  # a context that there is none of is a slip
        for step in rest:
            value = value.get(step) if isinstance(value, Mapping) else None
        return value
