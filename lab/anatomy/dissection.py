"""The bytes of a connection in the order in which they passed, dissected into units in that order."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from lab.anatomy.exchange import Known, walk
from lab.anatomy.side import Side
from lab.anatomy.units import LeftOut, Part, Parts, Piece, Unit


class Stream:
    """The bytes of one direction: all of them, and which part each came in."""

    def __init__(self, parts: Iterable[tuple[int, Part | LeftOut]], came: bool) -> None:
        self.came = came
        self.data = b""
        self.holes: list[tuple[int, int]] = []
        """Where bytes were left out, and how many."""
        self._starts: list[int] = []
        self._parts: list[tuple[int, Part]] = []
        pieces, size = [], 0
        for order, part in parts:
            if isinstance(part, LeftOut):
                self.holes += [(size, part.size)] if part.size else []
            elif part.data:
                self._starts.append(size)
                self._parts.append((order, part))
                pieces.append(bytes(part.data))
                size += len(part.data)
        self.data = b"".join(pieces)

    def unit(self, piece: Piece) -> tuple[int, int, Unit]:
        """A unit with its time and its true offsets, after what decides its place among the units."""
        start = piece.fields[0].start
        order, part = self._parts[bisect_right(self._starts, start) - 1]
        shift = sum(size for place, size in self.holes if place <= start)
        fields = (
            field._replace(start=field.start + shift, end=field.end + shift) if shift else field
            for field in piece.fields
        )
        return order, start, Unit(piece.kind, self.came, part.at, tuple(fields))


def dissect(parts: Parts, mode: str = "") -> list[Unit]:
    """The units of these bytes, in the order in which their first bytes passed.

    `parts` are reads and writes in their order; offsets are those of each direction's own bytes. `mode` is
    the technique, which only bytes without an HTTP head need; without it they are taken for WebSocket frames.
    Never raises, whatever the bytes are: what is not whole is a unit of the kind `cut`, and a frame that
    breaks a rule is one whose kind begins with "not a frame".
    """
    ways = (True, False)
    streams = [
        Stream(((n, part) for n, part in enumerate(parts) if part.came is came), came) for came in ways
    ]
    client, server = (Side(stream.data, stream.came) for stream in streams)
    holes = {stream.came: [place for place, _ in stream.holes] for stream in streams}
    walk(client, server, Known(mode, holes))
    pairs = zip(streams, (client, server), strict=True)
    found = [stream.unit(piece) for stream, side in pairs for piece in side.pieces]
    return [unit for *_, unit in sorted(found, key=lambda one: one[:2])]


def as_json(parts: Sequence[Part], mode: str = "") -> dict[str, Any]:
    """Whole parts and their units as an object: `{"parts", "left_out", "units"}`, the shape of `/wire`."""
    units = [unit.as_json() for unit in dissect(parts, mode)]
    return {"parts": [part.as_json() for part in parts], "left_out": 0, "units": units}
