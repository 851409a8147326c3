"""The bytes of one request as they crossed the socket, kept so that a page can show them.

Only requests in a lane are captured, and of each a bounded number of bytes; other sockets stay unchanged.
Cookies and keys are blanked when the bytes are sent.
"""

import re
import time
from typing import Any

from lab.anatomy import LeftOut, Unit, dissect
from lab.json_types import JsonObject
from lab.lanes.ring import Part, bounded, size_of

MOST_BYTES = 32 * 1024
"""Bytes kept of one request: a quarter for its beginning, with both heads, the others for its newest units.
Of the rest only the size is kept. A unit that is longer is not kept; while it is not whole, its beginning is.
"""
SLACK_BYTES = MOST_BYTES // 2
"""So many bytes more are kept before some are left out, because that takes milliseconds."""
SECRET = re.compile(r"(?aim)^((?:set-)?cookie|authorization)(: *)([^\r\n]+)|([?&]token=)([^&\s]+)")

UPGRADE = re.compile(rb"(?i)\nupgrade:")


class Capture:
    """The captured bytes of one request."""

    def __init__(self, owner: str, began: float, mode: str = "") -> None:
        self.owner = owner
        """The name by which a page may ask for its own bytes; empty for requests with a client id."""
        self.began = began
        self.mode = mode
        """The technique; without one nothing is known of units, and only the beginning can be kept."""
        self._parts: list[Part | LeftOut] = []
        self._size = self._kept = 0
        self._full = False
        """A unit was longer than all that may be kept: nothing more is."""

    def keep(self, came: bool, data: bytes | memoryview) -> None:
        """Add bytes that were read or written."""
        self._size += len(data)
        if len(data) and not self._full:
            self._parts.append(Part(time.monotonic(), came, bytes(data)))
            self._kept += len(data)
        if self._kept > MOST_BYTES + SLACK_BYTES:
            self._parts, self._full = self._bounded()
            self._kept = size_of(self._parts)

    def _bounded(self) -> tuple[list[Part | LeftOut], bool]:
        """The parts within their limit, and whether only the beginning could be kept."""
        if self._kept <= MOST_BYTES:
            return self._parts, self._full
        newest = bounded(self._parts, self.mode, MOST_BYTES) if self.mode else None
        return (beginning(self._parts), True) if newest is None else (newest, False)

    def as_json(self) -> JsonObject:
        """The parts in order, bytes as Latin-1, and their units; times are milliseconds since it began."""
        kept, _ = self._bounded()
        parts = [
            {
                "at": self._ms(part.at),
                "came": part.came,
                "text": SECRET.sub(blanked, part.data.decode("latin-1")),
            }
            for part in kept
            if part.data
        ]
        units = [self._unit(unit) for unit in dissect(kept, self.mode)]
        return {"parts": parts, "left_out": self._size - size_of(kept), "units": units}

    def _unit(self, unit: Unit) -> JsonObject:
        fields = [
            {
                "start": field.start,
                "end": field.end,
                "part": field.part,
                "name": field.name,
                "value": SECRET.sub(blanked, field.value),
                "note": field.note,
            }
            for field in unit.fields
        ]
        return {"kind": unit.kind, "came": unit.came, "at": self._ms(unit.at), "fields": fields}

    def _ms(self, moment: float) -> float:
        return round(max(0.0, moment - self.began) * 1000, 2)


def beginning(parts: list[Part | LeftOut]) -> list[Part | LeftOut]:
    """The first bytes of these parts, as many as may be kept."""
    found, left = list[Part | LeftOut](), MOST_BYTES
    for part in parts:
        found.append(part if isinstance(part, LeftOut) else part._replace(data=part.data[:left]))
        left -= len(found[-1].data)
    return found


def blanked(secret: re.Match[str]) -> str:
    """The same line with its secret replaced by as many asterisks."""
    name, colon, value, parameter, token = secret.groups()
    return f"{name}{colon}{'*' * len(value)}" if name else parameter + "*" * len(token)


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
    """Start to capture a request; what was already received of it is added: its head, and early frames."""
    capture = Capture("" if request.client else request.query("username"), began, request.mode)
    head = request.stream.head
    capture.keep(True, head)
    if UPGRADE.search(head):  # else further bytes belong to another request
        capture.keep(True, request.stream.unread_bytes())
    if not request.stream.closed():
        request.stream.socket = RecordingSocket(request.stream.socket, capture)
    return capture


def stop_capture(request: Any) -> None:
    """Stop capturing: later bytes on the connection belong to another request."""
    if isinstance(request.stream.socket, RecordingSocket):
        request.stream.socket = request.stream.socket.inner
