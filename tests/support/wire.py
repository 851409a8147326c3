"""HTTP over a bare connection that keeps every byte and knows where heads end. Uses no code of the lab."""

import asyncio
import json
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
DEADLINE_S = 40.0
"""Nothing in these tests takes nearly as long; what does is lost."""
END_OF_HEAD = b"\r\n\r\n"
JSON = {"Content-Type": "application/json"}
"""The header of a JSON body."""
TCP_INFO_ACKED = 120
"""Where Linux' struct tcp_info keeps tcpi_bytes_acked; tcpi_bytes_received follows it."""


Headers = Mapping[str, str] | None
OPEN: set["Wire"] = set()
"""Every connection that has not been closed."""


class Closed(Exception):
    """The other side has ended the connection."""


@dataclass(frozen=True)
class Head:
    """The first part of an answer: its status and its headers, by their names in lower case."""

    status: int
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer(Head):
    """A whole answer."""

    body: bytes

    @property
    def json(self):
        """The body, which must be UTF-8 JSON."""
        return json.loads(self.body.decode())


class Wire:
    """One TCP connection; `sent` and `received` are all its bytes so far."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.sent = bytearray()
        self.received = bytearray()
        self.heads_sent = 0
        self.heads_received = 0
        self._taken = 0
        self._acked_before = self.kernel_count()[0] if sys.platform == "linux" else 0
        OPEN.add(self)

    @property
    def taken(self) -> int:
        """How many of the received bytes have been taken."""
        return self._taken

    @classmethod
    async def open(cls, port: int, takes: int = 0) -> "Wire":
        """Connect; `takes` is how many bytes the kernel may take in for a client that does not read."""
        connection = socket.socket()
        if takes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, (HOST, port))
        return cls(connection)

    # Bytes ------------------------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sent += data
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def more(self) -> None:
        """Wait until something more has come. Raises `Closed` at the end."""
        async with asyncio.timeout(DEADLINE_S):
            data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
        if not data:
            raise Closed
        self.received += data

    async def take(self, count: int) -> bytes:
        """Take so many of the bytes that have come, or wait for them."""
        while len(self.received) < self._taken + count:
            await self.more()
        self._taken += count
        return bytes(self.received[self._taken - count : self._taken])

    async def take_through(self, end: bytes) -> bytes:
        """Take everything up to `end`, and `end` itself."""
        while (found := self.received.find(end, self._taken)) < 0:
            await self.more()
        return await self.take(found + len(end) - self._taken)

    async def take_rest(self) -> bytes:
        """Take everything that comes until the other side closes."""
        try:
            while True:
                await self.more()
        except Closed:
            return await self.take(len(self.received) - self._taken)

    async def close(self) -> None:
        """Say that nothing more comes from here, read what still comes from there, and close."""
        if self in OPEN:
            self.end()
            await self.take_rest()
        self.drop()

    def end(self) -> None:
        """Say that nothing more comes from here."""
        self.socket.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Drop the connection in the middle of whatever it does: the other side gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.drop()

    def drop(self) -> None:
        """Let the socket go."""
        self.socket.close()
        OPEN.discard(self)

    def kernel_count(self) -> tuple[int, int]:
        """What the Linux kernel counted on this connection: bytes out that arrived, and bytes in."""
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return struct.unpack_from("QQ", info, TCP_INFO_ACKED)

    def kernel_tally(self) -> tuple[int, int]:
        """The same without the handshake, which counts as one byte."""
        acked, received = self.kernel_count()
        return acked - self._acked_before, received

    # HTTP -------------------------------------------------------------------------------------

    async def request(self, method: str, target: str, headers: Headers = None, body: bytes = b"") -> None:
        """Send a request; `Host` and `Content-Length` are added unless they are given."""
        head = request_head(method, target, {"Host": HOST} | dict(headers or {}), len(body))
        self.heads_sent += len(head)
        await self.send(head + body)

    async def read_head(self) -> Head:
        """Read an answer up to its empty line."""
        raw = await self.take_through(END_OF_HEAD)
        self.heads_received += len(raw)
        first, *lines = raw[: -len(END_OF_HEAD)].decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        return Head(int(first.split(" ")[1]), {name.lower(): value.strip() for name, value in pairs})

    async def read_answer(self, method: str = "GET") -> Answer:
        """Read an answer to its end; one to a HEAD has no body, whatever its head says."""
        head = await self.read_head()
        if method == "HEAD":
            return Answer(head.status, head.headers, b"")
        body, pieces = b"", Body(self, head)
        while piece := await pieces.piece():
            body += piece
        return Answer(head.status, head.headers, body)

    async def ask(self, method: str, target: str, headers: Headers = None, body: bytes = b"") -> Answer:
        """Send a request and read its answer."""
        await self.request(method, target, headers, body)
        return await self.read_answer(method)


def request_head(method: str, target: str, headers: Mapping[str, str], size: int) -> bytes:
    """The request line and the headers, through the empty line."""
    if size and not {"Content-Length", "Transfer-Encoding"} & headers.keys():
        headers = {**headers, "Content-Length": str(size)}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + END_OF_HEAD


class Body:
    """The body of an answer as it comes in: chunked, of a known length, or up to the connection's end."""

    def __init__(self, wire: Wire, head: Head) -> None:
        self.wire = wire
        self.chunked = head.headers.get("transfer-encoding", "").lower() == "chunked"
        self.left = int(head.headers["content-length"]) if "content-length" in head.headers else None
        if head.status in (101, 204, 304):
            self.left = 0

    async def piece(self) -> bytes:
        """The next part of it; empty at its end."""
        if self.chunked:
            return await self._chunk()
        if self.left is None:
            return await self.wire.take_rest()
        size, self.left = self.left, 0
        return await self.wire.take(size)

    async def _chunk(self) -> bytes:
        size = int((await self.wire.take_through(b"\r\n")).split(b";")[0], 16)
        data = await self.wire.take(size)
        assert await self.wire.take(2) == b"\r\n"
        return data


async def fetch(port: int, method: str, target: str, headers: Headers = None, body: bytes = b"") -> Answer:
    """One request on a connection of its own."""
    wire = await Wire.open(port)
    try:
        return await wire.ask(method, target, headers, body)
    finally:
        wire.abort()


async def eventually(probe: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask again and again until the answer is yes. Fails when the deadline comes first."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not await probe():
        assert asyncio.get_running_loop().time() < deadline, f"Never came true: {what}"
        await asyncio.sleep(0.01)
