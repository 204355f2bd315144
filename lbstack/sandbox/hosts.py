"""Which hosts are this machine, and which addresses a sandbox may connect to."""

from __future__ import annotations

import ipaddress
import socket


class ForbiddenHostError(ValueError):
    """A host that the sandbox must not connect to; the message says why."""


def is_loopback(host: str) -> bool:
    """Say whether a host name or address means this machine and nothing else."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def addresses(host: str, outbound: bool) -> list[str]:
    """Resolve a host, once, to the addresses that may be connected to, in the resolver's order.

    One address that is not allowed forbids the host (ForbiddenHostError): a name that leads to several
    places must not be tried until the check looks elsewhere. Connect to what is returned and not to the
    name, which may lead elsewhere when it is asked again. Without ``outbound`` no name but this machine's
    own is resolved at all. Raises OSError for a name that cannot be resolved.
    """
    if not outbound and not is_loopback(host):
        raise ForbiddenHostError(f"The sandbox delivers to this machine only, not to {host}")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise ForbiddenHostError(f"No name of a host: {host}") from None
    resolved = list(dict.fromkeys(str(each[4][0]) for each in found))
    for address in resolved:
        if not _may_connect(address, outbound):
            raise ForbiddenHostError(f"The sandbox does not connect to {address}, the address of {host}")
    return resolved


def _may_connect(address: str, outbound: bool) -> bool:
    """Loopback always; beyond it no address that means a neighbour, a group, nobody, or nothing yet.

    Link-local addresses are where clouds keep a machine's credentials.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return True
    return outbound and not (ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved)
