"""Rules: at which requests something goes wrong, at which moment, and what.

Moments, in the order a request passes them:

``accept``         it arrives: nothing of it has been looked at, not even the key
``after_headers``  the key is good; the body has not been read
``before_exec``    it has been read and is about to be executed
``before_commit``  a mutation has done its work and is about to commit; what goes wrong here undoes it
``after_commit``   it has committed, and no answer has been given
``mid_body``       the answer's headers are out, and half of its body
``after_body``     all of the answer is out

A read commits nothing: for it the two are the moments before and after it is executed. A rule for
``accept`` or ``after_headers`` that asks for what only the body tells acts as soon as that is read.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lbstack.sandbox.faults.actions import Action, actions
from lbstack.sandbox.faults.facts import Facts
from lbstack.sandbox.faults.told import Mistake, an_object, number, one_of, text, whole

MOMENTS = (
    "accept", "after_headers", "before_exec", "before_commit", "after_commit", "mid_body", "after_body",
)  # fmt: skip
EARLY = ("accept", "after_headers")
_TYPES = ("query", "mutation", "any")


@dataclass(frozen=True)
class Match:
    """At which requests a rule holds: those of which all of this is so, and of these the counted ones.

    ``op`` is a root field, ``parent.field`` of a nested mutation, or ``METHOD /path`` or its operation for
    REST; ``kind`` is a kind of the sandbox, ``name_re`` is searched in the names, e-mail addresses and
    URLs that the request gives, ``run`` is its ``X-Lbstack-Run``. Of the requests that fit, the
    ``nth``, ``every`` n-th, or each with probability ``p`` is hit, and no more than ``max``.
    """

    op: str = "*"
    type: str = "any"
    kind: str | None = None
    name_re: re.Pattern[str] | None = None
    run: str | None = None
    nth: int | None = None
    every: int | None = None
    p: float | None = None
    max: int | None = None

    @property
    def needs_body(self) -> bool:
        """Whether only the request's body tells if this fits."""
        return self.op != "*" or self.type != "any" or self.kind is not None or self.name_re is not None

    def fits(self, facts: Facts, op: str | None) -> bool:
        """Say whether a request is one of these; ``op`` is the mutation that commits, when one does."""
        return (
            (self.op == "*" or self.op in facts.meant(op))
            and (self.type == "any" or self.type == facts.type)
            and (self.kind is None or self.kind in facts.kinds)
            and (self.run is None or self.run == facts.run)
            and (self.name_re is None or any(self.name_re.search(name) for name in facts.names))
        )


@dataclass
class Rule:
    """A rule, as it was told, with the count of the requests that fitted (``matched``) and were hit."""

    id: str
    match: Match
    at: str
    do: tuple[Action, ...]
    told: Mapping[str, Any]
    matched: int = 0
    hit: int = 0
    _dice: random.Random = field(default_factory=random.Random, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def strikes(self, facts: Facts, op: str | None) -> bool:
        """Say whether this request is hit, and count it."""
        if not self.match.fits(facts, op):
            return False
        match = self.match
        with self._lock:
            self.matched += 1
            hit = (
                (match.nth is None or self.matched == match.nth)
                and (match.every is None or self.matched % match.every == 0)
                and (match.max is None or self.hit < match.max)
                and (match.p is None or self._dice.random() < match.p)
            )
            self.hit += hit
            return hit

    def shown(self) -> dict[str, Any]:
        """The rule as it was told, and what it has met so far."""
        return {**self.told, "id": self.id, "matched": self.matched, "hit": self.hit}


def rule(told: Any, where: str, number_: int) -> Rule:
    """Read a rule. Without an ``id`` it is named after its place; without a ``seed`` after its ``id``."""
    body = an_object(told, where, ("id", "seed", "match", "at", "do"))
    ident = text(body["id"], f"{where}.id", 200) if "id" in body else f"rule-{number_}"
    at = one_of(body.get("at"), f"{where}.at", MOMENTS)
    seed = whole(body["seed"], f"{where}.seed", -(2**31)) if "seed" in body else ident
    do = actions(body.get("do"), f"{where}.do", at)
    match, dice = _match(body.get("match", {}), f"{where}.match"), random.Random(seed)  # noqa: S311
    return Rule(ident, match, at, do, body, _dice=dice)


def _match(told: Any, where: str) -> Match:
    known = ("op", "type", "kind", "name_re", "run", "nth", "every", "p", "max")
    body = an_object(told, where, known)
    found: dict[str, Any] = {}
    for key in ("op", "kind", "run"):
        if key in body:
            found[key] = text(body[key], f"{where}.{key}", 300)
    if "type" in body:
        found["type"] = one_of(body["type"], f"{where}.type", _TYPES)
    for key in ("nth", "every", "max"):
        if key in body:
            found[key] = whole(body[key], f"{where}.{key}", 0 if key == "max" else 1)
    if "p" in body:
        found["p"] = number(body["p"], f"{where}.p", 0, 1)
    if "name_re" in body:
        try:
            found["name_re"] = re.compile(text(body["name_re"], f"{where}.name_re", 300))
        except re.error as error:
            raise Mistake(f"{where}.name_re is no regular expression: {error}") from None
    return Match(**found)
