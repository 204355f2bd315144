"""The world's switches, as the control port is told them (``sandbox.conditions``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lbstack.sandbox.conditions import Conditions, Paging, RateLimit
from lbstack.sandbox.faults.told import (
    LONGEST_MS,
    Mistake,
    an_object,
    each,
    flag,
    number,
    one_of,
    text,
    whole,
)
from lbstack.sandbox.people import join
from lbstack.sandbox.roles import ADMIN, ROLES

if TYPE_CHECKING:
    from lbstack.sandbox.store import Store

_MOST = 2**31
_DAY = 86_400.0
STYLES = ("429_json", "429_html", "200_message")
_SEATS = 10_000  # as in a fresh workspace


def change(conditions: Conditions, store: Store, told: Any) -> None:
    """Set the switches that are told, all or none; null puts one back to where it was at the start."""
    body = an_object(told, "the world", tuple(_READ))
    read = {key: _READ[key](value, key) for key, value in body.items() if value is not None}
    for key in body:
        _set(conditions, store, key, read.get(key))


def shown(conditions: Conditions) -> dict[str, Any]:
    """The switches as they are, in the words in which they are told."""
    limit, page = conditions.rate_limit, conditions.page
    return {
        "stale_reads_ms": conditions.stale_reads_ms,
        "search_lag_ms": conditions.search_lag_ms,
        "invite_lag_ms": conditions.invite_lag_ms,
        "hide_ids": sorted(conditions.hide_ids),
        "role": conditions.role,
        "expire_key_after": conditions.requests_left,
        "revoke_key": conditions.revoke_key,
        "org": conditions.org,
        "rate_limit": limit and {
            "per_min": limit.per_min, "style": limit.style, "retry_after": limit.retry_after,
        },
        "clock_offset_s": conditions.clock_offset_s,
        "date_header": conditions.date_header,
        "page": page and {
            "cap": page.cap, "fail": sorted(page.fail), "short": {str(at): n for at, n in page.short.items()},
            "repeat": sorted(page.repeat), "shuffle": sorted(page.shuffle),
            "churn": page.churn and {"every": page.churn},
        },
        "limits": dict(conditions.limits),
        "complexity_limit": conditions.complexity_limit,
    }  # fmt: skip


def behave(conditions: Conditions, store: Store) -> None:
    """Put every switch back to where it was at the start."""
    change(conditions, store, dict.fromkeys(_READ))


def _set(conditions: Conditions, store: Store, key: str, value: Any) -> None:
    fresh = Conditions()
    name = {"expire_key_after": "requests_left"}.get(key, key)
    if value is None:
        value = getattr(fresh, name)
    if key == "stale_reads_ms":
        store.past.seconds = value / 1000
    elif key == "clock_offset_s":
        store.mint.skew = value
    elif key == "org" and value:
        value = _organization(store, value)
    elif key == "limits":
        with store.transaction():
            store.run("UPDATE organizations SET seats = ?", [value.get("users", _SEATS)])
    setattr(conditions, name, value)


def _organization(store: Store, name: str) -> str:
    """Return the id of an organization by its id or name; it is founded if there is none."""
    with store.transaction():
        found = store.value("SELECT id FROM organizations WHERE ? IN (id, name) ORDER BY rowid", [name])
        if found is None:
            found, now = store.mint.cuid(), store.mint.now()
            store.insert("organizations", {"id": found, "name": name, "createdAt": now, "updatedAt": now})
        organization = str(found)
        members = "SELECT count(*) FROM users WHERE organizationId = ? AND deleted = 0"
        if not store.value(members, [organization]):
            join(store, organization, "admin@elsewhere.example", ADMIN, store.mint.now())
        return organization


def _role(value: Any, where: str) -> str:
    by_word = {role.name.upper().replace(" ", "_").replace("-", "_"): role.name for role in ROLES}
    word = text(value, where).upper().replace(" ", "_").replace("-", "_")
    return by_word[one_of(word, where, by_word)]


def _rate_limit(value: Any, where: str) -> RateLimit:
    body = an_object(value, where, ("per_min", "style", "retry_after"))
    return RateLimit(
        whole(body.get("per_min"), f"{where}.per_min", 0, 1_000_000),
        one_of(body.get("style", STYLES[0]), f"{where}.style", STYLES),
        flag(body.get("retry_after", True), f"{where}.retry_after"),
    )


def _page(value: Any, where: str) -> Paging:
    body = an_object(value, where, ("cap", "fail", "short", "repeat", "shuffle", "churn"))
    found: dict[str, Any] = {}
    if body.get("cap") is not None:
        found["cap"] = whole(body["cap"], f"{where}.cap", 0, _MOST)
    for key in ("fail", "repeat", "shuffle"):
        if key in body:
            found[key] = frozenset(each(body[key], f"{where}.{key}", whole))
    if "short" in body:
        found["short"] = _short(body["short"], f"{where}.short")
    if body.get("churn") is not None:
        churn = an_object(body["churn"], f"{where}.churn", ("every",))
        found["churn"] = whole(churn.get("every"), f"{where}.churn.every", 1)
    return Paging(**found)


def _short(value: Any, where: str) -> Mapping[int, int]:
    if not isinstance(value, dict) or not all(key.isdecimal() and len(key) < 10 for key in value):
        raise Mistake(f"{where} must be an object whose keys are numbers of pages")
    return {int(key): whole(rows, f"{where}.{key}") for key, rows in value.items()}


def _limits(value: Any, where: str) -> Mapping[str, int]:
    body = an_object(value, where, ("ontologies", "users"))
    return {key: whole(most, f"{where}.{key}") for key, most in body.items()}


def _milliseconds(value: Any, where: str) -> int:
    return whole(value, where, 0, LONGEST_MS)


_READ: dict[str, Callable[[Any, str], Any]] = {
    "stale_reads_ms": _milliseconds,
    "search_lag_ms": lambda value, where: whole(value, where, 0, 600_000),
    "invite_lag_ms": lambda value, where: whole(value, where, 0, 600_000),
    "hide_ids": lambda value, where: frozenset(each(value, where, text)),
    "role": _role,
    "expire_key_after": lambda value, where: whole(value, where, 0, _MOST),
    "revoke_key": flag,
    "org": lambda value, where: text(value, where, 200),
    "rate_limit": _rate_limit,
    "clock_offset_s": lambda value, where: number(value, where, -400 * _DAY, 400 * _DAY),
    "date_header": flag,
    "page": _page,
    "limits": _limits,
    "complexity_limit": lambda value, where: whole(value, where, 0, _MOST),
}
