"""Count bytes at the socket: every byte of every TCP stream is credited to the request that it served.

A kept-alive connection carries many requests, perhaps of several techniques. So the stream counts, each
request names its meter (`claim`), and when the next one begins, the difference of the counts is credited.
Bytes that no request claims are credited to `other`.
"""

import socket
import sys
from collections.abc import Callable
from ssl import SSLWantWriteError
from typing import Any, Protocol

from lab.meters import Account, Meter, Meters, Segments
from lab.server.connections.heads import diagnosed
from lab.server.connections.lingering_close import Lingering
from lab.server.connections.refused import BARE, Refused
from lab.server.connections.request_stream import HEAD, HEAD_BYTES, Poll, RequestStream
from lab.server.connections.segments import segments
from lab.settings import Settings

CONTINUE = b"HTTP/1.1 100"
END_OF_HEAD = b"\r\n\r\n"
FACTS = ("account", "address", "bytes_in", "bytes_out", "cut", "oversized", "owner", "poll")
COUNTS = ("_carried", "_credited_in", "_credited_out", "_head_from", "_head_in", "_head_out", "_segments")
"""Attributes of a stream in slots, which need little memory and are fast."""


class Server(Protocol):
    """What a stream needs of its server, `MeteredServer`."""

    settings: Settings
    meters: Meters
    lingering: Lingering
    begins_poll: "Callable[[MeteredStream, bytes], bool] | None"
    """Answers bytes that are a whole poll, if they are; None leaves all requests to Tornado."""

    def full(self, address: str) -> bool:
        """Whether one more connection, from this address, is one too many."""

    def closed_by(self, stream: "MeteredStream") -> None:
        """Forget a closed connection."""


class MeteredStream(RequestStream):
    """A TCP stream that counts its bytes and credits them to meters."""

    __slots__ = (*FACTS, *COUNTS, "_served", "server", "total", "over_limit")

    def __init__(self, connection: socket.socket, server: Server, address: str, **kwargs: Any) -> None:
        super().__init__(connection, server.settings, server.lingering, **kwargs)
        self.server = server
        self.address = address
        self.total = server.meters.total
        self.owner: Meter | None = None
        self.account: Account | None = None
        self.poll: Poll | None = None
        """The poll that the lab answers itself, while Tornado waits for the next head."""
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
        self._carried: Meter | None = None
        self._segments = Segments()

    # Counting ---------------------------------------------------------------------------------

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read, and count the received bytes. Tornado receives none of a poll that the lab answers itself."""
        if self.poll is not None and self.leaves_unread():
            return None
        count = super().read_from_fd(buf)
        self.bytes_in += count or 0
        self.total.bytes_in += count or 0
        if count and self.stage == HEAD and self._is_poll(buf, count):
            return None
        return count

    def _is_poll(self, buf: bytearray | memoryview, count: int) -> bool:
        begins = self.server.begins_poll
        return begins is not None and not self.unread and begins(self, bytes(buf[:count]))

    def write_to_fd(self, data: memoryview) -> int:
        """Write, and count the sent bytes."""
        count = super().write_to_fd(data)
        self.bytes_out += count
        self.total.bytes_out += count
        return count

    def write(self, data: bytes | memoryview) -> Any:
        """Send; the first write of a response begins with its head, which ends at the empty line."""
        if data == BARE:
            error = sys.exception()  # Tornado writes its response while it handles this error
            self.refuse(error if isinstance(error, Refused) else diagnosed(self.head))
            data = b""
        elif self._head_wanted:
            self._head_begins(bytes(data).index(END_OF_HEAD) + len(END_OF_HEAD))
            self._head_wanted = bytes(data).startswith(CONTINUE)
        return super().write(data)

    def _head_begins(self, size: int) -> None:
        if self._head_out:
            self._head_in += self._head_out_sent()  # of an interim response, 100 Continue
        self._head_from, self._head_out = self.bytes_out, size
        self._head_wanted = False

    def _head_out_sent(self) -> int:
        """Bytes of the response's head that are sent so far."""
        sent, size = self.bytes_out - self._head_from, self._head_out
        return size if sent >= size else sent if sent > 0 else 0  # for each response, so without calls

    def send(self, data: bytes) -> bool:
        """Write the bytes directly to the socket, without a queue; returns whether all were sent.

        The rest is queued, and so are all bytes when the queue is not empty.
        """
        sent = 0
        if not self.queued and self.socket is not None:  # else bytes would overtake others, or it is closed
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
        if not self.closed():
            super().write(memoryview(data)[sent:])
        return False

    def send_answer(self, head: bytes, body: bytes) -> bool:
        """Send a whole response; returns whether all bytes were sent."""
        self._head_begins(len(head))
        return self.send(head + body)

    def reading(self) -> bool:
        """Whether the stream reads; also between two requests, until a whole read has arrived early.

        Tornado would stop reading and start again between two quick requests: two system calls each.
        """
        return super().reading() or self.unread < HEAD_BYTES

    def set_nodelay(self, value: bool) -> None:
        """Do nothing: Nagle's algorithm is always off, so Tornado does not need to switch it."""

    @property
    def consumed(self) -> int:
        """Bytes that Tornado has consumed; unread bytes belong to a later request while one may follow."""
        return self.bytes_in - (0 if self.closed() else self.unread)

    # Polls that the lab answers itself --------------------------------------------------------

    def poll_begins(self, poll: Poll, head: bytes) -> None:
        """This poll has arrived, whole; Tornado waits for the head of the request after it."""
        self.poll, self.head = poll, head
        self._head_in = self.consumed - self._credited_in
        self.complete()

    def poll_ends(self) -> None:
        """The response is sent: the next request may begin, also with bytes that were left unread."""
        self.poll = None
        if self.closed():
            return
        was_paused, self.is_paused = self.is_paused, False
        self.begin()
        if was_paused:
            self.io_loop.update_handler(self.fileno(), self.io_loop.READ)

    def drop(self) -> None:
        """Close; bytes that the client sent before it disconnected are read, so that they are counted."""
        poll, self.poll = self.poll, None
        super().drop()
        if poll is not None:
            poll.on_connection_close()

    # Crediting --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a request: credit all bytes until now to the last one."""
        settings = self.server.settings
        self.await_head(settings.idle if self.consumed else settings.patience)
        self.credit(self.consumed, self.server.meters.other)
        self.owner = self.account = None
        self.oversized = False

    def head_ends(self) -> None:
        """The head of the request has arrived; the time limit for its body begins."""
        self.await_body()
        self._head_in = self.consumed - self._credited_in

    def claim(self, meter: Meter) -> None:
        """Credit all bytes of this request to this meter, also those already counted."""
        if self._carried is not meter:
            self.credit_segments()
            self._carried = meter
        self.owner = meter
        self._serves(meter)

    def credit(self, consumed: int, fallback: Meter | None = None) -> None:
        """Credit the new bytes to the owner, else to `fallback`; without both they wait for a claim."""
        owner = self.owner or fallback
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

    def credit_segments(self) -> None:
        """Credit the new TCP segments to the meter of the last request.

        It is a system call, so it is done when a report asks, and when the next request has another meter.
        """
        found = segments(self.socket) if self._carried else None
        if found and self._carried:
            self._carried.segments = self._carried.segments.plus(found).plus(self._segments, -1)
            self._segments = found

    def reassign(self, bytes_in: int, bytes_out: int, meter: Meter) -> None:
        """Move so many bytes of this connection from its owner to another meter."""
        assert self.owner is not None
        self._serves(meter)
        for account, sign in ((self.owner, -1), (meter, 1)):
            account.bytes_in += sign * bytes_in
            account.bytes_out += sign * bytes_out
        if self.account:
            self.account.bytes_in -= bytes_in
            self.account.bytes_out -= bytes_out

    def forget(self) -> None:
        """Restart the counts of this connection at a reset of the meters; bytes not yet credited are kept."""
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
        """Close the socket and credit the remaining bytes."""
        self.truncated = self.writing()
        self.credit_segments()
        super().close_fd()
        self.credit(self.bytes_in, self.server.meters.other)
        self.server.closed_by(self)
        poll, self.poll = self.poll, None
        if poll is not None:
            self.io_loop.add_callback(poll.on_connection_close)
