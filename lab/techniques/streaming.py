"""One way to send for all techniques that stream: bytes built once and shared, and nobody waited for.

All clients of one framing hang on one channel. When the room has news, the channel builds the bytes once and
hands the very same bytes to every client's socket: one system call per client, and next to nothing else.

A client whose socket did not take everything is left alone; it is not sent more, so it cannot fill the
memory. When it has taken what it was sent, it fetches what came since from the room's ring, piece by piece at
its own pace, and is told of a gap if that was more than the ring keeps. Who does not take a piece in ten
seconds is dropped.
"""

import asyncio
import random
from collections.abc import Callable
from functools import cache
from typing import cast

from tornado.iostream import StreamClosedError

from lab.room.messages import Batch, Cursor, bye
from lab.techniques.context import Context
from lab.techniques.endpoint import DeliveredAt, Endpoint

PATIENCE_S = 10.0
"""Seconds in which a client must take one piece."""

Frame = Callable[[Batch], bytes]
Seal = Callable[[bytes], bytes]
"""The last touch to shared bytes, for what differs from client to client without changing their length."""


class Channel:
    """All open streams of one framing: hears the room once for all of them."""

    def __init__(self, context: Context, frame: Frame, heartbeat: bytes) -> None:
        self.room = context.room
        self.frame = frame
        self.heartbeat = heartbeat
        self.outlets: dict[Outlet, None] = {}

    @classmethod
    def of(cls, context: Context, frame: Frame, heartbeat: bytes) -> "Channel":
        """The channel of this framing, made when it is first wanted."""
        if frame not in context.channels:
            context.channels[frame] = cls(context, frame, heartbeat)
        return cast(Channel, context.channels[frame])

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

    def notify(self, batch: Batch) -> None:
        """The room has news: hand the same bytes to every client that keeps up."""
        for piece in batch.pieces:
            self.hand(piece, list(self.outlets))

    def hand(self, batch: Batch, outlets: list["Outlet"], timed: bool = True) -> None:
        """One loop over those who keep up, with nothing in it that can wait; counted is behind it."""
        data, now, delivered_at = batch.framed(self.frame), Endpoint.now, DeliveredAt()
        for outlet in outlets:
            if outlet.pulling is None:
                if outlet.send(data):
                    outlet.last_write = delivered_at[outlet.endpoint] = now()
                else:
                    outlet.fall_behind(batch, timed)
        if delivered_at:
            self.count(batch, delivered_at, timed)

    def count(self, batch: Batch, delivered_at: DeliveredAt, timed: bool) -> None:
        """Report a batch for all who have taken it: one addition, because they share a meter."""
        anyone = next(iter(delivered_at))
        anyone.meter.frames_out += len(delivered_at) * len(batch.events)
        anyone.count(batch, delivered_at, timed)

    def send_bye(self, retry_ms: tuple[int, int]) -> None:
        """Tell every client when to come back, each at a moment of its own, and end its stream."""
        for outlet in list(self.outlets):
            self.hand(Batch((bye(random.randint(*retry_ms)),), self.room.top), [outlet])
            outlet.close()

    def beat(self, now: float, silence: float) -> None:
        """A sign of life for every client that has been told nothing for so many seconds."""
        for outlet in list(self.outlets):
            if outlet.pulling is None and now - outlet.last_write >= silence:
                outlet.last_write = now
                outlet.endpoint.meter.frames_out += 1
                outlet.send_one(self.heartbeat)


class Outlet:
    """An open stream to one client: how to send to its socket, and a task that pulls when it is behind."""

    __slots__ = ("channel", "endpoint", "finished", "last_write", "pulling", "send", "socket")

    def __init__(self, endpoint: Endpoint, channel: Channel, seal: Seal | None = None) -> None:
        self.endpoint = endpoint
        self.channel = channel
        self.socket = endpoint.stream
        self.send = sealed(self.socket.send, seal) if seal else self.socket.send
        """Give the socket some bytes; whether it took them all."""
        self.last_write = endpoint.now()
        self.pulling: asyncio.Task[None] | None = None
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self, after: Cursor | None) -> None:
        """Send what is kept after the cursor, and from now on everything."""
        self.endpoint.forget_headers()
        self.socket.head = b""
        for piece in self.channel.join(self, after).pieces:
            self.channel.hand(piece, [self], timed=after is not None)
        if self.channel.room.leaving:
            self.close()  # who comes when all have been told is told at once, and goes

    def send_one(self, data: bytes) -> bool:
        """Send something that is for this client alone; whether its socket took it all."""
        delivered_at = self.send(data)
        if not delivered_at:
            self.fall_behind()
        return delivered_at

    def fall_behind(self, batch: Batch | None = None, timed: bool = True) -> None:
        """The client has not taken all, perhaps of this batch: leave it alone until it has."""
        if self.pulling is None and not self.finished.done():  # it kept up, so it has all that was before
            cursor = batch.cursor if batch else self.channel.room.top
            self.pulling = asyncio.ensure_future(self._pull(cursor, batch, timed))

    async def _pull(self, cursor: Cursor, batch: Batch | None, timed: bool) -> None:
        """Wait until the client has taken what it was sent, then fetch what came since, until it is even."""
        try:
            while True:
                # Shielded, because Tornado writes a traceback for a write that is cancelled.
                await asyncio.wait_for(asyncio.shield(self.socket.write(b"")), PATIENCE_S)
                if batch:
                    self.last_write = self.endpoint.now()
                    self.channel.count(batch, {self.endpoint: self.last_write}, timed)
                pieces = self.channel.room.ask(cursor).pieces
                if not pieces or self not in self.channel.outlets:  # even, or only here to send
                    break
                batch = pieces[0]
                cursor = batch.cursor
                self.send(batch.framed(self.channel.frame))
            self.pulling = None
        except (TimeoutError, StreamClosedError):
            self.socket.close()

    def close(self) -> None:
        """This client is gone, or has been told to go."""
        self.channel.leave(self)
        if self.pulling is not None:
            self.pulling.cancel()  # what it would still send does not belong behind the end
        if not self.finished.done():
            self.finished.set_result(None)


async def stream(
    endpoint: Endpoint, frame: Frame, preamble: bytes, heartbeat: bytes, seal: Seal | None = None
) -> None:
    """Answer an HTTP request without end: the head and a preamble at once, then every event as it comes."""
    after = endpoint.after
    if endpoint.request.method == "HEAD":
        return await endpoint.flush()
    if endpoint.request.version == "HTTP/1.1":
        frame, heartbeat = chunked(frame), chunk(heartbeat)
    else:
        endpoint.end_connection()  # its end is the end of the answer
    outlet = Outlet(endpoint, Channel.of(endpoint.context, frame, heartbeat), seal)
    endpoint.waiter = outlet.finished
    try:
        endpoint.write(preamble)
        await endpoint.flush()
        outlet.begin(after)
        await outlet.finished
    except (StreamClosedError, asyncio.CancelledError):
        pass  # the client closed the connection
    finally:
        outlet.close()


def sealed(send: Callable[[bytes], bool], seal: Seal) -> Callable[[bytes], bool]:
    """The same way to send, with the last touch for this client."""
    return lambda data: send(seal(data))


def chunk(data: bytes) -> bytes:
    """One chunk of a body of unknown length (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def chunked(frame: Frame) -> Frame:
    """The same framing, each batch in a chunk of its own."""
    return lambda batch: chunk(frame(batch))
