"""The JSON of one event: a message is payload, as the meters count it, every other event is framing.

JSON inside a script has some characters escaped that UTF-8 would write shorter. The meters count the message
as it is, so of an escape as many bytes are payload as the character itself has, and the rest is framing.
"""

import json
import re
from typing import Any

from lab.anatomy.units import FRAMING, PAYLOAD, Tiler

ESCAPE = re.compile(rb"\\(?:u(0026|003[ce]|202[89])|.)", re.DOTALL)
"""An escape of JSON; the group is one of a character that JSON itself would not escape."""


def parsed(text: bytes | str) -> Any:
    """The value of some JSON; None when it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def kind(event: Any) -> str:
    """The type of an event; a message, and anything that is no event at all, is a "message"."""
    type_ = event.get("type") if isinstance(event, dict) else None
    return type_ if isinstance(type_, str) else "message"


def kind_in(text: bytes) -> str:
    """The type of the event in some JSON; "no JSON" when it is none."""
    event = parsed(text)
    return "no JSON" if event is None else kind(event)


def add(tiler: Tiler, end: int, type_: str) -> None:
    """Add the JSON of an event of this type."""
    if type_ == "message":
        tiler.add(end, PAYLOAD, "message")
    else:
        tiler.add(end, FRAMING, "event")


def add_escaped(tiler: Tiler, end: int, type_: str) -> None:
    """Add the JSON of an event, in which characters may be escaped for a script."""
    for found in ESCAPE.finditer(tiler.data, tiler.place, end) if type_ == "message" else ():
        if found[1]:
            character = chr(int(found[1], 16))
            tiler.add(found.start(), PAYLOAD, "message")
            tiler.add(found.end() - len(character.encode()), FRAMING, "escape", character)
            tiler.add(found.end(), PAYLOAD, "escaped-character", character)
    add(tiler, end, type_)
