"""JSONP: a script that calls the page's function with the body of a poll, `/**/f({…});`.

JSONP cannot POST, so a message is sent in the query of a request: its encoded values are payload.
"""

import re

from lab.anatomy import events, polls
from lab.anatomy.heads import Head
from lab.anatomy.units import FRAMING, Piece, Tiler

MEDIA_TYPE = "application/javascript"
MODES = ("jsonp",)
CALL = re.compile(rb"(/\*\*/)?([\w$.]+\()(.*)(\);)", re.DOTALL)
SEND = re.compile(r"[^?]*/jsonp/send\?")
SENT = re.compile(r"(?:(?<=[?&])(?:mid|username|body)=)([^&]*)")
"""The values of a message in a query."""


def dissect(data: bytes) -> list[Piece]:
    """The whole script as one unit."""
    tiler, call = Tiler(data, 0), CALL.fullmatch(data)
    if call:
        tiler.add(max(call.end(1), 0), FRAMING, "guard-comment")
        tiler.add(call.end(2), FRAMING, "call-open")
        polls.add_events(tiler, call.end(3), events.add_escaped)
        tiler.add(call.end(3), FRAMING, "cursor" if tiler.place > call.end(2) else "body")
    tiler.add(len(data), FRAMING, "call-end" if call else "body")
    return [tiler.piece("call" if call else "answer")] if data else []


def sent_values(head: Head) -> list[tuple[int, int]]:
    """Where the values of a message stand in the target of a request that sends one."""
    if not SEND.match(head.target):
        return []
    shift = head.first[0]
    return [(shift + found.start(1), shift + found.end(1)) for found in SENT.finditer(head.target)]
