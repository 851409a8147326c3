"""How all streaming techniques send: bytes are built once and shared, and no client delays another.

All clients with one framing are in one channel. When the room has new events, the channel builds the bytes
once and writes the same bytes to every client's socket: one system call per client, and little else.

When a client's socket does not accept all bytes, the channel sends that client nothing more, so that its
queue cannot fill the memory. Once the queue is empty, the client gets the later events from the room's ring,
piece by piece at its own pace, and a gap event if the ring no longer keeps them all. A client that does not
accept a piece within ten seconds is disconnected.
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
"""Seconds within which a client must accept one piece."""

Frame = Callable[[Batch], bytes]
Seal = Callable[[bytes], bytes]
"""Makes of the shared bytes those of one client, which are then sent; inside a chunk the length must stay."""


class Channel:
    """All open streams with one framing: one listener of the room for all of them."""

    def __init__(self, context: Context, frame: Frame, heartbeat: bytes) -> None:
        self.room = context.room
        self.frame = frame
        self.heartbeat = heartbeat
        self.outlets: dict[Outlet, None] = {}

    @classmethod
    def of(cls, context: Context, frame: Frame, heartbeat: bytes) -> "Channel":
        """The channel of this framing; it is created at the first call."""
        if frame not in context.channels:
            context.channels[frame] = cls(context, frame, heartbeat)
        return cast(Channel, context.channels[frame])

    def __len__(self) -> int:
        return len(self.outlets)

    def join(self, outlet: "Outlet", after: Cursor | None) -> Batch:
        """Add a client's stream. Returns the kept events after its cursor."""
        self.outlets[outlet] = None
        return self.room.stream(self, after)

    def leave(self, outlet: "Outlet") -> None:
        """Remove a client's stream; without any, stop listening to the room."""
        self.outlets.pop(outlet, None)
        if not self.outlets:
            self.room.leave(self)

    def notify(self, batch: Batch) -> None:
        """Receive new events from the room: write the same bytes to every client that keeps up."""
        for piece in batch.pieces:
            self.hand(piece, list(self.outlets))

    def hand(self, batch: Batch, outlets: list["Outlet"], timed: bool = True) -> None:
        """Write a batch to these clients in one loop without an await, and count it afterwards."""
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
        """Count a batch for all endpoints that have sent it, in one addition, because they share a meter."""
        anyone = next(iter(delivered_at))
        anyone.meter.frames_out += len(delivered_at) * len(batch.events)
        anyone.count(batch, delivered_at, timed)

    def send_bye(self, retry_ms: tuple[int, int]) -> None:
        """Send every client a `bye` with its own random time to reconnect, and end its stream."""
        for outlet in list(self.outlets):
            self.hand(Batch((bye(random.randint(*retry_ms)),), self.room.top), [outlet])
            outlet.close()

    def beat(self, now: float, silence: float) -> None:
        """Send a heartbeat to every client to which nothing was sent for so many seconds."""
        for outlet in list(self.outlets):
            if outlet.pulling is None and now - outlet.last_write >= silence:
                outlet.last_write = now
                outlet.endpoint.meter.frames_out += 1
                outlet.send_one(self.heartbeat)


class Outlet:
    """An open stream to one client: how to write to its socket, and a task that pulls when it is behind."""

    __slots__ = ("channel", "endpoint", "finished", "last_write", "pulling", "send", "socket")

    def __init__(self, endpoint: Endpoint, channel: Channel, seal: Seal | None = None) -> None:
        self.endpoint = endpoint
        self.channel = channel
        self.socket = endpoint.stream
        self.send = sealed(self.socket.send, seal) if seal else self.socket.send
        """Write shared bytes to the socket; returns whether all were sent."""
        self.last_write = endpoint.now()
        self.pulling: asyncio.Task[None] | None = None
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self, after: Cursor | None) -> None:
        """Send the kept events after the cursor, and from now on every new event."""
        self.endpoint.forget_headers()
        self.socket.head = b""
        for piece in self.channel.join(self, after).pieces:
            self.channel.hand(piece, [self], timed=after is not None)
        if self.channel.room.leaving:
            self.close()  # the lab closes: this client has just received its bye

    def send_one(self, data: bytes) -> bool:
        """Send bytes to this client only; returns whether all were sent."""
        fully_sent = self.socket.send(data)
        if not fully_sent:
            self.fall_behind()
        return fully_sent

    def fall_behind(self, batch: Batch | None = None, timed: bool = True) -> None:
        """Bytes are queued, perhaps of this batch: send this client nothing more until the queue is empty."""
        if self.pulling is None and not self.finished.done():  # it kept up, so it has every earlier event
            cursor = batch.cursor if batch else self.channel.room.top
            self.pulling = asyncio.ensure_future(self._pull(cursor, batch, timed))

    async def _pull(self, cursor: Cursor, batch: Batch | None, timed: bool) -> None:
        """Wait until the queue is sent, then send the later events from the ring, until the client is up to
        date."""
        try:
            while True:
                # Shielded, because Tornado writes a traceback for a write that is cancelled.
                await asyncio.wait_for(asyncio.shield(self.socket.write(b"")), PATIENCE_S)
                if batch:
                    self.last_write = self.endpoint.now()
                    self.channel.count(batch, {self.endpoint: self.last_write}, timed)
                pieces = self.channel.room.ask(cursor).pieces
                if not pieces or self not in self.channel.outlets:  # up to date, or a socket that only sends
                    break
                batch = pieces[0]
                cursor = batch.cursor
                self.send(batch.framed(self.channel.frame))
            self.pulling = None
        except (TimeoutError, StreamClosedError):
            self.socket.close()

    def close(self) -> None:
        """End this stream: the client has disconnected, or has received its `bye`."""
        self.channel.leave(self)
        if self.pulling is not None:
            self.pulling.cancel()  # nothing may be sent after the end
        if not self.finished.done():
            self.finished.set_result(None)


async def stream(
    endpoint: Endpoint, frame: Frame, preamble: bytes, heartbeat: bytes, seal: Seal | None = None
) -> None:
    """Respond without end: the head and a preamble at once, then every event as it arrives."""
    after = endpoint.after
    if endpoint.request.method == "HEAD":
        return await endpoint.flush()
    if endpoint.request.version == "HTTP/1.1":
        frame, heartbeat = chunked(frame), chunk(heartbeat)
    else:
        endpoint.end_connection()  # the end of the connection ends the response
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
    """A `send` that first makes the bytes of this client."""
    return lambda data: send(seal(data))


def chunk(data: bytes) -> bytes:
    """One chunk of a body of unknown length (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def chunked(frame: Frame) -> Frame:
    """The same framing, with each batch in its own chunk."""
    return lambda batch: chunk(frame(batch))
