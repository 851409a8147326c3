"""HTTP streaming: one JSON event on each line, an empty line as heartbeat (NDJSON)."""

from lab.anatomy import events
from lab.anatomy.units import FRAMING, Piece, Tiler, one_field

MEDIA_TYPE = "application/x-ndjson"
MODES = ("fetch",)


def dissect(data: bytes) -> list[Piece]:
    """One unit per line."""
    tiler, pieces = Tiler(data, 0), list[Piece]()
    while end := data.find(b"\n", tiler.place) + 1:
        pieces.append(_line(tiler, end))
    return pieces + one_field(data, tiler.place, len(data))


def _line(tiler: Tiler, end: int) -> Piece:
    first, line = tiler.place == 0, tiler.data[tiler.place : end - 1]
    if line.strip():
        events.add(tiler, end - 1, events.kind_in(line))
        tiler.add(end, FRAMING, "line-end")
        return tiler.piece("line")
    tiler.add(end, FRAMING, "empty-line")
    return tiler.piece("preamble" if first else "heartbeat")
