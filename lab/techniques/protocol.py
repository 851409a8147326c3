"""Tornado's WebSocket, but every frame of a client is checked, and a forbidden one is refused with a code.

Tornado does the handshake, sends, answers pings and ends the connection. Reading is the lab's own, because
Tornado drops the connection without a close frame, lets unmasked frames and wrong close codes pass, and
forgets that a message is compressed when a ping comes between its frames.

Tornado's protocol has no public method between the bytes of a socket and a whole message, so this file uses
three private ones (tests/test_tornado_private.py):

- `_receive_frame`, which its loop calls for each frame, is overridden.
- `_read_bytes` reads, and counts the bytes after which the loop lets other clients run.
- `_handle_message` passes a message to the handler, answers a ping, and completes the closing handshake.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Any, cast

from tornado.websocket import WebSocketHandler, WebSocketProtocol13

from lab.lanes.capture import frame_begins
from lab.techniques.client_frames import (
    CLOSE,
    LENGTH_BYTES,
    TEXT,
    TOO_BIG,
    FrameError,
    Head,
    check_close,
    check_head,
    check_text,
    payload_length,
    unmasked,
)
from lab.techniques.deflate import Agreement, Inflater

READ_BYTES = 65_536
MOST_RAW = 4096
"""Bytes of a message's frames that are kept as they came."""


class Message:
    """A client's message while its frames arrive, and its bytes on the wire."""

    def __init__(self, head: Head) -> None:
        self.opcode = head.opcode
        self.compressed = head.compressed
        self.payload = bytearray()
        self.raw = bytearray()
        """The first bytes of its frames as they came."""
        self.frames = 0
        self.wire_bytes = 0
        """Heads, masks and payloads of its frames, without the control frames between them."""
        self.payload_bytes = 0
        """Bytes of the whole message, without compression."""
        self.saved_bytes = 0
        """Bytes that compression saved."""

    def add(self, payload: bytes, raw: bytes) -> None:
        """Add a frame of this message: its payload, and all its bytes as they came."""
        self.payload += payload
        self.raw += raw[: MOST_RAW - len(self.raw)]
        self.frames += 1
        self.wire_bytes += len(raw)

    def read(self, inflater: Inflater | None) -> bytes:
        """The message, decompressed and checked. Raises `FrameError` when it cannot be read."""
        data = packed = bytes(self.payload)
        self.payload.clear()  # the handler keeps the message, until the next one comes
        if inflater and self.compressed:
            data = inflater.read(packed)
        self.payload_bytes = len(data)
        self.saved_bytes = len(data) - len(packed)
        if self.opcode == TEXT:
            check_text(data)
        return data


class CheckedProtocol(WebSocketProtocol13):
    """One connection: reads a client's frames, and closes with a code what the standard forbids."""

    handler: "CheckedHandler"
    __slots__ = ("agreement", "inflater", "message")  # Tornado's table of attributes has no place for more

    def __init__(self, handler: "CheckedHandler", params: Any, agreement: Agreement | None) -> None:
        super().__init__(handler, False, params)
        self.agreement = agreement
        self.inflater = Inflater(agreement, params.max_message_size) if agreement else None
        self.message: Message | None = None
        """The message whose last frame has not arrived yet."""

    async def accept_connection(self, handler: WebSocketHandler) -> None:
        """Answer the handshake, with the extension that was agreed."""
        if self.agreement:
            handler.set_header("Sec-WebSocket-Extensions", str(self.agreement))
        await super().accept_connection(handler)

    async def _receive_frame(self) -> None:
        """Read one frame, and process the message that it completes."""
        if self.handler.in_lane:
            frame_begins(self.handler)
        try:
            await self._read_frame()
        except FrameError as error:
            await self._refuse(error)

    async def _read_frame(self) -> None:
        head = Head.parse(first := await self._read_bytes(2))
        check_head(head, self.inflater is not None, self.message is not None)
        extra = await self._read_bytes(LENGTH_BYTES.get(head.length, 0))
        length = payload_length(head, extra)
        if length + len(self.message.payload if self.message else b"") > self.params.max_message_size:
            raise FrameError(TOO_BIG, "message too big")
        mask = await self._read_bytes(4)
        payload = unmasked(masked := await self._read_bytes(length), mask)
        if head.control:
            await self._take_control(head, payload)
        else:
            await self._take_data(head, payload, first + extra + mask + masked)

    async def _take_control(self, head: Head, payload: bytes) -> None:
        """A close, a ping or a pong; it may come between the frames of a message (section 5.4)."""
        if head.opcode == CLOSE:
            check_close(payload)
        await self._hand_on(head.opcode, payload)

    async def _take_data(self, head: Head, payload: bytes, raw: bytes) -> None:
        """Process a frame of a message; the last one passes the message to the handler."""
        message = self.message = self.message or Message(head)
        message.add(payload, raw)
        if head.final:
            self.message = None
            data = message.read(self.inflater)
            self.handler.received = message
            await self._hand_on(message.opcode, data)

    async def _hand_on(self, opcode: int, data: bytes) -> None:
        if (handled := self._handle_message(opcode, data)) is not None:
            await handled

    async def _refuse(self, error: FrameError) -> None:
        """Send the close code, shut down this side of TCP, and read until the client closes (section 7.1.1).

        A connection that is closed with something unread is reset, and the client might lose the code.
        The stream reads, so that these bytes are credited to this technique. Tornado waits 5 s for the
        client. Raises `StreamClosedError` when the connection is over.
        """
        self.handler.close(error.code, str(error))
        await self.stream.write(b"")  # until the code is sent
        if not self.stream.closed():
            end_sending(self.stream.socket.fileno())
        while True:
            await self.stream.read_bytes(READ_BYTES, partial=True)
            await asyncio.sleep(0)  # others first, however fast the client sends


class CheckedHandler(WebSocketHandler):
    """A WebSocket whose frames are checked."""

    in_lane: bool
    """Whether its bytes are captured."""
    agreement: Agreement | None = None
    received: Message
    """The message that is being handled, or was handled last."""

    def negotiate(self, compression: bool) -> None:
        """Read what the client offers, and accept it if compression is wanted. Raises `BadExtensions`."""
        agreement = Agreement.of(self.request.headers.pop("Sec-WebSocket-Extensions", ""))
        if agreement and compression:
            self.agreement = agreement

    def get_websocket_protocol(self) -> CheckedProtocol | None:
        """Put the checks where Tornado's protocol would be, with the same limits."""
        plain = cast(WebSocketProtocol13 | None, super().get_websocket_protocol())
        return CheckedProtocol(self, plain.params, self.agreement) if plain else None


def end_sending(file: int) -> None:
    """Shut down the sending side of a TCP connection; reading goes on."""
    connection = socket.socket(fileno=file)
    with suppress(OSError):  # the peer has disconnected already
        connection.shutdown(socket.SHUT_WR)
    connection.detach()
