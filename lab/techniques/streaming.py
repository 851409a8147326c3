"""One way to send for all techniques that stream: bytes built once and shared, and nobody waited for.

All clients of one framing hang on one channel. When the room has news, the channel builds the bytes once and
hands the very same bytes to every client's socket: one system call per client, and next to nothing else.

A client whose socket did not take everything is left alone; it is not sent more, so it cannot fill the
memory. When it has taken what it was sent, it fetches what came since from the room's ring, at its own pace,
and is told of a gap if that was more than the ring keeps. Who takes nothing for ten seconds is dropped.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from tornado.iostream import StreamClosedError

from lab.room.messages import Batch, Cursor, bye
from lab.techniques.endpoint import Endpoint
from lab.techniques.lab import Lab

PATIENCE_S = 10.0
"""Seconds in which a client must take one batch of at most 100 messages."""

Frame = Callable[[Batch], bytes]
Seal = Callable[[bytes], bytes]
"""The last touch to shared bytes, for what differs from client to client without changing their length."""


class Channel:
    """All open streams of one framing: hears the room once for all of them."""

    def __init__(self, lab: Lab, frame: Frame, heartbeat: bytes) -> None:
        self.room = lab.room
        self.frame = frame
        self.heartbeat = heartbeat
        self.outlets: dict[Outlet, None] = {}

    @classmethod
    def of(cls, lab: Lab, frame: Frame, heartbeat: bytes) -> "Channel":
        """The channel of this framing, made when it is first wanted."""
        if frame not in lab.channels:
            lab.channels[frame] = cls(lab, frame, heartbeat)
        channel: Channel = lab.channels[frame]
        return channel

    def __len__(self) -> int:
        return len(self.outlets)

    def join(self, outlet: "Outlet", after: Cursor | None) -> Batch:
        """One client more. Returns what is kept after its cursor."""
        self.outlets[outlet] = None
        return self.room.stream(self, after)

    def leave(self, outlet: "Outlet") -> None:
        """One client less."""
        self.outlets.pop(outlet, None)
        if not self.outlets:
            self.room.leave(self)

    def hear(self, batch: Batch) -> None:
        """The room has news: hand the same bytes to every client that keeps up."""
        data = batch.framed(self.frame)
        for outlet in list(self.outlets):
            if outlet.pulling is None:
                outlet.hand(data, batch)

    def say_goodbye(self, retry_ms: tuple[int, int]) -> None:
        """Tell every client when to come back, each at a moment of its own, and end its stream."""
        for outlet in list(self.outlets):
            if outlet.pulling is None:
                batch = Batch((bye(random.randint(*retry_ms)),), outlet.cursor)
                outlet.hand(batch.framed(self.frame), batch)
            outlet.close()

    def beat(self, now: float, silence: float) -> None:
        """A sign of life for every client that has been told nothing for so many seconds."""
        for outlet in list(self.outlets):
            if outlet.pulling is None and now - outlet.last_write >= silence:
                outlet.last_write = now
                outlet.endpoint.meter.frames_out += 1
                outlet.send(self.heartbeat)


class Outlet:
    """An open stream to one client: its socket, its cursor, and a task that pulls when it is behind."""

    __slots__ = ("channel", "cursor", "endpoint", "finished", "last_write", "pulling", "seal", "socket")

    def __init__(self, endpoint: Endpoint, channel: Channel, seal: Seal | None = None) -> None:
        self.endpoint = endpoint
        self.channel = channel
        self.seal = seal
        self.socket = endpoint.bytes
        self.cursor = channel.room.top
        self.last_write = endpoint.now()
        self.pulling: asyncio.Task[None] | None = None
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self, after: Cursor | None) -> None:
        """Send what is kept after the cursor, and from now on everything."""
        batch = self.channel.join(self, after)
        self.cursor = batch.cursor
        if batch.events:
            self.hand(batch.framed(self.channel.frame), batch, timed=after is not None)

    def hand(self, data: bytes, batch: Batch, timed: bool = True) -> None:
        """Give the socket the bytes of a batch, and count it when it has taken them."""
        self.cursor = batch.cursor
        if self.send(self.seal(data) if self.seal else data, batch, timed):
            self._count(batch, timed)

    def send(self, data: bytes, batch: Batch | None = None, timed: bool = False) -> bool:
        """Give the socket some bytes. If it does not take them all, leave this client alone until it has."""
        taken = self.socket.send(data)
        if not taken and self.pulling is None:
            self.pulling = asyncio.ensure_future(self._pull(batch, timed))
        return taken

    def _count(self, batch: Batch, timed: bool) -> None:
        self.last_write = self.endpoint.count(batch, timed)
        self.endpoint.meter.frames_out += len(batch.events)

    async def _pull(self, batch: Batch | None, timed: bool) -> None:
        """Wait until the client has taken what it was sent, then fetch what came since, until it is even."""
        try:
            while True:
                await asyncio.wait_for(self.socket.write(b""), PATIENCE_S)
                if batch:
                    self._count(batch, timed)
                batch, timed = self.channel.room.ask(self.cursor), True
                if not batch.events:
                    break
                self.cursor = batch.cursor
                data = batch.framed(self.channel.frame)
                self.socket.send(self.seal(data) if self.seal else data)
            self.pulling = None
        except (TimeoutError, StreamClosedError):
            self.socket.close()

    def close(self) -> None:
        """This client is gone, or has been told to go."""
        self.channel.leave(self)
        if not self.finished.done():
            self.finished.set_result(None)


async def stream(
    endpoint: Endpoint, frame: Frame, preamble: bytes, heartbeat: bytes, seal: Seal | None = None
) -> None:
    """Answer an HTTP request without end: the head and a preamble at once, then every event as it comes."""
    after = endpoint.after
    if endpoint.request.version == "HTTP/1.1":
        frame, heartbeat = chunked(frame), chunk(heartbeat)
    outlet = Outlet(endpoint, Channel.of(endpoint.lab, frame, heartbeat), seal)
    endpoint.held = outlet.finished
    with suppress(StreamClosedError, asyncio.CancelledError):  # the client hung up
        endpoint.write(preamble)
        await endpoint.flush()
        outlet.begin(after)
        await outlet.finished
    outlet.close()


def chunk(data: bytes) -> bytes:
    """One chunk of a body of unknown length (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def chunked(frame: Frame) -> Frame:
    """The same framing, each batch in a chunk of its own."""
    return lambda batch: chunk(frame(batch))
