"""The bytes of one request as they crossed the socket, kept for whoever asks what a bar of the lanes was.

Only requests that are shown in a lane are kept, and of each a bounded number of bytes; nobody else's socket
is touched. Cookies and keys are blanked when the bytes are told.
"""

import re
import time
from typing import Any, NamedTuple

from lab.json_types import JsonObject

MOST_BYTES = 4096
"""Of one request: its head, the answer's head and some messages; of what follows only the size is kept."""
SECRET = re.compile(rb"(?im)^((?:set-)?cookie|authorization)(: *)([^\r\n]+)|([?&]token=)([^&\s]+)")


class Part(NamedTuple):
    """Some bytes that passed at once: when, in seconds, whether from the client, and what."""

    at: float
    came: bool
    data: bytes


class Capture:
    """What has passed for one request."""

    def __init__(self, owner: str, began: float) -> None:
        self.owner = owner
        """The name that only its own page knows; empty for everyone else's requests."""
        self.began = began
        self.left_out = 0
        self._parts: list[Part] = []
        self._size = 0

    def keep(self, came: bool, data: bytes | memoryview) -> None:
        """Some bytes have passed."""
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
    """The same line, as long as it was, without what must not be read."""
    name, colon, value, parameter, token = secret.groups()
    return name + colon + b"*" * len(value) if name else parameter + b"*" * len(token)


class RecordingSocket:
    """A socket through which everything passes as before, and is kept."""

    def __init__(self, inner: Any, capture: Capture) -> None:
        self.inner = inner
        self.wire = capture

    def send(self, data: bytes | memoryview, *flags: int) -> int:
        """Send, and keep what the socket took."""
        count: int = self.inner.send(data, *flags)
        self.wire.keep(False, data[:count])
        return count

    def recv_into(self, buffer: bytearray | memoryview, *size: int) -> int:
        """Receive, and keep what came."""
        count: int = self.inner.recv_into(buffer, *size)
        self.wire.keep(True, memoryview(buffer)[:count])
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def start_capture(request: Any, began: float) -> Capture:
    """From now on keep what crosses the socket for a request; its head has passed already."""
    capture = Capture("" if request.client else request.query("username"), began)
    capture.keep(True, request.stream.head)
    if not request.stream.closed():
        request.stream.socket = RecordingSocket(request.stream.socket, capture)
    return capture


def stop_capture(request: Any) -> None:
    """Keep no more: what passes from here on belongs to another request."""
    if isinstance(request.stream.socket, RecordingSocket):
        request.stream.socket = request.stream.socket.inner
