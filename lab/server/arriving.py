"""A request on its way in, between Tornado's parser and whoever will answer it."""

from collections.abc import Awaitable
from typing import Protocol

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine

from lab.settings import Settings


class Stream(Protocol):
    """What is told of it to the stream that it comes by."""

    oversized: bool

    def head_ends(self) -> None:
        """The head is in."""


class Arriving(HTTPMessageDelegate):
    """A request on its way in: says where its head ends, and lets go of a body that is too long."""

    def __init__(self, inner: HTTPMessageDelegate, stream: Stream, settings: Settings) -> None:
        self.inner = inner
        self.stream = stream
        self.room_left = settings.limit("body_bytes")

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """The head is in."""
        self.stream.head_ends()
        return self.inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """A piece of the body is in; what is above the limit is dropped, and the handler told."""
        self.room_left -= len(chunk)
        if self.room_left < 0:
            self.stream.oversized = True
            return None
        return self.inner.data_received(chunk)

    def finish(self) -> None:
        """The request is complete."""
        self.inner.finish()

    def on_connection_close(self) -> None:
        """The client left in the middle of its request."""
        self.inner.on_connection_close()
