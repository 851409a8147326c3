"""A request that arrives, between Tornado's parser and the handler: limits for its body."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine

from lab.server.connections.heads import declared, understood, waits_to_send
from lab.settings import Settings


class Expected:
    """A body that the client sends only after 100 Continue (RFC 9110 section 10.1.1), so perhaps never."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.wanted: asyncio.Future[bool] = loop.create_future()
        self.whole: asyncio.Future[bytes] = loop.create_future()

    async def read(self) -> bytes:
        """Have 100 Continue sent, and wait for the whole body."""
        self.answered(True)
        return await self.whole

    def answered(self, wanted: bool = False) -> None:
        """The handler has responded, or wants the body."""
        if not self.wanted.done():
            self.wanted.set_result(wanted)


class Stream(Protocol):
    """The interface of the stream by which a request arrives."""

    oversized: bool
    last: bool
    expected: "Expected | None"

    def head_ends(self) -> None:
        """The head has arrived."""

    def complete(self) -> None:
        """The request is complete."""


class Arriving(HTTPMessageDelegate):
    """A request that arrives: notifies the stream of its head's end, and discards a body that is too long."""

    def __init__(self, inner: HTTPMessageDelegate, stream: Stream, settings: Settings) -> None:
        self.inner = inner
        self.stream = stream
        self.most = self.room_left = settings.limit("body_bytes")
        self.expected: Expected | None = None
        self.body = bytearray()
        """The received pieces of a body that a handler waits for."""

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Process the head. Raises `Refused`."""
        assert isinstance(start_line, RequestStartLine)
        self.stream.head_ends()
        start_line = understood(start_line, headers)
        if "Expect" in headers and waits_to_send(start_line, headers):
            return self._ask_the_handler(start_line, headers)
        return self.inner.headers_received(start_line, headers)

    async def _ask_the_handler(self, start_line: RequestStartLine, headers: HTTPHeaders) -> None:
        """Start the handler without a body: it refuses, or wants the body, and Tornado sends 100 Continue."""
        self.inner.headers_received(start_line, headers)
        self.expected = self.stream.expected = Expected()
        self.stream.oversized = declared(headers) > self.most
        self.stream.last = True  # unless the body is wanted
        self.inner.finish()
        if await self.expected.wanted:
            self.stream.last = False
            headers["Expect"] = "100-continue"

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Process a piece of the body; bytes above the limit are discarded and the request is marked."""
        self.room_left -= len(chunk)
        if self.room_left < 0:
            self.stream.oversized = True
            return None
        if self.expected:
            self.body += chunk
            return None
        return self.inner.data_received(chunk)

    def finish(self) -> None:
        """The request is complete."""
        self.stream.complete()
        if not self.expected:
            self.inner.finish()
        elif not self.expected.whole.done():
            self.expected.whole.set_result(bytes(self.body))

    def on_connection_close(self) -> None:
        """The client disconnected in the middle of its request."""
        if self.expected:
            self.expected.whole.cancel()
        else:
            self.inner.on_connection_close()
