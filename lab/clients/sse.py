"""Server-sent events: a response that never ends, in a format that browsers parse.

    client                       server
      |── GET ?after=7 ────────────>|
      |<──── 200, event-stream ─────|      the response begins, and never ends
      :                             :   <- message 8 arrives
      |<──── id: 8  data: {…} ──────|      an empty line ends the event
      |<──── id: 9  data: {…} ──────|      after a break, the client reconnects
      |── GET  Last-Event-ID: 9 ───>|      and sends its last id

A browser does this with `EventSource`; here its parser is twelve lines (HTML standard, section 9.2.6).
"""

import json
import re

from lab.clients.link import FETCH, FRESH, Link, Unframed, shared
from lab.json_types import JsonObject

STREAM = FETCH | FRESH | {"Accept": "text/event-stream"}
"""What Chromium adds for an EventSource."""
BOM = "\ufeff".encode()
END_OF_LINE = re.compile(rb"\r\n|\n|\r")
END_OF_EVENT = re.compile(rb"(?>\r\n|\n|\r){2}")


class Later(bytes):
    """Bytes after the first event of a stream: a byte order mark there is part of a field's name."""

    def __add__(self, more: bytes) -> "Later":  # type: ignore[override]  # bytes accepts any buffer
        """These bytes and more after them."""
        return Later(bytes(self) + more)


@shared
def unframe(data: bytes) -> Unframed:
    """The events that an empty line has ended. Comments and `retry` are no events.

    One byte order mark at the very start of the stream is dropped (HTML standard, section 9.2.6).
    """
    begun = isinstance(data, Later)
    *blocks, rest = END_OF_EVENT.split(data if begun else data.removeprefix(BOM))
    found = [text for text in map(data_of, blocks) if text.strip()]
    return Unframed([json.loads(text) for text in found], rest=Later(rest) if begun or blocks else data)


def data_of(block: bytes) -> str:
    """The `data` lines of one event, joined. Bytes that are not UTF-8 become U+FFFD, as in a browser."""
    lines = [line.partition(b":") for line in END_OF_LINE.split(block)]
    data = b"\n".join(value.removeprefix(b" ") for name, _, value in lines if name == b"data")
    return data.decode(errors="replace")


async def listen(link: Link) -> None:
    """Request the stream, and read each event as it arrives."""
    async with link.stream("/sse" + link.query(), STREAM) as answer:
        rest = b""
        async for chunk in answer.content.iter_any():
            rest = link.received(unframe(rest + chunk))


async def send(link: Link, message: dict[str, str]) -> JsonObject:
    """Send a message; returns its id."""
    return await link.post("/sse", message)
