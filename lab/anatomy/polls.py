"""The body of short and long polling, `{"messages":[…],"cursor":"…"}`: the message objects are payload."""

import json
from collections.abc import Callable
from typing import Any

from lab.anatomy import events
from lab.anatomy.units import FRAMING, Piece, Tiler

MEDIA_TYPE = "application/json"
MODES = ("shortpoll", "longpoll")
OPEN = b'{"messages":['
read = json.JSONDecoder().raw_decode
"""Reads one JSON value in a text, and returns it and where it ends."""

Add = Callable[[Tiler, int, str], None]


def dissect(data: bytes) -> list[Piece]:
    """The whole body as one unit."""
    tiler = Tiler(data, 0)
    add_events(tiler, len(data), events.add)
    tiler.add(len(data), FRAMING, "cursor" if tiler.fields else "body")
    return [tiler.piece("answer")] if data else []


def add_events(tiler: Tiler, end: int, add: Add) -> None:
    """Add the list of events, up to behind the last of them; nothing when it is no such list."""
    # Latin-1 has a character for each byte, so places in the text are places in the data.
    text, start = tiler.data[:end].decode("latin-1"), tiler.place
    found = _list(text, start + len(OPEN)) if tiler.data.startswith(OPEN, start) else None
    if found is None:
        return
    tiler.add(start + len(OPEN), FRAMING, "list-open")
    for begin, stop, event in found:
        tiler.add(begin, FRAMING, "comma")
        add(tiler, stop, events.kind(event))


def _list(text: str, place: int) -> list[tuple[int, int, Any]] | None:
    """Where each event of the list begins and ends, and its value; None unless the list is whole."""
    found: list[tuple[int, int, Any]] = []
    try:
        while text[place] != "]":
            place += text[place] == ","
            event, stop = read(text, place)
            found.append((place, stop, event))
            place = stop
    except (ValueError, IndexError, RecursionError):
        return None
    return found
