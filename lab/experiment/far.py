"""A lab on another machine: what was calibrated on this one says nothing of its times."""

import asyncio
import socket
from urllib.parse import urlsplit

from lab.json_types import JsonObject

TIMES = ("latency_mean_s", "latency_clients_s", "load")
"""The predicted figures that are times, or follow from times."""


async def predicted_at(url: str | None, predicted: JsonObject, engine: object = None) -> JsonObject:
    """A prediction for the lab at a URL: without times when that is another machine; None is an own lab.

    With an engine the listeners are on other machines.
    """
    near = url is None or await asyncio.to_thread(is_here, urlsplit(url).hostname or "")
    if near and engine is None:
        return predicted
    return predicted | dict.fromkeys(TIMES)


def is_here(host: str) -> bool:
    """Whether all addresses of a host are this machine's: then packets to it leave from the same address.

    A name that is not known is not here. The end of a tunnel looks like a lab on this machine.
    """
    try:
        found = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)
        return all(_own(family, address) for family, _, _, _, address in found)
    except (OSError, UnicodeError):
        return False


def _own(family: int, address: tuple[object, ...]) -> bool:
    return _leaves_from(family, address) == address[0]


def local_address(host: str) -> str:
    """The address of this machine from which packets to a host leave. Raises `OSError`."""
    family, _, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
    return _leaves_from(family, address)


def _leaves_from(family: int, address: tuple[object, ...]) -> str:
    """The address from which the system would send; connecting a UDP socket sends nothing."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])
