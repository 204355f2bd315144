"""A collector: problems are gathered while work goes on, and raised together.

A hostile or broken file may hold a hundred thousand mistakes; a person reads the first few. So
what is kept is bounded, and so is the search for names that somebody may have meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from lbstack.errors import ConfigError, Problem
from lbstack.values import Source

KEPT = 1000
"""Problems kept; the rest is only counted."""
HINTS = 50
"""Problems that get a *did you mean*: the search compares texts and is dear."""
NAMES = 1000
"""Names compared for one hint."""


class Problems:
    """Problems found so far, `KEPT` at most."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.warnings: list[Problem] = []
        self._more = 0
        self._hints = HINTS

    def __bool__(self) -> bool:
        return bool(self.found)

    @property
    def full(self) -> bool:
        """Whether further problems are only counted: then nobody needs to word them."""
        return len(self.found) >= KEPT

    def add(self, summary: str, detail: str = "", source: Source | None = None) -> None:
        """Note a problem."""
        if self.full:
            self._more += 1
        else:
            self.found.append(Problem(summary, detail, source))

    def warn(self, summary: str, detail: str = "", source: Source | None = None) -> None:
        """Note what is allowed and yet unwise."""
        if len(self.warnings) < KEPT:
            self.warnings.append(Problem(summary, detail, source))

    def skip(self, count: int) -> None:
        """Count problems that nobody looked at."""
        self._more += count

    def near(self, word: object, names: Iterable[str], otherwise: str = "", *, fold: bool = False) -> str:
        """A detail for a misspelt name: ``did you mean 'teeth'?``, or `otherwise`.

        With `fold` names are compared without regard to case.
        """
        if not isinstance(word, str) or len(word) > 128 or self._hints == 0:
            return otherwise
        self._hints -= 1
        word = word.casefold() if fold else word
        known = {name.casefold() if fold else name: name for name in names}
        alike = sorted((n for n in known if abs(len(n) - len(word)) < 8), key=lambda n: n[:1] != word[:1])
        match = get_close_matches(word, alike[:NAMES], 1, 0.6)
        return f"did you mean {known[match[0]]!r}?" if match else otherwise

    def raise_any(self) -> None:
        """Raise what was found, sorted by place, as one `ConfigError`."""
        if not self.found:
            return
        found = sorted(self.found, key=lambda problem: problem.source or Source("", 0, 0))
        if self._more:
            found.append(Problem(f"and {self._more} more problems", "mend these first"))
        raise ConfigError(found)


def shown(text: object, limit: int = 60) -> str:
    """A word of the user's for use in a problem: quoted, escaped, and cut when it is long."""
    word = str(text)
    return repr(word if len(word) <= limit else word[: limit - 1] + "…")
