"""The bytes of one request as they crossed the socket, kept so that a page can show them.

Only requests in a lane are captured, and of each a bounded number of bytes; other sockets stay unchanged.
Cookies and keys are blanked when the bytes are sent.
"""

import re
import time
from typing import Any, NamedTuple

from lab.json_types import JsonObject

MOST_BYTES = 4096
"""Bytes kept of one request: both heads and some messages; of the rest only the size is kept."""
SECRET = re.compile(rb"(?im)^((?:set-)?cookie|authorization)(: *)([^\r\n]+)|([?&]token=)([^&\s]+)")


class Part(NamedTuple):
    """One read or write: its time in seconds, whether the bytes came from the client, and the bytes."""

    at: float
    came: bool
    data: bytes


class Capture:
    """The captured bytes of one request."""

    def __init__(self, owner: str, began: float) -> None:
        self.owner = owner
        """The name by which a page may ask for its own bytes; empty for requests with a client id."""
        self.began = began
        self.left_out = 0
        self._parts: list[Part] = []
        self._size = 0

    def keep(self, came: bool, data: bytes | memoryview) -> None:
        """Add bytes that were read or written."""
        room = MOST_BYTES - self._size
        if room > 0 and len(data):
            self._parts.append(Part(time.monotonic(), came, bytes(data[:room])))
        self._size += len(data)
        self.left_out += max(0, len(data) - max(0, room))

    def as_json(self) -> JsonObject:
        """The parts in order: milliseconds since the request began, bytes as Latin-1, none lost."""
        parts = [
            {
                "at": round(max(0.0, part.at - self.began) * 1000, 2),
                "came": part.came,
                "text": SECRET.sub(blanked, part.data).decode("latin-1"),
            }
            for part in self._parts
        ]
        return {"parts": parts, "left_out": self.left_out}


def blanked(secret: re.Match[bytes]) -> bytes:
    """The same line with its secret replaced by as many asterisks."""
    name, colon, value, parameter, token = secret.groups()
    return name + colon + b"*" * len(value) if name else parameter + b"*" * len(token)


class RecordingSocket:
    """A socket that also captures the bytes that it sends and receives."""

    def __init__(self, inner: Any, capture: Capture) -> None:
        self.inner = inner
        self.wire = capture

    def send(self, data: bytes | memoryview, *flags: int) -> int:
        """Send, and capture the bytes that were sent."""
        count: int = self.inner.send(data, *flags)
        self.wire.keep(False, data[:count])
        return count

    def recv_into(self, buffer: bytearray | memoryview, *size: int) -> int:
        """Receive, and capture the bytes that were received."""
        count: int = self.inner.recv_into(buffer, *size)
        self.wire.keep(True, memoryview(buffer)[:count])
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def start_capture(request: Any, began: float) -> Capture:
    """Start to capture a request; its head, which was already received, is added."""
    capture = Capture("" if request.client else request.query("username"), began)
    capture.keep(True, request.stream.head)
    if not request.stream.closed():
        request.stream.socket = RecordingSocket(request.stream.socket, capture)
    return capture


def stop_capture(request: Any) -> None:
    """Stop capturing: later bytes on the connection belong to another request."""
    if isinstance(request.stream.socket, RecordingSocket):
        request.stream.socket = request.stream.socket.inner
