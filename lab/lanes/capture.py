"""The bytes of one request as they crossed the socket, kept so that a page can show them.

Only requests in a lane are captured, and of each a bounded number of bytes; other sockets stay unchanged.
Cookies and keys are blanked when the bytes are sent.
"""

import re
import time
from typing import Any

from lab.anatomy import CUT, Part, Unit, dissect
from lab.json_types import JsonObject

MOST_BYTES = 16 * 1024
"""Bytes kept of one request: both heads and its first messages; of the rest only the size is kept."""
SECRET = re.compile(r"(?aim)^((?:set-)?cookie|authorization)(: *)([^\r\n]+)|([?&]token=)([^&\s]+)")
UPGRADE = re.compile(rb"(?i)\nupgrade:")


class Capture:
    """The captured bytes of one request."""

    def __init__(self, owner: str, began: float, mode: str = "") -> None:
        self.owner = owner
        """The name by which a page may ask for its own bytes; empty for requests with a client id."""
        self.began = began
        self.mode = mode
        """The technique."""
        self.left_out = 0
        self._parts: list[Part] = []
        self._size = 0

    def keep(self, came: bool, data: bytes | memoryview) -> None:
        """Add bytes that were read or written."""
        bytes_left = MOST_BYTES - self._size
        if bytes_left > 0 and len(data):
            self._parts.append(Part(time.monotonic(), came, bytes(data[:bytes_left])))
        self._size += len(data)
        self.left_out += max(0, len(data) - max(0, bytes_left))

    def as_json(self) -> JsonObject:
        """The parts in order, bytes as Latin-1, and their units; times are milliseconds since it began."""
        parts = [
            {
                "at": self._ms(part.at),
                "came": part.came,
                "text": SECRET.sub(blanked, part.data.decode("latin-1")),
            }
            for part in self._parts
        ]
        return {"parts": parts, "left_out": self.left_out, "units": list(map(self._unit, self._units()))}

    def _units(self) -> list[Unit]:
        """The units of the kept bytes; one that is not whole because bytes were left out is not shown."""
        units = dissect(self._parts, self.mode)
        return [unit for unit in units if not (self.left_out and unit.kind == CUT)]

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
