"""A lab on another machine: what was calibrated on this one says nothing of its times."""

import asyncio
import socket
from urllib.parse import urlsplit

from lab.json_types import JsonObject

TIMES = ("latency_mean_s", "latency_clients_s", "load")
"""The predicted figures that are times, or follow from times."""


async def predicted_at(url: str | None, predicted: JsonObject) -> JsonObject:
    """A prediction for the lab at a URL: without times when that is another machine; None is an own lab."""
    if url is None or await asyncio.to_thread(is_here, urlsplit(url).hostname or ""):
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
    """Whether the system would send from this address to it; connecting a UDP socket sends nothing."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(address)
        return bool(probe.getsockname()[0] == address[0])
