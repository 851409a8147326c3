"""One direction of a connection: how far its bytes are dissected, and its units so far."""

from collections.abc import Callable

from lab.anatomy import chunks, heads
from lab.anatomy.chunks import Chunk
from lab.anatomy.heads import Head
from lab.anatomy.units import Piece, one_field

Dissect = Callable[[bytes], list[Piece]]
"""Dissects a body; the places in its units are those in the body."""


class Side:
    """The bytes of one direction, how far they are dissected, and their units so far."""

    def __init__(self, data: bytes, came: bool) -> None:
        self.data, self.came = data, came
        self.place = 0
        self.pieces: list[Piece] = []
        self._more_heads = True

    def keep(self, pieces: list[Piece]) -> None:
        """Add the next units."""
        self.pieces += pieces
        if pieces:
            self.place = pieces[-1].fields[-1].end

    def head(self) -> Head | None:
        """The next head, after what is none; None when there is none any more."""
        if head := heads.parse(self.data, self.place, self.came):
            return head
        start = heads.find(self.data, self.place, self.came) if self._more_heads else -1
        if start < 0:
            self._more_heads = False  # searched once, however many requests the other side has
            return None
        self.keep(one_field(self.data, self.place, start))
        return heads.parse(self.data, start, self.came)

    def rest(self) -> None:
        """What cannot be dissected."""
        self.keep(one_field(self.data, self.place, len(self.data)))

    def body(self, head: Head, dissect: Dissect, until_close: bool) -> None:
        """Add the units of a body: in chunks, of a known length, or up to the end of the connection."""
        if head.chunked:
            self.chunked(dissect)
        elif head.length is not None or until_close:
            end = len(self.data) if head.length is None else self.place + head.length
            if end <= len(self.data):
                self.keep(inside(self.data, [Chunk(self.place, self.place, end, end)], dissect))

    def chunked(self, dissect: Dissect) -> None:
        """Add the units of a body in chunks, as far as they are whole."""
        found = chunks.parse(self.data, self.place)
        self.keep(inside(self.data, found.chunks, dissect))
        if found.whole:
            self.keep([chunks.last(self.data, self.place)])


def inside(data: bytes, found: list[Chunk], dissect: Dissect) -> list[Piece]:
    """The units of a body in these chunks, where they are in the stream."""
    body = b"".join(data[chunk.start : chunk.end] for chunk in found)
    return chunks.place_in(data, found, dissect(body))
