"""The addresses of a lab: from the given host to its form in a URL. Binds nothing."""

import socket
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"
HERE = {EVERYWHERE: LOOPBACK, "::": "::1"}
"""Loopback addresses for a lab that listens at all addresses of a family."""


def addresses_of(host: str) -> list[str]:
    """The addresses that a host stands for, IPv4 first; `::` is every address of both families.

    Accepts `[::1]`, as in a URL, too. Raises `OSError` for a name that is unknown or none.
    """
    plain = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = socket.getaddrinfo(plain, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:
        raise OSError(None, "this is not a host name") from error
    names = list(dict.fromkeys(with_zone(place) for _, _, _, _, place in sorted(found, key=lambda f: f[0])))
    return [EVERYWHERE, *names] if names == ["::"] else names


def with_zone(place: Sequence[Any]) -> str:
    """The address of a socket; a link-local one has the name of its network interface."""
    address = str(place[0])
    zone = place[3] if len(place) > 3 and "%" not in address else 0
    return f"{address}%{socket.if_indextoname(zone)}" if zone else address


def in_url(address: str) -> str:
    """The address as in a URL: IPv6 in brackets (RFC 3986 3.2.2), its zone escaped (RFC 6874 2)."""
    return f"[{address.replace('%', '%25')}]" if ":" in address else address


def nearest(bound: Iterable[str]) -> str:
    """The best of the bound addresses for this machine itself."""
    reachable = [HERE.get(address, address) for address in bound]
    return min(reachable, key=lambda address: (address != LOOPBACK, not is_loopback(address), ":" in address))


def for_others(bound: Iterable[str]) -> list[str]:
    """The bound addresses for other machines, without those that a browser cannot open."""
    return [address for address in bound if not is_loopback(address) and "%" not in address]


def is_loopback(address: str) -> bool:
    """Whether this is a loopback address (127.0.0.0/8 or ::1)."""
    return ip_address(address).is_loopback
