"""Sends a forbidden frame to this lab by a socket of its own, and records every byte of the answer."""

import asyncio
import ssl
import time
from base64 import b64encode
from contextlib import suppress

from lab.anatomy import Part, as_json
from lab.anatomy.forbidden import ForbiddenFrame
from lab.errors import Overloaded
from lab.json_types import JsonObject
from lab.server.connections.addresses import in_url
from lab.tls import trusting

PATIENCE_S = 2.0
"""A lab that ignores the frame, instead of closing, is waited for so long."""
READ_BYTES = 65_536
END_OF_HEAD = b"\r\n\r\n"


class Prober:
    """A raw client of this lab: one probe at a time."""

    def __init__(self, host: str, port: int, certfile: str | None) -> None:
        self.host, self.port = host, port
        self.context: ssl.SSLContext | None = trusting(certfile) if certfile else None
        self._turn = asyncio.Lock()

    async def probe(self, forbidden: ForbiddenFrame) -> JsonObject:
        """Handshake, then the frame; returns parts and units of both directions, and whether the lab closed.

        Raises `Overloaded` when the lab cannot be reached.
        """
        async with self._turn:
            try:
                reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self.context)
            except OSError as error:
                raise Overloaded("The lab cannot open a connection to itself now.") from error
            record = Record()
            try:
                closed = await self._exchange(reader, writer, record, forbidden.frame)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
            return record.as_json() | {"closed": closed}

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        record: "Record",
        frame: bytes,
    ) -> bool:
        """Record the exchange; returns whether the lab has closed the connection in time."""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(PATIENCE_S):
                for data in (self._handshake(), frame):
                    writer.write(data)
                    record.keep(True, data)
                    while data is not frame and not record.received.endswith(END_OF_HEAD):
                        if not record.keep(False, await reader.read(READ_BYTES)):
                            return True
                while record.keep(False, await reader.read(READ_BYTES)):
                    pass
                return True
        return False

    def _handshake(self) -> bytes:
        key = b64encode(b"the sample nonce").decode()
        lines = [
            "GET /websocket?receive=0 HTTP/1.1",
            f"Host: {in_url(self.host)}:{self.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
        ]
        return "\r\n".join([*lines, "", ""]).encode()


class Record:
    """The parts of one exchange, each with its time in milliseconds since the beginning."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.parts: list[Part] = []
        self.received = b""

    def keep(self, came: bool, data: bytes) -> bytes:
        """Add bytes; returns them. Empty ones are the end of a direction."""
        if data:
            self.parts.append(Part(round(1000 * (time.monotonic() - self.began), 2), came, data))
        self.received += b"" if came else data
        return data

    def as_json(self) -> JsonObject:
        """The parts and their units, as in `/wire`."""
        return as_json(self.parts, "websocket")
