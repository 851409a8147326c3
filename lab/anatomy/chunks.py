"""Bodies in chunks: a line with the size, the data, a line end; the last one is empty (RFC 9112 section 7.1).

What is inside the chunks has units of its own. A unit includes the line with the size before its first byte
and the line end after its last, so an event in one chunk is one unit, and an event in two is one too.
"""

import re
from typing import NamedTuple

from lab.anatomy.units import CUT, FRAMING, Field, Piece, Tiler, one_field

SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})([ \t]*;[^\r\n]*)?\r\n")
LATER = re.compile(rb"\n(?=[0-9A-Fa-f]{1,8}\r\n)")
TRAILERS = re.compile(rb"(?:[^\r\n]+\r\n)*?\r\n")


class Chunk(NamedTuple):
    """Data of a body from `start` to `end`; its chunk is from `line` to `stop`."""

    line: int
    start: int
    end: int
    stop: int


class Body(NamedTuple):
    """The chunks of a body that are whole, where they end, and whether the last chunk follows there."""

    chunks: list[Chunk]
    end: int
    whole: bool


def parse(data: bytes, place: int) -> Body:
    """The chunks that begin at `place`, up to the last one or to the first that is not whole."""
    chunks: list[Chunk] = []
    while (line := SIZE.match(data, place)) and (size := int(line[1], 16)):
        end = line.end() + size
        if data[end : end + 2] != b"\r\n":
            return Body(chunks, place, False)
        chunks.append(Chunk(place, line.end(), end, end + 2))
        place = end + 2
    return Body(chunks, place, bool(line and TRAILERS.match(data, line.end())))


def find(data: bytes) -> int:
    """Where the first whole chunk begins in bytes that begin anywhere; -1 when there is none."""
    places = [0, *(found.end() for found in LATER.finditer(data))]
    return next((place for place in places if parse(data, place).end > place), -1)


def last(data: bytes, place: int) -> Piece:
    """The unit of the last chunk, which is there as a whole."""
    tiler = Tiler(data, place)
    tiler.add(data.index(b"\n", place) + 1, FRAMING, "chunk-size", "0", "last-chunk")
    end = TRAILERS.match(data, tiler.place)
    assert end is not None
    tiler.add(end.end() - 2, FRAMING, "trailers")
    tiler.add(end.end(), FRAMING, "chunk-end")
    return tiler.piece("last-chunk")


def place_in(data: bytes, chunks: list[Chunk], pieces: list[Piece]) -> list[Piece]:
    """The units of a body, moved to where its bytes are in the stream, with the lines of its chunks."""
    weaver = Weaver(data, chunks)
    return [weaver.piece(piece) for piece in pieces]


class Weaver:
    """Puts the fields of a body, in order, into its chunks."""

    def __init__(self, data: bytes, chunks: list[Chunk]) -> None:
        self.tiler = Tiler(data, chunks[0].line if chunks else 0)
        self.chunks = iter(chunks)
        self.chunk = Chunk(*4 * [self.tiler.place])

    def piece(self, piece: Piece) -> Piece:
        """One unit of the body in its place; when it is cut it is one field, whatever is inside."""
        for field in piece.fields:
            self._add(field)
        placed = self.tiler.piece(piece.kind)
        if piece.kind == CUT:
            return one_field(self.tiler.data, placed.fields[0].start, placed.fields[-1].end)[0]
        return placed

    def _add(self, field: Field) -> None:
        left = field.end - field.start
        while left:
            if self.tiler.place == self.chunk.stop:
                self._begin(next(self.chunks))
            size = min(left, self.chunk.end - self.tiler.place)
            self.tiler.add(self.tiler.place + size, *field[2:])
            left -= size
            if self.tiler.place == self.chunk.end:
                self.tiler.add(self.chunk.stop, FRAMING, "chunk-end")

    def _begin(self, chunk: Chunk) -> None:
        self.chunk, self.tiler.place = chunk, chunk.line
        self.tiler.add(chunk.start, FRAMING, "chunk-size", str(chunk.end - chunk.start))
