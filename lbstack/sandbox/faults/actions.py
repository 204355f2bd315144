"""What can go wrong: the actions of a rule, and at which moments each makes sense."""

from __future__ import annotations

import http
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lbstack.sandbox.faults.told import (
    LONGEST_MS,
    Mistake,
    a_list,
    an_object,
    flag,
    one_of,
    text,
    whole,
)

_BODILESS = (204, 304)
_MOST_BYTES = 2**31
_MIB = 2**20
_GARBAGE = ("html", "empty", "bom", "bad_gzip", "bad_utf8", "nan", "wrong_length", "two_json")
_MEASURED = re.compile(r"(deep):(\d{1,9})|(huge):(\d{1,5})MiB")
_SIGNALS = ("KILL", "STOP", "CONT", "TERM", "INT")
PID_HEADER = "X-Lbstack-Pid"

_WAITING = {"delay_ms", "barrier", "signal"}
_ENDING = {"http", "close", "hang", "garbage", "gql_error", "echo_variables"}
_EXECUTING = {"commit_after_ms", "replay"}


@dataclass(frozen=True)
class Action:
    """One thing that goes wrong. ``what`` is its name in a rule, ``value`` what the rule says of it."""

    what: str
    value: Any

    @property
    def waits(self) -> bool:
        """Whether the request goes on afterwards as if nothing had been."""
        return self.what in _WAITING

    @property
    def ends(self) -> bool:
        """Whether a request that has not been executed yet never will be."""
        return self.what in _ENDING


@dataclass(frozen=True)
class Http:
    """An answer that a proxy gives in the service's place; without a ``body`` a page that says so."""

    status: int
    body: bytes | None
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class GqlError:
    """An error put into an answer. ``path`` is where: at the root field, below it, or as told.

    ``data`` is what else the answer says: nothing (``null``), everything (``keep``), or everything but the
    root field (``null_root``).
    """

    code: str | None
    message: str
    inner_status: int | None
    path: str | tuple[str | int, ...]
    data: str


def actions(told: Any, where: str, at: str) -> tuple[Action, ...]:
    """Read the actions of a rule for the moment ``at``."""
    found = [_action(each, f"{where}[{n}]", at) for n, each in enumerate(a_list(told, where, 20))]
    if not found:
        raise Mistake(f"{where} must say what goes wrong")
    return tuple(found)


def _action(told: Any, where: str, at: str) -> Action:
    body = an_object(told, where, tuple(_READ))
    if len(body) != 1:
        raise Mistake(f"{where} must say one thing: one of {', '.join(_READ)}")
    ((what, value),) = body.items()
    sensible = what in _WAITING or what == "close" or at != "after_body"
    if what in _EXECUTING:
        early = ("accept", "after_headers", "before_exec")
        sensible = at in early or (what == "replay" and at == "after_commit")
    if not sensible:
        raise Mistake(f"{where}: {what} makes no sense {at}")
    return Action(what, _READ[what](value, f"{where}.{what}"))


def _milliseconds(value: Any, where: str) -> int:
    return whole(value, where, 0, LONGEST_MS)


def _http(value: Any, where: str) -> Http:
    body = an_object(value, where, ("status", "body", "headers"))
    status = whole(body.get("status"), f"{where}.status", 200, 599)
    if status in _BODILESS and "body" in body:
        raise Mistake(f"{where}.status {status} has no body")
    if status not in {each.value for each in http.HTTPStatus} and status not in range(520, 531):
        raise Mistake(f"{where}.status {status} is no HTTP status")
    headers = body.get("headers", {})
    if not isinstance(headers, dict):
        raise Mistake(f"{where}.headers must be an object")
    given = tuple((_header(name, where), _header_value(each, where)) for name, each in headers.items())
    return Http(status, _http_body(body["body"], where) if "body" in body else None, given)


def _http_body(value: Any, where: str) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    raise Mistake(f"{where}.body must be a text")


def _header(name: Any, where: str) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", name):
        raise Mistake(f"{where}.headers has a name that is none: {name!r}")
    return name.lower()


def _header_value(value: Any, where: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"(?:[!-~](?:[ -~]{0,998}[!-~])?)?", value):
        raise Mistake(f"{where}.headers has a value that is none")
    return value


def _gql_error(value: Any, where: str) -> GqlError:
    body = an_object(value, where, ("code", "message", "inner_status", "path", "data"))
    code = body.get("code")
    message = text(body["message"], f"{where}.message", 10_000) if "message" in body else "Something failed"
    inner = body.get("inner_status")
    path = body.get("path", "root")
    if isinstance(path, list):
        for step in a_list(path, f"{where}.path", 50):
            if isinstance(step, bool) or not isinstance(step, str | int):
                raise Mistake(f"{where}.path must hold field names and indices")
        path = tuple(path)
    else:
        path = one_of(path, f"{where}.path", ("root", "nested"))
    return GqlError(
        None if code is None else text(code, f"{where}.code", 100),
        message,
        None if inner is None else whole(inner, f"{where}.inner_status", 100, 599),
        path,
        one_of(body.get("data", "null_root"), f"{where}.data", ("null", "keep", "null_root")),
    )


def _garbage(value: Any, where: str) -> tuple[str, int]:
    match = _MEASURED.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        if value not in _GARBAGE:
            raise Mistake(f"{where} must be one of {', '.join(_GARBAGE)}, deep:N, huge:NMiB")
        return value, 0
    if match[1]:
        return "deep", whole(int(match[2]), where, 1, 10_000_000)
    return "huge", whole(int(match[4]), where, 1, 4096) * _MIB


def _signal(value: Any, where: str) -> str:
    body = an_object(value, where, ("pid_from", "sig"))
    one_of(body.get("pid_from", PID_HEADER), f"{where}.pid_from", (PID_HEADER,))
    return one_of(body.get("sig"), f"{where}.sig", _SIGNALS)


def _true(value: Any, where: str) -> bool:
    if not flag(value, where):
        raise Mistake(f"{where} can only be true")
    return True


_READ: dict[str, Callable[[Any, str], Any]] = {
    "delay_ms": _milliseconds,
    "http": _http,
    "close": lambda value, where: one_of(value, where, ("rst", "fin")),
    "hang": _true,
    "truncate_body": lambda value, where: whole(value, where, 0, _MOST_BYTES),
    "chunk_ms": _milliseconds,
    "gql_error": _gql_error,
    "drop_extensions": _true,
    "commit_after_ms": _milliseconds,
    "replay": lambda value, where: whole(value, where, 1, 100),
    "garbage": _garbage,
    "echo_variables": _true,
    "barrier": lambda value, where: text(value, where, 100),
    "signal": _signal,
}
