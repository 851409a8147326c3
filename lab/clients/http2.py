"""Requests one after the other over one connection, by HTTP/1.1 or by HTTP/2, with their bytes counted.

The bytes are those before TLS. The package h2 speaks HTTP/2 and does no input or output itself, so all that
is sent and received passes here.
"""

import asyncio
from typing import Any, NamedTuple

FRAME_HEAD = 9
"""Bytes before the content of each frame (RFC 9113 section 4.1)."""
FRAMES = {0: "DATA", 1: "HEADERS", 4: "SETTINGS", 7: "GOAWAY", 8: "WINDOW_UPDATE"}
READ_BYTES = 65_536


class Answer(NamedTuple):
    """One poll as the client counts it, in bytes before TLS, and the header fields of its response."""

    request: int
    response: int
    body: int
    fields: list[tuple[str, str]]


class Http1:
    """A connection that speaks HTTP/1.1 (RFC 9112): each head is text, and sent whole."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self, path: str, headers: dict[str, str]) -> Answer:
        """Send a request, and read its response."""
        host, port = self._writer.get_extra_info("peername")
        fields = {"Host": f"{host}:{port}", "Connection": "keep-alive"} | headers
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        request = "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")[1:-2]
        given = {name: value for name, _, value in (line.partition(": ") for line in lines)}
        body = await self._reader.readexactly(int(given["content-length"]))
        return Answer(len(request), len(head) + len(body), len(body), list(given.items()))


class Http2:
    """A connection that speaks HTTP/2 (RFC 9113). Stream 0 is the connection itself.

    `frames` are all that were received: type, stream and bytes. `overhead` are the bytes that were sent for
    no request: the preface, SETTINGS and WINDOW_UPDATE.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from h2.connection import H2Connection

        self._reader, self._writer = reader, writer
        self._http: Any = H2Connection()
        self._http.initiate_connection()
        self.overhead = self._send()
        self.frames: list[tuple[str, int, int]] = []
        self._rest = b""

    async def get(self, path: str, headers: dict[str, str]) -> Answer:
        """Send a request, and read its response."""
        host, port = self._writer.get_extra_info("peername")
        first = {":method": "GET", ":scheme": "https", ":authority": f"{host}:{port}", ":path": path}
        stream = self._http.get_next_available_stream_id()
        fields = first | {name.lower(): value for name, value in headers.items()}
        self._http.send_headers(stream, list(fields.items()), end_stream=True)
        request, (given, body) = self._send(), await self._response(stream)
        return Answer(request, self.received(stream), body, given)

    def received(self, stream: int) -> int:
        """Bytes of all frames of this stream that were received."""
        return sum(size for _, number, size in self.frames if number == stream)

    def _send(self) -> int:
        data = self._http.data_to_send()
        self._writer.write(data)
        return len(data)

    async def _response(self, stream: int) -> tuple[list[tuple[str, str]], int]:
        """Read frames until this stream has ended. Returns the header fields, and the body's bytes."""
        from h2.events import DataReceived, ResponseReceived, StreamEnded

        fields, body, ended = [], 0, False
        while not ended:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise ConnectionResetError("nginx has closed the connection")
            self.count(data)
            for event in self._http.receive_data(data):
                if isinstance(event, ResponseReceived):
                    fields = [(name.decode(), value.decode()) for name, value in event.headers]
                elif isinstance(event, DataReceived):
                    body += len(event.data)
                    self._http.acknowledge_received_data(event.flow_controlled_length, stream)
                ended = ended or isinstance(event, StreamEnded)
            self.overhead += self._send()
        return fields, body

    def count(self, data: bytes) -> None:
        """Note the frames that are whole now: their length stands in their first three bytes."""
        self._rest += data
        while len(self._rest) >= FRAME_HEAD:
            size = FRAME_HEAD + int.from_bytes(self._rest[:3])
            if len(self._rest) < size:
                return
            kind, stream = FRAMES.get(self._rest[3], "other"), int.from_bytes(self._rest[5:9]) & 0x7FFF_FFFF
            self.frames.append((kind, stream, size))
            self._rest = self._rest[size:]
