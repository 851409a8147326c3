"""The subprotocol `pushlab.binary`, for a client; the table is in lab/techniques/binary.py."""

import json
import struct
from uuid import UUID

from lab.json_types import JsonObject

NAME = "pushlab.binary"
SEND = b"\x07"


class Reader:
    """The bytes of one frame, read from the start to the end. Raises `ValueError` where they are too few."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def take(self, size: int) -> bytes:
        """The next bytes, exactly so many."""
        found = self._data[self._place : self._place + size]
        if len(found) < size:
            raise ValueError("The frame ends too early.")
        self._place += size
        return found

    def rest(self) -> bytes:
        """All bytes up to the end."""
        return self.take(len(self._data) - self._place)

    def byte(self) -> int:
        """One byte as a number."""
        return self.take(1)[0]

    def number(self) -> int:
        """A number in groups of seven bits, the lowest first."""
        byte = self.byte()
        return byte if byte < 128 else byte - 128 + 128 * self.number()

    def text(self) -> str:
        """A text behind its length in bytes."""
        return self.take(self.number()).decode()

    def mid(self) -> str:
        """A UUID of 16 bytes."""
        return str(UUID(bytes=self.take(16)))

    def cursor(self) -> str:
        """Six bytes of epoch and a number."""
        epoch = int.from_bytes(self.take(6), "big")
        return f"{epoch}-{self.number()}"

    def time(self) -> float:
        """Seconds; without a fraction they are a whole number, as in JSON."""
        (seconds,) = struct.unpack("!d", self.take(8))
        return int(seconds) if seconds.is_integer() else float(seconds)


def decode(data: bytes) -> JsonObject:
    """The event in a frame, the same as in JSON. Raises `ValueError` when there is none."""
    reader = Reader(data)
    kind = reader.byte()
    if kind >= len(KINDS):
        raise ValueError(f"There is no event of the kind {kind}.")
    event: JsonObject = KINDS[kind](reader)
    if reader.rest():
        raise ValueError("The frame continues after its event.")
    return event


def encode_send(message: dict[str, str]) -> bytes:
    """A message to send."""
    username = message["username"].encode()
    size, length = len(username), b""
    while size > 127:
        size, length = size // 128, length + bytes([size % 128 + 128])
    return SEND + UUID(message["mid"]).bytes + length + bytes([size]) + username + message["body"].encode()


def _message(reader: Reader) -> JsonObject:
    event = {"type": "message", "id": reader.cursor(), "mid": reader.mid()}
    return event | {"time": reader.time(), "username": reader.text(), "body": reader.rest().decode()}


def _ack(reader: Reader) -> JsonObject:
    event = {"type": "ack", "mid": reader.mid(), "id": reader.cursor()}
    return event | {"duplicate": bool(reader.byte())}


def _error(reader: Reader) -> JsonObject:
    flags = reader.byte()
    event = {"type": "error", "mid": reader.mid() if flags & 1 else None}
    error = {"code": reader.text(), "message": reader.rest().decode()}
    return event | {"error": error, "stored": "unknown" if flags & 2 else False}


KINDS = (
    lambda reader: json.loads(reader.rest()),
    _message,
    lambda reader: {"type": "gap", "missed": reader.number()},
    lambda reader: {"type": "reset", "id": reader.cursor()},
    lambda reader: {"type": "bye", "retry_ms": reader.number()},
    _ack,
    _error,
)
"""What reads each kind of event, by its first byte."""
