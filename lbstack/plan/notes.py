"""What a person must still do, in lines for the end of a plan and of an apply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lbstack.plan.changes import Plan
from lbstack.recover import Verdict
from lbstack.values import Address


def awaited(
    phrases: Mapping[Address, str | None], waiting: Mapping[Address, Iterable[Address]]
) -> Iterable[str]:
    """What is awaited, with who waits for it: one line for all that await the same."""
    alike: dict[tuple[str, str], list[str]] = {}
    for address, phrase in phrases.items():
        if phrase:
            waiters = some([str(waiter) for waiter in waiting.get(address, ())])
            follow = f" {waiters} will follow then." if waiters else ""
            alike.setdefault((phrase, follow), []).append(str(address))
    for (phrase, follow), names in alike.items():
        yield f"{some(names)} {'is' if len(names) == 1 else 'are'} awaiting {phrase}{follow}"


def with_lost(plan: Plan, verdict: Verdict) -> Plan:
    """A plan that tells what became of creates that were never answered."""
    notes = (*doubts(verdict), *plan.notes)
    return replace(
        plan,
        recovered=tuple((address, seen.id) for address, seen in verdict.found.items()),
        orphans=verdict.orphans,
        notes=notes,
    )


def doubts(verdict: Verdict) -> Iterable[str]:
    """What became of creates that were never answered, as far as a look tells."""
    for address, seen in verdict.found.items():
        yield f"{address} had been made by an apply that never heard of it ({seen.id}): it is taken over."
    for intent in verdict.open:
        yield (
            f"whether an earlier apply made {intent.address} is not known yet; apply waits until it is,"
            " before anything is made."
        )


def some(names: list[str], most: int = 5) -> str:
    """The names, or the first few and how many more."""
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more} more"
