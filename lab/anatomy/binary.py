"""The events of the subprotocol `pushlab.binary`: which bytes of a binary frame are which field.

The first byte is the kind of the event. What follows is the same as in JSON, without names and quotes.
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from lab.anatomy import events

NAME = "pushlab.binary"
KINDS = ("other", "message", "gap", "reset", "bye", "ack", "error", "send")
LONGEST_NUMBER = 9
"""Bytes of a number in groups of seven bits."""


class Inner(NamedTuple):
    """A field of an event: where it ends, counted from the event's first byte, its name and its value."""

    end: int
    name: str
    value: str


class Event(NamedTuple):
    """What a binary message says: the value that it would be in JSON, and its fields."""

    value: Any
    fields: list[Inner]


class Reader:
    """Reads the fields of an event in order. Raises `ValueError` where its bytes are not enough, or wrong."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0
        self.fields: list[Inner] = []

    def take(self, size: int) -> bytes:
        """The next bytes, exactly so many."""
        if self.place + size > len(self.data):
            raise ValueError("too short")
        self.place += size
        return self.data[self.place - size : self.place]

    def note(self, name: str, value: object) -> None:
        """All bytes since the last field are this one; without any there is none."""
        if self.place > (self.fields[-1].end if self.fields else 0):
            self.fields.append(Inner(self.place, name, str(value)))

    def number(self, name: str) -> int:
        """A number in groups of seven bits, the lowest first."""
        number = 0
        for at in range(LONGEST_NUMBER):
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << 7 * at
            if byte <= 0x7F:
                self.note(name, number)
                return number
        raise ValueError("the number has no end")

    def fixed(self, name: str, size: int, read: Callable[[bytes], Any]) -> Any:
        """A field of so many bytes."""
        value = read(self.take(size))
        self.note(name, value)
        return value

    def text(self, name: str, size: int | None = None) -> str:
        """Text of so many bytes, or up to the end."""
        return str(self.fixed(name, len(self.data) - self.place if size is None else size, bytes.decode))

    def mid(self) -> str:
        """A UUID in 16 bytes."""
        return str(self.fixed("mid", 16, lambda data: str(UUID(bytes=data))))

    def cursor(self) -> str:
        """Epoch and n."""
        epoch = self.fixed("cursor-epoch", 6, lambda data: int.from_bytes(data, "big"))
        return f"{epoch}-{self.number('cursor-n')}"

    def user_and_body(self) -> dict[str, str]:
        """The username behind its length, and the body up to the end."""
        return {
            "username": self.text("username", self.number("username-length")),
            "body": self.text("message-body"),
        }


def read(data: bytes) -> Event | None:
    """The event in a binary message; None when it is none."""
    reader = Reader(data)
    try:
        kind = reader.fixed("event-kind", 1, lambda byte: KINDS[byte[0]])
        value = READ[kind](reader)
    except (ValueError, IndexError):
        return None
    whole = reader.place == len(data)
    return Event(value if kind == "other" else {"type": kind} | value, reader.fields) if whole else None


def _message(reader: Reader) -> Any:
    return {"id": reader.cursor(), "mid": reader.mid(), "time": _time(reader)} | reader.user_and_body()


def _time(reader: Reader) -> Any:
    return reader.fixed("time", 8, _seconds)


def _seconds(data: bytes) -> float:
    """A whole number when there is no fraction, as in JSON."""
    seconds: float = struct.unpack("!d", data)[0]
    return int(seconds) if seconds.is_integer() else seconds


def _ack(reader: Reader) -> Any:
    mid, place = reader.mid(), reader.cursor()
    return {"mid": mid, "id": place, "duplicate": reader.fixed("duplicate", 1, lambda byte: byte != b"\0")}


def _error(reader: Reader) -> Any:
    flags = reader.fixed("error-flags", 1, lambda byte: byte[0])
    mid = reader.mid() if flags & 1 else None
    code = reader.text("error-code", reader.number("code-length"))
    error = {"code": code, "message": reader.text("error-message")}
    return {"mid": mid, "error": error, "stored": "unknown" if flags & 2 else False}


def _other(reader: Reader) -> Any:
    value = events.parsed(reader.text("json"))
    if value is None:
        raise ValueError("no JSON")
    return value


READ: dict[str, Callable[[Reader], Any]] = {
    "other": _other,
    "message": _message,
    "gap": lambda reader: {"missed": reader.number("missed")},
    "reset": lambda reader: {"id": reader.cursor()},
    "bye": lambda reader: {"retry_ms": reader.number("retry-ms")},
    "ack": _ack,
    "error": _error,
    "send": lambda reader: {"mid": reader.mid()} | reader.user_and_body(),
}
"""What reads each kind of event behind its first byte."""
