"""What a person must still do, in lines for the end of a plan and of an apply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lbstack.values import Address


def awaited(
    phrases: Mapping[Address, str | None], waiting: Mapping[Address, Iterable[Address]]
) -> Iterable[str]:
    """What is awaited, with who waits for it: one line for all that await the same."""
    alike: dict[tuple[str, str], list[str]] = {}
    for address, phrase in phrases.items():
        if phrase:
            waiters = _some([str(waiter) for waiter in waiting.get(address, ())])
            follow = f" {waiters} will follow then." if waiters else ""
            alike.setdefault((phrase, follow), []).append(str(address))
    for (phrase, follow), names in alike.items():
        yield f"{_some(names)} {'is' if len(names) == 1 else 'are'} awaiting {phrase}{follow}"


def _some(names: list[str], most: int = 5) -> str:
    """The names, or the first few and how many more."""
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more} more"
