"""Dates as export filters write them, and as export lines print them (API reference 1.11).

A filter's date is a day, a day with a time, or a time with an offset. The first two are read in the time
zone that stands beside them, and a day begins at midnight.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from lbstack.sandbox.errors import MalformedError

_LOCAL = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S")
_ISO = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z")


def stored(text: object, zone: tzinfo = UTC) -> str:
    """Return a filter's date in the form that times are stored in; refuse what is none."""
    moment = _parse(text, zone) if isinstance(text, str) else None
    try:
        if moment is not None:
            printed = moment.astimezone(UTC).isoformat(timespec="milliseconds")
            return printed.removesuffix("+00:00") + "Z"
    except (OverflowError, ValueError):
        pass
    wanted = "YYYY-MM-DD, YYYY-MM-DD hh:mm:ss or YYYY-MM-DDThh:mm:ss±hhmm"
    raise MalformedError(f"Invalid date: {text}. It must be {wanted}")


def _parse(text: str, zone: tzinfo) -> datetime | None:
    for pattern in (*_LOCAL, *_ISO):
        try:
            moment = datetime.strptime(text, pattern)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return None


def zone_named(name: object) -> tzinfo:
    """Return the time zone of the IANA name ``name``; refuse one that nobody knows."""
    if name == "UTC":
        return UTC
    try:
        if isinstance(name, str):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    raise MalformedError(f"Unknown timezone: {name}")


def printed(time: str) -> str:
    """Print a stored time as an export line does: ``2023-02-02T17:50:54+00:00``."""
    return time[:19] + "+00:00"


def day(time: str) -> str:
    """Print the day of a stored time: ``2023-02-02``."""
    return time[:10]
