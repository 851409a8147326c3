"""The units and fields into which bytes are dissected, and how a protocol's file builds them.

A unit is what a protocol sends as one thing: a head, an event, a frame. Its fields follow each other without
gap or overlap, and each field is head, framing or payload, as in the meters. Knows bytes and nothing else.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

HEAD, FRAMING, PAYLOAD = "head", "framing", "payload"
CUT = "cut"
"""The kind of a unit that is not whole, because the bytes begin or end inside it."""


class Part(NamedTuple):
    """One read or write of a socket: its time, whether the bytes came from the client, and the bytes."""

    at: float
    came: bool
    data: bytes

    def as_json(self) -> dict[str, Any]:
        """The part as an object, its bytes as Latin-1."""
        return {"at": self.at, "came": self.came, "text": self.data.decode("latin-1")}


class LeftOut(NamedTuple):
    """A place between two units of one direction where so many bytes were not kept."""

    at: float
    came: bool
    size: int
    data: bytes = b""


Parts = Sequence[Part | LeftOut]
"""What was kept of a connection, in the order in which it passed."""


class Field(NamedTuple):
    """Bytes with one meaning, from `start` to before `end` in the stream of their direction."""

    start: int
    end: int
    part: str
    """`head`, `framing` or `payload`."""
    name: str
    """What it is, as a stable key: `request-target`, `masking-key`."""
    value: str
    """What it says: text without its mask, its compression and its line end."""
    note: str
    """The key of its sentence in `lab.anatomy.notes`."""
    saved: int = 0
    """Bytes that compression saved on it: the meters count payload as it was before compression."""


class Unit(NamedTuple):
    """One unit of a protocol, its direction, the time of its first byte, and its fields in order."""

    kind: str
    came: bool
    at: float
    fields: tuple[Field, ...]

    def as_json(self) -> dict[str, Any]:
        """The unit as an object, without `saved`: only the meters need that."""
        fields = [field._asdict() for field in self.fields]
        for field in fields:
            del field["saved"]
        return {"kind": self.kind, "came": self.came, "at": self.at, "fields": fields}


class Piece(NamedTuple):
    """A unit before it is known when and in which direction it passed."""

    kind: str
    fields: list[Field]


class Tiler:
    """Builds the fields of a unit, each from the end of the last one."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data = data
        self.place = place
        self.fields: list[Field] = []

    def add(
        self, end: int, part: str, name: str, value: str | None = None, note: str = "", saved: int = 0
    ) -> None:
        """Add the field that ends before `end`; an empty one is left out. Its value is its own text."""
        if end > self.place:
            text = readable(self.data[self.place : end]) if value is None else value
            self.fields.append(Field(self.place, end, part, name, text, note or name, saved))
            self.place = end

    def piece(self, kind: str) -> Piece:
        """The unit of the fields so far; the next one begins without any."""
        fields, self.fields = self.fields, []
        return Piece(kind, fields)


def readable(data: bytes) -> str:
    """Bytes as the text that they probably are, without the end of the line."""
    return data.decode("utf-8", "replace").rstrip("\r\n")


def one_field(data: bytes, start: int, end: int, kind: str = CUT) -> list[Piece]:
    """Bytes that cannot be dissected, as one unit with one field; none when there are no bytes."""
    note = CUT if kind == CUT else "not-a-frame"
    field = Field(start, end, FRAMING, note, readable(data[start:end]), note)
    return [Piece(kind, [field])] if end > start else []


def totals(units: Iterable[Unit]) -> dict[str, int]:
    """The bytes of head, framing and payload, as the meters count them: payload before compression."""
    sums = dict.fromkeys((HEAD, FRAMING, PAYLOAD), 0)
    for unit in units:
        for field in unit.fields:
            sums[field.part] += field.end - field.start + field.saved
    return sums
