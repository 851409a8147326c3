"""The bytes of one request as they crossed the socket, kept so that a page can show them.

Only requests in a lane are captured, and of each a bounded number of bytes: the first ones and the newest.
To keep a read or a write takes a few operations, however long the request lasts, because the measured
latencies include them. Where units begin is found when a page asks (shown.py). What helps there is noted:

- The lab writes whole units. A write begins one, unless the socket accepted only a part of the last write.
- A client's bytes arrive in any pieces. The WebSocket protocol calls `frame_begins` before it reads a frame.
"""

import re
from collections import deque
from time import monotonic
from typing import Any, NamedTuple

from lab.lanes.shown import Kept, Shown

FIRST_BYTES = 4 * 1024
"""Bytes kept of the beginning of a request: both heads and its first messages."""
NEWEST_BYTES = 12 * 1024
"""Bytes kept of its end."""
LEAST_BYTES = 96
"""What a read or write counts at least, because Python needs memory for each."""
MOST_STARTS = NEWEST_BYTES // LEAST_BYTES
UPGRADE = re.compile(rb"(?i)\nupgrade:")


class Place(NamedTuple):
    """How many bytes of a connection were received and sent before a moment."""

    received: int
    sent: int


def place_of(request: Any) -> Place:
    """Where the bytes of a request begin, whose head has just been read."""
    stream = request.stream
    return Place(stream.consumed - len(stream.head), stream.bytes_out)


class Capture:
    """The captured bytes of one request: the first ones, and a ring of the newest."""

    def __init__(
        self, owner: str, began: float, mode: str = "", first: int = FIRST_BYTES, newest: int = NEWEST_BYTES
    ) -> None:
        self.owner = owner
        """The name by which a page may ask for its own bytes; empty for requests with a client id."""
        self.began = began
        self.mode = mode
        """The technique."""
        self.before = [0, 0]
        """Bytes that were sent and received before the capture began."""
        self._first: list[Kept] = []
        self._newest: deque[Kept] = deque()
        self._first_space = first
        self._most = self._space = newest
        self._dropped = [0, 0]
        """Bytes sent and received between the first and the newest, which are not kept."""
        self._received = 0
        self._starts: deque[int] = deque(maxlen=MOST_STARTS)
        """Where the newest frames of the client begin, in the bytes received since the capture began."""

    def keep(self, came: bool, data: bytes | memoryview, whole: bool = True) -> None:
        """Add bytes that were read or written; `whole` when they begin a unit."""
        size = len(data)
        if came:
            self._received += size
        if self._first_space > 0 or size > self._most:
            data, size, whole = self._keep_first(came, data, whole)
        if not size:
            return
        self._newest.append((monotonic(), came, bytes(data), whole))
        self._space -= size if size > LEAST_BYTES else LEAST_BYTES
        while self._space < 0:
            _, way, old, _ = self._newest.popleft()
            size = len(old)
            self._space += size if size > LEAST_BYTES else LEAST_BYTES
            self._dropped[way] += size

    def _keep_first(
        self, came: bool, data: bytes | memoryview, whole: bool
    ) -> tuple[bytes | memoryview, int, bool]:
        """Add as much to the first bytes as has space there, and return what may be among the newest."""
        size, space = len(data), max(0, self._first_space)
        if size and space:
            self._first.append((monotonic(), came, bytes(data[:space]), whole))
            self._first_space -= max(size, LEAST_BYTES)
        rest = data[max(space, size - self._most) :]
        self._dropped[came] += max(0, size - space - len(rest))
        return rest, len(rest), whole and len(rest) == size

    def skip(self, came: bool, size: int) -> None:
        """Count so many bytes that are not there to be kept."""
        self._dropped[came] += size

    def frame_begins(self, unread: int) -> None:
        """The next frame of the client begins here, where so many received bytes are still unread."""
        self._starts.append(self._received - unread)

    @property
    def kept(self) -> int:
        """How many reads and writes are kept."""
        return len(self._first) + len(self._newest)

    def shown(self) -> Shown:
        """What is kept at this moment, for a page."""
        dropped, before = (self._dropped[0], self._dropped[1]), (self.before[0], self.before[1])
        ring = [*self._first], [*self._newest]
        return Shown(self.mode, self.began, *ring, dropped, before, [*self._starts])


class SendingSocket:
    """A socket that also captures the bytes that it sends."""

    def __init__(self, inner: Any, capture: Capture, whole: bool = True) -> None:
        self.inner = inner
        self.wire = capture
        self._whole = whole
        """Whether the next write begins a unit."""

    def send(self, data: bytes | memoryview, *flags: int) -> int:
        """Send, and capture the bytes that were sent."""
        count: int = self.inner.send(data, *flags)
        all_sent = count == len(data)
        self.wire.keep(False, data if all_sent else data[:count], self._whole)
        self._whole = all_sent
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class RecordingSocket(SendingSocket):
    """A socket that also captures the bytes that it sends and receives."""

    def recv_into(self, buffer: bytearray | memoryview, *size: int) -> int:
        """Receive, and capture the bytes that were received."""
        count: int = self.inner.recv_into(buffer, *size)
        self.wire.keep(True, memoryview(buffer)[:count])
        return count


def start_capture(request: Any, began: float, place: Place) -> Capture:
    """Start to capture a request; what was just received of it is added: its head, and early frames.

    `place` is where it began. A request that is open already has no head any more. One that is captured
    already keeps its capture.
    """
    if isinstance(request.stream.socket, RecordingSocket):
        return request.stream.socket.wire
    capture = Capture("" if request.client else request.query("username"), began, request.mode)
    stream = request.stream
    head = stream.head
    capture.keep(True, head)
    if UPGRADE.search(head):  # else further bytes belong to another request
        capture.keep(True, stream.unread_bytes())
    if not head:
        capture.before = [stream.bytes_out - place.sent, stream.bytes_in - place.received]
    if not stream.closed():
        stream.socket = RecordingSocket(stream.socket, capture, not stream.writing())
    return capture


def stop_capture(request: Any) -> None:
    """Stop capturing: later bytes on the connection belong to another request."""
    if isinstance(request.stream.socket, SendingSocket):
        request.stream.socket = request.stream.socket.inner


def frame_begins(request: Any) -> None:
    """A client's next frame begins: note the place, if the request is captured."""
    if isinstance(request.stream.socket, RecordingSocket):
        request.stream.socket.wire.frame_begins(request.stream.unread)
