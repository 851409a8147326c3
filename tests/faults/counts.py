"""What clients count at their own sockets, held against what the lab says that it has counted."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import aiohttp

from lab.catalogue import MODES
from lab.clients.link import Event, Link

FIGURES = ("requests", "messages", "bytes_in", "bytes_out")
PATIENCE_S = 15.0


@dataclass
class Count:
    """What one client, or many, did by one technique in one direction, in the words of the meters."""

    requests: int = 0
    messages: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def receive(self, events: list[Event]) -> None:
        """Count the messages among these events."""
        self.messages += sum(event["type"] == "message" for event in events)

    def __add__(self, other: "Count") -> "Count":
        return Count(*(getattr(self, name) + getattr(other, name) for name in FIGURES))


class CountedSocket(socket.socket):
    """A socket that counts its bytes; the lab's `bytes_in` are those that a client sends."""

    def __init__(self, count: Count, family: int, type_: int, protocol: int, *_: object) -> None:
        super().__init__(family, type_, protocol)
        self.count = count

    def send(self, data: Any, *flags: int) -> int:
        """Send, and count what the kernel took."""
        size = super().send(data, *flags)
        self.count.bytes_in += size
        return size

    def recv(self, size: int, *flags: int) -> bytes:
        """Receive, and count what came."""
        data = super().recv(size, *flags)
        self.count.bytes_out += len(data)
        return data


@dataclass
class CountedLink(Link):
    """A client's link that counts requests and bytes where they leave and arrive."""

    count: Count = field(default_factory=Count)

    @cached_property
    def session(self) -> aiohttp.ClientSession:
        """The client's own connection, counted."""
        session = super().session
        # Neither can be given to a session that was made elsewhere.
        session.connector._socket_factory = lambda kind: CountedSocket(self.count, *kind)
        session.trace_configs.append(asked := aiohttp.TraceConfig())
        asked.on_request_start.append(self._asks)
        asked.freeze()
        return session

    async def _asks(self, *_: object) -> None:
        self.count.requests += 1


Counts = dict[tuple[str, str], Count]
Look = Callable[[], Awaitable[dict[str, Any]]]


async def contradictions(look: Look, before: dict[str, Any], count: Callable[[], Counts]) -> list[str]:
    """What the lab has counted otherwise than its clients, when nothing is on its way any more."""
    began, found = time.monotonic(), ["not compared"]
    while found and time.monotonic() - began < PATIENCE_S:
        await asyncio.sleep(0.1)
        found = list(differences((await look())["techniques"], before["techniques"], count()))
    return found


def differences(now: dict[str, Any], before: dict[str, Any], counts: Counts) -> Iterator[str]:
    """Each figure in which the lab and its clients differ."""
    for mode in MODES:
        for way in ("receive", "send"):
            for name in FIGURES:
                theirs = now[mode][way][name] - before[mode][way][name]
                ours = getattr(counts[mode, way], name)
                if theirs != ours:
                    yield f"{mode} {way}: the lab counted {theirs:,} {name}, its clients {ours:,}"
