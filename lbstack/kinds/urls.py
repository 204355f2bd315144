"""Where events may be sent: what is wrong with a URL that a service is to post to.

Whoever may change a stack could otherwise have signed events posted to the service's own machines, to
whatever stands beside them, or unencrypted. lbstack itself never fetches such a URL. A host is judged as it
is written: what a name leads to is decided anew at every delivery, by whom it belongs to.

=====================  =================================================================================
``http://…``           refused: whoever is on the way reads the events, and can keep them
``https://me:pw@…``    refused: it is no place for a password, and hides where the URL leads
``https://10.0.0.1``   refused: no address of a private network, this machine, a link, or a metadata service
``https://0x7f.1``     refused: an address is four plain numbers, or IPv6 in brackets; all else hides one
``https://intranet``   refused: names that only a private network knows (no dot; ``.internal``, ``.local``, …)
=====================  =================================================================================
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

PRIVATE_NAMES = (
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "lan",
    "home",
    "corp",
    "arpa",
)
"""Last labels of names that no public DNS answers, metadata services' among them."""

PLATFORM = {IPv4Address("168.63.129.16")}
"""Public addresses that mean the machine's own platform: Azure's, on every machine of it."""

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\\s]")


def is_url(text: str) -> bool:
    """Whether somebody could post to this at all."""
    return _parts(text) is not None


def unsafe(text: str) -> str:
    """Why nothing should be posted to a URL, as the end of a sentence; empty where it is well."""
    parts = _parts(text)
    if parts is None:
        return "should be an https:// URL"
    if parts.scheme != "https":
        return "is not encrypted; write https://"
    if "@" in parts.netloc:
        return "holds a user name; leave it out, and check what is posted by its signature"
    host = (parts.hostname or "").rstrip(".")
    if parts.netloc.startswith("["):
        return _unsafe_ipv6(host)
    labels = host.split(".")
    if _NUMBER.match(labels[-1]):
        return _unsafe_ipv4(host)
    if not all(_LABEL.match(label) for label in labels):
        return "has a host that is no name; write letters, digits, - and dots (xn--… for others)"
    if len(labels) == 1 or labels[-1] in PRIVATE_NAMES:
        return "names a host that only a private network knows"
    return ""


def _parts(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    whole = parts.scheme in ("http", "https") and bool(parts.hostname) and not _FORBIDDEN.search(text)
    return parts if whole else None


def _unsafe_ipv4(host: str) -> str:
    try:
        address = IPv4Address(host)
    except ValueError:
        return "writes an address in a way that hides it; write four plain numbers, or a name"
    return "" if _public(address) else _LOCAL


def _unsafe_ipv6(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return "has brackets around what is no IPv6 address"
    if not isinstance(address, IPv6Address):
        return _LOCAL
    inside = address.sixtofour or address.teredo or address.scope_id or address.is_site_local
    return "" if not inside and _public(address) else _LOCAL


_LOCAL = "leads to an address of a private network, or of the machine itself"


def _public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public network. What is reserved holds, in IPv6, every way to wrap an
    IPv4 address (mapped, compatible, translated)."""
    special = address.is_multicast or address.is_reserved or address in PLATFORM
    return address.is_global and not special
