"""Ways to read many objects in few requests, shared by the kinds."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from lbstack.errors import ServiceError
from lbstack.kinds.contract import Ask, Live, Reading, Reply, Tracked
from lbstack.values import Address

K = TypeVar("K", bound=Hashable)

PAGE = 100
"""Objects on a page: what the service's own client asks for (API reference 4)."""

WORTH_LISTING = 20
"""From so many objects on, pages are asked for before single objects."""

MOST_PAGES = 1_000
"""Pages after which a list that has not ended is taken for one that never does."""


def endless(what: str) -> ServiceError:
    """The refusal of a list whose pages lead round, or on for ever."""
    return ServiceError(
        f"the list of {what} does not end: the service goes on telling pages, or tells the same ones again",
        "endless",
        "nothing was concluded from it; run this again, and tell Labelbox when it stays so",
    )


def onward(followed: set[str], cursor: str | None, what: str) -> str | None:
    """The cursor that leads to the next page; None at the end. One that was `followed` leads round."""
    if not cursor:
        return None
    if cursor in followed or len(followed) >= MOST_PAGES:
        raise endless(what)
    followed.add(cursor)
    return cursor


def by_id_ask(root: str, selection: str, id: str, cost: int = 1) -> Ask:
    """Read one object by its id."""
    return Ask(f"{root}(where: {{id: $id}}) {{ {selection} }}", {"id": ("ID!", id)}, cost)


def page_ask(
    root: str, selection: str, skip: int, where: str = "where: {deleted: false}, ", cost: int = PAGE
) -> Ask:
    """Read one page of a list that is paged by offset."""
    return Ask(f"{root}({where}skip: $skip, first: {PAGE}) {{ {selection} }}", {"skip": ("Int!", skip)}, cost)


def listed_then_by_id(
    tracked: Sequence[Tracked],
    pages: Callable[[int], Ask] | None,
    nodes: Callable[[Any], list[dict[str, Any]]],
    one: Callable[[str], Ask],
    node: Callable[[Any], dict[str, Any]] = lambda data: data,
) -> Generator[list[Ask], list[Reply], dict[str, dict[str, Any] | None]]:
    """Raw objects by id: from lists as far as they show them, from reads by id for the rest.

    A list never proves absence (offset pages shift under concurrent change, others own objects
    too), so only a read by id may answer that an object is gone: it maps to None then.
    """
    ids = [item.id for item in tracked if item.id]
    found: dict[str, dict[str, Any] | None] = {}
    if pages and len(ids) >= WORTH_LISTING:
        wanted = set(ids)
        for reply in (yield [pages(skip) for skip in range(0, len(ids), PAGE)]):
            found.update(
                (n["id"], n) for n in ([] if reply.too_complex else nodes(reply.data)) if n["id"] in wanted
            )
    rest = [id for id in ids if id not in found]
    if rest:
        for id, reply in zip(rest, (yield [one(id) for id in rest]), strict=True):
            found[id] = None if reply.gone else _itself(id, node(reply.data))
    return {id: None if raw is None or raw.get("deleted") else raw for id, raw in found.items()}


def together(
    *readings: Generator[list[Ask], list[Reply], Any],
) -> Generator[list[Ask], list[Reply], list[Any]]:
    """Several readings at once: what they ask in a round travels together. Their results, in order."""
    results: list[Any] = [None] * len(readings)
    asked: dict[int, list[Ask]] = {}

    def advance(index: int, replies: list[Reply] | None) -> None:
        try:
            asked[index] = next(readings[index]) if replies is None else readings[index].send(replies)
        except StopIteration as stop:
            results[index] = stop.value

    for index in range(len(readings)):
        advance(index, None)
    while asked:
        turn = dict(asked)
        asked.clear()
        replies = iter((yield [ask for asks in turn.values() for ask in asks]))
        for index, asks in turn.items():
            advance(index, [next(replies) for _ in asks])
    return results


def until_short(
    lists: Mapping[K, Callable[[int, int], Ask]],
    nodes: Callable[[Any], list[Any]],
    what: str,
    skip: int = 0,
    expected: Mapping[K, int] | None = None,
) -> Generator[list[Ask], list[Reply], dict[K, list[Any] | None]]:
    """Whole lists by key, each read from `skip` on until a page is short; None where its owner is gone.

    A list is asked for by where to begin and how many. Where it is known how many are `expected`, first
    so many and one more are asked for: many lists then share a document. Each further round asks for
    twice as many pages of a list as the one before: long lists take few rounds. One that goes on for ever is
    refused; `what` says of what it is.
    """
    found: dict[K, list[Any] | None] = {key: [] for key in lists}
    size = {key: min((expected or {}).get(key, PAGE) + 1, PAGE) for key in lists}
    at, left, ahead = dict.fromkeys(lists, skip), set(lists), 1
    while left:
        if ahead > MOST_PAGES:  # each round has doubled it: as many pages and one have been read
            raise endless(what)
        turn = [(key, at[key] + page * size[key]) for key in lists if key in left for page in range(ahead)]
        asks = [lists[key](start, size[key]) for key, start in turn]
        for (key, _), reply in zip(turn, (yield asks), strict=True):
            whole = found[key]
            if reply.gone or whole is None:
                found[key] = None
                left.discard(key)
            elif key in left:
                page = nodes(reply.data)
                whole += page
                if len(page) < size[key]:
                    left.discard(key)
        at, ahead = {key: start + ahead * size[key] for key, start in at.items()}, ahead * 2
        size = dict.fromkeys(lists, PAGE)
    return found


def made_since(
    root: str, selection: str, since: str | None
) -> Generator[list[Ask], list[Reply], list[dict[str, Any]]]:
    """Everything in an offset list that was made since a time (ISO 8601; None: ever), page by page."""

    def page(skip: int, first: int) -> Ask:
        window = "{createdAt_gte: $since}, " if since else ""
        where = f"where: {{AND: [{window}{{deleted: false}}]}}, skip: $skip, first: {first}"
        told: dict[str, tuple[str, Any]] = {"since": ("DateTime!", since)} if since else {}
        return Ask(f"{root}({where}) {{ {selection} }}", {"skip": ("Int!", skip), **told}, first)

    found = yield from until_short({root: page}, list, root)
    return found[root] or []


def _itself(id: str, node: dict[str, Any]) -> dict[str, Any]:
    """The node, which must be the one that was asked for."""
    if node["id"] != id:
        raise ValueError(f"object {node['id']} instead of {id}")
    return node


def read_listed(
    tracked: Sequence[Tracked],
    root: str,
    plural: str,
    selection: str,
    live: Callable[[dict[str, Any]], Live],
    *,
    page_cost: int = PAGE,
    cost: int = 1,
) -> Reading:
    """The whole read of a kind that has a plain list and a plain read by id."""
    raw = yield from listed_then_by_id(
        tracked,
        lambda skip: page_ask(plural, selection, skip, cost=page_cost),
        lambda data: list(data),
        lambda id: by_id_ask(root, selection, id, cost),
    )
    return settle(tracked, raw, live)


def settle(
    tracked: Sequence[Tracked],
    raw: dict[str, dict[str, Any] | None],
    live: Callable[[dict[str, Any]], Live],
) -> dict[Address, Live | None]:
    """Give each address the object that its id stands for."""
    found: dict[Address, Live | None] = {}
    for item in tracked:
        if item.id in raw:
            node = raw[item.id]
            found[item.address] = None if node is None else live(node)
    return found
