"""Server-sent events: lines `id:`, `event:`, `data:`, `retry:`, comments; an empty line ends each event.

The HTML standard, section 9.2.6.
"""

import re

from lab.anatomy import events
from lab.anatomy.units import FRAMING, Piece, Tiler, one_field

MEDIA_TYPE = "text/event-stream"
MODES = ("sse",)
BLOCK = re.compile(rb"(?:[^\r\n]++(?:\r\n|\n|\r(?!\Z)))*+(?:\r\n|\n|\r(?!\Z))")
"""Lines up to an empty one; a carriage return at the end of the data may be half of a line end."""
LINE = re.compile(rb"([^\r\n:]*)(:?) ?([^\r\n]*)(\r\n|\n|\r)")
NAMES = ("id", "event", "data", "retry")


def dissect(data: bytes) -> list[Piece]:
    """One unit per block of lines."""
    tiler, pieces = Tiler(data, 0), list[Piece]()
    while block := BLOCK.match(data, tiler.place):
        pieces.append(_block(tiler, block.end()))
    return pieces + one_field(data, tiler.place, len(data))


def _block(tiler: Tiler, end: int) -> Piece:
    lines = list(LINE.finditer(tiler.data, tiler.place, end))
    names = {line[1].decode("latin-1") for line in lines[:-1]}
    named = any(line[1] == b"event" and line[3] != b"message" for line in lines)
    for line in lines[:-1]:
        _line(tiler, line, named)
    tiler.add(end, FRAMING, "end-of-event")
    return tiler.piece(_kind(names))


def _kind(names: set[str]) -> str:
    """What a block is, by the names of its lines; a comment has an empty name."""
    if "data" in names:
        return "event"
    return "retry" if "retry" in names else "heartbeat" if names == {""} else "empty event"


def _line(tiler: Tiler, line: re.Match[bytes], named: bool) -> None:
    name = line[1].decode("latin-1")
    if name == "data" and line[2]:
        tiler.add(line.start(3), FRAMING, "sse-data")
        events.add(tiler, line.end(3), "named" if named else events.kind(events.parsed(line[3])))
        tiler.add(line.end(), FRAMING, "line-end")
    else:
        value = line[3].decode("utf-8", "replace")
        known = "comment" if line[2] and not name else name if name in NAMES else "unknown"
        tiler.add(line.end(), FRAMING, f"sse-{known}", value)
