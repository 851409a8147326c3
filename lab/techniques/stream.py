"""The socket as a technique sees it: what it may ask of it, and what that counts by itself."""

import asyncio
from typing import Any, Protocol

from tornado.httputil import HTTPServerRequest

from lab.meters import Account, Meter

LONGEST_ID = 64
"""Characters of the id that a client gives itself."""


class ExpectedBody(Protocol):
    """A body that the client sends only after `100 Continue` (RFC 9110 section 10.1.1)."""

    async def read(self) -> bytes:
        """Ask for the body, and wait until it is whole."""

    def answered(self, wanted: bool = False) -> None:
        """The request is answered, or its body is wanted."""


class MeteredStream(Protocol):
    """The socket as a technique sees it: it counts by itself and only wants to know for whom."""

    oversized: bool
    """The body was longer than the limit, and was thrown away."""
    expected: "ExpectedBody | None"
    """The body, when it is sent only if it is wanted; else None."""
    brief: bool
    """The request is answered as soon as can be, also when its client sends no more."""
    last: bool
    """Nothing more is read from this client."""
    account: Account | None
    """Who wants to know what this very request costs; its bytes are counted there too."""
    truncated: bool
    """The connection was over before it had taken everything that was written."""
    head: bytes
    """The head of the request, as it came."""
    socket: Any
    """What the bytes go through; None when the connection is over."""
    over_limit: bool
    """The connection is one more than the lab takes."""

    def claim(self, meter: Meter) -> None:
        """What this request moves over the socket belongs to `meter`."""

    def reassign(self, bytes_in: int, bytes_out: int, meter: Meter) -> None:
        """So many bytes of this connection belong to another meter after all."""

    def closed(self) -> bool:
        """Whether the connection is over."""

    def writing(self) -> bool:
        """Whether the client has not yet taken everything."""

    def write(self, data: bytes) -> "asyncio.Future[None]":
        """Send, now as far as the socket takes it; the future is done when it has taken all."""

    def send(self, data: bytes) -> bool:
        """Send, now; whether the socket took it all. What it did not take follows when it can."""

    def send_answer(self, head: bytes, body: bytes) -> bool:
        """The same for a whole answer."""

    def close(self) -> None:
        """Drop the connection."""


def options(request: HTTPServerRequest) -> set[str]:
    """The options of the Connection line, or lines, in lower case (RFC 9110 section 7.6.1)."""
    return {option.strip() for option in request.headers.get("Connection", "").lower().split(",")}


def keeps_alive(request: HTTPServerRequest) -> bool:
    """Whether the connection goes on behind the answer; `close` wins (RFC 9112 section 9.3)."""
    wishes = options(request) if "Connection" in request.headers else ()
    return "close" not in wishes and (request.version != "HTTP/1.0" or "keep-alive" in wishes)


def client_id(request: HTTPServerRequest) -> str:
    """The id that a client gave itself, as far as it can be read; empty when it gave none."""
    return request.query_arguments.get("client", [b""])[-1].decode(errors="replace")[:LONGEST_ID]
