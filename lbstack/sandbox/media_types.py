"""Which media types may be written (API reference 2.2).

``UNKNOWN`` and ``UNSUPPORTED`` are what a client makes of null, and of a word that it does not know: they are
words of the enum, and nothing that an object can be for.
"""

from __future__ import annotations

from lbstack.sandbox.errors import malformed_if

_READ_ONLY = ("UNKNOWN", "UNSUPPORTED")


def require_media_type(value: str | None) -> str | None:
    """Return what may be written, null included; refuse what is only ever read."""
    malformed_if(value in _READ_ONLY, f"Invalid media type: {value}")
    return value
