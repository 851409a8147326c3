"""The interface of a metered socket that the techniques use."""

import asyncio
from typing import Any, Protocol

from tornado.httputil import HTTPServerRequest

from lab.meters import Account, Meter

LONGEST_ID = 64
"""Most characters of the id that a client chooses."""


class ExpectedBody(Protocol):
    """A body that the client sends only after `100 Continue` (RFC 9110 section 10.1.1)."""

    async def read(self) -> bytes:
        """Ask for the body, and wait until it is whole."""

    def answered(self, wanted: bool = False) -> None:
        """The request is answered, or its body is wanted."""


class MeteredStream(Protocol):
    """A socket that counts its bytes and credits them to the meter that a request claims."""

    oversized: bool
    """The body was longer than the limit, and was discarded."""
    expected: "ExpectedBody | None"
    """A body that the client sends only after 100 Continue; else None."""
    brief: bool
    """The response follows at once, also when the client has closed its sending side."""
    last: bool
    """This is the last request on the connection: nothing more is read from the client."""
    account: Account | None
    """The account of the client whose page shows its costs; the bytes are counted there too."""
    truncated: bool
    """The connection closed before all written bytes were sent."""
    head: bytes
    """The head of the request, as received."""
    socket: Any
    """The socket; None when the connection is closed."""
    over_limit: bool
    """The connection is above the limit of connections."""
    address: str
    """The address of the client."""

    def claim(self, meter: Meter) -> None:
        """Credit all bytes of this request to `meter`."""

    def reassign(self, bytes_in: int, bytes_out: int, meter: Meter) -> None:
        """Move so many bytes of this connection to another meter."""

    def closed(self) -> bool:
        """Whether the connection is closed."""

    def writing(self) -> bool:
        """Whether written bytes wait to be sent."""

    def write(self, data: bytes) -> "asyncio.Future[None]":
        """Send at once as much as the socket accepts; the future is done when all bytes are sent."""

    def send(self, data: bytes) -> bool:
        """Send at once; returns whether all bytes were sent. The rest is queued."""

    def send_answer(self, head: bytes, body: bytes) -> bool:
        """Send a whole response; returns whether all bytes were sent."""

    def poll_ends(self) -> None:
        """A poll that the lab answers itself has its response: the next request may begin."""

    def close(self) -> None:
        """Close the connection."""


def options(request: HTTPServerRequest) -> set[str]:
    """The options of the Connection line, or lines, in lower case (RFC 9110 section 7.6.1)."""
    return {option.strip() for option in request.headers.get("Connection", "").lower().split(",")}


def keeps_alive(request: HTTPServerRequest) -> bool:
    """Whether the connection stays open after the response; `close` takes precedence (RFC 9112 section
    9.3)."""
    wishes = options(request) if "Connection" in request.headers else ()
    return "close" not in wishes and (request.version != "HTTP/1.0" or "keep-alive" in wishes)


def client_id(request: HTTPServerRequest) -> str:
    """The id that a client chose, if it can be read; empty when it sent none."""
    return request.query_arguments.get("client", [b""])[-1].decode(errors="replace")[:LONGEST_ID]
