"""A slow link without root, on any system: a relay that delays every byte on its way to the lab and back.

    listener ──> relay ── delay, jitter, bandwidth ──> lab        and the same on the way back

Every connection has its own line, as every phone has: the bandwidth is per listener.
A relay of bytes cannot do everything that a network does: it cannot lose or reorder segments (for a program a
loss is a stall, and here it is called a stall), it has no slow start and no congestion, and it does not count
TCP/IP headers against the bandwidth. The operating system answers the handshake of TCP at once; so the first
bytes of a connection take the round trip longer that it would cost.

`python -m lab.experiment.relay PLAN` prints its address in a line of JSON, accepts orders in lines of JSON
(`{"stall_s": 2}`, `{"cut": true}`), and ends when its standard input does.
"""

import asyncio
import json
import random
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from lab.experiment.link_model import Network
from lab.json_types import JsonObject

QUEUE_BYTES = 1024 * 1024
"""Most bytes on one line; above, it stops reading and TCP makes the sender wait."""
TIMER_S = 0.0005
"""epoll waits whole milliseconds, rounded up, so half a millisecond is subtracted from every delay."""
BACKLOG = 4096


class Line:
    """One direction of one connection: bytes come out later, complete and in order.

    `out` is called with each piece at its time, and with None for the end. `first_s` is how much later
    than usual the first piece is.
    """

    def __init__(self, network: Network, out: Callable[[bytes | None], None], first_s: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._network = network
        self._out = out
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._sent_until = self._loop.time() + first_s
        self._last_due = self._not_before = 0.0
        self.blocked = False
        self.queued_bytes = 0
        self.on_room: Callable[[], None] = lambda: None

    def carry(self, data: bytes | None) -> None:
        """Add a piece. Pieces are transmitted one after the other; their delays run in parallel."""
        self._sent_until = max(self._sent_until, self._loop.time()) + self._transmission(data)
        self._last_due = max(self._last_due, self._sent_until + self._delay())
        self._waiting.append((self._last_due, data))
        self.queued_bytes += len(data or b"")
        self._appoint()

    def stall(self, seconds: float) -> None:
        """Deliver nothing for so long, as after a lost segment until it is repeated."""
        self._not_before = self._loop.time() + seconds
        self._appoint()

    def block(self, blocked: bool) -> None:
        """Pause while the receiver's buffer is full; go on afterwards."""
        self.blocked = blocked
        self._appoint()

    @property
    def full(self) -> bool:
        """Whether the line holds its most bytes."""
        return self.queued_bytes >= QUEUE_BYTES

    def close(self) -> None:
        """Discard the bytes on the line."""
        self._waiting.clear()
        self._appoint()

    def _transmission(self, data: bytes | None) -> float:
        return 8 * len(data or b"") / self._network.bandwidth if self._network.bandwidth else 0.0

    def _delay(self) -> float:
        jitter = self._network.jitter_s
        return max(0.0, self._network.rtt_s / 2 + random.uniform(-jitter, jitter))

    def _appoint(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and not self.blocked:
            due = max(self._waiting[0][0], self._not_before)
            self._timer = self._loop.call_at(due - TIMER_S, self._deliver)

    def _deliver(self) -> None:
        now = self._loop.time() + TIMER_S
        while self._waiting and not self.blocked and max(self._waiting[0][0], self._not_before) <= now:
            data = self._waiting.popleft()[1]
            self.queued_bytes -= len(data or b"")
            self._out(data)
        if not self.full:
            self.on_room()
        self._appoint()


class End(asyncio.Protocol):
    """One end of a relayed connection: its reads go to one line, and the bytes of the other are written."""

    def __init__(self, relay: "Relay") -> None:
        self.relay = relay
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self.other: End
        self.away: Line
        """The line for the bytes that this end reads."""
        self.here: Line
        """The line of the bytes that this end writes."""

    def join(self, other: "End", first_s: float = 0.0) -> None:
        """Connect this end to the other by a line."""
        self.other = other
        self.away = other.here = Line(self.relay.network, other.write, first_s)
        self.away.on_room = self._read_on

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """This end is open."""
        self.transport = cast(asyncio.Transport, transport)
        self.relay.ends.add(self)

    def data_received(self, data: bytes) -> None:
        """Put received bytes on the line; stop reading when it is full."""
        self.away.carry(data)
        if self.away.full and self.transport:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """The sending side of the peer is closed: forward that after the bytes on the line."""
        self.away.carry(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """This end is closed: close the other after the bytes on the line."""
        self.relay.ends.discard(self)
        self.closed = True
        self.here.close()
        self.away.carry(None)

    def pause_writing(self) -> None:
        """The buffer of the receiver is full: block the line."""
        self.here.block(True)

    def resume_writing(self) -> None:
        """The receiver accepts bytes again: unblock the line."""
        self.here.block(False)

    def write(self, data: bytes | None) -> None:
        """Write bytes that came off the line; None is the end."""
        if self.transport is None or self.transport.is_closing():
            return
        if data is not None:
            self.transport.write(data)
        elif self.other.closed:
            self.transport.close()
        else:  # the peer closed only its sending side, and still receives
            with suppress(OSError):  # it may just have been closed
                self.transport.write_eof()

    def abort(self) -> None:
        """Abort the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def _read_on(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()


class Near(End):
    """The end towards a listener. It opens the far one, towards the lab, as soon as it is open itself."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A listener has connected: open the other end; the line waits for it."""
        super().connection_made(transport)
        far = End(self.relay)
        self.join(far, first_s=self.relay.network.rtt_s)
        far.join(self)
        self.away.block(True)
        self._opening = asyncio.ensure_future(self._open(far))

    async def _open(self, far: End) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: far, self.relay.host, self.relay.port)
        except OSError:
            self.abort()
        else:
            self.away.block(False)


class Relay:
    """A slow link in front of one address: `async with Relay(host, port, network) as relay: relay.url`."""

    def __init__(self, host: str, port: int, network: Network) -> None:
        self.host, self.port, self.network = host, port, network
        self.ends: set[End] = set()
        self.listens_on = 0

    async def __aenter__(self) -> "Relay":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Near(self), "127.0.0.1", 0, backlog=BACKLOG)
        self.listens_on = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    @property
    def url(self) -> str:
        """The URL of the relay."""
        return f"http://127.0.0.1:{self.listens_on}"

    def stall(self, seconds: float) -> None:
        """Deliver nothing for so long, on every connection and both ways."""
        for end in self.ends:
            end.away.stall(seconds)

    def cut(self) -> None:
        """Abort every connection, and discard the bytes on the lines."""
        for end in list(self.ends):
            end.abort()


async def relay(plan: JsonObject) -> None:
    """Run a relay until standard input ends, and execute the orders on it."""
    async with Relay(plan["host"], plan["port"], Network(**plan["network"])) as running:
        sys.stdout.write(json.dumps({"port": running.listens_on}) + "\n")
        sys.stdout.flush()
        while orders := await asyncio.to_thread(sys.stdin.readline):
            obey(running, json.loads(orders))


def obey(running: Relay, orders: JsonObject) -> None:
    """Execute an order: stall or cut."""
    if seconds := orders.get("stall_s"):
        running.stall(seconds)
    if orders.get("cut"):
        running.cut()


if __name__ == "__main__":
    asyncio.run(relay(json.loads(sys.argv[1])))
