"""Server-sent events: an answer that never ends, in a format that browsers read by themselves.

    client                       server
      |── GET ?after=7 ────────────>|
      |<──── 200, event-stream ─────|      the answer begins, and never ends
      :                             :   <- message 8 arrives
      |<──── id: 8  data: {…} ──────|      an empty line ends the event
      |<──── id: 9  data: {…} ──────|      after a break, the client comes back
      |── GET  Last-Event-ID: 9 ───>|      and says where it was

A browser does this with `EventSource`; here its parser is twelve lines (HTML standard, section 9.2.6).
"""

import json
import re
from typing import Any

from lab.clients.link import FETCH, FRESH, Link, Unframed, accepted

STREAM = FETCH | FRESH | {"Accept": "text/event-stream"}
"""What Chromium adds for an EventSource."""
END_OF_LINE = re.compile(rb"\r\n|\n|\r")
END_OF_EVENT = re.compile(rb"(?>\r\n|\n|\r){2}")


def unframe(data: bytes) -> Unframed:
    """The events that an empty line has ended. Comments and `retry` are no events."""
    *blocks, rest = END_OF_EVENT.split(data)
    found = [text for text in map(data_of, blocks) if text]
    return Unframed([json.loads(text) for text in found], rest=rest)


def data_of(block: bytes) -> bytes:
    """The `data` lines of one event, joined."""
    lines = [line.partition(b":") for line in END_OF_LINE.split(block)]
    return b"\n".join(value.removeprefix(b" ") for name, _, value in lines if name == b"data")


async def listen(link: Link) -> None:
    """Begin the answer, and hear each event as it comes."""
    async with link.request("GET", "/sse" + link.query(), STREAM) as answer:
        await accepted(answer)
        rest = b""
        async for chunk in answer.content.iter_any():
            rest = link.heard(unframe(rest + chunk))


async def send(link: Link, message: dict[str, str]) -> dict[str, Any]:
    """Send a message; its id comes back."""
    return await link.post("/sse", message)
