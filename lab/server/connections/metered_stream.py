"""Counting at the socket: every byte of every TCP stream, credited to the request that it served.

A kept-alive connection carries many requests, perhaps of several techniques. So the stream counts,
each request says whose it is (`claim`), and when the next one begins what passed in between is
credited as a difference. What no request ever claims belongs to `other`.
"""

import socket
import sys
from collections import Counter
from ssl import SSLWantWriteError
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.iostream import IOStream

from lab.meters import Account, Meter, Meters
from lab.server.connections.body_limit import Arriving
from lab.server.connections.heads import diagnosed
from lab.server.connections.lingering_close import Lingering
from lab.server.connections.refused import BARE, Refused
from lab.server.connections.request_stream import HEAD_BYTES, RequestStream, gone
from lab.server.connections.socket_options import TURNED_AWAY, bound_the_cost, most_connections, save_memory
from lab.settings import Settings

DRAIN_BYTES = 2**40
"""A body that is too long is read and thrown away, so that its sender lives to read the answer."""
CONTINUE = b"HTTP/1.1 100"
END_OF_HEAD = b"\r\n\r\n"
FACTS = ("account", "address", "bytes_in", "bytes_out", "cut", "oversized", "owner")
COUNTS = ("_credited_in", "_credited_out", "_head_from", "_head_in", "_head_out")
"""What a stream knows beside its requests; in slots, which are small and quick to reach."""


class MeteredStream(RequestStream):
    """A TCP stream that knows how many bytes went through it and whose they were."""

    __slots__ = (*FACTS, *COUNTS, "_served", "server", "total", "over_limit")

    def __init__(
        self, connection: socket.socket, server: "MeteredServer", address: str, **kwargs: Any
    ) -> None:
        super().__init__(connection, server.settings, server.lingering, **kwargs)
        save_memory(self)
        self.server = server
        self.address = address
        self.total = server.meters.total
        self.owner: Meter | None = None
        self.account: Account | None = None
        self.oversized = False
        self.truncated = False
        self.over_limit = server.full(address)
        self.bytes_in = 0
        self.bytes_out = 0
        self._credited_in = 0
        self._credited_out = 0
        self._head_in = 0
        self._head_out = 0
        self._head_from = 0
        self._served: tuple[Meter, ...] = ()

    # Counting ---------------------------------------------------------------------------------

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read, and count what came."""
        count = super().read_from_fd(buf)
        self.bytes_in += count or 0
        self.total.bytes_in += count or 0
        return count

    def write_to_fd(self, data: memoryview) -> int:
        """Write, and count what the socket took."""
        count = super().write_to_fd(data)
        self.bytes_out += count
        self.total.bytes_out += count
        return count

    def write(self, data: bytes | memoryview) -> Any:
        """Send; the first write of an answer begins with its head, which ends at the empty line."""
        if data == BARE:
            error = sys.exception()  # Tornado answers while it handles it
            self.refuse(error if isinstance(error, Refused) else diagnosed(self.head))
            data = b""
        elif self._head_wanted:
            self._head_begins(bytes(data).index(END_OF_HEAD) + len(END_OF_HEAD))
            self._head_wanted = bytes(data).startswith(CONTINUE)
        return super().write(data)

    def _head_begins(self, size: int) -> None:
        self._head_in += self._head_out_sent()  # of an interim answer, 100 Continue
        self._head_from, self._head_out = self.bytes_out, size
        self._head_wanted = False

    def _head_out_sent(self) -> int:
        """Of the answer's head, what the socket has taken so far."""
        return min(max(self.bytes_out - self._head_from, 0), self._head_out)

    def send(self, data: bytes) -> bool:
        """Hand the socket the bytes themselves, without a queue in between; whether it took them all.

        What it did not take is queued, and so is everything when something is queued already.
        """
        sent = 0
        if self._total_write_index == self._total_write_done_index and not self._closed:  # nothing queued
            try:
                sent = self.socket.send(data)
            except (BlockingIOError, SSLWantWriteError):
                pass
            except OSError as error:
                self.close(exc_info=error)
            self.bytes_out += sent
            self.total.bytes_out += sent
        if sent == len(data):
            return True
        if not self._closed:
            super().write(memoryview(data)[sent:])
        return False

    def send_answer(self, head: bytes, body: bytes) -> bool:
        """The same for a whole answer."""
        self._head_begins(len(head))
        return self.send(head + body)

    def reading(self) -> bool:
        """Whether more may come; between two requests too, until one of full size has come early.

        Tornado would stop listening to whoever asks again at once, and start again: two system calls each.
        """
        return super().reading() or self._read_buffer_size < HEAD_BYTES

    def set_nodelay(self, value: bool) -> None:
        """Nothing: no small packet ever waits for an acknowledgement here, so Tornado need not ask."""

    @property
    def consumed(self) -> int:
        """Bytes that Tornado has taken; what is unread belongs to a later request while one may come."""
        return self.bytes_in - (0 if self._closed else self._read_buffer_size)

    # Crediting --------------------------------------------------------------------------------

    def begin(self) -> None:
        """The connection is ready for a request: what passed until now belonged to the last one."""
        settings = self.server.settings
        self.await_head(settings.idle if self.consumed else settings.patience)
        self.credit(self.consumed, self.server.meters.other)
        self.owner = self.account = None
        self.oversized = False

    def head_ends(self) -> None:
        """The head of the request is in; for its body there is time again."""
        self.await_body()
        self._head_in = self.consumed - self._credited_in

    def claim(self, meter: Meter) -> None:
        """This request is the meter's: all its bytes are, also those that have passed already."""
        self.owner = meter
        self._serves(meter)

    def credit(self, consumed: int, nobody: Meter | None = None) -> None:
        """Credit what has passed to the owner, else to `nobody`; bytes of neither wait for a claim."""
        owner = self.owner or nobody
        if owner is None:
            return
        read, written = consumed - self._credited_in, self.bytes_out - self._credited_out
        owner.bytes_in += read
        owner.bytes_out += written
        if self.account:
            self.account.bytes_in += read
            self.account.bytes_out += written
        sent = self._head_out_sent()
        owner.head_bytes += self._head_in + sent
        self._head_in, self._head_out, self._head_from = 0, self._head_out - sent, self._head_from + sent
        self._credited_in, self._credited_out = consumed, self.bytes_out

    def reassign(self, bytes_in: int, bytes_out: int, meter: Meter) -> None:
        """So many bytes of this connection belong to another meter than its owner."""
        assert self.owner is not None
        self._serves(meter)
        for account, sign in ((self.owner, -1), (meter, 1)):
            account.bytes_in += sign * bytes_in
            account.bytes_out += sign * bytes_out
        if self.account:
            self.account.bytes_in -= bytes_in
            self.account.bytes_out -= bytes_out

    def forget(self) -> None:
        """The meters count from nothing again: so does this connection, but for what is not yet credited."""
        self._served = ()
        if self.owner:
            self._serves(self.owner)
        self.total.bytes_in += self.bytes_in - self._credited_in
        self.total.bytes_out += self.bytes_out - self._credited_out
        self.total.connections += 1

    def _serves(self, meter: Meter) -> None:
        if meter not in self._served:
            self._served += (meter,)
            meter.connections += 1

    def close_fd(self) -> None:
        """The connection is over: credit the rest."""
        self.truncated = self.writing()
        super().close_fd()
        self.credit(self.bytes_in, self.server.meters.other)
        self.server.closed_by(self)


class MeteredServer(HTTPServer):
    """An HTTP server whose streams are metered and whose limits answer in the lab's own shape."""

    def initialize(self, application: Any, settings: Settings, meters: Meters) -> None:  # type: ignore[override]
        """Make a server that does not listen yet."""
        super().initialize(
            application,
            max_body_size=DRAIN_BYTES,
            max_header_size=HEAD_BYTES,
        )
        self.conn_params.header_timeout = None  # `dismiss` looks after all at once, without a timer for each
        self.settings = settings
        self.meters = meters
        self.open: set[MeteredStream] = set()
        self.lingering = Lingering(self._late)
        self.most = min(settings.limit("connections"), most_connections())
        self._from: Counter[str] = Counter()

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """A client has connected: meter its stream, bound what it may cost."""
        if len(self.open) >= self.most + TURNED_AWAY:
            return stream.close()
        bound_the_cost(stream.socket)
        metered = self.metered(stream.socket, address[0])
        self.meters.total.connections += 1
        self.open.add(metered)
        self._from[metered.address] += 1
        super().handle_stream(metered, address)

    def metered(self, connection: socket.socket, address: str) -> MeteredStream:
        """The stream of one connection."""
        return MeteredStream(connection, self, address, max_buffer_size=self.max_buffer_size)

    def full(self, address: str) -> bool:
        """Whether one more connection, from this address, is one too many."""
        return len(self.open) >= self.most or self._from[address] >= self.settings.limit("per_address")

    def closed_by(self, stream: MeteredStream) -> None:
        """A connection is over."""
        self.open.discard(stream)
        self._from[stream.address] -= 1
        if not self._from[stream.address]:
            del self._from[stream.address]

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """The connection is ready for a request, the first or the next."""
        stream: MeteredStream = request_conn.stream  # type: ignore[attr-defined]
        stream.begin()
        return Arriving(super().start_request(server_conn, request_conn), stream, self.settings)

    def close_overdue(self, now: float) -> None:
        """Close what is overdue, and what a client has left unseen; for the pulse of the lab."""
        for stream in [stream for stream in self.open if stream.overdue(now)]:
            stream.close_overdue()
        for blind in gone(stream for stream in self.open if stream.is_blind):
            blind.drop()

    async def close_all_connections(self) -> None:
        """Close what is still open, at once."""
        await super().close_all_connections()
        self.lingering.stop()

    def _late(self, size: int) -> None:
        for meter in (self.meters.total, self.meters.other):
            meter.bytes_in += size

    def credit(self) -> None:
        """Bring the meters up to this moment."""
        for stream in self.open:
            stream.credit(stream.consumed)

    def reset(self) -> None:
        """Let the meters count from nothing again; what is credited later still adds up."""
        self.credit()
        self.meters.reset()
        for stream in self.open:
            stream.forget()
